//! Plan what partners’ programs are told of an event.
fn main() -> std::process::ExitCode {
    runtime::host::main(fn_plan_webhooks::FUNCTION)
}
