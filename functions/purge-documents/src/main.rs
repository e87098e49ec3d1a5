//! Give up abandoned uploads, and remove what was kept as long as it had to be.
fn main() -> std::process::ExitCode {
    runtime::host::main(fn_purge_documents::FUNCTION)
}
