//! The way out to addresses that strangers gave us. It leads to the public internet and to networks that are allowed, and
//! nowhere else: a name is looked up here, every address it has is judged, and the connection goes to an address that was
//! judged. So neither a name that changes what it stands for nor an answer that leads elsewhere comes by.

pub mod kept;
pub mod open;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use http::uri::Scheme;
use http::{StatusCode, Uri};
use http_body_util::{BodyExt as _, Limited};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_rustls::TlsConnector;

use super::{Networks, OutboundError, Request, Response, Trust, is_public};
use open::Open;

/// Longest wait for one connection: a name may have another address that answers.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// How many addresses of a name are tried.
const ADDRESSES: usize = 4;
/// Longest time for reading an answer that nobody wants: only so that its sender can end in peace.
const FAREWELL: Duration = Duration::from_secs(1);
/// The lowest port that a program without privileges listens on. Below it are other protocols than ours.
const UNPRIVILEGED: u16 = 1024;

/// Says which addresses a name has.
pub trait Resolve: Send + Sync {
    /// All of them, whatever they are.
    fn resolve<'a>(&'a self, host: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>>;
}

/// As this machine looks up names.
struct System;

impl Resolve for System {
    fn resolve<'a>(&'a self, host: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>> {
        Box::pin(async move { Ok(tokio::net::lookup_host((host, 0)).await?.map(|address| address.ip()).collect()) })
    }
}

/// A client of HTTP that goes to public addresses and to allowed ones. It follows nobody elsewhere and bounds the time, the
/// head and the body of an answer. It keeps no connection; [`kept`] does.
pub struct Guarded {
    allowed: Networks,
    resolver: Arc<dyn Resolve>,
    tls: TlsConnector,
}

/// Where a request goes: judged.
struct Target {
    host: String,
    addresses: Vec<SocketAddr>,
    encrypted: bool,
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

impl Guarded {
    /// To the public internet by `https`, and to the networks that are allowed, there also by `http`.
    ///
    /// # Errors
    /// When this machine has no root certificates.
    pub fn new(allowed: Networks) -> io::Result<Self> {
        Self::trusting(allowed, Trust::default())
    }

    /// The same to whom `trust` trusts.
    ///
    /// # Errors
    /// As [`Guarded::new`].
    pub(crate) fn trusting(allowed: Networks, trust: Trust) -> io::Result<Self> {
        Self::with(allowed, Arc::new(System), trust)
    }

    /// The same with another way to look up names.
    pub(crate) fn with(allowed: Networks, resolver: Arc<dyn Resolve>, trust: Trust) -> io::Result<Self> {
        Ok(Self { allowed, resolver, tls: TlsConnector::from(Arc::new(trust.config()?)) })
    }

    /// Whether a request may go there, as names stand now. It is asked again, and counts, when one goes.
    ///
    /// # Errors
    /// [`OutboundError::Forbidden`], and [`OutboundError::Connection`] for a name that has no address.
    pub async fn check(&self, uri: &Uri, longest: Duration) -> Result<(), OutboundError> {
        before(Instant::now() + longest, self.target(uri)).await.map(drop)
    }

    /// The answer, of at most `most` bytes, within `longest`.
    ///
    /// # Errors
    /// [`OutboundError`]; with [`OutboundError::Forbidden`] nothing was sent.
    pub async fn send(&self, request: Request, longest: Duration, most: usize) -> Result<Response, OutboundError> {
        let end = Instant::now() + longest;
        let mut open = before(end, self.open(request.uri())).await?;
        open.send(request, end, most).await.map_err(|failure| failure.error)
    }

    /// What the answer says in a word, within `longest`. The rest of it is read, up to `most` bytes and not for long, and
    /// not kept.
    ///
    /// # Errors
    /// As [`Guarded::send`].
    pub async fn status(&self, request: Request, longest: Duration, most: usize) -> Result<StatusCode, OutboundError> {
        let end = Instant::now() + longest;
        let mut open = before(end, self.open(request.uri())).await?;
        let answer = open.asked(request, end).await.map_err(|failure| failure.error)?;
        let status = answer.status();
        let rest = Limited::new(answer.into_body(), most).collect();
        drop(tokio::time::timeout(FAREWELL, rest).await);
        Ok(status)
    }

    /// A connection to where a URI leads.
    async fn open(&self, uri: &Uri) -> Result<Open, OutboundError> {
        let (stream, certificate) = self.connect(&self.target(uri).await?).await?;
        Open::over(stream, certificate).await
    }

    /// Judges a URI and every address of its name.
    async fn target(&self, uri: &Uri) -> Result<Target, OutboundError> {
        let authority = uri.authority().ok_or(OutboundError::Forbidden)?;
        if authority.as_str().contains('@') {
            return Err(OutboundError::Forbidden);
        }
        let encrypted = match uri.scheme() {
            Some(scheme) if *scheme == Scheme::HTTPS => true,
            Some(scheme) if *scheme == Scheme::HTTP => false,
            _ => return Err(OutboundError::Forbidden),
        };
        let port = uri.port_u16().unwrap_or(if encrypted { 443 } else { 80 });
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        let addresses = match host.parse() {
            Ok(address) => vec![address],
            // `0x7f.1`, `2130706433` and the like are names to us, and what they lead to is judged as any name is.
            Err(_) => self.resolver.resolve(&host).await.map_err(|error| unknown(&error))?,
        };
        if addresses.is_empty() {
            return Err(OutboundError::Connection("the name has no address".into()));
        }
        let well_known = encrypted && (port == 443 || port >= UNPRIVILEGED);
        let sound = |address: &IpAddr| self.allowed.hold(*address) || (well_known && is_public(*address));
        // One that is not sound is enough: it might be the one that answers.
        if !addresses.iter().all(sound) {
            return Err(OutboundError::Forbidden);
        }
        let addresses = addresses.into_iter().take(ADDRESSES).map(|address| SocketAddr::new(address, port)).collect();
        Ok(Target { host, addresses, encrypted })
    }

    /// Connects to an address that was judged: the name is not looked up again.
    /// With it comes the certificate that was shown, in DER.
    async fn connect(&self, target: &Target) -> Result<(Box<dyn Stream>, Option<Vec<u8>>), OutboundError> {
        let mut stream = Err(OutboundError::Late);
        for address in &target.addresses {
            stream = match tokio::time::timeout(CONNECT_TIMEOUT, TcpStream::connect(address)).await {
                Ok(Ok(connected)) => Ok(connected),
                Ok(Err(error)) => Err(OutboundError::Connection(error.kind().to_string())),
                Err(_) => Err(OutboundError::Late),
            };
            if stream.is_ok() {
                break;
            }
        }
        let stream = stream?;
        if !target.encrypted {
            return Ok((Box::new(stream), None));
        }
        let name = ServerName::try_from(target.host.clone()).map_err(|_| OutboundError::Forbidden)?;
        match self.tls.connect(name, stream).await {
            Ok(stream) => {
                let shown = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first());
                let shown = shown.map(|certificate| certificate.to_vec());
                Ok((Box::new(stream), shown))
            }
            Err(error) => Err(OutboundError::Connection(format!("TLS: {error}"))),
        }
    }
}

async fn before<T>(end: Instant, work: impl Future<Output = Result<T, OutboundError>>) -> Result<T, OutboundError> {
    tokio::time::timeout_at(end, work).await.unwrap_or(Err(OutboundError::Late))
}

fn unknown(error: &io::Error) -> OutboundError {
    OutboundError::Connection(format!("the name cannot be looked up: {}", error.kind()))
}

#[cfg(test)]
pub(crate) mod tests;
