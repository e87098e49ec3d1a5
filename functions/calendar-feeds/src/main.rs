//! Addresses at which a calendar program reads when one’s visits are.
fn main() -> std::process::ExitCode {
    runtime::host::main(fn_calendar_feeds::FUNCTION)
}
