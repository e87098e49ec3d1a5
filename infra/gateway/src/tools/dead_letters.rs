//! `just dead-letters`: the events that were given up. `just dead-letters replay ID` tries one again.

use axum::body::Body;
use axum::http::Request;
use http_body_util::BodyExt as _;
use runtime::config::Config;
use runtime::host::StartError;
use tower::ServiceExt as _;

use super::events;

/// Lists, or replays one.
#[expect(clippy::print_stdout, reason = "the list is what was asked for")]
pub(super) async fn run(arguments: &[String], config: Config) -> Result<(), StartError> {
    let (_private, events) = events(config).await?;
    let request = match arguments {
        [] => Request::get("/_events/deliver-outbox/dead".to_owned()),
        [verb, id] if verb == "replay" => Request::post(format!("/_events/deliver-outbox/dead/{id}/replay")),
        _ => return Err("just dead-letters, or just dead-letters replay ID".into()),
    };
    let response = events.oneshot(request.body(Body::empty())?).await?;
    let status = response.status();
    println!("{}", String::from_utf8_lossy(&response.into_body().collect().await?.to_bytes()));
    if status.is_success() { Ok(()) } else { Err(format!("answered {status}").into()) }
}
