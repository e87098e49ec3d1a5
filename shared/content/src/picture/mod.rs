//! Photographs and scans: what their containers hold, and what of it may be shown.

mod exif;
mod jpeg;
mod png;
mod preview;
mod shrink;
mod tiff;
mod webp;

pub(crate) use preview::preview;
pub(crate) use shrink::Shrink;

use crate::source::{Piece, Source};
use crate::{Finding, InspectError, Inspection, Limits, MediaType, Refusal};

/// A picture's container, read from its first to its last byte.
#[derive(Clone, Debug)]
pub(crate) struct Picture {
    pub pixels: (u32, u32),
    pub pages: Option<u32>,
    /// What the copy that may be shown is made of.
    pub pieces: Vec<Piece>,
    /// Whether that leaves anything out.
    pub removes: bool,
    /// Whether something says where it was taken.
    pub place: bool,
    /// Which way is up: 1 to 8, as EXIF has it.
    pub orientation: u8,
    /// A JPEG whose decoder has to hold all of it.
    pub progressive: bool,
}

impl Picture {
    fn new() -> Self {
        Self {
            pixels: (0, 0),
            pages: None,
            pieces: vec![],
            removes: false,
            place: false,
            orientation: 1,
            progressive: false,
        }
    }

    pub fn read(source: &mut Source, media_type: MediaType, limits: &Limits) -> Result<Self, InspectError> {
        match media_type {
            MediaType::Jpeg => jpeg::read(source, limits),
            MediaType::Png => png::read(source, limits),
            MediaType::WebP => webp::read(source, limits),
            MediaType::Tiff => tiff::read(source, limits),
            MediaType::Pdf | MediaType::Text => Err(Refusal::TypeUnknown.into()),
        }
    }

    /// What lies beside the picture and is kept, next to what is kept already.
    fn keep(&mut self, at: u64, len: u64) {
        match self.pieces.last_mut() {
            Some(Piece::Copy { at: before, len: so_far }) if *before + *so_far == at => *so_far += len,
            _ => self.pieces.push(Piece::Copy { at, len }),
        }
    }

    /// Takes what EXIF says, and gives what is left of it. Nothing when up is up.
    fn take_exif(&mut self, bytes: &[u8]) -> Option<Vec<u8>> {
        let exif = exif::read(bytes);
        self.place |= exif.place;
        self.orientation = exif.orientation;
        let left = (exif.orientation != 1).then(|| exif::of_orientation(exif.orientation));
        self.removes |= left.as_deref() != Some(bytes);
        left
    }

    fn take_xmp(&mut self, bytes: &[u8]) {
        self.removes = true;
        self.place |= memchr::memmem::find(bytes, b"GPSLatitude").is_some();
    }
}

fn check_size((width, height): (u32, u32), limits: &Limits) -> Result<(), Refusal> {
    if width == 0 || height == 0 {
        return Err(Refusal::Malformed("a picture without pixels"));
    }
    if u64::from(width) * u64::from(height) > limits.max_pixels {
        return Err(Refusal::TooManyPixels);
    }
    Ok(())
}

pub(crate) fn inspect(source: &mut Source, media_type: MediaType, limits: &Limits) -> Result<Inspection, InspectError> {
    let picture = Picture::read(source, media_type, limits)?;
    if media_type == MediaType::Png {
        png::check_pixels(source, limits)?;
    }
    let told = [(picture.place, Finding::Place), (picture.removes, Finding::Metadata)];
    let findings = told.into_iter().filter_map(|(is, finding)| is.then_some(finding)).collect();
    Ok(Inspection { media_type, pages: picture.pages, pixels: Some(picture.pixels), findings })
}
