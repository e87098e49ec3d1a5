//! Give up abandoned uploads, and remove what was kept as long as it had to be.

use axum::Router;
use axum::extract::State;
use axum::routing::post;
use domain::SignedDuration;
use domain::document::ABANDONED_AFTER;
use runtime::actor::system;
use runtime::documents::remove_objects;
use runtime::events::Outcome;
use runtime::{Ctx, Function, Problem};
use serde::Deserialize;
use store::shared::OBJECTS_TO_REMOVE;
use store::{Query as _, Statement, params, statement};
use utoipa_axum::router::OpenApiRouter;

/// The function.
pub const FUNCTION: Function = Function {
    name: "purge-documents",
    manifest: include_str!("../function.yaml"),
    routes: OpenApiRouter::new,
    events: Some(|| Router::new().route("/", post(purge))),
};

const ABANDONED: Statement<Purged> = statement!("abandoned");
const OUTLIVED: Statement<Purged> = statement!("outlived");
const LINKS: Statement<Purged> = statement!("links");
/// How many rows one statement takes.
const BATCH: i64 = 200;
/// How many statements of one kind a run makes; the next run goes on.
const BATCHES: usize = 50;
/// Clocks of instances are not quite the same.
const LINK_GRACE: SignedDuration = SignedDuration::from_mins(5);

#[derive(Debug, Deserialize)]
struct Purged {
    purged: i64,
}

async fn purge(State(ctx): State<Ctx>) -> Result<Outcome, Problem> {
    let now = ctx.now();
    let who = system(now);
    for _ in 0..BATCHES {
        let abandoned = ctx.db.one(&ABANDONED, params![who.clone(), now - ABANDONED_AFTER, BATCH]).await?.purged;
        let outlived = ctx.db.one(&OUTLIVED, params![who.clone(), BATCH]).await?.purged;
        let links = ctx.db.one(&LINKS, params![now - LINK_GRACE, BATCH]).await?.purged;
        if abandoned.max(outlived).max(links) < BATCH {
            break;
        }
    }
    let mut after = String::new();
    for _ in 0..BATCHES {
        let objects = ctx.db.many(&OBJECTS_TO_REMOVE, params![BATCH, after.as_str()]).await?;
        let Some(last) = objects.last() else { break };
        after.clone_from(&last.key);
        // One that cannot be removed is passed over; where the store is away, or said nowhere, the next run goes on.
        if remove_objects(&ctx, objects.into_iter().map(|it| (it.key, it.upload))).await == 0 {
            break;
        }
    }
    Ok(Outcome::Done)
}
