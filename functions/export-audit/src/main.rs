//! The audit trail of an establishment, as FHIR `AuditEvent` or syslog.
fn main() -> std::process::ExitCode {
    runtime::host::main(fn_export_audit::FUNCTION)
}
