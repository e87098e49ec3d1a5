//! What `health` does: ask the server that runs beside how it is, as it wants to be asked.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use http::StatusCode;
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{self, CryptoProvider};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::version::TLS13;
use rustls::{ClientConfig, DigitallySignedStruct, Error, SignatureScheme};

use super::StartError;
use crate::config::Config;

/// Longest wait for the answer.
const LONGEST: Duration = Duration::from_secs(3);

/// Asks the server that runs beside whether it is ready: images hold nothing else that could.
///
/// # Errors
/// When it is not.
pub async fn health(config: &Config) -> Result<(), StartError> {
    let provider = Arc::new(crypto::ring::default_provider());
    let tls = ClientConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&[&TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Beside(provider)))
        .with_no_client_auth();
    let connector = HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1().build();
    let client = Client::builder(TokioExecutor::new()).build::<_, Body>(connector);
    let scheme = if config.edges.tls_certificate.is_some() { "https" } else { "http" };
    let url = format!("{scheme}://{}/readyz", address(config));
    let answer = tokio::time::timeout(LONGEST, client.get(url.parse()?)).await??;
    if answer.status() == StatusCode::OK { Ok(()) } else { Err(format!("not ready: {}", answer.status()).into()) }
}

/// Where it listens; of what listens everywhere, this machine itself.
fn address(config: &Config) -> SocketAddr {
    let here = match config.bind.parse() {
        Ok(IpAddr::V6(all)) if all.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        Ok(one) if !IpAddr::is_unspecified(&one) => one,
        _ => Ipv4Addr::LOCALHOST.into(),
    };
    SocketAddr::new(here, config.port)
}

/// Takes whatever certificate it shows: that names a site, and we ask an address of this machine. Nothing is told, and nothing is
/// believed but that it answers. That it has the certificate's key is seen all the same.
#[derive(Debug)]
struct Beside(Arc<CryptoProvider>);

impl ServerCertVerifier for Beside {
    fn verify_server_cert(
        &self, _: &CertificateDer<'_>, _: &[CertificateDer<'_>], _: &ServerName<'_>, _: &[u8], _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self, message: &[u8], certificate: &CertificateDer<'_>, signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        crypto::verify_tls12_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self, message: &[u8], certificate: &CertificateDer<'_>, signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        crypto::verify_tls13_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_asked_where_it_listens() {
        for (bind, asked) in [
            ("0.0.0.0", "127.0.0.1:8080"),
            ("::", "[::1]:8080"),
            ("127.0.0.1", "127.0.0.1:8080"),
            ("10.1.2.3", "10.1.2.3:8080"),
            ("::1", "[::1]:8080"),
        ] {
            let config = Config::read(|name| (name == "BIND").then(|| bind.to_owned())).unwrap();
            assert_eq!(address(&config).to_string(), asked, "{bind}");
        }
    }
}
