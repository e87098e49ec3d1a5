//! A place in an establishment, offered by a code.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use domain::access::{Level, Resource, Role};
use domain::ids::{EstablishmentId, InvitationId};
use domain::person::Name;
use domain::{SignedDuration, Timestamp};
use runtime::codes::{hash_code, new_code, not_taken};
use runtime::people::{MEMBER_NAME, SealedWords};
use runtime::{Actor, Ctx, Input, Kind, Problem, Segment, Words};
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::{Query as _, Statement, params, statement};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{Member, MemberRow};

const INVITE: Statement<Invited> = statement!("invite");
const ACCEPT: Statement<Acceptance> = statement!("accept");

/// Life of a code.
const LIFE: SignedDuration = SignedDuration::from_hours(7 * 24);

/// As what somebody may work in an establishment.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Work {
    /// Once an operator has validated their account.
    Practitioner,
    Nurse,
    Secretary,
    Pharmacist,
    Administrator,
    Dim,
}

impl Work {
    const fn role(self) -> Role {
        match self {
            Self::Practitioner => Role::Practitioner,
            Self::Nurse => Role::Nurse,
            Self::Secretary => Role::Secretary,
            Self::Pharmacist => Role::Pharmacist,
            Self::Administrator => Role::Administrator,
            Self::Dim => Role::Dim,
        }
    }
}

/// Who is to work here.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewMember {
    role: Work,
    /// How colleagues will call them.
    name: Name,
}

/// Who is to run the establishment.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewAdministrator {
    /// How colleagues will call them.
    name: Name,
}

/// A code to pass on. It is told here and never again.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MemberInvitation {
    id: InvitationId,
    /// Good once, for whoever has it.
    code: String,
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
}

#[derive(Debug, Deserialize)]
struct Invited {
    invited: bool,
}

/// Offers a place in the establishment of the session. The code is good for seven days; the caller passes it on.
#[utoipa::path(post, path = "/v1/members/invitations", operation_id = "invite_member", tag = "members",
    request_body = NewMember, responses((status = 201, body = MemberInvitation)))]
pub(crate) async fn invite(
    State(ctx): State<Ctx>, actor: Actor, Input(new): Input<NewMember>,
) -> Result<(StatusCode, Json<MemberInvitation>), Problem> {
    let here = actor.standing.establishment.ok_or_else(|| Problem::new(Kind::NotFound))?;
    offer(&ctx, &actor, here, (Resource::Membership, new.role.role()), &new.name).await
}

/// Offers the running of an establishment: an operator to its first administrator, administrators to others.
#[utoipa::path(post, path = "/v1/establishments/{id}/administrators", operation_id = "invite_administrator", tag = "members",
    request_body = NewAdministrator, params(("id" = EstablishmentId, Path)),
    responses((status = 201, body = MemberInvitation), (status = 409, description = "It has an administrator.")))]
pub(crate) async fn invite_administrator(
    State(ctx): State<Ctx>, actor: Actor, Segment(id): Segment<EstablishmentId>, Input(new): Input<NewAdministrator>,
) -> Result<(StatusCode, Json<MemberInvitation>), Problem> {
    offer(&ctx, &actor, id, (Resource::Establishment, Role::Administrator), &new.name).await
}

async fn offer(
    ctx: &Ctx, actor: &Actor, establishment: EstablishmentId, (by, role): (Resource, Role), name: &Name,
) -> Result<(StatusCode, Json<MemberInvitation>), Problem> {
    let now = ctx.now();
    let (code, code_hash) = new_code(&ctx.keys)?;
    let (id, expires_at) = (InvitationId::from_uuid(Uuid::now_v7()), now + LIFE);
    let wish = json!({
        "id": id, "establishment": establishment, "code_hash": code_hash, "role": role,
        "name": SealedWords::new(&ctx.keys, MEMBER_NAME, id, name.as_str()).await?,
        "expires_at": expires_at,
    });
    let found = ctx.db.optional(&INVITE, params![actor.who(now), wish, by.name()]).await?;
    if !found.ok_or_else(|| Problem::new(Kind::NotFound))?.invited {
        return Err(Problem::new(Kind::AdministratorExists));
    }
    Ok((StatusCode::CREATED, Json(MemberInvitation { id, code, expires_at })))
}

/// What was passed on.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct MemberCode {
    #[schema(value_type = String, max_length = 40, pattern = r"^[^\x00]*$")]
    code: Words<40>,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
enum Acceptance {
    Accepted { member: MemberRow },
    NoCode,
    Exists,
    NotProfessional,
}

/// Takes up a place in an establishment. After ten wrong codes in a day no code is good until the next.
#[utoipa::path(post, path = "/v1/memberships", operation_id = "accept_membership", tag = "members",
    request_body = MemberCode,
    responses((status = 201, body = Member), (status = 422, description = "The code is not good."),
              (status = 409, description = "A member already, or not validated as a professional."),
              (status = 429, description = "Too many wrong codes.")))]
pub(crate) async fn accept(
    State(ctx): State<Ctx>, actor: Actor, Input(given): Input<MemberCode>,
) -> Result<(StatusCode, Json<Member>), Problem> {
    let now = ctx.now();
    // Whoever looks after their account may do this: not without the second factor, where there is one.
    if actor.standing.two_factors && actor.standing.level < Level::Two {
        return Err(Problem::new(Kind::SecondFactorNeeded));
    }
    let parameters = params![actor.who(now), hash_code(&ctx.keys, &given.code)?, Uuid::now_v7()];
    let accepted = ctx.db.one(&ACCEPT, parameters).await.map_err(|error| not_taken(error, now))?;
    match accepted {
        Acceptance::Accepted { member } => Ok((StatusCode::CREATED, Json(member.open(&ctx).await?))),
        Acceptance::NoCode => Err(Problem::new(Kind::InvitationInvalid).field("code")),
        Acceptance::Exists => Err(Problem::new(Kind::MemberExists)),
        Acceptance::NotProfessional => Err(Problem::new(Kind::NotAProfessional)),
    }
}
