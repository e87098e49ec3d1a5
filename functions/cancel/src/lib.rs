//! Cancel an appointment; its time is free again at once.

mod asked;

use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use domain::appointment::{ChangeError, Current, Status};
use domain::ids::AppointmentId;
use domain::person::Note;
use runtime::view::{Appointment, AppointmentRow};
use runtime::{Actor, Ctx, Function, Input, Kind, Lang, Problem, Segment};
use serde::Deserialize;
use store::shared::CURRENT_APPOINTMENT;
use store::{Query as _, Statement, params, statement};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The function.
pub const FUNCTION: Function =
    Function { name: "cancel", manifest: include_str!("../function.yaml"), routes: router, events: Some(events) };

pub(crate) const CANCEL: Statement<AppointmentRow> = statement!("cancel");
const CANCELLED: Statement<AppointmentRow> = statement!("cancelled");

fn events() -> Router<Ctx> {
    Router::new().route("/", post(asked::asked))
}

fn router() -> OpenApiRouter<Ctx> {
    OpenApiRouter::new().routes(routes!(cancel))
}

/// Why.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Cancellation {
    /// In the caller's words; kept sealed.
    reason: Note,
}

/// Cancels an appointment. Sent again, it gives the same answer.
#[utoipa::path(post, path = "/v1/appointments/{id}/cancellation", operation_id = "cancel_appointment", tag = "book",
    request_body = Cancellation,
    params(("id" = AppointmentId, Path)),
    responses((status = 200, body = Appointment), (status = 404, description = "No such appointment for you."),
              (status = 409, description = "The appointment can no longer be cancelled.")))]
async fn cancel(
    State(ctx): State<Ctx>, actor: Actor, lang: Lang, Segment(id): Segment<AppointmentId>,
    Input(cancellation): Input<Cancellation>,
) -> Result<Json<Appointment>, Problem> {
    let now = ctx.now();
    let who = actor.who(now);
    let current = ctx.db.optional(&CURRENT_APPOINTMENT, params![who.clone(), id.as_uuid(), "delete"]).await?;
    let current: Current = current.ok_or_else(|| Problem::new(Kind::NotFound))?;
    let earlier = ctx.db.optional(&CANCELLED, params![who.clone(), id.as_uuid()]);
    if current.status == Status::Cancelled {
        return Ok(Json(earlier.await?.ok_or(ChangeError::Changed)?.view(lang)));
    }
    let late = current.change(now)?.late;
    let key = ctx.keys.owner(current.patient, current.wrapped_key.as_deref()).await?;
    let reason = key.seal("appointment.cancel_reason", id.as_uuid(), cancellation.reason.as_str());
    let reason = reason.map_err(Problem::internal)?;
    let written = ctx.db.optional(&CANCEL, params![who, id.as_uuid(), current.version, late, reason]);
    let cancelled = match written.await? {
        Some(cancelled) => cancelled,
        // Somebody was quicker: perhaps the same wish, sent twice at once.
        None => earlier.await?.ok_or(ChangeError::Changed)?,
    };
    Ok(Json(cancelled.view(lang)))
}
