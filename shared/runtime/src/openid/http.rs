//! The way to a provider: https over rustls, in bounded time and size, following nobody elsewhere.

use std::time::Duration;

use axum::body::Body;
use futures_util::future::BoxFuture;
use http_body_util::{BodyExt as _, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use openidconnect::{AsyncHttpClient, HttpRequest, HttpResponse};

/// Longest exchange of one question and its answer.
const TIMEOUT: Duration = Duration::from_secs(4);
/// Longest wait for a connection, within that.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// Largest answer, in bytes.
const MAX_BYTES: usize = 256 * 1024;

/// Why a provider did not answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum HttpError {
    #[error("no answer in time")]
    Timeout,
    #[error("no connection")]
    Connection,
    #[error("the answer breaks off or is too large")]
    Body,
    #[error("status {0}")]
    Status(u16),
}

/// Speaks HTTP to providers.
pub(super) struct Http {
    client: Client<HttpsConnector<HttpConnector>, Body>,
}

impl Http {
    /// Trusts what the system trusts. With `plain`, `http` too: whose addresses may be such is for the settings to say.
    pub fn new(plain: bool) -> std::io::Result<Self> {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_connect_timeout(Some(CONNECT_TIMEOUT));
        let tls =
            HttpsConnectorBuilder::new().with_provider_and_native_roots(rustls::crypto::ring::default_provider())?;
        let tls = if plain { tls.https_or_http() } else { tls.https_only() };
        let connector = tls.enable_http1().wrap_connector(tcp);
        Ok(Self { client: Client::builder(TokioExecutor::new()).build(connector) })
    }

    async fn exchange(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let answer = self.client.request(request.map(Body::from)).await.map_err(|_| HttpError::Connection)?;
        let status = answer.status();
        // Answers of a provider that cannot answer now, and of one that sends elsewhere: nobody is followed.
        if status.is_server_error() || status.is_redirection() || status == http::StatusCode::TOO_MANY_REQUESTS {
            return Err(HttpError::Status(status.as_u16()));
        }
        let (parts, body) = answer.into_parts();
        let body = Limited::new(body, MAX_BYTES).collect().await.map_err(|_| HttpError::Body)?;
        Ok(HttpResponse::from_parts(parts, body.to_bytes().into()))
    }
}

impl<'c> AsyncHttpClient<'c> for Http {
    type Error = HttpError;
    type Future = BoxFuture<'c, Result<HttpResponse, HttpError>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(async move {
            tokio::time::timeout(TIMEOUT, self.exchange(request)).await.unwrap_or(Err(HttpError::Timeout))
        })
    }
}
