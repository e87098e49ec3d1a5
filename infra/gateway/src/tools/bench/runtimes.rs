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
use super::spin;
use super::wishes::World;
use crate::lambda::Emulator;

const STARTS: usize = 10;
/// One after the other: a Lambda serves one at a time.
const ALONE: usize = 1;
/// Longest wait for a first answer: the first host of a component compiles it.
const PATIENCE: Duration = Duration::from_mins(2);
const SEARCH: &str = "/v1/practitioners?place=Lyon&limit=5";
/// Of each kind, a warm-up as large before them.
const REQUESTS: usize = 400;

/// Where a function runs.
enum Runtime {
    Native,
    Lambda(Emulator),
    Wasi(spin::Host),
}

impl Runtime {
    fn name(&self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Lambda(_) => "lambda",
            Self::Wasi(_) => "wasi",
        }
    }
}

/// A function that runs, however it does.
struct Running {
    /// Where it is asked, and what stands before its paths.
    port: u16,
    prefix: String,
    process: u32,
    /// Ends with the handle.
    _held: Box<dyn std::any::Any>,
}

/// What one runtime cost.
#[derive(Clone, Copy, Default)]
struct Cost {
    cold_ms: f64,
    p50_ms: f64,
    rate: f64,
    cpu_ms: f64,
}

/// Measures each runtime, then compares. All reach the database by TCP: a guest knows no other way.
pub(super) async fn measure(bench: &Bench, report: &mut Report) -> Result<(), StartError> {
    let mut world = World::new(bench, Clock::default().now()).await?;
    let runtimes =
        [Runtime::Native, Runtime::Lambda(Emulator::start(Path::new(".")).await?), Runtime::Wasi(spin::find()?)];
    for function in ["search", "book"] {
        let mut native: Option<Cost> = None;
        for runtime in &runtimes {
            let cost = one(runtime, function, bench, &mut world, report).await?;
            let Some(native) = native else {
                native = Some(cost);
                continue;
            };
            for (what, theirs, ours) in [
                ("cold start", cost.cold_ms, native.cold_ms),
                ("p50", cost.p50_ms, native.p50_ms),
                ("rate", cost.rate, native.rate),
                ("CPU a request", cost.cpu_ms, native.cpu_ms),
            ] {
                report.figure(format!("{function}, {} / native: {what}", runtime.name()), theirs / ours, "");
            }
        }
    }
    Ok(())
}

/// The program of a function as it is shipped, beside this one.
fn program(function: &str) -> Result<PathBuf, StartError> {
    Ok(std::env::current_exe()?.with_file_name(format!("fn-{function}")))
}

fn start(runtime: &Runtime, function: &str, bench: &Bench) -> Result<Running, StartError> {
    match runtime {
        Runtime::Native => {
            let server = Server::start(&program(function)?, function, &bench.config)?;
            Ok(Running { port: server.port, prefix: String::new(), process: server.id(), _held: Box::new(server) })
        }
        Runtime::Lambda(emulator) => {
            let mut command = Command::new(program(function)?);
            command.envs(server::variables(function, &bench.config)?);
            let instance = emulator.instance(command, function)?;
            let prefix = format!("/lambda-url/fn-{function}");
            Ok(Running { port: emulator.port(), prefix, process: instance.id(), _held: Box::new(instance) })
        }
        Runtime::Wasi(host) => {
            let guest = host.start(function, &bench.config)?;
            Ok(Running { port: guest.port, prefix: String::new(), process: guest.id(), _held: Box::new(guest) })
        }
    }
}

async fn one(
    runtime: &Runtime, function: &str, bench: &Bench, world: &mut World, report: &mut Report,
) -> Result<Cost, StartError> {
    let name = runtime.name();
    if let Runtime::Wasi(_) = runtime {
        // The first start of a component compiles it; the host keeps what came of it.
        let began = Instant::now();
        first_answer(&start(runtime, function, bench)?).await?;
        report.figure(format!("{function} on {name}: first start of all, compiling"), ms(began.elapsed()), "ms");
    }
    let mut cost = Cost::default();
    let mut starts = Vec::new();
    for _ in 0..STARTS {
        let began = Instant::now();
        let running = start(runtime, function, bench)?;
        first_answer(&running).await?;
        starts.push(began.elapsed());
    }
    cost.cold_ms = percentile(&mut starts, 0.5);
    let started = format!("{function} on {name}: cold start, p50 of {STARTS}");
    match runtime {
        Runtime::Native => report.under(started, cost.cold_ms, "ms", 20.0),
        _ => report.figure(started, cost.cold_ms, "ms"),
    }

    let running = start(runtime, function, bench)?;
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
    artefact(runtime, function, report)?;
    Ok(cost)
}

/// What is shipped: of `just image NAME`, `just lambda NAME`, `just wasm NAME`; and the native program.
fn artefact(runtime: &Runtime, function: &str, report: &mut Report) -> Result<(), StartError> {
    let program = program(function)?;
    let target = program.parent().and_then(Path::parent).unwrap_or(Path::new("."));
    let (what, shipped, aim) = match runtime {
        Runtime::Native => ("image", target.join(format!("images/{function}.tar")), 30.0),
        Runtime::Lambda(_) => ("zip", target.join(format!("lambda/{function}.zip")), 8.0),
        Runtime::Wasi(_) => ("component", spin::component(target, function)?, 2.0),
    };
    let size = |path: &Path| std::fs::metadata(path).map(|file| mib(file.len()));
    report.under(format!("{function} on {}: {what}", runtime.name()), size(&shipped)?, "MiB", aim);
    if let Runtime::Native = runtime {
        report.figure(format!("{function} on native: program"), size(&program)?, "MiB");
    }
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
        if began.elapsed() > PATIENCE {
            return Err("a function does not answer".into());
        }
        tokio::time::sleep(Duration::from_micros(500)).await;
    }
}

/// A process and those that it started: Spin serves from a second one.
fn tree(process: u32) -> Vec<u32> {
    let children = std::fs::read_to_string(format!("/proc/{process}/task/{process}/children")).unwrap_or_default();
    let children = children.split_whitespace().filter_map(|child| child.parse().ok());
    std::iter::once(process).chain(children.flat_map(tree)).collect()
}

fn resident_mib(process: u32) -> Result<f64, StartError> {
    tree(process).into_iter().map(resident_alone).sum()
}

fn resident_alone(process: u32) -> Result<f64, StartError> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
    let kib: f64 = line.trim().trim_end_matches("kB").trim().parse()?;
    Ok(kib / 1024.0)
}

fn cpu(process: u32) -> Result<Duration, StartError> {
    tree(process).into_iter().map(cpu_alone).sum()
}

/// Processor time of a process so far, children aside (`proc_pid_stat(5)`, fields 14 and 15, in hundredths of a second).
fn cpu_alone(process: u32) -> Result<Duration, StartError> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat"))?;
    let (_, after) = stat.rsplit_once(')').ok_or("an unknown form of /proc/PID/stat")?;
    let fields: Vec<&str> = after.split_whitespace().collect();
    let ticks = |field: usize| fields.get(field).and_then(|text| text.parse::<u64>().ok()).unwrap_or_default();
    Ok(Duration::from_millis(10 * (ticks(11) + ticks(12))))
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

#[expect(clippy::cast_precision_loss, reason = "a file's size, told in MiB")]
fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}
