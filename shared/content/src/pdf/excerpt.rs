//! Some pages of a PDF, with what they need and nothing else, as a small PDF of its own in memory.
//!
//! Renderers want the whole file in memory, and trust what it says of itself. Of a file of 200 MiB they get a few hundred
//! kilobytes here, in which every compressed part was opened once, to see that it stays within the limits.

use std::collections::{HashMap, VecDeque};
use std::io::{Read, Write as _};

use super::document::{Body, Document, Page};
use super::object::{Dict, Lexer, Object};
use super::stream::{filters, inflate, is_flate};
use crate::source::Source;
use crate::{InspectError, Limits, Refusal};

/// Bytes of an excerpt.
const LARGEST: usize = 24 << 20;
/// Objects of an excerpt: a page of text has about thirty.
const MOST_OBJECTS: usize = 20_000;
/// Bytes that a part which is no picture may become: drawing, fonts, tables.
const LARGEST_PART: u64 = 16 << 20;
/// Numbers in the parameters of a filter: columns, colours.
const LARGEST_PARAMETER: i64 = 1 << 20;
/// Ways out of a page into the rest of the document.
const LEADS_AWAY: [&str; 12] = [
    "Parent",
    "Metadata",
    "PieceInfo",
    "StructParent",
    "StructParents",
    "Dest",
    "AA",
    "Popup",
    "IRT",
    "Thumb",
    "B",
    "Tabs",
];
/// The same of pages and annotations, where these names are no others.
const LEADS_AWAY_FROM_A_NOTE: [&str; 3] = ["P", "A", "PA"];

pub(super) struct Excerpt {
    bytes: Vec<u8>,
    /// Where each object begins, by its new number less one.
    begins: Vec<usize>,
    /// New numbers by old ones, and those that are not yet written.
    numbers: HashMap<u32, u32>,
    waiting: VecDeque<u32>,
    pages: Vec<u32>,
    with_pictures: bool,
    /// Bytes that pictures become, so far.
    opened: u64,
}

impl Excerpt {
    pub fn new(with_pictures: bool) -> Self {
        Self {
            bytes: b"%PDF-1.7\n".to_vec(),
            // The catalogue and the node of the pages come last.
            begins: vec![0; 2],
            numbers: HashMap::new(),
            waiting: VecDeque::new(),
            pages: vec![],
            with_pictures,
            opened: 0,
        }
    }

    /// False when it, and what it needs, goes over the limits: then the excerpt is worth nothing. Past the deadline, refused.
    pub fn add(&mut self, document: &mut Document, page: Page) -> Result<bool, InspectError> {
        let mut dict = page.into_dict();
        dict.0.retain(|(key, _)| !leads_away(key, true));
        dict.0.push((b"Parent".to_vec(), Object::Raw(b"2 0 R".to_vec())));
        let number = self.next_number();
        self.pages.push(number);
        self.begin(number);
        self.write(&Object::Dict(dict));
        self.bytes.extend(b"\nendobj\n");
        while let Some(old) = self.waiting.pop_front() {
            if self.begins.len() > MOST_OBJECTS || self.bytes.len() > LARGEST {
                return Ok(false);
            }
            document.source.deadline.check()?;
            let body = document.object(old)?.unwrap_or((Object::Null, None));
            if !self.indirect(document, old, body)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    pub fn finish(mut self) -> Vec<u8> {
        self.begin(1);
        self.bytes.extend(b"<</Type/Catalog/Pages 2 0 R>>\nendobj\n");
        self.begin(2);
        let kids: Vec<String> = self.pages.iter().map(|number| format!("{number} 0 R")).collect();
        let _ = write!(self.bytes, "<</Type/Pages/Count {}/Kids[{}]>>\nendobj\n", kids.len(), kids.join(" "));
        let table = self.bytes.len();
        let _ = write!(self.bytes, "xref\n0 {}\n0000000000 65535 f \n", self.begins.len() + 1);
        for begin in &self.begins {
            let _ = writeln!(self.bytes, "{begin:010} 00000 n ");
        }
        let size = self.begins.len() + 1;
        let _ = write!(self.bytes, "trailer\n<</Size {size}/Root 1 0 R>>\nstartxref\n{table}\n%%EOF\n");
        self.bytes
    }

    fn next_number(&mut self) -> u32 {
        self.begins.push(0);
        u32::try_from(self.begins.len()).unwrap_or(u32::MAX)
    }

    fn begin(&mut self, number: u32) {
        self.begins[number as usize - 1] = self.bytes.len();
        let _ = writeln!(self.bytes, "{number} 0 obj");
    }

    fn indirect(
        &mut self, document: &mut Document, old: u32, (mut object, stream): Body,
    ) -> Result<bool, InspectError> {
        let number = self.numbers[&old];
        if let Object::Dict(dict) = &mut object {
            let note = dict.get("Rect").is_some();
            dict.0.retain(|(key, _)| !leads_away(key, note));
        }
        let mut data = None;
        if let (Object::Dict(dict), Some(at)) = (&mut object, stream) {
            if !self.with_pictures && dict.name("Subtype") == Some(b"Image") {
                object = Object::Null;
            } else {
                let len = length(document, dict, at)?;
                if self.bytes.len() as u64 + len > LARGEST as u64 || !self.affords(document, dict, at, len)? {
                    return Ok(false);
                }
                dict.0.retain(|(key, _)| key != b"Length");
                dict.0.push((b"Length".to_vec(), Object::Integer(i64::try_from(len).unwrap_or(0))));
                data = Some((at, len));
            }
        }
        self.begin(number);
        self.write(&object);
        if let Some((at, len)) = data {
            self.bytes.extend(b"\nstream\n");
            self.bytes.reserve_exact(len_of(len) + 64);
            document.source.from(at)?.take(len).read_to_end(&mut self.bytes)?;
            self.bytes.extend(b"\nendstream");
        }
        self.bytes.extend(b"\nendobj\n");
        Ok(true)
    }

    fn write(&mut self, object: &Object) {
        match object {
            Object::Null => self.bytes.extend(b"null"),
            Object::Integer(number) => {
                let _ = write!(self.bytes, "{number}");
            }
            Object::Raw(raw) => self.bytes.extend(raw),
            Object::Name(name) => self.name(name),
            Object::Array(items) => {
                self.bytes.push(b'[');
                for item in items {
                    self.write(item);
                    self.bytes.push(b' ');
                }
                self.bytes.push(b']');
            }
            Object::Dict(dict) => {
                self.bytes.extend(b"<<");
                for (key, value) in &dict.0 {
                    self.name(key);
                    self.bytes.push(b' ');
                    self.write(value);
                }
                self.bytes.extend(b">>");
            }
            Object::Reference(old) => {
                let known = self.numbers.get(old).copied();
                let number = known.unwrap_or_else(|| {
                    self.waiting.push_back(*old);
                    let number = self.next_number();
                    self.numbers.insert(*old, number);
                    number
                });
                let _ = write!(self.bytes, "{number} 0 R");
            }
        }
    }

    fn name(&mut self, name: &[u8]) {
        self.bytes.push(b'/');
        for byte in name {
            if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'+' | b'*') {
                self.bytes.push(*byte);
            } else {
                let _ = write!(self.bytes, "#{byte:02x}");
            }
        }
    }

    /// Whether this stream can be opened within the limits.
    fn affords(&mut self, document: &mut Document, dict: &Dict, at: u64, len: u64) -> Result<bool, InspectError> {
        let Some(filters) = filters(dict) else { return Ok(false) };
        if parameters(document, dict)?.is_none_or(|largest| largest > LARGEST_PARAMETER) {
            return Ok(false);
        }
        let is_picture = dict.name("Subtype") == Some(b"Image");
        let most = if is_picture { document.limits.max_preview_bytes } else { LARGEST_PART };
        if is_picture {
            let width = document.resolve(dict.get("Width").or(dict.get("W")).unwrap_or(&Object::Null))?;
            let height = document.resolve(dict.get("Height").or(dict.get("H")).unwrap_or(&Object::Null))?;
            let (Object::Integer(width), Object::Integer(height)) = (width, height) else { return Ok(false) };
            if !self.opens(document.limits, width, height, 3) {
                return Ok(false);
            }
        }
        Ok(match filters[..] {
            [] if is_picture => true,
            [] => {
                let drawing = document.source.at(at, len_of(len))?;
                self.draws_within(document, &drawing)?
            }
            [filter] if is_flate(filter) => {
                let mut drawing = Vec::new();
                let (limits, deadline) = (document.limits, document.source.deadline);
                let reader = document.source.from(at)?.take(len);
                let opened = inflate(reader, limits, deadline, most, |part| {
                    if !is_picture {
                        drawing.extend_from_slice(part);
                    }
                });
                match opened {
                    Err(InspectError::Io(error)) => return Err(error.into()),
                    Err(InspectError::Refused(Refusal::Bomb)) => false,
                    // What came out before the damage is drawn.
                    _ => self.draws_within(document, &drawing)?,
                }
            }
            [b"DCTDecode" | b"DCT"] if is_picture => match frame(document.source, at, len)? {
                Some((width, height)) => self.opens(document.limits, width, height, 1),
                None => false,
            },
            [b"CCITTFaxDecode" | b"CCF"] => is_picture,
            // Each of these may hold larger pictures than it says, in many places (JPX, JBIG2), or becomes a lot (LZW).
            _ => false,
        })
    }

    /// Adds up what pictures become; true while there is room.
    fn opens(&mut self, limits: &Limits, width: i64, height: i64, bytes_a_pixel: u64) -> bool {
        let side = |it: i64| u64::try_from(it).ok().filter(|it| (1..=u64::from(u16::MAX)).contains(it));
        let (Some(width), Some(height)) = (side(width), side(height)) else { return false };
        self.opened += width * height * bytes_a_pixel;
        self.opened <= limits.max_preview_bytes
    }

    /// Pictures may stand in the drawing itself.
    fn draws_within(&mut self, document: &Document, drawing: &[u8]) -> Result<bool, Refusal> {
        let limits = document.limits;
        for at in memchr::memmem::find_iter(drawing, b"BI") {
            // What follows may be a string that goes on to the end of all.
            document.source.deadline.check()?;
            let mut lexer = Lexer::new(drawing, at + 2, limits.max_depth);
            let (mut sides, mut key) = ([0, 0], Vec::new());
            for _ in 0..64 {
                match lexer.object() {
                    Ok(Object::Integer(number)) if matches!(&key[..], b"W" | b"Width") => sides[0] = number,
                    Ok(Object::Integer(number)) if matches!(&key[..], b"H" | b"Height") => sides[1] = number,
                    Ok(Object::Name(name)) => {
                        key = name;
                        continue;
                    }
                    Ok(Object::Raw(word)) if word == b"ID" => break,
                    Ok(_) => {}
                    Err(_) => break,
                }
                key.clear();
            }
            // Chance letters have no sides.
            if sides != [0, 0] && !self.opens(limits, sides[0], sides[1], 3) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

fn leads_away(key: &[u8], note: bool) -> bool {
    let is = |names: &[&str]| names.iter().any(|name| name.as_bytes() == key);
    is(&LEADS_AWAY) || (note && is(&LEADS_AWAY_FROM_A_NOTE))
}

fn len_of(len: u64) -> usize {
    usize::try_from(len).unwrap_or(usize::MAX)
}

/// As the stream says, if its end is there; else up to where the end is.
fn length(document: &mut Document, dict: &Dict, at: u64) -> Result<u64, InspectError> {
    let stated = document.resolve(dict.get("Length").unwrap_or(&Object::Null))?;
    if let Object::Integer(len) = stated
        && let Ok(len) = u64::try_from(len)
        && let Some(end) = at.checked_add(len)
    {
        let after = document.source.up_to(end, 16)?;
        if after.trim_ascii_start().starts_with(b"endstream") {
            return Ok(len);
        }
    }
    let end = document.source.find(b"endstream", at, document.source.len)?;
    Ok(end.unwrap_or(document.source.len).saturating_sub(at))
}

/// The largest number in the parameters of the filters. None where they are something else.
fn parameters(document: &mut Document, dict: &Dict) -> Result<Option<i64>, InspectError> {
    let mut largest = 0;
    for key in ["DecodeParms", "DP"] {
        let all = match document.resolve(dict.get(key).unwrap_or(&Object::Null))? {
            Object::Array(all) => all,
            one => vec![one],
        };
        for parameters in all {
            match document.resolve(&parameters)? {
                Object::Null => {}
                Object::Dict(dict) => {
                    for (_, value) in dict.0 {
                        match value {
                            Object::Integer(number) => largest = largest.max(number),
                            Object::Raw(_) | Object::Null => {}
                            _ => return Ok(None),
                        }
                    }
                }
                _ => return Ok(None),
            }
        }
    }
    Ok(Some(largest))
}

/// What a JPEG says of its size, which the decoder goes by. It stands in its first segments. A progressive one is held twice.
fn frame(source: &mut Source, at: u64, len: u64) -> Result<Option<(i64, i64)>, InspectError> {
    let head = source.up_to(at, len_of(len.min(256 << 10)))?;
    let mut position = 2;
    while let Some(&[0xff, marker, l0, l1, _, h0, h1, w0, w1]) = head.get(position..position + 9) {
        let side = |high, low| i64::from(u16::from_be_bytes([high, low]));
        match marker {
            0xc0..=0xc1 => return Ok(Some((side(w0, w1), side(h0, h1)))),
            0xc2 => return Ok(Some((side(w0, w1), 2 * side(h0, h1)))),
            _ => position += 2 + usize::from(u16::from_be_bytes([l0, l1])),
        }
    }
    Ok(None)
}
