//! How people want to be told, what they were told, and what that cost.
fn main() -> std::process::ExitCode {
    runtime::host::main(fn_notices::FUNCTION)
}
