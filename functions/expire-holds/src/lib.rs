//! Free what was held and not taken up.

use axum::Router;
use axum::extract::State;
use axum::routing::post;
use runtime::actor::system;
use runtime::events::Outcome;
use runtime::{Ctx, Function, Problem};
use serde::Deserialize;
use store::{Query as _, Statement, params, statement};
use utoipa_axum::router::OpenApiRouter;

/// The function.
pub const FUNCTION: Function = Function {
    name: "expire-holds",
    manifest: include_str!("../function.yaml"),
    routes: OpenApiRouter::new,
    events: Some(|| Router::new().route("/", post(expire_holds))),
};

const EXPIRE: Statement<Expired> = statement!("expire");
/// How many are ended by one statement.
const BATCH: i64 = 500;
/// How many statements one tick runs at most; the next tick goes on.
const BATCHES: usize = 100;

#[derive(Debug, Deserialize)]
struct Expired {
    expired: i64,
}

async fn expire_holds(State(ctx): State<Ctx>) -> Result<Outcome, Problem> {
    let now = ctx.now();
    for _ in 0..BATCHES {
        if ctx.db.one(&EXPIRE, params![now, BATCH, system(now)]).await?.expired < BATCH {
            break;
        }
    }
    Ok(Outcome::Done)
}
