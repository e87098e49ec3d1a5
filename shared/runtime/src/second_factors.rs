//! Codes of authenticator apps (TOTP, RFC 6238) and recovery codes.

use domain::ids::AccountId;
use jiff::Timestamp;
use ring::hmac;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::keys::{KeyError, Keys, OwnerKey};
use crate::sessions::Proof;
use crate::{Ctx, Problem};

/// How long a code is shown, in seconds.
pub const STEP: i64 = 30;
/// Steps before and after the present one that are good too, for clocks that differ.
const DRIFT: i64 = 1;
const DIGITS: usize = 6;
/// Of SHA-1's length (RFC 4226 §4, R6).
const SECRET: usize = 20;
const FIELD: &str = "second_factor.secret";
/// How many recovery codes somebody has.
pub const RECOVERY_CODES: usize = 10;
/// Letters and figures that nobody takes for one another (Crockford): 32, so that each is five bits.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
/// 140 bits: nobody guesses one, whatever a copy of the hashes is tried with (OWASP ASVS 5.0 §6.5.2, §11.5.1).
const RECOVERY_LENGTH: usize = 28;
const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// What is kept of a second factor, sealed with its account's key.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Kept<T> {
    /// What its owner calls it.
    pub label: String,
    /// An app's secret in base32, or what a passkey is verified with.
    pub secret: T,
}

impl<T: Serialize + for<'de> Deserialize<'de>> Kept<T> {
    /// Seals it for its row.
    ///
    /// # Errors
    /// As [`OwnerKey::seal`].
    pub fn seal(&self, key: &OwnerKey, row: Uuid) -> Result<String, KeyError> {
        let text = serde_json::to_string(self).map_err(|_| KeyError::Failed("serialise"))?;
        key.seal(FIELD, row, &text)
    }

    /// Opens what was sealed for that row.
    ///
    /// # Errors
    /// As [`OwnerKey::open`].
    pub fn open(key: &OwnerKey, row: Uuid, sealed: &str) -> Result<Self, KeyError> {
        serde_json::from_str(&key.open(FIELD, row, sealed)?).map_err(|_| KeyError::DoesNotOpen)
    }
}

/// What kind of second factor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum FactorKind {
    /// An authenticator app.
    Totp,
    /// A passkey.
    Passkey,
}

/// A second factor as it is checked.
#[derive(Debug, Deserialize)]
pub struct Factor {
    /// Which one.
    pub id: Uuid,
    /// Of what kind.
    pub kind: FactorKind,
    /// Sealed; of apps only.
    pub secret: Option<String>,
}

/// What a typed code proves beside a password, if it proves anything. Whether it was used before, the statement that uses it
/// up finds out.
///
/// # Errors
/// When what is kept does not open.
pub async fn proof_of(
    ctx: &Ctx, account: AccountId, wrapped_key: Option<&str>, factors: &[Factor], typed: &str,
) -> Result<Option<Proof>, Problem> {
    let code = match Typed::read(typed) {
        Typed::Recovery(code) => {
            return Ok(Some(Proof::Recovery { hash: recovery_hash(&ctx.keys, account, &code)? }));
        }
        Typed::Code(code) => code,
    };
    let app = factors.iter().find_map(|factor| Some((factor.id, factor.secret.as_deref()?)));
    let Some((factor, sealed)) = app else { return Ok(None) };
    let key = ctx.keys.owner(account, wrapped_key).await?;
    let kept = Kept::<String>::open(&key, factor, sealed)?;
    Ok(step_of(&kept.secret, &code, ctx.now()).map(|step| Proof::Code { factor, step }))
}

/// The second thing somebody typed at sign-in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Typed {
    /// Six figures: a code of an app.
    Code(String),
    /// Anything else: a recovery code, in its one spelling.
    Recovery(String),
}

impl Typed {
    /// Reads what was typed; blanks, dashes and case make no difference.
    pub fn read(text: &str) -> Self {
        let plain: String = text.chars().filter(|c| !c.is_whitespace() && *c != '-').collect();
        if plain.len() == DIGITS && plain.bytes().all(|byte| byte.is_ascii_digit()) {
            return Self::Code(plain);
        }
        let same = |c| match c {
            'i' | 'l' => '1',
            'o' => '0',
            other => other,
        };
        Self::Recovery(plain.to_lowercase().chars().map(same).collect())
    }
}

/// A new secret for an app, in base32.
///
/// # Errors
/// When the system gives no randomness.
pub fn new_secret(keys: &Keys) -> Result<String, KeyError> {
    Ok(base32(keys.random()?.get(..SECRET).unwrap_or_default()))
}

/// What an app reads, as a picture or a link (Google's `otpauth` form, which all of them know).
pub fn uri(secret: &str, email: &str) -> String {
    let encode = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20");
    format!("otpauth://totp/Carnet:{}?secret={secret}&issuer=Carnet&algorithm=SHA1&digits=6&period=30", encode(email))
}

/// The time step that a code is of, if it is of one that is good now.
pub fn step_of(secret: &str, code: &str, now: Timestamp) -> Option<i64> {
    let secret = from_base32(secret)?;
    let code: u32 = code.parse().ok()?;
    let present = now.as_second().div_euclid(STEP);
    // All are worked out, whichever it is.
    let good: Vec<i64> = (present - DRIFT..=present + DRIFT).filter(|step| code_of(&secret, *step) == code).collect();
    good.first().copied()
}

/// What an app with that secret shows at an instant.
pub fn shown(secret: &str, now: Timestamp) -> Option<String> {
    Some(format!("{:06}", code_of(&from_base32(secret)?, now.as_second().div_euclid(STEP))))
}

/// HOTP (RFC 4226 §5.3) of a time step.
fn code_of(secret: &[u8], step: i64) -> u32 {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret);
    let hash = hmac::sign(&key, &step.to_be_bytes());
    let bytes = hash.as_ref();
    let offset = usize::from(bytes.last().copied().unwrap_or_default() & 0xf);
    let taken = bytes.iter().skip(offset).take(4).fold(0_u32, |number, byte| (number << 8) | u32::from(*byte));
    (taken & 0x7fff_ffff) % 1_000_000
}

/// Ten new recovery codes for an account: as they are told, once, and as they are kept.
///
/// # Errors
/// When the system gives no randomness.
pub fn new_recovery_codes(keys: &Keys, account: AccountId) -> Result<(Vec<String>, Vec<String>), KeyError> {
    let mut told = Vec::new();
    let mut kept = Vec::new();
    for _ in 0..RECOVERY_CODES {
        let random = keys.random()?;
        let letter = |byte: &u8| ALPHABET.get(usize::from(byte & 31)).copied().unwrap_or_default();
        let letters: String = random.iter().take(RECOVERY_LENGTH).map(letter).map(char::from).collect();
        kept.push(recovery_hash(keys, account, &letters)?);
        told.push(letters.as_bytes().chunks(4).map(String::from_utf8_lossy).collect::<Vec<_>>().join("-"));
    }
    Ok((told, kept))
}

/// Under which a recovery code is kept.
///
/// # Errors
/// As [`Keys::fingerprint`].
pub fn recovery_hash(keys: &Keys, account: AccountId, code: &str) -> Result<String, KeyError> {
    keys.fingerprint(format!("recovery code\0{account}\0{code}").as_bytes())
}

fn base32(bytes: &[u8]) -> String {
    let mut text = String::new();
    let (mut held, mut bits) = (0_u32, 0);
    for byte in bytes {
        held = (held << 8) | u32::from(*byte);
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            text.push(char::from(BASE32.get((held >> bits) as usize & 31).copied().unwrap_or_default()));
        }
        held &= (1 << bits) - 1;
    }
    if bits > 0 {
        text.push(char::from(BASE32.get((held << (5 - bits)) as usize & 31).copied().unwrap_or_default()));
    }
    text
}

fn from_base32(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let (mut held, mut bits) = (0_u32, 0);
    for letter in text.bytes() {
        let value = BASE32.iter().position(|known| *known == letter)?;
        held = (held << 5) | u32::try_from(value).ok()?;
        bits += 5;
        if bits >= 8 {
            bits -= 8;
            bytes.push(u8::try_from((held >> bits) & 0xff).ok()?);
        }
        held &= (1 << bits) - 1;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6238, appendix B: the last six of the eight figures given there.
    #[test]
    fn codes_are_those_of_the_standard() {
        let secret = base32(b"12345678901234567890");
        assert_eq!(secret, "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
        for (second, code) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ] {
            let now = Timestamp::from_second(second).unwrap();
            assert_eq!(step_of(&secret, code, now), Some(second / 30), "{second}");
            assert_eq!(shown(&secret, now).as_deref(), Some(code));
        }
    }

    #[test]
    fn a_code_is_good_one_step_before_and_after_and_no_longer() {
        let secret = base32(b"12345678901234567890");
        for (second, good) in [(29 + 60, true), (59 - 30, true), (59 + 31 + 30, false), (0, true), (-1, false)] {
            let now = Timestamp::from_second(second).unwrap();
            assert_eq!(step_of(&secret, "287082", now), good.then_some(1), "{second}");
        }
        let now = Timestamp::from_second(59).unwrap();
        for wrong in ["287083", "", "abcdef", "-87082"] {
            assert_eq!(step_of(&secret, wrong, now), None);
        }
        assert_eq!(step_of("not base 32!", "287082", now), None);
    }

    #[test]
    fn base32_is_that_of_rfc_4648() {
        for (bytes, text) in
            [("", ""), ("f", "MY"), ("fo", "MZXQ"), ("foo", "MZXW6"), ("foob", "MZXW6YQ"), ("foobar", "MZXW6YTBOI")]
        {
            assert_eq!(base32(bytes.as_bytes()), text);
            assert_eq!(from_base32(text).unwrap(), bytes.as_bytes());
        }
    }

    #[test]
    fn what_was_typed_is_a_code_or_a_recovery_code() {
        assert_eq!(Typed::read(" 123 456"), Typed::Code("123456".into()));
        assert_eq!(Typed::read("ABCDE-FGHIO"), Typed::Recovery("abcdefgh10".into()));
        assert_eq!(Typed::read("12345"), Typed::Recovery("12345".into()));
        assert_eq!(Typed::read("١٢٣٤٥٦"), Typed::Recovery("١٢٣٤٥٦".into()));
    }

    #[test]
    fn an_app_is_told_all_it_needs() {
        let uri = uri("MZXW6", "ada+a@exemple.org");
        assert_eq!(
            uri,
            "otpauth://totp/Carnet:ada%2Ba%40exemple.org?secret=MZXW6&issuer=Carnet&algorithm=SHA1&digits=6&period=30"
        );
    }
}
