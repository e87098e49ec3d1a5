//! Bring calendars of Exchange and our agendas together.
fn main() -> std::process::ExitCode {
    runtime::host::main(fn_sync_exchange::FUNCTION)
}
