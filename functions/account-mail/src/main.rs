//! Write to people about their account, links, codes and what was done to what protects it.
fn main() -> std::process::ExitCode {
    runtime::host::main(fn_account_mail::FUNCTION)
}
