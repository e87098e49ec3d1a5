//! Notices: planning and sending as many reminders as are due at one minute, to a relay that takes everything; beside that relay's own
//! rate with a client that does nothing but speak SMTP.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::http::{Method, StatusCode};
use domain::ids::{AccountId, PatientId};
use domain::{SignedDuration, Timestamp};
use futures_util::future::try_join_all;
use runtime::clock::Clock;
use runtime::host::StartError;
use runtime::keys::Keys;
use runtime::people::Contact;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use uuid::Uuid;

use super::Bench;
use super::report::Report;
use super::server::Server;
use crate::tools::client::Client;

const DUE: &str = include_str!("../../../sql/bench/due.sql");
/// People written by one statement.
const ROWS: usize = 2_000;
/// Connections of the client that is nothing else: as many as notify has.
const CONNECTIONS: usize = 4;
/// Mails of that client.
const RAW: usize = 40_000;
/// How long before it is due everything is planned: that takes less.
const AHEAD: SignedDuration = SignedDuration::from_secs(90);
const DAY: SignedDuration = SignedDuration::from_hours(24);
const GLANCE: Duration = Duration::from_millis(100);

/// A relay that takes everything and keeps when.
#[derive(Default)]
struct Sink {
    taken: AtomicU64,
    /// Milliseconds since the epoch.
    times: Mutex<Vec<i64>>,
}

pub(super) async fn measure(bench: &Bench, count: usize, report: &mut Report) -> Result<(), StartError> {
    let sink = Arc::new(Sink::default());
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let relay = listener.local_addr()?.to_string();
    tokio::spawn(sink.clone().serve(listener));
    let raw = raw(&relay).await?;
    report.figure("relay alone, mails taken", raw, "/s");

    sqlx::query("update appointment set status = 'cancelled' where status = 'booked' and starts_at > now()")
        .execute(&bench.pool)
        .await?;
    let due = Clock::default().now() + AHEAD + seeding(count);
    people(bench, count, due + DAY).await?;
    let events = crate::lambda::free_port()?;
    let more =
        [("SMTP_URL", format!("smtp://{relay}")), ("EVENTS_PORT", events.to_string()), ("RUST_LOG", "warn".to_owned())];
    let notify = Server::ready_with("notify", &bench.config, &more)?;
    let idle = notify.resident_mib();
    let client = Client::new(&format!("http://127.0.0.1:{events}"));
    let began = Instant::now();
    while planned(bench).await? < count {
        tick(&client).await?;
    }
    report.figure(format!("planning {count} reminders"), rate(count, began.elapsed()), "/s");
    let now = Clock::default().now();
    if now < due {
        tokio::time::sleep(due.duration_since(now).unsigned_abs()).await;
    }
    sink.taken.store(0, Ordering::Relaxed);
    sink.times.lock().unwrap_or_else(PoisonError::into_inner).clear();
    let (began, mut most) = (Instant::now(), 0.0_f64);
    let sending = async {
        while sink.taken.load(Ordering::Relaxed) < count as u64 {
            tick(&client).await?;
        }
        Ok::<_, StartError>(began.elapsed())
    };
    let watching = async {
        loop {
            most = most.max(notify.resident_mib().unwrap_or_default());
            tokio::time::sleep(GLANCE).await;
        }
    };
    let elapsed = tokio::select! {
        elapsed = sending => elapsed?,
        () = watching => return Err("watching does not end".into()),
    };
    let sent = rate(count, elapsed);
    report.at_least(format!("sending {count} reminders due at one minute"), sent, "/s", (raw / 2.0).min(1000.0));
    report.figure("sending, to the relay alone", sent / raw, "");
    report.under("sending, resident above idle", most - idle.unwrap_or_default(), "MiB", 100.0);
    report.under("lateness, p99", sink.lateness(due, 0.99), "s", 60.0);
    report.figure("lateness, last", sink.lateness(due, 1.0), "s");
    let twice: i64 =
        sqlx::query_scalar("select count(*) from notice where kind = 'reminder' and attempts > 1 and state = 'sent'")
            .fetch_one(&bench.pool)
            .await?;
    report.note("sent at a second attempt", twice);
    Ok(())
}

/// So many in that time, a second.
#[expect(clippy::cast_precision_loss, reason = "counts here are far below 2^52")]
pub(super) fn rate(count: usize, elapsed: Duration) -> f64 {
    count as f64 / elapsed.as_secs_f64()
}

/// How long it takes to write so many people down, with room to spare.
fn seeding(count: usize) -> SignedDuration {
    SignedDuration::from_millis(i64::try_from(count).unwrap_or_default())
}

async fn tick(client: &Client) -> Result<(), StartError> {
    match client.send(Method::POST, "/_events/notify", None, None).await {
        Ok((StatusCode::NO_CONTENT, _)) => Ok(()),
        Ok((status, answer)) => Err(format!("the tick is answered {status}: {answer}").into()),
        Err(error) => Err(error.to_string().into()),
    }
}

async fn planned(bench: &Bench) -> Result<usize, StartError> {
    let planned: i64 = sqlx::query_scalar("select count(*) from notice where kind = 'reminder' and state = 'planned'")
        .fetch_one(&bench.pool)
        .await?;
    Ok(usize::try_from(planned)?)
}

/// People with a visit at that time.
async fn people(bench: &Bench, count: usize, starts_at: Timestamp) -> Result<(), StartError> {
    let keys = Keys::of(&bench.config)?;
    let now = Clock::default().now().to_string();
    let mut rows: Vec<Value> = Vec::with_capacity(ROWS);
    for number in 0..count {
        let (account, patient) = (AccountId::from_uuid(Uuid::now_v7()), PatientId::from_uuid(Uuid::now_v7()));
        let contact = Contact { email: format!("somebody-{number}@famille.example"), phone: None };
        let (account_key, contact) = contact.sealed(&keys, account).await?;
        let (patient_key, _) = keys.new_owner(patient).await?;
        rows.push(json!({"account": account, "account_key": account_key, "contact": contact, "patient": patient,
                         "patient_key": patient_key, "visit": Uuid::now_v7()}));
        if rows.len() == ROWS || number + 1 == count {
            let written = sqlx::query(DUE).bind(Value::Array(std::mem::take(&mut rows)));
            written.bind(starts_at.to_string()).bind(&now).execute(&bench.pool).await?;
        }
    }
    Ok(())
}

/// Mails a second of a client that writes what another mail was, and waits for each answer.
async fn raw(relay: &str) -> Result<f64, StartError> {
    let body = format!("Subject: x\r\n\r\n{}\r\n.\r\n", "Nous vous rappelons votre rendez-vous.\r\n".repeat(120));
    let began = Instant::now();
    try_join_all((0..CONNECTIONS).map(async |_| {
        let mut stream = BufReader::new(TcpStream::connect(relay).await?);
        stream.get_ref().set_nodelay(true)?;
        answered(&mut stream, "").await?;
        answered(&mut stream, "HELO bench.example\r\n").await?;
        for _ in 0..RAW / CONNECTIONS {
            for line in ["MAIL FROM:<a@carnet.example>\r\n", "RCPT TO:<b@famille.example>\r\n", "DATA\r\n", &body] {
                answered(&mut stream, line).await?;
            }
        }
        Ok::<_, std::io::Error>(())
    }))
    .await?;
    Ok(rate(RAW, began.elapsed()))
}

async fn answered(stream: &mut BufReader<TcpStream>, line: &str) -> std::io::Result<()> {
    stream.write_all(line.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_line(&mut answer).await?;
    if answer.starts_with(['2', '3']) { Ok(()) } else { Err(std::io::Error::other(answer)) }
}

impl Sink {
    async fn serve(self: Arc<Self>, listener: TcpListener) {
        while let Ok((stream, _)) = listener.accept().await {
            let sink = self.clone();
            // A client that breaks off is its own affair.
            tokio::spawn(async move { sink.take(stream).await.ok() });
        }
    }

    async fn take(&self, stream: TcpStream) -> std::io::Result<()> {
        stream.set_nodelay(true)?;
        let mut stream = BufReader::new(stream);
        stream.write_all(b"220 sink.example\r\n").await?;
        let (mut line, mut in_data) = (Vec::new(), false);
        loop {
            line.clear();
            if stream.read_until(b'\n', &mut line).await? == 0 {
                return Ok(());
            }
            let answer: &[u8] = match (&line[..], in_data) {
                (b".\r\n", true) => {
                    in_data = false;
                    self.taken.fetch_add(1, Ordering::Relaxed);
                    let now = Clock::default().now().as_millisecond();
                    self.times.lock().unwrap_or_else(PoisonError::into_inner).push(now);
                    b"250 OK\r\n"
                }
                (_, true) => continue,
                (line, false) if line.starts_with(b"DATA") => {
                    in_data = true;
                    b"354 go on\r\n"
                }
                _ => b"250 OK\r\n",
            };
            stream.write_all(answer).await?;
        }
    }

    /// Seconds after `due` in which that share had arrived.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a few minutes"
    )]
    fn lateness(&self, due: Timestamp, share: f64) -> f64 {
        let mut times = self.times.lock().unwrap_or_else(PoisonError::into_inner).clone();
        times.sort_unstable();
        let at = ((times.len() as f64 * share) as usize).min(times.len().saturating_sub(1));
        times.get(at).map_or(f64::INFINITY, |time| (*time - due.as_millisecond()) as f64 / 1000.0)
    }
}
