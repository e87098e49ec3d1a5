//! Compare what is known of documents with the bytes in the store.
fn main() -> std::process::ExitCode {
    runtime::host::main(fn_reconcile_documents::FUNCTION)
}
