//! What stands before every router: request id, deadline, panics caught, one log line, problems in the caller's language.

use std::convert::Infallible;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{FromRequestParts, MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE};
use http::request::Parts;
use http::{Extensions, HeaderName, HeaderValue, StatusCode};
use tower::ServiceBuilder;
use tower_http::catch_panic::CatchPanicLayer;
use uuid::Uuid;

use crate::{Kind, Lang, Problem};

/// Longest time for one public answer; a trigger has its manifest's `timeout_seconds`. Statements are cut at 8 s.
pub const DEADLINE: Duration = Duration::from_secs(10);
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Names one request in logs, audit and answer. Made here, never taken from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestId(Uuid);

impl RequestId {
    /// The id the edge gave, or a new one where there is no edge.
    pub fn of(extensions: &Extensions) -> Self {
        extensions.get::<Self>().copied().unwrap_or_else(|| Self(Uuid::now_v7()))
    }
}

impl<S: Sync> FromRequestParts<S> for RequestId {
    type Rejection = Infallible;
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::of(&parts.extensions))
    }
}

impl std::fmt::Display for RequestId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// Puts the edge before a finished router.
pub fn wrap(router: Router) -> Router {
    router.layer(
        ServiceBuilder::new()
            .layer(axum::middleware::from_fn(edge))
            .layer(CatchPanicLayer::custom(|_| Problem::new(Kind::Internal).into_response())),
    )
}

async fn edge(mut request: Request, next: Next) -> Response {
    let began = Instant::now();
    let id = RequestId(Uuid::now_v7());
    request.extensions_mut().insert(id);
    let lang = Lang::negotiate(request.headers().get("accept-language").and_then(|value| value.to_str().ok()));
    let method = request.method().clone();
    // The pattern and not the path: a path may hold an identifier.
    let route = request.extensions().get::<MatchedPath>().cloned();

    // What a trigger may take is its function's own affair: see `within`.
    let internal = route.as_ref().is_some_and(|route| route.as_str().starts_with("/_events/"));
    let deadline = if internal { Duration::MAX } else { DEADLINE };
    let mut response = within(State(deadline), request, next).await;
    if let Some(problem) = problem_of(&mut response) {
        let allow = response.headers_mut().remove(ALLOW);
        response = problem.render(lang);
        if let Some(allow) = allow {
            response.headers_mut().insert(ALLOW, allow);
        }
        if problem.kind.status().is_server_error() {
            tracing::error!(request = %id, problem = problem.kind.slug(), cause = problem.chain(), "request failed");
        }
    }
    let headers = response.headers_mut();
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    headers.insert("x-content-type-options", HeaderValue::from_static("nosniff"));
    headers.insert("referrer-policy", HeaderValue::from_static("no-referrer"));
    headers.insert("x-frame-options", HeaderValue::from_static("DENY"));
    if let Ok(value) = HeaderValue::from_str(&id.to_string()) {
        headers.insert(REQUEST_ID, value);
    }
    tracing::info!(
        request = %id, %method, route = route.as_ref().map_or("-", MatchedPath::as_str),
        status = response.status().as_u16(), micros = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX),
        "request"
    );
    response
}

/// Cuts a request that takes longer than it may.
pub(crate) async fn within(State(deadline): State<Duration>, request: Request, next: Next) -> Response {
    match tokio::time::timeout(deadline, next.run(request)).await {
        Ok(response) => response,
        Err(_) => Problem::new(Kind::Unavailable).into_response(),
    }
}

/// The problem a handler answered, or ours for what the framework answers without words.
fn problem_of(response: &mut Response) -> Option<Problem> {
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        return Some(problem);
    }
    if response.headers().contains_key(CONTENT_TYPE) && response.status() != StatusCode::NOT_FOUND {
        return None;
    }
    match response.status() {
        StatusCode::NOT_FOUND if !response.headers().contains_key(CONTENT_TYPE) => Some(Problem::new(Kind::NotFound)),
        StatusCode::METHOD_NOT_ALLOWED => Some(Problem::new(Kind::MethodNotAllowed)),
        _ => None,
    }
}
