//! Move an appointment to another slot; the old one is kept unless the new one is had.

use axum::Json;
use axum::extract::State;
use domain::appointment::{self, BookingError, ChangeError, Current, Move};
use domain::ids::AppointmentId;
use domain::slot_token::SlotToken;
use runtime::view::{Appointment, AppointmentRow};
use runtime::{Actor, Ctx, Function, Input, Kind, Lang, Problem, Segment, Words};
use serde::Deserialize;
use serde_json::json;
use store::shared::{CURRENT_APPOINTMENT, OFFER};
use store::{Query as _, Statement, params, statement};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The function.
pub const FUNCTION: Function =
    Function { name: "move", manifest: include_str!("../function.yaml"), routes: router, events: None };

const MOVE: Statement<Option<AppointmentRow>> = statement!("move");

fn router() -> OpenApiRouter<Ctx> {
    OpenApiRouter::new().routes(routes!(move_to))
}

/// Where to.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct MoveWish {
    /// As a search returned it; perhaps of another place or practitioner.
    #[schema(value_type = String, max_length = 200, pattern = r"^[^\x00]*$")]
    slot: Words<200>,
}

/// Moves an appointment to another slot.
#[utoipa::path(post, path = "/v1/appointments/{id}/move", operation_id = "move_appointment", tag = "book",
    request_body = MoveWish,
    params(("id" = AppointmentId, Path)),
    responses((status = 200, body = Appointment), (status = 404, description = "No such appointment for you, or no such slot."),
              (status = 409, description = "The slot cannot be had, or the appointment can no longer be moved.")))]
async fn move_to(
    State(ctx): State<Ctx>, actor: Actor, lang: Lang, Segment(id): Segment<AppointmentId>, Input(wish): Input<MoveWish>,
) -> Result<Json<Appointment>, Problem> {
    let now = ctx.now();
    let who = actor.who(now);
    let current = ctx.db.optional(&CURRENT_APPOINTMENT, params![who.clone(), id.as_uuid(), "update"]).await?;
    let current: Current = current.ok_or_else(|| Problem::new(Kind::NotFound))?;
    let late = current.change(now)?.late;
    let slot: SlotToken = wish.slot.parse().map_err(|_| BookingError::SlotUnknown)?;
    let offer = ctx.db.optional(
        &OFFER,
        params![
            who.clone(),
            slot.practitioner.as_uuid(),
            slot.site.as_uuid(),
            slot.reason.as_uuid(),
            current.patient.as_uuid(),
            slot.starts_at(),
            "update",
        ],
    );
    let offer = offer.await?.ok_or(BookingError::SlotUnknown)?;
    let booking = appointment::decide(&offer, &slot, now)?;
    runtime::mailboxes::ask(&ctx, offer.calendar.as_ref(), booking.slot.starts_at, booking.slot.ends_at).await?;
    let document = json!(Move::new(id, &current, &offer, &booking, late));
    let moved = ctx.db.one(&MOVE, params![who, document]).await;
    let moved =
        moved.map_err(|error| runtime::problem::booking_refused(error, current.patient, actor.standing.role))?;
    Ok(Json(moved.ok_or(ChangeError::Changed)?.view(lang)))
}
