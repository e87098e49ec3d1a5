//! The one clock. Rules take `now`; only the edge asks what it is.

use std::sync::atomic::{AtomicI64, Ordering};

use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;

/// The time as the whole process sees it: the machine's, moved by an offset that only development and tests set.
#[derive(Debug)]
pub struct Clock {
    offset_ms: AtomicI64,
    moved: watch::Sender<u64>,
}

impl Default for Clock {
    fn default() -> Self {
        Self { offset_ms: AtomicI64::new(0), moved: watch::Sender::new(0) }
    }
}

impl Clock {
    /// The current instant, to the microsecond (what the database keeps).
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the machine's clock")]
    pub fn now(&self) -> Timestamp {
        let now = Timestamp::now() + SignedDuration::from_millis(self.offset_ms.load(Ordering::Relaxed));
        Timestamp::from_microsecond(now.as_microsecond()).unwrap_or(now)
    }

    /// Makes `now` the current instant; time flows on from there.
    #[expect(clippy::disallowed_methods, reason = "the offset is counted from the machine's clock")]
    pub fn set(&self, now: Timestamp) {
        let offset = now.as_millisecond() - Timestamp::now().as_millisecond();
        self.offset_ms.store(offset, Ordering::Relaxed);
        self.moved.send_modify(|times| *times += 1);
    }

    /// Returns to the machine's clock.
    pub fn reset(&self) {
        self.offset_ms.store(0, Ordering::Relaxed);
        self.moved.send_modify(|times| *times += 1);
    }

    /// Tells when the clock was moved, so that who sleeps until a time can count again.
    pub fn moves(&self) -> watch::Receiver<u64> {
        self.moved.subscribe()
    }
}
