//! Show our changes in calendars of Exchange, and look at one that changed.
fn main() -> std::process::ExitCode {
    runtime::host::main(fn_exchange_push::FUNCTION)
}
