//! PostgreSQL as the queue: the deliveries that the outbox was fanned out to.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};
use store::shared::{CLAIM_DELIVERY, DEAD_DELIVERIES, RENEW_DELIVERY, REPLAY_DELIVERY, SETTLE_DELIVERY};
use store::{Db, DbError, Query as _, params};
use uuid::Uuid;

use super::{Message, Queue, QueueError, Settlement};
use crate::clock::Clock;
use crate::events::Event;

/// The deliveries of every consumer.
pub struct Outbox {
    db: Arc<dyn Db>,
    clock: Arc<Clock>,
}

#[derive(Deserialize)]
struct Claimed {
    id: i64,
    consumer: String,
    attempts: u32,
    first_attempt_at: Timestamp,
    event: Event,
}

impl Outbox {
    /// In that database, by that clock.
    pub fn new(db: Arc<dyn Db>, clock: Arc<Clock>) -> Self {
        Self { db, clock }
    }
}

impl Queue for Outbox {
    fn receive(&self, most: usize, lease: SignedDuration) -> BoxFuture<'_, Result<Vec<Message>, QueueError>> {
        Box::pin(async move {
            let (receipt, now) = (Uuid::now_v7(), self.now());
            let most = i64::try_from(most).unwrap_or(i64::MAX);
            let rows = self.db.many(&CLAIM_DELIVERY, params![receipt, now, now + lease, most]).await?;
            let messages = rows.into_iter().map(|row| {
                let claimed: Claimed =
                    serde_json::from_value(row).map_err(|_| DbError::Bug("row of claim_delivery".into()))?;
                Ok(Message {
                    id: claimed.id.to_string(),
                    receipt: receipt.to_string(),
                    consumer: claimed.consumer,
                    attempts: claimed.attempts,
                    first_attempt_at: claimed.first_attempt_at,
                    event: Some(claimed.event),
                    unreadable: None,
                })
            });
            messages.collect()
        })
    }

    fn renew<'a>(&'a self, messages: &'a [Message], lease: SignedDuration) -> BoxFuture<'a, Result<(), QueueError>> {
        Box::pin(async move {
            for receipt in receipts(messages.iter()) {
                self.db.one(&RENEW_DELIVERY, params![receipt, self.now() + lease]).await?;
            }
            Ok(())
        })
    }

    fn settle(&self, settled: Vec<(Message, Settlement)>) -> BoxFuture<'_, Result<(), QueueError>> {
        Box::pin(async move {
            for receipt in receipts(settled.iter().map(|(message, _)| message)) {
                let of_lease = settled.iter().filter(|(message, _)| message.receipt == receipt.to_string());
                let outcomes: Vec<Value> = of_lease.map(|(message, outcome)| row(message, outcome)).collect();
                self.db.one(&SETTLE_DELIVERY, params![receipt, self.now(), Value::Array(outcomes)]).await?;
            }
            Ok(())
        })
    }

    fn dead(&self, most: usize) -> BoxFuture<'_, Result<Vec<Value>, QueueError>> {
        Box::pin(async move {
            let most = i64::try_from(most).unwrap_or(i64::MAX);
            Ok(self.db.many(&DEAD_DELIVERIES, params![most]).await?)
        })
    }

    fn redrive<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<bool, QueueError>> {
        Box::pin(async move {
            let Ok(id) = id.parse::<i64>() else { return Ok(false) };
            Ok(self.db.optional(&REPLAY_DELIVERY, params![id, self.now()]).await?.is_some())
        })
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }
}

/// The leases of some messages: one for each batch they were taken in.
fn receipts<'a>(messages: impl Iterator<Item = &'a Message>) -> Vec<Uuid> {
    let mut receipts: Vec<Uuid> = messages.filter_map(|message| message.receipt.parse().ok()).collect();
    receipts.sort_unstable();
    receipts.dedup();
    receipts
}

/// As the settling statement reads it.
fn row(message: &Message, outcome: &Settlement) -> Value {
    let id: Option<i64> = message.id.parse().ok();
    match outcome {
        Settlement::Done => json!({"id": id, "state": "done"}),
        Settlement::Later(at) => {
            json!({"id": id, "state": "waiting", "next_attempt_at": at, "error": "to be tried again"})
        }
        Settlement::Dead(why) => json!({"id": id, "state": "dead", "error": why}),
    }
}
