/// Longest line, in bytes. Lines of the file are under 2,000.
pub const MAX_LINE_BYTES: usize = 16 * 1024;

/// A line as it stood in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawLine {
    /// Counted from 1, the header included.
    pub number: u64,
    /// Without its end; none when it is longer than [`MAX_LINE_BYTES`].
    pub bytes: Option<Vec<u8>>,
}

/// Cuts bytes that arrive in pieces into lines, in constant memory.
#[derive(Debug, Default)]
pub struct Lines {
    line: Vec<u8>,
    too_long: bool,
    number: u64,
}

impl Lines {
    /// Takes a piece up to its first end of line; gives the line, if it ended, and what is left of the piece.
    pub fn take<'a>(&mut self, piece: &'a [u8]) -> (Option<RawLine>, &'a [u8]) {
        let end = piece.iter().position(|byte| *byte == b'\n');
        let (part, rest) = end.map_or((piece, [].as_slice()), |end| (&piece[..end], &piece[end + 1..]));
        // One more for the `\r` that is no part of the line.
        if self.line.len() + part.len() > MAX_LINE_BYTES + 1 {
            self.too_long = true;
            self.line.clear();
        }
        if !self.too_long {
            self.line.extend_from_slice(part);
        }
        (end.map(|_| self.end()), rest)
    }

    /// The last line, when the file does not end with an end of line.
    pub fn last(&mut self) -> Option<RawLine> {
        (self.too_long || !self.line.is_empty()).then(|| self.end())
    }

    fn end(&mut self) -> RawLine {
        self.number += 1;
        let mut line = std::mem::take(&mut self.line);
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        let too_long = std::mem::take(&mut self.too_long) || line.len() > MAX_LINE_BYTES;
        RawLine { number: self.number, bytes: (!too_long).then_some(line) }
    }
}
