//! JPEG: a chain of segments, then pixels, and with many telephones more pictures and films after the end.

use std::io::BufRead;

use super::{Picture, check_size};
use crate::source::{Piece, Source};
use crate::{InspectError, Limits, Refusal, kind};

/// Segments of one picture: 4,096. Colour profiles have 255 at most, and maps of depth in extended XMP some hundred; of the
/// largest segments there are, no file has more than 3,200.
const MOST_SEGMENTS: u32 = 4096;
/// Bytes in which a marker is as a rule, and within which it has to be: fill bytes may come before it.
const MARKER: usize = 16;
const MOST_FILL: usize = 64 << 10;
/// Scans of one picture: progressive ones have about ten. Each makes a decoder go through all pixels again.
const MOST_SCANS: u32 = 100;
const EXIF: &[u8] = b"Exif\0\0";
const XMP: &[u8] = b"http://ns.adobe.com/x";
const JFIF: &[u8] = b"JFIF\0";
const ICC: &[u8] = b"ICC_PROFILE\0";
const ADOBE: &[u8] = b"Adobe";

pub(super) fn read(source: &mut Source, limits: &Limits) -> Result<Picture, InspectError> {
    let mut picture = Picture::new();
    picture.keep(0, 2);
    let (mut position, mut scans, mut segments) = (2, 0, 0);
    loop {
        segments += 1;
        if segments > MOST_SEGMENTS {
            return Err(Refusal::Bomb.into());
        }
        let (at, marker) = next_marker(source, position)?;
        // Fill bytes before a marker say nothing, and are left out.
        match marker {
            0xd9 => {
                picture.keep(at, 2);
                position = at + 2;
                break;
            }
            // Markers without a length where none belongs.
            0x00 | 0x01 | 0xd0..=0xd8 => return Err(Refusal::Malformed("a marker that belongs elsewhere").into()),
            _ => {}
        }
        let head = source.at(at, 4)?;
        let len = u64::from(u16::from_be_bytes([head[2], head[3]]));
        if len < 2 {
            return Err(Refusal::Malformed("a segment without its length").into());
        }
        let payload = source.at(at + 4, usize::try_from(len - 2).unwrap_or(0))?;
        let whole = 2 + len;
        match marker {
            0xe0..=0xef | 0xfe => application(&mut picture, marker, at, &payload)?,
            0xc0..=0xc2 => {
                frame(&mut picture, marker, &payload, limits)?;
                picture.keep(at, whole);
            }
            // Arithmetic, lossless and hierarchical ones, which no browser shows.
            0xc3 | 0xc5..=0xc7 | 0xc8..=0xcb | 0xcd..=0xcf | 0xde | 0xdf => {
                return Err(Refusal::Malformed("a kind of JPEG that is not shown").into());
            }
            0xda => {
                scans += 1;
                if picture.pixels == (0, 0) {
                    return Err(Refusal::Malformed("pixels before their size").into());
                }
                if scans > MOST_SCANS {
                    return Err(Refusal::Bomb.into());
                }
                let end = end_of_scan(source, at + whole)?;
                picture.keep(at, end - at);
                position = end;
                continue;
            }
            // Tables, restart intervals, the number of lines.
            0xc4 | 0xdb | 0xdc | 0xdd => picture.keep(at, whole),
            _ => picture.removes = true,
        }
        position = at + whole;
    }
    if scans == 0 {
        return Err(Refusal::Malformed("no pixels").into());
    }
    after_the_end(source, position, &mut picture)?;
    Ok(picture)
}

/// Where the next marker stands, and which it is.
fn next_marker(source: &mut Source, position: u64) -> Result<(u64, u8), InspectError> {
    let mut bytes = source.up_to(position, MARKER)?;
    if bytes.iter().all(|byte| *byte == 0xff) {
        bytes = source.up_to(position, MOST_FILL)?;
    }
    match bytes.iter().position(|byte| *byte != 0xff) {
        None => Err(Refusal::Truncated.into()),
        Some(0) => Err(Refusal::Malformed("no marker where one belongs").into()),
        Some(at) => Ok((position + at as u64 - 1, bytes[at])),
    }
}

fn frame(picture: &mut Picture, marker: u8, payload: &[u8], limits: &Limits) -> Result<(), InspectError> {
    let &[precision, h0, h1, w0, w1, components, ..] = payload else {
        return Err(Refusal::Malformed("a frame without its size").into());
    };
    if picture.pixels != (0, 0) {
        return Err(Refusal::Malformed("two frames").into());
    }
    if precision != 8 || !matches!(components, 1 | 3 | 4) || payload.len() != 6 + 3 * usize::from(components) {
        return Err(Refusal::Malformed("a kind of JPEG that is not shown").into());
    }
    picture.pixels = (u32::from(u16::from_be_bytes([w0, w1])), u32::from(u16::from_be_bytes([h0, h1])));
    picture.progressive = marker == 0xc2;
    Ok(check_size(picture.pixels, limits)?)
}

/// Application segments and comments: what pixels need to be shown rightly stays, all else goes.
fn application(picture: &mut Picture, marker: u8, at: u64, payload: &[u8]) -> Result<(), InspectError> {
    if kind::is_page(payload) {
        return Err(Refusal::Polyglot.into());
    }
    let whole = 4 + payload.len() as u64;
    match marker {
        // The size of the thumbnail that follows is in the last two of fourteen bytes.
        0xe0 if payload.starts_with(JFIF) && payload.len() >= 14 => {
            if payload.len() == 14 {
                picture.keep(at, whole);
            } else {
                picture.removes = true;
                let mut bare = vec![0xff, 0xe0, 0, 16];
                bare.extend(&payload[..12]);
                bare.extend([0, 0]);
                picture.pieces.push(Piece::Write(bare));
            }
        }
        0xe1 if payload.starts_with(EXIF) => {
            if let Some(left) = picture.take_exif(&payload[EXIF.len()..]) {
                let mut segment = vec![0xff, 0xe1];
                segment.extend(u16::try_from(2 + EXIF.len() + left.len()).unwrap_or(0).to_be_bytes());
                segment.extend(EXIF);
                segment.extend(left);
                picture.pieces.push(Piece::Write(segment));
            }
        }
        0xe1 if payload.starts_with(XMP) => picture.take_xmp(payload),
        0xe2 if payload.starts_with(ICC) => picture.keep(at, whole),
        // How colours are mixed; without it they turn out wrong.
        0xee if payload.starts_with(ADOBE) => picture.keep(at, whole),
        _ => picture.removes = true,
    }
    Ok(())
}

/// Goes through the pixels up to the next marker that is none of theirs.
fn end_of_scan(source: &mut Source, from: u64) -> Result<u64, InspectError> {
    let deadline = source.deadline;
    let mut reader = source.from(from)?;
    let mut position = from;
    let mut after_ff = false;
    loop {
        deadline.check()?;
        let window = reader.fill_buf()?;
        if window.is_empty() {
            return Err(Refusal::Truncated.into());
        }
        let mut at = 0;
        while at < window.len() {
            if after_ff {
                match window[at] {
                    0xff => {}
                    0x00 | 0xd0..=0xd7 => after_ff = false,
                    _ => return Ok(position + at as u64 - 1),
                }
                at += 1;
            } else if let Some(next) = memchr::memchr(0xff, &window[at..]) {
                at += next + 1;
                after_ff = true;
            } else {
                at = window.len();
            }
        }
        let read = window.len();
        position += read as u64;
        reader.consume(read);
    }
}

/// Telephones write more after the end: the same picture with other light, smaller ones (multi-picture format), the seconds
/// before (a film), notes of the maker. The copy has none of it; whatever else stands there is not a photograph's.
fn after_the_end(source: &mut Source, end: u64, picture: &mut Picture) -> Result<(), InspectError> {
    if end == source.len {
        return Ok(());
    }
    picture.removes = true;
    let head = source.up_to(end, 4096)?;
    let first = head.iter().position(|byte| *byte != 0);
    let tail = source.up_to(source.len.saturating_sub(8).max(end), 8)?;
    let of_a_telephone = match first {
        None => head.len() < 4096,
        Some(at) => head[at..].starts_with(b"\xff\xd8\xff") || head.get(at..at + 64).is_some_and(is_film),
    };
    if !of_a_telephone && !tail.ends_with(b"SEFT") {
        return Err(Refusal::Polyglot.into());
    }
    for other in [&b"%PDF-"[..], b"PK\x03\x04", b"<script", b"<html"] {
        if source.find(other, end, source.len)?.is_some() {
            return Err(Refusal::Polyglot.into());
        }
    }
    Ok(())
}

fn is_film(head: &[u8]) -> bool {
    memchr::memmem::find(head, b"ftyp").is_some_and(|at| at <= 24)
}
