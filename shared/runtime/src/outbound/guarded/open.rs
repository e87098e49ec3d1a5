//! One connection to an address that was judged, which stays open between requests.

use std::time::Duration;

use axum::body::Bytes;
use futures_util::stream::{self, BoxStream, StreamExt as _};
use http::header::{CONNECTION, HOST};
use http::{HeaderValue, Uri};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::task::AbortHandle;
use tokio::time::Instant;

use super::{Stream, before};
use crate::outbound::{OutboundError, Request, Response};

/// Longest head of an answer, in bytes, and most headers in it.
const HEAD: usize = 16 * 1024;
const HEADERS: usize = 100;
/// How long a connection rests before it is of no more use. IIS closes one after 120 s, proxies often after 75 s: a request that meets
/// the closing may have arrived or not.
const REST: Duration = Duration::from_secs(45);
/// How old it grows: then the name is looked up and judged anew.
const AGE: Duration = Duration::from_mins(5);

/// A connection.
pub struct Open {
    sender: http1::SendRequest<Full<Bytes>>,
    // Ends with this: who stops waiting leaves nothing behind.
    task: Task,
    certificate: Option<Vec<u8>>,
    opened: Instant,
    rested: Instant,
    /// Whether an answer is awaited or was left unread.
    busy: bool,
    /// Whether the other side said that it closes.
    last: bool,
}

struct Task(AbortHandle);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Why there is no answer, and whether the request may have arrived.
#[derive(Debug)]
pub struct Failure {
    /// Why.
    pub error: OutboundError,
    /// Whether something of the request may have gone out.
    pub sent: bool,
}

impl Failure {
    fn unsent(error: OutboundError) -> Self {
        Self { error, sent: false }
    }
}

impl Open {
    /// Over a stream that leads there, with the certificate the other side showed on it.
    pub(super) async fn over(stream: Box<dyn Stream>, certificate: Option<Vec<u8>>) -> Result<Self, OutboundError> {
        let mut settings = http1::Builder::new();
        settings.max_buf_size(HEAD).max_headers(HEADERS);
        let (sender, connection) = settings.handshake(TokioIo::new(stream)).await.map_err(broken)?;
        let task = tokio::spawn(async move { drop(connection.await) });
        let now = Instant::now();
        Ok(Self {
            sender,
            task: Task(task.abort_handle()),
            certificate,
            opened: now,
            rested: now,
            busy: false,
            last: false,
        })
    }

    /// The certificate of the other side in DER; none in clear.
    pub fn certificate(&self) -> Option<&[u8]> {
        self.certificate.as_deref()
    }

    /// Whether it is of no more use: closed, grown old, or with an answer that was left unread.
    pub fn is_over(&self) -> bool {
        let done = self.busy || self.last || self.sender.is_closed() || self.task.0.is_finished();
        done || self.rested.elapsed() > REST || self.opened.elapsed() > AGE
    }

    /// The head of the answer, before `end`; then the body is read. Until [`Open::rests`] says that it was, the connection is over.
    pub(super) async fn asked(
        &mut self, mut request: Request, end: Instant,
    ) -> Result<http::Response<Incoming>, Failure> {
        address_to_host(&mut request).map_err(Failure::unsent)?;
        self.busy = true;
        let ready = async { self.sender.ready().await.map_err(broken) };
        before(end, ready).await.map_err(Failure::unsent)?;
        let answer = self.sender.try_send_request(request.map(Full::from));
        match tokio::time::timeout_at(end, answer).await {
            Ok(Ok(answer)) => {
                self.last |= is_last(&answer);
                Ok(answer)
            }
            Ok(Err(mut error)) => {
                let sent = error.take_message().is_none();
                Err(Failure { error: broken(error.into_error()), sent })
            }
            Err(_) => Err(Failure { error: OutboundError::Late, sent: true }),
        }
    }

    /// An answer was read to its end.
    fn rests(&mut self) {
        (self.busy, self.rested) = (false, Instant::now());
    }

    /// The answer, of at most `most` bytes, before `end`.
    ///
    /// # Errors
    /// [`Failure`].
    pub async fn send(&mut self, request: Request, end: Instant, most: usize) -> Result<Response, Failure> {
        let (parts, body) = self.asked(request, end).await?.into_parts();
        let body = async { Limited::new(body, most).collect().await.map_err(|_| OutboundError::Body) };
        let body = before(end, body).await.map_err(|error| Failure { error, sent: true })?;
        self.rests();
        Ok(Response::from_parts(parts, body.to_bytes()))
    }

    /// The answer as it comes: its head before `end`, each piece within `between` of the one before. The connection is over with it.
    ///
    /// # Errors
    /// [`Failure`].
    pub async fn stream(
        &mut self, request: Request, end: Instant, between: Duration,
    ) -> Result<http::Response<BoxStream<'_, Result<Bytes, OutboundError>>>, Failure> {
        let answer = self.asked(request, end).await?;
        Ok(answer.map(|body| stream::unfold(Some(body), move |body| piece(body, between)).boxed()))
    }
}

/// The next piece, and what comes after it: nothing after a failure.
async fn piece(body: Option<Incoming>, between: Duration) -> Option<(Result<Bytes, OutboundError>, Option<Incoming>)> {
    let mut body = body?;
    let data = async {
        loop {
            match body.frame().await?.map(hyper::body::Frame::into_data) {
                Ok(Ok(data)) => return Some(Ok(data)),
                // Trailers.
                Ok(Err(_)) => {}
                Err(_) => return Some(Err(OutboundError::Body)),
            }
        }
    };
    match tokio::time::timeout(between, data).await {
        Ok(Some(Ok(data))) => Some((Ok(data), Some(body))),
        Ok(Some(Err(error))) => Some((Err(error), None)),
        Ok(None) => None,
        Err(_) => Some((Err(OutboundError::Late), None)),
    }
}

/// Whether the connection ends with this answer (RFC 9112 §9.6). It is known before it is felt.
fn is_last<B>(answer: &http::Response<B>) -> bool {
    let said = answer.headers().get_all(CONNECTION).iter().filter_map(|value| value.to_str().ok());
    said.flat_map(|line| line.split(',')).any(|word| word.trim().eq_ignore_ascii_case("close"))
}

/// As a server of HTTP/1.1 wants it: the host in its header, the path in the first line.
fn address_to_host(request: &mut Request) -> Result<(), OutboundError> {
    let host = request.uri().authority().map(|authority| HeaderValue::from_str(authority.as_str()));
    let host = host.and_then(Result::ok).ok_or(OutboundError::Forbidden)?;
    request.headers_mut().insert(HOST, host);
    let path = request.uri().path_and_query().cloned();
    *request.uri_mut() = path.map_or_else(Uri::default, Uri::from);
    Ok(())
}

fn broken(error: hyper::Error) -> OutboundError {
    OutboundError::Connection(error.to_string())
}
