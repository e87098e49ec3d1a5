//! The same search and the same booking on each runtime, in one run: what each of them costs.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use runtime::clock::Clock;
use runtime::host::StartError;

use super::Bench;
use super::booking::tokens_of;
use super::load::{self, percentile};
use super::report::Report;
use super::server::{self, Server};
use super::wishes::World;
use crate::lambda::{Emulator, Instance};

const STARTS: usize = 10;
/// One after the other: a Lambda serves one at a time.
const ALONE: usize = 1;
const SEARCH: &str = "/v1/practitioners?place=Lyon&limit=5";
/// Of each kind, a warm-up as large before them.
const REQUESTS: usize = 400;

/// A function that runs, however it does.
struct Running {
    /// Where it is asked, and what stands before its paths.
    port: u16,
    prefix: String,
    process: u32,
    _server: Option<Server>,
    _instance: Option<Instance>,
}

/// What one runtime cost.
#[derive(Clone, Copy, Default)]
struct Cost {
    cold_ms: f64,
    p50_ms: f64,
    rate: f64,
    cpu_ms: f64,
}

/// Measures each runtime that is there, then compares.
pub(super) async fn measure(bench: &Bench, report: &mut Report) -> Result<(), StartError> {
    let emulator = Emulator::start(Path::new(".")).await?;
    let mut world = World::new(bench, Clock::default().now()).await?;
    for function in ["search", "book"] {
        let native = one("native", function, bench, &mut world, None, report).await?;
        let lambda = one("lambda", function, bench, &mut world, Some(&emulator), report).await?;
        for (what, ours, theirs) in [
            ("cold start", lambda.cold_ms, native.cold_ms),
            ("p50", lambda.p50_ms, native.p50_ms),
            ("rate", lambda.rate, native.rate),
            ("CPU a request", lambda.cpu_ms, native.cpu_ms),
        ] {
            report.figure(format!("{function}, lambda / native: {what}"), ours / theirs, "");
        }
    }
    Ok(())
}

/// The program of a function as it is shipped, beside this one.
fn program(function: &str) -> Result<PathBuf, StartError> {
    Ok(std::env::current_exe()?.with_file_name(format!("fn-{function}")))
}

fn start(function: &str, bench: &Bench, emulator: Option<&Emulator>) -> Result<Running, StartError> {
    let program = program(function)?;
    let Some(emulator) = emulator else {
        let server = Server::start(&program, function, &bench.config)?;
        let (port, process) = (server.port, server.id());
        return Ok(Running { port, prefix: String::new(), process, _server: Some(server), _instance: None });
    };
    let mut command = Command::new(program);
    command.envs(server::variables(function, &bench.config)?);
    let instance = emulator.instance(command, function)?;
    let process = instance.id();
    let prefix = format!("/lambda-url/fn-{function}");
    Ok(Running { port: emulator.port(), prefix, process, _server: None, _instance: Some(instance) })
}

async fn one(
    name: &str, function: &str, bench: &Bench, world: &mut World, emulator: Option<&Emulator>, report: &mut Report,
) -> Result<Cost, StartError> {
    let mut cost = Cost::default();
    let mut starts = Vec::new();
    for _ in 0..STARTS {
        let began = Instant::now();
        let running = start(function, bench, emulator)?;
        first_answer(&running).await?;
        starts.push(began.elapsed());
    }
    cost.cold_ms = percentile(&mut starts, 0.5);
    report.figure(format!("{function} on {name}: cold start, p50 of {STARTS}"), cost.cold_ms, "ms");

    let running = start(function, bench, emulator)?;
    first_answer(&running).await?;
    report.figure(format!("{function} on {name}: resident memory at rest"), resident_mib(running.process)?, "MiB");
    let requests = requests(function, bench, world, 2 * REQUESTS).await?;
    let requests: Vec<Vec<u8>> = requests.into_iter().map(|request| prefixed(request, &running.prefix)).collect();
    let (warm_up, measured) = requests.split_at(REQUESTS);
    load::run(running.port, warm_up.to_vec(), ALONE).await?;
    let before = cpu(running.process)?;
    let round = load::run(running.port, measured.to_vec(), ALONE).await?;
    let spent = cpu(running.process)?.saturating_sub(before);
    let wanted = if function == "book" { 201 } else { 200 };
    if let Some(refusal) = round.refusal(wanted) {
        return Err(format!("{function} on {name}: {refusal}").into());
    }
    let mut times: Vec<Duration> = round.answers.iter().map(|answer| answer.took).collect();
    cost.p50_ms = percentile(&mut times, 0.5);
    cost.rate = round.rate();
    cost.cpu_ms = spent.as_secs_f64() * 1000.0 / f64::from(u32::try_from(REQUESTS)?);
    report.figure(format!("{function} on {name}, one at a time: p50"), cost.p50_ms, "ms");
    report.figure(format!("{function} on {name}, one at a time: p99"), percentile(&mut times, 0.99), "ms");
    report.figure(format!("{function} on {name}, one at a time: rate"), cost.rate, "/s");
    report.figure(format!("{function} on {name}: CPU a request"), cost.cpu_ms, "ms");
    report.figure(format!("{function} on {name}: resident memory under load"), resident_mib(running.process)?, "MiB");
    artefact(name, function, report)?;
    Ok(cost)
}

/// What is shipped, where it was made: `just image NAME`, `just lambda NAME`; the program in any case.
fn artefact(name: &str, function: &str, report: &mut Report) -> Result<(), StartError> {
    let program = program(function)?;
    let target = program.parent().and_then(Path::parent).unwrap_or(Path::new("."));
    let size = |path: &Path| std::fs::metadata(path).map(|file| mib(file.len()));
    let shipped = match name {
        "native" => ("image", target.join(format!("images/{function}.tar")), 30.0),
        _ => ("zip", target.join(format!("lambda/{function}.zip")), 8.0),
    };
    if let Ok(size) = size(&shipped.1) {
        report.under(format!("{function} on {name}: {}", shipped.0), size, "MiB", shipped.2);
    }
    report.figure(format!("{function} on {name}: program"), size(&program)?, "MiB");
    Ok(())
}

async fn requests(function: &str, bench: &Bench, world: &mut World, count: usize) -> Result<Vec<Vec<u8>>, StartError> {
    if function == "search" {
        return Ok(vec![load::get(SEARCH); count]);
    }
    let search = Server::ready("search", &bench.config)?;
    let wishes = world.wishes(count, search.port, Clock::default().now()).await?;
    let tokens = tokens_of(bench, &wishes)?;
    Ok(wishes.iter().map(|wish| wish.http(&tokens[&wish.account])).collect())
}

/// The same request to a path that is further down.
fn prefixed(request: Vec<u8>, prefix: &str) -> Vec<u8> {
    match request.iter().position(|byte| *byte == b' ') {
        Some(space) => [&request[..=space], prefix.as_bytes(), &request[space + 1..]].concat(),
        None => request,
    }
}

/// Until it is ready, its database included.
async fn first_answer(running: &Running) -> Result<(), StartError> {
    let began = Instant::now();
    let request = prefixed(load::get("/readyz"), &running.prefix);
    loop {
        let round = load::run(running.port, vec![request.clone()], ALONE).await;
        if round.is_ok_and(|round| round.refusal(200).is_none()) {
            return Ok(());
        }
        if began.elapsed() > Duration::from_secs(10) {
            return Err("a function does not answer".into());
        }
        tokio::time::sleep(Duration::from_micros(500)).await;
    }
}

fn resident_mib(process: u32) -> Result<f64, StartError> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
    let kib: f64 = line.trim().trim_end_matches("kB").trim().parse()?;
    Ok(kib / 1024.0)
}

/// Processor time of a process so far, children aside (`proc_pid_stat(5)`, fields 14 and 15, in hundredths of a second).
fn cpu(process: u32) -> Result<Duration, StartError> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat"))?;
    let (_, after) = stat.rsplit_once(')').ok_or("an unknown form of /proc/PID/stat")?;
    let fields: Vec<&str> = after.split_whitespace().collect();
    let ticks = |field: usize| fields.get(field).and_then(|text| text.parse::<u64>().ok()).unwrap_or_default();
    Ok(Duration::from_millis(10 * (ticks(11) + ticks(12))))
}

#[expect(clippy::cast_precision_loss, reason = "a file's size, told in MiB")]
fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}
