//! A message that only one browser opens (RFC 8291), in one record of `aes128gcm` (RFC 8188).

use p256::ecdh::diffie_hellman;
use p256::elliptic_curve::sec1::ToSec1Point as _;
use p256::{PublicKey, SecretKey};
use ring::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use ring::error::Unspecified;
use ring::hkdf::{HKDF_SHA256, KeyType, Prk, Salt};
use ring::rand::{SecureRandom as _, SystemRandom};

use super::PushError;

/// Size of a record, as RFC 8291 §4 has it: every push service takes a body of 4096 bytes.
const RECORD: u32 = 4096;
/// What stands before the record: salt, size, length of the key, key.
const HEAD: usize = 16 + 4 + 1 + POINT;
/// What a record holds beside the text: the mark of the last one, and the tag.
const BESIDE: usize = 1 + 16;
/// Longest text of a message, in bytes.
pub const LONGEST: usize = RECORD as usize - HEAD - BESIDE;
/// Length of a point of P-256, uncompressed.
pub(super) const POINT: usize = 65;
/// Length of the secret that a browser shares with us beside its key (RFC 8291 §3.2).
pub(super) const SECRET: usize = 16;

/// A browser's key, and what it shares with us.
pub(super) struct Receiver {
    pub(super) key: PublicKey,
    pub(super) secret: [u8; SECRET],
}

/// Random bytes that are a private key: all but one of 2³² are.
pub(super) fn new_key() -> Result<SecretKey, PushError> {
    let mut bytes = [0; 32];
    for _ in 0..4 {
        SystemRandom::new().fill(&mut bytes).map_err(|_| PushError::Unwritten("the system gives no randomness"))?;
        if let Ok(key) = SecretKey::from_slice(&bytes) {
            return Ok(key);
        }
    }
    Err(PushError::Unwritten("the system gives no randomness"))
}

/// The body of a request: each has a key and a salt of its own.
pub(super) fn encrypt(to: &Receiver, text: &[u8]) -> Result<Vec<u8>, PushError> {
    if text.len() > LONGEST {
        return Err(PushError::TooLarge);
    }
    let mut salt = [0; 16];
    SystemRandom::new().fill(&mut salt).map_err(|_| PushError::Unwritten("the system gives no randomness"))?;
    sealed(to, text, salt, &new_key()?).map_err(|Unspecified| PushError::Unwritten("cryptography failed"))
}

fn sealed(to: &Receiver, text: &[u8], salt: [u8; 16], own: &SecretKey) -> Result<Vec<u8>, Unspecified> {
    let (theirs, ours) = (to.key.to_sec1_point(false), own.public_key().to_sec1_point(false));
    let shared = diffie_hellman(own.to_nonzero_scalar(), to.key.as_affine());
    // RFC 8291 §3.3 and §3.4.
    let prk = Salt::new(HKDF_SHA256, &to.secret).extract(shared.raw_secret_bytes());
    let keying: [u8; 32] = expand(&prk, &[b"WebPush: info\0", theirs.as_bytes(), ours.as_bytes()])?;
    // RFC 8188 §2.2 and §2.3; of one record the nonce is the first.
    let prk = Salt::new(HKDF_SHA256, &salt).extract(&keying);
    let key: [u8; 16] = expand(&prk, &[b"Content-Encoding: aes128gcm\0"])?;
    let nonce: [u8; 12] = expand(&prk, &[b"Content-Encoding: nonce\0"])?;
    // RFC 8188 §2.1: what ends the last record.
    let mut record = [text, &[2]].concat();
    let key = LessSafeKey::new(UnboundKey::new(&AES_128_GCM, &key)?);
    key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::empty(), &mut record)?;
    let length = u8::try_from(ours.as_bytes().len()).map_err(|_| Unspecified)?;
    Ok([&salt[..], &RECORD.to_be_bytes(), &[length], ours.as_bytes(), &record].concat())
}

/// So many bytes.
struct Length(usize);

impl KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

fn expand<const N: usize>(prk: &Prk, info: &[&[u8]]) -> Result<[u8; N], Unspecified> {
    let mut bytes = [0; N];
    prk.expand(info, Length(N))?.fill(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64_URL;

    use super::*;

    fn bytes<const N: usize>(text: &str) -> [u8; N] {
        BASE64_URL.decode(text).unwrap().try_into().unwrap()
    }

    /// RFC 8291 §5 and appendix A.
    #[test]
    fn the_example_of_the_standard_is_written_as_it_stands_there() {
        let point: [u8; POINT] =
            bytes("BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4");
        let to = Receiver { key: PublicKey::from_sec1_bytes(&point).unwrap(), secret: bytes("BTBZMqHH6r4Tts7J_aSIgg") };
        let own = SecretKey::from_slice(&bytes::<32>("yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw")).unwrap();
        let text = b"When I grow up, I want to be a watermelon";
        let written = sealed(&to, text, bytes("DGv6ra1nlYgDCS1FRnbzlw"), &own).unwrap();
        assert_eq!(
            BASE64_URL.encode(written),
            "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3j\
             l7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN"
        );
    }

    #[test]
    fn the_longest_fills_a_body_and_one_byte_more_is_too_many() {
        let to = Receiver { key: new_key().unwrap().public_key(), secret: [7; SECRET] };
        assert_eq!(LONGEST, 3993);
        assert_eq!(encrypt(&to, &vec![b'a'; LONGEST]).unwrap().len(), 4096);
        assert!(matches!(encrypt(&to, &vec![b'a'; LONGEST + 1]), Err(PushError::TooLarge)));
        let [first, second] = [encrypt(&to, b"").unwrap(), encrypt(&to, b"").unwrap()];
        assert_ne!(first[..16], second[..16], "a salt of its own");
        assert_ne!(first[21..86], second[21..86], "and a key");
    }
}
