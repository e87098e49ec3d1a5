//! Carry events from the outbox to their consumers.

use std::time::{Duration, Instant};

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use domain::SignedDuration;
use runtime::page::Page;
use runtime::queue::{self, Outbox, Queue as _, QueueError};
use runtime::{Ctx, Function, Kind, Problem, Segment};
use serde::Serialize;
use serde_json::Value;
use store::{Query as _, Statement, params, statement};
use utoipa_axum::router::OpenApiRouter;

/// The function.
pub const FUNCTION: Function = Function {
    name: "deliver-outbox",
    manifest: include_str!("../function.yaml"),
    routes: OpenApiRouter::new,
    events: Some(router),
};

const FAN_OUT: Statement<Value> = statement!("fan_out");
/// A lease outlives the longest delivery (30 s) by far, and a killed deliverer delays its events by no more.
const LEASE: SignedDuration = SignedDuration::from_secs(90);
/// No batch begins later in a run: the manifest allows 60 s, of which one delivery may take 30.
const RUN: Duration = Duration::from_secs(25);
/// How many events one round fans out at most.
const FANNED: i64 = 160;
/// How many batches one run carries at most; the next run goes on.
const BATCHES: usize = 50;

fn router() -> Router<Ctx> {
    Router::new().route("/", post(deliver_outbox)).route("/dead", get(dead)).route("/dead/{id}/replay", post(replay))
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
        ctx.db.one(&FAN_OUT, params![subscriptions.clone(), ctx.now(), FANNED]).await?;
        match queue::carry(&outbox(&ctx), ctx.deliver.as_ref(), LEASE).await.map_err(unavailable)? {
            0 => break,
            carried => run.delivered += carried,
        }
    }
    Ok(Json(run))
}

fn outbox(ctx: &Ctx) -> Outbox {
    Outbox::new(ctx.db.clone(), ctx.clock.clone())
}

fn unavailable(error: QueueError) -> Problem {
    match error {
        QueueError::Database(error) => error.into(),
        error @ QueueError::Service(_) => Problem::new(Kind::Unavailable).because(error),
    }
}

async fn dead(State(ctx): State<Ctx>) -> Result<Json<Page<Value>>, Problem> {
    Ok(Json(Page { items: outbox(&ctx).dead(200).await.map_err(unavailable)?, next_cursor: None }))
}

async fn replay(State(ctx): State<Ctx>, Segment(id): Segment<i64>) -> Result<StatusCode, Problem> {
    let revived = outbox(&ctx).redrive(&id.to_string()).await.map_err(unavailable)?;
    if revived { Ok(StatusCode::ACCEPTED) } else { Err(Problem::new(Kind::NotFound)) }
}
