//! Carry events from the outbox to their consumers.
fn main() -> std::process::ExitCode {
    runtime::host::main(fn_deliver_outbox::FUNCTION)
}
