//! A small host of Spin's components, for machines without Spin. What matters of Spin is the same: the interfaces, from the
//! files that its SDK ships; the crates under it (`wasmtime`, `deadpool-postgres`); how its pool lends and cleans; how many
//! requests a guest answers. Of outbound HTTP it refuses nothing.

#![allow(clippy::result_large_err, reason = "the errors are those that the interface has")]

mod guest;
pub mod manifest;
mod outward;
mod postgres;

mod bindings {
    wasmtime::component::bindgen!({
        path: "wit",
        world: "spin",
        imports: { default: async | trappable },
        with: { "spin:postgres/postgres.connection": crate::postgres::Lent },
    });
}

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use http::header::{CONNECTION, HOST};
use http::{HeaderName, HeaderValue, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::net::TcpListener;
use wasmtime::{Cache, CacheConfig, Config, Engine};
use wasmtime_wasi_http::handler::ProxyHandler;
use wasmtime_wasi_http::{Error, WasiBody};

use crate::guest::{Guests, Shared};
use crate::manifest::Manifest;
use crate::postgres::Pools;

/// An application that is ready to answer.
pub struct Host {
    manifest: Manifest,
    guests: BTreeMap<String, ProxyHandler<Guests>>,
}

impl Host {
    /// Compiles the components of an application; what was compiled before is taken from `cache`.
    ///
    /// # Errors
    /// What of it cannot be used.
    pub fn new(mut manifest: Manifest, cache: &Path) -> Result<Arc<Self>, wasmtime::Error> {
        let mut kept = CacheConfig::new();
        kept.with_directory(cache);
        let mut config = Config::new();
        config.wasm_component_model_async(true).cache(Some(Cache::new(kept)?));
        let engine = Engine::new(&config)?;
        let mut guests = BTreeMap::new();
        for (name, component) in &mut manifest.components {
            let shared = Shared {
                variables: std::mem::take(&mut component.variables),
                environment: std::mem::take(&mut component.environment),
                allowed: std::mem::take(&mut component.allowed),
                pools: Pools::default(),
            };
            guests.insert(name.clone(), ProxyHandler::new(Guests::new(&engine, &component.source, shared)?));
        }
        Ok(Arc::new(Self { manifest, guests }))
    }

    /// Serves for as long as the listener lives.
    pub async fn serve(self: Arc<Self>, listener: TcpListener) {
        loop {
            let Ok((stream, peer)) = listener.accept().await else { continue };
            let host = self.clone();
            tokio::spawn(async move {
                let service = service_fn(move |request| {
                    let host = host.clone();
                    async move { Ok::<_, Infallible>(host.answer(request, peer).await) }
                });
                // Or small answers wait for an acknowledgement, some 40 ms.
                drop(stream.set_nodelay(true));
                // A client that goes away is no failure.
                drop(auto::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await);
            });
        }
    }

    async fn answer(&self, mut request: Request<Incoming>, peer: SocketAddr) -> Response<WasiBody> {
        let guests = self.manifest.route(request.uri().path()).and_then(|name| self.guests.get(name));
        let Some(guests) = guests else { return bare(StatusCode::NOT_FOUND) };
        if whole(&mut request, peer).is_none() {
            return bare(StatusCode::BAD_REQUEST);
        }
        let request = request.map(|body| body.map_err(Error::Hyper).boxed_unsync());
        guests.handle((), request).await.unwrap_or_else(|error| {
            eprintln!("no answer: {error:#}");
            bare(StatusCode::INTERNAL_SERVER_ERROR)
        })
    }
}

/// Says the whole address, and who asks: after what the client may have written of that, as Spin does.
fn whole(request: &mut Request<Incoming>, peer: SocketAddr) -> Option<()> {
    let mut parts = request.uri().clone().into_parts();
    let host = request.headers().get(HOST).and_then(|host| host.to_str().ok());
    parts.authority = parts.authority.or_else(|| host?.parse().ok());
    parts.scheme = Some(http::uri::Scheme::HTTP);
    let uri = Uri::from_parts(parts).ok()?;
    let full = HeaderValue::from_str(&uri.to_string()).ok()?;
    let headers = request.headers_mut();
    headers.remove(CONNECTION);
    headers.append(HeaderName::from_static("spin-full-url"), full);
    headers.append(HeaderName::from_static("spin-client-addr"), HeaderValue::from_str(&peer.to_string()).ok()?);
    *request.uri_mut() = uri;
    Some(())
}

fn bare(status: StatusCode) -> Response<WasiBody> {
    let mut answer = Response::new(Empty::new().map_err(|never| match never {}).boxed_unsync());
    *answer.status_mut() = status;
    answer
}
