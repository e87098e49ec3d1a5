//! Who acts for a child: bring in, limit, prove, leave.
fn main() -> std::process::ExitCode {
    runtime::host::main(fn_guardians::FUNCTION)
}
