//! Passkeys.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use runtime::passkeys::{Ceremony, Passkeys};
use runtime::people::Contact;
use runtime::second_factors::{FactorKind, Kept, new_recovery_codes};
use runtime::{Actor, Ctx, Input, Kind, Problem, Words};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use store::{Query as _, Statement, params, statement};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{Account, Added, AddedRow};

const ADD: Statement<AddedRow> = statement!("add_passkey");
/// Passkeys of one account: more than anybody has devices.
const MOST: usize = 20;

/// What a browser needs, for `navigator.credentials.create`.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RegistrationOptions {
    /// Send it back with the answer, once, within five minutes.
    ceremony: Uuid,
    /// `publicKey` (`PublicKeyCredentialCreationOptionsJSON` of `WebAuthn`).
    #[schema(value_type = Object)]
    public_key: Value,
}

/// Begins the registration of a passkey.
#[utoipa::path(post, path = "/v1/second-factors/passkeys/options", operation_id = "passkey_options", tag = "accounts",
    responses((status = 201, body = RegistrationOptions), (status = 404, description = "There are no passkeys here: no public address is set."),
              (status = 403, description = "The session is of one factor and there is a second, or it was opened too long ago."),
              (status = 409, description = "There are 20 passkeys already.")))]
pub(crate) async fn options(
    State(ctx): State<Ctx>, actor: Actor,
) -> Result<(StatusCode, Json<RegistrationOptions>), Problem> {
    let passkeys = passkeys(&ctx)?;
    actor.may_change_sign_in(ctx.now())?;
    let account = Account::of(&ctx, &actor).await?;
    let key = account.key(&ctx, actor.account).await?;
    let mut known = Vec::new();
    for passkey in account.factors.iter().filter(|factor| factor.kind == FactorKind::Passkey) {
        known.push(Kept::<Value>::open(&key, passkey.id, &passkey.secret)?.secret);
    }
    if known.len() >= MOST {
        return Err(Problem::new(Kind::SecondFactorExists));
    }
    let name = match (&account.wrapped_key, &account.contact) {
        (Some(wrapped), Some(contact)) => Contact::open(&ctx.keys, actor.account, wrapped, contact).await?.email,
        _ => "Carnet".to_owned(),
    };
    let begun = passkeys.begin_registration(actor.account, &name, &known);
    let (public_key, state) = begun.map_err(Problem::internal)?;
    let ceremony = Ceremony::Registration(actor.account).keep(&ctx, &state).await?;
    Ok((StatusCode::CREATED, Json(RegistrationOptions { ceremony, public_key })))
}

/// What the browser answered.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewPasskey {
    /// Of the options.
    ceremony: Uuid,
    /// What its owner calls it.
    #[schema(value_type = Option<String>, max_length = 60, pattern = r"^[^\x00]*$")]
    label: Option<Words<60>>,
    /// The credential (`RegistrationResponseJSON` of `WebAuthn`).
    #[schema(value_type = Object)]
    credential: Value,
}

/// Adds a passkey.
#[utoipa::path(post, path = "/v1/second-factors/passkeys", operation_id = "add_passkey", tag = "accounts",
    request_body = NewPasskey,
    responses((status = 201, body = Added), (status = 404, description = "There are no passkeys here: no public address is set."),
              (status = 403, description = "The session is of one factor and there is a second, or it was opened too long ago."),
              (status = 409, description = "It is somebody's already.")))]
pub(crate) async fn add(
    State(ctx): State<Ctx>, actor: Actor, Input(new): Input<NewPasskey>,
) -> Result<(StatusCode, Json<Added>), Problem> {
    let now = ctx.now();
    let passkeys = passkeys(&ctx)?;
    actor.may_change_sign_in(now)?;
    let account = Account::of(&ctx, &actor).await?;
    let invalid = |field: &str| Problem::new(Kind::FieldInvalid).field(field).hint("passkey");
    let state = Ceremony::Registration(actor.account).take(&ctx, new.ceremony).await?;
    let state = state.ok_or_else(|| invalid("ceremony"))?;
    let registered = passkeys.finish_registration(&state, &new.credential).map_err(|_| invalid("credential"))?;
    let id = Uuid::now_v7();
    let key = account.key(&ctx, actor.account).await?;
    let sealed =
        Kept { label: new.label.map_or_else(String::new, Into::into), secret: registered.passkey }.seal(&key, id)?;
    let (codes, hashes) = new_recovery_codes(&ctx.keys, actor.account)?;
    let document = json!({
        "id": id, "secret": sealed, "counter": registered.counter,
        "credential_lookup": ctx.keys.fingerprint(&registered.credential)?,
    });
    let added = ctx.db.optional(&ADD, params![actor.who(now), document, hashes]).await;
    let added = added.map_err(|error| match error {
        error if error.is_constraint("second_factor_credential_key") => Problem::new(Kind::SecondFactorExists),
        error => error.into(),
    })?;
    Ok(added.ok_or_else(|| Problem::new(Kind::NotFound))?.told(codes))
}

fn passkeys(ctx: &Ctx) -> Result<&Passkeys, Problem> {
    ctx.passkeys.as_ref().ok_or_else(|| Problem::new(Kind::NotFound))
}
