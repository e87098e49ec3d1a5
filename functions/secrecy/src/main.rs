//! Keep a minor’s visit from those who act for them.
fn main() -> std::process::ExitCode {
    runtime::host::main(fn_secrecy::FUNCTION)
}
