//! Tell people by e-mail what happened to their appointment, and that a document is there.
fn main() -> std::process::ExitCode {
    runtime::host::main(fn_notify::FUNCTION)
}
