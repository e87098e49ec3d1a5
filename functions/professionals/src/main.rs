//! Claim to be a professional of the directory; validate, refuse, suspend.
fn main() -> std::process::ExitCode {
    runtime::host::main(fn_professionals::FUNCTION)
}
