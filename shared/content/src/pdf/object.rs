//! The objects of a PDF, as they are written.
//!
//! Readers of PDF forgive much, each in its way. So does this one, towards seeing more: it reads on after what does not
//! belong, and only depth and ends are judged.

use crate::Refusal;

/// Bytes of blanks and comments before an object, and before the word that begins its stream: 4 KiB. Writers leave one or
/// two; whoever leaves more wants a reader that looks so far to see what others do not.
pub(crate) const MOST_SPACE: usize = 4 << 10;
/// Objects within one: a million, at some fifty bytes of memory each. The longest lists that writers make, of the parts
/// that a text is tagged with, have some hundred thousand.
const MOST_OBJECTS: u32 = 1_000_000;

/// What is read. Words and numbers are kept as they are written, so that they can be written again.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Object {
    Null,
    Integer(i64),
    /// With `#xx` undone.
    Name(Vec<u8>),
    /// Strings with their delimiters, fractions, true and false, and whatever else.
    Raw(Vec<u8>),
    Array(Vec<Object>),
    Dict(Dict),
    Reference(u32),
}

impl Object {
    /// Bytes of memory that it takes, about.
    pub fn weight(&self) -> usize {
        let within = match self {
            Self::Null | Self::Integer(_) | Self::Reference(_) => 0,
            Self::Name(bytes) | Self::Raw(bytes) => bytes.len(),
            Self::Array(items) => items.iter().map(Self::weight).sum(),
            Self::Dict(dict) => dict.0.iter().map(|(key, value)| size_of_val(key) + key.len() + value.weight()).sum(),
        };
        size_of::<Self>() + within
    }
}

/// In its order, with what is written twice.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Dict(pub Vec<(Vec<u8>, Object)>);

impl Dict {
    /// The last of that name.
    pub fn get(&self, key: &str) -> Option<&Object> {
        self.0.iter().rev().find(|(name, _)| name == key.as_bytes()).map(|(_, value)| value)
    }

    pub fn name(&self, key: &str) -> Option<&[u8]> {
        match self.get(key) {
            Some(Object::Name(name)) => Some(name),
            _ => None,
        }
    }
}

/// Why there is no object.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Halt {
    /// The bytes end before it does.
    Short,
    Refused(Refusal),
}

pub(crate) struct Lexer<'b> {
    bytes: &'b [u8],
    pub at: usize,
    max_depth: u32,
    /// Objects that it may still give.
    left: u32,
    /// Whether something came by that readers take differently, so that what is a key to one is a value to another.
    odd: bool,
}

fn is_space(byte: u8) -> bool {
    matches!(byte, 0 | 9 | 10 | 12 | 13 | 32) || is_odd_space(byte)
}

/// Blanks to `PDFium`, which is in Chrome, and letters to others.
fn is_odd_space(byte: u8) -> bool {
    matches!(byte, 0x80 | 0xff)
}

fn is_delimiter(byte: u8) -> bool {
    matches!(byte, b'(' | b')' | b'<' | b'>' | b'[' | b']' | b'{' | b'}' | b'/' | b'%')
}

/// Between objects.
fn closes_nothing(byte: u8) -> bool {
    matches!(byte, b')' | b'>' | b']' | b'{' | b'}')
}

impl<'b> Lexer<'b> {
    pub fn new(bytes: &'b [u8], at: usize, max_depth: u32) -> Self {
        Self { bytes, at, max_depth, left: MOST_OBJECTS, odd: false }
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    pub fn skip_space(&mut self) {
        while let Some(byte) = self.peek() {
            if byte == b'%' {
                let line = &self.bytes[self.at..];
                self.at += memchr::memchr2(b'\n', b'\r', line).unwrap_or(line.len());
            } else if is_space(byte) {
                self.odd |= is_odd_space(byte);
                self.at += 1;
            } else {
                break;
            }
        }
    }

    /// To where an object begins, or the word that begins a stream. Over what readers pass with a shrug, too: delimiters
    /// that close nothing. Not over more than [`MOST_SPACE`].
    pub fn skip_to_begin(&mut self) -> Result<(), Refusal> {
        let start = self.at.min(self.bytes.len());
        let end = (start + MOST_SPACE + 1).min(self.bytes.len());
        let mut near = Self::new(&self.bytes[..end], start, 0);
        near.skip_space();
        while near.peek().is_some_and(closes_nothing) {
            near.at += 1;
            near.skip_space();
        }
        self.at = near.at;
        if self.at - start > MOST_SPACE {
            return Err(Refusal::Malformed("an object far behind its number, or a stream far behind its dictionary"));
        }
        Ok(())
    }

    /// Whether this word is next; then it is passed.
    pub fn word(&mut self, word: &[u8]) -> bool {
        let is = self.bytes[self.at.min(self.bytes.len())..].starts_with(word);
        if is {
            self.at += word.len();
        }
        is
    }

    /// The next object. At the end of the bytes, [`Halt::Short`].
    pub fn object(&mut self) -> Result<Object, Halt> {
        let one = self.list(None, 0);
        if matches!(one, Err(Halt::Short)) {
            // All of it was looked at, which whoever adds up the work wants to know.
            self.at = self.bytes.len();
        }
        one?.pop().ok_or(Halt::Short)
    }

    /// The next integer, as in the heads of object streams.
    pub fn integer(&mut self) -> Option<i64> {
        self.skip_space();
        match self.single(0) {
            Ok(Object::Integer(number)) => Some(number),
            _ => None,
        }
    }

    /// Objects up to the end of an array or dictionary, without the delimiters that close nothing; without an end, one.
    fn list(&mut self, end: Option<&[u8]>, depth: u32) -> Result<Vec<Object>, Halt> {
        if depth > self.max_depth {
            return Err(Halt::Refused(Refusal::Bomb));
        }
        let mut objects = Vec::new();
        loop {
            self.skip_space();
            if self.peek().is_none() {
                return Err(Halt::Short);
            }
            if let Some(end) = end
                && self.word(end)
            {
                return Ok(objects);
            }
            let object = self.single(depth)?;
            match (&object, &objects[..]) {
                (Object::Raw(word), _) if word.is_empty() && end.is_some() => self.odd = true,
                (Object::Raw(word), [.., Object::Integer(number), Object::Integer(_)]) if word == b"R" => {
                    let number = u32::try_from(*number).unwrap_or(u32::MAX);
                    objects.truncate(objects.len() - 2);
                    objects.push(Object::Reference(number));
                }
                _ => objects.push(object),
            }
            if end.is_none() {
                // A reference is an object too, but an indirect object that is one is of no use to anybody.
                return Ok(objects);
            }
        }
    }

    fn single(&mut self, depth: u32) -> Result<Object, Halt> {
        let start = self.at;
        let byte = self.peek().ok_or(Halt::Short)?;
        self.left = self.left.checked_sub(1).ok_or(Halt::Refused(Refusal::Bomb))?;
        match byte {
            b'/' => {
                self.at += 1;
                Ok(Object::Name(self.name()?))
            }
            b'(' => self.literal(),
            b'<' if self.word(b"<<") => {
                let list = self.list(Some(b">>"), depth + 1)?;
                Ok(Object::Dict(if self.odd { pairs_of_any_reader(list) } else { pairs(list) }))
            }
            b'<' => {
                let len = memchr::memchr(b'>', &self.bytes[self.at..]).ok_or(Halt::Short)?;
                self.at += len + 1;
                Ok(Object::Raw(self.bytes[start..self.at].to_vec()))
            }
            b'[' => {
                self.at += 1;
                Ok(Object::Array(self.list(Some(b"]"), depth + 1)?))
            }
            _ if is_delimiter(byte) => {
                self.at += 1;
                Ok(Object::Raw(vec![]))
            }
            _ => {
                let word = self.regular()?;
                let integer = std::str::from_utf8(word).ok().and_then(|it| it.parse().ok());
                Ok(match (word, integer) {
                    (_, Some(integer)) => Object::Integer(integer),
                    (b"null", _) => Object::Null,
                    _ => Object::Raw(word.to_vec()),
                })
            }
        }
    }

    /// Characters up to the next space or delimiter.
    fn regular(&mut self) -> Result<&'b [u8], Halt> {
        let rest = &self.bytes[self.at..];
        let len = rest.iter().position(|byte| is_space(*byte) || is_delimiter(*byte)).ok_or(Halt::Short)?;
        self.at += len;
        Ok(&rest[..len])
    }

    fn name(&mut self) -> Result<Vec<u8>, Halt> {
        let written = self.regular()?;
        let mut name = Vec::with_capacity(written.len());
        let mut at = 0;
        while at < written.len() {
            let hex = |at: usize| written.get(at).and_then(|byte| char::from(*byte).to_digit(16));
            if written[at] == b'#'
                && let (Some(high), Some(low)) = (hex(at + 1), hex(at + 2))
            {
                name.push(u8::try_from(high * 16 + low).unwrap_or(0));
                at += 3;
            } else {
                name.push(written[at]);
                at += 1;
            }
        }
        Ok(name)
    }

    fn literal(&mut self) -> Result<Object, Halt> {
        let start = self.at;
        let mut open = 0_u32;
        loop {
            let rest = &self.bytes[self.at..];
            self.at += memchr::memchr3(b'(', b')', b'\\', rest).ok_or(Halt::Short)?;
            match self.bytes[self.at] {
                b'(' => open += 1,
                b')' => open -= 1,
                _ => self.at += 1,
            }
            self.at += 1;
            if open == 0 {
                return Ok(Object::Raw(self.bytes[start..self.at].to_vec()));
            }
            if self.at >= self.bytes.len() {
                return Err(Halt::Short);
            }
        }
    }
}

/// What is no key where a key belongs is passed over.
fn pairs(list: Vec<Object>) -> Dict {
    let mut pairs = Vec::with_capacity(list.len() / 2);
    let mut list = list.into_iter();
    while let Some(object) = list.next() {
        if let Object::Name(key) = object
            && let Some(value) = list.next()
        {
            pairs.push((key, value));
        }
    }
    Dict(pairs)
}

/// A delimiter that closes nothing is a value to some readers and nothing to others, so that what is a key to these is a
/// value to those. Whatever could be a pair is one here.
fn pairs_of_any_reader(list: Vec<Object>) -> Dict {
    let mut pairs = Vec::with_capacity(list.len());
    let mut list = list.into_iter().peekable();
    while let Some(object) = list.next() {
        if let Object::Name(key) = object {
            match list.peek() {
                Some(Object::Name(name)) => pairs.push((key, Object::Name(name.clone()))),
                Some(_) => pairs.extend(list.next().map(|value| (key, value))),
                None => {}
            }
        }
    }
    Dict(pairs)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Result<Object, Halt> {
        Lexer::new(bytes, 0, 8).object()
    }

    #[test]
    fn names_are_read_whatever_way_they_are_written() {
        let Ok(Object::Dict(dict)) = read(b"<</S/J#61vaScript/JS%comment\n(a\\)(b))/N 12 0 R/A[1 2 0 R -.5 true]>>")
        else {
            panic!();
        };
        assert_eq!(dict.name("S"), Some(&b"JavaScript"[..]));
        assert_eq!(dict.get("JS"), Some(&Object::Raw(b"(a\\)(b))".to_vec())));
        assert_eq!(dict.get("N"), Some(&Object::Reference(12)));
        let raw = |it: &[u8]| Object::Raw(it.to_vec());
        let array = vec![Object::Integer(1), Object::Reference(2), raw(b"-.5"), raw(b"true")];
        assert_eq!(dict.get("A"), Some(&Object::Array(array)));
    }

    #[test]
    fn what_ends_early_is_short_and_what_is_deep_is_a_bomb() {
        for cut in [&b"<</A"[..], b"<</A(", b"<</A(b)", b"[1 2", b"<41", b"(\\", b"((", b"", b" %x"] {
            assert_eq!(read(cut), Err(Halt::Short), "{cut:?}");
        }
        assert_eq!(read(&b"[".repeat(100)), Err(Halt::Refused(Refusal::Bomb)));
        assert_eq!(read(&b"<</A".repeat(100_000)), Err(Halt::Refused(Refusal::Bomb)));
    }

    #[test]
    fn delimiters_that_close_nothing_take_no_memory_and_hide_no_pair() {
        let many = [&b"["[..], &b")".repeat(10_000), b"1]"].concat();
        assert_eq!(read(&many), Ok(Object::Array(vec![Object::Integer(1)])));
        for hidden in [
            &b"<</X ) /S/Movie>>"[..],
            b"<</S } /Movie>>",
            b"<</X ) /Y/S/Movie>>",
            b"<</X/S > /Movie>>",
            b"<</X\xff/Y/S\x80/Movie>>",
            b"<</X\x80Y/Z/S/Movie>>",
        ] {
            let Ok(Object::Dict(dict)) = read(hidden) else { panic!() };
            assert_eq!(dict.name("S"), Some(&b"Movie"[..]), "{hidden:?}");
        }
    }

    #[test]
    fn a_million_objects_within_one_are_a_bomb() {
        for many in [&b"1 "[..], b")", b"/", b"[]"] {
            let many = [&b"["[..], &many.repeat(1_100_000), b"]"].concat();
            assert_eq!(read(&many), Err(Halt::Refused(Refusal::Bomb)));
        }
        let weight = read(b"[(abc)/Name 1]").map(|it| it.weight());
        assert_eq!(weight, Ok(4 * size_of::<Object>() + 9));
    }
}
