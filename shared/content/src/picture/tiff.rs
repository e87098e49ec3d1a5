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
/// Bytes of a value that is held in memory whatever it is. Of longer ones only those that say where the pixels lie are.
const SHORT_VALUE: u64 = 64;
/// Bytes of all values of all pages that are held in memory: 8 MiB. The places and lengths of [`MOST_PARTS_IN_ALL`] parts
/// have 3.2 MB.
const MOST_VALUES: u64 = 8 << 20;
/// Bytes that values may have beyond those of the file: writers may let all pages share a colour profile, which the copy
/// has once for each of them.
const MOST_SHARED: u64 = 8 << 20;
/// Bytes between two parts that writers leave so that the next begins at an even place, and bytes of other gaps in all.
const PADDING: u64 = 4;
const MOST_GAPS: u64 = 64;

struct Entry {
    tag: u16,
    kind: u16,
    count: u32,
    value: Value,
}

enum Value {
    /// As it is written in the file, in its order.
    Held(Vec<u8>),
    /// Where it lies.
    Lies { at: u64, len: u64 },
}

/// What was read of all pages so far.
#[derive(Default)]
struct Used {
    /// From where to where; in any order, and on top of one another as the file has it.
    ranges: Vec<(u64, u64)>,
    /// Bytes of values held in memory, and of all values.
    held: u64,
    values: u64,
}

impl Used {
    fn add(&mut self, at: u64, len: u64) {
        if len > 0 {
            self.ranges.push((at, at + len));
        }
    }

    /// Bytes up to `end` that nothing is made of, but for those that writers leave between parts.
    fn gaps(mut self, end: u64) -> u64 {
        self.ranges.sort_unstable();
        self.ranges.push((end, end));
        let (mut so_far, mut gaps) = (0, 0);
        for (from, to) in self.ranges {
            let gap = from.saturating_sub(so_far);
            if gap > PADDING {
                gaps += gap;
            }
            so_far = so_far.max(to);
        }
        gaps
    }
}

pub(super) fn read(source: &mut Source, limits: &Limits) -> Result<Picture, InspectError> {
    let head = source.at(0, 8)?;
    let order = Order::of(&head).ok_or(Refusal::TypeUnknown)?;
    let mut next = u64::from(order.u32(&head, 4).unwrap_or(0));
    let mut picture = Picture::new();
    let mut writer = Writer { order, at: 8, link: None, parts: 0, pixels: 0, pieces: vec![] };
    writer.push(Piece::Write(head[..4].to_vec()), 0);
    let (mut seen, mut pages, mut used) = (HashSet::new(), 0, Used::default());
    used.add(0, 8);
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
        writer.page(source, &entries, &mut used)?;
        next = after;
    }
    if pages == 0 {
        return Err(Refusal::Malformed("no page").into());
    }
    picture.pages = Some(pages);
    picture.removes |= used.gaps(source.len) > MOST_GAPS;
    picture.pieces = writer.pieces;
    Ok(picture)
}

/// What of a directory is kept, and where the next one is.
fn directory(
    source: &mut Source, order: Order, at: u64, picture: &mut Picture, used: &mut Used,
) -> Result<(Vec<Entry>, u64), InspectError> {
    let count = usize::from(order.u16(&source.at(at, 2)?, 0).unwrap_or(0));
    let bytes = source.at(at + 2, 12 * count + 4)?;
    used.add(at, 6 + 12 * count as u64);
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
        let value = if len <= 4 {
            Value::Held(entry[8..8 + usize::try_from(len).unwrap_or(0)].to_vec())
        } else {
            let at = u64::from(order.u32(entry, 8).unwrap_or(0));
            if at + len > source.len {
                return Err(Refusal::Truncated.into());
            }
            used.add(at, len);
            used.values += len;
            if used.values > source.len + MOST_SHARED {
                return Err(Refusal::Bomb.into());
            }
            let is_of_parts = [STRIPS.0, STRIPS.1, TILES.0, TILES.1].contains(&tag);
            if is_of_parts || len <= SHORT_VALUE {
                used.held += len;
                if used.held > MOST_VALUES {
                    return Err(Refusal::Bomb.into());
                }
                Value::Held(source.at(at, usize::try_from(len).unwrap_or(0))?)
            } else {
                Value::Lies { at, len }
            }
        };
        entries.push(Entry { tag, kind, count, value });
    }
    Ok((entries, u64::from(order.u32(&bytes, 12 * count).unwrap_or(0))))
}

impl Entry {
    fn number(&self, order: Order, index: usize) -> Option<u32> {
        match (self.kind, &self.value) {
            (3, Value::Held(value)) => order.u16(value, 2 * index).map(u32::from),
            (4, Value::Held(value)) => order.u32(value, 4 * index),
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
    /// Bytes that the pixels of all pages have.
    pixels: u64,
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

    /// What comes next begins at an even place.
    fn pad(&mut self) {
        if self.at % 2 == 1 {
            self.push(Piece::Write(vec![0]), 1);
        }
    }

    fn page(&mut self, source: &Source, entries: &[Entry], used: &mut Used) -> Result<(), InspectError> {
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
        source.deadline.check()?;
        let mut moved = Vec::new();
        for index in 0..places.count as usize {
            let (Some(place), Some(len)) = (places.number(order, index), lengths.number(order, index)) else {
                return Err(Refusal::Malformed("pixels without their place").into());
            };
            let (place, len) = (u64::from(place), u64::from(len));
            if place + len > source.len {
                return Err(Refusal::Truncated.into());
            }
            moved.extend(order.of_u32(address(self.at)?));
            used.add(place, len);
            self.pixels += len;
            // Parts on top of one another, within a page or in many, would make the copy larger than the file, without end.
            if self.pixels > source.len {
                return Err(Refusal::Bomb.into());
            }
            self.push(Piece::Copy { at: place, len }, len);
        }
        self.pad();
        self.directory(entries, places.tag, &moved)
    }

    fn directory(&mut self, entries: &[Entry], places: u16, moved: &[u8]) -> Result<(), InspectError> {
        let order = self.order;
        let count = u16::try_from(entries.len()).unwrap_or(u16::MAX);
        let mut directory = order.of_u16(count).to_vec();
        for entry in entries {
            let kind = if entry.tag == places { LONG } else { entry.kind };
            directory.extend(order.of_u16(entry.tag));
            directory.extend(order.of_u16(kind));
            directory.extend(order.of_u32(entry.count));
            let (piece, len) = match &entry.value {
                Value::Lies { at, len } => (Piece::Copy { at: *at, len: *len }, *len),
                Value::Held(value) => {
                    let mut value = if entry.tag == places { moved.to_vec() } else { value.clone() };
                    if value.len() <= 4 {
                        value.resize(4, 0);
                        directory.extend(value);
                        continue;
                    }
                    let len = value.len() as u64;
                    (Piece::Write(value), len)
                }
            };
            directory.extend(order.of_u32(address(self.at)?));
            self.push(piece, len);
            self.pad();
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
