//! What providers tell of text messages afterwards, and what people answer to one.

use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, PathRejection};
use axum::extract::{Path, State};
use axum::http::StatusCode;
use domain::SignedDuration;
use domain::notice::LETTER_TAKES;
use domain::sms::Reply;
use http::uri::PathAndQuery;
use http::{HeaderMap, Uri};
use runtime::actor::system;
use runtime::sms::received::{self, Received, ReceivedError};
use runtime::{Ctx, Function, Kind, Lang, Problem, texts, told};
use serde::Deserialize;
use serde_json::{Value, json};
use store::{Query as _, Statement, params, statement};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

/// The function.
pub const FUNCTION: Function =
    Function { name: "sms-callbacks", manifest: include_str!("../function.yaml"), routes: router, events: None };

const RECEIPTS: Statement<Value> = statement!("receipts");
const ANSWERED: Statement<Answered> = statement!("answered");
/// An answer is to a message of the last days: later ones are for nobody.
const ANSWERED_WITHIN: SignedDuration = SignedDuration::from_hours(14 * 24);
/// Which of two messages was read last is not known where they are nearer to each other than this.
const MIXED_UP: SignedDuration = SignedDuration::from_mins(2);

/// What came of an answer.
#[derive(Debug, Deserialize)]
struct Answered {
    /// Nothing did, and the person is to hear of it, in that language.
    unclear: Option<Lang>,
}

fn router() -> OpenApiRouter<Ctx> {
    OpenApiRouter::new().routes(routes!(called, posted))
}

/// A provider's call, by `GET`: its parameters are what it tells.
#[utoipa::path(get, path = "/v1/sms/{provider}/{token}", operation_id = "sms_called", tag = "notices",
    params(("provider" = String, Path, max_length = 20), ("token" = String, Path, max_length = 100),
           ("id" = Option<String>, Query, description = "What the provider calls the message; it tells more.")),
    responses((status = 204, description = "Heard."), (status = 404, description = "There is nothing here for whoever calls."),
              (status = 422, description = "It is not understood.")))]
async fn called(
    state: State<Ctx>, path: Result<Path<(String, String)>, PathRejection>, uri: Uri, headers: HeaderMap,
) -> Result<StatusCode, Problem> {
    heard(state, path, uri, headers, Bytes::new()).await
}

/// A provider's call, by `POST`: JSON or a form.
#[utoipa::path(post, path = "/v1/sms/{provider}/{token}", operation_id = "sms_posted", tag = "notices",
    params(("provider" = String, Path, max_length = 20), ("token" = String, Path, max_length = 100),
           ("id" = Option<String>, Query, description = "As by `GET`.")),
    responses((status = 204, description = "Heard."), (status = 404, description = "There is nothing here for whoever calls."),
              (status = 422, description = "It is not understood.")))]
async fn posted(
    state: State<Ctx>, path: Result<Path<(String, String)>, PathRejection>, uri: Uri, headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<StatusCode, Problem> {
    let body = body.map_err(|_| Problem::new(Kind::BodyTooLarge))?;
    heard(state, path, uri, headers, body).await
}

async fn heard(
    State(ctx): State<Ctx>, path: Result<Path<(String, String)>, PathRejection>, uri: Uri, headers: HeaderMap,
    body: Bytes,
) -> Result<StatusCode, Problem> {
    let nothing = || Problem::new(Kind::NotFound);
    let Path((provider, token)) = path.map_err(|_| nothing())?;
    // What is signed is the address as the provider knows it.
    let asked = uri.path_and_query().map(PathAndQuery::as_str).unwrap_or_default();
    let url = format!("{}{asked}", ctx.config.public_url.as_deref().unwrap_or_default());
    let told =
        ctx.sms.received(&ctx.keys, [&*provider, &*token], &headers, &url, &body).map_err(|error| match error {
            ReceivedError::NotTheirs => nothing(),
            ReceivedError::TooLarge => Problem::new(Kind::BodyTooLarge),
            ReceivedError::NotUnderstood(_) => Problem::new(Kind::CallNotUnderstood).because(error),
            ReceivedError::Key(error) => error.into(),
        })?;
    let receipts: Vec<Value> = told.iter().filter_map(|told| of_receipt(&provider, told)).collect();
    if !receipts.is_empty() {
        ctx.db.one(&RECEIPTS, params![ctx.now(), Value::Array(receipts), LETTER_TAKES.as_mins()]).await?;
    }
    let mut unclear = Vec::new();
    for reply in told.iter().filter_map(|told| if let Received::Reply(reply) = told { Some(reply) } else { None }) {
        unclear.extend(answered(&ctx, &provider, reply).await?.map(|language| (&reply.from, language)));
    }
    // Once all is written down: sending may take longer than there is time.
    for (to, language) in unclear {
        say_so(&ctx, to, language).await;
    }
    Ok(StatusCode::NO_CONTENT)
}

/// What is kept of a receipt.
fn of_receipt(provider: &str, told: &Received) -> Option<Value> {
    let Received::Receipt(receipt) = told else { return None };
    let state = match receipt.state {
        received::State::Sent => "sent",
        received::State::Delivered => "delivered",
        received::State::Failed => "failed",
    };
    let tag = notice(receipt.tag.as_deref());
    // That a message was taken is news where it names one that nobody knows to be taken, and nowhere else.
    if receipt.state == received::State::Sent && tag.is_none() {
        return None;
    }
    Some(json!({"provider": provider, "reference": receipt.reference, "tag": tag, "state": state, "why": receipt.why}))
}

/// The notice that a message was sent for, as we called it.
fn notice(tag: Option<&str>) -> Option<Uuid> {
    tag?.parse().ok()
}

/// Nothing of what somebody wrote is kept but what was understood of it. In which language they are to hear that nothing came of it, if
/// they are.
async fn answered(ctx: &Ctx, provider: &str, reply: &received::Reply) -> Result<Option<Lang>, Problem> {
    let meant = match Reply::of(&reply.text) {
        Reply::Stop => "stop",
        Reply::Start => "start",
        Reply::Cancel => "cancel",
        Reply::Confirm => "confirm",
        Reply::Other => return Ok(None),
    };
    let from = ctx.keys.lookup("phone", &reply.from)?;
    let now = ctx.now();
    let (reference, tag) = (reply.reference.as_deref(), notice(reply.tag.as_deref()));
    let parameters =
        params![system(now), meant, from, provider, reference, tag, now - ANSWERED_WITHIN, MIXED_UP.as_secs()];
    Ok(ctx.db.one(&ANSWERED, parameters).await?.unclear)
}

/// Tells whoever wanted a visit called off that their message did not do it, and where they can: once, and tried once. They have
/// the page of the visit, and nothing is lost that they were promised.
async fn say_so(ctx: &Ctx, to: &str, language: Lang) {
    let text = texts::text(language, "sms-nothing-cancelled", &[]);
    let site = ctx.config.public_url.as_ref().map(|site| format!("{site}/"));
    if let Err(error) = ctx.sms.send(to, &told::with_link(text, site.as_deref()), None).await {
        tracing::warn!(%error, "nobody was told that an answer called nothing off");
    }
}
