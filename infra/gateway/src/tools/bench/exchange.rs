//! Calendars of Exchange: mailboxes of both kinds read and written from nothing, then a little of what is in them changed; and how long a
//! change takes to where it is seen, in both directions.

mod fakes;
mod latency;

use std::time::{Duration, Instant};

use axum::http::{Method, StatusCode};
use domain::ids::{ExchangeServerId, MailboxId};
use runtime::clock::Clock;
use runtime::host::StartError;
use runtime::keys::Keys;
use runtime::mailboxes::{Address, EwsSignIn, Settings};
use serde_json::{Value, json};
use uuid::Uuid;

use self::fakes::{Fake, address};
use super::Bench;
use super::report::Report;
use super::server::Server;
use crate::tools::client::Client;

const MAILBOXES: &str = include_str!("../../../sql/bench/mailboxes.sql");
const CLEAR: &str = include_str!("../../../sql/bench/unmailboxed.sql");
/// Which share of the events changes.
const CHANGED: usize = 100;
/// How often memory is looked at.
const GLANCE: Duration = Duration::from_millis(100);
/// What the fake of EWS lets in.
const ACCOUNT: (&str, &str) = ("sync@clinic.example", "open sesame");
/// What Outlook does of one mailbox at once.
const AT_ONCE: f64 = 4.0;

/// How much of it there is.
pub(super) struct Size {
    /// Half of each kind.
    pub(super) mailboxes: usize,
    /// In each of them.
    pub(super) events: usize,
    /// Changes in each direction and of each kind whose way is timed.
    pub(super) probes: usize,
    /// How long an answer takes at least, in milliseconds.
    pub(super) pause: u64,
}

/// A mailbox and where it is.
struct Beside {
    mailbox: MailboxId,
    /// Which of the fakes.
    fake: usize,
    number: usize,
}

pub(super) async fn measure(bench: &Bench, size: &Size, report: &mut Report) -> Result<(), StartError> {
    let fakes = [Fake::start("graph", size.pause)?, Fake::start("ews", size.pause)?];
    for fake in &fakes {
        fake.fill(size.mailboxes / 2, size.events).await?;
    }
    sqlx::query(CLEAR).execute(&bench.pool).await?;
    let all = connect(bench, &fakes, size).await?;
    report.note("mailboxes", i64::try_from(all.len())?);
    report.note("events in each", i64::try_from(size.events)?);
    report.note("milliseconds that each answer takes at least", i64::try_from(size.pause)?);
    let more = way(&fakes);
    let events = crate::lambda::free_port()?;
    {
        let more = [&more[..], &[("EVENTS_PORT", events.to_string()), ("RUST_LOG", "warn".to_owned())]].concat();
        let server = Server::ready_with("sync-exchange", &bench.config, &more)?;
        let client = Client::new(&format!("http://127.0.0.1:{events}"));
        round(bench, &fakes, &server, &client, "first", report).await?;
        for fake in &fakes {
            fake.change(size.events.div_ceil(CHANGED)).await?;
        }
        sqlx::query("update exchange_mailbox set read_at = now()").execute(&bench.pool).await?;
        round(bench, &fakes, &server, &client, "1 % changed", report).await?;
    }
    latency::measure(bench, &fakes, &all, size.probes, &more, report).await?;
    sqlx::query(CLEAR).execute(&bench.pool).await?;
    Ok(())
}

/// How the product gets there.
fn way(fakes: &[Fake; 2]) -> Vec<(&'static str, String)> {
    let [graph, _] = fakes;
    vec![
        ("EXCHANGE_NETWORKS", "127.0.0.0/8".to_owned()),
        ("EXCHANGE_GRAPH_URL", format!("{}/v1.0", graph.base)),
        ("EXCHANGE_LOGIN_URL", graph.base.clone()),
    ]
}

/// Puts every mailbox of the fakes beside an agenda.
async fn connect(bench: &Bench, fakes: &[Fake; 2], size: &Size) -> Result<Vec<Beside>, StartError> {
    let keys = Keys::of(&bench.config)?;
    let (mut servers, mut rows, mut all) = (Vec::new(), Vec::new(), Vec::new());
    for (fake, one) in fakes.iter().enumerate() {
        let settings = settings(one);
        let server = ExchangeServerId::from_uuid(Uuid::now_v7());
        let (key, sealed) = settings.sealed(&keys, server).await.map_err(|error| error.to_string())?;
        servers.push(json!({"server": server, "kind": one.kind, "wrapped_key": key, "settings": sealed}));
        for number in 0..size.mailboxes / 2 {
            let mailbox = MailboxId::from_uuid(Uuid::now_v7());
            let sealed = Address::seal(&keys, server, &key, mailbox, &address(number)).await?;
            let lookup = format!("bench {fake} {number}");
            rows.push(json!({"mailbox": mailbox, "server": server, "address": sealed, "lookup": lookup}));
            all.push(Beside { mailbox, fake, number });
        }
    }
    let written = sqlx::query(MAILBOXES).bind(Value::Array(servers)).bind(Value::Array(rows));
    let written = written.bind(Clock::default().now().to_string()).execute(&bench.pool).await?;
    if written.rows_affected() != all.len() as u64 {
        return Err(format!("only {} mailboxes: more practitioners are wanted", written.rows_affected()).into());
    }
    Ok(all)
}

fn settings(fake: &Fake) -> Settings {
    let (user, password) = (ACCOUNT.0.to_owned(), ACCOUNT.1.to_owned());
    if fake.kind == "ews" {
        let url = format!("{}/EWS/Exchange.asmx", fake.base);
        Settings::Ews { url, user, password, sign_in: EwsSignIn::Basic, impersonation: true }
    } else {
        let (tenant, client) = ("mesure.example".to_owned(), "client".to_owned());
        Settings::Graph { tenant, client, secret: Some(password), certificate: None }
    }
}

/// Ticks until no mailbox is due, and what it took.
async fn round(
    bench: &Bench, fakes: &[Fake; 2], server: &Server, client: &Client, name: &str, report: &mut Report,
) -> Result<(), StartError> {
    for fake in fakes {
        fake.forget().await?;
    }
    let (began, idle, mut most) = (Instant::now(), server.resident_mib().unwrap_or_default(), 0.0_f64);
    let syncing = async {
        while due(bench).await? > 0 {
            tick(client).await?;
        }
        Ok::<_, StartError>(began.elapsed())
    };
    let watching = async {
        loop {
            most = most.max(server.resident_mib().unwrap_or_default());
            tokio::time::sleep(GLANCE).await;
        }
    };
    let elapsed = tokio::select! {
        elapsed = syncing => elapsed?,
        () = watching => return Err("watching does not end".into()),
    };
    report.figure(format!("{name}: seconds"), elapsed.as_secs_f64(), "s");
    report.under(format!("{name}: resident above idle, most"), most - idle, "MiB", 200.0);
    let (mailboxes, links, blocks) = there(bench).await?;
    report.figure(format!("{name}: mailboxes"), super::notices::rate(mailboxes, elapsed), "/s");
    report.note(format!("{name}: visits that are in calendars"), links);
    report.note(format!("{name}: times that are taken"), blocks);
    for fake in fakes {
        asked(fake, mailboxes / 2, name, report).await?;
    }
    Ok(())
}

/// How many mailboxes there are, visits that are in their calendars, and times that are taken by what is there.
async fn there(bench: &Bench) -> Result<(usize, i64, i64), StartError> {
    let counts = "select (select count(*) from exchange_mailbox), (select count(*) from exchange_link where remote_id is not null),
                         (select count(*) from exchange_block)";
    let (mailboxes, links, blocks): (i64, i64, i64) = sqlx::query_as(counts).fetch_one(&bench.pool).await?;
    Ok((usize::try_from(mailboxes)?, links, blocks))
}

/// What a fake was asked.
async fn asked(fake: &Fake, mailboxes: usize, name: &str, report: &mut Report) -> Result<(), StartError> {
    let asked = fake.asked().await?;
    report.figure(format!("{name}: requests a mailbox, {}", fake.kind), asked.requests / share(mailboxes), "");
    for (call, count) in asked.calls.as_object().into_iter().flatten() {
        report.note(format!("{name}: {} {call}", fake.kind), count.as_i64().unwrap_or_default());
    }
    let most = format!("{name}: under way in one mailbox at once, {}", fake.kind);
    report.under(most, asked.most_in_flight, "", AT_ONCE + 1.0);
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "counts here are far below 2^52")]
fn share(count: usize) -> f64 {
    count as f64
}

async fn due(bench: &Bench) -> Result<i64, StartError> {
    let due = "select count(*) from exchange_mailbox where least(read_at, write_at) <= now()";
    Ok(sqlx::query_scalar(due).fetch_one(&bench.pool).await?)
}

async fn tick(client: &Client) -> Result<(), StartError> {
    match client.send(Method::POST, "/_events/sync-exchange", None, None).await? {
        (StatusCode::OK, _) => Ok(()),
        (status, answer) => Err(format!("the tick is answered {status}: {answer}").into()),
    }
}
