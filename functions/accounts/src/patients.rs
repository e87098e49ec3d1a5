//! Whom an account acts for: its holder, and children.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use domain::age::{Change, has_reached, step};
use domain::availability::Day;
use domain::ids::PatientId;
use domain::person::Name;
use domain::{Date, Timestamp};
use futures_util::future::try_join_all;
use runtime::page::Page;
use runtime::people::Identity;
use runtime::{Actor, Ctx, Input, Kind, Problem};
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::{Query as _, Statement, params, statement};
use utoipa::ToSchema;
use uuid::Uuid;

const PATIENTS: Statement<PatientRow> = statement!("patients");
const ADD_PATIENT: Statement<PatientRow> = statement!("add_patient");

/// A patient (FHIR `Patient`), as those who act for them see them.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Patient {
    id: PatientId,
    given_name: String,
    family_name: String,
    #[schema(value_type = String, format = Date)]
    birth_date: Date,
    /// `self`, `parent` or `guardian`: what the account is to the patient.
    relation: String,
    /// Of `book`, `documents`, `messages` and `notices`: what the account may do for the patient.
    rights: Vec<String>,
    /// When that ends by itself: a child comes of age.
    #[schema(value_type = Option<String>, format = DateTime)]
    until: Option<Timestamp>,
}

/// A patient as stored.
#[derive(Debug, Deserialize)]
struct PatientRow {
    id: PatientId,
    wrapped_key: String,
    identity: String,
    relation: String,
    rights: Vec<String>,
    until: Option<Timestamp>,
}

impl PatientRow {
    async fn open(self, ctx: &Ctx) -> Result<Patient, Problem> {
        let Identity { given_name, family_name, birth_date } =
            Identity::open(&ctx.keys, self.id, &self.wrapped_key, &self.identity).await?;
        let Self { id, relation, rights, until, .. } = self;
        Ok(Patient { id, given_name, family_name, birth_date, relation, rights, until })
    }
}

/// Lists the patients the caller acts for: themselves first, then by age.
#[utoipa::path(get, path = "/v1/patients", operation_id = "list_patients", tag = "accounts",
    responses((status = 200, body = Page<Patient>)))]
pub(crate) async fn list(State(ctx): State<Ctx>, actor: Actor) -> Result<Json<Page<Patient>>, Problem> {
    let rows = ctx.db.many(&PATIENTS, params![actor.who(ctx.now())]).await?;
    let mut items = try_join_all(rows.into_iter().map(|row| row.open(&ctx))).await?;
    items.sort_by_key(|patient| (patient.relation != "self", patient.birth_date, patient.id));
    Ok(Json(Page { items, next_cursor: None }))
}

/// A child.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewPatient {
    given_name: Name,
    family_name: Name,
    #[schema(value_type = String, format = Date, example = "2019-09-01")]
    birth_date: Day,
}

/// Adds a child the caller, of age, is a parent of. Sent again, it is the same child.
#[utoipa::path(post, path = "/v1/patients", operation_id = "add_patient", tag = "accounts", request_body = NewPatient,
    responses((status = 201, body = Patient), (status = 409, description = "The caller is not of age.")))]
pub(crate) async fn add(
    State(ctx): State<Ctx>, actor: Actor, Input(new): Input<NewPatient>,
) -> Result<(StatusCode, Json<Patient>), Problem> {
    let now = ctx.now();
    let birth_date = crate::checked_birth_date(new.birth_date, now)?;
    // Of age, they would be out of the caller's reach at once.
    if has_reached(birth_date, Change::Independence, now) {
        return Err(Problem::new(Kind::FieldInvalid).field("birth_date").hint("child-of-age"));
    }
    let id = PatientId::from_uuid(Uuid::now_v7());
    let identity = Identity::new(&new.given_name, &new.family_name, birth_date);
    let (wrapped_key, sealed) = identity.sealed(&ctx.keys, id).await?;
    let document = json!({
        "id": id, "wrapped_key": wrapped_key, "identity": sealed, "twin_lookup": identity.twin(&ctx.keys)?,
        "private_from": step(birth_date, Change::PrivateMessages), "adult_from": step(birth_date, Change::Independence),
    });
    let row = ctx.db.one(&ADD_PATIENT, params![actor.who(now), document]).await.map_err(|error| {
        if error.is_constraint("adult_needed") { Problem::new(Kind::AdultNeeded) } else { error.into() }
    })?;
    Ok((StatusCode::CREATED, Json(row.open(&ctx).await?)))
}
