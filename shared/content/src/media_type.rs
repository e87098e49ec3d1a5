use std::fmt;
use std::str::FromStr;

/// The types of files that are taken. Requirement: letters, scans and photographs that every browser shows by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MediaType {
    /// `application/pdf`
    Pdf,
    /// `image/jpeg`
    Jpeg,
    /// `image/png`
    Png,
    /// `image/webp`, still pictures only
    WebP,
    /// `image/tiff`
    Tiff,
    /// `text/plain`, in UTF-8
    Text,
}

/// A media type that is not among those taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("files of this type are not taken: {}", MediaType::ALL.map(MediaType::as_str).join(", "))]
pub struct MediaTypeNotTaken;

impl MediaType {
    /// Every type that is taken.
    pub const ALL: [Self; 6] = [Self::Pdf, Self::Jpeg, Self::Png, Self::WebP, Self::Tiff, Self::Text];

    /// As in `Content-Type`, without parameters.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pdf => "application/pdf",
            Self::Jpeg => "image/jpeg",
            Self::Png => "image/png",
            Self::WebP => "image/webp",
            Self::Tiff => "image/tiff",
            Self::Text => "text/plain",
        }
    }

    /// Whether it is a picture, which [`cleaned`](crate::cleaned) may have something to remove from.
    pub const fn is_picture(self) -> bool {
        matches!(self, Self::Jpeg | Self::Png | Self::WebP | Self::Tiff)
    }
}

impl fmt::Display for MediaType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for MediaType {
    type Err = MediaTypeNotTaken;

    /// Case does not matter. Of parameters only `charset=utf-8` of a text is taken.
    fn from_str(text: &str) -> Result<Self, MediaTypeNotTaken> {
        let (essence, parameters) = text.split_once(';').map_or((text, None), |(essence, rest)| (essence, Some(rest)));
        let essence = essence.trim();
        let found = Self::ALL.into_iter().find(|known| known.as_str().eq_ignore_ascii_case(essence));
        let found = found.ok_or(MediaTypeNotTaken)?;
        match parameters.map(|rest| rest.trim().replace('"', "").to_ascii_lowercase()).as_deref() {
            None => Ok(found),
            Some("charset=utf-8") if found == Self::Text => Ok(found),
            Some(_) => Err(MediaTypeNotTaken),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_is_read_as_it_is_written() {
        for known in MediaType::ALL {
            assert_eq!(known.to_string().parse(), Ok(known));
            assert_eq!(known.as_str().to_uppercase().parse(), Ok(known));
        }
        assert_eq!("text/plain; charset=\"UTF-8\"".parse(), Ok(MediaType::Text));
    }

    #[test]
    fn other_types_and_parameters_are_not_taken() {
        for other in ["", "text/html", "image/svg+xml", "image/jpg", "text/plain;charset=utf-16", "image/png;q=1"] {
            assert_eq!(other.parse::<MediaType>(), Err(MediaTypeNotTaken), "{other}");
        }
    }
}
