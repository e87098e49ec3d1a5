//! Find practitioners, their pages and their free times.
fn main() -> std::process::ExitCode {
    runtime::host::main(fn_search::FUNCTION)
}
