//! Addresses of partners’ programs that an establishment’s events are sent to.
fn main() -> std::process::ExitCode {
    runtime::host::main(fn_webhooks::FUNCTION)
}
