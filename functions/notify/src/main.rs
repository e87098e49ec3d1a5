//! Tell people by e-mail what happened to their appointment.
fn main() -> std::process::ExitCode {
    runtime::host::main(fn_notify::FUNCTION)
}
