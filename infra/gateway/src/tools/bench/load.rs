//! The load: written requests over plain keep-alive connections, from one thread, so that little of the machine's two
//! cores is spent on asking.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use runtime::host::StartError;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// An answer, and how long it took.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) took: Duration,
    pub(super) body: Vec<u8>,
}

/// Every answer of a round, in no order.
pub(super) struct Round {
    pub(super) answers: Vec<Answer>,
    pub(super) took: Duration,
}

impl Round {
    /// Requests answered in a second.
    #[expect(clippy::cast_precision_loss, reason = "counts here are far below 2^52")]
    pub(super) fn rate(&self) -> f64 {
        self.answers.len() as f64 / self.took.as_secs_f64()
    }

    /// Of the first answer with another status, what it says.
    pub(super) fn refusal(&self, wanted: u16) -> Option<String> {
        let other = self.answers.iter().find(|answer| answer.status != wanted)?;
        Some(format!("{}: {}", other.status, String::from_utf8_lossy(&other.body)))
    }
}

/// The time in milliseconds that `share` of the answers did not exceed.
pub(super) fn percentile(times: &mut [Duration], share: f64) -> f64 {
    times.sort_unstable();
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "an index"
    )]
    let rank = ((times.len() as f64 * share).ceil() as usize).clamp(1, times.len().max(1)) - 1;
    times.get(rank).map_or(0.0, |time| time.as_secs_f64() * 1000.0)
}

/// `GET path`, as it travels.
pub(super) fn get(path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nhost: carnet\r\naccept: application/json\r\n\r\n").into_bytes()
}

/// Sends every request once, over `connections` at a time, each as soon as the one before it is answered.
pub(super) async fn run(port: u16, requests: Vec<Vec<u8>>, connections: usize) -> Result<Round, StartError> {
    let round = tokio::task::spawn_blocking(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(send_all(port, requests, connections))
    });
    Ok(round.await??)
}

async fn send_all(port: u16, requests: Vec<Vec<u8>>, connections: usize) -> io::Result<Round> {
    let (requests, next) = (Arc::new(requests), Arc::new(AtomicUsize::new(0)));
    let mut open = Vec::new();
    for _ in 0..connections {
        open.push(Connection::open(port).await?);
    }
    let began = Instant::now();
    let work = open.into_iter().map(|mut connection| {
        let (requests, next) = (requests.clone(), next.clone());
        tokio::spawn(async move {
            let mut answers = Vec::new();
            while let Some(request) = requests.get(next.fetch_add(1, Ordering::Relaxed)) {
                answers.push(connection.exchange(request).await?);
            }
            Ok::<_, io::Error>(answers)
        })
    });
    let mut answers = Vec::new();
    for work in work.collect::<Vec<_>>() {
        answers.extend(work.await.map_err(io::Error::other)??);
    }
    Ok(Round { answers, took: began.elapsed() })
}

/// Sends every request to its port at its time, `rate` in a second, whether or not those before it are answered. An answer's
/// time is counted from when its request was due: what waits for a free connection waits, too.
pub(super) async fn at_rate(requests: Vec<(u16, Vec<u8>)>, rate: f64, connections: usize) -> Result<Round, StartError> {
    let round = tokio::task::spawn_blocking(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(send_on_time(requests, rate, connections))
    });
    Ok(round.await??)
}

async fn send_on_time(requests: Vec<(u16, Vec<u8>)>, rate: f64, connections: usize) -> io::Result<Round> {
    let (requests, next) = (Arc::new(requests), Arc::new(AtomicUsize::new(0)));
    let began = Instant::now();
    let work = (0..connections).map(|_| {
        let (requests, next) = (requests.clone(), next.clone());
        tokio::spawn(async move {
            let (mut answers, mut open) = (Vec::new(), std::collections::HashMap::new());
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                let Some((port, request)) = requests.get(number) else { return Ok::<_, io::Error>(answers) };
                #[expect(clippy::cast_precision_loss, reason = "counts here are far below 2^52")]
                let due = began + Duration::from_secs_f64(number as f64 / rate);
                tokio::time::sleep_until(due.into()).await;
                let connection = match open.entry(*port) {
                    std::collections::hash_map::Entry::Occupied(open) => open.into_mut(),
                    std::collections::hash_map::Entry::Vacant(place) => place.insert(Connection::open(*port).await?),
                };
                let answer = connection.exchange(request).await?;
                answers.push(Answer { took: due.elapsed(), ..answer });
            }
        })
    });
    let mut answers = Vec::new();
    for work in work.collect::<Vec<_>>() {
        answers.extend(work.await.map_err(io::Error::other)??);
    }
    Ok(Round { answers, took: began.elapsed() })
}

struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    async fn open(port: u16) -> io::Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port)).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::with_capacity(16 * 1024) })
    }

    async fn exchange(&mut self, request: &[u8]) -> io::Result<Answer> {
        let began = Instant::now();
        self.buffer.clear();
        self.stream.write_all(request).await?;
        loop {
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if let Some((status, from)) = complete(&self.buffer) {
                return Ok(Answer { status, took: began.elapsed(), body: self.buffer[from..].to_vec() });
            }
        }
    }
}

/// Status and beginning of the body, once the whole answer is there. Our functions always say `content-length`.
fn complete(bytes: &[u8]) -> Option<(u16, usize)> {
    let from = bytes.windows(4).position(|end| end == b"\r\n\r\n")? + 4;
    let head = std::str::from_utf8(&bytes[..from]).ok()?;
    let status = head.get(9..12)?.parse().ok()?;
    let length = head.lines().filter_map(|line| line.split_once(": "));
    let length: usize = length
        .filter(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .find_map(|(_, value)| value.parse().ok())?;
    (bytes.len() >= from + length).then_some((status, from))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{complete, percentile};

    #[test]
    fn an_answer_is_complete_with_its_last_byte() {
        let whole = b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\n{}";
        assert_eq!(complete(whole), Some((201, whole.len() - 2)));
        assert!((0..whole.len()).all(|end| complete(&whole[..end]).is_none()));
    }

    #[test]
    fn a_percentile_is_one_of_the_times() {
        let mut times: Vec<Duration> = (1..=100).rev().map(Duration::from_millis).collect();
        for (share, wanted) in [(0.5, 50.0), (0.95, 95.0), (0.99, 99.0), (1.0, 100.0)] {
            assert!((percentile(&mut times, share) - wanted).abs() < 1e-9);
        }
        assert!(percentile(&mut [], 0.5).abs() < 1e-9);
    }
}
