//! Sign up; the patients of an account.
fn main() -> std::process::ExitCode {
    runtime::host::main(fn_accounts::FUNCTION)
}
