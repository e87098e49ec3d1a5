//! Signing of access tokens, sealing of what is sensitive, hashing of passwords.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD as BASE64, URL_SAFE_NO_PAD as BASE64_URL};
use domain::ids::{AccountId, PatientId, SessionId};
use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils};
use jsonwebtoken::{DecodingKey, EncodingKey, Header, Validation};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use serde::{Deserialize, Serialize};

use crate::passwords::Passwords;

/// Life of an access token.
pub const ACCESS_TOKEN_LIFE: SignedDuration = SignedDuration::from_mins(10);
/// Life of a session: the longest time between two refreshes and in all.
pub const SESSION_LIFE: SignedDuration = SignedDuration::from_hours(30 * 24);
const ISSUER: &str = "carnet";

/// A key that cannot be used, or bytes that were not sealed with it.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The key is not what its variable promises.
    #[error("{0} is not a usable key")]
    Unusable(&'static str),
    /// Wrong key, wrong owner or changed bytes.
    #[error("sealed text does not open")]
    DoesNotOpen,
    /// The system or a library refused.
    #[error("cryptography failed: {0}")]
    Failed(&'static str),
}

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

/// Every secret of the process.
pub struct Keys {
    signing: EncodingKey,
    verifying: DecodingKey,
    master: LessSafeKey,
    fingerprints: hmac::Key,
    random: SystemRandom,
    passwords: Passwords,
}

impl Keys {
    /// From the two secrets of the configuration: an Ed25519 private key (PKCS#8) and 32 bytes.
    ///
    /// # Errors
    /// [`KeyError::Unusable`] names the one that is not.
    pub fn new(signing_pkcs8: &[u8], master: &[u8]) -> Result<Self, KeyError> {
        // Once a process; the second call finds it done.
        let _ = JWT_CRYPTO.install_default();
        let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(signing_pkcs8)
            .map_err(|_| KeyError::Unusable("CARNET_SIGNING_KEY"))?;
        let fingerprints = hmac::Key::new(hmac::HMAC_SHA256, master);
        let fingerprints = hmac::sign(&fingerprints, b"carnet fingerprints 1");
        let master = UnboundKey::new(&AES_256_GCM, master).map_err(|_| KeyError::Unusable("CARNET_MASTER_KEY"))?;
        Ok(Self {
            signing: EncodingKey::from_ed_der(signing_pkcs8),
            verifying: DecodingKey::from_ed_der(pair.public_key().as_ref()),
            master: LessSafeKey::new(master),
            fingerprints: hmac::Key::new(hmac::HMAC_SHA256, fingerprints.as_ref()),
            random: SystemRandom::new(),
            passwords: Passwords::new(),
        })
    }

    /// From base64 texts, as the environment holds them.
    ///
    /// # Errors
    /// As [`Keys::new`].
    pub fn from_base64(signing: &str, master: &str) -> Result<Self, KeyError> {
        let decode = |text: &str, name| BASE64.decode(text.trim()).map_err(|_| KeyError::Unusable(name));
        Self::new(&decode(signing, "CARNET_SIGNING_KEY")?, &decode(master, "CARNET_MASTER_KEY")?)
    }

    /// New secrets for a developer's machine or a test, in base64: signing key, master key.
    ///
    /// # Errors
    /// [`KeyError::Failed`] when the system gives no randomness.
    pub fn generate() -> Result<(String, String), KeyError> {
        let random = SystemRandom::new();
        let signing = Ed25519KeyPair::generate_pkcs8(&random).map_err(|_| KeyError::Failed("random"))?;
        let mut master = [0; 32];
        random.fill(&mut master).map_err(|_| KeyError::Failed("random"))?;
        Ok((BASE64.encode(signing.as_ref()), BASE64.encode(master)))
    }

    /// An access token, signed with `EdDSA`.
    ///
    /// # Errors
    /// [`KeyError::Failed`] when it cannot be signed.
    pub fn issue(&self, account: AccountId, session: SessionId, now: Timestamp) -> Result<String, KeyError> {
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

    /// The claims of a token that is ours and still alive at `now`.
    pub fn verify(&self, token: &str, now: Timestamp) -> Option<Claims> {
        let mut validation = Validation::new(jsonwebtoken::Algorithm::EdDSA);
        validation.set_issuer(&[ISSUER]);
        // Expiry is judged by our own clock, below.
        validation.validate_exp = false;
        validation.validate_aud = false;
        let claims = jsonwebtoken::decode::<Claims>(token, &self.verifying, &validation).ok()?.claims;
        (now.as_second() < claims.exp).then_some(claims)
    }

    /// A new random secret for a client, url-safe, with the hash under which we keep it.
    ///
    /// # Errors
    /// [`KeyError::Failed`] when the system gives no randomness.
    pub fn new_token(&self) -> Result<(String, String), KeyError> {
        let mut bytes = [0; 32];
        self.random.fill(&mut bytes).map_err(|_| KeyError::Failed("random"))?;
        let token = BASE64_URL.encode(bytes);
        let hash = digest(token.as_bytes());
        Ok((token, hash))
    }

    /// A keyed hash (HMAC-SHA-256, url-safe base64) of what may be personal: equal texts are found, and none is guessed
    /// from a copy of the database.
    pub fn fingerprint(&self, bytes: &[u8]) -> String {
        BASE64_URL.encode(hmac::sign(&self.fingerprints, bytes))
    }

    /// Hashes a password with argon2id, on a thread of its own and few at once.
    ///
    /// # Errors
    /// [`KeyError::Failed`] when the library refuses.
    pub async fn hash_password(&self, password: String) -> Result<String, KeyError> {
        self.passwords.hash(password).await
    }

    /// Whether the password is the one that was hashed. Without a hash (no such account) it takes as long and is false.
    ///
    /// # Errors
    /// [`KeyError::Failed`] when the work could not be done.
    pub async fn verify_password(&self, password: String, hash: Option<String>) -> Result<bool, KeyError> {
        self.passwords.matches(password, hash).await
    }

    /// A new key for a patient, wrapped by the master key and bound to that patient.
    ///
    /// # Errors
    /// [`KeyError::Failed`] when the system gives no randomness.
    pub fn new_patient_key(&self, patient: PatientId) -> Result<String, KeyError> {
        let mut key = [0; 32];
        self.random.fill(&mut key).map_err(|_| KeyError::Failed("random"))?;
        self.seal_with(&self.master, &key, patient)
    }

    /// Seals a text so that it opens with this patient's key alone.
    ///
    /// # Errors
    /// [`KeyError::DoesNotOpen`] when the wrapped key is not this patient's.
    pub fn seal(&self, text: &str, patient: PatientId, wrapped_key: &str) -> Result<String, KeyError> {
        self.seal_with(&self.unwrap_key(patient, wrapped_key)?, text.as_bytes(), patient)
    }

    /// Opens what [`Keys::seal`] sealed.
    ///
    /// # Errors
    /// [`KeyError::DoesNotOpen`] for another patient, another key or changed bytes.
    pub fn open(&self, sealed: &str, patient: PatientId, wrapped_key: &str) -> Result<String, KeyError> {
        let bytes = open_with(&self.unwrap_key(patient, wrapped_key)?, sealed, patient)?;
        String::from_utf8(bytes).map_err(|_| KeyError::DoesNotOpen)
    }

    fn unwrap_key(&self, patient: PatientId, wrapped: &str) -> Result<LessSafeKey, KeyError> {
        let key = open_with(&self.master, wrapped, patient)?;
        UnboundKey::new(&AES_256_GCM, &key).map(LessSafeKey::new).map_err(|_| KeyError::DoesNotOpen)
    }

    /// base64(nonce ‖ ciphertext ‖ tag); the patient's id is authenticated with it.
    fn seal_with(&self, key: &LessSafeKey, clear: &[u8], patient: PatientId) -> Result<String, KeyError> {
        let mut nonce = [0; NONCE_LEN];
        self.random.fill(&mut nonce).map_err(|_| KeyError::Failed("random"))?;
        let mut bytes = clear.to_vec();
        key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), owner(patient), &mut bytes)
            .map_err(|_| KeyError::Failed("seal"))?;
        Ok(BASE64.encode([nonce.as_slice(), &bytes].concat()))
    }
}

fn open_with(key: &LessSafeKey, sealed: &str, patient: PatientId) -> Result<Vec<u8>, KeyError> {
    let mut bytes = BASE64.decode(sealed).map_err(|_| KeyError::DoesNotOpen)?;
    if bytes.len() < NONCE_LEN {
        return Err(KeyError::DoesNotOpen);
    }
    let mut rest = bytes.split_off(NONCE_LEN);
    let nonce = Nonce::try_assume_unique_for_key(&bytes).map_err(|_| KeyError::DoesNotOpen)?;
    let clear = key.open_in_place(nonce, owner(patient), &mut rest).map_err(|_| KeyError::DoesNotOpen)?;
    Ok(clear.to_vec())
}

fn owner(patient: PatientId) -> Aad<[u8; 16]> {
    Aad::from(*patient.as_uuid().as_bytes())
}

/// SHA-256 in url-safe base64.
pub fn digest(bytes: &[u8]) -> String {
    BASE64_URL.encode(ring::digest::digest(&ring::digest::SHA256, bytes))
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

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn keys() -> Keys {
        let (signing, master) = Keys::generate().unwrap();
        Keys::from_base64(&signing, &master).unwrap()
    }

    #[test]
    fn a_token_is_good_until_it_expires_and_only_with_our_key() {
        let (keys, others) = (keys(), keys());
        let now: Timestamp = "2026-03-03T10:00:00Z".parse().unwrap();
        let (account, session) = (AccountId::from_uuid(Uuid::from_u128(1)), SessionId::from_uuid(Uuid::from_u128(2)));
        let token = keys.issue(account, session, now).unwrap();
        assert_eq!(keys.verify(&token, now).unwrap().sub, account);
        assert!(keys.verify(&token, now + SignedDuration::from_secs(599)).is_some());
        assert!(keys.verify(&token, now + ACCESS_TOKEN_LIFE).is_none());
        assert!(others.verify(&token, now).is_none());
    }

    #[test]
    fn a_token_that_names_another_algorithm_is_refused() {
        let keys = keys();
        let now: Timestamp = "2026-03-03T10:00:00Z".parse().unwrap();
        let token = keys
            .issue(AccountId::from_uuid(Uuid::from_u128(1)), SessionId::from_uuid(Uuid::from_u128(2)), now)
            .unwrap();
        let rest = token.split_once('.').unwrap().1;
        for header in [r#"{"alg":"none"}"#, r#"{"alg":"HS256","typ":"JWT"}"#, r#"{"alg":"RS256"}"#] {
            assert!(keys.verify(&format!("{}.{rest}", BASE64_URL.encode(header)), now).is_none(), "{header}");
        }
        for garbage in ["", ".", "..", "a.b.c", &token[..token.len() - 4]] {
            assert!(keys.verify(garbage, now).is_none());
        }
    }

    #[test]
    fn what_is_sealed_for_one_patient_opens_for_no_other() {
        let keys = keys();
        let (ada, ben) = (PatientId::from_uuid(Uuid::from_u128(1)), PatientId::from_uuid(Uuid::from_u128(2)));
        let (ada_key, ben_key) = (keys.new_patient_key(ada).unwrap(), keys.new_patient_key(ben).unwrap());
        let sealed = keys.seal("varicelle", ada, &ada_key).unwrap();
        assert!(!sealed.contains("varicelle"));
        assert_eq!(keys.open(&sealed, ada, &ada_key).unwrap(), "varicelle");
        assert!(keys.open(&sealed, ben, &ben_key).is_err());
        assert!(keys.open(&sealed, ben, &ada_key).is_err());
        assert!(keys.open("", ada, &ada_key).is_err());
        assert_ne!(sealed, keys.seal("varicelle", ada, &ada_key).unwrap());
    }
}
