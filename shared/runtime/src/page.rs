//! Lists: `{"items": […], "next_cursor": …}`.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64_URL;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{Kind, Problem};

/// One page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct Page<T> {
    /// The items, in a stable order.
    pub items: Vec<T>,
    /// Send it back as `cursor` for the next page; null on the last one.
    pub next_cursor: Option<String>,
}

/// How many items a page holds, `1..=MAX`, `DEFAULT` when not said.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(try_from = "String")]
pub struct Limit<const DEFAULT: i64, const MAX: i64>(i64);

impl<const DEFAULT: i64, const MAX: i64> TryFrom<String> for Limit<DEFAULT, MAX> {
    type Error = &'static str;
    fn try_from(text: String) -> Result<Self, &'static str> {
        text.parse().ok().filter(|limit| (1..=MAX).contains(limit)).map(Self).ok_or("limit")
    }
}

impl<const DEFAULT: i64, const MAX: i64> Default for Limit<DEFAULT, MAX> {
    fn default() -> Self {
        Self(DEFAULT)
    }
}

impl<const DEFAULT: i64, const MAX: i64> Limit<DEFAULT, MAX> {
    /// The number of items.
    pub fn get(self) -> i64 {
        self.0
    }

    /// The number of items, as a length.
    pub fn len(self) -> usize {
        usize::try_from(self.0).unwrap_or(0)
    }

    /// Never: a limit is at least 1.
    pub fn is_empty(self) -> bool {
        false
    }
}

/// Longest cursor, in characters.
pub const MAX_CURSOR: usize = 1000;

/// Where the next page begins, opaque to clients.
pub fn cursor<T: Serialize>(after: &T) -> Option<String> {
    serde_json::to_vec(after).ok().map(|bytes| BASE64_URL.encode(bytes))
}

/// Reads a cursor that [`cursor`] made.
///
/// # Errors
/// `field-invalid` for anything else.
pub fn parse_cursor<T: DeserializeOwned>(text: Option<&str>) -> Result<Option<T>, Problem> {
    text.map(|text| {
        Some(text)
            .filter(|text| text.len() <= MAX_CURSOR)
            .and_then(|text| BASE64_URL.decode(text).ok())
            .and_then(|bytes| serde_json::from_slice(&bytes).ok())
            .ok_or_else(|| Problem::new(Kind::FieldInvalid).field("cursor").hint("cursor"))
    })
    .transpose()
}
