//! TLS 1.3, and nothing older, on the public port.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ParsedCertificate, ResolvesServerCert};
use rustls::sign::{CertifiedKey, SigningKey};
use rustls::version::TLS13;
use rustls::{Error, InconsistentKeys, ServerConfig, crypto};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::StartError;
use crate::faults::{Faults, Misconfigured};

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
    /// Names each variable whose file cannot be used.
    pub fn from_files(chain: &Path, key: &Path) -> Result<Arc<Self>, StartError> {
        let read = Read::from(chain, key);
        let digest = read.digest();
        let current = RwLock::new(Loaded { certified: Arc::new(read.certified()?), digest });
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
        let read = Read::from(&self.chain, &self.key);
        let digest = read.digest();
        if digest == self.current.read().unwrap_or_else(PoisonError::into_inner).digest {
            return Ok(false);
        }
        let fresh = read.certified();
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

/// Both files as they were found, or why one was not.
struct Read {
    chain: Result<Vec<u8>, String>,
    key: Result<Vec<u8>, String>,
}

impl Read {
    fn from(chain: &Path, key: &Path) -> Self {
        let file = |variable, path| std::fs::read(path).map_err(|error| format!("{variable}: cannot be read: {error}"));
        Self { chain: file("TLS_CERTIFICATE", chain), key: file("TLS_KEY", key) }
    }

    fn digest(&self) -> Vec<u8> {
        let bytes = [&self.chain, &self.key].map(|file| file.as_ref().map_or_else(String::as_bytes, Vec::as_slice));
        ring::digest::digest(&ring::digest::SHA256, &bytes.join(&0)).as_ref().to_vec()
    }

    /// A chain with a key that is its own. A fault of the one file does not hide that of the other.
    fn certified(self) -> Result<CertifiedKey, Misconfigured> {
        let mut faults = Faults::default();
        let chain = faults.note(self.chain).and_then(|pem| faults.note(certificates(&pem)));
        let key = faults.note(self.key).and_then(|pem| faults.note(private_key(&pem)));
        faults.end()?;
        let pair = chain.zip(key).map(|(chain, key)| CertifiedKey::new(chain, key));
        pair.filter(belong)
            .ok_or_else(|| Misconfigured::new("TLS_KEY: is not the private key that belongs to TLS_CERTIFICATE"))
    }
}

fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, &'static str> {
    let chain = CertificateDer::pem_slice_iter(pem).collect::<Result<Vec<_>, _>>();
    let ours = |chain: &Vec<CertificateDer>| chain.first().is_some_and(|own| ParsedCertificate::try_from(own).is_ok());
    chain.ok().filter(ours).ok_or("TLS_CERTIFICATE: holds no certificate in PEM")
}

fn private_key(pem: &[u8]) -> Result<Arc<dyn SigningKey>, &'static str> {
    let key = PrivateKeyDer::from_pem_slice(pem).map_err(|_| "TLS_KEY: holds no private key in PEM")?;
    let key = crypto::ring::default_provider().key_provider.load_private_key(key);
    key.map_err(|_| "TLS_KEY: holds a private key of no kind that we know")
}

/// What cannot be compared is taken for a pair.
fn belong(pair: &CertifiedKey) -> bool {
    matches!(pair.keys_match(), Ok(()) | Err(Error::InconsistentKeys(InconsistentKeys::Unknown)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(chain: Option<&str>, key: Option<&str>) -> String {
        let file = |text: Option<&str>| text.map(|text| text.as_bytes().to_vec()).ok_or("X: cannot be read".to_owned());
        let outcome = Read { chain: file(chain), key: file(key) }.certified();
        outcome.map_or_else(|fault| fault.to_string(), |_| "none".to_owned())
    }

    #[test]
    fn a_file_at_fault_is_named_whatever_the_other_one_is() {
        let pair = || rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let (own, other) = (pair(), pair());
        let (chain, key) = (own.cert.pem(), own.signing_key.serialize_pem());
        assert_eq!(fault(Some(&chain), Some(&key)), "none");
        // In the clothes of PEM, but nothing that anybody could read.
        let hollow = |kind| format!("-----BEGIN {kind}-----\naGVsbG8=\n-----END {kind}-----\n");
        let (hollow_chain, hollow_key) = (hollow("CERTIFICATE"), hollow("PRIVATE KEY"));
        let (no_chain, no_key) =
            ("TLS_CERTIFICATE: holds no certificate in PEM", "TLS_KEY: holds no private key in PEM");
        let strange = "TLS_KEY: holds a private key of no kind that we know";
        let unread = "X: cannot be read";
        for (at_chain, of_chain) in
            [(Some("nonsense"), no_chain), (Some(hollow_chain.as_str()), no_chain), (None, unread)]
        {
            assert_eq!(fault(at_chain, Some(&key)), of_chain);
            for (at_key, of_key) in [(Some("nonsense"), no_key), (Some(hollow_key.as_str()), strange)] {
                assert_eq!(fault(Some(&chain), at_key), of_key);
                assert_eq!(fault(at_chain, at_key), format!("{of_chain}; {of_key}"));
            }
        }
        let strangers = fault(Some(&chain), Some(&other.signing_key.serialize_pem()));
        assert_eq!(strangers, "TLS_KEY: is not the private key that belongs to TLS_CERTIFICATE");
    }
}
