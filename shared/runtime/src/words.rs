//! Text from outside, in bounds.

use std::ops::Deref;

use serde::{Deserialize, Serialize};

/// At most `MAX` characters, none of them NUL, which PostgreSQL cannot store.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Words<const MAX: usize>(String);

impl<const MAX: usize> TryFrom<String> for Words<MAX> {
    type Error = &'static str;
    fn try_from(text: String) -> Result<Self, &'static str> {
        let sound = text.chars().count() <= MAX && !text.contains('\0');
        if sound { Ok(Self(text)) } else { Err("words") }
    }
}

impl<const MAX: usize> From<Words<MAX>> for String {
    fn from(words: Words<MAX>) -> Self {
        words.0
    }
}

impl<const MAX: usize> Deref for Words<MAX> {
    type Target = str;
    fn deref(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::Words;

    #[test]
    fn words_are_counted_in_characters_and_hold_no_nul() {
        assert!(Words::<3>::try_from("é😀a".to_owned()).is_ok());
        for bad in ["abcd", "a\0"] {
            assert_eq!(Words::<3>::try_from(bad.to_owned()), Err("words"), "{bad:?}");
        }
    }
}
