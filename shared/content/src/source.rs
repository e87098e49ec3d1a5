//! A file of unknown bytes, read piece by piece.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::time::{Duration, Instant};

use memchr::memmem::Finder;

use crate::{InspectError, Refusal};

/// Bytes that are read at once where a file is gone through.
pub(crate) const WINDOW: usize = 256 << 10;

/// When the work on a file has to be done. Limits of memory and of bytes bound what each step costs; this one bounds how
/// many steps there are, whatever nobody thought of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline(Option<Instant>);

impl Deadline {
    pub fn after(time: Duration) -> Self {
        Self(Instant::now().checked_add(time))
    }

    pub fn check(self) -> Result<(), Refusal> {
        match self.0 {
            Some(until) if Instant::now() >= until => Err(Refusal::Bomb),
            _ => Ok(()),
        }
    }
}

pub(crate) struct Source<'f> {
    pub file: &'f mut File,
    pub len: u64,
    /// Looked at with each piece that is read; what works on long without reading looks at it itself.
    pub deadline: Deadline,
}

/// What a cleaned copy is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    Copy { at: u64, len: u64 },
    Write(Vec<u8>),
}

impl<'f> Source<'f> {
    pub fn new(file: &'f mut File, time: Duration) -> io::Result<Self> {
        let len = file.seek(SeekFrom::End(0))?;
        Ok(Self { file, len, deadline: Deadline::after(time) })
    }

    /// These bytes, all of them; else the file is cut off. Ask for few.
    pub fn at(&mut self, position: u64, len: usize) -> Result<Vec<u8>, InspectError> {
        match position.checked_add(len as u64) {
            Some(end) if end <= self.len => self.up_to(position, len),
            _ => Err(Refusal::Truncated.into()),
        }
    }

    /// As many of these bytes as there are.
    pub fn up_to(&mut self, position: u64, len: usize) -> Result<Vec<u8>, InspectError> {
        self.deadline.check()?;
        let there = self.len.saturating_sub(position).min(len as u64);
        let mut bytes = Vec::with_capacity(usize::try_from(there).unwrap_or(0));
        self.file.seek(SeekFrom::Start(position))?;
        Read::by_ref(self.file).take(there).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// For what is long: the buffer is as large as a window.
    pub fn from(&mut self, position: u64) -> Result<BufReader<&mut File>, InspectError> {
        self.deadline.check()?;
        self.file.seek(SeekFrom::Start(position))?;
        Ok(BufReader::with_capacity(WINDOW, self.file))
    }

    /// Where the first of these bytes is that lie within `from..to`.
    pub fn find(&mut self, needle: &[u8], from: u64, to: u64) -> Result<Option<u64>, InspectError> {
        let (finder, mut position, to) = (Finder::new(needle), from, to.min(self.len));
        while position < to {
            let len = usize::try_from(to - position).unwrap_or(WINDOW).min(WINDOW + needle.len());
            let window = self.up_to(position, len)?;
            if let Some(found) = finder.find(&window) {
                return Ok(Some(position + found as u64));
            }
            position += WINDOW as u64;
        }
        Ok(None)
    }

    pub fn copy(&mut self, pieces: &[Piece], into: &mut File) -> io::Result<()> {
        for piece in pieces {
            match piece {
                Piece::Write(bytes) => into.write_all(bytes)?,
                Piece::Copy { at, len } => {
                    self.file.seek(SeekFrom::Start(*at))?;
                    // The kernel copies by itself where it can.
                    if io::copy(&mut Read::by_ref(self.file).take(*len), into)? != *len {
                        return Err(io::ErrorKind::UnexpectedEof.into());
                    }
                }
            }
        }
        into.flush()
    }
}
