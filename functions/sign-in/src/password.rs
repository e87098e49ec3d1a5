//! With a password, and a second factor where there is one.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use domain::access::Role;
use domain::ids::{AccountId, EstablishmentId};
use runtime::actor::anonymous;
use runtime::device::Device;
use runtime::edge::{ClientAddress, RequestId};
use runtime::passwords::is_present_hash;
use runtime::second_factors::{Factor, FactorKind, proof_of};
use runtime::sessions::{self, Capacity, Opening, Proof, Tokens};
use runtime::sign_in_attempts::{Attempt, address_hash};
use runtime::{Ctx, Input, Kind, Problem, Words};
use serde::Deserialize;
use serde_json::Value;
use store::{Query as _, Statement, params, statement};
use utoipa::ToSchema;

const CREDENTIALS: Statement<Credentials> = statement!("credentials");
const REHASH: Statement<Value> = statement!("rehash");

/// Who signs in.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SignIn {
    #[schema(value_type = String, max_length = 254, pattern = r"^[^\x00]*$")]
    email: Words<254>,
    #[schema(value_type = String, max_length = 1000, format = "password", pattern = r"^[^\x00]*$")]
    password: Words<1000>,
    /// For an account with a second factor: the six figures of its app, or a recovery code.
    #[schema(value_type = Option<String>, max_length = 40, pattern = r"^[^\x00]*$")]
    otp: Option<Words<40>>,
    /// In what capacity; when not given, the account's only one at work, or else as a patient.
    role: Option<Role>,
    /// In which establishment, for an account that works in several.
    establishment: Option<EstablishmentId>,
    /// What an earlier sign-in on this device was answered.
    #[schema(value_type = Option<String>, max_length = 120, pattern = r"^[^\x00]*$")]
    device_token: Option<Words<120>>,
}

#[derive(Debug, Deserialize)]
struct Credentials {
    id: AccountId,
    password_hash: String,
    /// Whether the account has shown the address to be its own.
    verified: bool,
    wrapped_key: Option<String>,
    capacities: Vec<Capacity>,
    factors: Vec<Factor>,
}

/// Signs in. An account with a second factor needs it each time; without one, a session is worth one factor.
#[utoipa::path(post, path = "/v1/sessions", tag = "accounts", request_body = SignIn,
    responses((status = 201, body = Tokens),
              (status = 401, description = "What was given matches no account; or `second-factor-needed-at-sign-in`: the password does, and `otp` is missing."),
              (status = 403, description = "The account may not act in that capacity."),
              (status = 429, description = "Too many attempts failed: try again after Retry-After seconds.")))]
pub(crate) async fn sign_in(
    State(ctx): State<Ctx>, request: RequestId, address: ClientAddress, device: Device, Input(given): Input<SignIn>,
) -> Result<(StatusCode, Json<Tokens>), Problem> {
    let lookup = ctx.keys.lookup("email", &given.email)?;
    let attempt = Attempt::at_sign_in(&ctx, address, &lookup, given.device_token.as_deref()).await?;
    let (found, outcome) = tried(&ctx, (request, address, device), &lookup, given, &attempt).await;
    let problem = match outcome {
        Ok(tokens) => return Ok((StatusCode::CREATED, Json(tokens))),
        Err(problem) => problem,
    };
    let failed = problem.kind == Kind::SignInFailed;
    attempt.settle(&ctx, anonymous(request, address, ctx.now()), failed, "session.open", found).await?;
    Err(problem)
}

/// Whom the address is of, for the audit trail, and what became of it.
async fn tried(
    ctx: &Ctx, (request, address, device): (RequestId, ClientAddress, Device), lookup: &str, given: SignIn,
    attempt: &Attempt,
) -> (Option<AccountId>, Result<Tokens, Problem>) {
    let from = match address_hash(ctx, address) {
        Ok(from) => from,
        Err(error) => return (None, Err(error.into())),
    };
    let claimants = match ctx.db.many(&CREDENTIALS, params![lookup, ctx.now(), from]).await {
        Ok(claimants) => claimants,
        Err(error) => return (None, Err(error.into())),
    };
    let owner = claimants.iter().find(|account| account.verified).or(claimants.first()).map(|account| account.id);
    let outcome = async {
        let failed = || Problem::new(Kind::SignInFailed);
        let password = String::from(given.password);
        let account = whose(ctx, claimants, password.clone()).await?.ok_or_else(failed)?;
        let proof = account.proof(ctx, given.otp).await?.ok_or_else(failed)?;
        let capacity = Capacity::meant(&account.capacities, given.role, given.establishment)?;
        let (id, hash) = (account.id, account.password_hash);
        let password_hash = Some(hash.clone());
        let opening = Opening { account: id, capacity, proof, password_hash, device, attempt: Some(attempt) };
        let tokens = sessions::open(ctx, request, address, opening).await?.ok_or_else(failed)?;
        keep_up(ctx, anonymous(request, address, ctx.now()), id, &hash, password).await;
        Ok(tokens)
    };
    (owner, outcome.await)
}

/// A password whose hash is of former parameters is hashed anew while it is at hand. Nobody is kept out by a failure of that:
/// the next sign-in tries again.
async fn keep_up(ctx: &Ctx, who: Value, account: AccountId, hash: &str, password: String) {
    if is_present_hash(hash) {
        return;
    }
    let kept = async {
        let anew = ctx.keys.hash_password(password).await?;
        ctx.db.optional(&REHASH, params![who, account.as_uuid(), hash, anew]).await.map_err(Problem::from)
    };
    if let Err(problem) = kept.await {
        tracing::warn!(kind = ?problem.kind, "a password could not be hashed anew");
    }
}

/// Whose password it is: of the one account that has the address, or of the newest, the oldest or the one known here that claims
/// it: nobody who came before or comes after keeps somebody out. A wrong one always takes four hashes, so that the time tells
/// nothing of how many there are.
async fn whose(ctx: &Ctx, claimants: Vec<Credentials>, password: String) -> Result<Option<Credentials>, Problem> {
    let (mut verified, claimed): (Vec<_>, Vec<_>) = claimants.into_iter().partition(|account| account.verified);
    let mut newest_first = claimed.into_iter();
    let mut candidates = [verified.pop(), newest_first.next(), newest_first.next(), newest_first.next()];
    let hash = |candidate: &Option<Credentials>| candidate.as_ref().map(|account| account.password_hash.clone());
    let matched = ctx.keys.first_password(password, candidates.iter().map(hash).collect()).await?;
    Ok(matched.and_then(|at| candidates.get_mut(at)).and_then(Option::take))
}

impl Credentials {
    /// What the password and the code prove together. Only who knows the password learns that a code is asked for.
    async fn proof(&self, ctx: &Ctx, otp: Option<Words<40>>) -> Result<Option<Proof>, Problem> {
        if self.factors.is_empty() {
            return Ok(Some(Proof::Password));
        }
        let Some(otp) = otp else {
            let has = |kind| self.factors.iter().any(|factor| factor.kind == kind);
            let mut ways = vec!["recovery-code"];
            ways.extend(has(FactorKind::Totp).then_some("totp"));
            ways.extend(has(FactorKind::Passkey).then_some("passkey"));
            return Err(Problem::new(Kind::SecondFactorAsked).field("otp").with("factors", ways));
        };
        proof_of(ctx, self.id, self.wrapped_key.as_deref(), &self.factors, &otp).await
    }
}
