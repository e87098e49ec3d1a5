//! Cancel an appointment; its time is free again at once.
fn main() -> std::process::ExitCode {
    runtime::host::main(fn_cancel::FUNCTION)
}
