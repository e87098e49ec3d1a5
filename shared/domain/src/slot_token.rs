//! The text by which a client names a slot it was offered.

use std::{fmt, str::FromStr};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::Timestamp;
use uuid::Uuid;

use crate::{
    agenda::Slot,
    ids::{PractitionerId, ReasonId, SiteId},
};

const VERSION: u8 = 1;
/// Version, three uuids, seconds.
const BODY_BYTES: usize = 1 + 16 + 16 + 16 + 8;
const BYTES: usize = BODY_BYTES + 2;
const TEXT_CHARS: usize = (BYTES * 4).div_ceil(3);

/// A slot's coordinates as an opaque, URL-safe text of 79 characters.
///
/// It is neither a secret nor a proof: whoever reads it back must ask
/// [`Agenda::offers`](crate::agenda::Agenda::offers) again. Its checksum only catches typing and
/// copying errors, and anyone can compute it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SlotToken {
    /// Whose agenda.
    pub practitioner: PractitionerId,
    /// Where.
    pub site: SiteId,
    /// What for.
    pub reason: ReasonId,
    starts_at: Timestamp,
}

/// Why a text is not a slot token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SlotTokenError {
    /// A token has exactly 79 characters.
    #[error("a slot token has {TEXT_CHARS} characters")]
    Length,
    /// Not canonical base64url without padding.
    #[error("a slot token is made of letters, digits, '-' and '_'")]
    Encoding,
    /// The checksum disagrees: mistyped or truncated in transit.
    #[error("the slot token was mistyped")]
    Checksum,
    /// Written by a version this one does not read.
    #[error("unknown slot token version {0}")]
    Version(u8),
    /// The start is outside the years that can be represented.
    #[error("the slot token's start is out of range")]
    Start,
}

impl SlotToken {
    /// Names a start; parts of a second are dropped, since slots start on whole seconds.
    pub fn new(practitioner: PractitionerId, site: SiteId, reason: ReasonId, starts_at: Timestamp) -> Self {
        // A whole second taken from a timestamp is in range again.
        let starts_at = Timestamp::from_second(starts_at.as_second()).unwrap_or(starts_at);
        Self { practitioner, site, reason, starts_at }
    }

    /// When the slot starts, a whole second.
    pub const fn starts_at(&self) -> Timestamp {
        self.starts_at
    }

    fn bytes(&self) -> [u8; BYTES] {
        let mut bytes = [0; BYTES];
        bytes[0] = VERSION;
        bytes[1..17].copy_from_slice(self.practitioner.as_uuid().as_bytes());
        bytes[17..33].copy_from_slice(self.site.as_uuid().as_bytes());
        bytes[33..49].copy_from_slice(self.reason.as_uuid().as_bytes());
        bytes[49..BODY_BYTES].copy_from_slice(&self.starts_at.as_second().to_be_bytes());
        let sum = crc16(&bytes[..BODY_BYTES]);
        bytes[BODY_BYTES..].copy_from_slice(&sum.to_be_bytes());
        bytes
    }
}

impl From<&Slot> for SlotToken {
    fn from(slot: &Slot) -> Self {
        Self::new(slot.practitioner, slot.site, slot.reason, slot.starts_at)
    }
}

impl fmt::Display for SlotToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(self.bytes()))
    }
}

impl FromStr for SlotToken {
    type Err = SlotTokenError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.len() != TEXT_CHARS {
            return Err(SlotTokenError::Length);
        }
        let mut bytes = [0; BYTES];
        match URL_SAFE_NO_PAD.decode_slice(text, &mut bytes) {
            Ok(BYTES) => {}
            _ => return Err(SlotTokenError::Encoding),
        }
        let (body, sum) = bytes.split_at(BODY_BYTES);
        if crc16(body).to_be_bytes() != sum {
            return Err(SlotTokenError::Checksum);
        }
        if body[0] != VERSION {
            return Err(SlotTokenError::Version(body[0]));
        }
        let seconds = i64::from_be_bytes(part(&body[49..]));
        Ok(Self {
            practitioner: PractitionerId::from_uuid(Uuid::from_bytes(part(&body[1..]))),
            site: SiteId::from_uuid(Uuid::from_bytes(part(&body[17..]))),
            reason: ReasonId::from_uuid(Uuid::from_bytes(part(&body[33..]))),
            starts_at: Timestamp::from_second(seconds).map_err(|_| SlotTokenError::Start)?,
        })
    }
}

/// The first `N` bytes; zeros past the end, which the fixed layout never reaches.
fn part<const N: usize>(bytes: &[u8]) -> [u8; N] {
    bytes.first_chunk().copied().unwrap_or([0; N])
}

/// CRC-16/XMODEM (polynomial 0x1021, start 0).
fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc, byte| {
        (0..8).fold(crc ^ (u16::from(*byte) << 8), |crc: u16, _| {
            let shifted = crc << 1;
            if crc & 0x8000 == 0 { shifted } else { shifted ^ 0x1021 }
        })
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn tokens() -> impl Strategy<Value = SlotToken> {
        let seconds = Timestamp::MIN.as_second()..=Timestamp::MAX.as_second();
        (any::<[u128; 3]>(), seconds).prop_map(|([a, b, c], seconds)| {
            SlotToken::new(
                PractitionerId::from_uuid(Uuid::from_u128(a)),
                SiteId::from_uuid(Uuid::from_u128(b)),
                ReasonId::from_uuid(Uuid::from_u128(c)),
                Timestamp::from_second(seconds).unwrap(),
            )
        })
    }

    #[test]
    fn the_checksum_is_crc16_xmodem() {
        assert_eq!(crc16(b"123456789"), 0x31c3);
    }

    #[test]
    fn other_versions_and_impossible_starts_are_named() {
        let seal = |edit: fn(&mut [u8])| {
            let id = Uuid::from_u128(7);
            let mut bytes = SlotToken::new(
                PractitionerId::from_uuid(id),
                SiteId::from_uuid(id),
                ReasonId::from_uuid(id),
                Timestamp::UNIX_EPOCH,
            )
            .bytes();
            edit(&mut bytes[..BODY_BYTES]);
            let sum = crc16(&bytes[..BODY_BYTES]).to_be_bytes();
            bytes[BODY_BYTES..].copy_from_slice(&sum);
            URL_SAFE_NO_PAD.encode(bytes).parse::<SlotToken>()
        };
        assert_eq!(seal(|body| body[0] = 2), Err(SlotTokenError::Version(2)));
        assert_eq!(seal(|body| body[49] = 0x7f), Err(SlotTokenError::Start));
        assert_eq!("".parse::<SlotToken>(), Err(SlotTokenError::Length));
        assert_eq!("*".repeat(79).parse::<SlotToken>(), Err(SlotTokenError::Encoding));
    }

    proptest! {
        #[test]
        fn a_token_survives_a_round_trip(token in tokens()) {
            let text = token.to_string();
            prop_assert_eq!(text.len(), TEXT_CHARS);
            prop_assert!(text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'));
            prop_assert_eq!(text.parse(), Ok(token));
        }

        #[test]
        fn one_wrong_character_is_always_refused(
            token in tokens(), place in 0..TEXT_CHARS, other in "[A-Za-z0-9_-]",
        ) {
            let mut text = token.to_string();
            let same = text[place..=place] == other;
            text.replace_range(place..=place, &other);
            prop_assert_eq!(text.parse::<SlotToken>().is_ok(), same);
        }

        #[test]
        fn no_text_makes_it_panic(text in ".{0,100}", ascii in "[ -~]{79}", base in "[A-Za-z0-9_-]{79}") {
            for text in [text, ascii, base] {
                if let Ok(token) = text.parse::<SlotToken>() {
                    prop_assert_eq!(token.to_string(), text);
                }
            }
        }
    }
}
