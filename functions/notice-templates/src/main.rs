//! Words of an establishment’s own for what people are told.
fn main() -> std::process::ExitCode {
    runtime::host::main(fn_notice_templates::FUNCTION)
}
