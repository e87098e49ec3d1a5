//! Authenticator apps, passkeys and recovery codes of one's own account.

mod app;
mod passkey;
mod remove;
mod reset;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use domain::Timestamp;
use domain::ids::AccountId;
use runtime::keys::OwnerKey;
use runtime::second_factors::{FactorKind, Kept, new_recovery_codes};
use runtime::{Actor, Ctx, Function, Kind, Problem};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::{Query as _, Statement, params, statement};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

/// The function.
pub const FUNCTION: Function =
    Function { name: "second-factors", manifest: include_str!("../function.yaml"), routes: router, events: None };

const ACCOUNT: Statement<Account> = statement!("account");
const LIST: Statement<Listed> = statement!("list");
const REPLACE_RECOVERY_CODES: Statement<Value> = statement!("replace_recovery_codes");

fn router() -> OpenApiRouter<Ctx> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(app::enrol))
        .routes(routes!(app::confirm))
        .routes(routes!(passkey::options))
        .routes(routes!(passkey::add))
        .routes(routes!(replace_recovery_codes))
        .routes(routes!(remove::remove))
        .routes(routes!(reset::reset))
}

/// What a change is decided on.
#[derive(Debug, Deserialize)]
struct Account {
    wrapped_key: Option<String>,
    contact: Option<String>,
    password_hash: String,
    /// How the session of the request was opened.
    method: String,
    factors: Vec<Held>,
}

/// A factor of the account.
#[derive(Debug, Deserialize)]
struct Held {
    id: Uuid,
    kind: FactorKind,
    secret: String,
    /// Whether it still has to show its first code.
    waiting: bool,
}

impl Account {
    async fn of(ctx: &Ctx, actor: &Actor) -> Result<Self, Problem> {
        let found = ctx.db.optional(&ACCOUNT, params![actor.who(ctx.now())]).await?;
        found.ok_or_else(|| Problem::new(Kind::NotFound))
    }

    fn confirmed(&self) -> impl Iterator<Item = &Held> {
        self.factors.iter().filter(|factor| !factor.waiting)
    }

    async fn key(&self, ctx: &Ctx, account: AccountId) -> Result<OwnerKey, Problem> {
        Ok(ctx.keys.owner(account, self.wrapped_key.as_deref()).await?)
    }
}

#[derive(Debug, Deserialize)]
struct Listed {
    wrapped_key: Option<String>,
    recovery_codes: i64,
    factors: Vec<ListedFactor>,
}

#[derive(Debug, Deserialize)]
struct ListedFactor {
    id: Uuid,
    kind: FactorKind,
    secret: String,
    created_at: Timestamp,
    last_used_at: Option<Timestamp>,
}

/// A second factor.
#[derive(Debug, Serialize, ToSchema)]
struct SecondFactor {
    id: Uuid,
    kind: FactorKind,
    /// What its owner calls it.
    label: String,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[schema(value_type = Option<String>, format = DateTime)]
    last_used_at: Option<Timestamp>,
}

/// Second factors of an account.
#[derive(Debug, Serialize, ToSchema)]
struct SecondFactors {
    items: Vec<SecondFactor>,
    /// Always null: there are few.
    #[schema(value_type = Option<String>)]
    next_cursor: Option<String>,
    /// How many recovery codes are left.
    recovery_codes: i64,
}

/// A factor that was added.
#[derive(Debug, Serialize, ToSchema)]
struct Added {
    id: Uuid,
    /// With the first factor: ten codes, each good once, for who has lost everything else. Shown this once.
    recovery_codes: Option<Vec<String>>,
}

/// As the statements that add one answer.
#[derive(Debug, Deserialize)]
struct AddedRow {
    id: Uuid,
    /// Whether the recovery codes were kept, which they are with the first factor.
    first: bool,
}

impl AddedRow {
    fn told(self, codes: Vec<String>) -> (StatusCode, Json<Added>) {
        (StatusCode::CREATED, Json(Added { id: self.id, recovery_codes: self.first.then_some(codes) }))
    }
}

/// The second factors of one's own account.
#[utoipa::path(get, path = "/v1/second-factors", operation_id = "list_second_factors", tag = "accounts",
    responses((status = 200, body = SecondFactors)))]
async fn list(State(ctx): State<Ctx>, actor: Actor) -> Result<Json<SecondFactors>, Problem> {
    let listed = ctx.db.optional(&LIST, params![actor.who(ctx.now())]).await?;
    let listed = listed.ok_or_else(|| Problem::new(Kind::NotFound))?;
    let mut items = Vec::new();
    if !listed.factors.is_empty() {
        let key = ctx.keys.owner(actor.account, listed.wrapped_key.as_deref()).await?;
        for ListedFactor { id, kind, secret, created_at, last_used_at } in listed.factors {
            let label = Kept::<Value>::open(&key, id, &secret)?.label;
            items.push(SecondFactor { id, kind, label, created_at, last_used_at });
        }
    }
    Ok(Json(SecondFactors { items, next_cursor: None, recovery_codes: listed.recovery_codes }))
}

/// Recovery codes.
#[derive(Debug, Serialize, ToSchema)]
struct RecoveryCodes {
    /// Ten, each good once; shown this once.
    recovery_codes: Vec<String>,
}

/// Makes new recovery codes; earlier ones are good no more.
#[utoipa::path(post, path = "/v1/second-factors/recovery-codes", operation_id = "replace_recovery_codes", tag = "accounts",
    responses((status = 201, body = RecoveryCodes), (status = 404, description = "There is no second factor."),
              (status = 403, description = "The session is of one factor, or was opened too long ago.")))]
async fn replace_recovery_codes(
    State(ctx): State<Ctx>, actor: Actor,
) -> Result<(StatusCode, Json<RecoveryCodes>), Problem> {
    let now = ctx.now();
    actor.may_change_sign_in(now)?;
    let (recovery_codes, hashes) = new_recovery_codes(&ctx.keys, actor.account)?;
    let replaced = ctx.db.optional(&REPLACE_RECOVERY_CODES, params![actor.who(now), hashes]).await?;
    replaced.ok_or_else(|| Problem::new(Kind::NotFound))?;
    Ok((StatusCode::CREATED, Json(RecoveryCodes { recovery_codes })))
}
