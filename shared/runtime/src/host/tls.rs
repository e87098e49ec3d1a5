//! TLS 1.3, and nothing older, on the public port.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::version::TLS13;
use rustls::{ServerConfig, crypto};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::StartError;

/// How often the files are looked at.
const GLANCE: Duration = Duration::from_secs(10);

/// Speaks TLS with the certificate that two files hold at the moment.
pub struct Tls {
    acceptor: TlsAcceptor,
    certificate: Arc<Certificate>,
}

#[derive(Debug)]
struct Certificate {
    chain: PathBuf,
    key: PathBuf,
    current: RwLock<Loaded>,
}

#[derive(Debug, Clone)]
struct Loaded {
    certified: Arc<CertifiedKey>,
    /// Of both files' bytes: what was read last, even if it was of no use.
    digest: Vec<u8>,
}

impl Tls {
    /// From two PEM files: the chain of certificates, ours first, and its private key.
    ///
    /// # Errors
    /// Names the variable whose file cannot be used.
    pub fn from_files(chain: &Path, key: &Path) -> Result<Arc<Self>, StartError> {
        let (bytes, digest) = read(chain, key)?;
        let current = RwLock::new(Loaded { certified: Arc::new(certified(&bytes)?), digest });
        let certificate = Arc::new(Certificate { chain: chain.to_owned(), key: key.to_owned(), current });
        let mut config = ServerConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()))
            .with_protocol_versions(&[&TLS13])?
            .with_no_client_auth()
            .with_cert_resolver(certificate.clone());
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Arc::new(Self { acceptor: TlsAcceptor::from(Arc::new(config)), certificate }))
    }

    pub(super) async fn accept(&self, stream: TcpStream) -> std::io::Result<TlsStream<TcpStream>> {
        self.acceptor.accept(stream).await
    }

    /// Reads the files again when they have changed, and at SIGHUP, until told to stop. Those that cannot be used are told
    /// of in the log, and the certificate stays.
    pub async fn tend(self: Arc<Self>, mut stop: watch::Receiver<bool>) {
        #[cfg(unix)]
        let mut hang_up = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup()).ok();
        loop {
            let told = async {
                #[cfg(unix)]
                if let Some(hang_up) = &mut hang_up {
                    hang_up.recv().await;
                    return;
                }
                std::future::pending::<()>().await;
            };
            tokio::select! {
                () = tokio::time::sleep(GLANCE) => {}
                () = told => {}
                _ = stop.wait_for(|stop| *stop) => return,
            }
            match self.certificate.reload() {
                Ok(true) => tracing::info!("the TLS certificate was read again"),
                Ok(false) => {}
                Err(error) => tracing::error!(%error, "the TLS certificate stays as it was"),
            }
        }
    }
}

impl Certificate {
    /// Whether there was something new.
    fn reload(&self) -> Result<bool, StartError> {
        let (bytes, digest) = read(&self.chain, &self.key)?;
        if digest == self.current.read().unwrap_or_else(PoisonError::into_inner).digest {
            return Ok(false);
        }
        let fresh = certified(&bytes);
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        // Told of once, not at each look.
        current.digest = digest;
        current.certified = Arc::new(fresh?);
        Ok(true)
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current.read().unwrap_or_else(PoisonError::into_inner).certified.clone())
    }
}

fn read(chain: &Path, key: &Path) -> Result<([Vec<u8>; 2], Vec<u8>), StartError> {
    let file = |variable, path| std::fs::read(path).map_err(|error| format!("{variable}: cannot be read: {error}"));
    let bytes = [file("TLS_CERTIFICATE", chain)?, file("TLS_KEY", key)?];
    let digest = ring::digest::digest(&ring::digest::SHA256, &bytes.join(&0)).as_ref().to_vec();
    Ok((bytes, digest))
}

/// A chain with a key that is its own.
fn certified([chain, key]: &[Vec<u8>; 2]) -> Result<CertifiedKey, StartError> {
    let chain = CertificateDer::pem_slice_iter(chain).collect::<Result<Vec<_>, _>>();
    let chain = chain.ok().filter(|chain| !chain.is_empty()).ok_or("TLS_CERTIFICATE: holds no certificate in PEM")?;
    let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| "TLS_KEY: holds no private key in PEM")?;
    CertifiedKey::from_der(chain, key, &crypto::ring::default_provider())
        .map_err(|_| "TLS_KEY: is not a key of ours that belongs to TLS_CERTIFICATE".into())
}
