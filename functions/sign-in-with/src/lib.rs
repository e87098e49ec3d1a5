//! Sign in with Pro Santé Connect or FranceConnect, and link such an identity to an account.

mod answer;
mod identities;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use domain::identity::{Capacity, ProviderKind};
use domain::ids::MembershipId;
use domain::{SignedDuration, Timestamp};
use runtime::actor::anonymous;
use runtime::edge::{ClientAddress, RequestId};
use runtime::keys::digest;
use runtime::openid::{Attempt, Provider};
use runtime::page::Page;
use runtime::{Actor, Ctx, Function, Input, Kind, Problem, Segment};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::{Query as _, Statement, params, statement};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The function.
pub const FUNCTION: Function =
    Function { name: "sign-in-with", manifest: include_str!("../function.yaml"), routes: router, events: None };

const START: Statement<Value> = statement!("start");
const CHOOSE: Statement<Capacity> = statement!("choose");

/// How long somebody may take at the provider.
const ATTEMPT_LIFE: SignedDuration = SignedDuration::from_mins(10);

fn router() -> OpenApiRouter<Ctx> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(start))
        .routes(routes!(link, identities::read, identities::unlink))
        .routes(routes!(answer::answer))
        .routes(routes!(choose))
}

/// An identity provider.
#[derive(Debug, Serialize, ToSchema)]
struct IdentityProvider {
    /// In paths.
    name: String,
    /// As on a button.
    label: String,
    /// `psc` for professionals, `franceconnect` for families.
    kind: ProviderKind,
}

/// Lists the providers one may sign in with.
#[utoipa::path(get, path = "/v1/sign-in-with", operation_id = "list_identity_providers", tag = "sign-in-with",
    responses((status = 200, body = Page<IdentityProvider>)))]
async fn list(State(ctx): State<Ctx>) -> Json<Page<IdentityProvider>> {
    let view = |provider: &Provider| IdentityProvider {
        name: provider.name().to_owned(),
        label: provider.label().to_owned(),
        kind: provider.kind(),
    };
    Json(Page { items: ctx.openid.iter().map(view).collect(), next_cursor: None })
}

/// An attempt that has begun. The ticket stays with who began it and never goes to the provider: without it the provider's
/// answer is worth nothing.
#[derive(Debug, Serialize, ToSchema)]
struct Begun {
    /// Where the browser goes now.
    authorize_url: String,
    /// Comes back with the provider's answer, and must be this one.
    state: String,
    /// Opens this attempt and no other.
    ticket: String,
    /// How long the attempt lives, in seconds.
    expires_in: i64,
}

fn found<'c>(ctx: &'c Ctx, name: &str) -> Result<&'c Provider, Problem> {
    ctx.openid.find(name).ok_or_else(|| Problem::new(Kind::NotFound))
}

async fn begin(
    ctx: &Ctx, provider: &Provider, who: Value, now: Timestamp,
) -> Result<(StatusCode, Json<Begun>), Problem> {
    let (ticket, hash) = ctx.keys.new_token()?;
    let attempt = Attempt::of(&ctx.keys, provider, &ticket)?;
    let authorize_url = provider.authorize_url(&attempt, now).await?;
    ctx.db.one(&START, params![who, hash, provider.name(), now + ATTEMPT_LIFE]).await?;
    let state = attempt.state().to_owned();
    Ok((StatusCode::CREATED, Json(Begun { authorize_url, state, ticket, expires_in: ATTEMPT_LIFE.as_secs() })))
}

/// Begins to sign in: the browser goes to `authorize_url`, and comes back with `code` and `state`.
#[utoipa::path(post, path = "/v1/sign-in-with/{provider}", operation_id = "begin_sign_in_with", tag = "sign-in-with",
    params(("provider" = String, Path)),
    responses((status = 201, body = Begun), (status = 404, description = "No such provider."),
              (status = 503, description = "The provider does not answer.")))]
async fn start(
    State(ctx): State<Ctx>, request: RequestId, address: ClientAddress, Segment(name): Segment<String>,
) -> Result<(StatusCode, Json<Begun>), Problem> {
    let now = ctx.now();
    begin(&ctx, found(&ctx, &name)?, anonymous(request, address, now), now).await
}

/// Begins to link an identity to the caller's account; it ends as a sign-in does.
#[utoipa::path(post, path = "/v1/sign-in-with/{provider}/link", operation_id = "begin_linking_identity", tag = "sign-in-with",
    params(("provider" = String, Path)),
    responses((status = 201, body = Begun), (status = 404, description = "No such provider."),
              (status = 403, description = "The session is of one factor and there is a second, or it was opened too long ago."),
              (status = 503, description = "The provider does not answer.")))]
async fn link(
    State(ctx): State<Ctx>, actor: Actor, Segment(name): Segment<String>,
) -> Result<(StatusCode, Json<Begun>), Problem> {
    let now = ctx.now();
    let provider = found(&ctx, &name)?;
    actor.may_change_sign_in(now)?;
    begin(&ctx, provider, actor.who(now), now).await
}

/// Where a professional acts in this session.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ActivityChoice {
    membership: MembershipId,
}

/// Chooses one activity for the session that Pro Santé Connect opened: one of the `capacities` of the answer.
#[utoipa::path(post, path = "/v1/sign-in-with/{provider}/choice", operation_id = "choose_activity", tag = "sign-in-with",
    request_body = ActivityChoice, params(("provider" = String, Path)),
    responses((status = 200, body = Capacity), (status = 404, description = "Not one of this professional's memberships.")))]
async fn choose(
    State(ctx): State<Ctx>, actor: Actor, Segment(name): Segment<String>, Input(choice): Input<ActivityChoice>,
) -> Result<Json<Capacity>, Problem> {
    let provider = found(&ctx, &name)?.name().to_owned();
    let chosen = ctx.db.optional(&CHOOSE, params![actor.who(ctx.now()), choice.membership.as_uuid(), provider]).await?;
    chosen.map(Json).ok_or_else(|| Problem::new(Kind::NotFound).field("membership"))
}

fn ticket_hash(ticket: &str) -> String {
    digest(ticket.as_bytes())
}
