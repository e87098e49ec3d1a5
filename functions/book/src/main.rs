//! Book an open slot for a patient, or hold it for a few minutes.
fn main() -> std::process::ExitCode {
    runtime::host::main(fn_book::FUNCTION)
}
