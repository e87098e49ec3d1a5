use std::time::{Duration, Instant};

use domain::ids::{EstablishmentId, ExchangeServerId, MailboxId};
use domain::sync::Rules;
use domain::{SignedDuration, Timestamp};
use exchange::engine::{Report, Run, Stopped};
use exchange::{Fault, Watch, Why};
use serde::Deserialize;
use serde_json::{Value, json};
use store::shared::{EXCHANGE_CLAIM, EXCHANGE_SETTLE};
use store::{DbError, Query as _, Statement, params};
use uuid::Uuid;

use super::ledger::Rows;
use super::settings::{Address, Opened, Settings, SettingsError};
use super::watching::watched;
use crate::Ctx;

/// How long a mailbox is ours: longer than any function that works on one may run, so that who was killed is never beside who comes after.
pub const LEASE: SignedDuration = SignedDuration::from_secs(330);
/// Nothing new is begun for one mailbox after so long; the rest is for the next turn.
pub const TURN: Duration = Duration::from_mins(1);
/// The same where an event waits, which is brought again after 30 s.
const TURN_OF_EVENT: Duration = Duration::from_secs(8);
/// How often a calendar is read that tells of no change by itself.
const POLL: SignedDuration = SignedDuration::from_mins(5);
/// How often one that does: what it tells may be lost.
const POLL_WATCHED: SignedDuration = SignedDuration::from_mins(15);
/// A calendar that did not answer is asked again after so long, and twice as long each time…
const FIRST_PAUSE: SignedDuration = SignedDuration::from_mins(1);
/// … up to so long.
const LONGEST_PAUSE: SignedDuration = SignedDuration::from_hours(1);
/// Where somebody has to do something first, it is not asked more often: a refused password locks accounts.
const REFUSED_PAUSE: SignedDuration = SignedDuration::from_mins(15);
/// What shrank so much that it is asked one by one is not read whole again at once.
const SHRUNK_PAUSE: SignedDuration = SignedDuration::from_mins(10);

/// A mailbox that is ours for a while.
#[derive(Debug, Deserialize)]
pub struct Claimed {
    /// Which.
    pub id: MailboxId,
    server: ExchangeServerId,
    wrapped_key: String,
    settings: String,
    address: String,
    state: String,
    wishes: i64,
    /// Whether it was claimed to read everything again.
    resync: bool,
    reads: bool,
    rules: Rules,
    establishment: EstablishmentId,
    time_zone: Option<String>,
    failures: u32,
    watch: Option<String>,
    watch_until: Option<Timestamp>,
}

impl Claimed {
    fn known_watch(&self) -> Option<Watch> {
        self.watch.clone().map(|id| Watch { id, until: self.watch_until })
    }
}

/// What a turn is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// To read and to write.
    Whole,
    /// To show a change of ours.
    Write,
}

/// How a turn ended.
#[derive(Debug, PartialEq, Eq)]
pub enum Turn {
    /// As it should.
    Done(Report),
    /// The calendar refused.
    Refused(Fault),
    /// Our own side was away, or the lease was over.
    Lost,
}

/// Takes a lease on mailboxes that are due; or on the one that is named, if nobody has it.
///
/// # Errors
/// [`DbError`].
pub async fn claim(ctx: &Ctx, lease: Uuid, most: i64, mailbox: Option<MailboxId>) -> Result<Vec<Claimed>, DbError> {
    let statement = Statement::<Claimed>::new(EXCHANGE_CLAIM.name, EXCHANGE_CLAIM.sql);
    let now = ctx.now();
    ctx.db.many(&statement, params![lease, now, now + LEASE, most, mailbox.map(MailboxId::as_uuid)]).await
}

/// One turn of a mailbox that is ours, and when it is due again.
///
/// # Errors
/// [`DbError`] when the end cannot be written down: the lease ends it.
pub async fn work(ctx: &Ctx, lease: Uuid, mailbox: &Claimed, mode: Mode) -> Result<Turn, DbError> {
    let began = Instant::now();
    let leaving = mailbox.state == "leaving";
    let reads = !leaving && (mode == Mode::Whole || mailbox.reads);
    let ledger = Rows { ctx, mailbox: mailbox.id, establishment: mailbox.establishment, lease };
    let longest = if mode == Mode::Whole { TURN } else { TURN_OF_EVENT };
    let over = || began.elapsed() > longest;
    let mut watch = None;
    let ended = match open(ctx, mailbox).await {
        Ok(opened) => {
            let run =
                Run { calendar: opened.calendar(), ledger: &ledger, now: ctx.now(), rules: mailbox.rules, over: &over };
            let ended = if reads { run.synchronise().await } else { run.write().await };
            if let (Opened::Graph(graph), Ok(report)) = (&opened, &ended) {
                let known = mailbox.known_watch();
                if reads && !report.more {
                    watch = watched(ctx, graph, mailbox.id, known).await;
                } else if let Some(known) = known.filter(|_| leaving && is_left(report)) {
                    // Where it stays it ends by itself, in three days.
                    drop(graph.unsubscribe(&known).await);
                }
            }
            ended
        }
        Err(fault) => Err(fault.into()),
    };
    let settled = settlement(mailbox, &ended, Reading { read: reads, leaving, watch }, ctx.now());
    let turn = match ended {
        Ok(report) => Turn::Done(report),
        Err(Stopped::Remote(fault)) => {
            tracing::warn!(mailbox = %mailbox.id, why = %fault.why, code = fault.code, "a calendar did not answer as it should");
            Turn::Refused(fault)
        }
        Err(Stopped::Ledger(error)) => {
            tracing::warn!(mailbox = %mailbox.id, %error, "the work on a calendar was broken off");
            Turn::Lost
        }
    };
    ctx.db.optional(&EXCHANGE_SETTLE, params![mailbox.id.as_uuid(), lease, ctx.now(), settled]).await?;
    Ok(turn)
}

async fn open(ctx: &Ctx, mailbox: &Claimed) -> Result<Opened, Fault> {
    let sealed = |_: SettingsError| Fault::new(Why::Unauthenticated, "the settings do not open");
    let settings =
        Settings::open(&ctx.keys, mailbox.server, &mailbox.wrapped_key, &mailbox.settings).await.map_err(sealed)?;
    let address = Address::open(&ctx.keys, mailbox.server, &mailbox.wrapped_key, mailbox.id, &mailbox.address).await;
    let address = address.map_err(|error| sealed(error.into()))?;
    ctx.exchange.open(&settings, &address, mailbox.time_zone.as_deref().unwrap_or("Europe/Paris")).await
}

/// What a turn was.
struct Reading {
    read: bool,
    leaving: bool,
    /// The watch to keep.
    watch: Option<Value>,
}

/// Whether nothing of ours is there any more.
const fn is_left(report: &Report) -> bool {
    !report.more && report.failed == 0
}

/// How it ended, and when the mailbox is due again.
fn settlement(mailbox: &Claimed, ended: &Result<Report, Stopped>, turn: Reading, now: Timestamp) -> Value {
    let Reading { read, leaving, watch } = turn;
    match ended {
        Ok(report) => {
            let wait = match report {
                Report { more: true, .. } => SignedDuration::ZERO,
                Report { shrunk: true, .. } => SHRUNK_PAUSE,
                _ if watch.is_some() || mailbox.watch_until.is_some_and(|until| until > now) => POLL_WATCHED,
                _ => POLL,
            };
            // What was only written is read when it would have been.
            let read_at = (read || leaving).then(|| now + wait);
            let left = leaving && is_left(report);
            json!({"read_at": read_at, "write_at": report.more.then_some(now), "wishes": mailbox.wishes, "resync": mailbox.resync, "read": read && !report.more,
                   "report": told(report), "left": left, "watch": watch})
        }
        Err(Stopped::Remote(fault)) => {
            let at = now + pause(mailbox.failures, fault);
            json!({"read_at": at, "write_at": at, "rests_until": at, "wishes": mailbox.wishes, "resync": mailbox.resync, "read": false,
                   "fault": word(fault.why), "code": fault.code, "left": false})
        }
        Err(Stopped::Ledger(_)) => {
            let at = now + FIRST_PAUSE;
            json!({"read_at": at, "write_at": at, "wishes": mailbox.wishes, "resync": mailbox.resync, "read": false, "fault": "ours", "left": false})
        }
    }
}

fn told(report: &Report) -> Value {
    json!({"read": report.read, "written": report.written, "blocks": report.blocks, "followed": report.followed, "failed": report.failed, "shrunk": report.shrunk})
}

/// As the staff's texts know it.
const fn word(why: Why) -> &'static str {
    match why {
        Why::Unauthenticated => "unauthenticated",
        Why::Forbidden => "forbidden",
        Why::NoMailbox => "no_mailbox",
        Why::Throttled => "throttled",
        Why::Refused | Why::Conflict | Why::Gone => "refused",
        Why::Malformed => "malformed",
        Why::Unavailable | Why::CursorLost | Why::NoWatch => "unavailable",
    }
}

/// What the server asked for, and no less than what patience asks for.
fn pause(failures: u32, fault: &Fault) -> SignedDuration {
    let doubled = FIRST_PAUSE.checked_mul(1 << failures.min(6)).unwrap_or(LONGEST_PAUSE).min(LONGEST_PAUSE);
    let least = match fault.why {
        Why::Unauthenticated | Why::Forbidden | Why::NoMailbox | Why::Refused => REFUSED_PAUSE.max(doubled),
        _ => doubled,
    };
    let asked = fault.retry_after.and_then(|wait| SignedDuration::try_from(wait).ok()).unwrap_or(SignedDuration::ZERO);
    least.max(asked.min(SignedDuration::from_hours(24)))
}
