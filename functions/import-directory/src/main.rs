//! Take practitioners from the national directory's open file.
fn main() -> std::process::ExitCode {
    runtime::host::main(fn_import_directory::FUNCTION)
}
