//! Signing in and staying so: short access tokens, rotating refresh tokens.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use domain::access::{IDLE_AT_HOME, IDLE_AT_WORK, Level, Role};
use domain::ids::{AccountId, EstablishmentId, MembershipId, SessionId};
use runtime::actor::anonymous;
use runtime::device::Device;
use runtime::edge::{ClientAddress, RequestId};
use runtime::keys::{ACCESS_TOKEN_LIFE, SESSION_LIFE, digest};
use runtime::{Actor, Ctx, Input, Kind, Problem, Words};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
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
    /// In what capacity; when not given, the account's only one at work, or else as a patient.
    #[schema(value_type = Option<String>)]
    role: Option<Role>,
    /// In which establishment, for an account that works in several.
    establishment: Option<EstablishmentId>,
}

#[derive(Debug, Deserialize)]
struct Credentials {
    id: AccountId,
    password_hash: String,
    /// Whether the account has shown the address to be its own.
    verified: bool,
    capacities: Vec<Capacity>,
}

/// In what an account may act, beside as a patient.
#[derive(Debug, Clone, Copy, Deserialize)]
struct Capacity {
    role: Role,
    membership: Option<MembershipId>,
    establishment: Option<EstablishmentId>,
}

impl Capacity {
    const PATIENT: Self = Self { role: Role::Patient, membership: None, establishment: None };
}

impl Credentials {
    /// The one capacity that was meant: asked for, or the only one at work.
    fn capacity(&self, role: Option<Role>, establishment: Option<EstablishmentId>) -> Result<Capacity, Problem> {
        if role == Some(Role::Patient) || (role.is_none() && establishment.is_none() && self.capacities.len() != 1) {
            return Ok(Capacity::PATIENT);
        }
        let meant = |capacity: &&Capacity| {
            role.is_none_or(|role| role == capacity.role)
                && establishment.is_none_or(|establishment| Some(establishment) == capacity.establishment)
        };
        let mut meant = self.capacities.iter().filter(meant);
        match (meant.next(), meant.next()) {
            (Some(capacity), None) => Ok(*capacity),
            (Some(_), Some(_)) => Err(Problem::new(Kind::FieldMissing).field("establishment")),
            (None, _) => Err(Problem::new(Kind::Forbidden).field("role")),
        }
    }
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
    responses((status = 201, body = Tokens), (status = 401, description = "The e-mail and password match no account."),
              (status = 403, description = "The account may not act in that capacity.")))]
pub(crate) async fn sign_in(
    State(ctx): State<Ctx>, request: RequestId, address: ClientAddress, device: Device, Input(given): Input<SignIn>,
) -> Result<(StatusCode, Json<Tokens>), Problem> {
    let now = ctx.now();
    let claimants = ctx.db.many(&CREDENTIALS, params![ctx.keys.lookup("email", &given.email), now]).await?;
    let found = whose(&ctx, claimants, given.password.into()).await?.ok_or_else(|| Problem::new(Kind::SignInFailed))?;
    let capacity = found.capacity(given.role, given.establishment)?;
    let session = SessionId::from_uuid(Uuid::now_v7());
    let (refresh_token, hash) = ctx.keys.new_token().map_err(Problem::internal)?;
    let document = json!({
        "account": found.id, "session": session, "hash": hash, "expires_at": now + SESSION_LIFE,
        "role": capacity.role, "membership": capacity.membership, "level": Level::One, "method": "password", "device": device,
    });
    ctx.db.one(&SIGN_IN, params![anonymous(request, address, now), document]).await?;
    Ok((StatusCode::CREATED, Json(tokens(&ctx, found.id, session, refresh_token)?)))
}

/// Whose password it is: of the one account that has the address, or of the newest that claims it. A wrong one always takes
/// two hashes, so that the time tells nothing of how many there are.
async fn whose(ctx: &Ctx, claimants: Vec<Credentials>, password: String) -> Result<Option<Credentials>, Problem> {
    let (mut verified, mut claimed): (Vec<_>, Vec<_>) = claimants.into_iter().partition(|account| account.verified);
    for candidate in [verified.pop(), claimed.pop()] {
        let hash = candidate.as_ref().map(|account| account.password_hash.clone());
        if ctx.keys.verify_password(password.clone(), hash).await.map_err(Problem::internal)? {
            return Ok(candidate);
        }
    }
    Ok(None)
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
    State(ctx): State<Ctx>, request: RequestId, address: ClientAddress, Input(given): Input<Refresh>,
) -> Result<Json<Tokens>, Problem> {
    let now = ctx.now();
    let (next, next_hash) = ctx.keys.new_token().map_err(Problem::internal)?;
    let who = anonymous(request, address, now);
    let parameters =
        params![who, digest(given.refresh_token.as_bytes()), next_hash, now - IDLE_AT_HOME, now - IDLE_AT_WORK];
    let refreshed = ctx.db.optional(&REFRESH, parameters).await?.ok_or_else(|| Problem::new(Kind::SessionEnded))?;
    Ok(Json(tokens(&ctx, refreshed.account, refreshed.session, next)?))
}

/// Signs out: the session's refresh tokens are worth nothing from now on.
#[utoipa::path(post, path = "/v1/sessions/end", tag = "accounts", responses((status = 204, description = "Signed out.")))]
pub(crate) async fn sign_out(State(ctx): State<Ctx>, actor: Actor) -> Result<StatusCode, Problem> {
    ctx.db.one(&SIGN_OUT, params![actor.who(ctx.now())]).await?;
    Ok(StatusCode::NO_CONTENT)
}
