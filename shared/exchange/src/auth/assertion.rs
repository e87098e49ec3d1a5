//! A certificate in the place of a secret: a statement of ours, signed with its key, that who gives tokens verifies with what an
//! administrator uploaded (RFC 7523 §2.2).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64_URL;
use domain::Timestamp;
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};
use ring::rand::{SecureRandom as _, SystemRandom};
use ring::signature::{RSA_PKCS1_SHA256, RSA_PSS_SHA256, RsaEncoding, RsaKeyPair};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::json;

use crate::{Fault, Why};

/// How long a statement is good, in seconds. Entra ID takes five to ten minutes at most ("application authentication certificate
/// credentials", Microsoft identity platform): enough for clocks that are apart.
const GOOD_FOR: i64 = 600;
/// How far our clock may be ahead of theirs, in seconds.
const APART: i64 = 60;

/// How a statement is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signing {
    /// RSASSA-PSS and the certificate named by SHA-256, as Entra ID wants it.
    Ps256,
    /// RSASSA-PKCS1-v1_5 and the certificate named by SHA-1, which is all that AD FS knows.
    Rs256,
}

/// A certificate with its RSA key.
pub struct Certificate {
    key: RsaKeyPair,
    sha1: String,
    sha256: String,
}

/// Why a certificate is of no use. Says nothing of what it or its key holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotACertificate {
    /// It is no certificate.
    #[error("not a certificate in PEM")]
    Certificate,
    /// It is no key, or one that a password seals.
    #[error("not a private key in PEM, PKCS#8 or PKCS#1, unsealed")]
    Key,
    /// It is a key of another kind than those that are taken.
    #[error("not an RSA key of 2048 to 4096 bits")]
    Kind,
    /// The key belongs to another certificate.
    #[error("the key is not that of the certificate")]
    Apart,
}

impl Certificate {
    /// From PEM texts; of a chain the first counts.
    ///
    /// # Errors
    /// [`NotACertificate`].
    pub fn from_pem(certificate: &str, key: &str) -> Result<Self, NotACertificate> {
        let certificate =
            CertificateDer::from_pem_slice(certificate.as_bytes()).map_err(|_| NotACertificate::Certificate)?;
        let key = match PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(|_| NotACertificate::Key)? {
            PrivateKeyDer::Pkcs8(key) => RsaKeyPair::from_pkcs8(key.secret_pkcs8_der()),
            PrivateKeyDer::Pkcs1(key) => RsaKeyPair::from_der(key.secret_pkcs1_der()),
            _ => return Err(NotACertificate::Kind),
        };
        let key = key.map_err(|_| NotACertificate::Kind)?;
        // A certificate holds its public key as it is; of two that do not belong together the server would only say "invalid".
        let public = key.public().as_ref();
        if !certificate.windows(public.len()).any(|part| part == public) {
            return Err(NotACertificate::Apart);
        }
        let named = |algorithm| BASE64_URL.encode(digest(algorithm, &certificate));
        Ok(Self { sha1: named(&SHA1_FOR_LEGACY_USE_ONLY), sha256: named(&SHA256), key })
    }

    /// The statement of `client` to `audience`, which is the address that it is sent to.
    ///
    /// # Errors
    /// When the system gives no randomness.
    pub fn statement(&self, client: &str, audience: &str, signing: Signing, now: Timestamp) -> Result<String, Fault> {
        let random = SystemRandom::new();
        let unable = |_| Fault::new(Why::Unavailable, "no randomness");
        let mut id = [0; 16];
        random.fill(&mut id).map_err(unable)?;
        let (padding, head): (&dyn RsaEncoding, _) = match signing {
            Signing::Ps256 => (&RSA_PSS_SHA256, json!({ "alg": "PS256", "typ": "JWT", "x5t#S256": self.sha256 })),
            Signing::Rs256 => (&RSA_PKCS1_SHA256, json!({ "alg": "RS256", "typ": "JWT", "x5t": self.sha1 })),
        };
        let at = now.as_second();
        let claims = json!({
            "aud": audience, "iss": client, "sub": client, "jti": BASE64_URL.encode(id),
            "iat": at, "nbf": at - APART, "exp": at + GOOD_FOR - APART,
        });
        let said = format!("{}.{}", BASE64_URL.encode(head.to_string()), BASE64_URL.encode(claims.to_string()));
        let mut signature = vec![0; self.key.public().modulus_len()];
        self.key.sign(padding, &random, said.as_bytes(), &mut signature).map_err(unable)?;
        Ok(format!("{said}.{}", BASE64_URL.encode(signature)))
    }
}

#[cfg(test)]
mod tests;
