//! Addresses of partners’ programs that an establishment’s events are sent to.

mod log;
mod trust;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use domain::Timestamp;
use domain::ids::WebhookId;
use domain::webhook::{MOST, WebhookEvent};
use runtime::page::Page;
use runtime::webhooks::{Secret, WebhookUrl};
use runtime::{Actor, Ctx, Function, Input, Kind, Problem, Segment, Words};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use store::{Query as _, Statement, params, statement};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

/// The function.
pub const FUNCTION: Function =
    Function { name: "webhooks", manifest: include_str!("../function.yaml"), routes: router, events: None };

const LIST: Statement<Webhook> = statement!("list");
const READ: Statement<Webhook> = statement!("read");
const CREATE: Statement<Outcome> = statement!("create");
const CHANGE: Statement<Webhook> = statement!("change");
const PAUSE: Statement<Turned> = statement!("pause");
const RESUME: Statement<Turned> = statement!("resume");
const REMOVE: Statement<Value> = statement!("remove");

fn router() -> OpenApiRouter<Ctx> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(read, change))
        .routes(routes!(trust::verify))
        .routes(routes!(trust::rotate))
        .routes(routes!(pause))
        .routes(routes!(resume))
        .routes(routes!(remove))
        .routes(routes!(log::test))
        .routes(routes!(log::replay))
        .routes(routes!(log::deliveries))
}

/// An address that events of the establishment are sent to (FHIR `Subscription`).
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Webhook {
    id: WebhookId,
    /// In its normal form.
    url: String,
    description: String,
    events: Vec<WebhookEvent>,
    state: WebhookState,
    /// Of a paused one: by whom or why.
    paused_why: Option<PausedWhy>,
    #[schema(value_type = Option<String>, format = DateTime)]
    paused_at: Option<Timestamp>,
    /// Since when it has taken nothing.
    #[schema(value_type = Option<String>, format = DateTime)]
    failing_since: Option<Timestamp>,
    /// Until when the secret before signs too; those before it until earlier.
    #[schema(value_type = Option<String>, format = DateTime)]
    former_secret_until: Option<Timestamp>,
    /// When it answered the challenge.
    #[schema(value_type = Option<String>, format = DateTime)]
    verified_at: Option<Timestamp>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
}

/// Whether events are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum WebhookState {
    /// Not before it has answered the challenge.
    Unverified,
    /// They are.
    Active,
    /// Not until it is resumed.
    Paused,
}

/// Why a webhook is paused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum PausedWhy {
    /// An administrator wanted it.
    Administrator,
    /// It took nothing for a day.
    Failing,
    /// It answered 410.
    Gone,
}

/// A webhook with what signs to it, which is shown here and never again.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WebhookWithSecret {
    #[serde(flatten)]
    pub(crate) webhook: Webhook,
    /// `whsec_` and base64, as libraries of Standard Webhooks take it.
    pub(crate) secret: String,
}

/// Lists the webhooks of the establishment of the session.
#[utoipa::path(get, path = "/v1/webhooks", operation_id = "list_webhooks", tag = "webhooks",
    responses((status = 200, body = Page<Webhook>)))]
async fn list(State(ctx): State<Ctx>, actor: Actor) -> Result<Json<Page<Webhook>>, Problem> {
    let items = ctx.db.many(&LIST, params![actor.who(ctx.now())]).await?;
    Ok(Json(Page { items, next_cursor: None }))
}

/// Where to, of what.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct WebhookWish {
    /// `https://…`, on the public internet.
    #[schema(value_type = String, format = "uri", max_length = 1000)]
    url: WebhookUrl,
    /// At least one.
    #[schema(min_items = 1)]
    events: Vec<WebhookEvent>,
    /// For people.
    #[schema(value_type = Option<String>, max_length = 200)]
    description: Option<Words<200>>,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
enum Outcome {
    Created { webhook: Box<Webhook> },
    TooMany,
    Unknown,
}

/// Registers an address. Nothing is sent there before it has answered a challenge.
#[utoipa::path(post, path = "/v1/webhooks", operation_id = "create_webhook", tag = "webhooks", request_body = WebhookWish,
    responses((status = 201, body = WebhookWithSecret), (status = 409, description = "There are ten already."),
              (status = 422, description = "Not an address that we go to.")))]
async fn create(
    State(ctx): State<Ctx>, actor: Actor, Input(wish): Input<WebhookWish>,
) -> Result<(StatusCode, Json<WebhookWithSecret>), Problem> {
    let events = chosen(wish.events)?;
    ctx.webhooks.check(&wish.url).await?;
    let (id, secret) = (WebhookId::from_uuid(Uuid::now_v7()), Secret::generate()?);
    let (wrapped_key, sealed) = secret.sealed(&ctx.keys, id).await?;
    let row = json!({
        "id": id, "url": wish.url, "description": wish.description.unwrap_or_default(), "events": events,
        "wrapped_key": wrapped_key, "secret": sealed, "most": MOST,
    });
    match ctx.db.one(&CREATE, params![actor.who(ctx.now()), row]).await? {
        Outcome::Created { webhook } => {
            Ok((StatusCode::CREATED, Json(WebhookWithSecret { webhook: *webhook, secret: secret.shown() })))
        }
        Outcome::TooMany => Err(Problem::new(Kind::WebhooksTooMany).with("most", MOST)),
        Outcome::Unknown => Err(Problem::new(Kind::NotFound)),
    }
}

/// Each once, in order.
fn chosen(mut events: Vec<WebhookEvent>) -> Result<Vec<WebhookEvent>, Problem> {
    events.sort_unstable();
    events.dedup();
    if events.is_empty() {
        return Err(Problem::new(Kind::FieldInvalid).field("events").hint("webhook-events"));
    }
    Ok(events)
}

/// Reads a webhook.
#[utoipa::path(get, path = "/v1/webhooks/{id}", operation_id = "read_webhook", tag = "webhooks",
    params(("id" = WebhookId, Path)), responses((status = 200, body = Webhook)))]
async fn read(State(ctx): State<Ctx>, actor: Actor, Segment(id): Segment<WebhookId>) -> Result<Json<Webhook>, Problem> {
    found(ctx.db.optional(&READ, params![actor.who(ctx.now()), id.as_uuid()]).await?)
}

/// What is changed; what is not given stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct WebhookChange {
    /// Another address answers a challenge first.
    #[schema(value_type = Option<String>, format = "uri", max_length = 1000)]
    url: Option<WebhookUrl>,
    #[schema(min_items = 1)]
    events: Option<Vec<WebhookEvent>>,
    #[schema(value_type = Option<String>, max_length = 200)]
    description: Option<Words<200>>,
}

/// Changes a webhook. What happens while another address is not verified waits for it.
#[utoipa::path(patch, path = "/v1/webhooks/{id}", operation_id = "change_webhook", tag = "webhooks",
    request_body = WebhookChange, params(("id" = WebhookId, Path)),
    responses((status = 200, body = Webhook), (status = 422, description = "Not an address that we go to.")))]
async fn change(
    State(ctx): State<Ctx>, actor: Actor, Segment(id): Segment<WebhookId>, Input(wish): Input<WebhookChange>,
) -> Result<Json<Webhook>, Problem> {
    let events = wish.events.map(chosen).transpose()?;
    let who = actor.who(ctx.now());
    if let Some(url) = &wish.url {
        // Whose it is not learns nothing of addresses.
        drop(found(ctx.db.optional(&READ, params![who.clone(), id.as_uuid()]).await?)?);
        ctx.webhooks.check(url).await?;
    }
    let change = json!({"url": wish.url, "events": events, "description": wish.description});
    found(ctx.db.optional(&CHANGE, params![who, id.as_uuid(), without_nulls(change)]).await?)
}

/// Only what is given: a null would be a list of nothing.
fn without_nulls(mut change: Value) -> Value {
    if let Some(members) = change.as_object_mut() {
        members.retain(|_, value| !value.is_null());
    }
    change
}

fn found(webhook: Option<Webhook>) -> Result<Json<Webhook>, Problem> {
    webhook.map(Json).ok_or_else(|| Problem::new(Kind::NotFound))
}

/// What was found, and what became of it; nothing where it was in no state for that.
#[derive(Debug, Deserialize)]
struct Turned {
    webhook: Option<Webhook>,
}

fn turned(outcome: Option<Turned>) -> Result<Json<Webhook>, Problem> {
    let outcome = outcome.ok_or_else(|| Problem::new(Kind::NotFound))?;
    outcome.webhook.map(Json).ok_or_else(|| Problem::new(Kind::WebhookState))
}

/// Pauses a webhook: what happens waits, three days at most. What is on its way at that moment may still arrive, within ten seconds.
#[utoipa::path(post, path = "/v1/webhooks/{id}/pause", operation_id = "pause_webhook", tag = "webhooks",
    params(("id" = WebhookId, Path)),
    responses((status = 200, body = Webhook), (status = 409, description = "It is not active.")))]
async fn pause(
    State(ctx): State<Ctx>, actor: Actor, Segment(id): Segment<WebhookId>,
) -> Result<Json<Webhook>, Problem> {
    turned(ctx.db.optional(&PAUSE, params![actor.who(ctx.now()), id.as_uuid()]).await?)
}

/// Resumes a paused webhook: what has waited is sent at once, in order, with short pauses again.
#[utoipa::path(post, path = "/v1/webhooks/{id}/resume", operation_id = "resume_webhook", tag = "webhooks",
    params(("id" = WebhookId, Path)),
    responses((status = 200, body = Webhook), (status = 409, description = "It is not paused.")))]
async fn resume(
    State(ctx): State<Ctx>, actor: Actor, Segment(id): Segment<WebhookId>,
) -> Result<Json<Webhook>, Problem> {
    turned(ctx.db.optional(&RESUME, params![actor.who(ctx.now()), id.as_uuid()]).await?)
}

/// Removes a webhook, its secrets, and all that waits for it. What is on its way at that moment may still arrive, within ten seconds.
#[utoipa::path(post, path = "/v1/webhooks/{id}/removal", operation_id = "remove_webhook", tag = "webhooks",
    params(("id" = WebhookId, Path)), responses((status = 204, description = "Nothing more is taken up for it.")))]
async fn remove(State(ctx): State<Ctx>, actor: Actor, Segment(id): Segment<WebhookId>) -> Result<StatusCode, Problem> {
    let removed = ctx.db.optional(&REMOVE, params![actor.who(ctx.now()), id.as_uuid()]).await?;
    removed.map(|_| StatusCode::NO_CONTENT).ok_or_else(|| Problem::new(Kind::NotFound))
}
