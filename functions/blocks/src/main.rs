//! Shut a professional out of a patient’s record, and let them in again.
fn main() -> std::process::ExitCode {
    runtime::host::main(fn_blocks::FUNCTION)
}
