//! How long a change takes to where it is seen, with everything in one process as it is run, which is told of changes: by calls of Graph,
//! and over connections to servers of a house's own.

use std::time::{Duration, Instant};

use domain::{SignedDuration, Timestamp};
use futures_util::future::try_join_all;
use runtime::clock::Clock;
use runtime::host::StartError;
use uuid::Uuid;

use super::{Beside, Fake};
use crate::tools::bench::Bench;
use crate::tools::bench::report::Report;
use crate::tools::bench::server::Server;

const VISIT: &str = include_str!("../../../../sql/bench/visit.sql");
/// How often it is looked whether a change is there: its time is known to no better than that.
const GLANCE: Duration = Duration::from_millis(10);
/// How many changes are on their way at once, each in a mailbox of its own.
const AT_ONCE: usize = 4;
/// Longest wait for one change.
const PATIENCE: Duration = Duration::from_mins(2);
/// Longest wait until all mailboxes are watched.
const PREPARING: Duration = Duration::from_mins(20);
/// Changes lie so far ahead, where nothing else does.
const AHEAD: SignedDuration = SignedDuration::from_hours(24 * 171);

/// A direction.
#[derive(Clone, Copy)]
enum To {
    Here,
    There,
}

pub(super) async fn measure(
    bench: &Bench, fakes: &[Fake; 2], all: &[Beside], probes: usize, more: &[(&'static str, String)],
    report: &mut Report,
) -> Result<(), StartError> {
    let port = crate::lambda::free_port()?;
    let state = std::path::absolute(&bench.config.state)?.display().to_string();
    let own = [
        ("CARNET_ENV", "development".to_owned()),
        ("CARNET_STATE", state),
        // The fake of Graph calls it in clear, whatever it says.
        ("PUBLIC_URL", format!("https://localhost:{port}")),
        ("RUST_LOG", "warn".to_owned()),
    ];
    let gateway = Server::all_at(port, &bench.config, &[more, &own[..]].concat())?;
    watched(bench, all.len()).await?;
    for (at, fake) in fakes.iter().enumerate() {
        fake.forget().await?;
        let mailboxes: Vec<&Beside> = all.iter().filter(|one| one.fake == at).collect();
        for (to, words) in [(To::Here, "from a calendar to the agenda"), (To::There, "from the agenda to a calendar")] {
            let times = timed(bench, fake, &mailboxes, probes, to).await?;
            report.figure(format!("{words}, {}: p50", fake.kind), of(&times, 50), "s");
            report.under(format!("{words}, {}: p95", fake.kind), of(&times, 95), "s", 5.0);
        }
        let most = format!("told of changes: under way in one mailbox at once, {}", fake.kind);
        report.under(most, fake.asked().await?.most_in_flight, "", super::AT_ONCE + 1.0);
    }
    report.figure("everything in one process, resident", gateway.resident_mib().unwrap_or_default(), "MiB");
    Ok(())
}

/// How long so many changes take, in order of that.
async fn timed(
    bench: &Bench, fake: &Fake, mailboxes: &[&Beside], probes: usize, to: To,
) -> Result<Vec<Duration>, StartError> {
    let mut times = Vec::with_capacity(probes);
    for first in (0..probes).step_by(AT_ONCE) {
        let some = first..(first + AT_ONCE).min(probes);
        let one = |number: usize| probe(bench, fake, mailboxes[number % mailboxes.len()], number, to);
        times.extend(try_join_all(some.map(one)).await?);
    }
    times.sort_unstable();
    Ok(times)
}

/// Every mailbox is read once more, and watched from then on. Nothing is due any more then.
async fn watched(bench: &Bench, count: usize) -> Result<(), StartError> {
    sqlx::query("update exchange_mailbox set read_at = now()").execute(&bench.pool).await?;
    let (began, done) = (Instant::now(), i64::try_from(count)?);
    let sql = "select count(*) from exchange_mailbox where watch_until > now() and lease is null and least(read_at, write_at) > now()";
    loop {
        let watched: i64 = sqlx::query_scalar(sql).fetch_one(&bench.pool).await?;
        if watched == done {
            return Ok(());
        }
        if began.elapsed() > PREPARING {
            return Err(format!("only {watched} of {done} mailboxes are watched").into());
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// One change, and the seconds until it is seen.
async fn probe(bench: &Bench, fake: &Fake, beside: &Beside, number: usize, to: To) -> Result<Duration, StartError> {
    let quarter = SignedDuration::from_mins(45 * i64::try_from(number)?);
    let midnight = Clock::default().now().as_second().div_euclid(86_400) * 86_400;
    let starts_at = Timestamp::from_second(midnight)? + AHEAD + quarter;
    let visit = Uuid::now_v7();
    let tag = format!("{visit}/1");
    let began = Instant::now();
    match to {
        To::Here => fake.add(beside.number, starts_at).await?,
        To::There => {
            let written = sqlx::query(VISIT).bind(beside.mailbox.as_uuid()).bind(visit);
            let written = written.bind(starts_at.to_string()).bind(Clock::default().now().to_string());
            if written.execute(&bench.pool).await?.rows_affected() != 1 {
                return Err("there is no visit to make another like".into());
            }
        }
    }
    let seen = "select exists (select from exchange_block where mailbox_id = $1 and starts_at = $2::timestamptz)";
    while began.elapsed() < PATIENCE {
        let is: bool = match to {
            To::Here => {
                let row = sqlx::query_scalar(seen).bind(beside.mailbox.as_uuid()).bind(starts_at.to_string());
                row.fetch_one(&bench.pool).await?
            }
            To::There => fake.has(beside.number, &tag).await?,
        };
        if is {
            return Ok(began.elapsed());
        }
        tokio::time::sleep(GLANCE).await;
    }
    Err(format!("a change was not seen within {PATIENCE:?} ({})", fake.kind).into())
}

/// The time that so many of a hundred stay within, in seconds.
fn of(times: &[Duration], hundredths: usize) -> f64 {
    let at = (times.len() * hundredths / 100).min(times.len().saturating_sub(1));
    times.get(at).map_or(f64::INFINITY, Duration::as_secs_f64)
}
