//! List and read appointments.
fn main() -> std::process::ExitCode {
    runtime::host::main(fn_appointments::FUNCTION)
}
