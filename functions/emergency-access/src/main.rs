//! Look at a patient’s record in an emergency, saying why.
fn main() -> std::process::ExitCode {
    runtime::host::main(fn_emergency_access::FUNCTION)
}
