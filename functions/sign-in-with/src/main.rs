//! Sign in with Pro Santé Connect or FranceConnect, and link such an identity to an account.
fn main() -> std::process::ExitCode {
    runtime::host::main(fn_sign_in_with::FUNCTION)
}
