use std::borrow::Cow;

/// How the file's bytes stand for text. The file is UTF-8; copies that went through a spreadsheet are Windows-1252.
///
/// The first line with an accent decides for the whole file, so that in a UTF-8 file one damaged line is told from an
/// old encoding. Windows-1252 stands for Latin-1 too: they differ only where Latin-1 has control characters.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Encoding {
    /// Nothing but ASCII so far.
    #[default]
    Undecided,
    /// UTF-8.
    Utf8,
    /// Windows-1252.
    Windows1252,
}

impl Encoding {
    /// The text of a line; none when it is not text in this encoding.
    pub fn decode<'a>(&mut self, bytes: &'a [u8]) -> Option<Cow<'a, str>> {
        let (bytes, marked) = match bytes.strip_prefix(b"\xef\xbb\xbf") {
            Some(rest) => (rest, true),
            None => (bytes, false),
        };
        if *self == Self::Undecided && (marked || !bytes.is_ascii()) {
            *self = if marked || std::str::from_utf8(bytes).is_ok() { Self::Utf8 } else { Self::Windows1252 };
        }
        match self {
            Self::Windows1252 => Some(bytes.iter().copied().map(letter).collect::<String>().into()),
            Self::Utf8 | Self::Undecided => std::str::from_utf8(bytes).ok().map(Cow::Borrowed),
        }
    }
}

/// One byte of Windows-1252 (WHATWG Encoding, index windows-1252).
fn letter(byte: u8) -> char {
    const FROM_0X80: [char; 32] = [
        '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž', '\u{8f}', '\u{90}', '‘',
        '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}', 'ž', 'Ÿ',
    ];
    match byte {
        0x80..=0x9f => FROM_0X80[usize::from(byte - 0x80)],
        _ => char::from(byte),
    }
}
