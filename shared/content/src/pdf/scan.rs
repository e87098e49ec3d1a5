//! Goes through a PDF from its first to its last byte, in the memory of a window, and looks at every object there is.
//!
//! Not by the table of contents: which objects that table leads to depends on who reads it, since readers mend damaged
//! tables each in their own way, and an object that one of them does not see another one runs. So whatever follows the
//! word `obj`, anywhere, is taken for an object, within streams too, and object streams are opened.

use memchr::memmem;

use super::active::{Seen, judge};
use super::object::{Dict, Halt, Lexer, MOST_SPACE, Object};
use super::stream;
use crate::source::{Source, WINDOW};
use crate::{InspectError, Limits, Refusal};

/// Bytes before an `obj` in which its number stands, and after a window in which most of its last objects end. More than
/// [`MOST_SPACE`](super::object::MOST_SPACE), so that where an object begins is always in the window of its number.
const BEFORE: usize = 32;
const AFTER: usize = 16 << 10;
/// Bytes of one object that is no stream: the largest are tables of widths and of pages.
const LARGEST_OBJECT: usize = 16 << 20;

/// Where an object is: after its `obj`, or in the object stream that is there, at this place.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub number: u32,
    pub within: Option<u32>,
    pub at: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Scan {
    /// By number; of each the one that was written last.
    pub places: Vec<Place>,
    /// The number of the catalogue, by the last trailer.
    pub root: Option<u32>,
    pub seen: Seen,
    pub linearized: bool,
    /// How often the table of contents was written.
    pub tables: u32,
    /// Bytes read as objects, and bytes out of object streams, so far.
    lexed: u64,
    inflated: u64,
}

pub(crate) fn scan(source: &mut Source, limits: &Limits) -> Result<Scan, InspectError> {
    let mut scan = Scan::default();
    let words = ["obj", "trailer", "startxref"].map(|word| (word, memmem::Finder::new(word)));
    let mut start = 0;
    while start < source.len {
        let from = start.saturating_sub(BEFORE as u64);
        let before = usize::try_from(start - from).unwrap_or(0);
        let window = source.up_to(from, before + WINDOW + AFTER)?;
        for (word, finder) in &words {
            for at in finder.find_iter(&window).filter(|at| (before..before + WINDOW).contains(at)) {
                source.deadline.check()?;
                let after = at + word.len();
                let position = from + after as u64;
                match *word {
                    "startxref" => scan.tables += 1,
                    "trailer" => {
                        if let Some((object, _)) = scan.object(source, &window, after, position, limits)? {
                            judge(&object, false, &mut scan.seen).map_err(Refusal::ActiveContent)?;
                            if let Object::Dict(dict) = &object {
                                scan.trailer(dict)?;
                            }
                        }
                    }
                    _ if window[..at].ends_with(b"end") => {}
                    _ => scan.indirect(source, &window, at, after, from, limits)?,
                }
            }
        }
        start += WINDOW as u64;
    }
    scan.places.sort_by_key(|place| place.number);
    // Sorting kept their order, so that the last of a number is the newest.
    scan.places.reverse();
    scan.places.dedup_by_key(|place| place.number);
    scan.places.reverse();
    Ok(scan)
}

impl Scan {
    pub fn place(&self, number: u32) -> Option<Place> {
        let at = self.places.binary_search_by_key(&number, |place| place.number).ok()?;
        Some(self.places[at])
    }

    /// What is in the window, or else more and more of the file until the object ends. With where its stream begins.
    fn object(
        &mut self, source: &mut Source, window: &[u8], at: usize, position: u64, limits: &Limits,
    ) -> Result<Option<(Object, Option<u64>)>, InspectError> {
        let mut len = 0;
        loop {
            let more;
            let (bytes, from) = if len == 0 {
                (window, at)
            } else {
                more = source.up_to(position, len)?;
                (&more[..], 0)
            };
            let mut lexer = Lexer::new(bytes, from, limits.max_depth);
            let read = lexer.object();
            self.looked_at(lexer.at - from, source.len)?;
            match read {
                Ok(object) => {
                    let all = position + (bytes.len() - from) as u64 >= source.len;
                    let is_dict = matches!(object, Object::Dict(_));
                    match if is_dict { stream::begins(bytes, lexer.at, all) } else { Ok(None) } {
                        Ok(begin) => {
                            let stream = begin.map(|begin| position + (begin - from) as u64);
                            return Ok(Some((object, stream)));
                        }
                        Err(Halt::Refused(refusal)) => return Err(refusal.into()),
                        // The word that says so lies behind the end of the bytes, and not far.
                        Err(Halt::Short) => len = lexer.at - from + 2 * MOST_SPACE,
                    }
                }
                Err(Halt::Refused(refusal)) => return Err(refusal.into()),
                Err(Halt::Short) if position + len as u64 >= source.len => return Ok(None),
                Err(Halt::Short) if len >= LARGEST_OBJECT => return Err(Refusal::Bomb.into()),
                Err(Halt::Short) => len = (len * 8).max(WINDOW),
            }
        }
    }

    /// Adds up the work. Each byte belongs to one object or two in a file that was not made to take long.
    fn looked_at(&mut self, bytes: usize, of: u64) -> Result<(), Refusal> {
        self.lexed += bytes as u64;
        if self.lexed > 4 * of + (64 << 20) { Err(Refusal::Bomb) } else { Ok(()) }
    }

    /// What follows an `obj` that stands in `word..after` of the window, which begins at `from`.
    fn indirect(
        &mut self, source: &mut Source, window: &[u8], word: usize, after: usize, from: u64, limits: &Limits,
    ) -> Result<(), InspectError> {
        let number = number_before(&window[..word]);
        if let Some(number) = number {
            self.add(Place { number, within: None, at: from + after as u64 }, limits)?;
        }
        let mut lexer = Lexer::new(window, after, limits.max_depth);
        lexer.skip_to_begin()?;
        let at = lexer.at;
        self.looked_at(at - after, source.len)?;
        // Only what is made of names can act. A string or number is found again by its place.
        let may_act = match window[at..] {
            [b'<', b'<', ..] => true,
            // Chance bytes of a photograph have a bracket after them once in twenty large files, but hardly ever before
            // them what a number could end with. That it does end there is not asked: comments and blanks may hide it.
            [b'[' | b'/' | b'<', ..] => ends_like_a_number(&window[..word]),
            [] => number.is_some(),
            _ => false,
        };
        if !may_act {
            return Ok(());
        }
        let position = from + at as u64;
        let Some((object, stream)) = self.object(source, window, at, position, limits)? else {
            return Err(Refusal::Truncated.into());
        };
        judge(&object, stream.is_some(), &mut self.seen).map_err(Refusal::ActiveContent)?;
        let (Object::Dict(dict), Some(data)) = (&object, stream) else {
            self.linearized |= matches!(&object, Object::Dict(dict) if dict.get("Linearized").is_some());
            return Ok(());
        };
        if dict.name("Type") == Some(b"XRef") || (dict.get("Root").is_some() && dict.get("W").is_some()) {
            self.trailer(dict)?;
        }
        // Readers go by the table of contents, not by the type.
        if dict.name("Type") == Some(b"ObjStm") || (dict.get("N").is_some() && dict.get("First").is_some()) {
            self.object_stream(source, dict, data, position, limits)?;
        }
        Ok(())
    }

    fn add(&mut self, place: Place, limits: &Limits) -> Result<(), Refusal> {
        if self.places.len() >= limits.max_objects as usize {
            return Err(Refusal::Bomb);
        }
        self.places.push(place);
        Ok(())
    }

    fn trailer(&mut self, dict: &Dict) -> Result<(), Refusal> {
        if !matches!(dict.get("Encrypt"), None | Some(Object::Null)) {
            return Err(Refusal::Encrypted);
        }
        match dict.get("Root") {
            Some(Object::Reference(root)) => self.root = Some(*root),
            None | Some(Object::Null) => {}
            // It has to be a reference (ISO 32000-2 §7.5.5), and some readers take what stands there for the catalogue.
            Some(_) => return Err(Refusal::Malformed("a catalogue within a trailer")),
        }
        Ok(())
    }

    fn object_stream(
        &mut self, source: &mut Source, dict: &Dict, data: u64, position: u64, limits: &Limits,
    ) -> Result<(), InspectError> {
        let bytes = stream::object_stream(source, dict, data, limits)?;
        self.inflated += bytes.len() as u64;
        if self.inflated > limits.max_inflated_bytes_in_all {
            return Err(Refusal::Bomb.into());
        }
        let mut so_far = 0;
        let heads = stream::heads(&bytes, dict).ok_or(Refusal::Malformed("an object stream of an unusual kind"))?;
        for (index, (number, at)) in heads.into_iter().enumerate() {
            source.deadline.check()?;
            let mut lexer = Lexer::new(&bytes, at, limits.max_depth);
            lexer.skip_to_begin()?;
            match lexer.object() {
                Ok(object) => judge(&object, false, &mut self.seen).map_err(Refusal::ActiveContent)?,
                Err(Halt::Refused(refusal)) => return Err(refusal.into()),
                Err(Halt::Short) => return Err(Refusal::Malformed("an object without an end").into()),
            }
            so_far += lexer.at.saturating_sub(at);
            // All of them could lie on top of one another.
            if so_far > 4 * bytes.len() + (1 << 20) {
                return Err(Refusal::Bomb.into());
            }
            self.add(Place { number, within: Some(u32::try_from(index).unwrap_or(u32::MAX)), at: position }, limits)?;
        }
        Ok(())
    }
}

/// Whether the word that follows these bytes could come after a number, and blanks or comments behind that.
fn ends_like_a_number(bytes: &[u8]) -> bool {
    bytes
        .last()
        .is_some_and(|byte| *byte <= b' ' || byte.is_ascii_digit() || matches!(byte, b'.' | b'+' | b'-' | 0x80 | 0xff))
}

/// `12 0 ` before `obj`: the first number.
fn number_before(bytes: &[u8]) -> Option<u32> {
    let bytes = bytes.trim_ascii_end();
    let generation = bytes.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
    let bytes = &bytes[..bytes.len() - generation];
    let before = bytes.trim_ascii_end();
    let digits = before.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
    if generation == 0 || digits == 0 || before.len() == bytes.len() {
        return None;
    }
    std::str::from_utf8(&before[before.len() - digits..]).ok()?.parse().ok()
}
