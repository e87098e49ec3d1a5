//! Who I am, and in which capacity I act.
fn main() -> std::process::ExitCode {
    runtime::host::main(fn_capacities::FUNCTION)
}
