//! Sealing of what is long: AES-256-GCM in chunks under a key of its own, which the person's key wraps.
//!
//! The construction is STREAM (Hoang, Reyhanitabar, Rogaway, Vizár: Online Authenticated-Encryption and its Nonce-Reuse
//! Misuse-Resistance, CRYPTO 2015): the nonce is a random prefix, a counter, and whether the chunk is the last, so that a chunk
//! that is moved, left out, doubled or cut off does not open. Every chunk is bound to the header and to its place: whose
//! document, which version, which part of it.
//!
//! ```text
//! header    "CRN1" (4), log2 of the chunk's length (1), prefix of the nonces (7)
//! chunk     ciphertext (CHUNK, the last one shorter or empty), tag (16)
//! nonce     prefix (7), number of the chunk from 0 (4, big endian), 1 for the last chunk (1)
//! ```

use ring::aead::{Aad, LessSafeKey, MAX_TAG_LEN, NONCE_LEN, Nonce};
use ring::rand::{SecureRandom as _, SystemRandom};
use uuid::Uuid;

use super::sealing::{self, KEY, OwnerKey};
use super::{BASE64, KeyError};
use base64::Engine as _;

/// Length of a chunk before it is sealed, in bytes.
pub const CHUNK: usize = 1 << CHUNK_LOG2;
/// Length of a sealed chunk that is not the last, in bytes.
pub const SEALED_CHUNK: usize = CHUNK + MAX_TAG_LEN;
/// Length of the header, in bytes.
pub const HEADER: usize = 12;
const CHUNK_LOG2: u8 = 18;
const MAGIC: &[u8; 4] = b"CRN1";
const PREFIX: usize = 7;
/// The field a wrapped data key is bound to.
const FIELD: &str = "document.key";

/// What a sealed stream belongs to: it opens nowhere else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Whose.
    pub document: Uuid,
    /// Which version of it.
    pub version: u32,
    /// Which part of that: `content`, `original`, `preview`, `text`.
    pub part: String,
}

impl Place {
    fn bytes(&self) -> Vec<u8> {
        [self.document.as_bytes().as_slice(), &self.version.to_be_bytes(), self.part.as_bytes()].concat()
    }

    fn field(&self) -> String {
        format!("{FIELD}/{}/{}", self.version, self.part)
    }
}

/// A key for one stream.
pub struct DataKey {
    key: LessSafeKey,
    place: Place,
}

impl OwnerKey {
    /// A new key for a stream: wrapped by this person's key, for keeping, and open, for use.
    ///
    /// # Errors
    /// [`KeyError::Failed`] when the system gives no randomness.
    pub fn new_data_key(&self, place: Place) -> Result<(String, DataKey), KeyError> {
        let key = sealing::random()?;
        let wrapped = self.seal(&place.field(), place.document, &BASE64.encode(key))?;
        Ok((wrapped, DataKey::new(&key, place)?))
    }

    /// The key of a stream.
    ///
    /// # Errors
    /// [`KeyError::DoesNotOpen`] for another place or another person's.
    pub fn data_key(&self, place: Place, wrapped: &str) -> Result<DataKey, KeyError> {
        let key = BASE64.decode(self.open(&place.field(), place.document, wrapped)?);
        let key: [u8; KEY] = key.ok().and_then(|key| key.try_into().ok()).ok_or(KeyError::DoesNotOpen)?;
        DataKey::new(&key, place)
    }
}

/// How long a stream of that many bytes is once it is sealed.
pub fn sealed_length(clear: u64) -> u64 {
    HEADER as u64 + clear + chunks(clear) * MAX_TAG_LEN as u64
}

/// How many chunks a stream of that many bytes has: at least one.
pub fn chunks(clear: u64) -> u64 {
    clear.div_ceil(CHUNK as u64).max(1)
}

impl DataKey {
    fn new(key: &[u8; KEY], place: Place) -> Result<Self, KeyError> {
        Ok(Self { key: sealing::usable(key)?, place })
    }

    /// Begins to seal: once for each key, so that no nonce comes twice.
    ///
    /// # Errors
    /// [`KeyError::Failed`] when the system gives no randomness.
    pub fn seal(self) -> Result<Sealing, KeyError> {
        let mut header = [0; HEADER];
        let (form, prefix) = header.split_at_mut(HEADER - PREFIX);
        form.copy_from_slice(&[MAGIC[0], MAGIC[1], MAGIC[2], MAGIC[3], CHUNK_LOG2]);
        SystemRandom::new().fill(prefix).map_err(|_| KeyError::Failed("random"))?;
        Ok(Sealing { stream: Stream::new(self, header), next: 0 })
    }

    /// Begins to open a stream that has that header and, opened, that many bytes.
    ///
    /// # Errors
    /// [`KeyError::DoesNotOpen`] when that is no header.
    pub fn open(self, header: &[u8], clear: u64) -> Result<Opening, KeyError> {
        let header: [u8; HEADER] = header.try_into().map_err(|_| KeyError::DoesNotOpen)?;
        if !header.starts_with(MAGIC) || header[MAGIC.len()] != CHUNK_LOG2 {
            return Err(KeyError::DoesNotOpen);
        }
        let last = u32::try_from(chunks(clear) - 1).map_err(|_| KeyError::DoesNotOpen)?;
        Ok(Opening { stream: Stream::new(self, header), last })
    }
}

struct Stream {
    key: LessSafeKey,
    header: [u8; HEADER],
    /// What every chunk is bound to.
    bound: Vec<u8>,
}

impl Stream {
    fn new(key: DataKey, header: [u8; HEADER]) -> Self {
        let bound = [header.as_slice(), &key.place.bytes()].concat();
        Self { key: key.key, header, bound }
    }

    fn nonce(&self, number: u32, last: bool) -> Nonce {
        let mut nonce = [0; NONCE_LEN];
        nonce[..PREFIX].copy_from_slice(&self.header[HEADER - PREFIX..]);
        nonce[PREFIX..PREFIX + 4].copy_from_slice(&number.to_be_bytes());
        nonce[NONCE_LEN - 1] = u8::from(last);
        Nonce::assume_unique_for_key(nonce)
    }
}

/// A stream that is being sealed, chunk after chunk.
pub struct Sealing {
    stream: Stream,
    next: u32,
}

impl Sealing {
    /// What the stream begins with.
    pub fn header(&self) -> [u8; HEADER] {
        self.stream.header
    }

    /// Seals the next chunk where it lies in `buffer` from `start` on, and adds its tag. All but the last are [`CHUNK`] long.
    ///
    /// # Errors
    /// [`KeyError::Failed`] for a chunk of another length, or after 2³² of them.
    pub fn chunk(&mut self, buffer: &mut Vec<u8>, start: usize, last: bool) -> Result<(), KeyError> {
        let clear = buffer.get_mut(start..).ok_or(KeyError::Failed("chunk"))?;
        if clear.len() > CHUNK || (!last && clear.len() != CHUNK) {
            return Err(KeyError::Failed("chunk"));
        }
        let nonce = self.stream.nonce(self.next, last);
        let tag = self.stream.key.seal_in_place_separate_tag(nonce, Aad::from(&self.stream.bound), clear);
        buffer.extend_from_slice(tag.map_err(|_| KeyError::Failed("seal"))?.as_ref());
        self.next = self.next.checked_add(1).ok_or(KeyError::Failed("chunk"))?;
        Ok(())
    }
}

/// A stream that is being opened, in any order.
pub struct Opening {
    stream: Stream,
    last: u32,
}

impl Opening {
    /// Opens a chunk where it lies.
    ///
    /// # Errors
    /// [`KeyError::DoesNotOpen`] when it is not that chunk of that stream, as it was sealed.
    pub fn chunk<'a>(&self, number: u32, sealed: &'a mut [u8]) -> Result<&'a [u8], KeyError> {
        let nonce = self.stream.nonce(number, number == self.last);
        let clear = self.stream.key.open_in_place(nonce, Aad::from(&self.stream.bound), sealed);
        clear.map(|clear| &*clear).map_err(|_| KeyError::DoesNotOpen)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn owner(byte: u8) -> OwnerKey {
        OwnerKey::new(&[byte; KEY], Uuid::from_u128(7)).unwrap()
    }

    fn place(part: &str) -> Place {
        Place { document: Uuid::from_u128(1), version: 1, part: part.into() }
    }

    fn sealed(clear: &[u8]) -> (String, Vec<u8>) {
        let (wrapped, key) = owner(1).new_data_key(place("content")).unwrap();
        let mut sealing = key.seal().unwrap();
        let mut out = sealing.header().to_vec();
        let parts: Vec<&[u8]> = if clear.is_empty() { vec![&[]] } else { clear.chunks(CHUNK).collect() };
        for (number, part) in parts.iter().enumerate() {
            let start = out.len();
            out.extend_from_slice(part);
            sealing.chunk(&mut out, start, number + 1 == parts.len()).unwrap();
        }
        (wrapped, out)
    }

    fn opened(owner: &OwnerKey, place: Place, wrapped: &str, sealed: &[u8], clear: u64) -> Result<Vec<u8>, KeyError> {
        let (header, mut rest) =
            (sealed.get(..HEADER).unwrap_or_default(), sealed[HEADER.min(sealed.len())..].to_vec());
        let opening = owner.data_key(place, wrapped)?.open(header, clear)?;
        let mut out = Vec::new();
        for (number, chunk) in rest.chunks_mut(SEALED_CHUNK).enumerate() {
            out.extend_from_slice(opening.chunk(u32::try_from(number).unwrap(), chunk)?);
        }
        (out.len() as u64 == clear).then_some(out).ok_or(KeyError::DoesNotOpen)
    }

    #[test]
    fn a_stream_opens_whole_and_is_as_long_as_was_said() {
        for length in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK] {
            let clear: Vec<u8> = (0..length).map(|at| u8::try_from(at % 251).unwrap()).collect();
            let (wrapped, bytes) = sealed(&clear);
            assert_eq!(bytes.len() as u64, sealed_length(length as u64), "{length}");
            assert_eq!(opened(&owner(1), place("content"), &wrapped, &bytes, length as u64).unwrap(), clear);
        }
    }

    #[test]
    fn a_chunk_opens_alone() {
        let clear = vec![9; 2 * CHUNK + 5];
        let (wrapped, bytes) = sealed(&clear);
        let opening = owner(1).data_key(place("content"), &wrapped).unwrap();
        let opening = opening.open(&bytes[..HEADER], clear.len() as u64).unwrap();
        let mut last = bytes[HEADER + 2 * SEALED_CHUNK..].to_vec();
        assert_eq!(opening.chunk(2, &mut last).unwrap(), &clear[2 * CHUNK..]);
        let mut middle = bytes[HEADER + SEALED_CHUNK..HEADER + 2 * SEALED_CHUNK].to_vec();
        assert!(opening.chunk(0, &mut middle.clone()).is_err(), "in another place");
        assert_eq!(opening.chunk(1, &mut middle).unwrap(), &clear[..CHUNK]);
    }

    #[test]
    fn nothing_opens_elsewhere_for_another_or_cut_off() {
        let clear = vec![3; CHUNK + 100];
        let (wrapped, bytes) = sealed(&clear);
        let length = clear.len() as u64;
        let try_at = |owner: &OwnerKey, place, bytes: &[u8], length| opened(owner, place, &wrapped, bytes, length);
        assert!(try_at(&owner(2), place("content"), &bytes, length).is_err(), "another person");
        assert!(try_at(&owner(1), place("original"), &bytes, length).is_err(), "another part");
        assert!(
            try_at(&owner(1), Place { version: 2, ..place("content") }, &bytes, length).is_err(),
            "another version"
        );
        let other = Place { document: Uuid::from_u128(2), ..place("content") };
        assert!(try_at(&owner(1), other, &bytes, length).is_err(), "another document");
        // Cut off after a whole chunk, whatever length is claimed.
        let cut = &bytes[..HEADER + SEALED_CHUNK];
        for claimed in [length, CHUNK as u64] {
            assert!(try_at(&owner(1), place("content"), cut, claimed).is_err(), "{claimed}");
        }
        let doubled = [&bytes[..HEADER + SEALED_CHUNK], &bytes[HEADER..]].concat();
        assert!(try_at(&owner(1), place("content"), &doubled, length + CHUNK as u64).is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn no_bit_can_be_changed(length in 0_usize..600, at in any::<prop::sample::Index>(), bit in 0_u8..8) {
            let clear = vec![5; length];
            let (wrapped, mut bytes) = sealed(&clear);
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
            prop_assert!(opened(&owner(1), place("content"), &wrapped, &bytes, length as u64).is_err());
        }
    }
}
