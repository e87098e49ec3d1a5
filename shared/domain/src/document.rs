//! Documents: what they are, how large, in what state, for how long they are kept (FHIR `DocumentReference`).

mod types;
mod words;

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

pub use types::TYPES;
pub use words::{Language, Sha256, Size, Title};

/// Largest file, in bytes.
pub const MAX_BYTES: u64 = 200 << 20;
/// A larger file is sent in parts, in bytes.
pub const WHOLE_BYTES: u64 = 50 << 20;
/// Length of a part that is sent, in bytes; the last one is shorter.
pub const PART_BYTES: u64 = 16 << 20;
/// How long a signed request to send bytes is good for.
pub const UPLOAD_LIFE: SignedDuration = SignedDuration::from_mins(15);
/// How long a link to a document's bytes is good for.
pub const LINK_LIFE: SignedDuration = SignedDuration::from_secs(120);
/// An upload that nobody completed by then is given up; bytes that nobody knows are removed after as long.
pub const ABANDONED_AFTER: SignedDuration = SignedDuration::from_hours(24);

/// A type of document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DocumentType {
    /// LOINC, or `TRE_A05`.
    pub code: &'static str,
    /// In French.
    pub label_fr: &'static str,
    /// In English.
    pub label_en: &'static str,
    /// Whether it says nothing of health: what those who work in administration see and deposit.
    pub administrative: bool,
}

/// The type of that code.
pub fn type_of(code: &str) -> Option<&'static DocumentType> {
    TYPES.iter().find(|it| it.code == code)
}

/// A code of [`TYPES`], as somebody sent it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TypeCode(&'static DocumentType);

impl TypeCode {
    /// What it stands for.
    pub const fn of(self) -> &'static DocumentType {
        self.0
    }

    /// As it is written.
    pub const fn as_str(self) -> &'static str {
        self.0.code
    }
}

impl TryFrom<String> for TypeCode {
    type Error = &'static str;
    fn try_from(code: String) -> Result<Self, &'static str> {
        type_of(&code).map(Self).ok_or("document-type")
    }
}

impl From<TypeCode> for String {
    fn from(code: TypeCode) -> Self {
        code.as_str().to_owned()
    }
}

/// Media types that may be announced; what a file really is, is looked at in its bytes.
pub const MEDIA_TYPES: [&str; 6] =
    ["application/pdf", "image/jpeg", "image/png", "image/webp", "image/tiff", "text/plain"];

/// A media type of [`MEDIA_TYPES`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct MediaType(usize);

impl MediaType {
    /// As it is written.
    pub const fn as_str(self) -> &'static str {
        MEDIA_TYPES[self.0]
    }

    /// What a file of that type is called at its end.
    pub fn extension(self) -> &'static str {
        match self.as_str() {
            "application/pdf" => "pdf",
            "image/jpeg" => "jpg",
            "image/png" => "png",
            "image/webp" => "webp",
            "image/tiff" => "tiff",
            _ => "txt",
        }
    }
}

impl TryFrom<String> for MediaType {
    type Error = &'static str;
    fn try_from(name: String) -> Result<Self, &'static str> {
        MEDIA_TYPES.into_iter().position(|it| it == name).map(Self).ok_or("media-type")
    }
}

impl From<MediaType> for String {
    fn from(name: MediaType) -> Self {
        name.as_str().to_owned()
    }
}

/// Clients are told every word there is.
#[cfg(feature = "openapi")]
mod schema {
    use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
    use utoipa::openapi::{RefOr, RefOr::T};

    fn one_of(words: impl Iterator<Item = &'static str>) -> RefOr<Schema> {
        T(ObjectBuilder::new().schema_type(Type::String).enum_values(Some(words)).into())
    }

    impl utoipa::PartialSchema for super::TypeCode {
        fn schema() -> RefOr<Schema> {
            one_of(super::TYPES.iter().map(|it| it.code))
        }
    }
    impl utoipa::ToSchema for super::TypeCode {}

    impl utoipa::PartialSchema for super::MediaType {
        fn schema() -> RefOr<Schema> {
            one_of(super::MEDIA_TYPES.into_iter())
        }
    }
    impl utoipa::ToSchema for super::MediaType {}
}

/// How a version of a document stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum State {
    /// Its bytes are to come.
    AwaitingUpload,
    /// Its bytes are there and are being looked at.
    Checking,
    /// The scanner for malware is away: it is looked at again by itself.
    Quarantined,
    /// It was looked at and is not taken: see the reason.
    Refused,
    /// It can be read.
    Available,
    /// Who deposited it took it back.
    Withdrawn,
    /// It was kept as long as it had to be.
    Purged,
}

/// A part of a file that is sent in parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slice {
    /// From 1 on.
    pub number: u16,
    /// In bytes.
    pub length: u64,
}

/// The parts in which a file of that many bytes is sent; none for one that is sent whole.
pub fn slices(bytes: u64) -> Vec<Slice> {
    if bytes <= WHOLE_BYTES {
        return Vec::new();
    }
    let length = |at: u64| PART_BYTES.min(bytes - at * PART_BYTES);
    (0..bytes.div_ceil(PART_BYTES))
        .filter_map(|at| Some(Slice { number: u16::try_from(at + 1).ok()?, length: length(at) }))
        .collect()
}

/// A range of bytes that was asked for, within so many: from, and up to but not including.
///
/// # Errors
/// When it is one range of bytes and none of it is there (RFC 9110 §14.1.2). What is no range, or several, is none: the whole.
pub fn byte_range(header: Option<&str>, length: u64) -> Result<Option<(u64, u64)>, Unsatisfiable> {
    let Some((from, to)) = header.and_then(|it| it.strip_prefix("bytes=")).and_then(|it| it.split_once('-')) else {
        return Ok(None);
    };
    // `parse` takes a sign, which RFC 9110 does not.
    let number = |text: &str| text.trim().parse::<u64>().ok().filter(|_| !text.contains('+'));
    let range = match (number(from), number(to)) {
        (Some(from), Some(to)) if from <= to => (from, to.saturating_add(1).min(length)),
        (Some(from), None) if to.trim().is_empty() => (from, length),
        (None, Some(last)) if from.trim().is_empty() => (length.saturating_sub(last), length),
        _ => return Ok(None),
    };
    if range.0 < range.1 { Ok(Some(range)) } else { Err(Unsatisfiable) }
}

/// Nothing of that range is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("nothing of that range is there")]
pub struct Unsatisfiable;

/// A name for a file that no system takes for anything else: letters, digits, blanks and few signs of the title, at most 80
/// characters, and the end that its type has.
pub fn file_name(title: &str, media_type: &str) -> String {
    let extension = MediaType::try_from(media_type.to_owned()).map_or("bin", MediaType::extension);
    let safe = |c: char| if c.is_alphanumeric() || " -_()’".contains(c) { c } else { ' ' };
    let cleaned: String = title.chars().map(safe).take(80).collect();
    let words: Vec<&str> = cleaned.split_whitespace().collect();
    let name = if words.is_empty() { "document".to_owned() } else { words.join(" ") };
    format!("{name}.{extension}")
}

#[cfg(test)]
mod tests;
