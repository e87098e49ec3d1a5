//! Shut a professional out of a patient’s record, and let them in again.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use domain::Timestamp;
use domain::ids::{PatientId, PractitionerId};
use runtime::page::Page;
use runtime::{Actor, Ctx, Function, Input, Kind, Problem, Segment};
use serde::{Deserialize, Serialize};
use store::{Query as _, Statement, params, statement};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The function.
pub const FUNCTION: Function =
    Function { name: "blocks", manifest: include_str!("../function.yaml"), routes: router, events: None };

const LIST: Statement<Blocks> = statement!("list");
const SHUT_OUT: Statement<Outcome> = statement!("shut_out");
const LIFT: Statement<Block> = statement!("lift");

fn router() -> OpenApiRouter<Ctx> {
    OpenApiRouter::new().routes(routes!(list, create)).routes(routes!(lift))
}

/// A professional who sees nothing of the patient, whatever else would allow it.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
struct Block {
    practitioner: PractitionerId,
    /// The practitioner's name, with title.
    name: String,
    #[schema(value_type = String, format = DateTime)]
    since: Timestamp,
}

#[derive(Debug, Deserialize)]
struct Blocks {
    blocks: Vec<Block>,
}

/// Lists whom the patient has shut out.
#[utoipa::path(get, path = "/v1/patients/{id}/blocks", operation_id = "list_blocks", tag = "patients",
    params(("id" = PatientId, Path)), responses((status = 200, body = Page<Block>)))]
async fn list(
    State(ctx): State<Ctx>, actor: Actor, Segment(id): Segment<PatientId>,
) -> Result<Json<Page<Block>>, Problem> {
    let found = ctx.db.optional(&LIST, params![actor.who(ctx.now()), id.as_uuid()]).await?;
    let items = found.ok_or_else(|| Problem::new(Kind::NotFound))?.blocks;
    Ok(Json(Page { items, next_cursor: None }))
}

/// Whom.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ShutOutWish {
    practitioner: PractitionerId,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
enum Outcome {
    ShutOut { block: Block },
    VisitAhead,
    Unknown,
}

/// Shuts a professional out, with all who work for them: they see nothing of the patient any longer, not even in an
/// emergency, and cannot be booked. Not while a visit with them lies ahead.
#[utoipa::path(post, path = "/v1/patients/{id}/blocks", operation_id = "shut_out", tag = "patients",
    request_body = ShutOutWish, params(("id" = PatientId, Path)),
    responses((status = 201, body = Block), (status = 409, description = "A visit with them lies ahead.")))]
async fn create(
    State(ctx): State<Ctx>, actor: Actor, Segment(id): Segment<PatientId>, Input(whom): Input<ShutOutWish>,
) -> Result<(StatusCode, Json<Block>), Problem> {
    let parameters = params![actor.who(ctx.now()), id.as_uuid(), whom.practitioner.as_uuid()];
    match ctx.db.one(&SHUT_OUT, parameters).await? {
        Outcome::ShutOut { block } => Ok((StatusCode::CREATED, Json(block))),
        Outcome::VisitAhead => Err(Problem::new(Kind::VisitAhead).field("practitioner")),
        Outcome::Unknown => Err(Problem::new(Kind::NotFound)),
    }
}

/// Lets a professional in again.
#[utoipa::path(post, path = "/v1/patients/{id}/blocks/lift", operation_id = "lift_block", tag = "patients",
    request_body = ShutOutWish, params(("id" = PatientId, Path)),
    responses((status = 200, body = Block), (status = 404, description = "They are not shut out.")))]
async fn lift(
    State(ctx): State<Ctx>, actor: Actor, Segment(id): Segment<PatientId>, Input(whom): Input<ShutOutWish>,
) -> Result<Json<Block>, Problem> {
    let parameters = params![actor.who(ctx.now()), id.as_uuid(), whom.practitioner.as_uuid()];
    Ok(Json(ctx.db.optional(&LIFT, parameters).await?.ok_or_else(|| Problem::new(Kind::NotFound))?))
}
