//! List and read appointments.

use axum::Json;
use axum::extract::State;
use domain::Timestamp;
use domain::access::Role;
use domain::appointment::Status;
use domain::ids::{AppointmentId, PatientId, PractitionerId};
use runtime::explain::other_agenda;
use runtime::page::{Limit, Page, cursor, parse_cursor};
use runtime::period::{When, period};
use runtime::view::{Appointment, AppointmentRow};
use runtime::{Actor, Ctx, Function, Kind, Lang, Params, Problem, Segment};
use serde::Deserialize;
use store::{Query as _, Statement, params, statement};
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The function.
pub const FUNCTION: Function =
    Function { name: "appointments", manifest: include_str!("../function.yaml"), routes: router, events: None };

const LIST: Statement<AppointmentRow> = statement!("list");
const READ: Statement<AppointmentRow> = statement!("read");
const AGENDAS: Statement<Agendas> = statement!("agendas");
/// Days without an instant are those of metropolitan France.
const DEFAULT_ZONE: &str = "Europe/Paris";

fn router() -> OpenApiRouter<Ctx> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(read))
}

/// Which appointments; what is given narrows.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Filter {
    patient: Option<PatientId>,
    practitioner: Option<PractitionerId>,
    /// Ending after this local day's beginning (metropolitan France) or this instant.
    #[param(schema_with = runtime::openapi::day_or_instant, required = false)]
    from: Option<When>,
    /// Starting before the end of this local day, or before this instant.
    #[param(schema_with = runtime::openapi::day_or_instant, required = false)]
    to: Option<When>,
    status: Option<Status>,
    #[param(value_type = Option<i64>, minimum = 1, maximum = 200, default = 50)]
    #[serde(default)]
    limit: Limit<50, 200>,
    /// `next_cursor` of the page before.
    #[param(max_length = 1000)]
    cursor: Option<String>,
}

/// Lists the appointments that the caller may see, by start: of their patients, or of the agendas they work for.
#[utoipa::path(get, path = "/v1/appointments", operation_id = "list_appointments", tag = "appointments",
    params(Filter),
    responses((status = 200, body = Page<Appointment>),
              (status = 404, description = "No such practitioner, or not one whose agenda the caller sees.")))]
async fn list(
    State(ctx): State<Ctx>, actor: Actor, lang: Lang, Params(filter): Params<Filter>,
) -> Result<Json<Page<Appointment>>, Problem> {
    if let Some(practitioner) = filter.practitioner {
        own_agenda(&ctx, &actor, practitioner).await?;
    }
    let zone = DEFAULT_ZONE.parse().map_err(Problem::internal)?;
    let (from, until) = period(filter.from, filter.to, &zone)?;
    let after: Option<(Timestamp, AppointmentId)> = parse_cursor(filter.cursor.as_deref())?;
    let mut rows = ctx
        .db
        .many(
            &LIST,
            params![
                actor.who(ctx.now()),
                filter.patient.map(PatientId::as_uuid),
                filter.practitioner.map(PractitionerId::as_uuid),
                from,
                until,
                filter.status.map(|status| status.to_string()),
                filter.limit.get() + 1,
                after.map(|after| after.0),
                after.map(|after| after.1.as_uuid()),
            ],
        )
        .await?;
    let more = rows.len() > filter.limit.len();
    rows.truncate(filter.limit.len());
    let next_cursor = rows.last().filter(|_| more).and_then(|last| cursor(&(last.starts_at, last.id)));
    Ok(Json(Page { items: rows.into_iter().map(|row| row.view(lang)).collect(), next_cursor }))
}

#[derive(Debug, Deserialize)]
struct Agendas {
    yours: Vec<String>,
    theirs: String,
}

/// Whoever works here asks for an agenda that they work for. That another one exists is no secret, so they are told why not.
async fn own_agenda(ctx: &Ctx, actor: &Actor, practitioner: PractitionerId) -> Result<(), Problem> {
    let standing = &actor.standing;
    let theirs = standing.practitioner == Some(practitioner) || standing.attached.contains(&practitioner);
    if standing.role == Role::Patient || theirs {
        return Ok(());
    }
    let agendas = ctx.db.optional(&AGENDAS, params![actor.who(ctx.now()), practitioner.as_uuid()]).await?;
    let agendas = agendas.ok_or_else(|| Problem::new(Kind::NotFound).field("practitioner"))?;
    Err(Problem::new(Kind::Forbidden).field("practitioner").why(other_agenda(&agendas.yours, &agendas.theirs)))
}

/// Reads an appointment.
#[utoipa::path(get, path = "/v1/appointments/{id}", operation_id = "read_appointment", tag = "appointments",
    params(("id" = AppointmentId, Path)),
    responses((status = 200, body = Appointment)))]
async fn read(
    State(ctx): State<Ctx>, actor: Actor, lang: Lang, Segment(id): Segment<AppointmentId>,
) -> Result<Json<Appointment>, Problem> {
    let parameters = params![actor.who(ctx.now()), id.as_uuid()];
    let row = ctx.db.optional(&READ, parameters).await?.ok_or_else(|| Problem::new(Kind::NotFound))?;
    Ok(Json(row.view(lang)))
}
