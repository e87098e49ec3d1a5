//! Whom a document is kept from.

use axum::Json;
use axum::extract::State;
use domain::access::Role;
use domain::ids::DocumentId;
use runtime::documents::{Document, DocumentRow};
use runtime::{Actor, Ctx, Input, Kind, Lang, Problem, Segment};
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::{Query as _, Statement, params, statement};
use utoipa::ToSchema;

use crate::{Current, current};

const VISIBILITY: Statement<DocumentRow> = statement!("visibility");

/// Whom it is to be kept from; what is not given stays.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct VisibilityWish {
    /// For the practitioner who deposited it: false once it was announced, for good.
    hidden_from_patient: Option<bool>,
    /// For the minor, and the practitioner who deposited it: whether those who act for the minor never see it.
    hidden_from_representatives: Option<bool>,
    /// For the patient and those who act for them: whether professionals do not see it, but its author and the attending
    /// physician.
    hidden_from_professionals: Option<bool>,
}

/// Changes whom a document is kept from.
#[utoipa::path(post, path = "/v1/documents/{id}/visibility", operation_id = "change_document_visibility", tag = "documents",
    request_body = VisibilityWish, params(("id" = DocumentId, Path)),
    responses((status = 200, body = Document),
              (status = 409, description = "The patient is of age, or the document was changed meanwhile.")))]
pub(crate) async fn visibility(
    State(ctx): State<Ctx>, actor: Actor, lang: Lang, Segment(id): Segment<DocumentId>,
    Input(wish): Input<VisibilityWish>,
) -> Result<Json<Document>, Problem> {
    let who = actor.who(ctx.now());
    let current = current(&ctx, who.clone(), id, "update").await?;
    allowed(&wish, &current, actor.standing.role)?;
    let parameters = params![who, id.as_uuid(), current.document.revision, json!(wish)];
    let changed = ctx.db.optional(&VISIBILITY, parameters).await?;
    let changed = changed.ok_or_else(|| Problem::new(Kind::DocumentChanged))?;
    Ok(Json(changed.view(&ctx.keys, lang).await?))
}

/// Each flag is somebody's own: what is not announced yet, its author's; what a minor keeps, the minor's; what is masked, the
/// patient's side's.
fn allowed(wish: &VisibilityWish, current: &Current, role: Role) -> Result<(), Problem> {
    let invalid = |field: &str, hint: &str| Err(Problem::new(Kind::FieldInvalid).field(field).hint(hint));
    let author = role == Role::Practitioner && current.document.mine;
    if wish.hidden_from_patient.is_some() && !author {
        return invalid("hidden_from_patient", "practitioners-only");
    }
    if wish.hidden_from_patient == Some(true)
        && !current.document.hidden_from_patient
        && current.document.shown.is_some()
    {
        return invalid("hidden_from_patient", "announced");
    }
    if wish.hidden_from_representatives.is_some() && !current.secrecy {
        return invalid("hidden_from_representatives", "secrecy-only");
    }
    if wish.hidden_from_representatives == Some(true) && current.of_age {
        return Err(Problem::new(Kind::PatientOfAge).field("hidden_from_representatives"));
    }
    if wish.hidden_from_professionals.is_some() && role != Role::Patient {
        return invalid("hidden_from_professionals", "patients-only");
    }
    Ok(())
}
