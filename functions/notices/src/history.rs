//! What somebody was told, and whether it arrived.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use domain::Timestamp;
use domain::ids::{AppointmentId, DocumentId, NoticeId};
use domain::notice::{NoticeChannel, NoticeKind, NoticeState};
use runtime::page::{Limit, Page, cursor, parse_cursor};
use runtime::{Actor, Ctx, Kind, Params, Problem, Segment};
use serde::{Deserialize, Serialize};
use store::{Query as _, Statement, params, statement};
use utoipa::{IntoParams, ToSchema};

const OWN: Statement<Notice> = statement!("own");
const LOOKED_AT: Statement<Found> = statement!("looked_at");
const OF_APPOINTMENT: Statement<Told> = statement!("of_appointment");

/// A notice, and what became of it.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Notice {
    id: NoticeId,
    kind: NoticeKind,
    channel: NoticeChannel,
    state: NoticeState,
    /// Why it stands so, where there is something to say.
    why: Option<String>,
    /// Why it was planned: `event`, `reminder`, `email failed`, `push unread`, `sms undelivered`.
    because: String,
    /// Of a reminder: how long before the start, in minutes.
    step_minutes: Option<i64>,
    appointment: Option<AppointmentId>,
    document: Option<DocumentId>,
    /// Whether it went to somebody who acts for the patient or to the practitioner.
    recipient: RecipientKind,
    /// In whose message it was told, where reminders of a day went out together.
    told_in: Option<NoticeId>,
    #[schema(value_type = String, format = DateTime)]
    planned_at: Timestamp,
    /// Not before then.
    #[schema(value_type = Option<String>, format = DateTime)]
    send_at: Option<Timestamp>,
    /// Parts of a text message.
    segments: Option<i32>,
    /// In millionths of a euro, where the provider or `SMS_COST_MICROEUR` says.
    cost_microeur: Option<i64>,
    /// What its recipient answered.
    reply: Option<String>,
    /// In order.
    history: Vec<Step>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum RecipientKind {
    Account,
    Practitioner,
}

/// One thing that happened to it.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
struct Step {
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    state: NoticeState,
    why: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Told {
    notices: Vec<Notice>,
}

#[derive(Debug, Deserialize)]
struct Found {
    found: i64,
}

/// Which notices; what is given narrows.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Filter {
    #[param(value_type = Option<i64>, minimum = 1, maximum = 200, default = 50)]
    #[serde(default)]
    limit: Limit<50, 200>,
    /// `next_cursor` of the page before.
    #[param(max_length = 1000)]
    cursor: Option<String>,
}

/// What the caller was told, or is to be, the newest first.
#[utoipa::path(get, path = "/v1/me/notices", operation_id = "list_own_notices", tag = "notices", params(Filter),
    responses((status = 200, body = Page<Notice>)))]
pub(crate) async fn own(
    State(ctx): State<Ctx>, actor: Actor, Params(filter): Params<Filter>,
) -> Result<Json<Page<Notice>>, Problem> {
    let after: Option<(Timestamp, NoticeId)> = parse_cursor(filter.cursor.as_deref())?;
    let (at, id) = after.map_or((None, None), |after| (Some(after.0), Some(after.1.as_uuid())));
    let mut items = ctx.db.many(&OWN, params![actor.who(ctx.now()), filter.limit.get() + 1, at, id]).await?;
    let more = items.len() > filter.limit.len();
    items.truncate(filter.limit.len());
    let next_cursor = items.last().filter(|_| more).and_then(|last| cursor(&(last.planned_at, last.id)));
    Ok(Json(Page { items, next_cursor }))
}

/// Says that the caller has looked at a notice: nothing else is tried for it then. Said again, it changes nothing.
#[utoipa::path(post, path = "/v1/notices/{id}/read", operation_id = "mark_notice_read", tag = "notices",
    params(("id" = NoticeId, Path)),
    responses((status = 204, description = "Noted."), (status = 404, description = "No such notice to you.")))]
pub(crate) async fn looked_at(
    State(ctx): State<Ctx>, actor: Actor, Segment(id): Segment<NoticeId>,
) -> Result<StatusCode, Problem> {
    let Found { found } = ctx.db.one(&LOOKED_AT, params![actor.who(ctx.now()), id.as_uuid()]).await?;
    if found == 1 { Ok(StatusCode::NO_CONTENT) } else { Err(Problem::new(Kind::NotFound)) }
}

/// Who was told of a visit, when, how, and whether it arrived: all of it for staff, their own for families. Whoever was told is not
/// named.
#[utoipa::path(get, path = "/v1/appointments/{id}/notices", operation_id = "list_appointment_notices", tag = "notices",
    params(("id" = AppointmentId, Path)),
    responses((status = 200, body = Page<Notice>), (status = 404, description = "No such appointment for you.")))]
pub(crate) async fn of_appointment(
    State(ctx): State<Ctx>, actor: Actor, Segment(id): Segment<AppointmentId>,
) -> Result<Json<Page<Notice>>, Problem> {
    let told = ctx.db.optional(&OF_APPOINTMENT, params![actor.who(ctx.now()), id.as_uuid()]).await?;
    let items = told.ok_or_else(|| Problem::new(Kind::NotFound))?.notices;
    Ok(Json(Page { items, next_cursor: None }))
}
