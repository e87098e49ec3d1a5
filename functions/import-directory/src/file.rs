//! The file as it arrives: pieces of a body become lines of text, in constant memory.

use axum::body::{Body, BodyDataStream};
use domain::directory::{Encoding, Header, Lines, NotTheDirectory, RawLine, Record, Rejection};
use futures_util::StreamExt as _;
use runtime::{Kind, Problem};

/// A file that began as the directory's does.
pub(crate) struct File {
    pieces: Pieces,
    encoding: Encoding,
    header: Header,
}

/// What a line says: a record, nothing for us, or why it cannot be used.
pub(crate) type Line = Result<Option<Record>, Rejection>;

impl File {
    /// Reads the first line. A file that is not the directory's is refused before anything is written.
    pub(crate) async fn open(body: Body) -> Result<Self, Problem> {
        let mut pieces = Pieces { stream: body.into_data_stream(), lines: Lines::default(), piece: Vec::new(), at: 0 };
        let mut encoding = Encoding::default();
        let first = pieces.next().await?.and_then(|line| line.bytes);
        let header = first
            .as_deref()
            .and_then(|bytes| encoding.decode(bytes))
            .ok_or(NotTheDirectory::Unreadable)
            .and_then(|line| Header::parse(&line))
            .map_err(not_the_directory)?;
        Ok(Self { pieces, encoding, header })
    }

    /// The next line that is not blank, with its number.
    pub(crate) async fn next(&mut self) -> Result<Option<(u64, Line)>, Problem> {
        while let Some(RawLine { number, bytes }) = self.pieces.next().await? {
            let Some(bytes) = bytes else { return Ok(Some((number, Err(Rejection::TooLong)))) };
            if !bytes.trim_ascii().is_empty() {
                let text = self.encoding.decode(&bytes).ok_or(Rejection::NotUtf8);
                return Ok(Some((number, text.and_then(|line| self.header.record(&line)))));
            }
        }
        Ok(None)
    }
}

fn not_the_directory(why: NotTheDirectory) -> Problem {
    let problem = Problem::new(Kind::EventRejected).because(why);
    match why {
        NotTheDirectory::ColumnMissing(column) => problem.field(column),
        NotTheDirectory::Unreadable => problem,
    }
}

struct Pieces {
    stream: BodyDataStream,
    lines: Lines,
    piece: Vec<u8>,
    at: usize,
}

impl Pieces {
    async fn next(&mut self) -> Result<Option<RawLine>, Problem> {
        loop {
            let (line, rest) = self.lines.take(&self.piece[self.at..]);
            self.at = self.piece.len() - rest.len();
            if line.is_some() {
                return Ok(line);
            }
            match self.stream.next().await {
                Some(Ok(piece)) => (self.piece, self.at) = (piece.into(), 0),
                Some(Err(error)) => return Err(Problem::new(Kind::BodyUnreadable).because(error)),
                None => {
                    (self.piece, self.at) = (Vec::new(), 0);
                    return Ok(self.lines.last());
                }
            }
        }
    }
}
