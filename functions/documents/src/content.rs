//! The bytes of a document, opened on their way to who may see them.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use domain::Timestamp;
use domain::document::{LINK_LIFE, byte_range, file_name};
use domain::ids::{AccountId, DocumentId, PatientId, SessionId};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use runtime::documents::{data_key, open_title, place};
use runtime::edge::{ClientAddress, RequestId};
use runtime::objects::read_sealed;
use runtime::{Actor, Ctx, Input, Kind, Problem, Segment};
use serde::{Deserialize, Serialize};
use store::{Query as _, Statement, params, statement};
use utoipa::ToSchema;
use uuid::Uuid;

const LINK: Statement<Linked> = statement!("link");
const SESSION_OF_LINK: Statement<SessionOfLink> = statement!("session_of_link");
const CONTENT: Statement<Content> = statement!("content");
/// What a link is good for, and nothing else.
const PURPOSE: &str = "document-content";
/// Whatever a browser makes of the bytes, it makes it of nothing but them.
const SANDBOX: HeaderValue = HeaderValue::from_static("sandbox; default-src 'none'; frame-ancestors 'none'");

#[derive(Debug, Deserialize)]
struct Linked {
    made: bool,
}

#[derive(Debug, Deserialize)]
struct SessionOfLink {
    account: AccountId,
    session: SessionId,
}

#[derive(Debug, Deserialize)]
struct Content {
    document: DocumentId,
    patient: PatientId,
    title: String,
    version: u32,
    part: Part,
    key: String,
    object_key: String,
    media_type: String,
    clear_bytes: u64,
    wrapped_key: Option<String>,
}

impl Content {
    /// What these bytes are called by who has them: they never change.
    fn tag(&self) -> String {
        format!("\"{}-{}-{}\"", self.document, self.version, self.part.name())
    }
}

/// Which bytes of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Part {
    /// What is shown of it.
    #[default]
    Content,
    /// A small picture of its first page, JPEG.
    Preview,
    /// For who deposited it: a photograph as it came, with its place and its camera.
    Original,
}

impl Part {
    const fn name(self) -> &'static str {
        match self {
            Self::Content => "content",
            Self::Preview => "preview",
            Self::Original => "original",
        }
    }
}

/// Which bytes are wanted.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LinkWish {
    #[serde(default)]
    part: Part,
}

/// Where bytes can be had for a moment.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Link {
    /// A path here; whoever has it has the bytes, as long as the session that asked for it lives and may see them.
    url: String,
    /// Two minutes ahead.
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
}

/// A link to the bytes of a document, for two minutes and for this session. That it was asked for is on record.
#[utoipa::path(post, path = "/v1/documents/{id}/link", operation_id = "link_document", tag = "documents",
    request_body = LinkWish, params(("id" = DocumentId, Path)),
    responses((status = 200, body = Link),
              (status = 409, description = "There are no such bytes: not judged yet, refused, or taken back.")))]
pub(crate) async fn link(
    State(ctx): State<Ctx>, actor: Actor, Segment(id): Segment<DocumentId>, Input(wish): Input<LinkWish>,
) -> Result<Json<Link>, Problem> {
    let (now, link) = (ctx.now(), Uuid::now_v7());
    let expires_at = now + LINK_LIFE;
    let parameters = params![actor.who(now), id.as_uuid(), wish.part.name(), link, expires_at];
    match ctx.db.optional(&LINK, parameters).await? {
        None => Err(Problem::new(Kind::NotFound)),
        Some(Linked { made: false }) => Err(Problem::new(Kind::DocumentNotAvailable)),
        Some(Linked { made: true }) => {
            let token = ctx.keys.link_token(PURPOSE, link)?;
            Ok(Json(Link { url: format!("/v1/documents/content/{token}"), expires_at }))
        }
    }
}

/// The bytes of a link. It asks again whether who asked for it may see them, and whether their session still lives; a token that
/// comes with it must be of that session. One range of bytes can be asked for; on AWS Lambda, whose answers hold 6 MB in base64,
/// larger files are read by ranges of at most 4 MiB.
#[utoipa::path(get, path = "/v1/documents/content/{token}", operation_id = "read_document_content", tag = "documents",
    params(("token" = String, Path, max_length = 100), ("Range" = Option<String>, Header, description = "One range of bytes.")),
    responses((status = 200, description = "The bytes.", content_type = "application/octet-stream"),
              (status = 206, description = "The range of bytes.", content_type = "application/octet-stream"),
              (status = 416, description = "Nothing of that range is there."),
              (status = 422, description = "The link is not, or no longer, good.")))]
pub(crate) async fn content(
    State(ctx): State<Ctx>, request: RequestId, address: ClientAddress, headers: HeaderMap,
    Segment(token): Segment<String>,
) -> Result<Response, Problem> {
    let invalid = || Problem::new(Kind::LinkInvalid);
    let now = ctx.now();
    let link = ctx.keys.link_id(PURPOSE, &token)?.ok_or_else(invalid)?;
    let of = ctx.db.optional(&SESSION_OF_LINK, params![link, now]).await?.ok_or_else(invalid)?;
    if Actor::session_named(&ctx, &headers).is_some_and(|session| session != Some(of.session)) {
        return Err(invalid());
    }
    let actor = Actor::in_session(&ctx, of.account, of.session, (request, address)).await?.ok_or_else(invalid)?;
    let content = ctx.db.optional(&CONTENT, params![actor.who(now), link]).await?.ok_or_else(invalid)?;
    // A version that came since is another answer: what was begun is not gone on with (RFC 9110 §13.1.5).
    let same = headers.get(header::IF_RANGE).is_none_or(|tag| tag.as_bytes() == content.tag().as_bytes());
    let range = headers.get(header::RANGE).filter(|_| same).and_then(|range| range.to_str().ok());
    let range = byte_range(range, content.clear_bytes);
    let range = range.map_err(|_| Problem::new(Kind::RangeNotSatisfiable))?;
    answer(&ctx, content, range).await
}

async fn answer(ctx: &Ctx, content: Content, range: Option<(u64, u64)>) -> Result<Response, Problem> {
    let (wrapped, length) = (content.wrapped_key.as_deref(), content.clear_bytes);
    let title = open_title(&ctx.keys, content.patient, wrapped, content.document, &content.title).await?;
    let place = place(content.document, content.version, content.part.name());
    let key = data_key(&ctx.keys, content.patient, wrapped, place, &content.object_key).await?;
    let (from, until) = range.unwrap_or((0, length));
    let bytes = read_sealed(ctx.objects()?, content.key.clone(), key, length, from..until).await?;
    let status = if range.is_some() { StatusCode::PARTIAL_CONTENT } else { StatusCode::OK };
    let mut response = (status, Body::from_stream(bytes)).into_response();
    let headers = response.headers_mut();
    let text = |text: String| HeaderValue::try_from(text).map_err(Problem::internal);
    headers.insert(header::CONTENT_TYPE, text(content.media_type.clone())?);
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(until - from));
    headers.insert(header::ETAG, text(content.tag())?);
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(header::CONTENT_SECURITY_POLICY, SANDBOX);
    headers.insert(header::CONTENT_DISPOSITION, text(disposition(content.part, &title, &content.media_type))?);
    if range.is_some() {
        headers.insert(header::CONTENT_RANGE, text(format!("bytes {from}-{}/{length}", until - 1))?);
    }
    Ok(response)
}

/// RFC 6266: a name of plain letters, and the whole one percent-encoded (RFC 8187). A small picture is shown where it stands.
fn disposition(part: Part, title: &str, media_type: &str) -> String {
    if part == Part::Preview {
        return "inline".into();
    }
    let name = file_name(title, media_type);
    let plain: String = name.chars().map(|c| if c.is_ascii() { c } else { '_' }).collect();
    let whole: String = form_urlencoded::byte_serialize(name.as_bytes()).collect::<String>().replace('+', "%20");
    format!("attachment; filename=\"{plain}\"; filename*=UTF-8''{whole}")
}
