//! The gateway's process: see [`gateway::run`].

fn main() -> std::process::ExitCode {
    gateway::run(std::env::args().skip(1).collect())
}
