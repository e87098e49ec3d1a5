//! Who I am, and in which capacity I act.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use domain::Timestamp;
use domain::access::Role;
use domain::age::{Kin, Rights};
use domain::guardianship::Claim;
use domain::ids::{
    AccountId, EstablishmentId, GuardianshipId, MembershipId, PatientId, PractitionerId, ProfessionalId,
};
use runtime::people::{SealedPerson, name_of};
use runtime::{Actor, Ctx, Function, Input, Kind, Problem};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::{Query as _, Statement, params, statement};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The function.
pub const FUNCTION: Function =
    Function { name: "capacities", manifest: include_str!("../function.yaml"), routes: router, events: None };

const ME: Statement<MeRow> = statement!("me");
const CHOOSE: Statement<Value> = statement!("choose");

fn router() -> OpenApiRouter<Ctx> {
    OpenApiRouter::new().routes(routes!(me)).routes(routes!(choose))
}

/// In what one may act.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
struct OwnCapacity {
    role: Role,
    /// Which membership, for who works in an establishment.
    membership: Option<MembershipId>,
    establishment: Option<EstablishmentId>,
    establishment_name: Option<String>,
}

/// A claim to be somebody of the directory.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
struct OwnClaim {
    id: ProfessionalId,
    practitioner: PractitionerId,
    /// `pending`, `validated`, `refused` or `suspended`.
    state: String,
}

/// For whom one acts.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
struct OwnGuardianship {
    id: GuardianshipId,
    patient: PatientId,
    relation: Kin,
    /// What the caller may do now.
    rights: Rights,
    state: Claim,
    /// When that ends by itself.
    #[schema(value_type = Option<String>, format = DateTime)]
    until: Option<Timestamp>,
}

/// Who asks.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
struct Me {
    account: AccountId,
    #[serde(skip_deserializing)]
    name: String,
    /// In what capacity this session acts.
    role: Role,
    /// 1: one factor; 2: two factors.
    level: i64,
    /// Where, for who works in an establishment.
    establishment: Option<EstablishmentId>,
    /// Who the caller is in the directory.
    practitioner: Option<PractitionerId>,
    /// Everything the caller may act as.
    capacities: Vec<OwnCapacity>,
    /// For whom the caller acts, themself included.
    guardianships: Vec<OwnGuardianship>,
    /// The caller's latest claim to be a professional.
    professional: Option<OwnClaim>,
}

/// The same as stored: the name still sealed.
#[derive(Debug, Deserialize)]
struct MeRow {
    person: Option<SealedPerson>,
    #[serde(flatten)]
    me: Me,
}

/// Says who the caller is, in what capacity the session acts, and in which others it could.
#[utoipa::path(get, path = "/v1/me", operation_id = "who_am_i", tag = "accounts", responses((status = 200, body = Me)))]
async fn me(State(ctx): State<Ctx>, actor: Actor) -> Result<Json<Me>, Problem> {
    let MeRow { person, mut me } = ctx.db.one(&ME, params![actor.who(ctx.now())]).await?;
    me.name = name_of(person.as_ref(), &ctx.keys).await?;
    Ok(Json(me))
}

/// As what to act.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Choice {
    role: Role,
    /// In which establishment, for who has the role in several.
    establishment: Option<EstablishmentId>,
}

/// Makes this session act in another of the caller's capacities, from the next request on.
#[utoipa::path(post, path = "/v1/sessions/capacity", operation_id = "choose_capacity", tag = "accounts",
    request_body = Choice,
    responses((status = 204, description = "From the next request on."),
              (status = 403, description = "Not a capacity of the caller's.")))]
async fn choose(State(ctx): State<Ctx>, actor: Actor, Input(choice): Input<Choice>) -> Result<StatusCode, Problem> {
    let who = actor.who(ctx.now());
    let me = ctx.db.one(&ME, params![who.clone()]).await?.me;
    let meant = |capacity: &&OwnCapacity| {
        capacity.role == choice.role
            && choice.establishment.is_none_or(|establishment| Some(establishment) == capacity.establishment)
    };
    let mut meant = me.capacities.iter().filter(meant);
    let refused = || Problem::new(Kind::Forbidden).field("role");
    let capacity = match (meant.next(), meant.next()) {
        (Some(capacity), None) => capacity,
        (Some(_), Some(_)) => return Err(Problem::new(Kind::FieldMissing).field("establishment")),
        (None, _) => return Err(refused()),
    };
    let membership = capacity.membership.map(MembershipId::as_uuid);
    let chosen = ctx.db.optional(&CHOOSE, params![who, capacity.role.name(), membership]).await?;
    chosen.ok_or_else(refused)?;
    Ok(StatusCode::NO_CONTENT)
}
