//! The way to a provider: https over rustls, in bounded time and size, following nobody elsewhere.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use futures_util::future::BoxFuture;
use http_body_util::{BodyExt as _, Limited};
use hyper_rustls::{ConfigBuilderExt as _, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use openidconnect::{AsyncHttpClient, HttpRequest, HttpResponse};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

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
    #[error("no connection: {0}")]
    Connection(String),
    #[error("the answer breaks off or is too large")]
    Body,
    #[error("status {0}")]
    Status(u16),
}

/// Whom a provider's certificates must come from, and the certificate we show.
#[derive(Default)]
pub(super) struct Trust {
    authorities: Option<RootCertStore>,
    own: Option<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)>,
}

impl Trust {
    /// From PEM texts: authorities instead of those the system trusts; a certificate with its chain, and its key.
    pub fn from_pem(authorities: Option<&str>, own: Option<(&str, &str)>) -> Option<Self> {
        let certificates = |pem: &str| {
            let all = CertificateDer::pem_slice_iter(pem.as_bytes()).collect::<Result<Vec<_>, _>>().ok();
            all.filter(|all| !all.is_empty())
        };
        let mut trust = Self::default();
        if let Some(pem) = authorities {
            let mut roots = RootCertStore::empty();
            certificates(pem)?.into_iter().try_for_each(|one| roots.add(one)).ok()?;
            trust.authorities = Some(roots);
        }
        if let Some((chain, key)) = own {
            trust.own = Some((certificates(chain)?, PrivateKeyDer::from_pem_slice(key.as_bytes()).ok()?));
        }
        Some(trust)
    }

    fn config(self) -> std::io::Result<ClientConfig> {
        let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()));
        let config = config.with_safe_default_protocol_versions().map_err(std::io::Error::other)?;
        let config = match self.authorities {
            Some(roots) => config.with_root_certificates(roots),
            None => config.with_native_roots()?,
        };
        match self.own {
            Some((chain, key)) => config.with_client_auth_cert(chain, key).map_err(std::io::Error::other),
            None => Ok(config.with_no_client_auth()),
        }
    }
}

/// Speaks HTTP to a provider.
pub(super) struct Http {
    client: Client<HttpsConnector<HttpConnector>, Body>,
}

impl Http {
    /// With `plain`, `http` too: whose addresses may be such is for the settings to say.
    pub fn new(plain: bool, trust: Trust) -> std::io::Result<Self> {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_connect_timeout(Some(CONNECT_TIMEOUT));
        let tls = HttpsConnectorBuilder::new().with_tls_config(trust.config()?);
        let tls = if plain { tls.https_or_http() } else { tls.https_only() };
        let connector = tls.enable_http1().wrap_connector(tcp);
        Ok(Self { client: Client::builder(TokioExecutor::new()).build(connector) })
    }

    async fn exchange(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let answer = self.client.request(request.map(Body::from)).await.map_err(connection)?;
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

/// What went wrong on the way, down to the certificate that was refused.
fn connection(error: hyper_util::client::legacy::Error) -> HttpError {
    let first: Option<&dyn std::error::Error> = Some(&error);
    let causes = std::iter::successors(first, |error| error.source()).map(ToString::to_string);
    HttpError::Connection(causes.collect::<Vec<_>>().join(": "))
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
