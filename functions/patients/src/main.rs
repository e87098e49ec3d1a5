//! Read the administrative part of a patient’s record.
fn main() -> std::process::ExitCode {
    runtime::host::main(fn_patients::FUNCTION)
}
