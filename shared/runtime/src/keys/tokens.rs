//! Access tokens: short-lived JSON Web Tokens, signed with Ed25519.

use std::sync::{Arc, Once};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64_URL;
use domain::ids::{AccountId, SessionId};
use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils};
use jsonwebtoken::{DecodingKey, EncodingKey, Header, Validation};
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use serde::{Deserialize, Serialize};

use super::given::{SIGNING, SIGNING_BEFORE, VERIFYING};
use super::{KeyError, digest};

/// Life of an access token.
pub const ACCESS_TOKEN_LIFE: SignedDuration = SignedDuration::from_mins(10);
/// How far the clock that issued a token may be ahead of ours. An expired token has expired: we issue it again for the asking.
pub const CLOCK_SKEW: SignedDuration = SignedDuration::from_secs(60);
/// Longest token that is looked at, in bytes; ours have some 400.
const MAX_TOKEN: usize = 4 * 1024;
const ISSUER: &str = "carnet";
const AUDIENCE: &str = "carnet-api";
/// What stands before an Ed25519 public key in DER (RFC 8410 §4).
const SPKI: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
const PUBLIC_KEY: usize = 32;

/// What an access token says. Short-lived; nothing personal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// Issuer.
    pub iss: String,
    /// For whom.
    pub aud: String,
    /// The account.
    pub sub: AccountId,
    /// The session.
    pub sid: SessionId,
    /// Issued at, epoch seconds.
    pub iat: i64,
    /// Not good before, epoch seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nbf: Option<i64>,
    /// Expires at, epoch seconds.
    pub exp: i64,
}

/// The header of our tokens and of no others: one member more, or one twice, and it is not ours.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OurHeader {
    alg: String,
    typ: String,
    kid: String,
}

/// A key that verifies (RFC 8037), as `/.well-known/jwks.json` lists it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Jwk {
    /// `OKP`
    pub kty: &'static str,
    /// `Ed25519`
    pub crv: &'static str,
    /// `sig`
    pub r#use: &'static str,
    /// `EdDSA`
    pub alg: &'static str,
    /// Thumbprint of the key (RFC 7638).
    pub kid: String,
    /// The public key.
    pub x: String,
}

struct Verifying {
    jwk: Jwk,
    key: DecodingKey,
}

impl Verifying {
    fn new(public: &[u8]) -> Self {
        let x = BASE64_URL.encode(public);
        let kid = digest(format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#).as_bytes());
        let jwk = Jwk { kty: "OKP", crv: "Ed25519", r#use: "sig", alg: "EdDSA", kid, x };
        Self { jwk, key: DecodingKey::from_ed_der(public) }
    }

    /// From a private key (PKCS#8), or a public one.
    fn of(bytes: &[u8]) -> Option<Self> {
        let private = |bytes| Ed25519KeyPair::from_pkcs8_maybe_unchecked(bytes).ok();
        Self::of_public(bytes).or_else(|| Some(Self::new(private(bytes)?.public_key().as_ref())))
    }

    /// From a public key, bare or in DER.
    fn of_public(bytes: &[u8]) -> Option<Self> {
        let public = bytes.strip_prefix(&SPKI).unwrap_or(bytes);
        (public.len() == PUBLIC_KEY).then(|| Self::new(public))
    }
}

/// Issues and verifies access tokens.
#[derive(Clone)]
pub(super) struct Tokens {
    /// None where tokens are only verified.
    signing: Option<Arc<EncodingKey>>,
    /// The present key first, then those that signed before.
    verifying: Arc<Vec<Verifying>>,
}

impl Tokens {
    /// With a private key; others verify.
    pub(super) fn signing(pkcs8: &[u8], before: &[Vec<u8>], others: &[Vec<u8>]) -> Result<Self, KeyError> {
        install();
        let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(pkcs8).map_err(|_| KeyError::Unusable(SIGNING))?;
        let mut verifying = vec![Verifying::new(pair.public_key().as_ref())];
        for (keys, name) in [(before, SIGNING_BEFORE), (others, VERIFYING)] {
            for key in keys {
                let key = Verifying::of(key).ok_or(KeyError::Unusable(name))?;
                // The same key may be named for those who only verify.
                if verifying.iter().all(|known| known.jwk.kid != key.jwk.kid) {
                    verifying.push(key);
                }
            }
        }
        Ok(Self { signing: Some(Arc::new(EncodingKey::from_ed_der(pkcs8))), verifying: Arc::new(verifying) })
    }

    /// With public keys alone.
    pub(super) fn verifying(keys: &[Vec<u8>]) -> Result<Self, KeyError> {
        install();
        let public = |key: &Vec<u8>| Verifying::of_public(key).ok_or(KeyError::Unusable(VERIFYING));
        Ok(Self { signing: None, verifying: Arc::new(keys.iter().map(public).collect::<Result<_, _>>()?) })
    }

    /// The same, but it signs nothing.
    pub(super) fn verifying_only(&self) -> Self {
        Self { signing: None, verifying: self.verifying.clone() }
    }
}

/// Tells the library of tokens which cryptography to use.
fn install() {
    static PROVIDER: Once = Once::new();
    // Once a process; where somebody installed another, tokens fail, and a test says so.
    PROVIDER.call_once(|| {
        let _ = JWT_CRYPTO.install_default();
    });
}

impl Tokens {
    pub(super) fn issue(&self, account: AccountId, session: SessionId, now: Timestamp) -> Result<String, KeyError> {
        let signing = self.signing.as_deref().ok_or(KeyError::Missing(SIGNING))?;
        let now = now.as_second();
        let claims = Claims {
            iss: ISSUER.into(),
            aud: AUDIENCE.into(),
            sub: account,
            sid: session,
            iat: now,
            nbf: None,
            exp: now + ACCESS_TOKEN_LIFE.as_secs(),
        };
        let mut header = Header::new(jsonwebtoken::Algorithm::EdDSA);
        header.kid = self.verifying.first().map(|key| key.jwk.kid.clone());
        jsonwebtoken::encode(&header, &claims, signing).map_err(|_| KeyError::Failed("sign"))
    }

    pub(super) fn verify(&self, token: &str, now: Timestamp) -> Option<Claims> {
        if token.len() > MAX_TOKEN {
            return None;
        }
        let header = BASE64_URL.decode(token.split_once('.')?.0).ok()?;
        let header: OurHeader = serde_json::from_slice(&header).ok()?;
        if header.alg != "EdDSA" || header.typ != "JWT" {
            return None;
        }
        let signed_by = self.verifying.iter().find(|key| key.jwk.kid == header.kid)?;
        let mut validation = Validation::new(jsonwebtoken::Algorithm::EdDSA);
        validation.set_issuer(&[ISSUER]);
        validation.set_audience(&[AUDIENCE]);
        // Times are judged by our own clock, below.
        validation.validate_exp = false;
        let claims = jsonwebtoken::decode::<Claims>(token, &signed_by.key, &validation).ok()?.claims;
        let now = now.as_second();
        let begun = claims.iat.max(claims.nbf.unwrap_or(i64::MIN));
        let alive = now < claims.exp && begun <= now.saturating_add(CLOCK_SKEW.as_secs());
        // Nor does a token live longer than we let any live.
        let ours = claims.exp.saturating_sub(claims.iat) <= ACCESS_TOKEN_LIFE.as_secs();
        (alive && ours).then_some(claims)
    }

    pub(super) fn public(&self) -> Vec<Jwk> {
        self.verifying.iter().map(|key| key.jwk.clone()).collect()
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
