//! How a request to Exchange Web Services goes out with proof of who asks. What is said is not its business.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use http::{Method, Uri};

use crate::{Fault, Request, Response, Transport, TransportError, Why};

/// What hears the pieces of an answer that does not end, and says when it has heard enough.
pub type Hears<'a> = &'a mut (dyn FnMut(Bytes) -> ControlFlow<()> + Send);

/// A way to one server for one account. Each request goes as a `POST` of `text/xml` to [`Session::endpoint`], with the headers given
/// and the account's proof.
///
/// Faults are of the way alone: no answer, no token. What the server answered is handed back as it is, whatever its status, but that a
/// session that can prove itself anew after a 401 does so once.
pub trait Session: Send + Sync {
    /// Where requests go.
    fn endpoint(&self) -> &Uri;

    /// One request and its answer, of at most `most` bytes, within `longest`.
    ///
    /// # Errors
    /// [`Why::Unavailable`], with [`Fault::perhaps_done`] when the request may have arrived; see [`unanswered`].
    fn post(
        &self, headers: HeaderMap, body: Bytes, longest: Duration, most: usize,
    ) -> BoxFuture<'_, Result<Response, Fault>>;

    /// One request over a connection of its own, whose answer is heard piece by piece: its head within `longest`, each piece within
    /// `between` of the one before. It ends when the answer ends or `hears` has heard enough. An answer that is not a 200 comes back
    /// without its body.
    ///
    /// # Errors
    /// As [`Session::post`]; also when the answer breaks off.
    fn listen<'a>(
        &'a self, headers: HeaderMap, body: Bytes, longest: Duration, between: Duration, hears: Hears<'a>,
    ) -> BoxFuture<'a, Result<http::Response<()>, Fault>>;
}

/// What it comes to that a transport has no answer.
pub fn unanswered(error: &TransportError) -> Fault {
    match error {
        TransportError::Unreached(_) => Fault::new(Why::Unavailable, "no connection"),
        TransportError::Broken(_) => Fault::new(Why::Unavailable, "the answer did not come").perhaps_done(),
        TransportError::Forbidden => Fault::new(Why::Refused, "the address leads to where nothing goes"),
        TransportError::Unsupported => Fault::new(Why::Refused, "this platform has no connections of its own"),
    }
}

/// The request of a session, without its proof.
pub fn request(endpoint: &Uri, headers: HeaderMap, body: Bytes) -> Request {
    let mut request = http::Request::new(body);
    *request.method_mut() = Method::POST;
    *request.uri_mut() = endpoint.clone();
    *request.headers_mut() = headers;
    request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/xml; charset=utf-8"));
    request
}

/// A session that says a name and a password with each request (RFC 7617, in UTF-8). Only over TLS, which [`super::Ews`] sees to.
pub struct Basic {
    transport: Arc<dyn Transport>,
    endpoint: Uri,
    proof: HeaderValue,
}

impl Basic {
    /// Of `user` (`name@domain` or `DOMAIN\name`) with a password.
    ///
    /// # Errors
    /// [`Why::Unauthenticated`] for a name with a colon, which cannot be said this way.
    pub fn new(transport: Arc<dyn Transport>, endpoint: Uri, user: &str, password: &str) -> Result<Self, Fault> {
        if user.contains(':') {
            return Err(Fault::new(Why::Unauthenticated, "the account's name has a colon"));
        }
        let value = format!("Basic {}", STANDARD.encode(format!("{user}:{password}")));
        let mut proof = HeaderValue::try_from(value).map_err(|_| Fault::new(Why::Unauthenticated, "not a header"))?;
        proof.set_sensitive(true);
        Ok(Self { transport, endpoint, proof })
    }

    fn proven(&self, headers: HeaderMap, body: Bytes) -> Request {
        let mut request = request(&self.endpoint, headers, body);
        request.headers_mut().insert(AUTHORIZATION, self.proof.clone());
        request
    }
}

impl Session for Basic {
    fn endpoint(&self) -> &Uri {
        &self.endpoint
    }

    fn post(
        &self, headers: HeaderMap, body: Bytes, longest: Duration, most: usize,
    ) -> BoxFuture<'_, Result<Response, Fault>> {
        let request = self.proven(headers, body);
        Box::pin(async move { self.transport.send(request, longest, most).await.map_err(|error| unanswered(&error)) })
    }

    fn listen<'a>(
        &'a self, headers: HeaderMap, body: Bytes, longest: Duration, between: Duration, hears: Hears<'a>,
    ) -> BoxFuture<'a, Result<http::Response<()>, Fault>> {
        let request = self.proven(headers, body);
        Box::pin(async move {
            let mut line = self.transport.open(&self.endpoint, longest).await.map_err(|error| unanswered(&error))?;
            let answer = line.stream(request, longest, between).await.map_err(|error| unanswered(&error))?;
            hear(answer, hears).await
        })
    }
}

/// Hands the pieces of an answer on until it ends or enough was heard. For sessions.
///
/// # Errors
/// When it breaks off.
pub async fn hear(
    answer: http::Response<futures_util::stream::BoxStream<'_, Result<Bytes, TransportError>>>, hears: Hears<'_>,
) -> Result<http::Response<()>, Fault> {
    let (head, mut body) = answer.into_parts();
    if head.status.is_success() {
        while let Some(piece) = body.next().await {
            if hears(piece.map_err(|error| unanswered(&error))?).is_break() {
                break;
            }
        }
    }
    Ok(http::Response::from_parts(head, ()))
}
