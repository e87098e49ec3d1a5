//! Move an appointment to another slot; the old one is kept unless the new one is had.
fn main() -> std::process::ExitCode {
    runtime::host::main(fn_move::FUNCTION)
}
