//! Where an account is signed in, and ending that.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use domain::Timestamp;
use domain::access::{IDLE_AT_HOME, IDLE_AT_WORK, Role};
use domain::ids::SessionId;
use runtime::page::Page;
use runtime::{Actor, Ctx, Input, Kind, Problem, Segment};
use serde::{Deserialize, Serialize};
use store::{Query as _, Statement, params, statement};
use utoipa::ToSchema;
use uuid::Uuid;

const SESSIONS: Statement<Session> = statement!("sessions");
const END_SESSIONS: Statement<Ended> = statement!("end_sessions");

/// A sign-in that lasts.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Session {
    id: SessionId,
    /// What the device said of itself, in few words; empty when it said nothing.
    device: String,
    /// How it was opened: `password`, `passkey`, …
    method: String,
    /// In what capacity.
    role: Role,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    last_seen_at: Timestamp,
    /// Whether it is the one that asks.
    current: bool,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Ended {
    /// How many.
    ended: i64,
}

/// Lists where the caller is signed in, last used first.
#[utoipa::path(get, path = "/v1/sessions", operation_id = "list_sessions", tag = "accounts",
    responses((status = 200, body = Page<Session>)))]
pub(crate) async fn list(State(ctx): State<Ctx>, actor: Actor) -> Result<Json<Page<Session>>, Problem> {
    let now = ctx.now();
    let items = ctx.db.many(&SESSIONS, params![actor.who(now), now - IDLE_AT_HOME, now - IDLE_AT_WORK]).await?;
    Ok(Json(Page { items, next_cursor: None }))
}

/// Ends one of the caller's sessions: it is refused at its next request.
#[utoipa::path(delete, path = "/v1/sessions/{id}", operation_id = "end_session", tag = "accounts",
    params(("id" = Uuid, Path)), responses((status = 204, description = "Ended."), (status = 404, description = "There is no such session.")))]
pub(crate) async fn end_one(
    State(ctx): State<Ctx>, actor: Actor, Segment(session): Segment<SessionId>,
) -> Result<StatusCode, Problem> {
    let ended = ctx.db.one(&END_SESSIONS, params![actor.who(ctx.now()), session.as_uuid(), false]).await?.ended;
    if ended == 1 { Ok(StatusCode::NO_CONTENT) } else { Err(Problem::new(Kind::NotFound)) }
}

/// Which sessions end.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct EndAll {
    /// Whether the session that asks goes on.
    #[serde(default)]
    keep_current: bool,
}

/// Signs the caller out everywhere.
#[utoipa::path(post, path = "/v1/sessions/end-all", operation_id = "end_all_sessions", tag = "accounts", request_body = EndAll,
    responses((status = 200, body = Ended)))]
pub(crate) async fn end_all(
    State(ctx): State<Ctx>, actor: Actor, Input(wish): Input<EndAll>,
) -> Result<Json<Ended>, Problem> {
    let parameters = params![actor.who(ctx.now()), None::<Uuid>, wish.keep_current];
    Ok(Json(ctx.db.one(&END_SESSIONS, parameters).await?))
}
