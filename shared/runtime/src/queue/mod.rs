//! Where events wait for their consumers: PostgreSQL's own queue, or one of AWS and who speaks like it. Whoever empties one
//! does it by [`carry`], so that a lease, a pause, a dead letter mean the same in each.

mod outbox;
mod sqs;

use std::pin::pin;

use domain::notice::{GIVE_UP_AFTER, pause};
use futures_util::future::{BoxFuture, Either, join_all, select};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use store::DbError;
#[cfg(not(target_family = "wasm"))]
use tokio::sync::watch;

pub use outbox::Outbox;
pub use sqs::{Address, SCHEME, Sqs};

use crate::deliver::Deliver;
use crate::events::{Event, Verdict};
use crate::pace;

/// More tries than pauses fit into [`GIVE_UP_AFTER`]: an event that ends its consumer before it answers is given up, too.
pub const MOST_ATTEMPTS: u32 = 100;
/// How many deliveries are under way at once.
pub const BATCH: usize = 16;
/// How long a worker rests when its queue does not answer.
const REST_WHEN_DOWN: std::time::Duration = std::time::Duration::from_secs(2);

/// A queue that does not answer, or refuses.
#[derive(Debug, thiserror::Error)]
pub enum QueueError {
    /// PostgreSQL's own.
    #[error(transparent)]
    Database(#[from] DbError),
    /// That of a service.
    #[error("the queue: {0}")]
    Service(String),
}

/// An event on its way to one consumer, under a lease of ours.
#[derive(Debug, Clone)]
pub struct Message {
    /// Names it in its queue.
    pub id: String,
    /// Proves the lease.
    pub receipt: String,
    /// Whom it is for.
    pub consumer: String,
    /// How often it was taken, this time included.
    pub attempts: u32,
    /// When it was taken first.
    pub first_attempt_at: Timestamp,
    /// None where what lies in the queue is no event.
    pub event: Option<Event>,
    /// What lies there instead.
    pub unreadable: Option<String>,
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settlement {
    /// The consumer has it.
    Done,
    /// It comes again then.
    Later(Timestamp),
    /// Nobody tries again before an operator has looked.
    Dead(&'static str),
}

/// A queue of events with leases and dead letters.
pub trait Queue: Send + Sync {
    /// Takes up to `most` messages that are due; nobody else is given them for the length of `lease`.
    fn receive(&self, most: usize, lease: SignedDuration) -> BoxFuture<'_, Result<Vec<Message>, QueueError>>;
    /// Makes leases end only `lease` from now, while work goes on.
    fn renew<'a>(&'a self, messages: &'a [Message], lease: SignedDuration) -> BoxFuture<'a, Result<(), QueueError>>;
    /// Says how attempts ended. Of a lease that ran out meanwhile nothing is changed.
    fn settle(&self, settled: Vec<(Message, Settlement)>) -> BoxFuture<'_, Result<(), QueueError>>;
    /// Dead letters, with `id` and what is known of each.
    fn dead(&self, most: usize) -> BoxFuture<'_, Result<Vec<Value>, QueueError>>;
    /// Tries a dead letter again as if for the first time; false when there is none of that id.
    fn redrive<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<bool, QueueError>>;
    /// The time by which the queue's pauses are counted.
    fn now(&self) -> Timestamp;
}

/// Takes what is due, delivers it, renews the leases while that lasts, and says how it ended; how many there were.
///
/// # Errors
/// When the queue does not answer: what was delivered and not settled is delivered again, which consumers bear.
pub async fn carry(queue: &dyn Queue, deliver: &dyn Deliver, lease: SignedDuration) -> Result<usize, QueueError> {
    let messages = queue.receive(BATCH, lease).await?;
    deliver_all(queue, deliver, lease, messages).await
}

/// The second half of [`carry`].
async fn deliver_all(
    queue: &dyn Queue, deliver: &dyn Deliver, lease: SignedDuration, messages: Vec<Message>,
) -> Result<usize, QueueError> {
    if messages.is_empty() {
        return Ok(0);
    }
    let work = join_all(messages.iter().map(async |message| {
        let verdict = match &message.event {
            Some(event) if message.attempts <= MOST_ATTEMPTS => deliver.deliver(&message.consumer, event).await,
            _ => Verdict::Reject,
        };
        (message.clone(), settlement(message, verdict, queue.now(), rand::random_range(0..=1000)))
    }));
    let renewal = async {
        let third = std::time::Duration::try_from(lease / 3).unwrap_or(REST_WHEN_DOWN);
        loop {
            pace::sleep(third).await;
            if let Err(error) = queue.renew(&messages, lease).await {
                tracing::warn!(%error, "leases could not be renewed");
            }
        }
    };
    let settled = match select(pin!(work), pin!(renewal)).await {
        Either::Left((settled, _)) => settled,
        Either::Right(((), _)) => Vec::new(),
    };
    let count = settled.len();
    queue.settle(settled).await?;
    Ok(count)
}

/// Carries until told to stop; what is under way then is brought to its end, if that takes no longer than `drain`.
#[cfg(not(target_family = "wasm"))]
pub async fn work(
    queue: &dyn Queue, deliver: &dyn Deliver, lease: SignedDuration, drain: std::time::Duration,
    mut stop: watch::Receiver<bool>,
) {
    while !*stop.borrow() {
        let received = tokio::select! {
            received = queue.receive(BATCH, lease) => received,
            // Waiting for a poll would hold up the end; what it takes at this moment comes again when its lease ends.
            _ = stop.wait_for(|stop| *stop) => return,
        };
        let mut stopped = stop.clone();
        let late = async {
            // A sender that is gone means the same as told to stop.
            let _ = stopped.wait_for(|stop| *stop).await;
            tokio::time::sleep(drain).await;
        };
        let carried = match received {
            Ok(messages) => tokio::select! {
                carried = deliver_all(queue, deliver, lease, messages) => carried,
                () = late => return,
            },
            Err(error) => Err(error),
        };
        if let Err(error) = carried {
            tracing::error!(%error, "events are not carried");
            tokio::select! {
                () = tokio::time::sleep(REST_WHEN_DOWN) => {}
                _ = stop.wait_for(|stop| *stop) => return,
            }
        }
    }
}

fn settlement(message: &Message, verdict: Verdict, now: Timestamp, jitter: u16) -> Settlement {
    let old = now.duration_since(message.first_attempt_at) >= GIVE_UP_AFTER;
    match verdict {
        Verdict::Done => Settlement::Done,
        Verdict::Reject if message.event.is_none() => Settlement::Dead("no event"),
        Verdict::Reject if message.attempts > MOST_ATTEMPTS => Settlement::Dead("given up after too many tries"),
        Verdict::Reject => Settlement::Dead("rejected"),
        Verdict::Retry if old => Settlement::Dead("given up after 48 h"),
        Verdict::Retry => Settlement::Later(now + pause(message.attempts, jitter)),
    }
}
