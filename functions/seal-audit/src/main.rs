//! Seal what the audit trail gained, and copy the seals to where nobody can change them.
fn main() -> std::process::ExitCode {
    runtime::host::main(fn_seal_audit::FUNCTION)
}
