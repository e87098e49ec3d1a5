//! Keep a minor’s visit from those who act for them.

use axum::Json;
use axum::extract::State;
use domain::appointment::ChangeError;
use domain::ids::AppointmentId;
use runtime::view::{Appointment, AppointmentRow};
use runtime::{Actor, Ctx, Function, Input, Kind, Lang, Problem, Segment};
use serde::Deserialize;
use store::{Query as _, Statement, params, statement};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The function.
pub const FUNCTION: Function =
    Function { name: "secrecy", manifest: include_str!("../function.yaml"), routes: router, events: None };

const CURRENT: Statement<Current> = statement!("current");
const SECRET: Statement<AppointmentRow> = statement!("secret");

fn router() -> OpenApiRouter<Ctx> {
    OpenApiRouter::new().routes(routes!(secrecy))
}

#[derive(Debug, Deserialize)]
struct Current {
    version: i64,
    of_age: bool,
    secret: bool,
    appointment: AppointmentRow,
}

/// What the minor wants.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Secrecy {
    /// Whether those who act for the patient see the visit no longer.
    secret: bool,
}

/// Keeps a minor's visit from those who act for them, from now on: at the minor's own wish, or by the practitioner and
/// their staff when the minor asks (CSP art. L.1111-5). What was told before stays told.
#[utoipa::path(post, path = "/v1/appointments/{id}/secrecy", operation_id = "keep_appointment_secret", tag = "guardians",
    request_body = Secrecy, params(("id" = AppointmentId, Path)),
    responses((status = 200, body = Appointment), (status = 409, description = "The patient is of age.")))]
async fn secrecy(
    State(ctx): State<Ctx>, actor: Actor, lang: Lang, Segment(id): Segment<AppointmentId>, Input(wish): Input<Secrecy>,
) -> Result<Json<Appointment>, Problem> {
    let now = ctx.now();
    let who = actor.who(now);
    let current = ctx.db.optional(&CURRENT, params![who.clone(), id.as_uuid(), wish.secret]).await?;
    let current = current.ok_or_else(|| Problem::new(Kind::NotFound))?;
    if current.secret == wish.secret {
        return Ok(Json(current.appointment.view(lang)));
    }
    if current.of_age {
        return Err(Problem::new(Kind::PatientOfAge));
    }
    let marked = ctx.db.optional(&SECRET, params![who, id.as_uuid(), current.version, wish.secret]).await?;
    Ok(Json(marked.ok_or(ChangeError::Changed)?.view(lang)))
}
