//! Hear from Exchange Online that a calendar changed.
fn main() -> std::process::ExitCode {
    runtime::host::main(fn_exchange_notify::FUNCTION)
}
