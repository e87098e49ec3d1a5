//! Authenticator apps, passkeys and recovery codes of one's own account.
fn main() -> std::process::ExitCode {
    runtime::host::main(fn_second_factors::FUNCTION)
}
