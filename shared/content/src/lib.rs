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
mod kind;
mod limits;
mod media_type;
mod pdf;
mod picture;
mod plain;
mod source;

use std::fs::File;
use std::sync::Mutex;
use std::time::Duration;

pub use inspection::{Active, Finding, InspectError, Inspection, Refusal};
pub use limits::Limits;
pub use media_type::{MediaType, MediaTypeNotTaken};
use picture::Picture;
use source::Source;

/// Pictures and pages are opened one at a time in a process: what several take at once would add up. A panic of a decoder
/// leaves nothing behind that the next one would stumble over, so that a poisoned lock is as good.
static OPENING: Mutex<()> = Mutex::new(());

/// Judges a file from its first to its last byte, whatever its position is. Leaves the position anywhere.
///
/// # Errors
/// [`InspectError::Refused`] is the judgement; [`InspectError::Io`] says that the file could not be read and nothing about it.
pub fn inspect(file: &mut File, declared: MediaType, limits: &Limits) -> Result<Inspection, InspectError> {
    let source = &mut Source::new(file, limits.max_time)?;
    if source.len == 0 {
        return Err(Refusal::Empty.into());
    }
    if source.len > limits.max_bytes {
        return Err(Refusal::TooLarge.into());
    }
    let real = kind::real(source)?;
    if real != declared {
        return Err(Refusal::TypeDiffers { declared, real }.into());
    }
    match real {
        MediaType::Pdf => pdf::inspect(source, limits),
        MediaType::Text => plain::inspect(source),
        _ => picture::inspect(source, real, limits),
    }
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
pub fn cleaned(file: &mut File, media_type: MediaType, into: &mut File) -> Result<bool, InspectError> {
    cleaned_within(Limits::default().max_time, file, media_type, into)
}

fn cleaned_within(
    time: Duration, file: &mut File, media_type: MediaType, into: &mut File,
) -> Result<bool, InspectError> {
    if !media_type.is_picture() {
        return Ok(false);
    }
    // It was judged already, perhaps by other limits.
    let limits = Limits { max_pixels: u64::MAX, max_pages: u32::MAX, ..Limits::default() };
    let source = &mut Source::new(file, time)?;
    let picture = Picture::read(source, media_type, &limits)?;
    if picture.removes {
        source.copy(&picture.pieces, into)?;
    }
    Ok(picture.removes)
}

/// A JPEG of at most 512 pixels on the long side: of the picture, upright, or of the first page of a PDF.
///
/// None where there is none to be had within the limits: a text; a picture or page that would take more memory or time
/// than [`Limits`] grant; a page with scans in JBIG2 or JPEG 2000, whose decoders cannot be bounded beforehand; a PDF that
/// the renderer cannot draw. Only for a file that [`inspect`] let pass.
///
/// # Errors
/// [`InspectError::Io`] alone. That no picture could be made is not one: the file was judged before, and a small picture
/// that is not to be had does not make it a bad one.
pub fn preview(file: &mut File, media_type: MediaType, limits: &Limits) -> Result<Option<Vec<u8>>, InspectError> {
    none_if_refused(match media_type {
        MediaType::Text => Ok(None),
        MediaType::Pdf => pdf::preview(&mut Source::new(file, limits.max_time)?, limits),
        _ => {
            let _one_at_a_time = OPENING.lock();
            picture::preview(&mut Source::new(file, limits.max_time)?, media_type, limits)
        }
    })
}

/// The words of a text or a PDF, for searching: in the order of the file, at most [`Limits::max_text_bytes`].
/// None where there are none, as in pictures and in scans that nobody recognised the text of.
/// Only for a file that [`inspect`] let pass.
///
/// # Errors
/// [`InspectError::Io`] alone, as [`preview`].
pub fn text(file: &mut File, media_type: MediaType, limits: &Limits) -> Result<Option<String>, InspectError> {
    let source = &mut Source::new(file, limits.max_time)?;
    none_if_refused(match media_type {
        MediaType::Pdf => pdf::text(source, limits),
        MediaType::Text => plain::text(source, limits),
        _ => Ok(None),
    })
}

/// What goes beyond a limit only when it is drawn or read is no reason to refuse a file that was taken.
fn none_if_refused<T>(made: Result<Option<T>, InspectError>) -> Result<Option<T>, InspectError> {
    match made {
        Err(InspectError::Refused(_)) => Ok(None),
        made => made,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail")]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn no_picture_is_cleaned_past_the_deadline() {
        let (mut file, mut copy) = (tempfile::tempfile().unwrap(), tempfile::tempfile().unwrap());
        file.write_all(&[0; 64]).unwrap();
        for media_type in [MediaType::Jpeg, MediaType::Png, MediaType::WebP, MediaType::Tiff] {
            let late = cleaned_within(Duration::ZERO, &mut file, media_type, &mut copy);
            assert!(matches!(late, Err(InspectError::Refused(Refusal::Bomb))), "{media_type}: {late:?}");
            let damaged = cleaned(&mut file, media_type, &mut copy);
            assert!(matches!(damaged, Err(InspectError::Refused(it)) if it != Refusal::Bomb), "{media_type}");
        }
    }
}
