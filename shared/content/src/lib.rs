//! What a file really is, and what may be done with it.
//!
//! A file that a stranger sends is judged by its bytes alone: never by its name, nor by the type that was declared. What
//! is taken is a short list ([`MediaType`]); what could act when somebody opens it is refused ([`Active`]); what is merely
//! worth knowing is told ([`Finding`]). Photographs are rid of where and with what they were taken ([`cleaned`]), and a
//! picture of the first page ([`preview`]) and the words ([`text`]) are taken out for those who may see the file.
//!
//! All of it blocks, reads the open file piece by piece and is bounded by [`Limits`]: call it on a thread that may wait.
//! [`clamd`] is the exception, a conversation over a socket. A file that passes here is not thereby free of malware, nor
//! is one that the scanner finds clean thereby harmless: both must agree.
//!
//! ```no_run
//! # fn check(mut file: std::fs::File, mut copy: std::fs::File) -> Result<(), content::InspectError> {
//! let limits = content::Limits::default();
//! let media_type = "application/pdf".parse().expect("a type that is taken");
//! let inspection = content::inspect(&mut file, media_type, &limits)?;
//! let shown = if content::cleaned(&mut file, media_type, &mut copy)? { copy } else { file };
//! # Ok(()) }
//! ```

#[cfg(not(target_family = "wasm"))]
pub mod clamd;
mod inspection;
mod limits;
mod media_type;

use std::fs::File;

pub use inspection::{Active, Finding, InspectError, Inspection, Refusal};
pub use limits::Limits;
pub use media_type::{MediaType, MediaTypeNotTaken};

/// Judges a file from its first to its last byte, whatever its position is. Leaves the position anywhere.
///
/// # Errors
/// [`InspectError::Refused`] is the judgement; [`InspectError::Io`] says that the file could not be read and nothing about it.
pub fn inspect(_file: &mut File, _declared: MediaType, _limits: &Limits) -> Result<Inspection, InspectError> {
    Err(Refusal::TypeUnknown.into())
}

/// Writes a copy of a photograph without what tells where, when, by whom and with what it was taken: EXIF, GPS, XMP, IPTC,
/// maker notes, comments, thumbnails. The picture itself is copied bit by bit; which way is up is kept.
///
/// True when something was removed: then `into` (empty, and left at its end) holds the copy that may be shown. False when
/// the file holds nothing of that kind, or is no photograph: then it may be shown itself, and nothing was written.
/// Only for a file that [`inspect`] let pass.
///
/// # Errors
/// As [`inspect`]; and what writing says.
pub fn cleaned(_file: &mut File, _media_type: MediaType, _into: &mut File) -> Result<bool, InspectError> {
    Ok(false)
}

/// A JPEG of at most 512 pixels on the long side: of the picture, upright, or of the first page of a PDF.
///
/// None where there is none to be had within the limits: a text; a picture or page that would take more memory or time
/// than [`Limits`] grant; a PDF that the renderer cannot draw. Only for a file that [`inspect`] let pass.
///
/// # Errors
/// As [`inspect`]. That no picture could be made is not one.
pub fn preview(_file: &mut File, _media_type: MediaType, _limits: &Limits) -> Result<Option<Vec<u8>>, InspectError> {
    Ok(None)
}

/// The words of a text or a PDF, for searching: in the order of the file, at most [`Limits::max_text_bytes`].
/// None where there are none, as in pictures and in scans that nobody recognised the text of.
/// Only for a file that [`inspect`] let pass.
///
/// # Errors
/// As [`inspect`].
pub fn text(_file: &mut File, _media_type: MediaType, _limits: &Limits) -> Result<Option<String>, InspectError> {
    Ok(None)
}
