//! Bookings through HTTP beside the bare statement: short rounds of each in turn, since the machine is never quiet.

use std::collections::HashMap;
use std::time::Duration;

use runtime::clock::Clock;
use runtime::host::StartError;
use runtime::keys::Keys;
use uuid::Uuid;

use super::Bench;
use super::load::{self, percentile};
use super::pgbench::Pgbench;
use super::report::Report;
use super::server::Server;
use super::wishes::{Wish, World, tokens};

const WRITTEN: &str = include_str!("../../../sql/bench/written.sql");
const CONNECTIONS: usize = 32;
const ROUNDS: usize = 5;
/// Bookings of the round that finds out how many fill the time.
const WARM_UP: usize = 64 * CONNECTIONS;

/// Books, counts what was written, reports.
pub(super) async fn measure(bench: &Bench, report: &mut Report) -> Result<(), StartError> {
    let clock = Clock::default();
    let mut world = World::new(bench, clock.now()).await?;
    let search = Server::ready("search", &bench.config)?;
    let book = Server::ready("book", &bench.config)?;
    let mut pgbench =
        Pgbench::new(&bench.pool, bench.config.database_url.as_deref().unwrap_or_default(), CONNECTIONS).await?;

    // The first round of each is for the caches and tells how long the others must be.
    let mut sizes = [WARM_UP; 2];
    let (mut rates, mut ratios) = ([Vec::new(), Vec::new()], Vec::new());
    let mut times: Vec<Duration> = Vec::new();
    let mut booked = 0;
    for round in 0..=ROUNDS {
        let wishes = world.wishes(sizes[0] + sizes[1], search.port, clock.now()).await?;
        let (ours, theirs) = wishes.split_at(sizes[0]);
        let (http, taken) = through_http(bench, book.port, ours).await?;
        let raw = pgbench.run(&bench.pool, theirs, clock.now()).await?;
        booked += ours.len() + theirs.len();
        if round == 0 {
            sizes = [http, raw].map(|rate| whole(rate * bench.seconds));
            continue;
        }
        times.extend(taken);
        rates[0].push(http);
        rates[1].push(raw);
        ratios.push(http / raw);
    }
    pgbench.end(&bench.pool).await?;

    let written: Vec<i64> = sqlx::query_scalar(WRITTEN).bind(world.accounts()).fetch_one(&bench.pool).await?;
    let booked = i64::try_from(booked)?;
    if written != [booked, 2 * booked, booked, booked, booked] {
        return Err(format!("{booked} bookings wrote {written:?}").into());
    }
    let [http, raw] = rates;
    report.figure("booking through HTTP, 32 connections: rate", median(http), "/s");
    report.figure("booking through HTTP, 32 connections: p50", percentile(&mut times, 0.5), "ms");
    report.under("booking through HTTP, 32 connections: p99", percentile(&mut times, 0.99), "ms", 50.0);
    report.figure("booking by pgbench -M prepared -c 32 -j 2: rate", median(raw), "/s");
    report.at_least(format!("HTTP / pgbench, median of {ROUNDS} pairs of rounds"), median(ratios), "", 0.5);
    report.note("bookings made, each found with all its rows", booked);
    Ok(())
}

/// The rate, and every time; anything but 201 is an error.
async fn through_http(bench: &Bench, port: u16, wishes: &[Wish]) -> Result<(f64, Vec<Duration>), StartError> {
    let tokens = tokens_of(bench, wishes)?;
    let requests = wishes.iter().map(|wish| wish.http(&tokens[&wish.account])).collect();
    let round = load::run(port, requests, CONNECTIONS).await?;
    match round.refusal(201) {
        Some(refusal) => Err(format!("a booking was answered {refusal}").into()),
        None => Ok((round.rate(), round.answers.iter().map(|answer| answer.took).collect())),
    }
}

/// A token for every account of the wishes.
pub(super) fn tokens_of(bench: &Bench, wishes: &[Wish]) -> Result<HashMap<Uuid, String>, StartError> {
    let keys = Keys::of(&bench.config)?;
    tokens(wishes, &keys, Clock::default().now())
}

/// A whole number of bookings for every connection.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "a count")]
fn whole(bookings: f64) -> usize {
    ((bookings / CONNECTIONS as f64) as usize).max(1) * CONNECTIONS
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_unstable_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or_default()
}
