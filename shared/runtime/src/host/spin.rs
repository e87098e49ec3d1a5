//! The Spin host: a guest answers several requests at once and many in turn, on a router that is built once. It keeps
//! nothing else: whoever else is served by the same guest must not be able to tell.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::OnceLock;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::response::{IntoResponse as _, Response};
use futures_util::future::{Either, select};
use http::{HeaderMap, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
pub use spin_sdk::time::sleep;
use spin_sdk::variables;
use tower::ServiceExt as _;

use super::{StartError, assemble, context_of};
use crate::config::Config;
use crate::lang::Lang;
use crate::outbound::{self, OutboundError};
use crate::{Function, Kind, Problem, telemetry};

/// Who asks, as the host saw it; what a client writes of the same name comes before.
const CLIENT_ADDRESS: &str = "spin-client-addr";
/// Begins every header of the host's own.
const OF_THE_HOST: &str = "spin-";

/// Answers one request to those functions. Triggers come the same way: `POST /_events/<name>`, bearing the shared secret.
pub async fn handle(functions: &'static [Function], request: spin_sdk::http::Request) -> Response {
    static ROUTER: OnceLock<Router> = OnceLock::new();
    if ROUTER.get().is_none() {
        match router(functions).await {
            // Of two that were built at once the first is taken.
            Ok(router) => drop(ROUTER.set(router)),
            Err(error) => {
                telemetry::start(false);
                tracing::error!(%error, "cannot start");
                return Problem::new(Kind::Unavailable).render(Lang::of(request.headers()));
            }
        }
    }
    match ROUTER.get() {
        Some(router) => serve(router, request).await,
        None => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// Answers one request by a router.
pub async fn serve(router: &Router, request: spin_sdk::http::Request) -> Response {
    let mut request = request.map(Body::new);
    if let Some(peer) = peer(request.headers()) {
        request.extensions_mut().insert(peer);
    }
    let headers = request.headers_mut();
    let own: Vec<_> = headers.keys().filter(|name| name.as_str().starts_with(OF_THE_HOST)).cloned().collect();
    for name in own {
        headers.remove(name);
    }
    match router.clone().oneshot(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    }
}

/// The other end of the connection, as the host says.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer(pub IpAddr);

fn peer(headers: &HeaderMap) -> Option<Peer> {
    let last = headers.get_all(CLIENT_ADDRESS).iter().next_back()?;
    last.to_str().ok()?.parse().ok().map(|address: SocketAddr| Peer(address.ip()))
}

async fn router(functions: &[Function]) -> Result<Router, StartError> {
    let config = configuration().await?;
    telemetry::start(config.is_development());
    let manifests = functions.iter().map(Function::manifest).collect::<Result<Vec<_>, _>>()?;
    Ok(assemble(functions, &context_of(&config, &manifests)?)?.public)
}

/// Reads the variables of the component, in lowercase, and what its manifest gives it as environment.
///
/// # Errors
/// Names the first variable that is not understood.
pub async fn configuration() -> Result<Config, StartError> {
    let mut known = BTreeMap::new();
    loop {
        // What is asked for may hang on what else is there.
        let unknown = RefCell::new(Vec::new());
        let read = Config::read(|name| match known.get(name) {
            Some(value) => Option::clone(value),
            None => {
                unknown.borrow_mut().push(name.to_owned());
                None
            }
        });
        let unknown = unknown.into_inner();
        if unknown.is_empty() {
            return Ok(read?);
        }
        for name in unknown {
            let value = variable(&name).await?;
            known.insert(name, value);
        }
    }
}

async fn variable(name: &str) -> Result<Option<String>, StartError> {
    let value = match variables::get(name.to_ascii_lowercase()).await {
        Ok(value) => Some(value),
        Err(variables::Error::Undefined(_) | variables::Error::InvalidName(_)) => std::env::var(name).ok(),
        // Its words may hold the value.
        Err(_) => return Err(format!("{name}: the host cannot tell it").into()),
    };
    Ok(value.filter(|value| !value.is_empty()))
}

/// The work came to no end in time.
#[derive(Debug)]
pub(crate) struct Elapsed;

/// Cuts work that takes longer than it may. It is the host's clock that rings, so that work which never waits is not cut.
pub(crate) async fn timeout<F: Future>(longest: Duration, work: F) -> Result<F::Output, Elapsed> {
    match select(pin!(work), pin!(sleep(longest))).await {
        Either::Left((done, _)) => Ok(done),
        Either::Right(_) => Err(Elapsed),
    }
}

/// Whose certificates are believed is the host's affair.
#[derive(Default)]
pub(crate) struct Trust;

impl Trust {
    /// Only where nothing of the kind is asked for.
    pub fn from_pem(authorities: Option<&str>, own: Option<(&str, &str)>) -> Option<Self> {
        (authorities.is_none() && own.is_none()).then_some(Self)
    }
}

/// A client of HTTP: the host's, to where the manifest allows.
pub(crate) struct Outbound;

#[allow(clippy::unnecessary_wraps, clippy::unused_self, reason = "as where there are sockets")]
impl Outbound {
    pub fn new() -> io::Result<Self> {
        Ok(Self)
    }

    pub fn plain() -> Self {
        Self
    }

    pub fn trusting(_: Trust, _: bool) -> io::Result<Self> {
        Ok(Self)
    }

    /// The answer, of at most `most` bytes, within `longest`.
    pub async fn send(
        &self, request: outbound::Request, longest: Duration, most: usize,
    ) -> Result<outbound::Response, OutboundError> {
        let answer = async {
            let (parts, body) = answer(request).await?.into_parts();
            let body = Limited::new(body, most).collect().await.map_err(|_| OutboundError::Body)?;
            Ok(outbound::Response::from_parts(parts, body.to_bytes()))
        };
        timeout(longest, answer).await.unwrap_or(Err(OutboundError::Late))
    }

    /// What the answer says in a word, within `longest`.
    pub async fn status(&self, request: outbound::Request, longest: Duration) -> Result<StatusCode, OutboundError> {
        let answer = timeout(longest, answer(request)).await;
        answer.unwrap_or(Err(OutboundError::Late)).map(|answer| answer.status())
    }
}

async fn answer(request: outbound::Request) -> Result<spin_sdk::http::Response, OutboundError> {
    let answer = spin_sdk::http::send(request.map(Full::new)).await;
    answer.map_err(|error| OutboundError::Connection(format!("{error:?}")))
}
