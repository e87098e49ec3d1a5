//! Claim to be a professional of the directory; validate, refuse, suspend.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use domain::Timestamp;
use domain::ids::{PractitionerId, ProfessionalId};
use domain::person::fold;
use domain::professional::{self, ProfessionalVerdict};
use futures_util::future::try_join_all;
use runtime::page::{Limit, Page};
use runtime::people::{DECISION_REASON, SealedPerson, SealedWords};
use runtime::{Actor, Ctx, Function, Input, Kind, Params, Problem, Segment, Words};
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::{Query as _, Statement, params, statement};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

/// The function.
pub const FUNCTION: Function =
    Function { name: "professionals", manifest: include_str!("../function.yaml"), routes: router, events: None };

const CHECK: Statement<Check> = statement!("check");
const APPLY: Statement<ProfessionalRow> = statement!("apply");
const LIST: Statement<ProfessionalRow> = statement!("list");
const CURRENT: Statement<Current> = statement!("current");
const DECIDE: Statement<ProfessionalRow> = statement!("decide");

fn router() -> OpenApiRouter<Ctx> {
    OpenApiRouter::new().routes(routes!(apply, list)).routes(routes!(decide))
}

/// Who one claims to be.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ProfessionalClaim {
    /// The number in the national directory (RPPS).
    #[schema(value_type = String, max_length = 20, example = "99900000011")]
    rpps: Words<20>,
    /// Code of the profession or specialty, as `/v1/specialties` has them.
    #[schema(value_type = String, max_length = 20, example = "SM40")]
    profession: Words<20>,
}

#[derive(Debug, Deserialize)]
struct Check {
    practitioner: PractitionerId,
    given_name: String,
    family_name: String,
    me: Option<SealedPerson>,
    profession_matches: bool,
}

impl Check {
    /// Whether the directory calls the claimant what their own file does.
    async fn name_matches(&self, ctx: &Ctx) -> Result<bool, Problem> {
        let Some(me) = &self.me else { return Ok(false) };
        let me = me.open(&ctx.keys).await?;
        Ok(me.is_some_and(|me| {
            fold(&me.given_name) == fold(&self.given_name) && fold(&me.family_name) == fold(&self.family_name)
        }))
    }
}

/// A claim to be a professional of the directory.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
struct Professional {
    id: ProfessionalId,
    practitioner: PractitionerId,
    rpps: Option<String>,
    /// As the directory has it.
    name: String,
    profession: String,
    state: professional::ProfessionalState,
    #[schema(value_type = String, format = DateTime)]
    applied_at: Timestamp,
    #[schema(value_type = Option<String>, format = DateTime)]
    decided_at: Option<Timestamp>,
    /// The operator's words.
    reason: Option<String>,
}

/// A claim as the database has it.
#[derive(Debug, Deserialize)]
struct ProfessionalRow {
    #[serde(flatten)]
    claim: Professional,
    sealed_reason: Option<SealedWords>,
}

impl ProfessionalRow {
    async fn open(self, ctx: &Ctx) -> Result<Professional, Problem> {
        let Self { mut claim, sealed_reason } = self;
        if let Some(sealed) = sealed_reason {
            claim.reason = Some(sealed.open(&ctx.keys, DECISION_REASON).await?);
        }
        Ok(claim)
    }
}

/// Claims to be a professional: the directory must know the number, the name and the profession. An operator decides.
#[utoipa::path(post, path = "/v1/professionals", operation_id = "apply_as_professional", tag = "professionals",
    request_body = ProfessionalClaim,
    responses((status = 201, body = Professional), (status = 422, description = "The directory says otherwise."),
              (status = 409, description = "Claimed already.")))]
async fn apply(
    State(ctx): State<Ctx>, actor: Actor, Input(claim): Input<ProfessionalClaim>,
) -> Result<(StatusCode, Json<Professional>), Problem> {
    let who = actor.who(ctx.now());
    let (rpps, profession) = (claim.rpps.trim(), claim.profession.trim());
    let wrong = |field: &str, hint: &str| Problem::new(Kind::FieldInvalid).field(field).hint(hint);
    // All of it is public.
    let check = ctx.db.optional(&CHECK, params![who.clone(), rpps, profession]).await?;
    let check = check.ok_or_else(|| wrong("rpps", "rpps-unknown"))?;
    if !check.name_matches(&ctx).await? {
        return Err(wrong("rpps", "rpps-name"));
    }
    if !check.profession_matches {
        return Err(wrong("profession", "rpps-profession"));
    }
    let applied = ctx.db.optional(&APPLY, params![who, Uuid::now_v7(), check.practitioner.as_uuid(), profession]).await;
    let exists = || Problem::new(Kind::ProfessionalExists);
    let applied =
        applied.map_err(|error| if error.is_constraint("professional_once") { exists() } else { error.into() })?;
    Ok((StatusCode::CREATED, Json(applied.ok_or_else(exists)?.open(&ctx).await?)))
}

/// Which.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Filter {
    state: Option<professional::ProfessionalState>,
    #[serde(default)]
    #[param(value_type = Option<i64>, minimum = 1, maximum = 200)]
    limit: Limit<50, 200>,
}

/// Lists claims, oldest first.
#[utoipa::path(get, path = "/v1/professionals", operation_id = "list_professionals", tag = "professionals",
    params(Filter), responses((status = 200, body = Page<Professional>)))]
async fn list(
    State(ctx): State<Ctx>, actor: Actor, Params(filter): Params<Filter>,
) -> Result<Json<Page<Professional>>, Problem> {
    let state = filter.state.map(professional::ProfessionalState::name);
    let rows = ctx.db.many(&LIST, params![actor.who(ctx.now()), state, filter.limit.get()]).await?;
    let items = try_join_all(rows.into_iter().map(|row| row.open(&ctx))).await?;
    Ok(Json(Page { items, next_cursor: None }))
}

#[derive(Debug, Deserialize)]
struct Current {
    state: professional::ProfessionalState,
}

/// What an operator decides, and why.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ProfessionalDecision {
    decision: ProfessionalVerdict,
    #[schema(value_type = String, min_length = 1, max_length = 500, pattern = r"^[^\x00]*$")]
    reason: Words<500>,
}

/// Validates, refuses, suspends or reinstates. A suspension is felt at the next request: the account works nowhere, and
/// families can book nothing with them.
#[utoipa::path(post, path = "/v1/professionals/{id}/decision", operation_id = "decide_professional", tag = "professionals",
    request_body = ProfessionalDecision, params(("id" = ProfessionalId, Path)),
    responses((status = 200, body = Professional), (status = 409, description = "Not in its present state.")))]
async fn decide(
    State(ctx): State<Ctx>, actor: Actor, Segment(id): Segment<ProfessionalId>,
    Input(decision): Input<ProfessionalDecision>,
) -> Result<Json<Professional>, Problem> {
    let who = actor.who(ctx.now());
    let current = ctx.db.optional(&CURRENT, params![who.clone(), id.as_uuid()]).await?;
    let state = current.ok_or_else(|| Problem::new(Kind::NotFound))?.state;
    let reason = decision.reason.trim();
    if reason.is_empty() {
        return Err(Problem::new(Kind::FieldInvalid).field("reason"));
    }
    let decided = || Problem::new(Kind::AlreadyDecided).field("decision");
    let next = decision.decision.on(state).ok_or_else(decided)?;
    let event = decision.decision.event();
    let reason = json!(SealedWords::new(&ctx.keys, DECISION_REASON, id, reason).await?);
    let written = ctx.db.optional(&DECIDE, params![who, id.as_uuid(), state.name(), next.name(), reason, event]).await;
    let written = written.map_err(|error| {
        // Somebody else was validated as the same person meanwhile.
        if error.is_constraint("professional_one_holder") {
            Problem::new(Kind::ProfessionalExists)
        } else {
            error.into()
        }
    })?;
    Ok(Json(written.ok_or_else(decided)?.open(&ctx).await?))
}
