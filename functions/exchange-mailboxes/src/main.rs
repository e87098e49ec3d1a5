//! Calendars of Exchange beside our agendas: connect them, see how they do, decide what is asked.
fn main() -> std::process::ExitCode {
    runtime::host::main(fn_exchange_mailboxes::FUNCTION)
}
