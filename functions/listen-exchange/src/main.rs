//! Hear from mail servers of a house's own that calendars changed.
fn main() -> std::process::ExitCode {
    runtime::host::main(fn_listen_exchange::FUNCTION)
}
