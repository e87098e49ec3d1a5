//! Every secret of the process: signing of access tokens, sealing of what is sensitive, lookups, hashing of passwords.

mod given;
mod kms;
mod links;
mod sealing;
mod sent_codes;
pub mod stream;
mod tokens;

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD as BASE64, URL_SAFE_NO_PAD as BASE64_URL};
use domain::ids::{AccountId, SessionId};
use jiff::{SignedDuration, Timestamp};
use ring::hmac;
use ring::rand::SystemRandom;
use ring::signature::Ed25519KeyPair;
use uuid::Uuid;

pub use given::{completed, is_service};
pub use sealing::{LocalMaster, MasterKey, OwnerKey};
pub use tokens::{ACCESS_TOKEN_LIFE, CLOCK_SKEW, Claims, Jwk};

use crate::config::Config;
use crate::passwords::Passwords;
use given::{LOOKUP, Lookups, MASTER, MASTERS_BEFORE, SIGNING, SIGNING_BEFORE, VERIFYING};
use tokens::Tokens;

/// Life of a session in all.
pub const SESSION_LIFE: SignedDuration = SignedDuration::from_hours(30 * 24);

/// What a database remembers of the lookup key: its fingerprint of this.
const LOOKUP_MARK: &[u8] = b"carnet lookup key mark 1";

/// A key that cannot be used, or bytes that were not sealed with it.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The key is not what its variable promises.
    #[error("{0} is not a usable key")]
    Unusable(&'static str),
    /// The key is given nowhere.
    #[error("{0}: is missing")]
    Missing(&'static str),
    /// What lookups hang on is not said, where it could be another one at the next start.
    #[error(
        "CARNET_LOOKUP_KEY: is missing; where CARNET_MASTER_KEY was ever changed, or is kept by a service, it must be given: \
         the first CARNET_MASTER_KEY, unless it was given before that was changed"
    )]
    LookupsUnsaid,
    /// Wrong key, wrong place or changed bytes.
    #[error("sealed text does not open")]
    DoesNotOpen,
    /// The person's key was destroyed, and with it all that it sealed.
    #[error("the key was destroyed")]
    Erased,
    /// Too many passwords wait to be hashed already.
    #[error("too many passwords wait to be hashed")]
    Busy,
    /// The key management service does not answer.
    #[error("the key management service does not answer")]
    Away,
    /// The system or a library refused.
    #[error("cryptography failed: {0}")]
    Failed(&'static str),
}

/// The keys of a process or of one function: those it was given, and no others. Cloning is a few reference counts.
#[derive(Clone)]
pub struct Keys {
    tokens: Option<Tokens>,
    master: Option<Arc<dyn MasterKey>>,
    lookups: Option<Arc<Lookups>>,
    passwords: Arc<Passwords>,
}

impl Keys {
    /// Every key of the configuration: `CARNET_SIGNING_KEY`, `CARNET_SIGNING_KEYS_BEFORE`, `CARNET_VERIFYING_KEYS`,
    /// `CARNET_MASTER_KEY`, `CARNET_MASTER_KEYS_BEFORE`, `CARNET_LOOKUP_KEY`.
    ///
    /// # Errors
    /// Names the one that is missing or wrong.
    pub fn of(config: &Config) -> Result<Self, KeyError> {
        Self::those(config, &|_| true)
    }

    /// Those keys whose variables are named. `CARNET_SIGNING_KEY` also verifies; `CARNET_VERIFYING_KEYS` only does that.
    ///
    /// # Errors
    /// As [`Keys::of`].
    pub fn those(config: &Config, named: &dyn Fn(&str) -> bool) -> Result<Self, KeyError> {
        let signs = named(SIGNING);
        let tokens = (signs || named(VERIFYING)).then(|| given::tokens(config, signs)).transpose()?;
        let masters = given::locals(config)?;
        let master = named(MASTER).then(|| given::master(config, &masters)).transpose()?;
        let lookups = named(LOOKUP).then(|| given::lookups(config, &masters)).transpose()?;
        Ok(Self { tokens, master, lookups, passwords: Arc::new(Passwords::new()) })
    }

    /// What is wrong with those keys, every one of them; nothing when [`Keys::those`] has them all.
    pub fn faults(config: &Config, named: &dyn Fn(&str) -> bool) -> Vec<KeyError> {
        let (signing, master) = match Self::generate() {
            Ok(sound) => sound,
            Err(error) => return vec![error],
        };
        let (mut rest, mut faults, mut verifies) = (config.clone(), Vec::new(), true);
        // Whatever is blamed is put right in a copy, to see what else there is: a turn for each variable.
        for _ in 0..6 {
            let looked_at = |name: &str| named(name) && (verifies || name != VERIFYING);
            let Err(fault) = Self::those(&rest, &looked_at) else { break };
            match fault {
                KeyError::Unusable(SIGNING) | KeyError::Missing(SIGNING) => rest.signing_key = Some(signing.clone()),
                KeyError::Unusable(SIGNING_BEFORE) => rest.signing_keys_before = None,
                KeyError::Unusable(VERIFYING) | KeyError::Missing(VERIFYING) => {
                    (rest.verifying_keys, verifies) = (None, false);
                }
                // Still there: whether there was another one decides on what lookups hang.
                KeyError::Unusable(MASTERS_BEFORE) => rest.master_keys_before = Some(master.clone()),
                KeyError::Unusable(LOOKUP) | KeyError::LookupsUnsaid => rest.lookup_key = Some(master.clone()),
                _ => {
                    // What was only taken from it has no fault of its own.
                    if rest.lookup_key.is_some() && rest.lookup_key == rest.master_key {
                        rest.lookup_key = Some(master.clone());
                    }
                    if rest.master_key.as_deref().is_some_and(is_service) {
                        rest.master_keys_before.get_or_insert_with(|| master.clone());
                    }
                    rest.master_key = Some(master.clone());
                }
            }
            faults.push(fault);
        }
        faults
    }

    /// The same without those whose variables are not named.
    #[must_use]
    pub fn only(&self, named: &dyn Fn(&str) -> bool) -> Self {
        let verifying = self.tokens.as_ref().filter(|_| named(VERIFYING)).map(Tokens::verifying_only);
        Self {
            tokens: self.tokens.clone().filter(|_| named(SIGNING)).or(verifying),
            master: self.master.clone().filter(|_| named(MASTER)),
            lookups: self.lookups.clone().filter(|_| named(LOOKUP)),
            passwords: self.passwords.clone(),
        }
    }

    /// New secrets for a developer's machine or a test, in base64: signing key, master key.
    ///
    /// # Errors
    /// [`KeyError::Failed`] when the system gives no randomness.
    pub fn generate() -> Result<(String, String), KeyError> {
        let signing = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).map_err(|_| KeyError::Failed("random"))?;
        Ok((BASE64.encode(signing.as_ref()), BASE64.encode(sealing::random()?)))
    }

    /// Fresh ones, for tests.
    #[cfg(test)]
    pub(crate) fn any() -> Self {
        let (signing, master) = Self::generate().unwrap();
        let config = Config::read(|name| match name {
            "CARNET_SIGNING_KEY" => Some(signing.clone()),
            "CARNET_MASTER_KEY" => Some(master.clone()),
            _ => None,
        });
        Self::of(&config.unwrap()).unwrap()
    }

    /// An access token, signed with `EdDSA`.
    ///
    /// # Errors
    /// [`KeyError::Missing`] where no key signs, [`KeyError::Failed`] when it cannot be signed.
    pub fn issue(&self, account: AccountId, session: SessionId, now: Timestamp) -> Result<String, KeyError> {
        self.tokens.as_ref().ok_or(KeyError::Missing(SIGNING))?.issue(account, session, now)
    }

    /// The claims of a token that is ours and still alive at `now`. Who has no key that verifies believes none.
    pub fn verify(&self, token: &str, now: Timestamp) -> Option<Claims> {
        self.tokens.as_ref()?.verify(token, now)
    }

    /// The public keys with which tokens are verified, the one that signs now first.
    pub fn public(&self) -> Vec<Jwk> {
        self.tokens.as_ref().map(Tokens::public).unwrap_or_default()
    }

    fn lookups(&self) -> Result<&Lookups, KeyError> {
        self.lookups.as_deref().ok_or(KeyError::Missing(LOOKUP))
    }

    fn master(&self) -> Result<&dyn MasterKey, KeyError> {
        self.master.as_deref().ok_or(KeyError::Missing(MASTER))
    }

    /// Seals what is kept for minutes and belongs to nobody yet.
    ///
    /// # Errors
    /// [`KeyError::Missing`] without a lookup key.
    pub fn passing(&self) -> Result<&OwnerKey, KeyError> {
        Ok(&self.lookups()?.passing)
    }

    /// Fresh random bytes.
    ///
    /// # Errors
    /// [`KeyError::Failed`] when the system gives no randomness.
    pub fn random(&self) -> Result<[u8; 32], KeyError> {
        sealing::random()
    }

    /// A new random secret for a client, url-safe, with the hash under which we keep it.
    ///
    /// # Errors
    /// [`KeyError::Failed`] when the system gives no randomness.
    pub fn new_token(&self) -> Result<(String, String), KeyError> {
        let token = BASE64_URL.encode(sealing::random()?);
        let hash = digest(token.as_bytes());
        Ok((token, hash))
    }

    /// A keyed hash (HMAC-SHA-256, url-safe base64) of what may be personal: equal texts are found, and none is guessed
    /// from a copy of the database.
    ///
    /// # Errors
    /// [`KeyError::Missing`] without a lookup key.
    pub fn fingerprint(&self, bytes: &[u8]) -> Result<String, KeyError> {
        Ok(BASE64_URL.encode(hmac::sign(&self.lookups()?.fingerprints, bytes)))
    }

    /// The [`Keys::fingerprint`] by which a value of some kind is looked up: `email`, `phone`, `ins`. Case and surrounding
    /// blanks make no difference.
    ///
    /// # Errors
    /// As [`Keys::fingerprint`].
    pub fn lookup(&self, kind: &str, value: &str) -> Result<String, KeyError> {
        self.fingerprint(format!("{kind}\0{}", value.trim().to_lowercase()).as_bytes())
    }

    /// What a database remembers of the lookup key, to know it again: a fingerprint of a constant. None without such a key.
    pub fn lookup_mark(&self) -> Option<String> {
        self.fingerprint(LOOKUP_MARK).ok()
    }

    /// The token of a link that is sent by mail, for one purpose and row. It is not kept: see [`Keys::link_id`].
    ///
    /// # Errors
    /// As [`Keys::fingerprint`].
    pub fn link_token(&self, purpose: &str, id: Uuid) -> Result<String, KeyError> {
        Ok(self.lookups()?.links.token(purpose, id))
    }

    /// Which row a token names, if we made it for that purpose. Checked in constant time.
    ///
    /// # Errors
    /// As [`Keys::fingerprint`].
    pub fn link_id(&self, purpose: &str, token: &str) -> Result<Option<Uuid>, KeyError> {
        Ok(self.lookups()?.links.open(purpose, token))
    }

    /// The six digits that are sent for one row. They are not kept: see [`Keys::is_sent_code`].
    ///
    /// # Errors
    /// As [`Keys::fingerprint`].
    pub fn sent_code(&self, id: Uuid) -> Result<String, KeyError> {
        Ok(self.lookups()?.sent_codes.code(id))
    }

    /// Whether those are the six digits that were sent for a row. Checked in constant time.
    ///
    /// # Errors
    /// As [`Keys::fingerprint`].
    pub fn is_sent_code(&self, id: Uuid, given: &str) -> Result<bool, KeyError> {
        Ok(self.lookups()?.sent_codes.matches(id, given))
    }

    /// Hashes a password with argon2id, on a thread of its own and few at once.
    ///
    /// # Errors
    /// [`KeyError::Failed`] when the library refuses.
    pub async fn hash_password(&self, password: String) -> Result<String, KeyError> {
        self.passwords.hash(password).await
    }

    /// Whether the password is the one that was hashed.
    ///
    /// # Errors
    /// As [`Keys::first_password`].
    pub async fn verify_password(&self, password: String, hash: Option<String>) -> Result<bool, KeyError> {
        self.first_password(password, vec![hash]).await.map(|matched| matched.is_some())
    }

    /// Which of several hashes the password matches first, in one turn: places without a hash take as long and match nothing.
    ///
    /// # Errors
    /// [`KeyError::Failed`] when the work could not be done, [`KeyError::Busy`] when too many wait already.
    pub async fn first_password(
        &self, password: String, hashes: Vec<Option<String>>,
    ) -> Result<Option<usize>, KeyError> {
        self.passwords.first_match(password, hashes).await
    }

    /// How many passwords were hashed or checked so far: a test compares answers by it that must take as long.
    pub fn hashes_done(&self) -> usize {
        self.passwords.done()
    }

    /// The name of the master key that wraps now, with which every key it wrapped begins.
    ///
    /// # Errors
    /// [`KeyError::Missing`] without a master key.
    pub fn master_id(&self) -> Result<&str, KeyError> {
        Ok(self.master()?.id())
    }

    /// A new key for a person: wrapped, for keeping, and open, for use.
    ///
    /// # Errors
    /// [`KeyError::Failed`] when the system gives no randomness or the master key cannot be used.
    pub async fn new_owner(&self, owner: impl Into<Uuid>) -> Result<(String, OwnerKey), KeyError> {
        let (owner, key) = (owner.into(), sealing::random()?);
        Ok((self.master()?.wrap(&key, owner).await?, OwnerKey::new(&key, owner)?))
    }

    /// A person's key.
    ///
    /// # Errors
    /// [`KeyError::Missing`] without a master key, [`KeyError::Erased`] when the person has no key any more, [`KeyError::DoesNotOpen`] when it was wrapped for another person or
    /// by a master key that is unknown here.
    pub async fn owner(&self, owner: impl Into<Uuid>, wrapped: Option<&str>) -> Result<OwnerKey, KeyError> {
        let (owner, wrapped) = (owner.into(), wrapped.ok_or(KeyError::Erased)?);
        OwnerKey::new(&self.master()?.unwrap(wrapped, owner).await?, owner)
    }

    /// The same key wrapped by the present master key.
    ///
    /// # Errors
    /// As [`Keys::owner`].
    pub async fn rewrap(&self, owner: impl Into<Uuid>, wrapped: &str) -> Result<String, KeyError> {
        let owner = owner.into();
        let master = self.master()?;
        master.wrap(&master.unwrap(wrapped, owner).await?, owner).await
    }
}

/// SHA-256 in url-safe base64.
pub fn digest(bytes: &[u8]) -> String {
    BASE64_URL.encode(ring::digest::digest(&ring::digest::SHA256, bytes))
}

#[cfg(test)]
mod tests;
