//! Plan the reminders that are due.

use axum::Router;
use axum::extract::State;
use axum::routing::post;
use domain::notice::{FRESH_MINUTES, REMINDER_STEP_MINUTES};
use runtime::events::Outcome;
use runtime::{Ctx, Function, Problem};
use serde::Deserialize;
use store::{Query as _, Statement, params, statement};
use utoipa_axum::router::OpenApiRouter;

/// The function.
pub const FUNCTION: Function = Function {
    name: "send-reminders",
    manifest: include_str!("../function.yaml"),
    routes: OpenApiRouter::new,
    events: Some(|| Router::new().route("/", post(send_reminders))),
};

const PLAN: Statement<Planned> = statement!("plan");
/// How many are planned by one statement.
const BATCH: i64 = 500;
/// How many statements one tick runs at most; the next tick goes on.
const BATCHES: usize = 100;

#[derive(Debug, Deserialize)]
struct Planned {
    planned: i64,
}

async fn send_reminders(State(ctx): State<Ctx>) -> Result<Outcome, Problem> {
    for _ in 0..BATCHES {
        let parameters = params![ctx.now(), REMINDER_STEP_MINUTES, FRESH_MINUTES, BATCH];
        if ctx.db.one(&PLAN, parameters).await?.planned < BATCH {
            break;
        }
    }
    Ok(Outcome::Done)
}
