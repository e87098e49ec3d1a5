//! What shows that somebody may act for a child, and what operators make of it.

use axum::Json;
use axum::extract::State;
use domain::age::{Kin, Right, Rights};
use domain::guardianship::Proof;
use domain::ids::GuardianshipId;
use domain::{Date, Timestamp};
use futures_util::future::try_join_all;
use runtime::page::{Limit, Page};
use runtime::people::{SealedPerson, name_of};
use runtime::{Actor, Ctx, Input, Kind, Params, Problem, Segment};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use store::{Query as _, Statement, params, statement};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::{Guardian, GuardianRow};

const OWN: Statement<Value> = statement!("own");
const PROOF: Statement<GuardianRow> = statement!("proof");
const PROOFS: Statement<ShownRow> = statement!("proofs");
const DECIDE: Statement<GuardianRow> = statement!("decide");

/// What shows it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewProof {
    proof: Proof,
    /// The document in the record that shows it.
    reference: Option<Uuid>,
}

/// Says what shows that the caller may act for a patient; an operator looks at it.
#[utoipa::path(post, path = "/v1/guardianships/{id}/proof", operation_id = "show_guardianship", tag = "guardians",
    request_body = NewProof, params(("id" = GuardianshipId, Path)),
    responses((status = 200, body = Guardian), (status = 409, description = "Decided already.")))]
pub(crate) async fn show(
    State(ctx): State<Ctx>, actor: Actor, Segment(id): Segment<GuardianshipId>, Input(new): Input<NewProof>,
) -> Result<Json<Guardian>, Problem> {
    let who = actor.who(ctx.now());
    let own = ctx.db.optional(&OWN, params![who.clone(), id.as_uuid()]).await?;
    own.ok_or_else(|| Problem::new(Kind::NotFound))?;
    let shown = ctx.db.optional(&PROOF, params![who, id.as_uuid(), new.proof.name(), new.reference]).await?;
    Ok(Json(shown.ok_or_else(|| Problem::new(Kind::AlreadyDecided))?.open(&ctx).await?))
}

/// A claim with what shows it, for operators.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Shown {
    id: GuardianshipId,
    /// Who says so.
    #[serde(skip_deserializing)]
    name: String,
    relation: Kin,
    #[serde(skip_deserializing)]
    patient_name: String,
    #[serde(skip_deserializing)]
    #[schema(value_type = Option<String>, format = Date)]
    birth_date: Option<Date>,
    proof: Proof,
    reference: Option<Uuid>,
    #[schema(value_type = String, format = DateTime)]
    given_at: Timestamp,
}

/// The same as stored: both persons still sealed.
#[derive(Debug, Deserialize)]
struct ShownRow {
    person: Option<SealedPerson>,
    patient: SealedPerson,
    #[serde(flatten)]
    shown: Shown,
}

impl ShownRow {
    async fn open(mut self, ctx: &Ctx) -> Result<Shown, Problem> {
        self.shown.name = name_of(self.person.as_ref(), &ctx.keys).await?;
        if let Some(patient) = self.patient.open(&ctx.keys).await? {
            self.shown.patient_name = patient.name();
            self.shown.birth_date = Some(patient.birth_date);
        }
        Ok(self.shown)
    }
}

/// How many.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Few {
    #[serde(default)]
    #[param(value_type = Option<i64>, minimum = 1, maximum = 200)]
    limit: Limit<50, 200>,
}

/// Lists the claims that wait for a decision, oldest first.
#[utoipa::path(get, path = "/v1/guardianship-proofs", operation_id = "list_guardianship_proofs", tag = "guardians",
    params(Few), responses((status = 200, body = Page<Shown>)))]
pub(crate) async fn list(
    State(ctx): State<Ctx>, actor: Actor, Params(few): Params<Few>,
) -> Result<Json<Page<Shown>>, Problem> {
    let rows = ctx.db.many(&PROOFS, params![actor.who(ctx.now()), few.limit.get()]).await?;
    let items = try_join_all(rows.into_iter().map(|row| row.open(&ctx))).await?;
    Ok(Json(Page { items, next_cursor: None }))
}

/// What an operator found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Finding {
    Proven,
    Refused,
}

/// A decision.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct GuardianshipDecision {
    state: Finding,
    /// A judgment extends it beyond the coming of age.
    #[serde(default)]
    court_ordered: bool,
    /// Until when, if the judgment says so.
    #[schema(value_type = Option<String>, format = DateTime)]
    until: Option<Timestamp>,
    /// What a judgment leaves, in a dispute.
    rights: Option<Vec<Right>>,
    /// `given_at` of the proof that was looked at: another one given since is not decided on.
    #[schema(value_type = Option<String>, format = DateTime)]
    given_at: Option<Timestamp>,
}

/// Decides on a claim, or on a dispute. What is refused has ended by the next request.
#[utoipa::path(post, path = "/v1/guardianships/{id}/decision", operation_id = "decide_guardianship", tag = "guardians",
    request_body = GuardianshipDecision, params(("id" = GuardianshipId, Path)),
    responses((status = 200, body = Guardian), (status = 409, description = "Nothing was shown yet, or another proof since.")))]
pub(crate) async fn decide(
    State(ctx): State<Ctx>, actor: Actor, Segment(id): Segment<GuardianshipId>,
    Input(decision): Input<GuardianshipDecision>,
) -> Result<Json<Guardian>, Problem> {
    let rights: Option<Rights> = decision.rights.map(|rights| rights.into_iter().collect());
    let wish = json!({
        "state": decision.state, "court_ordered": decision.court_ordered, "until": decision.until, "rights": rights,
        "given_at": decision.given_at,
    });
    let decided = ctx.db.optional(&DECIDE, params![actor.who(ctx.now()), id.as_uuid(), wish]).await;
    let decided = decided.map_err(|error| match error {
        error if error.is_constraint("guardianship_proven_by_proof") => Problem::new(Kind::AlreadyDecided),
        error if error.is_constraint("guardianship_court_by_judgment") => {
            Problem::new(Kind::FieldInvalid).field("court_ordered").hint("court-ordered")
        }
        error => error.into(),
    })?;
    let missing = if decision.given_at.is_some() { Kind::GuardiansChanged } else { Kind::NotFound };
    Ok(Json(decided.ok_or_else(|| Problem::new(missing))?.open(&ctx).await?))
}
