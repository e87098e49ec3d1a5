//! Bringing in another adult, or the young person themself, by a code that the inviter passes on.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use domain::age::{Kin, Right, Rights};
use domain::ids::{InvitationId, PatientId};
use domain::{SignedDuration, Timestamp};
use runtime::codes::{hash_code, new_code, not_taken};
use runtime::{Actor, Ctx, Input, Kind, Problem, Segment, Words};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use store::{Query as _, Statement, params, statement};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{Guardian, GuardianRow, circle};

const INVITE: Statement<Value> = statement!("invite");
const ACCEPT: Statement<Acceptance> = statement!("accept");

/// Life of a code.
const LIFE: SignedDuration = SignedDuration::from_hours(7 * 24);

/// Whom to bring in, with which rights.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewInvitation {
    /// `self` links a patient of 15 or more to an account of their own.
    relation: Kin,
    /// At most the caller's own. Those of `self` are all.
    #[serde(default)]
    rights: Vec<Right>,
}

/// A code to pass on. It is told here and never again.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct GuardianInvitation {
    id: InvitationId,
    /// Good once, for whoever has it.
    code: String,
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
}

/// Invites another person to act for a patient. The code is good for seven days; the caller passes it on.
#[utoipa::path(post, path = "/v1/patients/{id}/guardians", operation_id = "invite_guardian", tag = "guardians",
    request_body = NewInvitation, params(("id" = PatientId, Path)),
    responses((status = 201, body = GuardianInvitation), (status = 409, description = "The patient is of age, or has an account.")))]
pub(crate) async fn invite(
    State(ctx): State<Ctx>, actor: Actor, Segment(patient): Segment<PatientId>, Input(new): Input<NewInvitation>,
) -> Result<(StatusCode, Json<GuardianInvitation>), Problem> {
    let now = ctx.now();
    let circle = circle(&ctx, &actor, Some(patient), None, "create").await?;
    let rights: Rights =
        if new.relation == Kin::Oneself { Right::ALL.into() } else { new.rights.into_iter().collect() };
    circle.invite(new.relation, &rights, now)?;
    let (code, code_hash) = new_code(&ctx.keys)?;
    let (id, expires_at) = (InvitationId::from_uuid(Uuid::now_v7()), now + LIFE);
    let wish = json!({
        "id": id, "patient": patient, "code_hash": code_hash, "relation": new.relation, "rights": rights,
        "expires_at": expires_at,
    });
    let written = ctx.db.optional(&INVITE, params![actor.who(now), wish]).await?;
    written.ok_or_else(|| Problem::new(Kind::NotFound))?;
    Ok((StatusCode::CREATED, Json(GuardianInvitation { id, code, expires_at })))
}

/// What was passed on.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct GuardianCode {
    #[schema(value_type = String, max_length = 40, pattern = r"^[^\x00]*$")]
    code: Words<40>,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
enum Acceptance {
    Accepted { guardianship: Box<GuardianRow> },
    NoCode,
    Exists,
    OfAge,
    NotYou,
    InUse,
}

/// Takes up an invitation. After ten wrong codes in a day no code is good until the next.
#[utoipa::path(post, path = "/v1/guardianships", operation_id = "accept_guardianship", tag = "guardians",
    request_body = GuardianCode,
    responses((status = 201, body = Guardian), (status = 422, description = "The code is not good."),
              (status = 409, description = "For another person, or there already."),
              (status = 429, description = "Too many wrong codes.")))]
pub(crate) async fn accept(
    State(ctx): State<Ctx>, actor: Actor, Input(given): Input<GuardianCode>,
) -> Result<(StatusCode, Json<Guardian>), Problem> {
    let hash = hash_code(&ctx.keys, &given.code)?;
    let now = ctx.now();
    let accepted = ctx.db.one(&ACCEPT, params![actor.who(now), hash]).await.map_err(|error| not_taken(error, now))?;
    match accepted {
        Acceptance::Accepted { guardianship } => Ok((StatusCode::CREATED, Json(guardianship.open(&ctx).await?))),
        Acceptance::NoCode => Err(Problem::new(Kind::InvitationInvalid).field("code")),
        Acceptance::Exists => Err(Problem::new(Kind::GuardianExists)),
        Acceptance::OfAge => Err(Problem::new(Kind::PatientOfAge)),
        Acceptance::NotYou => Err(Problem::new(Kind::InvitationNotYours)),
        Acceptance::InUse => Err(Problem::new(Kind::FileInUse)),
    }
}
