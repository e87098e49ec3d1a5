//! Sign in with a password and a second factor, or with a passkey alone; stay signed in; sign out.
fn main() -> std::process::ExitCode {
    runtime::host::main(fn_sign_in::FUNCTION)
}
