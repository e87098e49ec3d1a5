//! Codes of invitations, which people read to each other.

use domain::{SignedDuration, Timestamp};
use store::DbError;

use crate::keys::{KeyError, Keys};
use crate::{Kind, Problem};

/// Crockford's base 32: no letter that is taken for a digit, and 60 bits in twelve of them.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const LENGTH: usize = 12;
/// In seconds.
const DAY: i64 = SignedDuration::from_hours(24).as_secs();

/// A new code in groups of four, with the keyed hash under which it is kept.
///
/// # Errors
/// When the system gives no randomness.
pub fn new_code(keys: &Keys) -> Result<(String, String), KeyError> {
    let (token, _) = keys.new_token()?;
    // Each of the token's characters stands for six random bits; five of them are used.
    let code: String =
        token.bytes().take(LENGTH).map(|letter| char::from(ALPHABET[usize::from(six_bits(letter) % 32)])).collect();
    let hash = hash_code(keys, &code)?;
    Ok((code.as_bytes().chunks(4).map(String::from_utf8_lossy).collect::<Vec<_>>().join("-"), hash))
}

/// The hash of a code as somebody typed it: case, blanks and dashes do not count, nor O for 0, I or L for 1.
///
/// # Errors
/// As [`Keys::fingerprint`].
pub fn hash_code(keys: &Keys, typed: &str) -> Result<String, KeyError> {
    let code: String = typed
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|letter| match letter.to_ascii_uppercase() {
            'O' => '0',
            'I' | 'L' => '1',
            other => other,
        })
        .collect();
    keys.fingerprint(format!("invitation {code}").as_bytes())
}

/// Why a code was not even looked at: after ten wrong ones on a day, none is until the next (UTC). Other errors are told as
/// ever.
pub fn not_taken(error: DbError, now: Timestamp) -> Problem {
    if !error.is_constraint("invitation_miss_limit") {
        return error.into();
    }
    Problem::new(Kind::InvitationAttempts).retry_after(DAY - now.as_second().rem_euclid(DAY))
}

/// The value of a letter of url-safe base64.
fn six_bits(letter: u8) -> u8 {
    match letter {
        b'A'..=b'Z' => letter - b'A',
        b'a'..=b'z' => letter - b'a' + 26,
        b'0'..=b'9' => letter - b'0' + 52,
        b'-' => 62,
        _ => 63,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_found_as_people_type_it_and_no_other_is() {
        let keys = Keys::any();
        let (code, hash) = new_code(&keys).unwrap();
        assert_eq!(code.len(), 14);
        assert!(code.split('-').all(|group| group.len() == 4), "{code}");
        assert_eq!(hash_code(&keys, &code).unwrap(), hash);
        let typed = format!(" {} ", code.to_lowercase().replace('-', " ").replace('0', "o").replace('1', "l"));
        assert_eq!(hash_code(&keys, &typed).unwrap(), hash);
        assert_ne!(new_code(&keys).unwrap().1, hash);
        assert!(!hash.contains(&code.replace('-', "")));
    }
}
