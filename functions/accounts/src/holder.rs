//! The caller's account: what it is, and its end.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use domain::Timestamp;
use domain::ids::AccountId;
use runtime::keys::KeyError;
use runtime::people::{Contact, Telephone};
use runtime::{Actor, Ctx, Input, Kind, Lang, Problem};
use serde::{Deserialize, Serialize};
use store::{Query as _, Statement, params, statement};
use utoipa::ToSchema;

use crate::own::{self, Password};

const ME: Statement<Stored> = statement!("me");
const CLOSE: Statement<Closing> = statement!("close");

/// The caller's account.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OwnAccount {
    id: AccountId,
    /// None for who came with an identity provider that told none.
    email: Option<String>,
    /// Whether the address was shown to be theirs.
    email_verified: bool,
    phone: Option<String>,
    /// Whether the number was shown to be theirs.
    phone_verified: bool,
    language: Lang,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    email_change: Option<Pending>,
}

/// Another address that was asked for.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Pending {
    email: String,
    #[schema(value_type = String, format = DateTime)]
    asked_at: Timestamp,
    confirmed_by_new: bool,
    confirmed_by_old: bool,
    /// From then on the old address need not confirm any more.
    #[schema(value_type = String, format = DateTime)]
    unopposed_from: Timestamp,
}

#[derive(Debug, Deserialize)]
struct Stored {
    id: AccountId,
    wrapped_key: Option<String>,
    contact: Option<String>,
    telephone: Option<String>,
    language: Lang,
    email_verified: bool,
    phone_verified: bool,
    created_at: Timestamp,
    email_change: Option<Change>,
}

#[derive(Debug, Deserialize)]
struct Change {
    contact: String,
    asked_at: Timestamp,
    confirmed_by_new: bool,
    confirmed_by_old: bool,
    unopposed_from: Timestamp,
}

/// Reads the caller's account.
#[utoipa::path(get, path = "/v1/accounts/me", operation_id = "read_account", tag = "accounts",
    responses((status = 200, body = OwnAccount)))]
pub(crate) async fn read(State(ctx): State<Ctx>, actor: Actor) -> Result<Json<OwnAccount>, Problem> {
    let stored = ctx.db.optional(&ME, params![actor.who(ctx.now())]).await?;
    let stored = stored.ok_or_else(|| Problem::new(Kind::Unauthenticated))?;
    let open = async |sealed: &str| {
        let key = stored.wrapped_key.as_deref().ok_or(KeyError::Erased)?;
        Contact::open(&ctx.keys, stored.id, key, sealed).await
    };
    let contact = match &stored.contact {
        Some(contact) => Some(open(contact).await?),
        None => None,
    };
    let (key, sealed) = (stored.wrapped_key.as_deref(), stored.telephone.as_deref());
    let telephone = Telephone::open(&ctx.keys, stored.id, key, sealed, stored.contact.as_deref()).await?;
    let email_change = match &stored.email_change {
        Some(change) => Some(Pending {
            email: open(&change.contact).await?.email,
            asked_at: change.asked_at,
            confirmed_by_new: change.confirmed_by_new,
            confirmed_by_old: change.confirmed_by_old,
            unopposed_from: change.unopposed_from,
        }),
        None => None,
    };
    Ok(Json(OwnAccount {
        id: stored.id,
        email: contact.map(|contact| contact.email),
        email_verified: stored.email_verified,
        phone: telephone.phone,
        phone_verified: stored.phone_verified,
        language: stored.language,
        created_at: stored.created_at,
        email_change,
    }))
}

/// The password, asked once more.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Closure {
    #[schema(value_type = String, max_length = 1000, format = "password", pattern = r"^[^\x00]*$")]
    password: Password,
}

#[derive(Debug, Deserialize)]
struct Closing {
    employed: bool,
    needed: bool,
    closed: bool,
}

/// Closes the caller's account for good: nothing tells any more whose it was, and the address may be used for another. The
/// records of its patients are kept as the law wants.
#[utoipa::path(post, path = "/v1/accounts/closure", operation_id = "close_account", tag = "accounts", request_body = Closure,
    responses((status = 204, description = "Closed."),
              (status = 409, description = "Somebody depends on the account: a visit ahead, or an establishment."),
              (status = 422, description = "The password is another.")))]
pub(crate) async fn close(
    State(ctx): State<Ctx>, actor: Actor, Input(given): Input<Closure>,
) -> Result<StatusCode, Problem> {
    let own = own::confirmed(&ctx, &actor, "password", given.password).await?;
    let closing = ctx.db.optional(&CLOSE, params![actor.who(ctx.now()), own.password_hash]).await?;
    match closing {
        Some(Closing { employed: true, .. }) => Err(Problem::new(Kind::MemberStill)),
        Some(Closing { needed: true, .. }) => Err(Problem::new(Kind::VisitsAhead)),
        Some(Closing { closed: true, .. }) => Ok(StatusCode::NO_CONTENT),
        // Closed or given another password between the two.
        _ => Err(Problem::new(Kind::Unauthenticated)),
    }
}
