//! With a passkey alone.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use domain::access::Role;
use domain::ids::{AccountId, EstablishmentId};
use runtime::actor::anonymous;
use runtime::device::Device;
use runtime::edge::{ClientAddress, RequestId};
use runtime::passkeys::{Ceremony, Passkeys};
use runtime::second_factors::Kept;
use runtime::sessions::{self, Capacity, Opening, Proof, Tokens};
use runtime::sign_in_attempts::Attempt;
use runtime::{Ctx, Input, Kind, Problem};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::{Query as _, Statement, params, statement};
use utoipa::ToSchema;
use uuid::Uuid;

const PASSKEY: Statement<Claimed> = statement!("passkey");

/// What a browser needs, for `navigator.credentials.get`.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SignInOptions {
    /// Send it back with the answer, once, within five minutes.
    ceremony: Uuid,
    /// `publicKey` (`PublicKeyCredentialRequestOptionsJSON` of `WebAuthn`).
    #[schema(value_type = Object)]
    public_key: Value,
}

/// What the browser answered.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Answer {
    /// Of the options.
    ceremony: Uuid,
    /// The credential (`AuthenticationResponseJSON` of `WebAuthn`).
    #[schema(value_type = Object)]
    credential: Value,
    /// In what capacity; when not given, the account's only one at work, or else as a patient.
    role: Option<Role>,
    /// In which establishment, for an account that works in several.
    establishment: Option<EstablishmentId>,
}

#[derive(Debug, Deserialize)]
struct Claimed {
    id: Uuid,
    secret: String,
    wrapped_key: Option<String>,
    capacities: Vec<Capacity>,
}

/// Begins a sign-in with a passkey. Nobody is asked who they are: the passkey says so.
#[utoipa::path(post, path = "/v1/sessions/passkey/options", operation_id = "passkey_sign_in_options", tag = "accounts",
    responses((status = 201, body = SignInOptions), (status = 404, description = "There are no passkeys here: no public address is set.")))]
pub(crate) async fn options(State(ctx): State<Ctx>) -> Result<(StatusCode, Json<SignInOptions>), Problem> {
    let (public_key, state) = passkeys(&ctx)?.begin_sign_in().map_err(Problem::internal)?;
    let ceremony = Ceremony::SignIn.keep(&ctx, &state).await?;
    Ok((StatusCode::CREATED, Json(SignInOptions { ceremony, public_key })))
}

/// Signs in with a passkey. Its session is worth two factors: the key, and what the device asked its user for.
#[utoipa::path(post, path = "/v1/sessions/passkey", operation_id = "passkey_sign_in", tag = "accounts", request_body = Answer,
    responses((status = 201, body = Tokens), (status = 401, description = "The answer does not hold, or came too late or twice."),
              (status = 403, description = "The account may not act in that capacity."),
              (status = 404, description = "There are no passkeys here: no public address is set.")))]
pub(crate) async fn sign_in(
    State(ctx): State<Ctx>, request: RequestId, address: ClientAddress, device: Device, Input(given): Input<Answer>,
) -> Result<(StatusCode, Json<Tokens>), Problem> {
    let (claimed, outcome) = tried(&ctx, request, address, device, given).await;
    if let Err(problem) = &outcome {
        let failed = problem.kind == Kind::SignInFailed;
        let who = anonymous(request, address, ctx.now());
        Attempt::uncounted().settle(&ctx, who, failed, "session.open", claimed).await?;
    }
    Ok((StatusCode::CREATED, Json(outcome?)))
}

/// Whose key it is, for the audit trail, and what became of it.
async fn tried(
    ctx: &Ctx, request: RequestId, address: ClientAddress, device: Device, given: Answer,
) -> (Option<AccountId>, Result<Tokens, Problem>) {
    let mut whose = None;
    let outcome = async {
        let passkeys = passkeys(ctx)?;
        let failed = || Problem::new(Kind::SignInFailed);
        let state = Ceremony::SignIn.take(ctx, given.ceremony).await?.ok_or_else(failed)?;
        let (account, credential) = passkeys.claimed(&given.credential).map_err(|_| failed())?;
        let lookup = ctx.keys.fingerprint(&credential)?;
        let claimed = ctx.db.optional(&PASSKEY, params![account.as_uuid(), lookup, ctx.now()]).await?;
        let claimed = claimed.ok_or_else(failed)?;
        whose = Some(account);
        let key = ctx.keys.owner(account, claimed.wrapped_key.as_deref()).await?;
        let mut kept = Kept::<Value>::open(&key, claimed.id, &claimed.secret)?;
        let used = passkeys.finish_sign_in(&state, &given.credential, &kept.secret).map_err(|_| failed())?;
        kept.secret = used.passkey;
        let capacity = Capacity::meant(&claimed.capacities, given.role, given.establishment)?;
        let secret = kept.seal(&key, claimed.id)?;
        let proof = Proof::Passkey { factor: claimed.id, counter: used.counter, secret };
        let opening = Opening { account, capacity, proof, password_hash: None, device, attempt: None };
        sessions::open(ctx, request, address, opening).await?.ok_or_else(failed)
    };
    let outcome = outcome.await;
    (whose, outcome)
}

fn passkeys(ctx: &Ctx) -> Result<&Passkeys, Problem> {
    ctx.passkeys.as_ref().ok_or_else(|| Problem::new(Kind::NotFound))
}
