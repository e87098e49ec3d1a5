//! Plan what partners’ programs are told of an event.

use axum::Router;
use axum::extract::State;
use axum::routing::post;
use domain::webhook::{LIFE, WebhookEvent};
use runtime::events::{Event, Outcome};
use runtime::{Ctx, Function, Input, Kind, Problem};
use serde_json::Value;
use store::{Query as _, Statement, params, statement};
use utoipa_axum::router::OpenApiRouter;

/// The function.
pub const FUNCTION: Function = Function {
    name: "plan-webhooks",
    manifest: include_str!("../function.yaml"),
    routes: OpenApiRouter::new,
    events: Some(|| Router::new().route("/", post(plan))),
};

const PLAN: Statement<Value> = statement!("plan");

async fn plan(State(ctx): State<Ctx>, Input(event): Input<Event>) -> Result<Outcome, Problem> {
    let kinds: Vec<String> = WebhookEvent::ALL.iter().map(|event| event.name().to_owned()).collect();
    if !kinds.contains(&event.r#type) {
        return Ok(Outcome::Reject(Problem::new(Kind::EventRejected)));
    }
    let now = ctx.now();
    ctx.db.one(&PLAN, params![event.id, now, kinds, now + LIFE, LIFE.as_secs()]).await?;
    Ok(Outcome::Done)
}
