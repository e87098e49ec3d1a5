//! Every secret of the process: signing of access tokens, sealing of what is sensitive, lookups, hashing of passwords.

mod kms;
mod links;
mod sealing;
mod tokens;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD as BASE64, URL_SAFE_NO_PAD as BASE64_URL};
use domain::ids::{AccountId, SessionId};
use jiff::{SignedDuration, Timestamp};
use ring::hmac;
use ring::rand::SystemRandom;
use ring::signature::Ed25519KeyPair;
use uuid::Uuid;

pub use sealing::{LocalMaster, MasterKey, OwnerKey};
pub use tokens::{ACCESS_TOKEN_LIFE, CLOCK_SKEW, Claims, Jwk};

use crate::config::Config;
use crate::passwords::Passwords;
use kms::Kms;
use links::Links;
use tokens::Tokens;

/// Life of a session in all.
pub const SESSION_LIFE: SignedDuration = SignedDuration::from_hours(30 * 24);

/// Least length of the lookup key, in bytes.
const LEAST_LOOKUP_KEY: usize = 32;
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

/// Every secret of the process.
pub struct Keys {
    tokens: Tokens,
    master: Box<dyn MasterKey>,
    lookups: hmac::Key,
    links: Links,
    passing: OwnerKey,
    passwords: Passwords,
}

impl Keys {
    /// From the configuration: `CARNET_SIGNING_KEY`, `CARNET_SIGNING_KEYS_BEFORE`, `CARNET_MASTER_KEY`,
    /// `CARNET_MASTER_KEYS_BEFORE`, `CARNET_LOOKUP_KEY`.
    ///
    /// # Errors
    /// [`KeyError::Unusable`] names the one that is missing or wrong.
    pub fn of(config: &Config) -> Result<Self, KeyError> {
        let given = |text: &Option<String>, name| text.clone().ok_or(KeyError::Missing(name));
        let signing = decode(&given(&config.signing_key, "CARNET_SIGNING_KEY")?, "CARNET_SIGNING_KEY")?;
        let before = config.signing_keys_before.iter().flat_map(|all| all.split(','));
        let before = before.map(|key| decode(key, "CARNET_SIGNING_KEYS_BEFORE")).collect::<Result<Vec<_>, _>>()?;
        let present = given(&config.master_key, "CARNET_MASTER_KEY")?;
        let earlier = config.master_keys_before.iter().flat_map(|all| all.split(','));
        let mut masters = earlier.map(|key| decode(key, "CARNET_MASTER_KEYS_BEFORE")).collect::<Result<Vec<_>, _>>()?;
        let master: Box<dyn MasterKey> = if let Some(kms) = present.strip_prefix(kms::SCHEME) {
            let before = if masters.is_empty() { None } else { Some(LocalMaster::new(&masters)?) };
            Box::new(Kms::new(kms, config.aws.as_ref(), before)?)
        } else {
            masters.insert(0, decode(&present, "CARNET_MASTER_KEY")?);
            Box::new(LocalMaster::new(&masters)?)
        };
        // Lookups must survive every change of the master key: they hang on it only as long as there was never another.
        let lookups = match (&config.lookup_key, masters.as_slice()) {
            (Some(key), _) => decode(key, "CARNET_LOOKUP_KEY")?,
            (None, [only]) if config.master_keys_before.is_none() => only.clone(),
            (None, _) => return Err(KeyError::LookupsUnsaid),
        };
        if lookups.len() < LEAST_LOOKUP_KEY {
            return Err(KeyError::Unusable("CARNET_LOOKUP_KEY"));
        }
        Self::new(&signing, &before, master, &lookups)
    }

    /// From the secrets themselves: an Ed25519 private key (PKCS#8), keys that signed before (private or public), a master
    /// key, and the bytes that lookups are keyed with.
    ///
    /// # Errors
    /// As [`Keys::of`].
    pub fn new(
        signing_pkcs8: &[u8], signing_before: &[Vec<u8>], master: Box<dyn MasterKey>, lookups: &[u8],
    ) -> Result<Self, KeyError> {
        let passing = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, lookups), b"carnet passing secrets 1");
        let passing = passing.as_ref().try_into().map_err(|_| KeyError::Failed("key"))?;
        let links = Links::new(lookups);
        let lookups = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, lookups), b"carnet fingerprints 1");
        Ok(Self {
            tokens: Tokens::new(signing_pkcs8, signing_before)?,
            master,
            lookups: hmac::Key::new(hmac::HMAC_SHA256, lookups.as_ref()),
            links,
            passing: OwnerKey::new(passing, Uuid::nil())?,
            passwords: Passwords::new(),
        })
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
    /// [`KeyError::Failed`] when it cannot be signed.
    pub fn issue(&self, account: AccountId, session: SessionId, now: Timestamp) -> Result<String, KeyError> {
        self.tokens.issue(account, session, now)
    }

    /// The claims of a token that is ours and still alive at `now`.
    pub fn verify(&self, token: &str, now: Timestamp) -> Option<Claims> {
        self.tokens.verify(token, now)
    }

    /// The public keys with which tokens are verified, the one that signs now first.
    pub fn public(&self) -> Vec<Jwk> {
        self.tokens.public()
    }

    /// Seals what is kept for minutes and belongs to nobody yet.
    pub fn passing(&self) -> &OwnerKey {
        &self.passing
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
    pub fn fingerprint(&self, bytes: &[u8]) -> String {
        BASE64_URL.encode(hmac::sign(&self.lookups, bytes))
    }

    /// The [`Keys::fingerprint`] by which a value of some kind is looked up: `email`, `phone`, `ins`. Case and surrounding
    /// blanks make no difference.
    pub fn lookup(&self, kind: &str, value: &str) -> String {
        self.fingerprint(format!("{kind}\0{}", value.trim().to_lowercase()).as_bytes())
    }

    /// What a database remembers of the lookup key, to know it again: a fingerprint of a constant.
    pub fn lookup_mark(&self) -> Option<String> {
        Some(self.fingerprint(LOOKUP_MARK))
    }

    /// The token of a link that is sent by mail, for one purpose and row. It is not kept: see [`Keys::link_id`].
    pub fn link_token(&self, purpose: &str, id: Uuid) -> String {
        self.links.token(purpose, id)
    }

    /// Which row a token names, if we made it for that purpose. Checked in constant time.
    pub fn link_id(&self, purpose: &str, token: &str) -> Option<Uuid> {
        self.links.open(purpose, token)
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

    /// How many passwords were hashed or checked so far: a test compares answers by it that must take as long.
    pub fn hashes_done(&self) -> usize {
        self.passwords.done()
    }

    /// The name of the master key that wraps now, with which every key it wrapped begins.
    pub fn master_id(&self) -> &str {
        self.master.id()
    }

    /// A new key for a person: wrapped, for keeping, and open, for use.
    ///
    /// # Errors
    /// [`KeyError::Failed`] when the system gives no randomness or the master key cannot be used.
    pub async fn new_owner(&self, owner: impl Into<Uuid>) -> Result<(String, OwnerKey), KeyError> {
        let (owner, key) = (owner.into(), sealing::random()?);
        Ok((self.master.wrap(&key, owner).await?, OwnerKey::new(&key, owner)?))
    }

    /// A person's key.
    ///
    /// # Errors
    /// [`KeyError::Erased`] when there is none any more, [`KeyError::DoesNotOpen`] when it was wrapped for another person or
    /// by a master key that is unknown here.
    pub async fn owner(&self, owner: impl Into<Uuid>, wrapped: Option<&str>) -> Result<OwnerKey, KeyError> {
        let (owner, wrapped) = (owner.into(), wrapped.ok_or(KeyError::Erased)?);
        OwnerKey::new(&self.master.unwrap(wrapped, owner).await?, owner)
    }

    /// The same key wrapped by the present master key.
    ///
    /// # Errors
    /// As [`Keys::owner`].
    pub async fn rewrap(&self, owner: impl Into<Uuid>, wrapped: &str) -> Result<String, KeyError> {
        let owner = owner.into();
        self.master.wrap(&self.master.unwrap(wrapped, owner).await?, owner).await
    }
}

/// Whether a master key is kept by a service and never seen here.
pub fn is_service(master: &str) -> bool {
    master.starts_with(kms::SCHEME)
}

fn decode(text: &str, name: &'static str) -> Result<Vec<u8>, KeyError> {
    BASE64.decode(text.trim()).map_err(|_| KeyError::Unusable(name))
}

/// SHA-256 in url-safe base64.
pub fn digest(bytes: &[u8]) -> String {
    BASE64_URL.encode(ring::digest::digest(&ring::digest::SHA256, bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(pairs: &[(&str, &str)]) -> Config {
        Config::read(|name| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())).unwrap()
    }

    #[test]
    fn a_token_is_good_until_it_expires_and_only_with_our_key() {
        let (keys, others) = (Keys::any(), Keys::any());
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
        let keys = Keys::any();
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

    #[tokio::test]
    async fn lookups_and_sealed_texts_survive_a_change_of_the_master_key() {
        let (signing, master) = Keys::generate().unwrap();
        let (_, next) = Keys::generate().unwrap();
        let before = Keys::of(&config(&[("CARNET_SIGNING_KEY", &signing), ("CARNET_MASTER_KEY", &master)])).unwrap();
        let after = Keys::of(&config(&[
            ("CARNET_SIGNING_KEY", &signing),
            ("CARNET_MASTER_KEY", &next),
            ("CARNET_MASTER_KEYS_BEFORE", &master),
            ("CARNET_LOOKUP_KEY", &master),
        ]))
        .unwrap();
        assert_eq!(before.lookup_mark(), after.lookup_mark());
        assert_eq!(before.lookup("email", " Ada@Exemple.org"), after.lookup("email", "ada@exemple.org"));
        assert_ne!(after.lookup("phone", "ada@exemple.org"), after.lookup("email", "ada@exemple.org"));
        let ada = Uuid::from_u128(1);
        let (wrapped, key) = before.new_owner(ada).await.unwrap();
        let sealed = key.seal("patient.identity", ada, "Ada").unwrap();
        let rewrapped = after.rewrap(ada, &wrapped).await.unwrap();
        assert!(rewrapped.starts_with(after.master_id()));
        for wrapped in [&wrapped, &rewrapped] {
            let key = after.owner(ada, Some(wrapped)).await.unwrap();
            assert_eq!(key.open("patient.identity", ada, &sealed).unwrap(), "Ada");
        }
        assert!(before.owner(ada, Some(&rewrapped)).await.is_err());
    }

    #[test]
    fn a_key_that_is_missing_or_wrong_is_named() {
        let (signing, master) = Keys::generate().unwrap();
        let (_, former) = Keys::generate().unwrap();
        for (pairs, named) in [
            (vec![("CARNET_MASTER_KEY", master.as_str())], "CARNET_SIGNING_KEY"),
            (vec![("CARNET_SIGNING_KEY", signing.as_str())], "CARNET_MASTER_KEY"),
            (vec![("CARNET_SIGNING_KEY", &signing), ("CARNET_MASTER_KEY", "AAAA")], "CARNET_MASTER_KEY"),
            (
                vec![("CARNET_SIGNING_KEY", &signing), ("CARNET_MASTER_KEY", &master), ("CARNET_LOOKUP_KEY", "é")],
                "CARNET_LOOKUP_KEY",
            ),
            (
                vec![("CARNET_SIGNING_KEY", &signing), ("CARNET_MASTER_KEY", &master), ("CARNET_LOOKUP_KEY", "AAAA")],
                "CARNET_LOOKUP_KEY",
            ),
            (
                // Of the two nobody can say which was the first.
                vec![
                    ("CARNET_SIGNING_KEY", &signing),
                    ("CARNET_MASTER_KEY", &master),
                    ("CARNET_MASTER_KEYS_BEFORE", &former),
                ],
                "CARNET_LOOKUP_KEY: is missing",
            ),
            (
                vec![
                    ("CARNET_SIGNING_KEY", &signing),
                    ("CARNET_MASTER_KEY", "aws-kms:key?region=eu-west-3"),
                    ("AWS_ACCESS_KEY_ID", "id"),
                    ("AWS_SECRET_ACCESS_KEY", "secret"),
                ],
                "CARNET_LOOKUP_KEY: is missing",
            ),
        ] {
            let error = Keys::of(&config(&pairs)).map(drop).unwrap_err().to_string();
            assert!(error.contains(named), "{error}");
        }
    }
}
