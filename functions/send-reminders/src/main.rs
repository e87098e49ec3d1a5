//! Plan the reminders that are due.
fn main() -> std::process::ExitCode {
    runtime::host::main(fn_send_reminders::FUNCTION)
}
