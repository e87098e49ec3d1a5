//! Sealing: AES-256-GCM under a key per person, each wrapped by a master key (envelope encryption).
//!
//! What is sealed is bound to its place: the owner, the field and the row are authenticated with it, so that a text moved
//! to another row, field or person does not open. Destroying a person's wrapped key makes all of it unreadable.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use futures_util::future::BoxFuture;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom, SystemRandom};
use uuid::Uuid;

use super::KeyError;

/// Length of every key, in bytes.
pub(super) const KEY: usize = 32;
/// Marks the form of a sealed text: nonce, ciphertext and tag in base64 after it.
const FORM: &str = "1.";

/// What wraps the keys of persons: a local key, or a key management service. Only wrapped keys are ever stored.
pub trait MasterKey: Send + Sync {
    /// Names the key that wraps now; a wrapped key begins with the name of the one that wrapped it.
    fn id(&self) -> &str;

    /// Wraps a key for its owner.
    fn wrap<'a>(&'a self, key: &'a [u8; KEY], owner: Uuid) -> BoxFuture<'a, Result<String, KeyError>>;

    /// Unwraps what this or an earlier master key wrapped for that owner.
    fn unwrap<'a>(&'a self, wrapped: &'a str, owner: Uuid) -> BoxFuture<'a, Result<[u8; KEY], KeyError>>;
}

/// A key of one person, unwrapped.
pub struct OwnerKey {
    key: LessSafeKey,
    owner: Uuid,
}

impl OwnerKey {
    pub(super) fn new(key: &[u8; KEY], owner: Uuid) -> Result<Self, KeyError> {
        Ok(Self { key: usable(key)?, owner })
    }

    /// Seals a text for one field (`appointment.note`) of one row.
    ///
    /// # Errors
    /// [`KeyError::Failed`] when the system gives no randomness.
    pub fn seal(&self, field: &str, row: Uuid, text: &str) -> Result<String, KeyError> {
        Ok(format!("{FORM}{}", seal_with(&self.key, text.as_bytes(), &self.place(field, row))?))
    }

    /// Opens what [`OwnerKey::seal`] sealed for that field and row.
    ///
    /// # Errors
    /// [`KeyError::DoesNotOpen`] for another place, another key or changed bytes.
    pub fn open(&self, field: &str, row: Uuid, sealed: &str) -> Result<String, KeyError> {
        let sealed = sealed.strip_prefix(FORM).ok_or(KeyError::DoesNotOpen)?;
        let bytes = open_with(&self.key, sealed, &self.place(field, row))?;
        String::from_utf8(bytes).map_err(|_| KeyError::DoesNotOpen)
    }

    fn place(&self, field: &str, row: Uuid) -> Vec<u8> {
        [self.owner.as_bytes().as_slice(), row.as_bytes(), field.as_bytes()].concat()
    }
}

/// Master keys that the process holds itself: the present one, and earlier ones that still unwrap.
pub struct LocalMaster {
    keys: Vec<(String, LessSafeKey)>,
}

impl LocalMaster {
    /// The present key first.
    ///
    /// # Errors
    /// [`KeyError::Unusable`] when one is not 32 bytes long.
    pub fn new(keys: &[Vec<u8>]) -> Result<Self, KeyError> {
        let unusable = || KeyError::Unusable("CARNET_MASTER_KEY");
        let each = |key: &Vec<u8>| {
            let key: [u8; KEY] = key.as_slice().try_into().map_err(|_| unusable())?;
            Ok((name(&key), usable(&key)?))
        };
        let keys = keys.iter().map(each).collect::<Result<Vec<_>, KeyError>>()?;
        if keys.is_empty() { Err(unusable()) } else { Ok(Self { keys }) }
    }
}

/// A public name for a key: the beginning of a hash of it.
fn name(key: &[u8; KEY]) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, &[b"carnet master key name 1".as_slice(), key].concat());
    digest.as_ref().iter().take(4).map(|byte| format!("{byte:02x}")).collect()
}

impl MasterKey for LocalMaster {
    fn id(&self) -> &str {
        self.keys.first().map_or("", |(name, _)| name)
    }

    fn wrap<'a>(&'a self, key: &'a [u8; KEY], owner: Uuid) -> BoxFuture<'a, Result<String, KeyError>> {
        Box::pin(async move {
            let (name, master) = self.keys.first().ok_or(KeyError::Unusable("CARNET_MASTER_KEY"))?;
            Ok(format!("{name}.{}", seal_with(master, key, owner.as_bytes())?))
        })
    }

    fn unwrap<'a>(&'a self, wrapped: &'a str, owner: Uuid) -> BoxFuture<'a, Result<[u8; KEY], KeyError>> {
        Box::pin(async move {
            // The first release wrote no name: it is one of ours, or nobody's.
            let (name, sealed) = wrapped.split_once('.').map_or((None, wrapped), |(name, rest)| (Some(name), rest));
            let candidates = self.keys.iter().filter(|(key, _)| name.is_none_or(|name| name == key));
            let mut opened = candidates.filter_map(|(_, master)| open_with(master, sealed, owner.as_bytes()).ok());
            let key = opened.next().ok_or(KeyError::DoesNotOpen)?;
            key.try_into().map_err(|_| KeyError::DoesNotOpen)
        })
    }
}

/// Fresh random bytes.
pub(super) fn random() -> Result<[u8; KEY], KeyError> {
    let mut bytes = [0; KEY];
    SystemRandom::new().fill(&mut bytes).map_err(|_| KeyError::Failed("random"))?;
    Ok(bytes)
}

pub(super) fn usable(key: &[u8; KEY]) -> Result<LessSafeKey, KeyError> {
    UnboundKey::new(&AES_256_GCM, key).map(LessSafeKey::new).map_err(|_| KeyError::Failed("key"))
}

/// base64(nonce ‖ ciphertext ‖ tag). Nonces are random: 2³² texts under one key are far from a collision that matters
/// (NIST SP 800-38D §8.3), and no person has so many.
fn seal_with(key: &LessSafeKey, clear: &[u8], place: &[u8]) -> Result<String, KeyError> {
    let mut nonce = [0; NONCE_LEN];
    SystemRandom::new().fill(&mut nonce).map_err(|_| KeyError::Failed("random"))?;
    let mut bytes = clear.to_vec();
    key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(place), &mut bytes)
        .map_err(|_| KeyError::Failed("seal"))?;
    Ok(BASE64.encode([nonce.as_slice(), &bytes].concat()))
}

fn open_with(key: &LessSafeKey, sealed: &str, place: &[u8]) -> Result<Vec<u8>, KeyError> {
    let mut bytes = BASE64.decode(sealed).map_err(|_| KeyError::DoesNotOpen)?;
    if bytes.len() < NONCE_LEN {
        return Err(KeyError::DoesNotOpen);
    }
    let mut rest = bytes.split_off(NONCE_LEN);
    let nonce = Nonce::try_assume_unique_for_key(&bytes).map_err(|_| KeyError::DoesNotOpen)?;
    let clear = key.open_in_place(nonce, Aad::from(place), &mut rest).map_err(|_| KeyError::DoesNotOpen)?;
    Ok(clear.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn master(keys: &[u8]) -> LocalMaster {
        LocalMaster::new(&keys.iter().map(|byte| vec![*byte; KEY]).collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn what_is_sealed_opens_in_its_place_and_nowhere_else() {
        let (ada, ben, row) = (Uuid::from_u128(1), Uuid::from_u128(2), Uuid::from_u128(3));
        let key = OwnerKey::new(&[7; KEY], ada).unwrap();
        let sealed = key.seal("appointment.note", row, "varicelle").unwrap();
        assert!(!sealed.contains("varicelle"));
        assert_eq!(key.open("appointment.note", row, &sealed).unwrap(), "varicelle");
        assert!(key.open("appointment.cancel_reason", row, &sealed).is_err());
        assert!(key.open("appointment.note", ada, &sealed).is_err());
        assert!(OwnerKey::new(&[7; KEY], ben).unwrap().open("appointment.note", row, &sealed).is_err());
        assert!(OwnerKey::new(&[8; KEY], ada).unwrap().open("appointment.note", row, &sealed).is_err());
        for garbage in ["", "1.", "1.AAAA", "2.AAAA", &sealed[2..], &sealed[..sealed.len() - 2]] {
            assert!(key.open("appointment.note", row, garbage).is_err(), "{garbage}");
        }
        assert_ne!(sealed, key.seal("appointment.note", row, "varicelle").unwrap());
    }

    #[tokio::test]
    async fn an_earlier_master_key_unwraps_and_only_the_present_one_wraps() {
        let owner = Uuid::from_u128(1);
        let before = master(&[1]).wrap(&[9; KEY], owner).await.unwrap();
        let both = master(&[2, 1]);
        assert_eq!(both.unwrap(&before, owner).await.unwrap(), [9; KEY]);
        let after = both.wrap(&[9; KEY], owner).await.unwrap();
        assert!(after.starts_with(both.id()) && !before.starts_with(both.id()));
        assert_eq!(master(&[2]).unwrap(&after, owner).await.unwrap(), [9; KEY]);
        assert!(master(&[2]).unwrap(&before, owner).await.is_err());
        assert!(both.unwrap(&after, Uuid::from_u128(2)).await.is_err(), "of another owner");
        // As the first release wrote them.
        let nameless = before.split_once('.').unwrap().1;
        assert_eq!(both.unwrap(nameless, owner).await.unwrap(), [9; KEY]);
        assert!(LocalMaster::new(&[vec![1; 16]]).is_err() && LocalMaster::new(&[]).is_err());
    }
}
