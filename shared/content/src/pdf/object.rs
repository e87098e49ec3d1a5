//! The objects of a PDF, as they are written.
//!
//! Readers of PDF forgive much, each in its way. So does this one, towards seeing more: it reads on after what does not
//! belong, and only depth and ends are judged.

use crate::Refusal;

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
}

fn is_space(byte: u8) -> bool {
    matches!(byte, 0 | 9 | 10 | 12 | 13 | 32)
}

fn is_delimiter(byte: u8) -> bool {
    matches!(byte, b'(' | b')' | b'<' | b'>' | b'[' | b']' | b'{' | b'}' | b'/' | b'%')
}

impl<'b> Lexer<'b> {
    pub fn new(bytes: &'b [u8], at: usize, max_depth: u32) -> Self {
        Self { bytes, at, max_depth }
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
                self.at += 1;
            } else {
                break;
            }
        }
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
        let mut one = self.list(None, 0)?;
        one.pop().ok_or(Halt::Short)
    }

    /// The next integer, as in the heads of object streams.
    pub fn integer(&mut self) -> Option<i64> {
        self.skip_space();
        match self.single(0) {
            Ok(Object::Integer(number)) => Some(number),
            _ => None,
        }
    }

    /// Objects up to the end of an array or dictionary; without an end, one.
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
        match byte {
            b'/' => {
                self.at += 1;
                Ok(Object::Name(self.name()?))
            }
            b'(' => self.literal(),
            b'<' if self.word(b"<<") => {
                let list = self.list(Some(b">>"), depth + 1)?;
                Ok(Object::Dict(pairs(list)))
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
}
