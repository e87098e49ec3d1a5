//! Who works in an establishment, and for whom.

mod invitations;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use domain::Timestamp;
use domain::access::Role;
use domain::ids::{MembershipId, PractitionerId};
use futures_util::future::try_join_all;
use runtime::page::Page;
use runtime::people::{MEMBER_NAME, SealedWords};
use runtime::{Actor, Ctx, Function, Input, Kind, Problem, Segment};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::{Query as _, Statement, params, statement};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

/// The function.
pub const FUNCTION: Function =
    Function { name: "members", manifest: include_str!("../function.yaml"), routes: router, events: None };

const LIST: Statement<MemberRow> = statement!("list");
const ADD: Statement<MemberRow> = statement!("add");
const END: Statement<Ending> = statement!("end");
const ATTACH: Statement<Value> = statement!("attach");
const DETACH: Statement<Value> = statement!("detach");

fn router() -> OpenApiRouter<Ctx> {
    OpenApiRouter::new()
        .routes(routes!(list, add))
        .routes(routes!(invitations::invite))
        .routes(routes!(invitations::invite_administrator))
        .routes(routes!(invitations::accept))
        .routes(routes!(end))
        .routes(routes!(attach))
        .routes(routes!(detach))
}

/// For whom a member works.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
struct Attachment {
    practitioner: PractitionerId,
    /// The practitioner's name, with title.
    name: String,
}

/// One person in one role (FHIR `PractitionerRole`).
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Member {
    id: MembershipId,
    /// How colleagues call them.
    name: String,
    role: Role,
    /// Who they are in the directory.
    practitioner: Option<PractitionerId>,
    /// For whom they work.
    attached: Vec<Attachment>,
    #[schema(value_type = String, format = DateTime)]
    since: Timestamp,
}

/// A member as the database has them: the directory's name, or one that is still sealed.
#[derive(Debug, Deserialize)]
pub(crate) struct MemberRow {
    #[serde(flatten)]
    member: Member,
    sealed_name: Option<SealedWords>,
}

impl MemberRow {
    pub(crate) async fn open(self, ctx: &Ctx) -> Result<Member, Problem> {
        let Self { mut member, sealed_name } = self;
        if let Some(sealed) = sealed_name.filter(|_| member.practitioner.is_none()) {
            member.name = sealed.open(&ctx.keys, MEMBER_NAME).await?;
        }
        Ok(member)
    }
}

/// Lists who works in the establishment of the session.
#[utoipa::path(get, path = "/v1/members", operation_id = "list_members", tag = "members",
    responses((status = 200, body = Page<Member>)))]
async fn list(State(ctx): State<Ctx>, actor: Actor) -> Result<Json<Page<Member>>, Problem> {
    let rows = ctx.db.many(&LIST, params![actor.who(ctx.now())]).await?;
    let items = try_join_all(rows.into_iter().map(|row| row.open(&ctx))).await?;
    Ok(Json(Page { items, next_cursor: None }))
}

/// Whom.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Colleague {
    practitioner: PractitionerId,
}

/// Makes a member of a practitioner who practises at a site of the establishment and whose account was validated.
#[utoipa::path(post, path = "/v1/members", operation_id = "add_member", tag = "members", request_body = Colleague,
    responses((status = 201, body = Member), (status = 409, description = "A member already, or nobody's account.")))]
async fn add(
    State(ctx): State<Ctx>, actor: Actor, Input(whom): Input<Colleague>,
) -> Result<(StatusCode, Json<Member>), Problem> {
    let parameters = params![actor.who(ctx.now()), Uuid::now_v7(), whom.practitioner.as_uuid()];
    let added = ctx.db.optional(&ADD, parameters).await.map_err(|error| {
        if error.is_constraint("membership_once") { Problem::new(Kind::MemberExists) } else { error.into() }
    })?;
    let added = added.ok_or_else(|| Problem::new(Kind::NotAProfessional).field("practitioner"))?;
    Ok((StatusCode::CREATED, Json(added.open(&ctx).await?)))
}

#[derive(Debug, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
enum Ending {
    Ended { member: MemberRow },
    Unknown,
    Last,
}

/// Ends a membership: from their next request on, they do not work here any more.
#[utoipa::path(post, path = "/v1/members/{id}/end", operation_id = "end_membership", tag = "members",
    params(("id" = MembershipId, Path)),
    responses((status = 200, body = Member), (status = 409, description = "The last administrator.")))]
async fn end(
    State(ctx): State<Ctx>, actor: Actor, Segment(id): Segment<MembershipId>,
) -> Result<Json<Member>, Problem> {
    match ctx.db.one(&END, params![actor.who(ctx.now()), id.as_uuid()]).await? {
        Ending::Ended { member } => Ok(Json(member.open(&ctx).await?)),
        Ending::Unknown => Err(Problem::new(Kind::NotFound)),
        Ending::Last => Err(Problem::new(Kind::AdministratorLast)),
    }
}

/// Lets a nurse or a secretary work for a practitioner of the establishment.
#[utoipa::path(post, path = "/v1/members/{id}/attachments", operation_id = "attach_member", tag = "members",
    request_body = Colleague, params(("id" = MembershipId, Path)),
    responses((status = 204, description = "They work for them from the next request on."),
              (status = 404, description = "No such member of staff or practitioner here.")))]
async fn attach(
    State(ctx): State<Ctx>, actor: Actor, Segment(id): Segment<MembershipId>, Input(whom): Input<Colleague>,
) -> Result<StatusCode, Problem> {
    let parameters = params![actor.who(ctx.now()), id.as_uuid(), whom.practitioner.as_uuid()];
    ctx.db.optional(&ATTACH, parameters).await?.ok_or_else(|| Problem::new(Kind::NotFound))?;
    Ok(StatusCode::NO_CONTENT)
}

/// Ends a member's working for a practitioner.
#[utoipa::path(post, path = "/v1/members/{id}/attachments/end", operation_id = "detach_member", tag = "members",
    request_body = Colleague, params(("id" = MembershipId, Path)),
    responses((status = 204, description = "They work for them no longer."),
              (status = 404, description = "They do not.")))]
async fn detach(
    State(ctx): State<Ctx>, actor: Actor, Segment(id): Segment<MembershipId>, Input(whom): Input<Colleague>,
) -> Result<StatusCode, Problem> {
    let parameters = params![actor.who(ctx.now()), id.as_uuid(), whom.practitioner.as_uuid()];
    ctx.db.optional(&DETACH, parameters).await?.ok_or_else(|| Problem::new(Kind::NotFound))?;
    Ok(StatusCode::NO_CONTENT)
}
