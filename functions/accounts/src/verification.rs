//! Showing that an address is the account's, by the link that was mailed to it.
//!
//! It is done signed in, by the account that claims the address. Else whoever signs up with somebody's address would only
//! have to wait until its owner clicks.

use axum::extract::State;
use axum::http::StatusCode;
use domain::letter::{Purpose, VERIFY_LIFE};
use runtime::{Actor, Ctx, Input, Kind, Problem, Words};
use serde::Deserialize;
use serde_json::Value;
use store::{DbError, Query as _, Statement, params, statement};
use utoipa::ToSchema;
use uuid::Uuid;

const VERIFY: Statement<Value> = statement!("verify");
const ASK_VERIFICATION: Statement<Value> = statement!("ask_verification");

/// What a mail held.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Token {
    #[schema(value_type = String, max_length = 200, pattern = r"^[^\x00]*$")]
    pub(crate) token: Words<200>,
}

impl Token {
    /// The row it names, if it was made for one of these.
    pub(crate) fn open(&self, ctx: &Ctx, purposes: &[Purpose]) -> Result<(Uuid, Purpose), Problem> {
        for purpose in purposes {
            if let Some(id) = ctx.keys.link_id(purpose.name(), &self.token)? {
                return Ok((id, *purpose));
            }
        }
        Err(invalid())
    }
}

/// One answer for every token that does not do, whatever is wrong with it.
pub(crate) fn invalid() -> Problem {
    Problem::new(Kind::LinkInvalid).field("token")
}

/// Another account was faster: who holds the mailbox may know.
pub(crate) fn taken(error: DbError) -> Problem {
    if error.is_constraint("account_verified_email") { Problem::new(Kind::AddressTaken) } else { error.into() }
}

/// Shows that the caller's address is theirs. Sent again, it says the same.
#[utoipa::path(post, path = "/v1/accounts/email-verification", tag = "accounts", request_body = Token,
    responses((status = 204, description = "The address is the account's."),
              (status = 409, description = "Another account has shown it to be its own."),
              (status = 422, description = "The link does not do.")))]
pub(crate) async fn verify(
    State(ctx): State<Ctx>, actor: Actor, Input(given): Input<Token>,
) -> Result<StatusCode, Problem> {
    let (link, _) = given.open(&ctx, &[Purpose::VerifyEmail])?;
    let proven = ctx.db.optional(&VERIFY, params![actor.who(ctx.now()), link]).await.map_err(taken)?;
    proven.map(|_| StatusCode::NO_CONTENT).ok_or_else(invalid)
}

/// Mails another link to the caller's address, unless it was shown to be theirs or too many were mailed today.
#[utoipa::path(post, path = "/v1/accounts/email-verification/request", operation_id = "ask_verification", tag = "accounts",
    responses((status = 202, description = "A mail is on its way, if one is needed.")))]
pub(crate) async fn ask(State(ctx): State<Ctx>, actor: Actor) -> Result<StatusCode, Problem> {
    let now = ctx.now();
    ctx.db.one(&ASK_VERIFICATION, params![actor.who(now), Uuid::now_v7(), now + VERIFY_LIFE]).await?;
    Ok(StatusCode::ACCEPTED)
}
