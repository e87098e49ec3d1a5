//! Removing a second factor, with the password and a code.

use axum::extract::State;
use axum::http::StatusCode;
use runtime::second_factors::{Factor, FactorKind, proof_of};
use runtime::sessions::Proof;
use runtime::sign_in_attempts::Attempt;
use runtime::{Actor, Ctx, Input, Kind, Problem, Segment, Words};
use serde::Deserialize;
use serde_json::{Value, json};
use store::{Query as _, Statement, params, statement};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{Account, Held};

const REMOVE: Statement<Value> = statement!("remove");

/// Who they are, once more.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Removal {
    #[schema(value_type = String, max_length = 1000, format = "password", pattern = r"^[^\x00]*$")]
    password: Words<1000>,
    /// The six figures of the app, or a recovery code. Not needed in a session that a passkey opened in the last 15 minutes.
    #[schema(value_type = Option<String>, max_length = 40, pattern = r"^[^\x00]*$")]
    otp: Option<Words<40>>,
}

/// Removes a second factor. With the last one the recovery codes go.
#[utoipa::path(post, path = "/v1/second-factors/{id}/removal", operation_id = "remove_second_factor", tag = "accounts",
    request_body = Removal, params(("id" = Uuid, Path)),
    responses((status = 204, description = "Removed."), (status = 403, description = "The session is of one factor, or was opened too long ago."),
              (status = 429, description = "Too many attempts failed: try again after Retry-After seconds.")))]
pub(crate) async fn remove(
    State(ctx): State<Ctx>, actor: Actor, Segment(id): Segment<Uuid>, Input(given): Input<Removal>,
) -> Result<StatusCode, Problem> {
    let account = Account::of(&ctx, &actor).await?;
    account.confirmed().find(|factor| factor.id == id).ok_or_else(|| Problem::new(Kind::NotFound))?;
    actor.may_change_sign_in(ctx.now())?;
    let attempt = Attempt::once_more(&ctx, actor.account).await?;
    let Err(problem) = tried(&ctx, &actor, &account, id, given, &attempt).await else {
        return Ok(StatusCode::NO_CONTENT);
    };
    let failed = problem.kind == Kind::FieldInvalid;
    let who = actor.who(ctx.now());
    attempt.settle(&ctx, who, failed, "second-factor.remove", Some(actor.account)).await?;
    Err(problem)
}

async fn tried(
    ctx: &Ctx, actor: &Actor, account: &Account, id: Uuid, given: Removal, attempt: &Attempt,
) -> Result<(), Problem> {
    let now = ctx.now();
    let wrong = |field: &str| Problem::new(Kind::FieldInvalid).field(field);
    let hash = Some(account.password_hash.clone());
    if !ctx.keys.verify_password(given.password.into(), hash).await? {
        return Err(wrong("password").hint("password-wrong"));
    }
    let proof = match given.otp {
        Some(otp) => {
            let app = |factor: &Held| Factor {
                id: factor.id,
                kind: factor.kind,
                secret: (factor.kind == FactorKind::Totp).then(|| factor.secret.clone()),
            };
            let factors: Vec<Factor> = account.confirmed().map(app).collect();
            match proof_of(ctx, actor.account, account.wrapped_key.as_deref(), &factors, &otp).await? {
                Some(Proof::Code { factor, step }) => json!({"factor": {"id": factor, "counter": step}}),
                Some(Proof::Recovery { hash }) => json!({"recovery": hash}),
                _ => return Err(wrong("otp").hint("otp")),
            }
        }
        None if account.method == "passkey" && actor.standing.is_fresh(now) => json!({}),
        None => return Err(Problem::new(Kind::FieldMissing).field("otp")),
    };
    let removed = ctx.db.optional(&REMOVE, params![actor.who(now), id, proof, attempt.ticket().clone()]).await?;
    removed.map(drop).ok_or_else(|| wrong("otp").hint("otp"))
}
