//! Send partners’ programs what is due, signed.
fn main() -> std::process::ExitCode {
    runtime::host::main(fn_send_webhooks::FUNCTION)
}
