//! From the configuration to keys.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD as BASE64, URL_SAFE_NO_PAD as BASE64_URL};
use ring::hmac;
use uuid::Uuid;

use super::kms::{self, Kms};
use super::links::Links;
use super::sealing::KEY;
use super::sent_codes::SentCodes;
use super::tokens::Tokens;
use super::{KeyError, LocalMaster, MasterKey, OwnerKey};
use crate::config::Config;

pub(super) const SIGNING: &str = "CARNET_SIGNING_KEY";
pub(super) const SIGNING_BEFORE: &str = "CARNET_SIGNING_KEYS_BEFORE";
pub(super) const VERIFYING: &str = "CARNET_VERIFYING_KEYS";
pub(super) const MASTER: &str = "CARNET_MASTER_KEY";
pub(super) const MASTERS_BEFORE: &str = "CARNET_MASTER_KEYS_BEFORE";
pub(super) const LOOKUP: &str = "CARNET_LOOKUP_KEY";
/// Least length of the lookup key, in bytes.
const LEAST_LOOKUP_KEY: usize = 32;

/// What hangs on the lookup key.
pub(super) struct Lookups {
    pub(super) fingerprints: hmac::Key,
    pub(super) links: Links,
    pub(super) sent_codes: SentCodes,
    pub(super) passing: OwnerKey,
}

impl Lookups {
    fn new(key: &[u8]) -> Result<Self, KeyError> {
        let derive = |label| hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), label);
        let passing = derive(b"carnet passing secrets 1".as_slice());
        let passing = passing.as_ref().try_into().map_err(|_| KeyError::Failed("key"))?;
        Ok(Self {
            fingerprints: hmac::Key::new(hmac::HMAC_SHA256, derive(b"carnet fingerprints 1").as_ref()),
            links: Links::new(key),
            sent_codes: SentCodes::new(key),
            passing: OwnerKey::new(passing, Uuid::nil())?,
        })
    }
}

/// Whether a master key is kept by a service and never seen here.
pub fn is_service(master: &str) -> bool {
    master.starts_with(kms::SCHEME)
}

/// The same configuration with what follows from the keys of a whole product: the public halves of those that sign, and the
/// master key for lookups while there was never another. So a function that is given those keys needs no more, and still
/// keeps what its manifest names only.
///
/// # Errors
/// [`KeyError::Unusable`] names a signing key that is none.
pub fn completed(config: &Config) -> Result<Config, KeyError> {
    let mut complete = config.clone();
    if config.verifying_keys.is_none() && config.signing_key.is_some() {
        let halves = tokens(config, true)?.public().into_iter().map(|key| key.x);
        complete.verifying_keys = Some(halves.collect::<Vec<_>>().join(","));
    }
    let only_master = config.master_key.as_ref().filter(|key| !is_service(key) && config.master_keys_before.is_none());
    complete.lookup_key = complete.lookup_key.or_else(|| only_master.cloned());
    Ok(complete)
}

/// What signs tokens, if it may, and what verifies them.
pub(super) fn tokens(config: &Config, signs: bool) -> Result<Tokens, KeyError> {
    let keys = |list: &Option<String>, name| -> Result<Vec<Vec<u8>>, KeyError> {
        list.iter().flat_map(|all| all.split(',')).map(|key| decode(key, name)).collect()
    };
    let verifying = config.verifying_keys.iter().flat_map(|all| all.split(','));
    // Also as `/.well-known/jwks.json` writes them.
    let verifying =
        verifying.map(|key| decode(key, VERIFYING).or_else(|error| BASE64_URL.decode(key.trim()).map_err(|_| error)));
    let verifying = verifying.collect::<Result<Vec<_>, _>>()?;
    if !signs {
        return if verifying.is_empty() { Err(KeyError::Missing(VERIFYING)) } else { Tokens::verifying(&verifying) };
    }
    let signing = decode(config.signing_key.as_deref().ok_or(KeyError::Missing(SIGNING))?, SIGNING)?;
    Tokens::signing(&signing, &keys(&config.signing_keys_before, SIGNING_BEFORE)?, &verifying)
}

/// The master keys that are given as such, the present one first.
pub(super) fn locals(config: &Config) -> Result<Vec<Vec<u8>>, KeyError> {
    let master = |text: &str, name| {
        let key = decode(text, name)?;
        if key.len() == KEY { Ok(key) } else { Err(KeyError::Unusable(name)) }
    };
    let present = config.master_key.iter().filter(|key| !is_service(key)).map(|key| master(key, MASTER));
    let earlier = config.master_keys_before.iter().flat_map(|all| all.split(','));
    present.chain(earlier.map(|key| master(key, MASTERS_BEFORE))).collect()
}

pub(super) fn master(config: &Config, locals: &[Vec<u8>]) -> Result<Arc<dyn MasterKey>, KeyError> {
    let present = config.master_key.as_deref().ok_or(KeyError::Missing(MASTER))?;
    let Some(kms) = present.strip_prefix(kms::SCHEME) else { return Ok(Arc::new(LocalMaster::new(locals)?)) };
    let before = if locals.is_empty() { None } else { Some(LocalMaster::new(locals)?) };
    Ok(Arc::new(Kms::new(kms, config.aws.as_ref(), before)?))
}

/// Lookups must survive every change of the master key: they hang on it only as long as there was never another.
pub(super) fn lookups(config: &Config, masters: &[Vec<u8>]) -> Result<Arc<Lookups>, KeyError> {
    let key = match (&config.lookup_key, masters) {
        (Some(key), _) => decode(key, LOOKUP)?,
        (None, [only]) if config.master_keys_before.is_none() => only.clone(),
        (None, _) => return Err(KeyError::LookupsUnsaid),
    };
    if key.len() < LEAST_LOOKUP_KEY { Err(KeyError::Unusable(LOOKUP)) } else { Lookups::new(&key).map(Arc::new) }
}

fn decode(text: &str, name: &'static str) -> Result<Vec<u8>, KeyError> {
    BASE64.decode(text.trim()).map_err(|_| KeyError::Unusable(name))
}
