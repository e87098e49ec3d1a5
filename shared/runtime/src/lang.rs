//! French first, English second.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use http::HeaderMap;
use http::header::ACCEPT_LANGUAGE;
use http::request::Parts;
use serde::{Deserialize, Serialize};

/// A language of the product.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Lang {
    /// French, the default.
    #[default]
    Fr,
    /// English.
    En,
}

impl Lang {
    /// The best of ours for an `Accept-Language` header (RFC 9110 §12.5.4): highest weight first, French when in doubt.
    pub fn negotiate(header: Option<&str>) -> Self {
        let mut best = (Self::Fr, 0.0_f32);
        for range in header.unwrap_or_default().split(',') {
            let mut parts = range.split(';');
            let tag = parts.next().unwrap_or_default().trim().to_ascii_lowercase();
            let weight = parts
                .find_map(|part| part.trim().strip_prefix("q=").map(|q| q.trim().parse().unwrap_or(0.0)))
                .unwrap_or(1.0);
            let lang = match tag.split('-').next() {
                Some("fr") => Self::Fr,
                Some("en") => Self::En,
                _ => continue,
            };
            if weight > best.1 {
                best = (lang, weight);
            }
        }
        best.0
    }

    /// The best of ours for a request. Several lines are one list (RFC 9110 §5.3).
    pub fn of(headers: &HeaderMap) -> Self {
        let lines: Vec<&str> =
            headers.get_all(ACCEPT_LANGUAGE).iter().filter_map(|value| value.to_str().ok()).collect();
        Self::negotiate(Some(&lines.join(",")))
    }

    /// As in a `lang` attribute.
    pub fn tag(self) -> &'static str {
        match self {
            Self::Fr => "fr",
            Self::En => "en",
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Lang {
    type Rejection = Infallible;
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::of(&parts.headers))
    }
}

#[cfg(test)]
mod tests {
    use super::Lang;

    #[test]
    fn the_heaviest_language_of_ours_wins_and_french_is_the_default() {
        for (header, wanted) in [
            (None, Lang::Fr),
            (Some("de, es;q=0.8"), Lang::Fr),
            (Some("en"), Lang::En),
            (Some("en-GB,en;q=0.9,fr;q=0.8"), Lang::En),
            (Some("fr-CH, fr;q=0.9, en;q=0.8"), Lang::Fr),
            (Some("en;q=0.1, fr;q=0.9"), Lang::Fr),
            (Some("en;q=zebra"), Lang::Fr),
            (Some(";;;,,q="), Lang::Fr),
        ] {
            assert_eq!(Lang::negotiate(header), wanted, "{header:?}");
        }
    }
}
