//! Delete what is kept no longer, as used keys, ended sessions and past counts.

use axum::Router;
use axum::extract::State;
use axum::routing::post;
use domain::SignedDuration;
use runtime::events::Outcome;
use runtime::{Ctx, Function, Problem};
use serde::Deserialize;
use store::{Query as _, Statement, params, statement};
use utoipa_axum::router::OpenApiRouter;

/// The function.
pub const FUNCTION: Function = Function {
    name: "purge",
    manifest: include_str!("../function.yaml"),
    routes: OpenApiRouter::new,
    events: Some(|| Router::new().route("/", post(purge))),
};

/// What is deleted, and how long after its creation or its end.
const KINDS: [(Statement<Purged>, SignedDuration); 8] = [
    (statement!("idempotency"), SignedDuration::from_hours(30 * 24)),
    (statement!("openid_attempts"), SignedDuration::ZERO),
    (statement!("sessions"), SignedDuration::from_hours(90 * 24)),
    (statement!("webhook_deliveries"), SignedDuration::from_hours(30 * 24)),
    (statement!("webhook_secrets"), SignedDuration::ZERO),
    (statement!("calendar_feeds"), SignedDuration::from_hours(90 * 24)),
    // It is another day elsewhere.
    (statement!("notice_allowances"), SignedDuration::from_hours(3 * 24)),
    // Instances' clocks are not quite the same.
    (statement!("rate_windows"), SignedDuration::from_mins(5)),
];
/// How many rows one statement deletes.
const BATCH: i64 = 1000;
/// How many statements of one kind a run makes; the next run goes on.
const BATCHES: usize = 50;

#[derive(Debug, Deserialize)]
struct Purged {
    purged: i64,
}

async fn purge(State(ctx): State<Ctx>) -> Result<Outcome, Problem> {
    let now = ctx.now();
    for (statement, age) in &KINDS {
        for _ in 0..BATCHES {
            if ctx.db.one(statement, params![now - *age, BATCH]).await?.purged < BATCH {
                break;
            }
        }
    }
    Ok(Outcome::Done)
}
