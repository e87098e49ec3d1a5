//! Sending what is due: decided once more, one message for the visits of a day, and written down as soon as it is done.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::time::{Duration, Instant};

use domain::ids::NoticeId;
use domain::notice::{
    self, Decision, LETTER_TAKES, MOST_A_DAY, MOST_OWED_A_DAY, MOST_TO_A_PRACTITIONER, NoticeChannel, NoticeKind,
    NoticeState,
};
use domain::{Date, SignedDuration, Timestamp};
use futures_channel::mpsc;
use futures_util::StreamExt as _;
use futures_util::future::{join, join_all};
use futures_util::stream;
use runtime::{Ctx, Problem, pace};
use serde::Deserialize;
use serde_json::{Value, json};
use store::{Query as _, Statement, params, statement};
use uuid::Uuid;

use crate::notice::{Notice, Recipient, Settled};
use crate::way;

const CLAIM: Statement<Notice> = statement!("claim");
const ALLOW: Statement<Allowed> = statement!("allow");
const SETTLE: Statement<Value> = statement!("settle");

/// A message is begun within [`STALE`] of the claim and ends within [`runtime::mail::CONVERSATION`]; a sender killed in the middle
/// delays its notices by no more.
const LEASE: SignedDuration = SignedDuration::from_secs(90);
/// What is not on its way so soon after it was decided is given back, and decided anew: the visit may be cancelled by then.
const STALE: Duration = Duration::from_secs(5);
/// How many of a batch are written down by one statement at most, and as many wait for the next one. A sender killed in the middle
/// has sent no more than these and those on their way without saying so: they are sent again, under the same `Message-ID`.
const WRITTEN_AT_ONCE: usize = 16;
/// The pauses between tries to write down what was sent.
const WRITE_PAUSES: [Duration; 2] = [Duration::from_millis(500), Duration::from_secs(2)];
/// Soonest next try: the end of a visit's usefulness must not make a storm.
const SOONEST: SignedDuration = SignedDuration::from_secs(15);

/// What is sent beside what: a channel that is away keeps no other waiting.
struct Lane {
    /// Every one, for what is due of an event.
    channel: Option<NoticeChannel>,
    /// How many batches are under way at once in a process.
    at_once: usize,
    /// How many messages of a batch are on their way at once.
    on_their_way: usize,
}

const LANES: [Lane; 3] = [
    // Together as many as there are connections to the relay, `runtime::mail::SMTP_CONNECTIONS`.
    Lane { channel: Some(NoticeChannel::Email), at_once: 4, on_their_way: 4 },
    Lane { channel: Some(NoticeChannel::Sms), at_once: 2, on_their_way: 8 },
    Lane { channel: Some(NoticeChannel::Push), at_once: 2, on_their_way: 8 },
];
const OF_AN_EVENT: [Lane; 1] = [Lane { channel: None, at_once: 1, on_their_way: 8 }];

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

/// Sends what is due of an event, or of all; no message is begun after `until`. What is left comes with the next tick.
///
/// # Errors
/// When the database does not answer.
pub(crate) async fn due(ctx: &Ctx, event: Option<Uuid>, until: Instant) -> Result<(), Problem> {
    let lanes = if event.is_some() { &OF_AN_EVENT[..] } else { &LANES };
    let workers = lanes.iter().flat_map(|lane| (0..lane.at_once).map(move |_| work(ctx, event, lane, until)));
    join_all(workers).await.into_iter().collect()
}

async fn work(ctx: &Ctx, event: Option<Uuid>, lane: &Lane, until: Instant) -> Result<(), Problem> {
    while Instant::now() < until {
        let (now, lease) = (ctx.now(), Uuid::now_v7());
        let begun_by = until.min(Instant::now() + STALE);
        let channel = lane.channel.map(NoticeChannel::name);
        let claimed = ctx.db.many(&CLAIM, params![event, lease, now, now + LEASE, channel]).await?;
        // Where nothing gets through, the rest is left alone until the next tick.
        if claimed.is_empty() || !batch(ctx, lease, claimed, now, lane, begun_by).await? {
            break;
        }
    }
    Ok(())
}

/// Whether anything got through, or nothing was tried.
async fn batch(
    ctx: &Ctx, lease: Uuid, claimed: Vec<Notice>, now: Timestamp, lane: &Lane, begun_by: Instant,
) -> Result<bool, Problem> {
    let (mut settled, wanted) = judged(claimed, now);
    let (allowed, refused) = allowed(ctx, wanted, now).await?;
    settled.extend(refused);
    write_down(ctx, lease, settled).await?;
    if allowed.is_empty() {
        return Ok(true);
    }
    // While some are written down others go on their way, until as many wait to be written down as one statement takes.
    let (mut ended, unsaid) = mpsc::channel(WRITTEN_AT_ONCE);
    let sending = async move {
        let mut sent =
            stream::iter(allowed).map(|message| sent(ctx, message, begun_by)).buffer_unordered(lane.on_their_way);
        while let Some(settled) = sent.next().await {
            for one in settled {
                // Whoever writes down takes what comes until the end.
                if poll_fn(|task| ended.poll_ready(task)).await.is_ok() {
                    let _ = ended.start_send(one);
                }
            }
        }
    };
    let writing = async move {
        let (mut ended, mut all) = (unsaid.ready_chunks(WRITTEN_AT_ONCE), Ok(false));
        // What cannot be written down is no reason to break off what is on its way.
        while let Some(ended) = ended.next().await {
            let through = ended.iter().any(|it| it.state != NoticeState::Planned);
            let written = write_down(ctx, lease, ended).await;
            all = all.and_then(|before| written.map(|()| before || through));
        }
        all
    };
    join(sending, writing).await.1
}

/// Tries again before it gives up: what went out unsaid goes out twice.
async fn write_down(ctx: &Ctx, lease: Uuid, settled: Vec<Settled>) -> Result<(), Problem> {
    if settled.is_empty() {
        return Ok(());
    }
    let settled = json!(settled);
    let mut pauses = WRITE_PAUSES.into_iter();
    loop {
        let written = ctx.db.one(&SETTLE, params![lease, ctx.now(), settled.clone(), LETTER_TAKES.as_mins()]).await;
        match (written, pauses.next()) {
            (Ok(_), _) => return Ok(()),
            (Err(_), Some(pause)) => pace::sleep(pause).await,
            (Err(error), None) => return Err(error.into()),
        }
    }
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
        notices.sort_by_key(|notice| (notice.useful_until(), notice.visit(), notice.step, notice.id.as_uuid()));
        let mut told: Vec<Notice> = Vec::with_capacity(notices.len());
        for notice in notices {
            // Two reminders of one visit that a night brought together.
            if notice.visit().is_some() && told.last().is_some_and(|before| before.visit() == notice.visit()) {
                settled.push(notice.settled(NoticeState::Skipped, Some("a nearer reminder is due".into())));
            } else {
                told.push(notice);
            }
        }
        Message(told)
    };
    let messages = messages.into_values().map(in_order).collect();
    (settled, messages)
}

/// The messages that their recipients may still be sent today, and what becomes of the others. One that was counted at an earlier
/// try is not counted again.
async fn allowed(ctx: &Ctx, messages: Vec<Message>, now: Timestamp) -> Result<(Vec<Message>, Vec<Settled>), Problem> {
    let counted = |message: &Message| message.0.iter().any(|notice| notice.counted);
    let asked: Vec<Value> = messages
        .iter()
        .filter(|message| !counted(message))
        .filter_map(|message| message.0.first())
        .map(|notice| {
            let owed = notice.kind.is_owed();
            let most = match notice.recipient_kind {
                Recipient::Practitioner => MOST_TO_A_PRACTITIONER,
                Recipient::Account if owed => MOST_OWED_A_DAY,
                Recipient::Account => MOST_A_DAY,
            };
            json!({"id": notice.id, "recipient": notice.recipient, "day": notice.today(now), "owed": owed, "most": most})
        })
        .collect();
    if asked.is_empty() {
        return Ok((messages, vec![]));
    }
    let Allowed { allowed } = ctx.db.one(&ALLOW, params![Value::Array(asked), MOST_A_DAY, MOST_OWED_A_DAY]).await?;
    let (mut passed, mut refused) = (Vec::new(), Vec::new());
    for message in messages {
        if counted(&message) || message.0.first().is_some_and(|notice| allowed.contains(&notice.id)) {
            passed.push(message);
        } else {
            let why = || Some("too many on one day".to_owned());
            refused.extend(message.0.iter().map(|notice| notice.settled(NoticeState::Skipped, why())));
        }
    }
    Ok((passed, refused))
}

/// Sends one message, if it is not too late for that; how it ended, for each of its notices.
async fn sent(ctx: &Ctx, message: Message, begun_by: Instant) -> Vec<Settled> {
    let now = ctx.now();
    let too_late = Instant::now() >= begun_by;
    if too_late || message.0.iter().any(|notice| notice.useful_until().is_some_and(|until| until <= now)) {
        let given_back =
            |notice: &Notice| Settled { deferred: true, ..counted(notice.settled(NoticeState::Planned, None)) };
        return message.0.iter().map(given_back).collect();
    }
    let ended = way::send(ctx, &message).await;
    let now = ctx.now();
    let lead = message.0.first().map(|notice| notice.id);
    let each = message.0.iter().map(|notice| {
        let first = lead == Some(notice.id);
        counted(match &ended {
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
                elsewhere: notice.has_waited(now),
                ..notice.settled(NoticeState::Planned, Some(why.clone()))
            },
        })
    });
    each.collect()
}

fn counted(settled: Settled) -> Settled {
    Settled { counted: true, ..settled }
}

/// The pause grows, but while a visit comes near there is always time for another try.
fn next_try(notice: &Notice, now: Timestamp, jitter: u16) -> Timestamp {
    let pause = notice::pause(notice.attempts, jitter);
    let half = notice.useful_until().map(|until| until.duration_since(now) / 2);
    now + half.map_or(pause, |half| pause.min(half)).max(SOONEST)
}
