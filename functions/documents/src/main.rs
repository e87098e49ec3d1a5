//! List and read documents, who may see them, and take them back.
fn main() -> std::process::ExitCode {
    runtime::host::main(fn_documents::FUNCTION)
}
