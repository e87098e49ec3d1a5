//! Judge a document’s bytes and, if they are sound, seal them and show it.
fn main() -> std::process::ExitCode {
    runtime::host::main(fn_check_document::FUNCTION)
}
