//! Staying signed in, and signing out.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use domain::access::{IDLE_AT_HOME, IDLE_AT_WORK};
use domain::ids::{AccountId, SessionId};
use runtime::actor::anonymous;
use runtime::edge::{ClientAddress, RequestId};
use runtime::keys::digest;
use runtime::sessions::Tokens;
use runtime::{Actor, Ctx, Input, Kind, Problem, Words};
use serde::Deserialize;
use serde_json::Value;
use store::{Query as _, Statement, params, statement};
use utoipa::ToSchema;

const REFRESH: Statement<Refreshed> = statement!("refresh");
const SIGN_OUT: Statement<Value> = statement!("sign_out");

/// The token to change.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Refresh {
    #[schema(value_type = String, max_length = 200, pattern = r"^[^\x00]*$")]
    refresh_token: Words<200>,
}

#[derive(Debug, Deserialize)]
struct Refreshed {
    account: AccountId,
    session: SessionId,
}

/// Changes a refresh token for a new pair. A token used twice ends its session.
#[utoipa::path(post, path = "/v1/sessions/refresh", tag = "accounts", request_body = Refresh,
    responses((status = 200, body = Tokens), (status = 401, description = "The token is unknown, used, expired or revoked.")))]
pub(crate) async fn refresh(
    State(ctx): State<Ctx>, request: RequestId, address: ClientAddress, Input(given): Input<Refresh>,
) -> Result<Json<Tokens>, Problem> {
    let now = ctx.now();
    let (next, next_hash) = ctx.keys.new_token()?;
    let who = anonymous(request, address, now);
    let parameters =
        params![who, digest(given.refresh_token.as_bytes()), next_hash, now - IDLE_AT_HOME, now - IDLE_AT_WORK];
    let refreshed = ctx.db.optional(&REFRESH, parameters).await?.ok_or_else(|| Problem::new(Kind::SessionEnded))?;
    Ok(Json(Tokens::new(&ctx, refreshed.account, refreshed.session, next)?))
}

/// Signs out: the session's refresh tokens are worth nothing from now on.
#[utoipa::path(post, path = "/v1/sessions/end", tag = "accounts", responses((status = 204, description = "Signed out.")))]
pub(crate) async fn sign_out(State(ctx): State<Ctx>, actor: Actor) -> Result<StatusCode, Problem> {
    ctx.db.one(&SIGN_OUT, params![actor.who(ctx.now())]).await?;
    Ok(StatusCode::NO_CONTENT)
}
