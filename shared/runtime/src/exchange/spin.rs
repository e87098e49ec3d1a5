use std::time::Duration;

use exchange::{Line, Request, Response, Transport, TransportError};
use futures_util::future::BoxFuture;
use http::Uri;

use super::{NoWay, Settings};
use crate::outbound::{Networks, Outbound, OutboundError, Trust};

/// A way through the host, to where the manifest allows. It has no connections of its own.
pub struct Way(Outbound);

impl Way {
    /// By these settings, which the host has others in the place of: what is set must be what it does anyway.
    ///
    /// # Errors
    /// [`NoWay::Platform`] when authorities or networks are given.
    pub fn new(settings: &Settings) -> Result<Self, NoWay> {
        if settings.networks != Networks::default() {
            return Err(NoWay::Platform);
        }
        let trust = Trust::from_pem(settings.authorities.as_deref(), None).ok_or(NoWay::Platform)?;
        Outbound::trusting(trust, false).map(Self).map_err(|_| NoWay::Roots)
    }
}

impl Transport for Way {
    fn send(
        &self, request: Request, longest: Duration, most: usize,
    ) -> BoxFuture<'_, Result<Response, TransportError>> {
        Box::pin(async move {
            if request.uri().scheme_str() != Some("https") {
                return Err(TransportError::Forbidden);
            }
            // The host does not say how far a request came: it may have arrived.
            self.0.send(request, longest, most).await.map_err(|error| match error {
                OutboundError::Forbidden => TransportError::Forbidden,
                error => TransportError::Broken(error.to_string()),
            })
        })
    }

    fn open<'a>(&'a self, _: &'a Uri, _: Duration) -> BoxFuture<'a, Result<Box<dyn Line>, TransportError>> {
        Box::pin(async { Err(TransportError::Unsupported) })
    }
}
