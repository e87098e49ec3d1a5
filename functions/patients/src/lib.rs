//! Read the administrative part of a patient’s record.

use axum::Json;
use axum::extract::State;
use domain::Date;
use domain::ids::PatientId;
use runtime::people::{Identity, SealedPerson};
use runtime::{Actor, Ctx, Function, Kind, Problem, Segment};
use serde::Serialize;
use store::{Query as _, Statement, params, statement};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The function.
pub const FUNCTION: Function =
    Function { name: "patients", manifest: include_str!("../function.yaml"), routes: router, events: None };

const READ: Statement<SealedPerson> = statement!("read");

fn router() -> OpenApiRouter<Ctx> {
    OpenApiRouter::new().routes(routes!(read))
}

/// The administrative part of a record (FHIR `Patient`).
#[derive(Debug, Serialize, ToSchema)]
struct Person {
    id: PatientId,
    given_name: String,
    family_name: String,
    #[schema(value_type = String, format = Date)]
    birth_date: Date,
}

/// Reads the administrative part of a patient's record: for the patient, who acts for them, and who cares for them. A look
/// in an emergency is on record as one.
#[utoipa::path(get, path = "/v1/patients/{id}", operation_id = "read_patient", tag = "patients",
    params(("id" = PatientId, Path)), responses((status = 200, body = Person)))]
async fn read(State(ctx): State<Ctx>, actor: Actor, Segment(id): Segment<PatientId>) -> Result<Json<Person>, Problem> {
    let sealed = ctx.db.optional(&READ, params![actor.who(ctx.now()), id.as_uuid()]).await?;
    let sealed = sealed.ok_or_else(|| Problem::new(Kind::NotFound))?;
    let identity = sealed.open(&ctx.keys).await?;
    // Whose key was destroyed is nobody any more.
    let Identity { given_name, family_name, birth_date } = identity.ok_or_else(|| Problem::new(Kind::NotFound))?;
    Ok(Json(Person { id, given_name, family_name, birth_date }))
}
