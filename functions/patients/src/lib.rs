//! The administrative part of a patient’s record, the attending physician, and that nothing of it is removed for now.

use axum::Json;
use axum::extract::State;
use domain::Date;
use domain::ids::{PatientId, PractitionerId};
use runtime::people::{Identity, SealedPerson};
use runtime::{Actor, Ctx, Function, Input, Kind, Problem, Segment};
use serde::{Deserialize, Serialize};
use store::{Query as _, Statement, params, statement};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The function.
pub const FUNCTION: Function =
    Function { name: "patients", manifest: include_str!("../function.yaml"), routes: router, events: None };

const READ: Statement<Row> = statement!("read");
const ATTENDING_PHYSICIAN: Statement<Chosen> = statement!("attending_physician");
const LEGAL_HOLD: Statement<LegalHold> = statement!("legal_hold");

fn router() -> OpenApiRouter<Ctx> {
    OpenApiRouter::new().routes(routes!(read)).routes(routes!(attending_physician)).routes(routes!(legal_hold))
}

#[derive(Debug, Deserialize)]
struct Row {
    person: SealedPerson,
    attending_physician: Option<AttendingPhysician>,
}

#[derive(Debug, Deserialize)]
struct Chosen {
    /// Whether there is such a practitioner.
    known: bool,
    #[serde(flatten)]
    row: Row,
}

/// The administrative part of a record (FHIR `Patient`).
#[derive(Debug, Serialize, ToSchema)]
struct Person {
    id: PatientId,
    given_name: String,
    family_name: String,
    #[schema(value_type = String, format = Date)]
    birth_date: Date,
    attending_physician: Option<AttendingPhysician>,
}

/// Who follows the patient over time (FHIR `Patient.generalPractitioner`).
#[derive(Debug, Serialize, Deserialize, ToSchema)]
struct AttendingPhysician {
    practitioner: PractitionerId,
    /// The practitioner's name, with title.
    name: String,
}

impl Row {
    async fn open(self, ctx: &Ctx) -> Result<Json<Person>, Problem> {
        let identity = self.person.open(&ctx.keys).await?;
        // Whose key was destroyed is nobody any more.
        let Identity { given_name, family_name, birth_date } = identity.ok_or_else(|| Problem::new(Kind::NotFound))?;
        let attending_physician = self.attending_physician;
        Ok(Json(Person { id: self.person.id, given_name, family_name, birth_date, attending_physician }))
    }
}

/// Reads the administrative part of a patient's record: for the patient, who acts for them, and who cares for them. A look
/// in an emergency is on record as one.
#[utoipa::path(get, path = "/v1/patients/{id}", operation_id = "read_patient", tag = "patients",
    params(("id" = PatientId, Path)), responses((status = 200, body = Person)))]
async fn read(State(ctx): State<Ctx>, actor: Actor, Segment(id): Segment<PatientId>) -> Result<Json<Person>, Problem> {
    let row = ctx.db.optional(&READ, params![actor.who(ctx.now()), id.as_uuid()]).await?;
    row.ok_or_else(|| Problem::new(Kind::NotFound))?.open(&ctx).await
}

/// Whom the patient has chosen.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct AttendingPhysicianChoice {
    /// Null for nobody.
    #[serde(deserialize_with = "Option::deserialize")]
    #[schema(required)]
    practitioner: Option<PractitionerId>,
}

/// Says who the attending physician is: who cares for the patient and is that, sees also the documents that the patient's side
/// masks from professionals (CSP art. R. 1111-43). For the patient, and who acts for them with the right to documents.
#[utoipa::path(post, path = "/v1/patients/{id}/attending-physician", operation_id = "choose_attending_physician",
    tag = "patients", request_body = AttendingPhysicianChoice, params(("id" = PatientId, Path)),
    responses((status = 200, body = Person), (status = 404, description = "No such patient for you, or no such practitioner.")))]
async fn attending_physician(
    State(ctx): State<Ctx>, actor: Actor, Segment(id): Segment<PatientId>,
    Input(choice): Input<AttendingPhysicianChoice>,
) -> Result<Json<Person>, Problem> {
    let practitioner = choice.practitioner.map(PractitionerId::as_uuid);
    let parameters = params![actor.who(ctx.now()), id.as_uuid(), practitioner];
    let chosen = ctx.db.optional(&ATTENDING_PHYSICIAN, parameters).await?;
    match chosen.ok_or_else(|| Problem::new(Kind::NotFound))? {
        Chosen { known: false, .. } => Err(Problem::new(Kind::NotFound).field("practitioner")),
        Chosen { known: true, row } => row.open(&ctx).await,
    }
}

/// Whether it is contested.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct LegalHoldWish {
    legal_hold: bool,
}

/// Whether something of a record is contested.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
struct LegalHold {
    patient: PatientId,
    /// While it is, nothing of the record is removed, however old it is.
    legal_hold: bool,
}

/// Keeps a record for as long as something of it is contested in court, or lets its term run again (CSP art. R. 1112-7). For
/// operators, on the establishment's word; the patient sees it in the access log.
#[utoipa::path(post, path = "/v1/patients/{id}/legal-hold", operation_id = "hold_record", tag = "patients",
    request_body = LegalHoldWish, params(("id" = PatientId, Path)), responses((status = 200, body = LegalHold)))]
async fn legal_hold(
    State(ctx): State<Ctx>, actor: Actor, Segment(id): Segment<PatientId>, Input(wish): Input<LegalHoldWish>,
) -> Result<Json<LegalHold>, Problem> {
    let held = ctx.db.optional(&LEGAL_HOLD, params![actor.who(ctx.now()), id.as_uuid(), wish.legal_hold]).await?;
    Ok(Json(held.ok_or_else(|| Problem::new(Kind::NotFound))?))
}
