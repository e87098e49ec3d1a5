//! Another password: for who knows the old one, and for who reads the mailbox.

use axum::extract::State;
use axum::http::StatusCode;
use domain::letter::{Purpose, RESET_LIFE};
use domain::person::NewPassword;
use runtime::actor::anonymous;
use runtime::edge::{ClientAddress, RequestId};
use runtime::sign_in_attempts::{address_hash, strangers_key};
use runtime::{Actor, Ctx, Input, Kind, Problem, Words};
use serde::Deserialize;
use serde_json::Value;
use store::{Query as _, Statement, params, statement};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::own::{self, Own, Password};
use crate::verification::{Token, invalid, taken};

const ASK_RESET: Statement<Value> = statement!("ask_reset");
const LINK_OWNER: Statement<Own> = statement!("link_owner");
const RESET_PASSWORD: Statement<Value> = statement!("reset_password");
const CHANGE_PASSWORD: Statement<Value> = statement!("change_password");

/// Whose password was forgotten.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Forgotten {
    #[schema(value_type = String, max_length = 254, pattern = r"^[^\x00]*$")]
    email: Words<254>,
}

/// Mails a link to a new password. The answer is the same, and takes as long, whether or not somebody has that address.
#[utoipa::path(post, path = "/v1/accounts/password-reset/request", operation_id = "ask_password_reset", tag = "accounts",
    request_body = Forgotten, responses((status = 202, description = "If an account has that address, a mail is on its way.")))]
pub(crate) async fn ask_reset(
    State(ctx): State<Ctx>, request: RequestId, address: ClientAddress, Input(given): Input<Forgotten>,
) -> Result<StatusCode, Problem> {
    let now = ctx.now();
    let lookup = ctx.keys.lookup("email", &given.email)?;
    let who = anonymous(request, address, now);
    ctx.db.one(&ASK_RESET, params![who, Uuid::now_v7(), lookup, now + RESET_LIFE]).await?;
    Ok(StatusCode::ACCEPTED)
}

/// A new password for who reads the mailbox.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Reset {
    #[schema(value_type = String, max_length = 200, pattern = r"^[^\x00]*$")]
    token: Words<200>,
    password: NewPassword,
}

/// Sets a new password and signs out everywhere. The link is good once; second factors and linked identities stay
/// as they are, but for an account that had not shown its address: they go, and whom it brought in to act for a patient.
#[utoipa::path(post, path = "/v1/accounts/password-reset", operation_id = "reset_password", tag = "accounts", request_body = Reset,
    responses((status = 204, description = "The password is set."),
              (status = 422, description = "The link does not do, or the password is too easy to guess.")))]
pub(crate) async fn reset(
    State(ctx): State<Ctx>, request: RequestId, address: ClientAddress, Input(given): Input<Reset>,
) -> Result<StatusCode, Problem> {
    let now = ctx.now();
    let (link, _) = Token { token: given.token }.open(&ctx, &[Purpose::ResetPassword])?;
    let owner = ctx.db.optional(&LINK_OWNER, params![link, now]).await?.ok_or_else(invalid)?;
    let hash = owner.new_hash(&ctx, "password", given.password).await?;
    let email = owner.contact(&ctx).await?.email;
    let strangers = strangers_key(&ctx, &ctx.keys.lookup("email", &email)?)?;
    let who = anonymous(request, address, now);
    let reset = ctx
        .db
        .optional(&RESET_PASSWORD, params![who, link, hash, address_hash(&ctx, address)?, strangers])
        .await
        .map_err(taken)?;
    reset.map(|_| StatusCode::NO_CONTENT).ok_or_else(invalid)
}

/// A new password for who knows the old one.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Change {
    #[schema(value_type = String, max_length = 1000, format = "password", pattern = r"^[^\x00]*$")]
    current_password: Password,
    password: NewPassword,
}

/// Changes the caller's password, and ends their other sessions.
#[utoipa::path(post, path = "/v1/accounts/password", operation_id = "change_password", tag = "accounts", request_body = Change,
    responses((status = 204, description = "The password is changed."),
              (status = 422, description = "The present password is another, or the new one is too easy to guess.")))]
pub(crate) async fn change(
    State(ctx): State<Ctx>, actor: Actor, Input(given): Input<Change>,
) -> Result<StatusCode, Problem> {
    let own = own::confirmed(&ctx, &actor, "current_password", given.current_password).await?;
    let hash = own.new_hash(&ctx, "password", given.password).await?;
    let changed = ctx.db.optional(&CHANGE_PASSWORD, params![actor.who(ctx.now()), hash, own.password_hash]).await?;
    // Somebody else changed it between the two: the old one is no longer the old one.
    changed.map(|_| StatusCode::NO_CONTENT).ok_or_else(|| Problem::new(Kind::PasswordWrong).field("current_password"))
}
