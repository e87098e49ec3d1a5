//! Who acts for a child: bring in, limit, prove, leave.

mod invitations;
mod proofs;

use axum::Json;
use axum::extract::State;
use domain::Timestamp;
use domain::age::{Kin, Right, Rights};
use domain::guardianship::{self, Circle, Claim, Proof, Refusal};
use domain::ids::{GuardianshipId, PatientId};
use futures_util::future::try_join_all;
use runtime::page::Page;
use runtime::people::{SealedPerson, name_of};
use runtime::{Actor, Ctx, Function, Input, Kind, Problem, Segment};
use serde::{Deserialize, Serialize};
use store::{Query as _, Statement, params, statement};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The function.
pub const FUNCTION: Function =
    Function { name: "guardians", manifest: include_str!("../function.yaml"), routes: router, events: None };

const CIRCLE: Statement<CircleRow> = statement!("circle");
const LIST: Statement<GuardianRow> = statement!("list");
const RIGHTS: Statement<GuardianRow> = statement!("rights");
const END: Statement<GuardianRow> = statement!("end");

fn router() -> OpenApiRouter<Ctx> {
    OpenApiRouter::new()
        .routes(routes!(list, invitations::invite))
        .routes(routes!(invitations::accept))
        .routes(routes!(rights))
        .routes(routes!(end))
        .routes(routes!(proofs::show))
        .routes(routes!(proofs::list))
        .routes(routes!(proofs::decide))
}

/// One who acts for a patient (FHIR `RelatedPerson`). Nothing says where they live nor how to reach them.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Guardian {
    id: GuardianshipId,
    patient: PatientId,
    /// How they are called; sealed in what is stored.
    #[serde(skip_deserializing)]
    name: String,
    relation: Kin,
    /// What they may do now.
    rights: Rights,
    state: Claim,
    /// Whether it is the caller.
    mine: bool,
    /// Whether the caller brought them in.
    invited_by_me: bool,
    #[schema(value_type = String, format = DateTime)]
    since: Timestamp,
    /// When that ends by itself.
    #[schema(value_type = Option<String>, format = DateTime)]
    until: Option<Timestamp>,
    /// The kind of document that was shown.
    proof: Option<Proof>,
    /// Whether a court extended it beyond the coming of age.
    court_ordered: bool,
}

/// The same as stored: the name still sealed.
#[derive(Debug, Deserialize)]
pub(crate) struct GuardianRow {
    person: Option<SealedPerson>,
    #[serde(flatten)]
    guardian: Guardian,
}

impl GuardianRow {
    pub(crate) async fn open(mut self, ctx: &Ctx) -> Result<Guardian, Problem> {
        self.guardian.name = name_of(self.person.as_ref(), &ctx.keys).await?;
        Ok(self.guardian)
    }
}

/// All who act for a patient, as stored: of the patient only the birth date is wanted, and it is sealed.
#[derive(Debug, Deserialize)]
struct CircleRow {
    version: i64,
    person: SealedPerson,
    guardians: Vec<guardianship::Guardian>,
}

/// Lists who acts for a patient.
#[utoipa::path(get, path = "/v1/patients/{id}/guardians", operation_id = "list_guardians", tag = "guardians",
    params(("id" = PatientId, Path)), responses((status = 200, body = Page<Guardian>)))]
async fn list(
    State(ctx): State<Ctx>, actor: Actor, Segment(id): Segment<PatientId>,
) -> Result<Json<Page<Guardian>>, Problem> {
    let rows = ctx.db.many(&LIST, params![actor.who(ctx.now()), id.as_uuid()]).await?;
    let items = try_join_all(rows.into_iter().map(|row| row.open(&ctx))).await?;
    // Whoever sees the list is on it.
    if items.is_empty() { Err(Problem::new(Kind::NotFound)) } else { Ok(Json(Page { items, next_cursor: None })) }
}

/// All of what one may do from now on: none, some or all.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewRights {
    rights: Vec<Right>,
}

/// Changes what one may do. Nobody widens their own rights; a proven holder of parental authority is changed by an
/// operator only.
#[utoipa::path(post, path = "/v1/guardianships/{id}/rights", operation_id = "change_guardian_rights", tag = "guardians",
    request_body = NewRights, params(("id" = GuardianshipId, Path)),
    responses((status = 200, body = Guardian), (status = 409, description = "Not yours to change.")))]
async fn rights(
    State(ctx): State<Ctx>, actor: Actor, Segment(id): Segment<GuardianshipId>, Input(new): Input<NewRights>,
) -> Result<Json<Guardian>, Problem> {
    let now = ctx.now();
    let who = actor.who(now);
    let circle = circle(&ctx, &actor, None, Some(id), "update").await?;
    let wanted: Rights = new.rights.into_iter().collect();
    circle.change(id, &wanted, now)?;
    let changed = ctx.db.optional(&RIGHTS, params![who, id.as_uuid(), circle.version, names(&wanted)]).await?;
    Ok(Json(changed.ok_or_else(|| Problem::new(Kind::GuardiansChanged))?.open(&ctx).await?))
}

/// Ends one's acting for a patient: the caller's own (they leave), or that of whom they may change.
#[utoipa::path(post, path = "/v1/guardianships/{id}/end", operation_id = "end_guardianship", tag = "guardians",
    params(("id" = GuardianshipId, Path)),
    responses((status = 200, body = Guardian), (status = 409, description = "The last one, or not yours to end.")))]
async fn end(
    State(ctx): State<Ctx>, actor: Actor, Segment(id): Segment<GuardianshipId>,
) -> Result<Json<Guardian>, Problem> {
    let now = ctx.now();
    let circle = circle(&ctx, &actor, None, Some(id), "delete").await?;
    circle.end(id, now)?;
    // Who may not even see who else acts may leave, and no more.
    let leaving = circle.guardians.iter().any(|it| it.id == id && it.mine);
    let sees = circle.guardians.iter().any(|it| it.mine && it.rights.contains(&Right::Documents));
    if !leaving && !sees {
        return Err(Refusal::Unknown.into());
    }
    let ended = ctx.db.optional(&END, params![actor.who(now), id.as_uuid(), circle.version]).await?;
    Ok(Json(ended.ok_or_else(|| Problem::new(Kind::GuardiansChanged))?.open(&ctx).await?))
}

/// All who act for a patient, or for the patient of one of them, if the caller may change that.
async fn circle(
    ctx: &Ctx, actor: &Actor, patient: Option<PatientId>, one: Option<GuardianshipId>, action: &str,
) -> Result<Circle, Problem> {
    let patient = patient.map(PatientId::as_uuid);
    let parameters = params![actor.who(ctx.now()), patient, one.map(GuardianshipId::as_uuid), action];
    let row = ctx.db.optional(&CIRCLE, parameters).await?.ok_or_else(|| Problem::new(Kind::NotFound))?;
    let identity = row.person.open(&ctx.keys).await?;
    let birth_date = identity.ok_or_else(|| Problem::new(Kind::NotFound))?.birth_date;
    Ok(Circle { version: row.version, birth_date, guardians: row.guardians })
}

/// As the database has them.
fn names(rights: &Rights) -> Vec<String> {
    rights.iter().map(|right| right.name().to_owned()).collect()
}
