//! Carry events from the outbox to their consumers.

use std::time::{Duration, Instant};

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use domain::notice::{GIVE_UP_AFTER, pause};
use domain::{SignedDuration, Timestamp};
use futures_util::future::join_all;
use runtime::events::{Event, Verdict};
use runtime::page::Page;
use runtime::{Ctx, Function, Kind, Problem, Segment};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::{Query as _, Statement, params, statement};
use utoipa_axum::router::OpenApiRouter;
use uuid::Uuid;

/// The function.
pub const FUNCTION: Function = Function {
    name: "deliver-outbox",
    manifest: include_str!("../function.yaml"),
    routes: OpenApiRouter::new,
    events: Some(router),
};

const FAN_OUT: Statement<Value> = statement!("fan_out");
const CLAIM: Statement<Claimed> = statement!("claim");
const SETTLE: Statement<Value> = statement!("settle");
const DEAD: Statement<Value> = statement!("dead");
const REPLAY: Statement<Value> = statement!("replay");

/// A lease outlives the longest delivery (30 s) by far, and a killed deliverer delays its events by no more.
const LEASE: SignedDuration = SignedDuration::from_secs(90);
/// No batch begins later in a run: the manifest allows 60 s, of which one delivery may take 30.
const RUN: Duration = Duration::from_secs(25);
/// How many deliveries are under way at once.
const BATCH: i64 = 16;
/// How many batches one run carries at most; the next run goes on.
const BATCHES: usize = 50;

fn router() -> Router<Ctx> {
    Router::new().route("/", post(deliver_outbox)).route("/dead", get(dead)).route("/dead/{id}/replay", post(replay))
}

#[derive(Debug, Deserialize)]
struct Claimed {
    id: i64,
    consumer: String,
    attempts: u32,
    first_attempt_at: Timestamp,
    event: Event,
}

/// Delivered to nobody, events would be marked as done.
#[derive(Debug, thiserror::Error)]
#[error("SUBSCRIPTIONS: nobody wants any event")]
struct NobodyListens;

/// What one run did.
#[derive(Debug, Default, Serialize)]
struct Delivered {
    delivered: usize,
}

async fn deliver_outbox(State(ctx): State<Ctx>) -> Result<Json<Delivered>, Problem> {
    if ctx.subscriptions.is_empty() {
        return Err(Problem::internal(NobodyListens));
    }
    let began = Instant::now();
    let subscriptions = serde_json::to_value(&ctx.subscriptions).map_err(Problem::internal)?;
    let mut run = Delivered::default();
    for _ in 0..BATCHES {
        // A batch that is cut off settles nothing, and what was done would be done again.
        if began.elapsed() > RUN {
            break;
        }
        ctx.db.one(&FAN_OUT, params![subscriptions.clone(), ctx.now(), 10 * BATCH]).await?;
        let lease = Uuid::now_v7();
        let now = ctx.now();
        let claimed = ctx.db.many(&CLAIM, params![lease, now, now + LEASE, BATCH]).await?;
        if claimed.is_empty() {
            break;
        }
        run.delivered += claimed.len();
        let outcomes = join_all(claimed.iter().map(async |claimed| {
            let verdict = ctx.deliver.deliver(&claimed.consumer, &claimed.event).await;
            claimed.settlement(verdict, ctx.now(), rand::random_range(0..=1000))
        }))
        .await;
        let outcomes = serde_json::to_value(outcomes).map_err(Problem::internal)?;
        ctx.db.one(&SETTLE, params![lease, ctx.now(), outcomes]).await?;
    }
    Ok(Json(run))
}

/// How one attempt ended, as the settling statement reads it.
#[derive(Debug, Serialize)]
struct Settlement {
    id: i64,
    state: &'static str,
    next_attempt_at: Option<Timestamp>,
    error: Option<&'static str>,
}

impl Claimed {
    fn settlement(&self, verdict: Verdict, now: Timestamp, jitter: u16) -> Settlement {
        let old = now.duration_since(self.first_attempt_at) >= GIVE_UP_AFTER;
        let (state, next_attempt_at, error) = match verdict {
            Verdict::Done => ("done", None, None),
            Verdict::Reject => ("dead", None, Some("rejected")),
            Verdict::Retry if old => ("dead", None, Some("given up after 48 h")),
            Verdict::Retry => ("waiting", Some(now + pause(self.attempts, jitter)), Some("to be tried again")),
        };
        Settlement { id: self.id, state, next_attempt_at, error }
    }
}

async fn dead(State(ctx): State<Ctx>) -> Result<Json<Page<Value>>, Problem> {
    Ok(Json(Page { items: ctx.db.many(&DEAD, params![200_i64]).await?, next_cursor: None }))
}

async fn replay(State(ctx): State<Ctx>, Segment(id): Segment<i64>) -> Result<StatusCode, Problem> {
    let revived = ctx.db.optional(&REPLAY, params![id, ctx.now()]).await?;
    revived.map(|_| StatusCode::ACCEPTED).ok_or_else(|| Problem::new(Kind::NotFound))
}
