//! Authenticator apps.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use runtime::people::Contact;
use runtime::second_factors::{FactorKind, Kept, new_recovery_codes, new_secret, step_of, uri};
use runtime::{Actor, Ctx, Input, Kind, Problem, Words};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::{Query as _, Statement, params, statement};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{Account, Added, AddedRow};

const ENROL: Statement<Value> = statement!("enrol_app");
const CONFIRM: Statement<AddedRow> = statement!("confirm_app");

/// An app to enrol.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewApp {
    /// What its owner calls it.
    #[schema(value_type = Option<String>, max_length = 60, pattern = r"^[^\x00]*$")]
    label: Option<Words<60>>,
}

/// What the app must know. Shown this once.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct App {
    id: Uuid,
    /// For typing: base32.
    secret: String,
    /// For a picture or a link.
    uri: String,
}

/// Enrols an authenticator app (TOTP, RFC 6238). It counts once it has shown a code: see `…/totp/confirmation`.
#[utoipa::path(post, path = "/v1/second-factors/totp", operation_id = "enrol_app", tag = "accounts", request_body = NewApp,
    responses((status = 201, body = App), (status = 409, description = "There is an app already."),
              (status = 403, description = "The session is of one factor and there is a second, or it was opened too long ago.")))]
pub(crate) async fn enrol(
    State(ctx): State<Ctx>, actor: Actor, Input(new): Input<NewApp>,
) -> Result<(StatusCode, Json<App>), Problem> {
    let now = ctx.now();
    actor.may_change_sign_in(now)?;
    let account = Account::of(&ctx, &actor).await?;
    let wrapped = account.wrapped_key.as_deref();
    let key = account.key(&ctx, actor.account).await?;
    let email = match (wrapped, &account.contact) {
        (Some(wrapped), Some(contact)) => Contact::open(&ctx.keys, actor.account, wrapped, contact).await?.email,
        _ => String::new(),
    };
    let (id, secret) = (Uuid::now_v7(), new_secret(&ctx.keys)?);
    let sealed =
        Kept { label: new.label.map_or_else(String::new, Into::into), secret: secret.clone() }.seal(&key, id)?;
    let enrolled = ctx.db.optional(&ENROL, params![actor.who(now), id, sealed]).await?;
    enrolled.ok_or_else(|| Problem::new(Kind::SecondFactorExists))?;
    let uri = uri(&secret, &email);
    Ok((StatusCode::CREATED, Json(App { id, secret, uri })))
}

/// The first code.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Confirmation {
    /// Six figures.
    #[schema(value_type = String, max_length = 16, pattern = r"^[^\x00]*$")]
    code: Words<16>,
}

/// Confirms the app that waits with a code that it shows.
#[utoipa::path(post, path = "/v1/second-factors/totp/confirmation", operation_id = "confirm_app", tag = "accounts",
    request_body = Confirmation,
    responses((status = 201, body = Added), (status = 404, description = "No app waits."),
              (status = 403, description = "The session is of one factor and there is a second, or it was opened too long ago.")))]
pub(crate) async fn confirm(
    State(ctx): State<Ctx>, actor: Actor, Input(given): Input<Confirmation>,
) -> Result<(StatusCode, Json<Added>), Problem> {
    let now = ctx.now();
    actor.may_change_sign_in(now)?;
    let account = Account::of(&ctx, &actor).await?;
    let missing = || Problem::new(Kind::NotFound);
    let waiting = account.factors.iter().find(|factor| factor.waiting && factor.kind == FactorKind::Totp);
    let waiting = waiting.ok_or_else(missing)?;
    let key = account.key(&ctx, actor.account).await?;
    let secret = Kept::<String>::open(&key, waiting.id, &waiting.secret)?.secret;
    let code: String = given.code.chars().filter(|c| !c.is_whitespace()).collect();
    let step = step_of(&secret, &code, now);
    let step = step.ok_or_else(|| Problem::new(Kind::FieldInvalid).field("code").hint("otp"))?;
    let (codes, hashes) = new_recovery_codes(&ctx.keys, actor.account)?;
    let confirmed = ctx.db.optional(&CONFIRM, params![actor.who(now), waiting.id, step, hashes]).await?;
    Ok(confirmed.ok_or_else(missing)?.told(codes))
}
