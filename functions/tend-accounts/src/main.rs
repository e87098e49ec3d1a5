//! Let changes of address take effect that nobody opposed, and forget what is settled.
fn main() -> std::process::ExitCode {
    runtime::host::main(fn_tend_accounts::FUNCTION)
}
