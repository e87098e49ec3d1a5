//! What was sent: the log, a test, and sending again.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use domain::Timestamp;
use domain::ids::{WebhookDeliveryId, WebhookId};
use domain::webhook::{LIFE, MOST_REPLAYED};
use runtime::page::{Limit, Page, cursor, parse_cursor};
use runtime::{Actor, Ctx, Input, Kind, Params, Problem, Segment};
use serde::{Deserialize, Serialize};
use store::{Query as _, Statement, params, statement};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

const DELIVERIES: Statement<Deliveries> = statement!("deliveries");
const TEST: Statement<Planned> = statement!("test");
const REPLAY: Statement<Replayed> = statement!("replay");

/// How a delivery stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum DeliveryState {
    /// On its way, or waiting for its next try.
    Waiting,
    /// Answered with 2xx.
    Delivered,
    /// Tried for three days.
    Failed,
    /// It waited for three days and was never tried, the webhook being paused; or the document is not to be seen any more.
    Expired,
}

impl DeliveryState {
    fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Delivered => "delivered",
            Self::Failed => "failed",
            Self::Expired => "expired",
        }
    }
}

/// One try.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
struct Try {
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// What was answered, if anything was.
    status: Option<u16>,
    /// `timeout`, `connection`, `answer`, `status`, `no-roots`; none when it was taken.
    error: Option<String>,
    /// How long it took, in milliseconds.
    ms: i64,
}

/// One event on its way to a webhook.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct WebhookDelivery {
    /// What the receiver is told as `webhook-id`, at each try and replay.
    id: WebhookDeliveryId,
    /// What happened.
    r#type: String,
    /// To what.
    subject: Uuid,
    #[schema(value_type = String, format = DateTime)]
    occurred_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    planned_at: Timestamp,
    state: DeliveryState,
    attempts: u32,
    /// How often it was asked for again.
    replays: u32,
    #[schema(value_type = Option<String>, format = DateTime)]
    settled_at: Option<Timestamp>,
    #[schema(value_type = Option<String>, format = DateTime)]
    next_attempt_at: Option<Timestamp>,
    /// The last twenty, the newest last.
    tries: Vec<Try>,
}

#[derive(Debug, Deserialize)]
struct Deliveries {
    deliveries: Vec<WebhookDelivery>,
}

/// Which.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct DeliveryFilter {
    #[param(inline)]
    state: Option<DeliveryState>,
    #[param(value_type = Option<i64>, minimum = 1, maximum = 200, default = 50)]
    #[serde(default)]
    limit: Limit<50, 200>,
    /// `next_cursor` of the page before.
    #[param(max_length = 1000)]
    cursor: Option<String>,
}

/// Lists what was sent to a webhook in the last 30 days, or is on its way, the newest first.
#[utoipa::path(get, path = "/v1/webhooks/{id}/deliveries", operation_id = "list_webhook_deliveries", tag = "webhooks",
    params(("id" = WebhookId, Path), DeliveryFilter), responses((status = 200, body = Page<WebhookDelivery>)))]
pub(crate) async fn deliveries(
    State(ctx): State<Ctx>, actor: Actor, Segment(id): Segment<WebhookId>, Params(filter): Params<DeliveryFilter>,
) -> Result<Json<Page<WebhookDelivery>>, Problem> {
    let before: Option<(Timestamp, Uuid)> = parse_cursor(filter.cursor.as_deref())?;
    let parameters = params![
        actor.who(ctx.now()),
        id.as_uuid(),
        filter.state.map(DeliveryState::name),
        filter.limit.get() + 1,
        before.map(|before| before.0),
        before.map(|before| before.1),
    ];
    let found = ctx.db.optional(&DELIVERIES, parameters).await?;
    let mut items = found.ok_or_else(|| Problem::new(Kind::NotFound))?.deliveries;
    let more = items.len() > filter.limit.len();
    items.truncate(filter.limit.len());
    let next_cursor = items.last().filter(|_| more).and_then(|last| cursor(&(last.planned_at, last.id)));
    Ok(Json(Page { items, next_cursor }))
}

#[derive(Debug, Deserialize)]
struct Planned {
    planned: bool,
}

/// A delivery that was planned.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TestSent {
    /// Its log tells how it went.
    delivery: WebhookDeliveryId,
}

/// Sends an event `webhook.test` that tells of nothing, the way that all others go: it is tried again, too.
#[utoipa::path(post, path = "/v1/webhooks/{id}/test", operation_id = "test_webhook", tag = "webhooks",
    params(("id" = WebhookId, Path)),
    responses((status = 202, body = TestSent), (status = 409, description = "It is not active.")))]
pub(crate) async fn test(
    State(ctx): State<Ctx>, actor: Actor, Segment(id): Segment<WebhookId>,
) -> Result<(StatusCode, Json<TestSent>), Problem> {
    let (now, delivery) = (ctx.now(), WebhookDeliveryId::from_uuid(Uuid::now_v7()));
    let parameters = params![actor.who(now), id.as_uuid(), delivery.as_uuid(), now + LIFE];
    let planned = ctx.db.optional(&TEST, parameters).await?;
    if !planned.ok_or_else(|| Problem::new(Kind::NotFound))?.planned {
        return Err(Problem::new(Kind::WebhookState));
    }
    Ok((StatusCode::ACCEPTED, Json(TestSent { delivery })))
}

/// One delivery, or those of a stretch of time.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReplayWish {
    /// This one…
    delivery: Option<WebhookDeliveryId>,
    /// …or those of events from here on…
    #[schema(value_type = Option<String>, format = DateTime)]
    from: Option<Timestamp>,
    /// …and before here.
    #[schema(value_type = Option<String>, format = DateTime)]
    to: Option<Timestamp>,
}

/// What is sent again.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Replayed {
    /// How many deliveries; what is still waiting is not among them, nor documents that are not to be seen any more.
    replayed: i64,
    /// Of a stretch that holds more than may be sent again at once: the instant of the last one that was. Ask again `from` here.
    #[schema(value_type = Option<String>, format = DateTime)]
    until: Option<Timestamp>,
}

/// Sends again what was delivered or given up: one delivery, or up to 10,000 of a stretch of time, the oldest first, tests apart. Each
/// keeps its id, so that a receiver knows what it has already. What happens meanwhile goes first.
#[utoipa::path(post, path = "/v1/webhooks/{id}/replay", operation_id = "replay_webhook", tag = "webhooks",
    request_body = ReplayWish, params(("id" = WebhookId, Path)), responses((status = 202, body = Replayed)))]
pub(crate) async fn replay(
    State(ctx): State<Ctx>, actor: Actor, Segment(id): Segment<WebhookId>, Input(wish): Input<ReplayWish>,
) -> Result<(StatusCode, Json<Replayed>), Problem> {
    match (wish.delivery, wish.from, wish.to) {
        (Some(_), None, None) => {}
        (None, Some(from), Some(to)) if from <= to => {}
        (None, Some(_), Some(_)) => return Err(Problem::new(Kind::RangeReversed).field("from")),
        _ => return Err(Problem::new(Kind::FieldInvalid).field("delivery").hint("webhook-replay")),
    }
    let now = ctx.now();
    let parameters = params![
        actor.who(now),
        id.as_uuid(),
        wish.delivery.map(WebhookDeliveryId::as_uuid),
        wish.from,
        wish.to,
        now + LIFE,
        MOST_REPLAYED,
    ];
    let replayed = ctx.db.optional(&REPLAY, parameters).await?;
    Ok((StatusCode::ACCEPTED, Json(replayed.ok_or_else(|| Problem::new(Kind::NotFound))?)))
}
