//! What providers tell of text messages afterwards, and what people answer to one.
fn main() -> std::process::ExitCode {
    runtime::host::main(fn_sms_callbacks::FUNCTION)
}
