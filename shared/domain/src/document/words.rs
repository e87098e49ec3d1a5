//! What somebody writes about a document.

use serde::{Deserialize, Serialize};

use crate::person::{is_unseen, nfc};

/// What a document is called: 1 to 200 characters in one line, none of them unseen or turning the direction of others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Title(String);

impl Title {
    /// Most characters.
    pub const MAX: usize = 200;

    /// As it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Title {
    type Error = &'static str;
    fn try_from(text: String) -> Result<Self, &'static str> {
        let title = nfc(text.trim());
        let sound =
            (1..=Self::MAX).contains(&title.chars().count()) && !title.chars().any(|c| c.is_control() || is_unseen(c));
        if sound { Ok(Self(title)) } else { Err("title") }
    }
}

impl From<Title> for String {
    fn from(title: Title) -> Self {
        title.0
    }
}

/// SHA-256 of a file, in hexadecimal as `sha256sum` writes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Sha256([u8; 32]);

impl Sha256 {
    /// The bytes.
    pub const fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Of those bytes.
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl TryFrom<String> for Sha256 {
    type Error = &'static str;
    fn try_from(text: String) -> Result<Self, &'static str> {
        let mut bytes = [0; 32];
        if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err("sha256");
        }
        for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            let pair = std::str::from_utf8(pair).map_err(|_| "sha256")?;
            *byte = u8::from_str_radix(pair, 16).map_err(|_| "sha256")?;
        }
        Ok(Self(bytes))
    }
}

impl From<Sha256> for String {
    fn from(hash: Sha256) -> Self {
        hash.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// Length of a file, 1 to [`super::MAX_BYTES`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "u64")]
pub struct Size(u64);

impl Size {
    /// In bytes.
    pub const fn bytes(self) -> u64 {
        self.0
    }
}

impl TryFrom<u64> for Size {
    type Error = &'static str;
    fn try_from(bytes: u64) -> Result<Self, &'static str> {
        if (1..=super::MAX_BYTES).contains(&bytes) { Ok(Self(bytes)) } else { Err("size") }
    }
}

/// In JSON `7.0` is a whole number, too (JSON Schema 2020-12 §6.1.1).
impl TryFrom<f64> for Size {
    type Error = &'static str;
    fn try_from(bytes: f64) -> Result<Self, &'static str> {
        if bytes.fract() != 0.0 || !(0.0..=9e15).contains(&bytes) {
            return Err("size");
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a whole number below 2^53")]
        Self::try_from(bytes as u64)
    }
}

impl From<Size> for u64 {
    fn from(size: Size) -> Self {
        size.0
    }
}

/// A language, ISO 639: `fr`, `en`, `gsw`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Language(String);

impl Language {
    /// As it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for Language {
    fn default() -> Self {
        Self("fr".into())
    }
}

impl TryFrom<String> for Language {
    type Error = &'static str;
    fn try_from(text: String) -> Result<Self, &'static str> {
        let sound = (2..=3).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_lowercase());
        if sound { Ok(Self(text)) } else { Err("language") }
    }
}

impl From<Language> for String {
    fn from(language: Language) -> Self {
        language.0
    }
}
