//! Open the upload of a document, resume it, complete it.
fn main() -> std::process::ExitCode {
    runtime::host::main(fn_upload_document::FUNCTION)
}
