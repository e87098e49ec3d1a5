//! The identities that an account was linked to.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use domain::Timestamp;
use runtime::{Actor, Ctx, Kind, Problem, Segment};
use serde::{Deserialize, Serialize};
use store::{Query as _, Statement, params, statement};
use utoipa::ToSchema;

const LINKED: Statement<LinkedIdentity> = statement!("linked");
const UNLINK: Statement<Unlinked> = statement!("unlink");

/// An identity of the caller at a provider. What the provider calls them is not told.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct LinkedIdentity {
    /// Since when it opens the account.
    #[schema(value_type = String, format = DateTime)]
    linked_at: Timestamp,
    /// When it last did.
    #[schema(value_type = String, format = DateTime)]
    used_at: Timestamp,
}

#[derive(Debug, Deserialize)]
struct Unlinked {
    gone: i64,
}

/// Says whether the caller's account has an identity of this provider.
#[utoipa::path(get, path = "/v1/sign-in-with/{provider}/link", operation_id = "read_linked_identity", tag = "sign-in-with",
    params(("provider" = String, Path)),
    responses((status = 200, body = LinkedIdentity), (status = 404, description = "None is linked.")))]
pub(crate) async fn read(
    State(ctx): State<Ctx>, actor: Actor, Segment(name): Segment<String>,
) -> Result<Json<LinkedIdentity>, Problem> {
    let provider = crate::found(&ctx, &name)?.name();
    let linked = ctx.db.optional(&LINKED, params![actor.who(ctx.now()), provider]).await?;
    linked.map(Json).ok_or_else(|| Problem::new(Kind::NotFound))
}

/// Unlinks it, and ends the sessions it opened.
#[utoipa::path(delete, path = "/v1/sign-in-with/{provider}/link", operation_id = "unlink_identity", tag = "sign-in-with",
    params(("provider" = String, Path)),
    responses((status = 204, description = "Unlinked."),
              (status = 403, description = "The session is of one factor and there is a second, or it was opened too long ago."),
              (status = 404, description = "None is linked, or it is the only way into an account without a verified address.")))]
pub(crate) async fn unlink(
    State(ctx): State<Ctx>, actor: Actor, Segment(name): Segment<String>,
) -> Result<StatusCode, Problem> {
    let (provider, now) = (crate::found(&ctx, &name)?.name(), ctx.now());
    actor.may_change_sign_in(now)?;
    match ctx.db.one(&UNLINK, params![actor.who(now), provider]).await?.gone {
        0 => Err(Problem::new(Kind::NotFound)),
        _ => Ok(StatusCode::NO_CONTENT),
    }
}
