//! How fast a function is there, and what it weighs.

use std::path::PathBuf;
use std::time::Duration;

use runtime::host::StartError;

use super::Bench;
use super::load::percentile;
use super::report::Report;
use super::server::Server;

const STARTS: usize = 20;
/// After an answer, until the process is called idle.
const SETTLE: Duration = Duration::from_millis(500);

/// Starts every binary that is there as the function `search`, several times.
pub(super) async fn measure(bench: &Bench, report: &mut Report) -> Result<(), StartError> {
    let here = std::env::current_exe()?;
    let mut programs = vec![(here.clone(), "search")];
    for function in ["search", "book"] {
        let beside: PathBuf = here.with_file_name(format!("fn-{function}"));
        if beside.exists() {
            programs.push((beside, function));
        }
    }
    for (program, function) in programs {
        let name = program.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let label = if program == here { format!("{name} FUNCTION={function}") } else { name };
        let path = if function == "search" { "/v1/specialties" } else { "/readyz" };
        let (mut starts, mut memory) = (Vec::new(), Vec::new());
        for _ in 0..STARTS {
            let server = Server::start(&program, function, &bench.config)?;
            starts.push(server.first_answer(path)?);
            if memory.len() < 3 {
                tokio::time::sleep(SETTLE).await;
                memory.extend(server.resident_mib());
            }
        }
        report.under(format!("{label}: exec to GET {path}, p50"), percentile(&mut starts, 0.5), "ms", 50.0);
        report.figure(format!("{label}: exec to GET {path}, slowest of {STARTS}"), percentile(&mut starts, 1.0), "ms");
        if let Some(most) = memory.into_iter().reduce(f64::max) {
            report.under(format!("{label}: resident memory, idle"), most, "MiB", 25.0);
        }
        report.figure(format!("{label}: binary"), mib(std::fs::metadata(&program)?.len()), "MiB");
    }
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "a file's size, told in MiB")]
fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}
