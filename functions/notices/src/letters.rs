//! Letters that an establishment prints for whom nothing else reaches.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use domain::Timestamp;
use domain::ids::{AppointmentId, NoticeId, PatientId};
use domain::notice::NoticeKind;
use runtime::page::Page;
use runtime::people::{SealedPerson, name_of};
use runtime::view::{AppointmentRow, local};
use runtime::{Actor, Ctx, Kind, Problem, Segment};
use serde::{Deserialize, Serialize};
use store::{Query as _, Statement, params, statement};
use utoipa::ToSchema;

const LETTERS: Statement<LetterRow> = statement!("letters");
const PRINTED: Statement<Found> = statement!("printed");

#[derive(Debug, Deserialize)]
struct LetterRow {
    id: NoticeId,
    kind: NoticeKind,
    planned_at: Timestamp,
    appointment: AppointmentRow,
    person: Option<SealedPerson>,
}

#[derive(Debug, Deserialize)]
struct Found {
    found: i64,
}

/// A letter that is to be printed and posted.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Letter {
    id: NoticeId,
    kind: NoticeKind,
    patient: PatientId,
    /// To whom, or to those who act for them.
    patient_name: String,
    appointment: AppointmentId,
    /// With the offset of the place on that day.
    #[schema(value_type = String, format = DateTime)]
    starts_at: String,
    practitioner_name: String,
    site_name: String,
    site_address: String,
    #[schema(value_type = String, format = DateTime)]
    planned_at: Timestamp,
}

/// The letters that wait to be printed, of the agendas that the caller works for; by the start of the visit, 200 at most. What they
/// say is what a mail would: when, with whom and where, never why.
#[utoipa::path(get, path = "/v1/letters", operation_id = "list_letters", tag = "notices",
    responses((status = 200, body = Page<Letter>)))]
pub(crate) async fn list(State(ctx): State<Ctx>, actor: Actor) -> Result<Json<Page<Letter>>, Problem> {
    let rows = ctx.db.many(&LETTERS, params![actor.who(ctx.now())]).await?;
    let mut items = Vec::with_capacity(rows.len());
    for row in rows {
        let patient_name = name_of(row.person.as_ref(), &ctx.keys).await?;
        let visit = row.appointment;
        items.push(Letter {
            id: row.id,
            kind: row.kind,
            patient: visit.patient,
            patient_name,
            appointment: visit.id,
            starts_at: local(visit.starts_at, &visit.time_zone),
            practitioner_name: visit.practitioner_name,
            site_name: visit.site_name,
            site_address: visit.site_address,
            planned_at: row.planned_at,
        });
    }
    Ok(Json(Page { items, next_cursor: None }))
}

/// Says that a letter was printed and posted. Said again, it changes nothing.
#[utoipa::path(post, path = "/v1/letters/{id}/printed", operation_id = "mark_letter_printed", tag = "notices",
    params(("id" = NoticeId, Path)),
    responses((status = 204, description = "Noted."), (status = 404, description = "No such letter for you.")))]
pub(crate) async fn printed(
    State(ctx): State<Ctx>, actor: Actor, Segment(id): Segment<NoticeId>,
) -> Result<StatusCode, Problem> {
    let Found { found } = ctx.db.one(&PRINTED, params![actor.who(ctx.now()), id.as_uuid()]).await?;
    if found == 1 { Ok(StatusCode::NO_CONTENT) } else { Err(Problem::new(Kind::NotFound)) }
}
