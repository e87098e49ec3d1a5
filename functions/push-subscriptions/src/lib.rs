//! Where the browsers of an account are told of what concerns it.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use domain::Timestamp;
use domain::access::Level;
use domain::ids::PushSubscriptionId;
use futures_util::future::try_join_all;
use runtime::page::Page;
use runtime::push::{BadSubscription, Stored, Subscription};
use runtime::{Actor, Ctx, Function, Input, Kind, Problem, Segment, Words};
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::{Query as _, Statement, params, statement};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The function.
pub const FUNCTION: Function =
    Function { name: "push-subscriptions", manifest: include_str!("../function.yaml"), routes: router, events: None };

const KEY: Statement<Key> = statement!("key");
const SUBSCRIBE: Statement<Outcome> = statement!("subscribe");
const LIST: Statement<Kept> = statement!("list");
const REMOVE: Statement<Removed> = statement!("remove");

/// Browsers of an account: a family's telephones and computers, and nobody's heap of them.
const MOST: i64 = 10;

fn router() -> OpenApiRouter<Ctx> {
    OpenApiRouter::new().routes(routes!(key)).routes(routes!(list, subscribe)).routes(routes!(remove))
}

/// What a browser has to be told to subscribe.
#[derive(Debug, Serialize, ToSchema)]
struct PushKey {
    /// The `applicationServerKey` of the Push API (RFC 8292), in base64url; null where no push is sent.
    key: Option<String>,
}

/// The key that browsers bind their subscription to.
#[utoipa::path(get, path = "/v1/push-key", operation_id = "read_push_key", tag = "push", responses((status = 200, body = PushKey)))]
async fn key(State(ctx): State<Ctx>) -> Json<PushKey> {
    Json(PushKey { key: ctx.push.public_key().map(str::to_owned) })
}

/// What the browser and we share.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PushKeys {
    #[schema(value_type = String, max_length = 100, pattern = r"^[^\x00]*$")]
    p256dh: Words<100>,
    #[schema(value_type = String, max_length = 100, pattern = r"^[^\x00]*$")]
    auth: Words<100>,
}

/// What a browser's `PushSubscription` says of itself.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewPushSubscription {
    #[schema(value_type = String, max_length = 1024, pattern = r"^[^\x00]*$")]
    endpoint: Words<1024>,
    keys: PushKeys,
    /// What its owner calls the browser.
    #[schema(value_type = Option<String>, max_length = 100, pattern = r"^[^\x00]*$")]
    label: Option<Words<100>>,
}

impl NewPushSubscription {
    fn checked(self, ctx: &Ctx) -> Result<Subscription, Problem> {
        let made = Subscription::new(&self.endpoint, &self.keys.p256dh, &self.keys.auth, ctx.config.is_development());
        let mut made =
            made.map_err(|BadSubscription(field, hint)| Problem::new(Kind::FieldInvalid).field(field).hint(hint))?;
        made.label = self.label.map(|label| label.trim().to_owned()).filter(|label| !label.is_empty());
        Ok(made)
    }
}

/// A browser that is told of what concerns the account.
#[derive(Debug, Serialize, ToSchema)]
struct PushSubscription {
    id: PushSubscriptionId,
    /// What its owner calls it.
    label: Option<String>,
    /// The host of its push service.
    service: String,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// Whether the session that asks made it.
    current: bool,
}

#[derive(Debug, Deserialize)]
struct Key {
    wrapped_key: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
enum Outcome {
    Subscribed { new: bool, created_at: Timestamp },
    TooMany,
    Ended,
}

#[derive(Debug, Deserialize)]
struct Kept {
    #[serde(flatten)]
    stored: Stored,
    created_at: Timestamp,
    current: bool,
}

impl Kept {
    async fn open(self, ctx: &Ctx) -> Result<PushSubscription, Problem> {
        let Self { stored, created_at, current } = self;
        let subscription = stored.open(&ctx.keys).await?;
        let service = subscription.service();
        Ok(PushSubscription {
            id: PushSubscriptionId::from_uuid(stored.id),
            label: subscription.label,
            service,
            created_at,
            current,
        })
    }
}

#[derive(Debug, Deserialize)]
struct Removed {
    removed: i64,
}

/// Lists the browsers that are told of what concerns the caller's account, oldest first.
#[utoipa::path(get, path = "/v1/push-subscriptions", operation_id = "list_push_subscriptions", tag = "push",
    responses((status = 200, body = Page<PushSubscription>)))]
async fn list(State(ctx): State<Ctx>, actor: Actor) -> Result<Json<Page<PushSubscription>>, Problem> {
    let rows = ctx.db.many(&LIST, params![actor.who(ctx.now())]).await?;
    let items = try_join_all(rows.into_iter().map(|row| row.open(&ctx))).await?;
    Ok(Json(Page { items, next_cursor: None }))
}

/// Lets this browser be told, until the session ends. The same address is the same browser: once more changes its keys and
/// name only, and where somebody else has signed in since it is theirs.
#[utoipa::path(post, path = "/v1/push-subscriptions", operation_id = "subscribe_to_push", tag = "push",
    request_body = NewPushSubscription,
    responses((status = 201, body = PushSubscription), (status = 200, body = PushSubscription, description = "It was told already."),
              (status = 403, description = "The session is of one factor and there is a second."),
              (status = 409, description = "Ten browsers are told already.")))]
async fn subscribe(
    State(ctx): State<Ctx>, actor: Actor, Input(wish): Input<NewPushSubscription>,
) -> Result<(StatusCode, Json<PushSubscription>), Problem> {
    // Whoever looks after their account may do this: not without the second factor, where there is one.
    if actor.standing.two_factors && actor.standing.level < Level::Two {
        return Err(Problem::new(Kind::SecondFactorNeeded));
    }
    let subscription = wish.checked(&ctx)?;
    let who = actor.who(ctx.now());
    let own = ctx.db.optional(&KEY, params![who.clone()]).await?;
    let own = own.ok_or_else(|| Problem::new(Kind::Unauthenticated))?;
    let lookup = subscription.lookup(&ctx.keys)?;
    let id = Subscription::id(actor.account, &lookup);
    let key = ctx.keys.owner(actor.account, own.wrapped_key.as_deref()).await?;
    let wish = json!({"id": id, "endpoint_lookup": lookup, "sealed": subscription.sealed(&key, id)?});
    match ctx.db.one(&SUBSCRIBE, params![who, wish, MOST]).await? {
        Outcome::Subscribed { new, created_at } => {
            let status = if new { StatusCode::CREATED } else { StatusCode::OK };
            let (id, service) = (PushSubscriptionId::from_uuid(id), subscription.service());
            let made = PushSubscription { id, label: subscription.label, service, created_at, current: true };
            Ok((status, Json(made)))
        }
        Outcome::TooMany => Err(Problem::new(Kind::TooManyBrowsers).with("most", MOST)),
        Outcome::Ended => Err(Problem::new(Kind::Unauthenticated)),
    }
}

/// Tells a browser nothing more.
#[utoipa::path(post, path = "/v1/push-subscriptions/{id}/removal", operation_id = "remove_push_subscription", tag = "push",
    params(("id" = PushSubscriptionId, Path)),
    responses((status = 204, description = "It is told nothing more."), (status = 404, description = "There is no such browser.")))]
async fn remove(
    State(ctx): State<Ctx>, actor: Actor, Segment(id): Segment<PushSubscriptionId>,
) -> Result<StatusCode, Problem> {
    match ctx.db.one(&REMOVE, params![actor.who(ctx.now()), id.as_uuid()]).await?.removed {
        0 => Err(Problem::new(Kind::NotFound)),
        _ => Ok(StatusCode::NO_CONTENT),
    }
}
