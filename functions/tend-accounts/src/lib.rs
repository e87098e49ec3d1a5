//! Let changes of address take effect that nobody opposed, and forget what is settled.

use axum::Router;
use axum::extract::State;
use axum::routing::post;
use runtime::actor::system;
use runtime::events::Outcome;
use runtime::{Ctx, Function, Problem};
use serde_json::Value;
use store::{Query as _, Statement, params, statement};
use utoipa_axum::router::OpenApiRouter;

/// The function.
pub const FUNCTION: Function = Function {
    name: "tend-accounts",
    manifest: include_str!("../function.yaml"),
    routes: OpenApiRouter::new,
    events: Some(|| Router::new().route("/", post(tend))),
};

const COMPLETE: Statement<Value> = statement!("complete");
const FORGET: Statement<Value> = statement!("forget");

async fn tend(State(ctx): State<Ctx>) -> Result<Outcome, Problem> {
    let now = ctx.now();
    ctx.db.one(&COMPLETE, params![system(now)]).await?;
    ctx.db.one(&FORGET, params![now]).await?;
    Ok(Outcome::Done)
}
