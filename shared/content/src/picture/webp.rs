//! WebP: a RIFF of chunks.

use super::{Picture, check_size};
use crate::source::{Piece, Source};
use crate::{InspectError, Limits, Refusal};

/// What VP8X says of the chunks that follow: the bits of EXIF, XMP, and moving pictures.
const HAS_EXIF: u8 = 0x08;
const HAS_XMP: u8 = 0x04;
const MOVES: u8 = 0x02;
const MOST_CHUNKS: u32 = 64;
/// Bytes of EXIF and XMP.
const LARGEST_OTHER: u64 = 16 << 20;

pub(super) fn read(source: &mut Source, limits: &Limits) -> Result<Picture, InspectError> {
    let head = source.at(0, 12)?;
    let end = 8 + u64::from(little(&head[4..8]));
    // An odd length is followed by a byte that no length counts.
    let padded = end + end % 2;
    if source.len < end {
        return Err(Refusal::Truncated.into());
    }
    if source.len > padded {
        return Err(Refusal::Polyglot.into());
    }
    let mut picture = Picture::new();
    let (mut position, mut count, mut extended, mut has_pixels) = (12, 0, None, false);
    while position < end {
        count += 1;
        if count > MOST_CHUNKS {
            return Err(Refusal::Bomb.into());
        }
        let chunk = source.at(position, 8)?;
        let len = u64::from(little(&chunk[4..8]));
        // The last may lack its padding.
        let whole = (8 + len + len % 2).min(source.len - position);
        if position + 8 + len > end {
            return Err(Refusal::Truncated.into());
        }
        match &chunk[..4] {
            b"VP8X" if count == 1 && len >= 10 => {
                let about = source.at(position + 8, 10)?;
                if about[0] & MOVES != 0 {
                    return Err(Refusal::Malformed("a moving picture").into());
                }
                let side = |at: usize| 1 + u32::from_le_bytes([about[at], about[at + 1], about[at + 2], 0]);
                check_size((side(4), side(7)), limits)?;
                extended = Some((picture.pieces.len(), about));
                // Written anew at the end, when it is known what follows.
                picture.pieces.push(Piece::Write(vec![]));
            }
            name @ (b"VP8 " | b"VP8L") if !has_pixels => {
                has_pixels = true;
                let start = source.at(position + 8, usize::try_from(len.min(10)).unwrap_or(0))?;
                let size = if name == b"VP8 " { lossy(&start) } else { lossless(&start) };
                picture.pixels = size.ok_or(Refusal::Malformed("pixels without their size"))?;
                check_size(picture.pixels, limits)?;
                picture.keep(position, whole);
            }
            b"ALPH" | b"ICCP" => picture.keep(position, whole),
            b"EXIF" | b"XMP " if len > LARGEST_OTHER => return Err(Refusal::Bomb.into()),
            b"EXIF" => {
                let exif = source.at(position + 8, usize::try_from(len).unwrap_or(0))?;
                // Some writers begin it as JPEG does.
                let exif = exif.strip_prefix(b"Exif\0\0").unwrap_or(&exif);
                if let Some(left) = picture.take_exif(exif) {
                    let mut kept = b"EXIF".to_vec();
                    kept.extend(u32::try_from(left.len()).unwrap_or(0).to_le_bytes());
                    kept.extend(left);
                    picture.pieces.push(Piece::Write(kept));
                }
            }
            b"XMP " => {
                let xmp = source.at(position + 8, usize::try_from(len).unwrap_or(0))?;
                picture.take_xmp(&xmp);
            }
            b"ANIM" | b"ANMF" => return Err(Refusal::Malformed("a moving picture").into()),
            _ if has_pixels || extended.is_some() => picture.removes = true,
            _ => return Err(Refusal::Malformed("chunks in a wrong order").into()),
        }
        position += whole;
    }
    if !has_pixels {
        return Err(Refusal::Malformed("no pixels").into());
    }
    if let Some((at, mut about)) = extended {
        about[0] &= !(HAS_EXIF | HAS_XMP);
        if picture.orientation != 1 {
            about[0] |= HAS_EXIF;
        }
        let mut chunk = b"VP8X\x0a\0\0\0".to_vec();
        chunk.extend(about);
        picture.pieces[at] = Piece::Write(chunk);
    }
    let len: u64 = picture
        .pieces
        .iter()
        .map(|piece| match piece {
            Piece::Copy { len, .. } => *len,
            Piece::Write(bytes) => bytes.len() as u64,
        })
        .sum();
    let mut riff = b"RIFF".to_vec();
    riff.extend(u32::try_from(4 + len).map_err(|_| Refusal::TooLarge)?.to_le_bytes());
    riff.extend(b"WEBP");
    picture.pieces.insert(0, Piece::Write(riff));
    Ok(picture)
}

fn little(bytes: &[u8]) -> u32 {
    bytes.try_into().map_or(0, u32::from_le_bytes)
}

/// After the frame's tag and start code, fourteen bits each.
fn lossy(start: &[u8]) -> Option<(u32, u32)> {
    match start {
        [_, _, _, 0x9d, 0x01, 0x2a, w0, w1, h0, h1] => {
            let side = |low: &u8, high: &u8| u32::from(u16::from_le_bytes([*low, *high]) & 0x3fff);
            Some((side(w0, w1), side(h0, h1)))
        }
        _ => None,
    }
}

/// After the signature, fourteen bits each, less one.
fn lossless(start: &[u8]) -> Option<(u32, u32)> {
    let bits = match start {
        [0x2f, rest @ ..] => little(rest.get(..4)?),
        _ => return None,
    };
    Some((1 + (bits & 0x3fff), 1 + ((bits >> 14) & 0x3fff)))
}
