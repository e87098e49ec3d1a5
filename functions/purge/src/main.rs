//! Delete what is kept no longer, as used keys, ended sessions and past counts.
fn main() -> std::process::ExitCode {
    runtime::host::main(fn_purge::FUNCTION)
}
