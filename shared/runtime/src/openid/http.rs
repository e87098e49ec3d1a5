//! The way to a provider: in bounded time and size, following nobody elsewhere.

use std::time::Duration;

use futures_util::future::BoxFuture;
use openidconnect::{AsyncHttpClient, HttpRequest, HttpResponse};

use crate::outbound::{Outbound, OutboundError, Trust};

/// Longest exchange of one question and its answer.
const TIMEOUT: Duration = Duration::from_secs(4);
/// Largest answer, in bytes.
const MAX_BYTES: usize = 256 * 1024;

/// Why a provider did not answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum HttpError {
    #[error(transparent)]
    Outbound(#[from] OutboundError),
    #[error("status {0}")]
    Status(u16),
}

/// Speaks HTTP to a provider.
pub(super) struct Http(Outbound);

impl Http {
    /// With `plain`, `http` too: whose addresses may be such is for the settings to say.
    pub fn new(plain: bool, trust: Trust) -> std::io::Result<Self> {
        Outbound::trusting(trust, plain).map(Self)
    }

    async fn exchange(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let answer = self.0.send(request.map(Into::into), TIMEOUT, MAX_BYTES).await?;
        let status = answer.status();
        // Answers of a provider that cannot answer now, and of one that sends elsewhere: nobody is followed.
        if status.is_server_error() || status.is_redirection() || status == http::StatusCode::TOO_MANY_REQUESTS {
            return Err(HttpError::Status(status.as_u16()));
        }
        Ok(answer.map(Into::into))
    }
}

impl<'c> AsyncHttpClient<'c> for Http {
    type Error = HttpError;
    type Future = BoxFuture<'c, Result<HttpResponse, HttpError>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(self.exchange(request))
    }
}
