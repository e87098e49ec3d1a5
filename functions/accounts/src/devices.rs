//! Where an account is signed in, and ending that.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use domain::Timestamp;
use domain::access::{IDLE_AT_HOME, IDLE_AT_WORK, Role};
use domain::ids::{AccountId, SessionId};
use runtime::page::Page;
use runtime::{Actor, Ctx, Input, Kind, Problem, Segment, Words};
use serde::{Deserialize, Serialize};
use store::{Query as _, Statement, params, statement};
use utoipa::ToSchema;
use uuid::Uuid;

const SESSIONS: Statement<Session> = statement!("sessions");
const REVOKE_SESSIONS: Statement<Ended> = statement!("revoke_sessions");
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

/// Why an operator ends sessions.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
enum Why {
    /// Somebody else is or may be in the account.
    Compromised,
    /// A telephone or computer was lost or stolen.
    LostDevice,
    /// Its holder asked for it and cannot do it.
    Requested,
    /// Keys or the database may have leaked.
    Incident,
}

impl Why {
    const fn name(self) -> &'static str {
        match self {
            Self::Compromised => "compromised",
            Self::LostDevice => "lost-device",
            Self::Requested => "requested",
            Self::Incident => "incident",
        }
    }
}

/// Whose sessions end: one of the three.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Revocation {
    account: Option<AccountId>,
    /// Of every account that has or claims this address.
    #[schema(value_type = Option<String>, max_length = 254, pattern = r"^[^\x00]*$")]
    email: Option<Words<254>>,
    /// The operator's own session included.
    #[serde(default)]
    everybody: bool,
    reason: Why,
}

/// Ends sessions in an incident: each is refused at its next request. The holder is told by mail, unless it is everybody.
#[utoipa::path(post, path = "/v1/sessions/revocation", operation_id = "revoke_sessions", tag = "accounts", request_body = Revocation,
    responses((status = 200, body = Ended)))]
pub(crate) async fn revoke(
    State(ctx): State<Ctx>, actor: Actor, Input(wish): Input<Revocation>,
) -> Result<Json<Ended>, Problem> {
    let given = [wish.account.is_some(), wish.email.is_some(), wish.everybody];
    match given.iter().filter(|given| **given).count() {
        0 => return Err(Problem::new(Kind::FieldMissing).field("account")),
        1 => {}
        _ => return Err(Problem::new(Kind::FieldInvalid).field("account").hint("whose-sessions")),
    }
    let lookup = wish.email.map(|email| ctx.keys.lookup("email", &email)).transpose()?;
    let account = wish.account.map(AccountId::as_uuid);
    let parameters = params![actor.who(ctx.now()), account, lookup, wish.everybody, wish.reason.name()];
    Ok(Json(ctx.db.one(&REVOKE_SESSIONS, parameters).await?))
}
