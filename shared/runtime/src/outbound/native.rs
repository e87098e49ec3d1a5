use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use http::StatusCode;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper_rustls::{ConfigBuilderExt as _, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

use super::{OutboundError, Request, Response};

/// Longest wait for a connection to whom we trust by name, within the wait for the answer.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// Whose certificates are believed, and the certificate we show.
#[derive(Default)]
pub(crate) struct Trust {
    authorities: Option<RootCertStore>,
    more: Option<RootCertStore>,
    own: Option<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)>,
}

impl Trust {
    /// From PEM texts: authorities instead of those the system trusts; a certificate with its chain, and its key.
    pub fn from_pem(authorities: Option<&str>, own: Option<(&str, &str)>) -> Option<Self> {
        let mut trust = Self::default();
        if let Some(pem) = authorities {
            trust.authorities = Some(roots(pem)?);
        }
        if let Some((chain, key)) = own {
            trust.own = Some((certificates(chain)?, PrivateKeyDer::from_pem_slice(key.as_bytes()).ok()?));
        }
        Some(trust)
    }

    /// The same, and authorities from a PEM text beside them.
    pub fn and(mut self, authorities: &str) -> Option<Self> {
        self.more = Some(roots(authorities)?);
        Some(self)
    }

    pub(super) fn config(self) -> io::Result<ClientConfig> {
        let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()));
        let config = config.with_safe_default_protocol_versions().map_err(io::Error::other)?;
        let config = match (self.authorities, self.more) {
            (None, None) => config.with_native_roots()?,
            (authorities, more) => {
                let mut roots = authorities.unwrap_or_else(system);
                roots.extend(more.into_iter().flat_map(|more| more.roots));
                config.with_root_certificates(roots)
            }
        };
        match self.own {
            Some((chain, key)) => config.with_client_auth_cert(chain, key).map_err(io::Error::other),
            None => Ok(config.with_no_client_auth()),
        }
    }
}

fn certificates(pem: &str) -> Option<Vec<CertificateDer<'static>>> {
    let all = CertificateDer::pem_slice_iter(pem.as_bytes()).collect::<Result<Vec<_>, _>>().ok();
    all.filter(|all| !all.is_empty())
}

fn roots(pem: &str) -> Option<RootCertStore> {
    let mut roots = RootCertStore::empty();
    certificates(pem)?.into_iter().try_for_each(|one| roots.add(one)).ok()?;
    Some(roots)
}

/// Whom the system trusts; of what is not understood of it, nothing. A machine may have no such store when it is given one.
fn system() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots
}

/// A client of HTTP, with the connections it keeps.
pub(crate) struct Outbound(Way);

enum Way {
    Open(Client<HttpsConnector<HttpConnector>, Full<Bytes>>),
    Plain(Client<HttpConnector, Full<Bytes>>),
}

impl Outbound {
    /// To whom the system trusts, and in clear where an address says so.
    ///
    /// # Errors
    /// When this machine has no root certificates.
    pub fn new() -> io::Result<Self> {
        let https = HttpsConnectorBuilder::new().with_native_roots()?.https_or_http().enable_http1().build();
        Ok(Self(Way::Open(Client::builder(TokioExecutor::new()).build(https))))
    }

    /// Inside a private network: in clear only.
    pub fn plain() -> Self {
        Self(Way::Plain(Client::builder(TokioExecutor::new()).build_http()))
    }

    /// To whom `trust` trusts; in clear only with `plain`.
    ///
    /// # Errors
    /// Where nobody is trusted, or with a certificate of ours without its key.
    pub fn trusting(trust: Trust, plain: bool) -> io::Result<Self> {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_connect_timeout(Some(CONNECT_TIMEOUT));
        let tls = HttpsConnectorBuilder::new().with_tls_config(trust.config()?);
        let tls = if plain { tls.https_or_http() } else { tls.https_only() };
        let connector = tls.enable_http1().wrap_connector(tcp);
        Ok(Self(Way::Open(Client::builder(TokioExecutor::new()).build(connector))))
    }

    async fn answer(&self, request: Request) -> Result<http::Response<Incoming>, OutboundError> {
        let request = request.map(Full::from);
        let answer = match &self.0 {
            Way::Open(client) => client.request(request).await,
            Way::Plain(client) => client.request(request).await,
        };
        answer.map_err(|error| connection(&error))
    }

    /// The answer, of at most `most` bytes, within `longest`.
    pub async fn send(&self, request: Request, longest: Duration, most: usize) -> Result<Response, OutboundError> {
        let answer = async {
            let (parts, body) = self.answer(request).await?.into_parts();
            let body = Limited::new(body, most).collect().await.map_err(|_| OutboundError::Body)?;
            Ok(Response::from_parts(parts, body.to_bytes()))
        };
        tokio::time::timeout(longest, answer).await.unwrap_or(Err(OutboundError::Late))
    }

    /// What the answer says in a word, within `longest`; the rest is not read.
    pub async fn status(&self, request: Request, longest: Duration) -> Result<StatusCode, OutboundError> {
        let answer = tokio::time::timeout(longest, self.answer(request)).await;
        answer.unwrap_or(Err(OutboundError::Late)).map(|answer| answer.status())
    }
}

/// What went wrong on the way, down to the certificate that was refused.
fn connection(error: &hyper_util::client::legacy::Error) -> OutboundError {
    let first: Option<&dyn std::error::Error> = Some(error);
    let causes = std::iter::successors(first, |error| error.source()).map(ToString::to_string);
    OutboundError::Connection(causes.collect::<Vec<_>>().join(": "))
}
