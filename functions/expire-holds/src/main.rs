//! Free what was held and not taken up.
fn main() -> std::process::ExitCode {
    runtime::host::main(fn_expire_holds::FUNCTION)
}
