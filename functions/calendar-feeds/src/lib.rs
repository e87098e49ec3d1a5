//! Addresses at which a calendar program reads when one’s visits are.

mod content;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use domain::access::Role;
use domain::ids::{CalendarFeedId, PatientId};
use domain::{Date, Timestamp};
use runtime::page::Page;
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
    Function { name: "calendar-feeds", manifest: include_str!("../function.yaml"), routes: router, events: None };

const KEY: Statement<Key> = statement!("key");
const CREATE: Statement<CalendarFeed> = statement!("create");
const LIST: Statement<Own> = statement!("list");
const REVOKE: Statement<Value> = statement!("revoke");

/// Live feeds of a capacity at most: the places of `open_calendar_feed`.
const MOST: u8 = 10;
/// What a label is sealed for.
const LABEL: &str = "calendar_feed.label";

fn router() -> OpenApiRouter<Ctx> {
    OpenApiRouter::new().routes(routes!(list, create)).routes(routes!(revoke)).routes(routes!(content::content))
}

/// For whom, and what its owner calls it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct CalendarFeedWish {
    /// The visits of this patient alone; without it, of all whose visits the caller may see. Not for practitioners, whose feed is
    /// of their own agenda in the establishment of the session.
    patient: Option<PatientId>,
    /// To know it again by: « Téléphone de Camille ». Kept sealed.
    #[schema(value_type = Option<String>, max_length = 100, pattern = r"^[^\x00]*$")]
    label: Option<Words<100>>,
}

/// An address at which a calendar program reads visits. The address itself is told when it is made, and never again.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
struct CalendarFeed {
    id: CalendarFeedId,
    label: Option<String>,
    /// Of one patient alone.
    patient: Option<PatientId>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// The day (UTC) on which a program last read it.
    #[schema(value_type = Option<String>, format = Date)]
    last_read_on: Option<Date>,
}

/// A new feed, with its address.
#[derive(Debug, Serialize, ToSchema)]
struct NewCalendarFeed {
    #[serde(flatten)]
    feed: CalendarFeed,
    /// For the calendar program. Whoever has it reads the feed; a path here where the site has no public address.
    url: String,
}

#[derive(Debug, Deserialize)]
struct Key {
    wrapped_key: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Own {
    wrapped_key: Option<String>,
    feeds: Vec<CalendarFeed>,
}

/// Makes an address at which a calendar program reads when visits are: of the patient's side, its own and of those it acts for, or of
/// one of them; of a practitioner, their own agenda in the establishment of the session. It is told here and never again. What stands
/// in it is decided at each reading.
#[utoipa::path(post, path = "/v1/calendar-feeds", operation_id = "create_calendar_feed", tag = "calendar-feeds",
    request_body = CalendarFeedWish,
    responses((status = 201, body = NewCalendarFeed),
              (status = 404, description = "No such patient whose visits the caller may see."),
              (status = 409, description = "There are ten already.")))]
async fn create(
    State(ctx): State<Ctx>, actor: Actor, Input(wish): Input<CalendarFeedWish>,
) -> Result<(StatusCode, Json<NewCalendarFeed>), Problem> {
    if wish.patient.is_some() && actor.standing.role != Role::Patient {
        return Err(Problem::new(Kind::FieldInvalid).field("patient").hint("patients-only"));
    }
    let (who, id) = (actor.who(ctx.now()), CalendarFeedId::from_uuid(Uuid::now_v7()));
    let label = wish.label.as_deref().map(str::trim).filter(|label| !label.is_empty());
    let sealed = match label {
        Some(label) => Some(seal(&ctx, &actor, who.clone(), id, label).await?),
        None => None,
    };
    let (token, hash) = ctx.keys.new_token()?;
    let feed = json!({"id": id, "patient": wish.patient, "hash": hash, "label": sealed});
    let made = ctx.db.optional(&CREATE, params![who, feed]).await.map_err(|error| {
        if error.is_constraint("calendar_feed_limit") {
            Problem::new(Kind::TooManyFeeds).with("most", MOST)
        } else {
            error.into()
        }
    })?;
    let unknown = Problem::new(Kind::NotFound).field("patient");
    let mut feed = made.ok_or_else(|| match wish.patient {
        Some(patient) => unknown.about(patient),
        None => unknown,
    })?;
    feed.label = label.map(str::to_owned);
    let site = ctx.config.origin().unwrap_or_default();
    Ok((StatusCode::CREATED, Json(NewCalendarFeed { feed, url: format!("{site}{}", content::path(&token)) })))
}

async fn seal(ctx: &Ctx, actor: &Actor, who: Value, id: CalendarFeedId, label: &str) -> Result<String, Problem> {
    let stored = ctx.db.optional(&KEY, params![who]).await?.ok_or_else(|| Problem::new(Kind::Unauthenticated))?;
    let key = ctx.keys.owner(actor.account, stored.wrapped_key.as_deref()).await?;
    Ok(key.seal(LABEL, id.as_uuid(), label)?)
}

/// Lists the caller's feeds of the capacity they act in, without their addresses.
#[utoipa::path(get, path = "/v1/calendar-feeds", operation_id = "list_calendar_feeds", tag = "calendar-feeds",
    responses((status = 200, body = Page<CalendarFeed>)))]
async fn list(State(ctx): State<Ctx>, actor: Actor) -> Result<Json<Page<CalendarFeed>>, Problem> {
    let own = ctx.db.optional(&LIST, params![actor.who(ctx.now())]).await?;
    let Own { wrapped_key, feeds: mut items } = own.ok_or_else(|| Problem::new(Kind::Unauthenticated))?;
    if items.iter().any(|feed| feed.label.is_some()) {
        let key = ctx.keys.owner(actor.account, wrapped_key.as_deref()).await?;
        for feed in &mut items {
            feed.label = feed.label.as_deref().map(|label| key.open(LABEL, feed.id.as_uuid(), label)).transpose()?;
        }
    }
    Ok(Json(Page { items, next_cursor: None }))
}

/// Ends a feed: its address leads nowhere from then on. Said again, it changes nothing.
#[utoipa::path(post, path = "/v1/calendar-feeds/{id}/revocation", operation_id = "revoke_calendar_feed", tag = "calendar-feeds",
    params(("id" = CalendarFeedId, Path)),
    responses((status = 204, description = "Revoked."), (status = 404, description = "No such feed of the caller's.")))]
async fn revoke(
    State(ctx): State<Ctx>, actor: Actor, Segment(id): Segment<CalendarFeedId>,
) -> Result<StatusCode, Problem> {
    let revoked = ctx.db.optional(&REVOKE, params![actor.who(ctx.now()), id.as_uuid()]).await?;
    revoked.map(|_| StatusCode::NO_CONTENT).ok_or_else(|| Problem::new(Kind::NotFound))
}
