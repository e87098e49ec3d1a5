//! Access tokens: short-lived JSON Web Tokens, signed with Ed25519.

use std::sync::Once;

use domain::ids::{AccountId, SessionId};
use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils};
use jsonwebtoken::{DecodingKey, EncodingKey, Header, Validation};
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use serde::{Deserialize, Serialize};

use super::KeyError;

/// Life of an access token.
pub const ACCESS_TOKEN_LIFE: SignedDuration = SignedDuration::from_mins(10);
const ISSUER: &str = "carnet";

/// What an access token says. Short-lived; nothing personal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// Issuer.
    pub iss: String,
    /// The account.
    pub sub: AccountId,
    /// The session.
    pub sid: SessionId,
    /// Issued at, epoch seconds.
    pub iat: i64,
    /// Expires at, epoch seconds.
    pub exp: i64,
}

/// Issues and verifies access tokens.
pub(super) struct Tokens {
    signing: EncodingKey,
    verifying: DecodingKey,
}

impl Tokens {
    pub(super) fn new(pkcs8: &[u8]) -> Result<Self, KeyError> {
        static PROVIDER: Once = Once::new();
        // Once a process; where somebody installed another, tokens fail, and a test says so.
        PROVIDER.call_once(|| {
            let _ = JWT_CRYPTO.install_default();
        });
        let pair =
            Ed25519KeyPair::from_pkcs8_maybe_unchecked(pkcs8).map_err(|_| KeyError::Unusable("CARNET_SIGNING_KEY"))?;
        Ok(Self {
            signing: EncodingKey::from_ed_der(pkcs8),
            verifying: DecodingKey::from_ed_der(pair.public_key().as_ref()),
        })
    }

    pub(super) fn issue(&self, account: AccountId, session: SessionId, now: Timestamp) -> Result<String, KeyError> {
        let claims = Claims {
            iss: ISSUER.into(),
            sub: account,
            sid: session,
            iat: now.as_second(),
            exp: now.as_second() + ACCESS_TOKEN_LIFE.as_secs(),
        };
        jsonwebtoken::encode(&Header::new(jsonwebtoken::Algorithm::EdDSA), &claims, &self.signing)
            .map_err(|_| KeyError::Failed("sign"))
    }

    pub(super) fn verify(&self, token: &str, now: Timestamp) -> Option<Claims> {
        let mut validation = Validation::new(jsonwebtoken::Algorithm::EdDSA);
        validation.set_issuer(&[ISSUER]);
        // Expiry is judged by our own clock, below.
        validation.validate_exp = false;
        validation.validate_aud = false;
        let claims = jsonwebtoken::decode::<Claims>(token, &self.verifying, &validation).ok()?.claims;
        (now.as_second() < claims.exp).then_some(claims)
    }
}

/// jsonwebtoken over `ring`, which we carry anyway; only `EdDSA` is known, so no other algorithm can be chosen by a token.
static JWT_CRYPTO: CryptoProvider = CryptoProvider {
    signer_factory: |algorithm, key| match algorithm {
        jsonwebtoken::Algorithm::EdDSA => Ed25519KeyPair::from_pkcs8_maybe_unchecked(key.as_bytes())
            .map(|pair| Box::new(Ed25519(pair)) as Box<dyn JwtSigner>)
            .map_err(|_| jsonwebtoken::errors::ErrorKind::InvalidKeyFormat.into()),
        _ => Err(jsonwebtoken::errors::ErrorKind::InvalidAlgorithm.into()),
    },
    verifier_factory: |algorithm, key| match algorithm {
        jsonwebtoken::Algorithm::EdDSA => {
            Ok(Box::new(Ed25519Public(UnparsedPublicKey::new(&ED25519, key.try_get_as_bytes()?.to_vec()))))
        }
        _ => Err(jsonwebtoken::errors::ErrorKind::InvalidAlgorithm.into()),
    },
    key_utils: KeyUtils::new_unimplemented(),
};

struct Ed25519(Ed25519KeyPair);

impl signature::Signer<Vec<u8>> for Ed25519 {
    fn try_sign(&self, message: &[u8]) -> Result<Vec<u8>, signature::Error> {
        Ok(self.0.sign(message).as_ref().to_vec())
    }
}

impl JwtSigner for Ed25519 {
    fn algorithm(&self) -> jsonwebtoken::Algorithm {
        jsonwebtoken::Algorithm::EdDSA
    }
}

struct Ed25519Public(UnparsedPublicKey<Vec<u8>>);

impl signature::Verifier<Vec<u8>> for Ed25519Public {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> Result<(), signature::Error> {
        self.0.verify(message, signature).map_err(|_| signature::Error::new())
    }
}

impl JwtVerifier for Ed25519Public {
    fn algorithm(&self) -> jsonwebtoken::Algorithm {
        jsonwebtoken::Algorithm::EdDSA
    }
}
