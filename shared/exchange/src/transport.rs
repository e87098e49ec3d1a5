use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;

/// What is sent: a request whole, with the whole URI.
pub type Request = http::Request<Bytes>;
/// What comes back, whole.
pub type Response = http::Response<Bytes>;

/// What comes back as it comes.
pub type Pieces<'a> = BoxStream<'a, Result<Bytes, TransportError>>;

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TransportError {
    /// The request did not reach anybody: no name, no connection, a certificate that is not believed.
    #[error("no connection: {0}")]
    Unreached(String),
    /// No answer in time, or it broke off: what was asked may have been done.
    #[error("the answer did not come: {0}")]
    Broken(String),
    /// The address leads to where nothing goes.
    #[error("not an address for us")]
    Forbidden,
    /// This platform cannot: it has no connections of its own.
    #[error("not on this platform")]
    Unsupported,
}

/// The way out by HTTP. It follows no redirection.
pub trait Transport: Send + Sync {
    /// One request and its answer, of at most `most` bytes, within `longest`.
    fn send(&self, request: Request, longest: Duration, most: usize)
    -> BoxFuture<'_, Result<Response, TransportError>>;

    /// A connection of its own to where `uri` leads, for what is said over one connection: NTLM, and answers that do not end.
    fn open<'a>(
        &'a self, uri: &'a http::Uri, longest: Duration,
    ) -> BoxFuture<'a, Result<Box<dyn Line>, TransportError>>;
}

/// One connection.
pub trait Line: Send {
    /// One request and its answer.
    fn send(
        &mut self, request: Request, longest: Duration, most: usize,
    ) -> BoxFuture<'_, Result<Response, TransportError>>;

    /// One request, and its answer as it comes: its head within `longest`, and each piece within `between` of the one before.
    fn stream(
        &mut self, request: Request, longest: Duration, between: Duration,
    ) -> BoxFuture<'_, Result<http::Response<Pieces<'_>>, TransportError>>;

    /// The server's certificate in DER; none in clear. NTLM binds itself to it.
    fn certificate(&self) -> Option<&[u8]>;

    /// Whether it is of no more use.
    fn is_over(&self) -> bool;
}
