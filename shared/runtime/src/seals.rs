//! Signing of the audit trail's seals, and the store that keeps copies of them where nobody changes them.

// A guest has no directory.
#[cfg(not(target_family = "wasm"))]
mod folder;
mod s3;

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use domain::audit::{Seal, SignedSeal};
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use ring::digest::{SHA256, digest};
use ring::hmac;
use ring::rand::SystemRandom;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};

use crate::config::{AwsKey, Config};
use crate::keys::{KeyError, is_service};
#[cfg(not(target_family = "wasm"))]
pub use folder::Folder;
pub use s3::S3;

/// What the seal key is derived under when no key of its own is configured.
const LABEL: &[u8] = b"carnet audit seal key 1";
/// `SubjectPublicKeyInfo` of Ed25519 (RFC 8410), up to the key itself.
const SPKI: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// What seals are made with.
pub struct Seals {
    /// Signs them.
    pub key: SealKey,
    /// Keeps their copies; none when no store is configured.
    pub objects: Option<Arc<dyn Objects>>,
}

impl Seals {
    /// From the configuration: the key that is given, or one derived from the master key; never that of the tokens.
    ///
    /// # Errors
    /// Names the variable that is missing or wrong.
    pub fn new(config: &Config) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        let key = match (&config.seal_key, &config.master_key) {
            (Some(key), _) => SealKey::from_base64(key)?,
            // A master key that never leaves its service derives nothing.
            (None, Some(master)) if is_service(master) => return Err(KeyError::Missing("CARNET_SEAL_KEY").into()),
            (None, Some(master)) => SealKey::derived(master)?,
            (None, None) => return Err(KeyError::Missing("CARNET_SEAL_KEY").into()),
        };
        Ok(Self { key, objects: config.seals.as_deref().map(|url| open(url, config.aws.as_ref())).transpose()? })
    }
}

/// The public keys whose seals are trusted, the one that signs now first: those of `CARNET_SEAL_KEYS_BEFORE`, and those that
/// were derived from a master key which `CARNET_MASTER_KEYS_BEFORE` still names.
///
/// # Errors
/// Names the variable that is missing or wrong.
pub fn trusted(config: &Config) -> Result<Vec<PublicKey>, Box<dyn std::error::Error + Send + Sync>> {
    let mut trusted = vec![Seals::new(config)?.key.public()];
    trusted.extend(named_before(config)?);
    trusted.extend(derived_before(config)?);
    Ok(trusted)
}

/// The public keys of `CARNET_SEAL_KEYS_BEFORE`.
///
/// # Errors
/// [`KeyError::Unusable`].
pub fn named_before(config: &Config) -> Result<Vec<PublicKey>, KeyError> {
    let named = config.seal_keys_before.iter().flat_map(|all| all.split(','));
    named.map(|key| PublicKey::from_base64(key).map_err(|_| KeyError::Unusable("CARNET_SEAL_KEYS_BEFORE"))).collect()
}

/// The public keys that are derived from the masters of `CARNET_MASTER_KEYS_BEFORE`.
///
/// # Errors
/// [`KeyError::Unusable`].
pub fn derived_before(config: &Config) -> Result<Vec<PublicKey>, KeyError> {
    let masters = config.master_keys_before.iter().flat_map(|all| all.split(','));
    let derived = masters.map(|master| SealKey::derived(master).map(|key| key.public()));
    derived.map(|key| key.map_err(|_| KeyError::Unusable("CARNET_MASTER_KEYS_BEFORE"))).collect()
}

/// A store by its URL: `file:///directory` or `s3://bucket/prefix?region=…&endpoint=…&days=…`.
///
/// # Errors
/// What is wrong with it; never its secrets.
pub fn open(url: &str, aws: Option<&AwsKey>) -> Result<Arc<dyn Objects>, ObjectsError> {
    #[cfg(not(target_family = "wasm"))]
    if let Some(directory) = url.strip_prefix("file://") {
        return Ok(Arc::new(Folder::new(directory)));
    }
    Ok(Arc::new(S3::new(url, aws)?))
}

/// An Ed25519 key that signs seals and nothing else.
pub struct SealKey(Ed25519KeyPair);

impl SealKey {
    /// From PKCS#8 in base64, as the environment holds it.
    ///
    /// # Errors
    /// [`KeyError::Unusable`].
    pub fn from_base64(key: &str) -> Result<Self, KeyError> {
        let unusable = || KeyError::Unusable("CARNET_SEAL_KEY");
        let bytes = BASE64.decode(key.trim()).map_err(|_| unusable())?;
        Ed25519KeyPair::from_pkcs8_maybe_unchecked(&bytes).map(Self).map_err(|_| unusable())
    }

    /// From the master key, under a label of its own.
    ///
    /// # Errors
    /// [`KeyError::Unusable`] when that is not base64.
    pub fn derived(master: &str) -> Result<Self, KeyError> {
        let unusable = || KeyError::Unusable("CARNET_MASTER_KEY");
        let master = BASE64.decode(master.trim()).map_err(|_| unusable())?;
        let seed = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &master), LABEL);
        Ed25519KeyPair::from_seed_unchecked(seed.as_ref()).map(Self).map_err(|_| unusable())
    }

    /// A new key, PKCS#8 in base64.
    ///
    /// # Errors
    /// [`KeyError::Failed`] when the system gives no randomness.
    pub fn generate() -> Result<String, KeyError> {
        let key = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).map_err(|_| KeyError::Failed("random"))?;
        Ok(BASE64.encode(key.as_ref()))
    }

    /// Signs.
    pub fn sign(&self, seal: Seal) -> SignedSeal {
        let signature = BASE64.encode(self.0.sign(seal.text().as_bytes()));
        SignedSeal { seal, signature }
    }

    /// What verifies.
    pub fn public(&self) -> PublicKey {
        let mut key = [0; 32];
        key.copy_from_slice(self.0.public_key().as_ref());
        PublicKey(key)
    }
}

/// What verifies seals: all that an auditor needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PublicKey([u8; 32]);

impl PublicKey {
    /// From the 32 bytes or from `SubjectPublicKeyInfo`, in base64.
    ///
    /// # Errors
    /// [`KeyError::Unusable`].
    pub fn from_base64(key: &str) -> Result<Self, KeyError> {
        let bytes = BASE64.decode(key.trim()).ok();
        let bytes = bytes.as_deref().map(|bytes| bytes.strip_prefix(&SPKI).unwrap_or(bytes));
        let key = bytes.and_then(|bytes| bytes.try_into().ok());
        key.map(Self).ok_or(KeyError::Unusable("the public key"))
    }

    /// Its name in seals: the beginning of its SHA-256.
    pub fn id(&self) -> String {
        hex(&digest(&SHA256, &self.0).as_ref()[..8])
    }

    /// Whether this key signed the seal as it is.
    pub fn verifies(&self, seal: &SignedSeal) -> bool {
        let text = seal.seal.text();
        BASE64
            .decode(&seal.signature)
            .is_ok_and(|signature| UnparsedPublicKey::new(&ED25519, self.0).verify(text.as_bytes(), &signature).is_ok())
    }

    /// `SubjectPublicKeyInfo` in base64.
    pub fn base64(&self) -> String {
        BASE64.encode([SPKI.as_slice(), &self.0].concat())
    }

    /// As other tools read it.
    pub fn pem(&self) -> String {
        format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", self.base64())
    }
}

/// SHA-256 of marks in base64, in hex.
///
/// # Errors
/// When they are not base64.
pub fn marks_digest(marks: &str) -> Result<String, KeyError> {
    let marks = BASE64.decode(marks).map_err(|_| KeyError::Failed("marks"))?;
    Ok(hex(digest(&SHA256, &marks).as_ref()))
}

/// Lowercase hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Why a copy was not written or read.
#[derive(Debug, thiserror::Error)]
pub enum ObjectsError {
    /// There is one of that name, and it is another.
    #[error("{0} is there already and says something else")]
    Another(String),
    /// The store's address is not one.
    #[error("CARNET_SEALS: {0}")]
    Address(&'static str),
    /// The store did not do it.
    #[error("the store of copies: {0}")]
    Store(String),
}

/// A store where what is written once stays as it is.
pub trait Objects: Send + Sync {
    /// Writes a copy once. Done already, with the same bytes, is done.
    fn put<'a>(&'a self, name: &'a str, bytes: Vec<u8>, now: Timestamp) -> BoxFuture<'a, Result<(), ObjectsError>>;
    /// The names of all copies, in order.
    fn names(&self) -> BoxFuture<'_, Result<Vec<String>, ObjectsError>>;
    /// Reads one, if it is there.
    fn get<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Option<Vec<u8>>, ObjectsError>>;
}

#[cfg(test)]
mod tests;
