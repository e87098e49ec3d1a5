//! What a search returns, asks for, and refuses.

use std::cmp::Ordering;

use jiff::{SignedDuration, Timestamp};

use super::{Channel, Reason};
use crate::{
    ids::{PractitionerId, ReasonId, SiteId},
    interval::Interval,
};

/// A start that can be booked. Ordered by start, then practitioner, reason and site, so that
/// slots of several agendas merge into one list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Slot {
    /// With whom.
    pub practitioner: PractitionerId,
    /// Where.
    pub site: SiteId,
    /// What for.
    pub reason: ReasonId,
    /// How they meet.
    pub channel: Channel,
    /// First instant, a whole second.
    pub starts_at: Timestamp,
    /// First instant after.
    pub ends_at: Timestamp,
}

impl Slot {
    /// The time to reserve: the slot with the reason's buffers, `[start - before, end + after)`,
    /// cut at the ends of representable time.
    pub fn reserved(&self, reason: &Reason) -> Interval {
        let minutes = |m: u16| SignedDuration::from_mins(i64::from(m));
        let start = self.starts_at.checked_sub(minutes(reason.buffer_before_minutes));
        let end = self.ends_at.checked_add(minutes(reason.buffer_after_minutes));
        Interval::saturating(start.unwrap_or(Timestamp::MIN), end.unwrap_or(Timestamp::MAX))
    }

    /// Start first, the ids next; the rest only keeps the order consistent with equality.
    fn key(&self) -> impl Ord {
        let ids = (self.practitioner, self.reason, self.site);
        (self.starts_at, ids, self.channel, self.ends_at)
    }
}

impl Ord for Slot {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key().cmp(&other.key())
    }
}

impl PartialOrd for Slot {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Which slots are sought. `None` accepts any.
#[derive(Clone, Copy, Debug)]
pub struct Wish<'a> {
    /// At this site only.
    pub site: Option<SiteId>,
    /// For these reasons only.
    pub reasons: Option<&'a [ReasonId]>,
    /// By this channel only.
    pub channel: Option<Channel>,
    /// Starts at or after.
    pub from: Timestamp,
    /// Starts before.
    pub until: Timestamp,
}

/// Why the rules do not offer a start, in the order they are checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SlotRefusal {
    /// The agenda has no such reason.
    #[error("this practitioner does not offer this reason")]
    UnknownReason,
    /// The agenda has no such site.
    #[error("this practitioner does not work at this site")]
    UnknownSite,
    /// It has already started.
    #[error("this time is past")]
    Past,
    /// Less than the reason's notice is left.
    #[error("at least {notice_minutes} minutes of notice are needed")]
    TooSoon {
        /// The notice the reason asks for.
        notice_minutes: u32,
    },
    /// The agenda is not open for booking so far ahead.
    #[error("bookings open {horizon_days} days ahead")]
    BeyondHorizon {
        /// The horizon that was honoured, [`MAX_WALK_DAYS`](super::MAX_WALK_DAYS) at most.
        horizon_days: u16,
    },
    /// Closed then, too close to closing time, or between two starts of the grid.
    #[error("no appointment starts at this time")]
    OutsideOpeningHours,
}
