//! List and read documents, who may see them, and take them back.

mod content;
mod visibility;

use axum::Json;
use axum::extract::State;
use domain::Date;
use domain::document::{Language, Title, TypeCode};
use domain::ids::{AppointmentId, DocumentId, PatientId};
use futures_util::future::try_join_all;
use runtime::documents::{Document, DocumentRow, seal_title};
use runtime::page::{Limit, Page, cursor, parse_cursor};
use runtime::{Actor, Ctx, Function, Input, Kind, Lang, Params, Problem, Segment};
use serde::Deserialize;
use serde_json::json;
use store::{Query as _, Statement, params, statement};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The function.
pub const FUNCTION: Function =
    Function { name: "documents", manifest: include_str!("../function.yaml"), routes: router, events: None };

const LIST: Statement<DocumentRow> = statement!("list");
const READ: Statement<DocumentRow> = statement!("read");
const CURRENT: Statement<Current> = statement!("current");
const CHANGE: Statement<DocumentRow> = statement!("change");
const WITHDRAW: Statement<DocumentRow> = statement!("withdraw");

fn router() -> OpenApiRouter<Ctx> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(read, change))
        .routes(routes!(content::link))
        .routes(routes!(content::content))
        .routes(routes!(visibility::visibility))
        .routes(routes!(withdraw))
}

/// A document as a change of it is decided on.
#[derive(Debug, Deserialize)]
pub(crate) struct Current {
    document: DocumentRow,
    secrecy: bool,
    of_age: bool,
}

/// Which documents; what is given narrows.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Filter {
    /// Whose; without it, of all whom the caller acts for. Whoever works here says whose.
    patient: Option<PatientId>,
    /// `JDV_J07`: LOINC, or `TRE_A05`.
    #[param(inline)]
    r#type: Option<TypeCode>,
    /// Of this visit.
    appointment: Option<AppointmentId>,
    #[param(value_type = Option<i64>, minimum = 1, maximum = 200, default = 50)]
    #[serde(default)]
    limit: Limit<50, 200>,
    /// `next_cursor` of the page before.
    #[param(max_length = 1000)]
    cursor: Option<String>,
}

/// Lists the documents that the caller may see, by the day of their act, newest first. What was refused, or is not judged yet,
/// is listed for who deposited it.
#[utoipa::path(get, path = "/v1/documents", operation_id = "list_documents", tag = "documents", params(Filter),
    responses((status = 200, body = Page<Document>)))]
async fn list(
    State(ctx): State<Ctx>, actor: Actor, lang: Lang, Params(filter): Params<Filter>,
) -> Result<Json<Page<Document>>, Problem> {
    let after: Option<(Date, DocumentId)> = parse_cursor(filter.cursor.as_deref())?;
    let parameters = params![
        actor.who(ctx.now()),
        filter.patient.map(PatientId::as_uuid),
        filter.r#type.map(TypeCode::as_str),
        filter.appointment.map(AppointmentId::as_uuid),
        filter.limit.get() + 1,
        after.map(|after| after.0.to_string()),
        after.map(|after| after.1.as_uuid()),
    ];
    let mut rows = ctx.db.many(&LIST, parameters).await?;
    let more = rows.len() > filter.limit.len();
    rows.truncate(filter.limit.len());
    let next_cursor = rows.last().filter(|_| more).and_then(|last| cursor(&(last.act_date, last.id)));
    let items = try_join_all(rows.into_iter().map(|row| row.view(&ctx.keys, lang))).await?;
    Ok(Json(Page { items, next_cursor }))
}

/// Reads what is said of a document. Its bytes are had by a link.
#[utoipa::path(get, path = "/v1/documents/{id}", operation_id = "read_document", tag = "documents",
    params(("id" = DocumentId, Path)), responses((status = 200, body = Document)))]
async fn read(
    State(ctx): State<Ctx>, actor: Actor, lang: Lang, Segment(id): Segment<DocumentId>,
) -> Result<Json<Document>, Problem> {
    let row = ctx.db.optional(&READ, params![actor.who(ctx.now()), id.as_uuid()]).await?;
    let row = row.ok_or_else(|| Problem::new(Kind::NotFound))?;
    Ok(Json(row.view(&ctx.keys, lang).await?))
}

/// What is said otherwise of a document; what is not given stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct DocumentChange {
    /// `JDV_J07`: LOINC, or `TRE_A05`.
    r#type: Option<TypeCode>,
    /// One line; kept sealed.
    #[schema(value_type = Option<String>, min_length = 1, max_length = 200)]
    title: Option<Title>,
    /// Day of the act it tells of.
    #[schema(value_type = Option<String>, format = Date)]
    act_date: Option<Date>,
    /// ISO 639.
    #[schema(value_type = Option<String>, pattern = "^[a-z]{2,3}$")]
    language: Option<Language>,
}

/// Changes what is said of a document. For who deposited it.
#[utoipa::path(patch, path = "/v1/documents/{id}", operation_id = "change_document", tag = "documents", request_body = DocumentChange,
    params(("id" = DocumentId, Path)),
    responses((status = 200, body = Document),
              (status = 409, description = "Somebody else deposited it, or it was changed meanwhile.")))]
async fn change(
    State(ctx): State<Ctx>, actor: Actor, lang: Lang, Segment(id): Segment<DocumentId>,
    Input(wish): Input<DocumentChange>,
) -> Result<Json<Document>, Problem> {
    let who = actor.who(ctx.now());
    let Current { document, .. } = current(&ctx, who.clone(), id, "update").await?;
    if !document.mine {
        return Err(Problem::new(Kind::DocumentNotYours));
    }
    let title = match &wish.title {
        Some(title) => {
            let wrapped = document.wrapped_key.as_deref();
            seal_title(&ctx.keys, document.patient, wrapped, id, title.as_str()).await?
        }
        None => document.title,
    };
    let r#type = wish.r#type.map_or(document.r#type, String::from);
    let administrative = domain::document::type_of(&r#type).is_some_and(|it| it.administrative);
    let changed = json!({"title": title, "type": r#type, "administrative": administrative,
        "act_date": wish.act_date.unwrap_or(document.act_date),
        "language": wish.language.map_or(document.language, String::from)});
    let changed = ctx.db.optional(&CHANGE, params![who, id.as_uuid(), document.revision, changed]).await?;
    let changed = changed.ok_or_else(|| Problem::new(Kind::DocumentChanged))?;
    Ok(Json(changed.view(&ctx.keys, lang).await?))
}

/// Takes a document back. For who deposited it, who alone sees it from then on; said again, it changes nothing. What it held is
/// kept as long as the record is, and removed with it.
#[utoipa::path(post, path = "/v1/documents/{id}/withdrawal", operation_id = "withdraw_document", tag = "documents",
    params(("id" = DocumentId, Path)),
    responses((status = 200, body = Document), (status = 409, description = "Somebody else deposited it.")))]
async fn withdraw(
    State(ctx): State<Ctx>, actor: Actor, lang: Lang, Segment(id): Segment<DocumentId>,
) -> Result<Json<Document>, Problem> {
    let who = actor.who(ctx.now());
    let Current { document, .. } = current(&ctx, who.clone(), id, "delete").await?;
    if !document.mine {
        return Err(Problem::new(Kind::DocumentNotYours));
    }
    let withdrawn = ctx.db.optional(&WITHDRAW, params![who, id.as_uuid()]).await?;
    Ok(Json(withdrawn.unwrap_or(document).view(&ctx.keys, lang).await?))
}

/// A document that the caller may do that to.
pub(crate) async fn current(
    ctx: &Ctx, who: serde_json::Value, id: DocumentId, action: &'static str,
) -> Result<Current, Problem> {
    let current = ctx.db.optional(&CURRENT, params![who, id.as_uuid(), action]).await?;
    current.ok_or_else(|| Problem::new(Kind::NotFound))
}
