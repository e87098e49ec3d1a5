//! `just dead-letters`: the events that were given up. `just dead-letters replay ID` tries one again. With `queue=CONSUMER`,
//! those of the queue that `QUEUE_URL` names.

use axum::body::Body;
use axum::http::Request;
use http_body_util::BodyExt as _;
use runtime::config::Config;
use runtime::host::StartError;
use runtime::queue::{Queue as _, Sqs};
use serde_json::json;
use tower::ServiceExt as _;

use super::{argument, events};

/// How many of a queue are shown.
const MOST: usize = 200;

/// Lists, or replays one.
pub(super) async fn run(arguments: &[String], config: Config) -> Result<(), StartError> {
    let consumer: Option<String> = argument(arguments, "queue")?;
    let words: Vec<&str> =
        arguments.iter().map(String::as_str).filter(|argument| !argument.starts_with("queue=")).collect();
    let replayed = match words[..] {
        [] => None,
        ["replay", id] => Some(id),
        _ => return Err("just dead-letters, or just dead-letters replay ID, perhaps with queue=CONSUMER".into()),
    };
    match consumer {
        Some(consumer) => of_queue(&consumer, replayed, &config).await,
        None => of_outbox(replayed, config).await,
    }
}

#[expect(clippy::print_stdout, reason = "the list is what was asked for")]
async fn of_queue(consumer: &str, replayed: Option<&str>, config: &Config) -> Result<(), StartError> {
    let url = config.queue_url.as_deref().ok_or("QUEUE_URL: is missing")?;
    let queue = Sqs::new("QUEUE_URL", url, consumer, config)?;
    match replayed {
        None => println!("{}", json!({"items": queue.dead(MOST).await?})),
        Some(id) if queue.redrive(id).await? => {}
        Some(id) => return Err(format!("there is no dead letter {id}").into()),
    }
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the list is what was asked for")]
async fn of_outbox(replayed: Option<&str>, config: Config) -> Result<(), StartError> {
    let (_private, events) = events(config).await?;
    let request = match replayed {
        None => Request::get("/_events/deliver-outbox/dead".to_owned()),
        Some(id) => Request::post(format!("/_events/deliver-outbox/dead/{id}/replay")),
    };
    let response = events.oneshot(request.body(Body::empty())?).await?;
    let status = response.status();
    println!("{}", String::from_utf8_lossy(&response.into_body().collect().await?.to_bytes()));
    if status.is_success() { Ok(()) } else { Err(format!("answered {status}").into()) }
}
