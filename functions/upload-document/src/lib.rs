//! Open the upload of a document, resume it, complete it.

mod store_side;
mod wish;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use domain::SignedDuration;
use domain::document::State as Stands;
use domain::ids::{DocumentId, PatientId};
use runtime::documents::{Document, DocumentRow, content_hash, object_key, seal_title, seal_upload};
use runtime::objects::STAGING;
use runtime::{Actor, Ctx, Function, IdempotencyKey, Input, Kind, Lang, Problem, Segment};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use store::{Query as _, Statement, params, statement};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use store_side::{Requests, arrived, requests};
use wish::{Bytes, Deposit, Target};

/// The function.
pub const FUNCTION: Function =
    Function { name: "upload-document", manifest: include_str!("../function.yaml"), routes: router, events: None };

const TARGET: Statement<Target> = statement!("target");
const TARGET_VERSION: Statement<TargetVersion> = statement!("target_version");
const OPEN: Statement<Opened> = statement!("open");
const UPLOAD: Statement<UploadRow> = statement!("upload");
const COMPLETE: Statement<Value> = statement!("complete");
const ARRIVING_NOW: Statement<Taken> = statement!("arriving");
const NOT_ARRIVED: Statement<Value> = statement!("not_arrived");

/// One who completes and was killed delays the next by no more.
const ARRIVING: SignedDuration = SignedDuration::from_secs(30);
/// How often, and after how long, somebody who completes at the same time looks again: seven seconds in all.
const TURNS: u32 = 35;
const TURN: std::time::Duration = std::time::Duration::from_millis(200);

#[derive(Debug, Deserialize)]
struct Taken {
    taken: i64,
}

/// The other one takes long.
#[derive(Debug, thiserror::Error)]
#[error("the parts of an upload are still being put together")]
struct StillArriving;

fn router() -> OpenApiRouter<Ctx> {
    OpenApiRouter::new()
        .routes(routes!(open))
        .routes(routes!(open_version))
        .routes(routes!(resume))
        .routes(routes!(complete))
}

#[derive(Debug, Deserialize)]
struct TargetVersion {
    patient: PatientId,
    wrapped_key: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case", tag = "outcome")]
enum Opened {
    Created { upload: Box<UploadRow> },
    Replayed { upload: Box<UploadRow> },
    KeyReused,
    Unseen,
    NotYours,
}

/// An upload, for its author.
#[derive(Debug, Deserialize)]
pub(crate) struct UploadRow {
    document: DocumentRow,
    number: u32,
    state: Stands,
    media_type: String,
    size_bytes: u64,
    upload: Option<String>,
    upload_name: Option<String>,
    staging: Option<String>,
}

/// A document whose bytes are to come.
#[derive(Debug, Serialize, ToSchema)]
struct Upload {
    document: Document,
    /// The version that the bytes are for.
    version: u32,
    /// What to send to whom; nothing once the upload is completed.
    upload: Option<Requests>,
}

/// Opens the upload of a document. The bytes go to the store by the requests of the answer, within 15 minutes; ask again for
/// fresh ones. Over 50 MiB they go in parts. Nobody sees the document before its bytes were looked at.
#[utoipa::path(post, path = "/v1/documents", operation_id = "open_upload", tag = "documents", request_body = Deposit,
    params(("Idempotency-Key" = String, Header, min_length = 1, max_length = 128, pattern = "^[!-~]+$",
            description = "The client's name for this deposit; sent again, it gives the same document.")),
    responses((status = 201, body = Upload),
              (status = 404, description = "No such patient or visit for you, or not this type of document."),
              (status = 409, description = "The patient is of age: nobody represents them.")))]
async fn open(
    State(ctx): State<Ctx>, actor: Actor, lang: Lang, key: IdempotencyKey, Input(deposit): Input<Deposit>,
) -> Result<(StatusCode, Json<Upload>), Problem> {
    let who = actor.who(ctx.now());
    let hash = ctx.keys.fingerprint(&serde_json::to_vec(&deposit).unwrap_or_default())?;
    let parameters = params![
        who.clone(),
        deposit.patient.map(PatientId::as_uuid),
        deposit.r#type.of().administrative,
        deposit.appointment.map(domain::ids::AppointmentId::as_uuid),
    ];
    let target = ctx.db.optional(&TARGET, parameters).await?;
    let target = target.ok_or_else(|| Problem::new(Kind::NotFound).field("patient"))?;
    deposit.allowed(&target, actor.standing.role)?;
    let id = DocumentId::from_uuid(Uuid::now_v7());
    let (patient, wrapped) = (target.patient, target.wrapped_key.as_deref());
    let mut wish = deposit.document(&target);
    wish["title"] = seal_title(&ctx.keys, patient, wrapped, id, deposit.title.as_str()).await?.into();
    let bytes = of_bytes(&ctx, patient, wrapped, id, &deposit.bytes()).await?;
    merge(&mut wish, [bytes, json!({"new": true, "operation": "document", "key": key.as_str(), "request_hash": hash})]);
    opened(&ctx, lang, ctx.db.one(&OPEN, params![who, wish]).await?).await
}

/// Opens the upload of another version of a document. The one before stays as it is, and is shown until this one was found to
/// be sound. For who deposited the document.
#[utoipa::path(post, path = "/v1/documents/{id}/versions", operation_id = "open_version", tag = "documents",
    request_body = Bytes,
    params(("id" = DocumentId, Path),
           ("Idempotency-Key" = String, Header, min_length = 1, max_length = 128, pattern = "^[!-~]+$",
            description = "The client's name for this version; sent again, it gives the same one.")),
    responses((status = 201, body = Upload), (status = 404, description = "No such document for you."),
              (status = 409, description = "Somebody else deposited it, or it was taken back.")))]
async fn open_version(
    State(ctx): State<Ctx>, actor: Actor, lang: Lang, key: IdempotencyKey, Segment(id): Segment<DocumentId>,
    Input(bytes): Input<Bytes>,
) -> Result<(StatusCode, Json<Upload>), Problem> {
    let who = actor.who(ctx.now());
    let named = [id.as_uuid().as_bytes().as_slice(), &serde_json::to_vec(&bytes).unwrap_or_default()].concat();
    let hash = ctx.keys.fingerprint(&named)?;
    let target = ctx.db.optional(&TARGET_VERSION, params![who.clone(), id.as_uuid()]).await?;
    let target = target.ok_or_else(|| Problem::new(Kind::NotFound))?;
    let mut wish = of_bytes(&ctx, target.patient, target.wrapped_key.as_deref(), id, &bytes).await?;
    let operation = json!({"new": false, "operation": "document-version", "key": key.as_str(), "request_hash": hash});
    merge(&mut wish, [operation]);
    opened(&ctx, lang, ctx.db.one(&OPEN, params![who, wish]).await?).await
}

/// What is still to be sent of the latest version, with fresh signatures. Which parts are there is asked of the store. For who
/// deposited the document.
#[utoipa::path(get, path = "/v1/documents/{id}/upload", operation_id = "resume_upload", tag = "documents",
    params(("id" = DocumentId, Path)),
    responses((status = 200, body = Upload), (status = 404, description = "No such upload of yours.")))]
async fn resume(
    State(ctx): State<Ctx>, actor: Actor, lang: Lang, Segment(id): Segment<DocumentId>,
) -> Result<Json<Upload>, Problem> {
    view(&ctx, lang, own(&ctx, actor.who(ctx.now()), id).await?).await.map(Json)
}

/// Says that the bytes were sent. They are looked at from then on; said again, it changes nothing.
#[utoipa::path(post, path = "/v1/documents/{id}/completion", operation_id = "complete_upload", tag = "documents",
    params(("id" = DocumentId, Path)),
    responses((status = 200, body = Document), (status = 404, description = "No such upload of yours."),
              (status = 409, description = "Bytes are missing: `missing_parts` says which.")))]
async fn complete(
    State(ctx): State<Ctx>, actor: Actor, lang: Lang, Segment(id): Segment<DocumentId>,
) -> Result<Json<Document>, Problem> {
    let who = actor.who(ctx.now());
    let mut row = own(&ctx, who.clone(), id).await?;
    let version = i64::from(row.number);
    for _ in 0..TURNS {
        if row.state != Stands::AwaitingUpload {
            return Ok(Json(row.document.view(&ctx.keys, lang).await?));
        }
        let (lease, now) = (Uuid::now_v7(), ctx.now());
        let until = now + ARRIVING;
        if ctx.db.one(&ARRIVING_NOW, params![id.as_uuid(), version, lease, now, until]).await?.taken == 0 {
            // Somebody else makes one file of the parts: how that ends is the answer to both.
            runtime::pace::sleep(TURN).await;
        } else if let Err(problem) = arrived(&ctx, &row).await {
            ctx.db.one(&NOT_ARRIVED, params![id.as_uuid(), version, lease]).await?;
            return Err(problem);
        } else {
            ctx.db.optional(&COMPLETE, params![who.clone(), id.as_uuid(), version]).await?;
        }
        row = own(&ctx, who.clone(), id).await?;
    }
    Err(Problem::new(Kind::Unavailable).because(StillArriving))
}

/// The latest upload of a document that the caller deposited.
async fn own(ctx: &Ctx, who: Value, id: DocumentId) -> Result<UploadRow, Problem> {
    let row = ctx.db.optional(&UPLOAD, params![who, id.as_uuid()]).await?;
    let row = row.ok_or_else(|| Problem::new(Kind::NotFound))?;
    if row.document.mine { Ok(row) } else { Err(Problem::new(Kind::DocumentNotYours)) }
}

/// What is kept of bytes that are to come.
async fn of_bytes(
    ctx: &Ctx, patient: PatientId, wrapped: Option<&str>, id: DocumentId, bytes: &Bytes,
) -> Result<Value, Problem> {
    let sha256 = bytes.sha256.bytes();
    Ok(json!({
        "id": id, "media_type": bytes.media_type, "size_bytes": bytes.size_bytes,
        "content_hash": content_hash(&ctx.keys, patient, sha256)?,
        "upload": seal_upload(&ctx.keys, patient, wrapped, id, &BASE64.encode(sha256)).await?,
        "staging": object_key(&ctx.keys, STAGING)?,
    }))
}

fn merge(into: &mut Value, all: impl IntoIterator<Item = Value>) {
    if let Value::Object(into) = into {
        into.extend(
            all.into_iter().filter_map(|it| if let Value::Object(it) = it { Some(it) } else { None }).flatten(),
        );
    }
}

async fn opened(ctx: &Ctx, lang: Lang, outcome: Opened) -> Result<(StatusCode, Json<Upload>), Problem> {
    match outcome {
        Opened::Created { upload } | Opened::Replayed { upload } => {
            Ok((StatusCode::CREATED, Json(view(ctx, lang, *upload).await?)))
        }
        Opened::KeyReused => Err(Problem::new(Kind::IdempotencyKeyReused).field("Idempotency-Key")),
        Opened::Unseen => Err(Problem::new(Kind::NotFound)),
        Opened::NotYours => Err(Problem::new(Kind::DocumentNotYours)),
    }
}

async fn view(ctx: &Ctx, lang: Lang, row: UploadRow) -> Result<Upload, Problem> {
    let waits = row.state == Stands::AwaitingUpload && row.document.state() != Stands::Withdrawn;
    let upload = if waits { Some(requests(ctx, &row).await?) } else { None };
    Ok(Upload { version: row.number, document: row.document.view(&ctx.keys, lang).await?, upload })
}
