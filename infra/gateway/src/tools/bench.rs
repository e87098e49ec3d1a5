//! `just bench practitioners=10000 appointments=1000000 seconds=3`: the measures, in one run, as a table and a line of
//! JSON. Functions run as processes of their own; the load comes from one thread of this one.

mod access;
mod audit;
mod booking;
mod documents;
mod exchange;
mod knee;
mod load;
mod notices;
mod pgbench;
mod report;
mod runtimes;
mod rush;
mod searching;
mod server;
mod spin;
mod starting;
mod webhooks;
mod wishes;

use std::time::Instant;

use runtime::config::Config;
use runtime::host::StartError;
use sqlx::PgPool;
use store::pg::Pg;

use self::report::Report;
use super::argument;
use crate::{dev, fixtures, generate, private_database, serve};

/// What a measure works with.
struct Bench {
    config: Config,
    pool: PgPool,
    /// Length of one round, in seconds.
    seconds: f64,
}

/// Prepares the data, measures, reports.
pub(super) async fn run(arguments: &[String], mut config: Config) -> Result<(), StartError> {
    let practitioners = argument(arguments, "practitioners")?.unwrap_or(10_000);
    let appointments = argument(arguments, "appointments")?.unwrap_or(1_000_000);
    let seconds = argument(arguments, "seconds")?.unwrap_or(3.0);
    let only: Option<String> = argument(arguments, "only")?;
    // Apart from a developer's own data; durable all the same, or the figures would mean nothing.
    config.state = config.state.join("bench");
    let private = private_database(&mut config)?;
    if let (Some(private), Some("runtimes")) = (&private, only.as_deref()) {
        config.database_url = Some(format!("postgres://carnet@{}/carnet?sslmode=disable", private.by_tcp().await?));
    }
    dev::keys::provide(&mut config)?;
    let pool = super::pool(&config).await?;
    let mut report = Report::default();
    seed(&config, &pool, practitioners, appointments, &mut report).await?;

    let bench = Bench { config, pool, seconds };
    let wanted = |name: &str| only.as_deref().is_none_or(|only| only == name);
    if wanted("start") {
        starting::measure(&bench, &mut report).await?;
    }
    if wanted("search") {
        searching::measure(&bench, &mut report).await?;
    }
    if wanted("booking") {
        booking::measure(&bench, &mut report).await?;
    }
    if wanted("rush") {
        rush::measure(&bench, &mut report).await?;
    }
    // Each is a run of its own.
    if only.as_deref() == Some("load") {
        knee::measure(&bench, &mut report).await?;
    }
    if only.as_deref() == Some("runtimes") {
        runtimes::measure(&bench, &mut report).await?;
    }
    if only.as_deref() == Some("documents") {
        documents::measure(&bench, &mut report).await?;
    }
    if only.as_deref() == Some("notices") {
        webhooks::measure(&bench, &mut report).await?;
        notices::measure(&bench, argument(arguments, "notices")?.unwrap_or(100_000), &mut report).await?;
    }
    if only.as_deref() == Some("exchange") {
        let size = exchange::Size {
            mailboxes: argument(arguments, "mailboxes")?.unwrap_or(1_000),
            events: argument(arguments, "events")?.unwrap_or(500),
            probes: argument(arguments, "probes")?.unwrap_or(100),
            pause: argument(arguments, "pause")?.unwrap_or(0),
        };
        exchange::measure(&bench, &size, &mut report).await?;
    }
    if wanted("access") {
        access::measure(&bench, &mut report).await?;
    }
    if wanted("audit") {
        audit::measure(&bench, argument(arguments, "audit")?.unwrap_or(1_000_000), &mut report).await?;
    }
    report.print();
    Ok(())
}

/// Brings the data up to what is asked for, and says how long that took.
async fn seed(
    config: &Config, pool: &PgPool, practitioners: u32, appointments: u32, report: &mut Report,
) -> Result<(), StartError> {
    let pg = Pg::lazy(config.database_url.as_deref().unwrap_or_default(), 4)?;
    let gateway = serve::gateway(config, std::sync::Arc::new(pg.clone()), std::sync::Arc::default(), None)?;
    pg.migrate().await.map_err(|error| {
        format!("{error}. The data of an earlier schema? Remove {} and start again.", config.state.display())
    })?;
    fixtures::load_with(&pg, &gateway.ctx).await?;
    let began = Instant::now();
    let now = gateway.ctx.now().to_string();
    let quiet = |_: &str, _: u64, _: u64| {};
    let added = generate::generate(pool, practitioners, appointments, &now, &quiet).await?;
    if added.practitioners > 0 {
        report.under(
            format!("generating {} appointments", added.appointments),
            began.elapsed().as_secs_f64(),
            "s",
            120.0,
        );
    }
    let counts = "select count(*), (select count(*) from practitioner) from appointment";
    let (appointments, practitioners): (i64, i64) = sqlx::query_as(counts).fetch_one(pool).await?;
    report.note("practitioners", practitioners);
    report.note("appointments", appointments);
    pg.close().await;
    Ok(())
}
