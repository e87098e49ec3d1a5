//! A conversation with ClamAV's `clamd`: is there malware in these bytes?
//!
//! The protocol is that of `man 8 clamd`: `zINSTREAM\0`, chunks each after its length in four bytes, an empty one; one
//! answer that ends in a zero byte. A file counts as clean only after the very answer `stream: OK`: whatever else comes,
//! and whatever does not come, is an error, so that a scanner that is away, hangs or talks nonsense lets nothing pass.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

#[cfg(feature = "own-clamd")]
pub mod own;

/// Bytes of a chunk's length.
const LENGTH: usize = 4;
/// Bytes of a chunk.
const CHUNK: usize = 64 << 10;
/// Bytes of an answer; names of signatures are far shorter.
const LONGEST_ANSWER: u64 = 4 << 10;
/// What it says of a stream that is longer than its `StreamMaxLength`.
const TOO_LARGE: &str = "INSTREAM size limit exceeded";
/// How the names begin that it gives to what it did not look at to the end, when it is told to say so (`AlertExceedsMax`).
const UNFINISHED: &str = "Heuristics.Limits.Exceeded";

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// What the scanner says of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It knows nothing bad of it. What it knows depends on its signatures: [`Version::freshness`].
    Clean,
    /// It knows it.
    Infected {
        /// The name of what was found, as `Eicar-Test-Signature`.
        signature: String,
    },
}

/// Where a clamd listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// `unix:/run/clamav/clamd.ctl`
    Unix(PathBuf),
    /// `tcp:clamav:3310`, or without `tcp:`
    Tcp(String),
}

/// Not an address of a clamd.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an address of clamd is unix:/PATH or HOST:PORT")]
pub struct AddressError;

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        if let Some(path) = text.strip_prefix("unix:") {
            return if path.starts_with('/') { Ok(Self::Unix(path.into())) } else { Err(AddressError) };
        }
        let place = text.strip_prefix("tcp:").unwrap_or(text);
        let place = place.strip_prefix("//").unwrap_or(place);
        match place.rsplit_once(':') {
            Some((host, port)) if !host.is_empty() && !host.contains('/') && port.parse::<u16>().is_ok() => {
                Ok(Self::Tcp(place.to_owned()))
            }
            _ => Err(AddressError),
        }
    }
}

/// How long each step may take.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    /// Until the connection stands: 2 s.
    pub connect: Duration,
    /// For one chunk of 64 KiB to be read from the file, and for it to be taken: 10 s.
    pub chunk: Duration,
    /// From the last byte to the answer: 2 min, the longest that clamd looks at one file by itself (`MaxScanTime`).
    pub answer: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self { connect: Duration::from_secs(2), chunk: Duration::from_secs(10), answer: Duration::from_mins(2) }
    }
}

/// A clamd, and how long it is waited for. Each question is a connection of its own.
#[derive(Clone, Debug)]
pub struct Scanner {
    /// Where it listens.
    pub address: Address,
    /// How long it is waited for.
    pub timeouts: Timeouts,
}

/// Why the scanner gave no judgement. Nothing is clean then.
#[derive(Debug, thiserror::Error)]
pub enum ScanError {
    /// Nobody listens there, or the connection ended before the answer. Try again later.
    #[error("the scanner is away")]
    Away(#[source] std::io::Error),
    /// It took longer than [`Timeouts`]. Try again later.
    #[error("the scanner does not answer in time")]
    TimedOut,
    /// The file is larger than the scanner takes (`StreamMaxLength` of `clamd.conf`). Trying again changes nothing until
    /// the scanner is set up otherwise.
    #[error("the file is larger than the scanner takes (StreamMaxLength)")]
    TooLarge,
    /// It stopped at a limit of its own before the end (`MaxFileSize`, `MaxScanSize`, `MaxRecursion` and others of
    /// `clamd.conf`): what it saw is clean, what it did not see may be anything. Which one, as it names it. Trying again
    /// changes nothing until the scanner is set up otherwise.
    #[error("the scanner did not look at the file to its end: {0}")]
    Unfinished(String),
    /// It answered something else than the protocol knows; what it said, cut at 200 characters.
    #[error("the scanner answered: {0}")]
    Protocol(String),
    /// What was to be scanned could not be read. It says nothing about the scanner.
    #[error("what was to be scanned could not be read")]
    Source(#[source] std::io::Error),
}

/// What the scanner says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// As `ClamAV 1.4.3`.
    pub engine: String,
    /// The official signatures, where it has loaded any.
    pub database: Option<Database>,
}

/// The official signatures that a scanner has loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Database {
    /// Their number, which grows by one about each day.
    pub number: u32,
    /// When they were made. clamd tells it in its local time without saying which; it is taken for UTC.
    pub made_at: jiff::Timestamp,
}

/// How old the signatures are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// Not older than asked.
    Fresh,
    /// Older than asked, by whole days since they were made.
    Stale {
        /// Since they were made.
        days: i64,
    },
    /// The scanner has no official signatures, or does not say of which day.
    Unknown,
}

impl Scanner {
    /// A clamd at this address, waited for by the default [`Timeouts`].
    pub fn new(address: Address) -> Self {
        Self { address, timeouts: Timeouts::default() }
    }

    /// Whether it is there and answers.
    ///
    /// # Errors
    /// It is not.
    pub async fn ping(&self) -> Result<(), ScanError> {
        match self.ask(b"zPING\0").await?.as_str() {
            "PONG" => Ok(()),
            other => Err(ScanError::protocol(other)),
        }
    }

    /// What it is and what it knows.
    ///
    /// # Errors
    /// It did not say so.
    pub async fn version(&self) -> Result<Version, ScanError> {
        let answer = self.ask(b"zVERSION\0").await?;
        Version::read(&answer).ok_or_else(|| ScanError::protocol(&answer))
    }

    /// Sends the bytes, in chunks, and gives the judgement.
    ///
    /// # Errors
    /// There is none. Never [`Outcome::Clean`] unless clamd said exactly `stream: OK`.
    pub async fn scan(&self, bytes: impl AsyncRead + Unpin) -> Result<Outcome, ScanError> {
        let mut stream = self.connected().await?;
        match self.send(&mut *stream, bytes).await {
            // Of a file that is too large clamd says so and closes at once, which is felt as a broken pipe here, and as a
            // reset after its last words.
            Err(ScanError::Away(broken)) => {
                let mut words = [0; 64];
                let read = within(self.timeouts.chunk, stream.read(&mut words)).await.ok().and_then(Result::ok);
                let too_large = words[..read.unwrap_or(0)].starts_with(TOO_LARGE.as_bytes());
                return Err(if too_large { ScanError::TooLarge } else { ScanError::Away(broken) });
            }
            sent => sent?,
        }
        judgement(&self.answer(&mut *stream).await?)
    }

    async fn send(&self, stream: &mut dyn Stream, mut bytes: impl AsyncRead + Unpin) -> Result<(), ScanError> {
        within(self.timeouts.chunk, stream.write_all(b"zINSTREAM\0")).await?.map_err(ScanError::Away)?;
        // The length and the chunk go in one write: a packet each would wait for the other side's acknowledgement.
        let mut chunk = vec![0; LENGTH + CHUNK];
        loop {
            let mut filled = LENGTH;
            while filled < chunk.len() {
                let read = within(self.timeouts.chunk, bytes.read(&mut chunk[filled..])).await?;
                match read.map_err(ScanError::Source)? {
                    0 => break,
                    read => filled += read,
                }
            }
            // An empty chunk is the end.
            let length = u32::try_from(filled - LENGTH).unwrap_or(0);
            chunk[..LENGTH].copy_from_slice(&length.to_be_bytes());
            within(self.timeouts.chunk, stream.write_all(&chunk[..filled])).await?.map_err(ScanError::Away)?;
            if length == 0 {
                return within(self.timeouts.chunk, stream.flush()).await?.map_err(ScanError::Away);
            }
        }
    }

    async fn ask(&self, command: &'static [u8]) -> Result<String, ScanError> {
        let mut stream = self.connected().await?;
        within(self.timeouts.chunk, stream.write_all(command)).await?.map_err(ScanError::Away)?;
        // These two are answered at once or never.
        let quick = Self { timeouts: Timeouts { answer: self.timeouts.chunk, ..self.timeouts }, ..self.clone() };
        quick.answer(&mut *stream).await
    }

    async fn connected(&self) -> Result<Box<dyn Stream>, ScanError> {
        let connecting = async {
            match &self.address {
                #[cfg(unix)]
                Address::Unix(path) => {
                    tokio::net::UnixStream::connect(path).await.map(|it| Box::new(it) as Box<dyn Stream>)
                }
                #[cfg(not(unix))]
                Address::Unix(_) => Err(std::io::ErrorKind::Unsupported.into()),
                Address::Tcp(place) => {
                    tokio::net::TcpStream::connect(place).await.map(|it| Box::new(it) as Box<dyn Stream>)
                }
            }
        };
        within(self.timeouts.connect, connecting).await?.map_err(ScanError::Away)
    }

    /// Up to the zero byte, without it.
    async fn answer(&self, stream: &mut dyn Stream) -> Result<String, ScanError> {
        let mut answer = Vec::new();
        let mut bounded = stream.take(LONGEST_ANSWER);
        within(self.timeouts.answer, bounded.read_to_end(&mut answer)).await?.map_err(ScanError::Away)?;
        let text = String::from_utf8_lossy(&answer);
        match text.split_once('\0') {
            Some((line, "")) => Ok(line.to_owned()),
            None if text.is_empty() => Err(ScanError::Away(std::io::ErrorKind::UnexpectedEof.into())),
            _ => Err(ScanError::protocol(&text)),
        }
    }
}

impl ScanError {
    fn protocol(answer: &str) -> Self {
        Self::Protocol(printable(answer))
    }
}

fn printable(answer: &str) -> String {
    answer.chars().filter(|it| !it.is_control()).take(200).collect()
}

async fn within<T>(time: Duration, work: impl Future<Output = T>) -> Result<T, ScanError> {
    tokio::time::timeout(time, work).await.map_err(|_| ScanError::TimedOut)
}

fn judgement(answer: &str) -> Result<Outcome, ScanError> {
    if answer == "stream: OK" {
        return Ok(Outcome::Clean);
    }
    if let Some(signature) = answer.strip_prefix("stream: ").and_then(|rest| rest.strip_suffix(" FOUND"))
        && !signature.is_empty()
    {
        if signature.starts_with(UNFINISHED) {
            return Err(ScanError::Unfinished(printable(signature)));
        }
        return Ok(Outcome::Infected { signature: signature.to_owned() });
    }
    if answer.starts_with(TOO_LARGE) {
        return Err(ScanError::TooLarge);
    }
    Err(ScanError::protocol(answer))
}

impl Version {
    /// `ClamAV 1.4.3`, and with official signatures `ClamAV 1.4.3/27812/Mon Nov 23 09:45:12 2026`.
    fn read(answer: &str) -> Option<Self> {
        let mut parts = answer.trim_end().split('/');
        let engine = parts.next().filter(|it| it.starts_with("ClamAV "))?.to_owned();
        // Without a database of that kind, some releases write 0 or nothing in its place.
        let number = parts.next().and_then(|it| it.parse().ok()).filter(|it| *it > 0);
        let made_at = parts.next().and_then(|it| {
            let local = jiff::civil::DateTime::strptime("%a %b %d %H:%M:%S %Y", it).ok()?;
            Some(local.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp())
        });
        Some(Self { engine, database: number.zip(made_at).map(|(number, made_at)| Database { number, made_at }) })
    }

    /// Whether the signatures are at most `days_at_most` days old. Official ones come about each day.
    pub fn freshness(&self, now: jiff::Timestamp, days_at_most: i64) -> Freshness {
        let Some(database) = self.database else { return Freshness::Unknown };
        let days = now.duration_since(database.made_at).as_hours() / 24;
        if days <= days_at_most { Freshness::Fresh } else { Freshness::Stale { days } }
    }
}
