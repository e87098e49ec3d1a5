//! What stands before every router: request id, the client's address, limits, deadline, panics caught, one log line,
//! problems in the caller's language, headers.

pub mod forwarded;
mod headers;
pub mod rates;
pub mod settings;

use std::collections::{HashMap, HashSet};
use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{FromRequestParts, MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use domain::access::Access;
use http::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE};
use http::request::Parts;
use http::{Extensions, HeaderName, HeaderValue, Method, StatusCode};
use serde::{Serialize, Serializer};
use serde_json::Value;
use store::shared::REFUSAL;
use store::{Query as _, params};
use tower::ServiceBuilder;
use tower_http::catch_panic::CatchPanicLayer;
use uuid::Uuid;

use self::forwarded::Origin;
use self::headers::Site;
use self::rates::Budgets;
use crate::actor::{self, Seen};
use crate::sms::Provider;
use crate::{Ctx, Kind, Lang, Problem, input};

/// Longest time for one public answer; a trigger has its manifest's `timeout_seconds`. Statements are cut at 8 s.
pub const DEADLINE: Duration = Duration::from_secs(10);
/// Most headers of one request.
const MAX_HEADERS: usize = 100;
/// Largest head of a request, in bytes, beside its token: that is judged by who reads it.
const MAX_HEAD: usize = 16 * 1024;
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
}

/// The other end of the connection, or whom the platform says that is.
#[cfg(not(target_family = "wasm"))]
fn peer(extensions: &Extensions) -> Option<IpAddr> {
    use axum::extract::ConnectInfo;
    let connected = || extensions.get::<ConnectInfo<std::net::SocketAddr>>().map(|peer| peer.0.ip());
    crate::host::lambda::peer(extensions).or_else(connected)
}

/// Whom the host says the other end is.
#[cfg(target_family = "wasm")]
fn peer(extensions: &Extensions) -> Option<IpAddr> {
    extensions.get::<crate::host::spin::Peer>().map(|peer| peer.0)
}

/// The request came over TLS of ours; left by the host.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OverTls;

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

/// What the edge knows of routes, by method and path pattern.
#[derive(Debug, Default)]
pub struct Routes {
    /// What each route that is not public touches.
    pub accesses: HashMap<(Method, String), Access>,
    /// Those that take no query.
    pub without_query: HashSet<(Method, String)>,
    /// The methods of each path, for pages of other sites that ask before they send.
    pub methods: HashMap<String, String>,
}

/// Puts the edge before a finished router.
pub fn wrap(router: Router, ctx: Ctx, known: Arc<Routes>) -> Router {
    router.layer(
        ServiceBuilder::new()
            .layer(axum::middleware::from_fn_with_state((ctx, known), edge))
            .layer(CatchPanicLayer::custom(|_| Problem::new(Kind::Internal).into_response())),
    )
}

async fn edge(State((ctx, known)): State<(Ctx, Arc<Routes>)>, mut request: Request, next: Next) -> Response {
    let began = Instant::now();
    let id = RequestId(Uuid::now_v7());
    let settings = &ctx.config.edges;
    let origin = forwarded::origin(peer(request.extensions()), request.headers(), &settings.trusted_proxies);
    let https = origin.https || request.extensions().get::<OverTls>().is_some();
    let address = ClientAddress(origin.address);
    let (seen, budgets) = (Seen::default(), Budgets::default());
    let extensions = request.extensions_mut();
    extensions.insert(id);
    extensions.insert(address);
    extensions.insert(seen.clone());
    extensions.insert(budgets.clone());
    let lang = Lang::of(request.headers());
    let method = request.method().clone();
    let site = Site::of(&method, request.headers(), &settings.cors_origins);
    // The pattern and not the path: a path may hold an identifier.
    let route = request.extensions().get::<MatchedPath>().cloned();
    // A HEAD is the GET of the same route, without its body.
    let asked = if method == Method::HEAD { Method::GET } else { method.clone() };
    let pattern = (asked, route.as_ref().map_or_else(String::new, |route| route.as_str().to_owned()));
    let access = known.accesses.get(&pattern).copied();
    if let Some(access) = access {
        request.extensions_mut().insert(access);
    }
    let named = access.and_then(|_| request.uri().path().split('/').find_map(|segment| segment.parse::<Uuid>().ok()));

    // What a trigger may take is its function's own affair: see `within`.
    let internal = pattern.1.starts_with("/_events/");
    let deadline = if internal { Duration::MAX } else { DEADLINE };
    let exempt = internal
        || ["/healthz", "/readyz"].contains(&pattern.1.as_str())
        || (pattern.1 == crate::sms::CALLBACK && is_told(&ctx, request.uri().path()));
    let over_limit = if exempt { None } else { over_limit(&ctx, origin, &budgets).await };
    let refusal = over_limit.or_else(|| unsound(&request, &site, known.without_query.contains(&pattern)));
    let mut response = match refusal {
        Some(problem) => problem.into_response(),
        None => within(State(deadline), request, next).await,
    };
    response = site.answer(response, known.methods.get(&pattern.1));
    if let Some(problem) = problem_of(&mut response) {
        let rendered = problem.render(lang);
        // What was said beside the problem stays: which methods there are, who may read.
        let said = std::mem::replace(&mut response, rendered);
        for (name, value) in said.headers().iter().filter(|(name, _)| *name != CONTENT_TYPE && *name != CONTENT_LENGTH)
        {
            response.headers_mut().append(name, value.clone());
        }
        if problem.leaves_trace(access.is_some()) {
            let who = seen.who().unwrap_or_else(|| actor::anonymous(id, address, ctx.now()));
            refused(&ctx, who, access, problem.named().or(named)).await;
        }
        if problem.expected {
            tracing::debug!(request = %id, problem = problem.kind.slug(), cause = problem.chain(), "not yet");
        } else if problem.kind.status().is_server_error() {
            tracing::error!(request = %id, problem = problem.kind.slug(), cause = problem.chain(), "request failed");
        }
    }
    let headers = response.headers_mut();
    headers::dress(headers, https);
    budgets.write(headers);
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

/// Whether a provider of SMS calls the address that it was told by us. All that it tells comes from a few addresses, and what is refused
/// it may not tell again. Who guesses is counted as anybody.
fn is_told(ctx: &Ctx, path: &str) -> bool {
    let mut segments = path.rsplit('/');
    let (token, provider) = (segments.next().unwrap_or_default(), segments.next().unwrap_or_default());
    provider.parse::<Provider>().is_ok_and(|provider| provider.is_callback_token(&ctx.keys, token).unwrap_or(false))
}

/// Spends of what the client's address may ask for.
async fn over_limit(ctx: &Ctx, origin: Origin, budgets: &Budgets) -> Option<Problem> {
    let quota = ctx.config.edges.rate_address;
    let budget = ctx.rates.address(&*ctx.db, &ctx.keys, origin.address?, quota, ctx.now()).await?;
    budgets.add(budget);
    budget.refusal()
}

/// What is refused before anybody looks at it.
fn unsound(request: &Request, site: &Site, takes_no_query: bool) -> Option<Problem> {
    let bytes = |(name, value): (&HeaderName, &HeaderValue)| name.as_str().len() + value.len();
    let headers = request.headers().iter().filter(|(name, _)| *name != AUTHORIZATION).map(bytes);
    let head = request.uri().path().len() + request.uri().query().map_or(0, str::len) + headers.sum::<usize>();
    if request.headers().len() > MAX_HEADERS || head > MAX_HEAD {
        return Some(Problem::new(Kind::HeadTooLarge));
    }
    if site.is_forged(request.method()) {
        return Some(Problem::new(Kind::CrossSite));
    }
    let query = request.uri().query().filter(|_| takes_no_query)?;
    input::first_parameter(query).map(|name| Problem::new(Kind::FieldUnknown).field(name))
}

/// Leaves the trace of a refusal. The answer does not wait for a database that is away, and says the same.
async fn refused(ctx: &Ctx, who: Value, access: Option<Access>, named: Option<Uuid>) {
    let (action, event) = access.map_or(("execute", "request".to_owned()), |it| (it.action.name(), it.to_string()));
    let written = ctx.db.one(&REFUSAL, params![who, action, event.clone(), named]).await;
    if let Err(error) = written {
        tracing::error!(%error, event, "a refusal left no trace");
    }
}

/// Cuts a request that takes longer than it may.
pub(crate) async fn within(State(deadline): State<Duration>, request: Request, next: Next) -> Response {
    match crate::pace::timeout(deadline, next.run(request)).await {
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
