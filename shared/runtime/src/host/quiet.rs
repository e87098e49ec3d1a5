//! A connection that is cut when it is quiet for too long: before its first request, within a head, between requests, or
//! while it does not take what it is sent.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::Semaphore;
use tokio::time::{Instant, Sleep};

use super::connections::Bounds;

/// How often a busy connection is looked at, and how soon a quiet one feels that room is scarce.
const GLANCE: Duration = Duration::from_secs(5);

/// So many bytes sent are a sign of life: a document of 200 MiB may take hours on a poor line, at 9 KB a second and more.
const PROGRESS: usize = 1 << 20;

/// Requests under way on one connection.
#[derive(Debug, Default)]
pub(super) struct Activity {
    busy: AtomicUsize,
    begun: AtomicU64,
}

impl Activity {
    pub(super) fn begin(self: &Arc<Self>) -> Busy {
        self.busy.fetch_add(1, Ordering::AcqRel);
        self.begun.fetch_add(1, Ordering::AcqRel);
        Busy(self.clone())
    }
}

/// One request, from its head to the end of its answer.
#[derive(Debug)]
pub(super) struct Busy(Arc<Activity>);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.busy.fetch_sub(1, Ordering::AcqRel);
    }
}

/// The stream of a connection, with a watch over its silences.
pub(super) struct Watched<S> {
    stream: S,
    activity: Arc<Activity>,
    bounds: Bounds,
    /// Of the whole port: when none is left, whoever rests makes room.
    room: Arc<Semaphore>,
    alarm: Pin<Box<Sleep>>,
    /// Beginning of the present rest, head or request.
    since: Instant,
    /// Requests begun when `since` was set.
    begun: u64,
    was_busy: bool,
    /// Some of a head has come.
    head: bool,
    /// HTTP/2 sends more than heads between requests; only its rests are bounded.
    http2: Option<bool>,
    stalled: Option<Pin<Box<Sleep>>>,
    /// Bytes sent since `since`.
    sent: usize,
}

impl<S> Watched<S> {
    pub(super) fn new(stream: S, activity: Arc<Activity>, bounds: Bounds, room: Arc<Semaphore>) -> Self {
        let since = Instant::now();
        Self {
            stream,
            activity,
            bounds,
            room,
            alarm: Box::pin(tokio::time::sleep_until(since + bounds.head.min(GLANCE))),
            since,
            begun: 0,
            was_busy: false,
            head: false,
            http2: None,
            stalled: None,
            sent: 0,
        }
    }

    /// Takes note of requests that began or ended.
    fn look(&mut self) {
        let busy = self.activity.busy.load(Ordering::Acquire) > 0;
        let begun = self.activity.begun.load(Ordering::Acquire);
        if busy != self.was_busy || begun != self.begun {
            (self.was_busy, self.begun, self.head) = (busy, begun, false);
            self.since = Instant::now();
        }
    }

    /// A long answer that is taken is no silence: what was sent gives time for more.
    fn went(&mut self, outcome: &Poll<io::Result<usize>>) {
        if let Poll::Ready(Ok(bytes)) = outcome {
            self.sent += bytes;
            if self.sent >= PROGRESS {
                self.sent = 0;
                self.since = Instant::now();
            }
        }
    }

    fn came(&mut self, bytes: &[u8]) {
        let http2 = *self.http2.get_or_insert_with(|| bytes.starts_with(b"PRI"));
        self.look();
        if !self.was_busy && !self.head && self.begun > 0 && !http2 {
            self.head = true;
            self.since = Instant::now();
        }
    }

    /// How long the present state may last.
    fn patience(&self) -> Duration {
        let Bounds { head, rest, pressed, longest, .. } = self.bounds;
        let scarce = self.room.available_permits() == 0;
        match (self.was_busy, self.begun == 0 || self.head) {
            (true, _) => longest,
            (false, true) if scarce => head.min(pressed),
            (false, true) => head,
            (false, false) if scarce => rest.min(pressed),
            (false, false) => rest,
        }
    }

    /// Ready when the connection was quiet for too long; wakes the reader in time to see it.
    fn poll_alarm(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            self.look();
            let now = Instant::now();
            let end = self.since + self.patience();
            if end <= now {
                return Poll::Ready(());
            }
            let wanted = end.min(now + GLANCE);
            // An alarm that is set earlier rings, and is set again.
            if self.alarm.is_elapsed() || self.alarm.deadline() > wanted {
                self.alarm.as_mut().reset(wanted);
            }
            ready!(self.alarm.as_mut().poll(cx));
        }
    }

    /// What came of a write; one that waits is bounded.
    fn written<T>(&mut self, outcome: Poll<io::Result<T>>, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        if outcome.is_ready() {
            self.stalled = None;
            return outcome;
        }
        let bound = self.bounds.stall;
        let alarm = self.stalled.get_or_insert_with(|| Box::pin(tokio::time::sleep(bound)));
        ready!(alarm.as_mut().poll(cx));
        Poll::Ready(Err(too_quiet()))
    }
}

fn too_quiet() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "the connection was quiet for too long")
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        if let Poll::Ready(outcome) = Pin::new(&mut this.stream).poll_read(cx, buffer) {
            outcome?;
            this.came(&buffer.filled()[before..]);
            // Drops that keep coming are no sign of life: within a head only its end is.
            if this.poll_alarm(cx).is_pending() {
                return Poll::Ready(Ok(()));
            }
            return Poll::Ready(Err(too_quiet()));
        }
        ready!(this.poll_alarm(cx));
        Poll::Ready(Err(too_quiet()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let outcome = Pin::new(&mut this.stream).poll_write(cx, bytes);
        this.went(&outcome);
        this.written(outcome, cx)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>, cx: &mut Context<'_>, slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let outcome = Pin::new(&mut this.stream).poll_write_vectored(cx, slices);
        this.went(&outcome);
        this.written(outcome, cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let outcome = Pin::new(&mut this.stream).poll_flush(cx);
        this.written(outcome, cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let outcome = Pin::new(&mut this.stream).poll_shutdown(cx);
        this.written(outcome, cx)
    }
}
