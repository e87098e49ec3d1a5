//! Who looked at whose record, when and why, in plain words.
fn main() -> std::process::ExitCode {
    runtime::host::main(fn_access_log::FUNCTION)
}
