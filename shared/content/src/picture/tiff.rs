//! TIFF, as scanners write it: directories of tags, each of a page, and strips or tiles of pixels anywhere.
//!
//! What the pixels need is copied into a new file, page by page; what lies elsewhere stays behind with the rest.

use std::collections::HashSet;

use super::exif::Order;
use super::{Picture, check_size};
use crate::source::{Piece, Source};
use crate::{InspectError, Limits, Refusal};

/// Tags that the pixels need: sizes, kinds, colours, compression, resolution, the number of the page. Sorted.
const OF_THE_PIXELS: [u16; 38] = [
    254, 255, 256, 257, 258, 259, 262, 263, 264, 265, 266, 273, 274, 277, 278, 279, 280, 281, 282, 283, 284, 290, 291,
    292, 293, 296, 297, 301, 317, 318, 319, 320, 322, 323, 324, 325, 338, 339,
];
/// Also needed, but far behind in the order of tags: tables of JPEG, YCbCr, the colour profile.
const OF_THE_PIXELS_TOO: [u16; 6] = [347, 529, 530, 531, 532, 34675];
const WIDTH: u16 = 256;
const HEIGHT: u16 = 257;
const ORIENTATION: u16 = 274;
/// Where strips and tiles lie, and beside it how long they are.
const STRIPS: (u16, u16) = (273, 279);
const TILES: (u16, u16) = (324, 325);
const GPS: u16 = 0x8825;
const LONG: u16 = 4;
/// Strips and tiles of a page.
const MOST_PARTS: u32 = 200_000;
/// Strips and tiles of all pages.
const MOST_PARTS_IN_ALL: usize = 400_000;
/// Bytes of a value of another tag: colour profiles have some hundred thousand.
const LARGEST_VALUE: u64 = 4 << 20;

struct Entry {
    tag: u16,
    kind: u16,
    count: u32,
    /// As it lies in the file, in its order.
    value: Vec<u8>,
}

pub(super) fn read(source: &mut Source, limits: &Limits) -> Result<Picture, InspectError> {
    let head = source.at(0, 8)?;
    let order = Order::of(&head).ok_or(Refusal::TypeUnknown)?;
    let mut next = u64::from(order.u32(&head, 4).unwrap_or(0));
    let mut picture = Picture::new();
    let mut writer = Writer { order, at: 8, link: None, parts: 0, pieces: vec![] };
    writer.push(Piece::Write(head[..4].to_vec()), 0);
    let (mut seen, mut pages, mut used) = (HashSet::new(), 0, 8);
    while next != 0 {
        if !seen.insert(next) {
            return Err(Refusal::Malformed("pages in a circle").into());
        }
        pages += 1;
        if pages > limits.max_pages {
            return Err(Refusal::TooManyPages.into());
        }
        let (entries, after) = directory(source, order, next, &mut picture, &mut used)?;
        let number = |tag| entries.iter().find(|it: &&Entry| it.tag == tag).and_then(|it| it.number(order, 0));
        let size = (number(WIDTH).unwrap_or(0), number(HEIGHT).unwrap_or(0));
        check_size(size, limits)?;
        if pages == 1 {
            picture.pixels = size;
            picture.orientation =
                number(ORIENTATION).and_then(|it| u8::try_from(it).ok()).filter(|it| (1..=8).contains(it)).unwrap_or(1);
        }
        used += writer.page(source, &entries)?;
        next = after;
    }
    if pages == 0 {
        return Err(Refusal::Malformed("no page").into());
    }
    picture.pages = Some(pages);
    // Writers leave single bytes between parts so that they begin at even places.
    picture.removes |= source.len.saturating_sub(used) > 64 + 4 * writer.parts as u64;
    picture.pieces = writer.pieces;
    Ok(picture)
}

/// What of a directory is kept, and where the next one is.
fn directory(
    source: &mut Source, order: Order, at: u64, picture: &mut Picture, used: &mut u64,
) -> Result<(Vec<Entry>, u64), InspectError> {
    let count = usize::from(order.u16(&source.at(at, 2)?, 0).unwrap_or(0));
    let bytes = source.at(at + 2, 12 * count + 4)?;
    *used += 6 + 12 * count as u64;
    let mut entries = Vec::new();
    let mut before = 0;
    for entry in bytes[..12 * count].chunks_exact(12) {
        let tag = order.u16(entry, 0).unwrap_or(0);
        if !OF_THE_PIXELS.contains(&tag) && !OF_THE_PIXELS_TOO.contains(&tag) {
            picture.removes = true;
            picture.place |= tag == GPS;
            continue;
        }
        if tag <= before {
            return Err(Refusal::Malformed("tags in a wrong order").into());
        }
        before = tag;
        let (kind, count) = (order.u16(entry, 2).unwrap_or(0), order.u32(entry, 4).unwrap_or(0));
        let size = match kind {
            1 | 2 | 6 | 7 => 1,
            3 | 8 => 2,
            4 | 9 | 11 | 13 => 4,
            5 | 10 | 12 => 8,
            _ => return Err(Refusal::Malformed("a tag of an unknown kind").into()),
        };
        let len = u64::from(count) * size;
        if len > LARGEST_VALUE {
            return Err(Refusal::Bomb.into());
        }
        let len = usize::try_from(len).unwrap_or(0);
        let value = if len <= 4 {
            entry[8..8 + len].to_vec()
        } else {
            *used += len as u64;
            source.at(u64::from(order.u32(entry, 8).unwrap_or(0)), len)?
        };
        entries.push(Entry { tag, kind, count, value });
    }
    Ok((entries, u64::from(order.u32(&bytes, 12 * count).unwrap_or(0))))
}

impl Entry {
    fn number(&self, order: Order, index: usize) -> Option<u32> {
        match self.kind {
            3 => order.u16(&self.value, 2 * index).map(u32::from),
            4 => order.u32(&self.value, 4 * index),
            _ => None,
        }
    }
}

/// Puts pages one after the other: pixels, values, directory, and the link to it from the one before.
struct Writer {
    order: Order,
    /// Where the next piece comes to lie.
    at: u64,
    /// Which piece is the link that waits for its address. First that in the header.
    link: Option<usize>,
    parts: usize,
    pieces: Vec<Piece>,
}

impl Writer {
    fn push(&mut self, piece: Piece, len: u64) {
        self.at += len;
        self.pieces.push(piece);
        if self.link.is_none() {
            // After the first four bytes comes the first link.
            self.link = Some(self.pieces.len());
            self.pieces.push(Piece::Write(vec![0; 4]));
        }
    }

    fn write(&mut self, mut bytes: Vec<u8>) -> u64 {
        let at = self.at;
        bytes.resize(bytes.len().next_multiple_of(2), 0);
        let len = bytes.len() as u64;
        self.push(Piece::Write(bytes), len);
        at
    }

    /// Gives how many bytes its pixels have.
    fn page(&mut self, source: &Source, entries: &[Entry]) -> Result<u64, InspectError> {
        let order = self.order;
        let find = |tag| entries.iter().find(|it| it.tag == tag);
        let parts = [STRIPS, TILES].into_iter().find_map(|(at, len)| Some((find(at)?, find(len)?)));
        let (places, lengths) = parts.ok_or(Refusal::Malformed("a page without pixels"))?;
        if places.count != lengths.count || places.count == 0 {
            return Err(Refusal::Malformed("a page without pixels").into());
        }
        self.parts += places.count as usize;
        if places.count > MOST_PARTS || self.parts > MOST_PARTS_IN_ALL {
            return Err(Refusal::Bomb.into());
        }
        let (mut moved, mut bytes) = (Vec::new(), 0);
        for index in 0..places.count as usize {
            let (Some(place), Some(len)) = (places.number(order, index), lengths.number(order, index)) else {
                return Err(Refusal::Malformed("pixels without their place").into());
            };
            let (place, len) = (u64::from(place), u64::from(len));
            if place + len > source.len {
                return Err(Refusal::Truncated.into());
            }
            moved.extend(order.of_u32(address(self.at)?));
            bytes += len;
            self.push(Piece::Copy { at: place, len }, len);
        }
        // Parts on top of one another would make the copy larger than the file, without end.
        if bytes > source.len {
            return Err(Refusal::Bomb.into());
        }
        if self.at % 2 == 1 {
            self.push(Piece::Write(vec![0]), 1);
        }
        self.directory(entries, places.tag, moved)?;
        Ok(bytes)
    }

    fn directory(&mut self, entries: &[Entry], places: u16, moved: Vec<u8>) -> Result<(), InspectError> {
        let order = self.order;
        let count = u16::try_from(entries.len()).unwrap_or(u16::MAX);
        let mut directory = order.of_u16(count).to_vec();
        for entry in entries {
            let (kind, value) = if entry.tag == places { (LONG, &moved) } else { (entry.kind, &entry.value) };
            directory.extend(order.of_u16(entry.tag));
            directory.extend(order.of_u16(kind));
            directory.extend(order.of_u32(entry.count));
            if value.len() <= 4 {
                let mut field = value.clone();
                field.resize(4, 0);
                directory.extend(field);
            } else {
                let at = self.write(value.clone());
                directory.extend(order.of_u32(address(at)?));
            }
        }
        let at = address(self.at)?;
        if let Some(link) = self.link {
            self.pieces[link] = Piece::Write(order.of_u32(at).to_vec());
        }
        let len = directory.len() as u64;
        self.push(Piece::Write(directory), len);
        self.link = Some(self.pieces.len());
        self.push(Piece::Write(vec![0; 4]), 4);
        Ok(())
    }
}

fn address(at: u64) -> Result<u32, Refusal> {
    u32::try_from(at).map_err(|_| Refusal::TooLarge)
}
