//! What a function does for itself when it runs alone: serve, empty its queue, run its trigger once.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use http::Request;
use http::header::CONTENT_TYPE;
use jiff::SignedDuration;
use tokio::sync::watch;
use tower::ServiceExt as _;

use super::{App, StartError, native};
use crate::Manifest;
use crate::config::Config;
use crate::deliver::InProcess;
use crate::queue::{self, Sqs};

/// How long a message of a queue is ours before it is renewed: a worker that is killed delays it by no more.
const LEASE: SignedDuration = SignedDuration::from_secs(30);

/// Serves until told to stop, and meanwhile empties the queue that `QUEUE_URL` names.
pub(super) async fn serve(
    config: &Config, manifest: &Manifest, app: App, stop: watch::Receiver<bool>,
) -> Result<(), StartError> {
    let Some(queue) = queue(config, &manifest.name)? else { return native::serve(config, app, stop).await };
    let patience = Duration::from_secs(manifest.timeout_seconds.into());
    let deliver = InProcess::to(app.events.clone(), patience);
    let worker = tokio::spawn({
        let stop = stop.clone();
        async move { queue::work(queue.as_ref(), &deliver, LEASE, native::DRAIN, stop).await }
    });
    native::serve(config, app, stop).await?;
    worker.await?;
    Ok(())
}

/// The queue that a function empties by itself.
pub(super) fn queue(config: &Config, consumer: &str) -> Result<Option<Arc<Sqs>>, StartError> {
    let url = config.queue_url.as_deref();
    Ok(url.map(|url| Sqs::new("QUEUE_URL", url, consumer, config)).transpose()?.map(Arc::new))
}

/// Runs the function's trigger once: for platforms whose scheduler starts processes.
pub(super) async fn tick(name: &str, app: &App) -> Result<(), StartError> {
    let request = Request::post(format!("/_events/{name}")).header(CONTENT_TYPE, "application/cloudevents+json");
    let status = app.events.clone().oneshot(request.body(Body::from("{}"))?).await?.status();
    if status.is_success() { Ok(()) } else { Err(format!("the tick was answered {status}").into()) }
}
