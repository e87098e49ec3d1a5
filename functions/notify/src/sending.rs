//! Sending what is due: decided once more, one message for the visits of a day, and written down as soon as it is done.

use std::collections::BTreeMap;
use std::time::Instant;

use domain::ids::NoticeId;
use domain::notice::{
    self, Decision, LETTER_TAKES, MOST_A_DAY, MOST_OWED_A_DAY, NoticeChannel, NoticeKind, NoticeState,
};
use domain::{Date, SignedDuration, Timestamp};
use futures_util::StreamExt as _;
use futures_util::future::join_all;
use futures_util::stream;
use runtime::{Ctx, Problem};
use serde::Deserialize;
use serde_json::{Value, json};
use store::{Query as _, Statement, params, statement};
use uuid::Uuid;

use crate::notice::{Notice, Settled};
use crate::way;

const CLAIM: Statement<Notice> = statement!("claim");
const ALLOW: Statement<Allowed> = statement!("allow");
const SETTLE: Statement<Value> = statement!("settle");

/// Twice [`runtime::mail::CONVERSATION`], and some; a sender killed in the middle delays its notices by no more.
const LEASE: SignedDuration = SignedDuration::from_secs(90);
/// How many batches are under way at once in a process.
const AT_ONCE: usize = 4;
/// How many notices one statement takes: with their fellows of the day, all are begun well before the lease ends.
const BATCH: i64 = 48;
/// How many messages of a batch are on their way at once.
const ON_THEIR_WAY: usize = 8;
/// How many are written down at once at most. A sender killed in the middle has sent no more than these and those on their
/// way without saying so: they are sent again, under the same `Message-ID`.
const WRITTEN_AT_ONCE: usize = 16;
/// Soonest next try: the end of a visit's usefulness must not make a storm.
const SOONEST: SignedDuration = SignedDuration::from_secs(15);

#[derive(Debug, Deserialize)]
struct Allowed {
    allowed: Vec<NoticeId>,
}

/// Notices to one person that are told in one message: one, or reminders of visits of one day, the first one first.
pub(crate) struct Message(Vec<Notice>);

impl Message {
    /// Never empty.
    pub(crate) fn notices(&self) -> &[Notice] {
        &self.0
    }
}

/// Sends what is due of an event, or of all, until then; what is left comes with the next tick.
///
/// # Errors
/// When the database does not answer.
pub(crate) async fn due(ctx: &Ctx, event: Option<Uuid>, until: Instant) -> Result<(), Problem> {
    let workers = if event.is_some() { 1 } else { AT_ONCE };
    let ended = join_all((0..workers).map(|_| work(ctx, event, until))).await;
    ended.into_iter().collect()
}

async fn work(ctx: &Ctx, event: Option<Uuid>, until: Instant) -> Result<(), Problem> {
    while Instant::now() < until {
        let (now, lease) = (ctx.now(), Uuid::now_v7());
        let claimed = ctx.db.many(&CLAIM, params![event, lease, now, now + LEASE, BATCH]).await?;
        // Where nothing gets through, the rest is left alone until the next tick.
        if claimed.is_empty() || !batch(ctx, lease, claimed, now).await? {
            break;
        }
    }
    Ok(())
}

/// Whether anything got through, or nothing was tried.
async fn batch(ctx: &Ctx, lease: Uuid, claimed: Vec<Notice>, now: Timestamp) -> Result<bool, Problem> {
    let (mut settled, wanted) = judged(claimed, now);
    let (allowed, refused) = allowed(ctx, wanted, now).await?;
    settled.extend(refused);
    write_down(ctx, lease, settled).await?;
    if allowed.is_empty() {
        return Ok(true);
    }
    let sent = stream::iter(allowed.into_iter().map(|message| sent(ctx, message))).buffer_unordered(ON_THEIR_WAY);
    let mut sent = std::pin::pin!(sent.ready_chunks(WRITTEN_AT_ONCE));
    let mut through = false;
    while let Some(ended) = sent.next().await {
        let ended: Vec<Settled> = ended.into_iter().flatten().collect();
        through |= ended.iter().any(|it| it.state != NoticeState::Planned);
        write_down(ctx, lease, ended).await?;
    }
    Ok(through)
}

async fn write_down(ctx: &Ctx, lease: Uuid, settled: Vec<Settled>) -> Result<(), Problem> {
    if !settled.is_empty() {
        ctx.db.one(&SETTLE, params![lease, ctx.now(), json!(settled), LETTER_TAKES.as_mins()]).await?;
    }
    Ok(())
}

/// Whom, how, of which day; and which notice, of those that go alone.
type Together = (Uuid, NoticeChannel, Option<Date>, Option<Uuid>);

/// What is decided without sending, and the messages that are to be sent.
fn judged(claimed: Vec<Notice>, now: Timestamp) -> (Vec<Settled>, Vec<Message>) {
    let mut settled = Vec::new();
    let mut messages: BTreeMap<Together, Vec<Notice>> = BTreeMap::new();
    for notice in claimed.into_iter().map(Notice::with_told_time) {
        match notice.decide(now) {
            Decision::Skip(why) => settled.push(notice.settled(NoticeState::Skipped, Some(why.into()))),
            Decision::Later(at, why) => {
                let later = notice.settled(NoticeState::Planned, Some(why.into()));
                settled.push(Settled { send_at: Some(at), deferred: true, ..later });
            }
            Decision::Send => {
                if let Some(why) = notice.hopeless(now) {
                    settled.push(notice.settled(NoticeState::Failed, Some(why.into())));
                    continue;
                }
                // Reminders of a day go together; everything else alone.
                let alone = (notice.kind != NoticeKind::Reminder).then(|| notice.id.as_uuid());
                let of = (notice.recipient, notice.channel, notice.day, alone);
                messages.entry(of).or_default().push(notice);
            }
        }
    }
    let in_order = |mut notices: Vec<Notice>| {
        notices.sort_by_key(|notice| (notice.useful_until(), notice.id.as_uuid()));
        Message(notices)
    };
    (settled, messages.into_values().map(in_order).collect())
}

/// The messages that their recipients may still be sent today, and what becomes of the others. One that was tried before has
/// been counted.
async fn allowed(ctx: &Ctx, messages: Vec<Message>, now: Timestamp) -> Result<(Vec<Message>, Vec<Settled>), Problem> {
    let first = |message: &Message| message.0.iter().all(|notice| notice.attempts <= 1);
    let asked: Vec<Value> = messages
        .iter()
        .filter(|message| first(message))
        .filter_map(|message| message.0.first())
        .map(|notice| {
            json!({"id": notice.id, "recipient": notice.recipient, "day": notice.today(now), "owed": notice.kind.is_owed()})
        })
        .collect();
    if asked.is_empty() {
        return Ok((messages, vec![]));
    }
    let Allowed { allowed } = ctx.db.one(&ALLOW, params![Value::Array(asked), MOST_A_DAY, MOST_OWED_A_DAY]).await?;
    let (mut passed, mut refused) = (Vec::new(), Vec::new());
    for message in messages {
        if !first(&message) || message.0.first().is_some_and(|notice| allowed.contains(&notice.id)) {
            passed.push(message);
        } else {
            let why = || Some("too many on one day".to_owned());
            refused.extend(message.0.iter().map(|notice| notice.settled(NoticeState::Skipped, why())));
        }
    }
    Ok((passed, refused))
}

/// Sends one message; how that ended, for each of its notices.
async fn sent(ctx: &Ctx, message: Message) -> Vec<Settled> {
    let ended = way::send(ctx, &message).await;
    let now = ctx.now();
    let lead = message.0.first().map(|notice| notice.id);
    let each = message.0.iter().map(|notice| {
        let first = lead == Some(notice.id);
        match &ended {
            Ok(sent) => Settled {
                told_in: lead.filter(|_| !first),
                provider: sent.provider,
                reference: sent.reference.clone().filter(|_| first),
                segments: sent.segments.filter(|_| first),
                cost_microeur: sent.cost_microeur.filter(|_| first),
                to_lookup: sent.to_lookup.clone(),
                ..notice.settled(NoticeState::Sent, None)
            },
            Err(way::NotSent::Never(why)) => notice.settled(NoticeState::Failed, Some(why.clone())),
            Err(way::NotSent::Later(why)) => Settled {
                send_at: Some(next_try(notice, now, rand::random_range(0..=1000))),
                ..notice.settled(NoticeState::Planned, Some(why.clone()))
            },
        }
    });
    each.collect()
}

/// The pause grows, but while a visit comes near there is always time for another try.
fn next_try(notice: &Notice, now: Timestamp, jitter: u16) -> Timestamp {
    let pause = notice::pause(notice.attempts, jitter);
    let half = notice.useful_until().map(|until| until.duration_since(now) / 2);
    now + half.map_or(pause, |half| pause.min(half)).max(SOONEST)
}
