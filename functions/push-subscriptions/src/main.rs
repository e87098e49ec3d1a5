//! Where the browsers of an account are told of what concerns it.
fn main() -> std::process::ExitCode {
    runtime::host::main(fn_push_subscriptions::FUNCTION)
}
