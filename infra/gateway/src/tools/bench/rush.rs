//! Two hundred people want one slot at one moment: one gets it, and nobody waits long to be told.

use std::time::Duration;

use runtime::clock::Clock;
use runtime::host::StartError;

use super::Bench;
use super::booking::tokens_of;
use super::load::{self, percentile};
use super::report::Report;
use super::server::Server;
use super::wishes::World;

const CROWD: usize = 200;
const ROUNDS: usize = 10;

/// The first round is for connections and caches.
pub(super) async fn measure(bench: &Bench, report: &mut Report) -> Result<(), StartError> {
    let clock = Clock::default();
    let mut world = World::new(bench, clock.now()).await?;
    let search = Server::ready("search", &bench.config)?;
    let book = Server::ready("book", &bench.config)?;
    let mut times: Vec<Duration> = Vec::new();
    for round in 0..=ROUNDS {
        let wishes = world.rush(CROWD, search.port, clock.now()).await?;
        let tokens = tokens_of(bench, &wishes)?;
        let requests = wishes.iter().map(|wish| wish.http(&tokens[&wish.account])).collect();
        let answers = load::run(book.port, requests, CROWD).await?.answers;
        let count = |status| answers.iter().filter(|answer| answer.status == status).count();
        if (count(201), count(409)) != (1, CROWD - 1) {
            return Err(format!("of {CROWD}, {} won and {} were refused", count(201), count(409)).into());
        }
        if round > 0 {
            times.extend(answers.iter().map(|answer| answer.took));
        }
    }
    report.figure("200 bookings of one slot at once: p50", percentile(&mut times, 0.5), "ms");
    report.under("200 bookings of one slot at once: p99", percentile(&mut times, 0.99), "ms", 250.0);
    Ok(())
}
