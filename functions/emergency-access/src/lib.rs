//! Look at a patient’s record in an emergency, saying why.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use domain::ids::{EmergencyAccessId, PatientId};
use domain::{SignedDuration, Timestamp};
use runtime::{Actor, Ctx, Function, Input, Kind, Problem, Segment, Words};
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::{Query as _, Statement, params, statement};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

/// The function.
pub const FUNCTION: Function =
    Function { name: "emergency-access", manifest: include_str!("../function.yaml"), routes: router, events: None };

const KEY: Statement<Key> = statement!("key");
const OPEN: Statement<EmergencyAccess> = statement!("open");

/// Shortest reason, in characters: a word is none.
const MIN_REASON: usize = 20;
/// Letters and figures among them: blanks and what nobody sees are no reason.
const MIN_LETTERS: usize = 12;

fn router() -> OpenApiRouter<Ctx> {
    OpenApiRouter::new().routes(routes!(open))
}

#[derive(Debug, Deserialize)]
struct Key {
    wrapped_key: Option<String>,
}

/// Why, and for how long.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Emergency {
    /// In the caller's words; kept sealed.
    #[schema(value_type = String, min_length = 20, max_length = 1000, pattern = r"^[^\x00]*$")]
    reason: Words<1000>,
    /// Fewer hours than an emergency lasts at most (4, unless set otherwise).
    #[schema(minimum = 1, maximum = 24)]
    hours: Option<u8>,
}

/// A look without a care relation (FHIR `Consent` overridden, `PurposeOfUse` ETREAT).
#[derive(Debug, Serialize, Deserialize, ToSchema)]
struct EmergencyAccess {
    id: EmergencyAccessId,
    patient: PatientId,
    /// When it ends by itself.
    #[schema(value_type = String, format = DateTime)]
    until: Timestamp,
}

/// Opens a patient's record in an emergency. The patient and those who act for them are told, and every look is on record
/// as one. While one is open, another is the same and tells nobody again. Of whom has shut the caller out there is nothing here.
#[utoipa::path(post, path = "/v1/patients/{id}/emergency-access", operation_id = "open_in_emergency", tag = "patients",
    request_body = Emergency, params(("id" = PatientId, Path)), responses((status = 201, body = EmergencyAccess), (status = 200, body = EmergencyAccess, description = "It was open already.")))]
async fn open(
    State(ctx): State<Ctx>, actor: Actor, Segment(patient): Segment<PatientId>, Input(emergency): Input<Emergency>,
) -> Result<(StatusCode, Json<EmergencyAccess>), Problem> {
    let now = ctx.now();
    let who = actor.who(now);
    let reason = emergency.reason.trim();
    if reason.chars().count() < MIN_REASON || reason.chars().filter(|c| c.is_alphanumeric()).count() < MIN_LETTERS {
        return Err(Problem::new(Kind::FieldInvalid).field("reason").hint("reason-short"));
    }
    let most = ctx.config.emergency_hours;
    let hours = emergency.hours.unwrap_or(most);
    if !(1..=most).contains(&hours) {
        return Err(Problem::new(Kind::FieldInvalid).field("hours").hint("emergency-hours").with("max_hours", most));
    }
    let key = ctx.db.optional(&KEY, params![who.clone(), patient.as_uuid()]).await?;
    let key = key.ok_or_else(|| Problem::new(Kind::NotFound))?;
    let id = Uuid::now_v7();
    let key = ctx.keys.owner(patient, key.wrapped_key.as_deref()).await?;
    let reason = key.seal("emergency_access.reason", id, reason)?;
    let wish = json!({
        "id": id, "patient": patient, "reason": reason,
        "until": now + SignedDuration::from_hours(hours.into()),
    });
    let opened = ctx.db.optional(&OPEN, params![who, wish]).await?.ok_or_else(|| Problem::new(Kind::NotFound))?;
    let status = if opened.id.as_uuid() == id { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(opened)))
}
