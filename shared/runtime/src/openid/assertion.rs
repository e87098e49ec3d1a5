//! `private_key_jwt` (RFC 7523): the client signs who it is, and no secret travels.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64_URL;
use jiff::Timestamp;
use ring::rand::SystemRandom;
use ring::rsa;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, RSA_PKCS1_SHA256};
use serde_json::json;
use uuid::Uuid;

/// Life of an assertion, in seconds.
const LIFE: i64 = 60;

/// The client's own key.
pub(super) struct SigningKey {
    pair: Pair,
    id: Option<String>,
}

enum Pair {
    Es256(EcdsaKeyPair),
    Rs256(rsa::KeyPair),
}

impl SigningKey {
    /// A P-256 or RSA private key in PKCS#8.
    pub fn from_pkcs8(der: &[u8], id: Option<String>) -> Option<Self> {
        let elliptic =
            EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der, &SystemRandom::new()).map(Pair::Es256);
        let pair = elliptic.or_else(|_| rsa::KeyPair::from_pkcs8(der).map(Pair::Rs256)).ok()?;
        Some(Self { pair, id })
    }

    /// What the client says of itself to whom it asks for tokens.
    pub fn assertion(&self, client: &str, audience: &str, now: Timestamp) -> Option<String> {
        let now = now.as_second();
        let header = json!({"alg": self.algorithm(), "typ": "JWT", "kid": self.id});
        let claims = json!({
            "iss": client, "sub": client, "aud": audience, "jti": Uuid::now_v7(), "iat": now, "exp": now + LIFE,
        });
        let signed = format!("{}.{}", BASE64_URL.encode(header.to_string()), BASE64_URL.encode(claims.to_string()));
        let signature = self.sign(signed.as_bytes())?;
        Some(format!("{signed}.{}", BASE64_URL.encode(signature)))
    }

    fn algorithm(&self) -> &'static str {
        match self.pair {
            Pair::Es256(_) => "ES256",
            Pair::Rs256(_) => "RS256",
        }
    }

    fn sign(&self, message: &[u8]) -> Option<Vec<u8>> {
        let random = SystemRandom::new();
        match &self.pair {
            Pair::Es256(pair) => pair.sign(&random, message).ok().map(|signature| signature.as_ref().to_vec()),
            Pair::Rs256(pair) => {
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature).ok()?;
                Some(signature)
            }
        }
    }
}
