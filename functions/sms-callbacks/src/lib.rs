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
use runtime::{Ctx, Function, Kind, Problem};
use serde_json::{Value, json};
use store::{Query as _, Statement, params, statement};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The function.
pub const FUNCTION: Function =
    Function { name: "sms-callbacks", manifest: include_str!("../function.yaml"), routes: router, events: None };

const RECEIPTS: Statement<Value> = statement!("receipts");
const ANSWERED: Statement<Value> = statement!("answered");
/// An answer is to a message of the last days: later ones are for nobody.
const ANSWERED_WITHIN: SignedDuration = SignedDuration::from_hours(14 * 24);

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
    for reply in told.iter().filter_map(|told| if let Received::Reply(reply) = told { Some(reply) } else { None }) {
        answered(&ctx, &provider, reply).await?;
    }
    Ok(StatusCode::NO_CONTENT)
}

/// What is kept of a receipt; nothing of one that says what is known.
fn of_receipt(provider: &str, told: &Received) -> Option<Value> {
    let Received::Receipt(receipt) = told else { return None };
    let state = match receipt.state {
        received::State::Sent => return None,
        received::State::Delivered => "delivered",
        received::State::Failed => "failed",
    };
    Some(json!({"provider": provider, "reference": receipt.reference, "state": state, "why": receipt.why}))
}

/// Nothing of what somebody wrote is kept but what was understood of it.
async fn answered(ctx: &Ctx, provider: &str, reply: &received::Reply) -> Result<(), Problem> {
    let meant = match Reply::of(&reply.text) {
        Reply::Stop => "stop",
        Reply::Cancel => "cancel",
        Reply::Confirm => "confirm",
        Reply::Other => return Ok(()),
    };
    let from = ctx.keys.lookup("phone", &reply.from)?;
    let now = ctx.now();
    let parameters = params![system(now), meant, from, provider, reply.reference.as_deref(), now - ANSWERED_WITHIN];
    ctx.db.one(&ANSWERED, parameters).await?;
    Ok(())
}
