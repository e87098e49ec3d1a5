//! Tell people what happened to their appointment, that it is near, and that a document is there.

mod letter;
mod notice;
mod planning;
mod sending;
mod way;

use std::time::{Duration, Instant};

use axum::body::Bytes;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, post};
use axum::{Json, Router};
use runtime::events::{Event, Outcome};
use runtime::input::{MAX_BODY_BYTES, parse_json};
use runtime::page::Page;
use runtime::{Ctx, Function, Kind, Problem, Segment};
use serde::Deserialize;
use serde_json::Value;
use store::{Query as _, Statement, params, statement};
use utoipa_axum::router::OpenApiRouter;
use uuid::Uuid;

/// The function.
pub const FUNCTION: Function = Function {
    name: "notify",
    manifest: include_str!("../function.yaml"),
    routes: OpenApiRouter::new,
    events: Some(router),
};

const FAILED: Statement<Value> = statement!("failed");
const TRY_AGAIN: Statement<Revived> = statement!("try_again");
/// What is left to be planned after this part of a tick waits for the next one: it is due in half a day, and others are due now.
const PLANNING: Duration = Duration::from_secs(10);
/// No message is begun later in a tick: the manifest allows 60 s, of which one mail may take [`runtime::mail::CONVERSATION`].
const RUN: Duration = Duration::from_secs(30);
/// Nor later in the delivery of an event, which has [`runtime::deliver::DELIVERY_TIMEOUT`]: the tick sends what is left.
const EVENT_RUN: Duration = Duration::from_secs(3);

fn router() -> Router<Ctx> {
    Router::new().route("/", post(notify)).route("/failed", get(failed)).route("/failed/{id}/retry", post(try_again))
}

#[derive(Debug, Deserialize)]
struct Revived {
    revived: i64,
}

/// An event is planned, and what is due of it is sent at once. A tick plans what is near and sends whatever is due, so that an
/// event need not come again for what cannot be sent now.
async fn notify(State(ctx): State<Ctx>, headers: HeaderMap, body: Bytes) -> Result<Outcome, Problem> {
    let began = Instant::now();
    // What came through a queue says what it is, also when nothing is in it.
    let is_tick = &*body == b"{}" || (body.is_empty() && !headers.contains_key(CONTENT_TYPE));
    if is_tick {
        // None waits for another: what cannot be planned is no reason to leave unsent what was.
        let planned = planning::reminders(&ctx, began + PLANNING).await;
        let passed_on = planning::passed_on(&ctx, began + PLANNING).await;
        sending::due(&ctx, None, began + RUN).await.and(planned).and(passed_on)?;
        return Ok(Outcome::Done);
    }
    if body.len() > MAX_BODY_BYTES {
        return Err(Problem::new(Kind::BodyTooLarge));
    }
    let event: Event = parse_json(&body)?;
    let id = event.id;
    if !planning::event(&ctx, event).await? {
        return Ok(Outcome::Reject(Problem::new(Kind::EventRejected)));
    }
    sending::due(&ctx, Some(id), began + EVENT_RUN).await?;
    Ok(Outcome::Done)
}

/// Notices that no channel took, newest first, for an operator.
async fn failed(State(ctx): State<Ctx>) -> Result<Json<Page<Value>>, Problem> {
    Ok(Json(Page { items: ctx.db.many(&FAILED, params![200_i64]).await?, next_cursor: None }))
}

/// Has one tried again, with the next tick.
async fn try_again(State(ctx): State<Ctx>, Segment(id): Segment<Uuid>) -> Result<StatusCode, Problem> {
    let Revived { revived } = ctx.db.one(&TRY_AGAIN, params![id, ctx.now()]).await?;
    if revived == 1 { Ok(StatusCode::ACCEPTED) } else { Err(Problem::new(Kind::NotFound)) }
}
