//! A second factor for a session that was opened with one: before there was a second, or by an identity provider that vouches
//! for one.

use axum::Json;
use axum::extract::State;
use domain::access::Level;
use domain::ids::SessionId;
use runtime::second_factors::{Factor, proof_of};
use runtime::sessions::{Proof, Tokens};
use runtime::sign_in_attempts::Attempt;
use runtime::{Actor, Ctx, Input, Kind, Problem, Words};
use serde::Deserialize;
use serde_json::{Value, json};
use store::{Query as _, Statement, params, statement};
use utoipa::ToSchema;
use uuid::Uuid;

const FACTORS: Statement<Factors> = statement!("factors");
const STEP_UP: Statement<Value> = statement!("step_up");

/// The second factor.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SecondFactorCode {
    /// The six figures of the app, or a recovery code.
    #[schema(value_type = String, max_length = 40, pattern = r"^[^\x00]*$")]
    otp: Words<40>,
}

#[derive(Debug, Deserialize)]
struct Factors {
    wrapped_key: Option<String>,
    factors: Vec<Factor>,
}

/// Goes on with two factors, in another session: the tokens of this one are good no more. Who has a passkey only signs in with it instead.
#[utoipa::path(post, path = "/v1/sessions/second-factor", operation_id = "step_up", tag = "accounts",
    request_body = SecondFactorCode,
    responses((status = 200, body = Tokens), (status = 422, description = "The code does not do."),
              (status = 404, description = "The account has no second factor, or the session is of two already."),
              (status = 429, description = "Too many attempts failed: try again after Retry-After seconds.")))]
pub(crate) async fn step_up(
    State(ctx): State<Ctx>, actor: Actor, Input(given): Input<SecondFactorCode>,
) -> Result<Json<Tokens>, Problem> {
    if !actor.standing.two_factors || actor.standing.level == Level::Two {
        return Err(Problem::new(Kind::NotFound));
    }
    let attempt = Attempt::once_more(&ctx, actor.account).await?;
    let problem = match tried(&ctx, &actor, &given.otp, &attempt).await {
        Ok(tokens) => return Ok(Json(tokens)),
        Err(problem) => problem,
    };
    let failed = problem.kind == Kind::FieldInvalid;
    attempt.settle(&ctx, actor.who(ctx.now()), failed, "session.step-up", Some(actor.account)).await?;
    Err(problem)
}

async fn tried(ctx: &Ctx, actor: &Actor, otp: &str, attempt: &Attempt) -> Result<Tokens, Problem> {
    let failed = || Problem::new(Kind::FieldInvalid).field("otp").hint("otp");
    let who = actor.who(ctx.now());
    let Factors { wrapped_key, factors } = ctx.db.one(&FACTORS, params![who.clone()]).await?;
    let proof = match proof_of(ctx, actor.account, wrapped_key.as_deref(), &factors, otp).await? {
        Some(Proof::Code { factor, step }) => json!({"factor": {"id": factor, "counter": step}}),
        Some(Proof::Recovery { hash }) => json!({"recovery": hash}),
        _ => return Err(failed()),
    };
    let (refresh_token, hash) = ctx.keys.new_token()?;
    let next = SessionId::from_uuid(Uuid::now_v7());
    let parameters = params![who, proof, next.as_uuid(), hash, attempt.ticket().clone()];
    ctx.db.optional(&STEP_UP, parameters).await?.ok_or_else(failed)?;
    Tokens::new(ctx, actor.account, next, refresh_token)
}
