//! What stands before every router: request id, deadline, panics caught, one log line, problems in the caller's language.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{ConnectInfo, FromRequestParts, MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use domain::access::Access;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE};
use http::request::Parts;
use http::{Extensions, HeaderName, HeaderValue, Method, StatusCode};
use serde::{Serialize, Serializer};
use serde_json::Value;
use store::shared::REFUSAL;
use store::{Query as _, params};
use tower::ServiceBuilder;
use tower_http::catch_panic::CatchPanicLayer;
use uuid::Uuid;

use crate::actor::{self, Seen};
use crate::{Ctx, Kind, Lang, Problem};

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

/// Where a request came from: the peer of the connection, or what the platform says of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ClientAddress(Option<IpAddr>);

impl ClientAddress {
    /// The address the edge found, if it found one.
    pub fn of(extensions: &Extensions) -> Self {
        extensions.get::<Self>().copied().unwrap_or_default()
    }

    /// The bare address.
    pub fn ip(self) -> Option<IpAddr> {
        self.0
    }

    fn find(extensions: &Extensions) -> Self {
        use lambda_http::request::RequestContext;
        let peer = extensions.get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0.ip());
        Self(match extensions.get::<RequestContext>() {
            Some(RequestContext::ApiGatewayV2(context)) => {
                context.http.source_ip.as_deref().and_then(|ip| ip.parse().ok())
            }
            _ => peer,
        })
    }
}

impl Serialize for ClientAddress {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<S: Sync> FromRequestParts<S> for ClientAddress {
    type Rejection = Infallible;
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::of(&parts.extensions))
    }
}

/// What each route that is not public touches, by method and path pattern.
pub type Accesses = HashMap<(Method, String), Access>;

/// Puts the edge before a finished router.
pub fn wrap(router: Router, ctx: Ctx, accesses: Arc<Accesses>) -> Router {
    router.layer(
        ServiceBuilder::new()
            .layer(axum::middleware::from_fn_with_state((ctx, accesses), edge))
            .layer(CatchPanicLayer::custom(|_| Problem::new(Kind::Internal).into_response())),
    )
}

async fn edge(State((ctx, accesses)): State<(Ctx, Arc<Accesses>)>, mut request: Request, next: Next) -> Response {
    let began = Instant::now();
    let id = RequestId(Uuid::now_v7());
    let address = ClientAddress::find(request.extensions());
    let seen = Seen::default();
    let extensions = request.extensions_mut();
    extensions.insert(id);
    extensions.insert(address);
    extensions.insert(seen.clone());
    let lang = Lang::negotiate(request.headers().get("accept-language").and_then(|value| value.to_str().ok()));
    let method = request.method().clone();
    // The pattern and not the path: a path may hold an identifier.
    let route = request.extensions().get::<MatchedPath>().cloned();
    let access = route.as_ref().and_then(|route| accesses.get(&(method.clone(), route.as_str().to_owned()))).copied();
    if let Some(access) = access {
        request.extensions_mut().insert(access);
    }
    let named = access.and_then(|_| request.uri().path().split('/').find_map(|segment| segment.parse::<Uuid>().ok()));

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
        if let Some(access) = access.filter(|_| problem.kind.is_refusal()) {
            let who = seen.who().unwrap_or_else(|| actor::anonymous(id, address, ctx.now()));
            refused(&ctx, who, access, named).await;
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

/// Leaves the trace of a refusal. The answer does not wait for a database that is away, and says the same.
async fn refused(ctx: &Ctx, who: Value, access: Access, named: Option<Uuid>) {
    let written = ctx.db.one(&REFUSAL, params![who, access.action.name(), access.to_string(), named]).await;
    if let Err(error) = written {
        tracing::error!(%error, %access, "a refusal left no trace");
    }
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
