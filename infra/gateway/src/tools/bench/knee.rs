//! A thousand bookings at one moment, then the story mix at rising rates: where the curve bends.

use std::time::Duration;

use runtime::clock::Clock;
use runtime::host::StartError;

use super::Bench;
use super::booking::tokens_of;
use super::load::{self, percentile};
use super::report::Report;
use super::server::Server;
use super::wishes::{Wish, World};

const CROWD: usize = 1000;
/// Requests in a second; each step half as much again.
const FIRST_RATE: f64 = 40.0;
const STEP: f64 = 1.5;
const STEPS: usize = 14;
/// Of ten requests of the story one books; the others look.
const MIX: usize = 10;
const CONNECTIONS: usize = 200;
/// What a person does not call slow, and the share of the rate that must be answered in time to call it kept.
const PATIENCE_MS: f64 = 500.0;
const KEPT: f64 = 0.95;
/// What the story looks at.
const LOOKS: [&str; 3] = [
    "/v1/practitioners?place=Lyon&limit=5",
    "/v1/practitioners?q=a&near=45.76,4.83&radius_km=20&limit=10",
    "/v1/specialties",
];

/// Rushes, then climbs until the answers come late.
pub(super) async fn measure(bench: &Bench, report: &mut Report) -> Result<(), StartError> {
    let clock = Clock::default();
    let mut world = World::new(bench, clock.now()).await?;
    let search = Server::ready("search", &bench.config)?;
    let book = Server::ready("book", &bench.config)?;

    let wishes = world.wishes(CROWD, search.port, clock.now()).await?;
    let round = load::run(book.port, bookings(bench, &wishes)?, CROWD).await?;
    if let Some(refusal) = round.refusal(201) {
        return Err(format!("of {CROWD} bookings at once, one was answered {refusal}").into());
    }
    let mut times: Vec<Duration> = round.answers.iter().map(|answer| answer.took).collect();
    report.note("bookings at once, all of them made", i64::try_from(CROWD)?);
    report.figure("bookings at once: p50", percentile(&mut times, 0.5), "ms");
    report.under("bookings at once: p99", percentile(&mut times, 0.99), "ms", 3000.0);

    let (mut rate, mut knee) = (FIRST_RATE, 0.0);
    for _ in 0..STEPS {
        let count = whole(rate * bench.seconds);
        let wishes = world.wishes(count.div_ceil(MIX), search.port, clock.now()).await?;
        let mut bookings = bookings(bench, &wishes)?.into_iter();
        let requests = (0..count).map(|number| {
            let booking = if number % MIX == 0 { bookings.next() } else { None };
            match booking {
                Some(booking) => (book.port, booking),
                None => (search.port, load::get(LOOKS[number % LOOKS.len()])),
            }
        });
        let round = load::at_rate(requests.collect(), rate, CONNECTIONS).await?;
        if let Some(strange) = round.answers.iter().find(|answer| answer.status >= 400) {
            return Err(format!("at {rate:.0}/s one was answered {}", strange.status).into());
        }
        let mut times: Vec<Duration> = round.answers.iter().map(|answer| answer.took).collect();
        let p99 = percentile(&mut times, 0.99);
        report.figure(format!("story mix at {rate:.0}/s: p50"), percentile(&mut times, 0.5), "ms");
        report.figure(format!("story mix at {rate:.0}/s: p99"), p99, "ms");
        if p99 > PATIENCE_MS || round.rate() < KEPT * rate {
            report.figure(format!("story mix at {rate:.0}/s: answered"), round.rate(), "/s");
            break;
        }
        knee = rate;
        rate *= STEP;
    }
    report.at_least("story mix: highest rate kept, p99 under 500 ms (the knee)", knee, "/s", 100.0);
    Ok(())
}

fn bookings(bench: &Bench, wishes: &[Wish]) -> Result<Vec<Vec<u8>>, StartError> {
    let tokens = tokens_of(bench, wishes)?;
    Ok(wishes.iter().map(|wish| wish.http(&tokens[&wish.account])).collect())
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count")]
fn whole(requests: f64) -> usize {
    (requests as usize).max(MIX)
}
