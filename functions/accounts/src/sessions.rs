//! Signing in and staying so: short access tokens, rotating refresh tokens.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use domain::ids::{AccountId, SessionId};
use runtime::edge::RequestId;
use runtime::keys::{ACCESS_TOKEN_LIFE, SESSION_LIFE, digest};
use runtime::{Actor, Ctx, Input, Kind, Problem, Words};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::{Query as _, Statement, params, statement};
use utoipa::ToSchema;
use uuid::Uuid;

const CREDENTIALS: Statement<Credentials> = statement!("credentials");
const SIGN_IN: Statement<Value> = statement!("sign_in");
const REFRESH: Statement<Refreshed> = statement!("refresh");
const SIGN_OUT: Statement<Value> = statement!("sign_out");

/// Who signs in.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SignIn {
    #[schema(value_type = String, max_length = 254, pattern = r"^[^\x00]*$")]
    email: Words<254>,
    #[schema(value_type = String, max_length = 1000, format = "password", pattern = r"^[^\x00]*$")]
    password: Words<1000>,
    /// Second factor, for accounts that have one; none has yet.
    #[schema(value_type = Option<String>, max_length = 16, pattern = r"^[^\x00]*$")]
    #[expect(dead_code, reason = "part of the contract; read once accounts have second factors")]
    otp: Option<Words<16>>,
}

#[derive(Debug, Deserialize)]
struct Credentials {
    id: AccountId,
    password_hash: String,
}

/// What a client keeps.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Tokens {
    /// Bearer token of every request.
    access_token: String,
    /// Good once, for the next pair.
    refresh_token: String,
    /// Life of the access token, in seconds.
    expires_in: i64,
    /// `Bearer`
    token_type: &'static str,
}

/// Signs in.
#[utoipa::path(post, path = "/v1/sessions", tag = "accounts", request_body = SignIn,
    responses((status = 201, body = Tokens), (status = 401, description = "The e-mail and password match no account.")))]
pub(crate) async fn sign_in(
    State(ctx): State<Ctx>, request: RequestId, Input(who): Input<SignIn>,
) -> Result<(StatusCode, Json<Tokens>), Problem> {
    let failed = || Problem::new(Kind::SignInFailed);
    let found = ctx.db.optional(&CREDENTIALS, params![who.email.trim()]).await?;
    let (account, hash) = found.map_or((None, None), |found| (Some(found.id), Some(found.password_hash)));
    let matches = ctx.keys.verify_password(who.password.into(), hash).await.map_err(Problem::internal)?;
    let account = account.filter(|_| matches).ok_or_else(failed)?;
    let now = ctx.now();
    let session = SessionId::from_uuid(Uuid::now_v7());
    let (refresh_token, hash) = ctx.keys.new_token().map_err(Problem::internal)?;
    let parameters = params![account.as_uuid(), session.as_uuid(), hash, now + SESSION_LIFE, now, request.to_string()];
    ctx.db.one(&SIGN_IN, parameters).await?;
    Ok((StatusCode::CREATED, Json(tokens(&ctx, account, session, refresh_token)?)))
}

fn tokens(ctx: &Ctx, account: AccountId, session: SessionId, refresh_token: String) -> Result<Tokens, Problem> {
    let access_token = ctx.keys.issue(account, session, ctx.now()).map_err(Problem::internal)?;
    Ok(Tokens { access_token, refresh_token, expires_in: ACCESS_TOKEN_LIFE.as_secs(), token_type: "Bearer" })
}

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
    State(ctx): State<Ctx>, request: RequestId, Input(given): Input<Refresh>,
) -> Result<Json<Tokens>, Problem> {
    let (next, next_hash) = ctx.keys.new_token().map_err(Problem::internal)?;
    let parameters = params![digest(given.refresh_token.as_bytes()), next_hash, ctx.now(), request.to_string()];
    let refreshed = ctx.db.optional(&REFRESH, parameters).await?.ok_or_else(|| Problem::new(Kind::SessionEnded))?;
    Ok(Json(tokens(&ctx, refreshed.account, refreshed.session, next)?))
}

/// Signs out: the session's refresh tokens are worth nothing from now on.
#[utoipa::path(post, path = "/v1/sessions/end", tag = "accounts", responses((status = 204, description = "Signed out.")))]
pub(crate) async fn sign_out(State(ctx): State<Ctx>, actor: Actor) -> Result<StatusCode, Problem> {
    let parameters = params![actor.id(), actor.session.as_uuid(), ctx.now(), actor.request.to_string()];
    ctx.db.one(&SIGN_OUT, parameters).await?;
    Ok(StatusCode::NO_CONTENT)
}
