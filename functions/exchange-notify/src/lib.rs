//! Hear from Exchange Online that a calendar changed.

use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse as _, Response};
use exchange::graph::{Notice, Told, notified};
use runtime::keys::digest;
use runtime::{Ctx, Function, Kind, Params, Problem, Words};
use serde::Deserialize;
use serde_json::{Value, json};
use store::{Query as _, Statement, params, statement};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The function.
pub const FUNCTION: Function =
    Function { name: "exchange-notify", manifest: include_str!("../function.yaml"), routes: router, events: None };

const WAKE: Statement<Value> = statement!("wake");

fn router() -> OpenApiRouter<Ctx> {
    OpenApiRouter::new().routes(routes!(notify))
}

/// What comes when a watch is asked for.
#[derive(Debug, Deserialize)]
struct Handshake {
    #[serde(rename = "validationToken")]
    token: Option<Words<2000>>,
}

/// A call of Microsoft Graph: it tells that calendars changed, or what became of a watch; or asks whether we are here.
///
/// Nothing is believed of it but that it is time to look, and that only of who knows the watch's secret. It is taken before anything is done
/// about it: a slow answer is one that is not asked for any more.
#[utoipa::path(post, path = "/v1/exchange/notifications", operation_id = "exchange_notified", tag = "exchange",
    params(("validationToken" = Option<String>, Query, max_length = 2000, description = "Given back as it is.")),
    request_body(content = Object, content_type = "application/json"),
    responses((status = 200, description = "The token.", content_type = "text/plain", body = String),
              (status = 202, description = "Heard.")))]
async fn notify(
    State(ctx): State<Ctx>, Params(handshake): Params<Handshake>, body: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    if let Some(token) = handshake.token {
        return Ok(([(CONTENT_TYPE, "text/plain; charset=utf-8")], String::from(token)).into_response());
    }
    let body = body.map_err(|_| Problem::new(Kind::BodyTooLarge))?;
    let told: Vec<Value> = notified(&body).into_iter().filter_map(wake).collect();
    if !told.is_empty() {
        ctx.db.one(&WAKE, params![ctx.now(), Value::Array(told)]).await?;
    }
    Ok(StatusCode::ACCEPTED.into_response())
}

/// What a notice comes to; nothing where it shows no secret. Only the secret's digest is kept, so nothing is learnt from how long its
/// comparison takes.
fn wake(notice: Notice) -> Option<Value> {
    let lost = match notice.told {
        Told::Changed | Told::Missed => false,
        Told::Removed | Told::Reauthorize => true,
        Told::Other => return None,
    };
    Some(json!({"watch": notice.subscription, "secret": digest(notice.client_state?.as_bytes()), "lost": lost}))
}
