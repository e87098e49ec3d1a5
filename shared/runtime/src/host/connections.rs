//! The server loop: accepts, perhaps speaks TLS, and serves HTTP/1.1 and HTTP/2 within bounds.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use http::{Request, Response};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tower::ServiceExt as _;

use super::quiet::{Activity, Watched};
use super::tls::Tls;
use crate::edge::OverTls;

/// Largest head of a request that is read, in bytes: request line and headers. What is beyond the edge's own limits and within
/// these is refused in words, and leaves its trace.
pub const HEAD_BYTES: usize = 64 * 1024;
/// Most headers that are read.
const HEADERS: usize = 400;
/// Requests of one HTTP/2 connection at once.
const STREAMS: u32 = 100;
/// Pause after the system refused a connection, for want of file descriptors for instance.
const ACCEPT_PAUSE: Duration = Duration::from_millis(250);

/// How much, and how long, one port bears with its clients.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// From the first byte of a head to its last, and from a connection to its first head. TLS handshakes too.
    pub head: Duration,
    /// Between two requests. Longer than the minute that load balancers keep connections for.
    pub rest: Duration,
    /// Instead of both once no connection is left.
    pub pressed: Duration,
    /// While the client does not take what it is sent.
    pub stall: Duration,
    /// Without a request that begins or ends, while some are under way.
    pub longest: Duration,
    /// Connections at once; others wait to be accepted.
    pub connections: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            head: Duration::from_secs(10),
            rest: Duration::from_secs(75),
            pressed: Duration::from_secs(2),
            stall: Duration::from_secs(30),
            longest: Duration::from_mins(2),
            connections: 4096,
        }
    }
}

/// A port with what answers on it.
pub struct Door {
    /// Where connections come from.
    pub listener: TcpListener,
    /// What answers.
    pub router: Router,
    /// When the port speaks TLS.
    pub tls: Option<Arc<Tls>>,
    /// How much it bears.
    pub bounds: Bounds,
}

impl Door {
    /// A port that speaks plain HTTP.
    pub fn plain(listener: TcpListener, router: Router) -> Self {
        Self { listener, router, tls: None, bounds: Bounds::default() }
    }

    /// Serves until told to stop, then until every request under way is answered.
    pub async fn serve(self, mut stop: watch::Receiver<bool>) {
        let Self { listener, router, tls, bounds } = self;
        let room = Arc::new(Semaphore::new(bounds.connections));
        let graceful = GracefulShutdown::new();
        loop {
            let accepted = async {
                let permit = room.clone().acquire_owned().await.ok();
                (permit, listener.accept().await)
            };
            let (permit, accepted) = tokio::select! {
                biased;
                _ = stop.wait_for(|stop| *stop) => break,
                accepted = accepted => accepted,
            };
            match accepted {
                Ok((stream, peer)) => {
                    let connection = Connection {
                        router: router.clone(),
                        peer,
                        bounds,
                        room: room.clone(),
                        watcher: graceful.watcher(),
                        _permit: permit,
                    };
                    tokio::spawn(connection.serve(stream, tls.clone()));
                }
                Err(error) => {
                    // A client that is gone already is no failure, and costs no pause worth speaking of.
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
        drop(listener);
        graceful.shutdown().await;
    }
}

struct Connection {
    router: Router,
    peer: SocketAddr,
    bounds: Bounds,
    room: Arc<Semaphore>,
    watcher: Watcher,
    _permit: Option<OwnedSemaphorePermit>,
}

impl Connection {
    async fn serve(self, stream: TcpStream, tls: Option<Arc<Tls>>) {
        // Answers are written whole: there is nothing to wait for. A socket that refuses works all the same.
        let _ = stream.set_nodelay(true);
        let Some(tls) = tls else { return self.speak(stream, false).await };
        // Whoever speaks no TLS of ours, or not in time, is no failure of ours.
        if let Ok(Ok(stream)) = tokio::time::timeout(self.bounds.head, tls.accept(stream)).await {
            self.speak(stream, true).await;
        }
    }

    async fn speak<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(self, stream: S, over_tls: bool) {
        let Self { router, peer, bounds, room, watcher, _permit } = self;
        let activity = Arc::new(Activity::default());
        let stream = Watched::new(stream, activity.clone(), bounds, room);
        let service = service_fn(move |request: Request<Incoming>| {
            let busy = activity.begin();
            let router = router.clone();
            async move {
                let mut request = request.map(Body::new);
                request.extensions_mut().insert(ConnectInfo(peer));
                if over_tls {
                    request.extensions_mut().insert(OverTls);
                }
                let response: Response<Body> = router.oneshot(request).await?;
                // Busy until the last byte is written or given up.
                Ok::<_, Infallible>(response.map(|body| {
                    body.map_err(move |error| {
                        let _under_way = &busy;
                        error
                    })
                }))
            }
        });
        let mut builder = Builder::new(TokioExecutor::new());
        // The head's time is bounded by `Watched`, which also sees what comes before hyper knows the version.
        builder.http1().max_buf_size(HEAD_BYTES).max_headers(HEADERS).header_read_timeout(None);
        builder
            .http2()
            .max_header_list_size(u32::try_from(HEAD_BYTES).unwrap_or(u32::MAX))
            .max_concurrent_streams(STREAMS);
        let connection = builder.serve_connection(TokioIo::new(stream), service).into_owned();
        if let Err(error) = watcher.watch(connection).await {
            tracing::debug!(%error, "a connection broke");
        }
    }
}
