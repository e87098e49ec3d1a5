//! How an event reaches its consumer: in process, or by HTTP.

use std::sync::OnceLock;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use futures_util::future::BoxFuture;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{Method, Request, StatusCode};
use tower::ServiceExt as _;

use crate::events::{Event, Verdict};
use crate::outbound::Outbound;
use crate::pace;

/// Longest time one delivery may take.
pub const DELIVERY_TIMEOUT: Duration = Duration::from_secs(30);

/// Who wants which event.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Subscription {
    /// The event's type.
    pub kind: String,
    /// The function's name.
    pub consumer: String,
}

impl Subscription {
    /// Reads `kind=consumer,kind=consumer`; nothing is an empty list.
    ///
    /// # Errors
    /// The part that is not a pair.
    pub fn parse_list(text: &str) -> Result<Vec<Self>, String> {
        let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        parts
            .map(|part| match part.split_once('=') {
                Some((kind, consumer)) if !kind.is_empty() && !consumer.is_empty() => {
                    Ok(Self { kind: kind.to_owned(), consumer: consumer.to_owned() })
                }
                _ => Err("SUBSCRIPTIONS: a part is not kind=consumer".to_owned()),
            })
            .collect()
    }
}

/// A way to a consumer.
pub trait Deliver: Send + Sync {
    /// Posts the event to `/_events/{consumer}`; no answer is [`Verdict::Retry`].
    fn deliver<'a>(&'a self, consumer: &'a str, event: &'a Event) -> BoxFuture<'a, Verdict>;
}

/// Through the router of the same process.
pub struct InProcess {
    router: OnceLock<Router>,
    patience: Duration,
}

impl Default for InProcess {
    fn default() -> Self {
        Self { router: OnceLock::new(), patience: DELIVERY_TIMEOUT }
    }
}

impl InProcess {
    /// To a router that takes as long as its function's manifest allows.
    pub fn to(events: Router, patience: Duration) -> Self {
        Self { router: OnceLock::from(events), patience }
    }

    /// Names the router, once it is built (it is built from the context that holds this).
    pub fn connect(&self, events: Router) {
        // Connected once; a second router would be a mistake of start-up and is ignored.
        drop(self.router.set(events));
    }
}

impl Deliver for InProcess {
    fn deliver<'a>(&'a self, consumer: &'a str, event: &'a Event) -> BoxFuture<'a, Verdict> {
        Box::pin(async move {
            let Some(router) = self.router.get() else { return Verdict::Retry };
            let Ok(request) = post(&format!("/_events/{consumer}"), None, event) else { return Verdict::Reject };
            let request = request.map(Body::from);
            let answer = pace::timeout(self.patience, router.clone().oneshot(request)).await;
            match answer {
                Ok(Ok(response)) => Verdict::from(response.status()),
                _ => Verdict::Retry,
            }
        })
    }
}

/// By HTTP inside the private network.
pub struct Http {
    client: Outbound,
    /// `{consumer}` stands for the function's name.
    url: String,
    secret: Option<String>,
}

impl Http {
    /// Posts to `url`, in which `{consumer}` stands for the function's name, bearing `secret`.
    pub fn new(url: &str, secret: Option<String>) -> Self {
        Self { client: Outbound::plain(), url: url.to_owned(), secret }
    }
}

impl Deliver for Http {
    fn deliver<'a>(&'a self, consumer: &'a str, event: &'a Event) -> BoxFuture<'a, Verdict> {
        Box::pin(async move {
            let base = self.url.replace("{consumer}", consumer);
            let url = format!("{}/_events/{consumer}", base.trim_end_matches('/'));
            let Ok(request) = post(&url, self.secret.as_deref(), event) else { return Verdict::Retry };
            match self.client.status(request, DELIVERY_TIMEOUT).await {
                Ok(StatusCode::NOT_FOUND) | Err(_) => Verdict::Retry,
                Ok(status) => Verdict::from(status),
            }
        })
    }
}

/// An event as the request every consumer knows.
///
/// # Errors
/// When the address is not one.
pub fn post(url: &str, secret: Option<&str>, event: &Event) -> Result<Request<Bytes>, http::Error> {
    let mut request =
        Request::builder().method(Method::POST).uri(url).header(CONTENT_TYPE, "application/cloudevents+json");
    if let Some(secret) = secret {
        request = request.header(AUTHORIZATION, format!("Bearer {secret}"));
    }
    request.body(serde_json::to_vec(event).unwrap_or_default().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_consumer_that_does_not_come_to_an_end_is_cut_and_its_event_comes_again() {
        let hangs = Router::new().fallback(async || std::future::pending::<StatusCode>().await);
        let event = serde_json::from_value(serde_json::json!({
            "specversion": "1.0", "id": "01a20226-cb6b-75af-a4dd-a5c06eeca21f", "source": "/carnet", "type": "x",
            "subject": "01a20226-cb6b-75af-a4dd-a5c06eeca21f", "time": "2026-03-02T08:00:00Z",
            "datacontenttype": "application/json", "data": {},
        }));
        let patience = Duration::from_millis(50);
        let verdict = InProcess::to(hangs, patience).deliver("notify", &event.unwrap()).await;
        assert_eq!(verdict, Verdict::Retry);
    }
}
