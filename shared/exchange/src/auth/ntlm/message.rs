//! The three messages of NTLM (MS-NLMP), with version 2 of its answer only. Nothing is signed nor sealed afterwards, TLS does that: so
//! no key is agreed on but the one that the integrity of the three messages is shown with.

use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::Timestamp;
use md4::{Digest as _, Md4};
use md5::Md5;

/// What every message begins with.
const SIGNATURE: &[u8; 8] = b"NTLMSSP\0";
/// Seconds from 1601, where a FILETIME begins (MS-DTYP §2.3.3), to 1970.
const TO_UNIX: i64 = 11_644_473_600;
/// Where the fixed part of the third message ends, with version and integrity code (§2.2.1.3), in bytes.
const AUTHENTICATE_HEAD: usize = 88;
/// Where the integrity code is in it.
const INTEGRITY: std::ops::Range<usize> = 72..88;
/// The longest second message that is read, in bytes: a server's has some hundreds, and no more of a header is taken anywhere.
const LONGEST_CHALLENGE: usize = 16 * 1024;

/// What we ask for (§2.2.2.5): Unicode, the name of the target, NTLM, a session key always, extended session security, target
/// information, the field of the version, 128 bits.
const ASKED: u32 =
    UNICODE | 0x0000_0004 | 0x0000_0200 | 0x0000_8000 | 0x0008_0000 | 0x0080_0000 | VERSION | 0x2000_0000;
const UNICODE: u32 = 0x0000_0001;
const VERSION: u32 = 0x0200_0000;
/// No product; revision 15 of NTLM (§2.2.2.10).
const OUR_VERSION: [u8; 8] = [0, 0, 0, 0, 0, 0, 0, 15];

/// Pieces of information on the target (§2.2.2.1).
const END: u16 = 0;
const FLAGS: u16 = 6;
const TIMESTAMP: u16 = 7;
const SINGLE_HOST: u16 = 8;
const TARGET_NAME: u16 = 9;
const CHANNEL_BINDINGS: u16 = 10;
/// In the flags: there is an integrity code.
const HAS_INTEGRITY: u32 = 2;

/// An account of a Windows domain. Its password is never shown.
pub struct Account {
    user: String,
    domain: String,
    password: String,
}

impl Account {
    /// By `DOMAIN\name`, or `name@domain`, which the server looks up whole.
    pub fn new(user: &str, password: impl Into<String>) -> Self {
        let (domain, user) = user.split_once('\\').unwrap_or(("", user));
        Self { user: user.to_owned(), domain: domain.to_owned(), password: password.into() }
    }

    /// What stands for the password from here on: `NTOWFv2` (§3.3.2).
    fn secret(&self) -> [u8; 16] {
        let password: [u8; 16] = Md4::digest(utf16(&self.password)).into();
        hmac_md5(&password, &[&utf16(&upper(&self.user)), &utf16(&self.domain)])
    }
}

/// As Windows does it, character by character: what becomes two letters, as `ß`, stays.
fn upper(text: &str) -> String {
    let one = |letter: char| {
        let mut upper = letter.to_uppercase();
        if upper.len() == 1 { upper.next().unwrap_or(letter) } else { letter }
    };
    text.chars().map(one).collect()
}

/// The first message.
pub fn negotiate() -> Vec<u8> {
    let mut message = [&SIGNATURE[..], &1_u32.to_le_bytes(), &ASKED.to_le_bytes()].concat();
    // Neither a domain nor a workstation.
    message.extend([0; 16]);
    message.extend(OUR_VERSION);
    message
}

/// It is not a message of NTLM, or of one that we do not speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a challenge of NTLM")]
pub struct NotAChallenge;

/// The second message, the server's.
#[derive(Debug)]
pub struct Challenge<'a> {
    whole: &'a [u8],
    flags: u32,
    challenge: [u8; 8],
    /// Kind and value, without the end.
    target: Vec<(u16, &'a [u8])>,
}

impl<'a> Challenge<'a> {
    /// Reads one.
    ///
    /// # Errors
    /// [`NotAChallenge`], also for one of a server that knows no Unicode.
    pub fn read(whole: &'a [u8]) -> Result<Self, NotAChallenge> {
        let at = |from: usize, length: usize| whole.get(from..from + length).ok_or(NotAChallenge);
        if whole.len() > LONGEST_CHALLENGE || at(0, 8)? != SIGNATURE || number(at(8, 4)?) != 2 {
            return Err(NotAChallenge);
        }
        let flags = number(at(20, 4)?);
        if flags & UNICODE == 0 {
            return Err(NotAChallenge);
        }
        let challenge = at(24, 8)?.try_into().map_err(|_| NotAChallenge)?;
        // Length and place of the information; a message without it ends before.
        let target = match (whole.get(40..42), whole.get(44..48)) {
            (Some(length), Some(place)) => pairs(whole, number(place) as usize, number(length) as usize)?,
            _ => Vec::new(),
        };
        Ok(Self { whole, flags, challenge, target })
    }

    /// The third message: it shows that we know the password, to this target and over this connection.
    pub fn answer(&self, account: &Account, proof: &Proof<'_>) -> Vec<u8> {
        let secret = account.secret();
        let (stamp, given) = match self.target.iter().find(|(kind, value)| *kind == TIMESTAMP && value.len() == 8) {
            Some((_, stamp)) => (stamp.to_vec(), true),
            None => (file_time(proof.now).to_vec(), false),
        };
        let (newer, session_key) = shown(&secret, self.challenge, &stamp, proof.nonce, &self.target(proof));
        // A server that says its time wants no answer of the older kind (§3.1.5.1.2).
        let older = if given {
            vec![0; 24]
        } else {
            [&hmac_md5(&secret, &[&self.challenge, &proof.nonce])[..], &proof.nonce].concat()
        };
        let mut message = self.third(account, &older, &newer);
        let integrity = hmac_md5(&session_key, &[proof.negotiate, self.whole, &message]);
        message[INTEGRITY].copy_from_slice(&integrity);
        message
    }

    /// What the server said of itself, and what we say of it: whom we mean, over which connection, and that the messages are whole.
    fn target(&self, proof: &Proof<'_>) -> Vec<u8> {
        let ours = [FLAGS, SINGLE_HOST, TARGET_NAME, CHANNEL_BINDINGS];
        let mut bytes = Vec::new();
        let mut add = |kind: u16, value: &[u8]| {
            bytes.extend(kind.to_le_bytes());
            bytes.extend(u16::try_from(value.len()).unwrap_or_default().to_le_bytes());
            bytes.extend(value);
        };
        for (kind, value) in self.target.iter().filter(|(kind, _)| !ours.contains(kind)) {
            add(*kind, value);
        }
        let flags = self.target.iter().find(|(kind, value)| *kind == FLAGS && value.len() == 4);
        let flags = flags.map_or(0, |(_, value)| number(value));
        add(FLAGS, &(flags | HAS_INTEGRITY).to_le_bytes());
        // All zeros say that there is none.
        add(CHANNEL_BINDINGS, &proof.binding.unwrap_or_default());
        add(TARGET_NAME, &utf16(&format!("HTTP/{}", proof.host)));
        add(END, &[]);
        bytes
    }

    /// The third message with zeros for its integrity code.
    fn third(&self, account: &Account, older: &[u8], newer: &[u8]) -> Vec<u8> {
        let mut head = [&SIGNATURE[..], &3_u32.to_le_bytes()].concat();
        let mut payload: Vec<u8> = Vec::new();
        // Neither a workstation nor, as none is exchanged, a key.
        for part in [older, newer, &utf16(&account.domain), &utf16(&account.user), &[], &[]] {
            let length = u16::try_from(part.len()).unwrap_or_default().to_le_bytes();
            let place = u32::try_from(AUTHENTICATE_HEAD + payload.len()).unwrap_or_default();
            head.extend([length, length].concat());
            head.extend(place.to_le_bytes());
            payload.extend(part);
        }
        head.extend((self.flags & ASKED).to_le_bytes());
        head.extend(OUR_VERSION);
        head.extend([0; 16]);
        head.extend(payload);
        head
    }
}

/// The answer to a challenge, `NTLMv2_CLIENT_CHALLENGE` after its proof, and the session's key (§3.3.2).
fn shown(secret: &[u8; 16], challenge: [u8; 8], stamp: &[u8], nonce: [u8; 8], target: &[u8]) -> (Vec<u8>, [u8; 16]) {
    let temp = [&[1, 1, 0, 0, 0, 0, 0, 0], stamp, &nonce, &[0; 4], target, &[0; 4]].concat();
    let proof = hmac_md5(secret, &[&challenge, &temp]);
    ([&proof[..], &temp].concat(), hmac_md5(secret, &[&proof]))
}

/// What goes into an answer beside the account.
pub struct Proof<'a> {
    /// The first message, as it was sent.
    pub negotiate: &'a [u8],
    /// The server's name, as the address has it.
    pub host: &'a str,
    /// The connection; see [`super::binding`].
    pub binding: Option<[u8; 16]>,
    /// Eight random bytes.
    pub nonce: [u8; 8],
    /// For servers that do not say what time it is.
    pub now: Timestamp,
}

/// The pieces of information at a place, up to their end.
fn pairs(whole: &[u8], place: usize, length: usize) -> Result<Vec<(u16, &[u8])>, NotAChallenge> {
    let end = place.checked_add(length).ok_or(NotAChallenge)?;
    let mut rest = whole.get(place..end).ok_or(NotAChallenge)?;
    let mut pairs = Vec::new();
    while let Some((head, after)) = rest.split_at_checked(4) {
        let (kind, length) = (u16::from_le_bytes([head[0], head[1]]), u16::from_le_bytes([head[2], head[3]]));
        if kind == END {
            break;
        }
        let (value, after) = after.split_at_checked(usize::from(length)).ok_or(NotAChallenge)?;
        pairs.push((kind, value));
        rest = after;
    }
    Ok(pairs)
}

/// In the order of bytes of the messages.
fn number(bytes: &[u8]) -> u32 {
    bytes.iter().rev().fold(0, |number, byte| number << 8 | u32::from(*byte))
}

fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

/// Tenths of microseconds since 1601.
fn file_time(now: Timestamp) -> [u8; 8] {
    let tenths = (now.as_second() + TO_UNIX) * 10_000_000 + i64::from(now.subsec_nanosecond()) / 100;
    tenths.to_le_bytes()
}

fn hmac_md5(key: &[u8; 16], parts: &[&[u8]]) -> [u8; 16] {
    // Of 16 bytes: shorter than a block, which is what the key of an HMAC is filled up to (RFC 2104 §2).
    let mut block = [0; 64];
    block[..16].copy_from_slice(key);
    let mut mac = Hmac::<Md5>::new(&block.into());
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests;
