//! Who works in an establishment, and for whom.
fn main() -> std::process::ExitCode {
    runtime::host::main(fn_members::FUNCTION)
}
