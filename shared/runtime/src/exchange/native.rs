use std::time::Duration;

use axum::body::Bytes;
use exchange::{Line, Request, Response, Transport, TransportError};
use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use http::Uri;
use tokio::time::Instant;

use super::{NoWay, Settings};
use crate::outbound::guarded::Guarded;
use crate::outbound::guarded::kept::Kept;
use crate::outbound::guarded::open::{Failure, Open};
use crate::outbound::{OutboundError, Trust};

/// A way with sockets. Connections rest between requests and are used again.
pub struct Way(Kept);

impl Way {
    /// By these settings.
    ///
    /// # Errors
    /// [`NoWay`].
    pub fn new(settings: &Settings) -> Result<Self, NoWay> {
        let trust = Trust::default();
        let trust = match &settings.authorities {
            Some(pem) => trust.and(pem).ok_or(NoWay::Authorities)?,
            None => trust,
        };
        let guarded = Guarded::trusting(settings.networks.clone(), trust).map_err(|_| NoWay::Roots)?;
        Ok(Self(Kept::new(guarded)))
    }
}

impl Transport for Way {
    fn send(
        &self, request: Request, longest: Duration, most: usize,
    ) -> BoxFuture<'_, Result<Response, TransportError>> {
        Box::pin(async move { self.0.send(request, longest, most).await.map_err(told) })
    }

    fn open<'a>(&'a self, uri: &'a Uri, longest: Duration) -> BoxFuture<'a, Result<Box<dyn Line>, TransportError>> {
        Box::pin(async move {
            let open = self.0.open(uri, Instant::now() + longest).await.map_err(told)?;
            Ok(Box::new(Wire(open)) as Box<dyn Line>)
        })
    }
}

/// A connection of one's own.
struct Wire(Open);

impl Line for Wire {
    fn send(
        &mut self, request: Request, longest: Duration, most: usize,
    ) -> BoxFuture<'_, Result<Response, TransportError>> {
        Box::pin(async move { self.0.send(request, Instant::now() + longest, most).await.map_err(told) })
    }

    fn stream(
        &mut self, request: Request, longest: Duration, between: Duration,
    ) -> BoxFuture<'_, Result<http::Response<BoxStream<'_, Result<Bytes, TransportError>>>, TransportError>> {
        Box::pin(async move {
            let answer = self.0.stream(request, Instant::now() + longest, between).await.map_err(told)?;
            let broken = |error| told(Failure { error, sent: true });
            Ok(answer.map(|body| body.map(move |piece| piece.map_err(broken)).boxed()))
        })
    }

    fn certificate(&self) -> Option<&[u8]> {
        self.0.certificate()
    }

    fn is_over(&self) -> bool {
        self.0.is_over()
    }
}

/// Why there is no answer, as the other side of the contract calls it.
fn told(failure: Failure) -> TransportError {
    match failure.error {
        OutboundError::Forbidden => TransportError::Forbidden,
        error if failure.sent => TransportError::Broken(error.to_string()),
        error => TransportError::Unreached(error.to_string()),
    }
}

#[cfg(test)]
mod tests;
