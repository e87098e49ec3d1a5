//! One reason at one site: its rules, made ready for walking local days. Times are unix seconds
//! unless said to be local.

use jiff::Timestamp;

use super::{Agenda, MAX_DURATION_MINUTES, Reason, Site, Slot, hours::Hours};
use crate::{
    ids::PractitionerId,
    interval::Interval,
    zone::{DayRun, OffsetSpans, ceil_second},
};

/// A reason's rules at a site, as seen from `now`.
pub(super) struct Plan<'a> {
    practitioner: PractitionerId,
    site: &'a Site,
    reason: &'a Reason,
    duration: i64,
    pub(super) step: i64,
    /// Busy time must end this long before a start…
    pub(super) before: i64,
    /// …and begin this long after it.
    pub(super) occupied: i64,
    /// First start that is neither past nor too soon.
    pub(super) earliest: i64,
    /// Last local day of start.
    pub(super) last_day: i64,
}

/// A part of a day where starts are counted from `start`.
pub(super) struct Stretch {
    pub(super) start: i64,
    /// Last start at which a whole appointment fits, which may run past midnight.
    pub(super) last_start: i64,
}

/// The first start neither past nor too soon, and the last local day of start.
pub(super) fn booking_period(reason: &Reason, spans: &mut OffsetSpans<'_>, now: Timestamp) -> (i64, i64) {
    let today = spans.local_day(now.as_second());
    (
        // At most eight thousand years past a timestamp: far from overflow.
        ceil_second(now) + 60 * i64::from(reason.notice_minutes),
        today + i64::from(reason.honoured_horizon_days()),
    )
}

impl<'a> Plan<'a> {
    /// `None` when the reason makes no sense.
    pub(super) fn new(
        agenda: &'a Agenda, site: &'a Site, reason: &'a Reason, spans: &mut OffsetSpans<'_>, now: Timestamp,
    ) -> Option<Self> {
        let seconds = |minutes: u16| 60 * i64::from(minutes);
        let duration = seconds(reason.duration_minutes);
        let before = seconds(reason.buffer_before_minutes);
        let occupied = duration + seconds(reason.buffer_after_minutes);
        let step = reason.step_minutes.map_or(before + occupied, seconds);
        if duration == 0 || reason.duration_minutes > MAX_DURATION_MINUTES || step == 0 {
            return None;
        }
        let (earliest, last_day) = booking_period(reason, spans, now);
        let practitioner = agenda.practitioner;
        Some(Self { practitioner, site, reason, duration, step, before, occupied, earliest, last_day })
    }

    /// Where starts are counted from in a run's open time, in order.
    pub(super) fn stretches(
        &self, hours: &Hours, open: &[Interval], run: &DayRun, spans: &mut OffsetSpans<'_>,
    ) -> Vec<Stretch> {
        let stretches = open.iter().map(|range| {
            let end = range.end().as_second();
            let room = if end == run.end { hours.room_after(end, self.duration, spans) } else { end };
            Stretch { start: range.start().as_second(), last_start: (room - self.duration).min(end - 1) }
        });
        stretches.collect()
    }

    /// Whether the grid has this start.
    pub(super) fn has_start(&self, hours: &Hours, start: i64, spans: &mut OffsetSpans<'_>) -> bool {
        let mut run = spans.run_of(start);
        while run.as_ref().is_some_and(|run| run.end <= start) {
            run = run.and_then(|run| spans.run_from(run.end));
        }
        run.is_some_and(|run| {
            let stretches = self.stretches(hours, &hours.open_in(&run), &run, spans);
            stretches.iter().any(|s| s.start <= start && start <= s.last_start && (start - s.start) % self.step == 0)
        })
    }

    /// The slot at a start; `None` past the last timestamp.
    pub(super) fn slot(&self, start: i64) -> Option<Slot> {
        Some(Slot {
            practitioner: self.practitioner,
            site: self.site.id,
            reason: self.reason.id,
            channel: self.reason.channel,
            starts_at: Timestamp::from_second(start).ok()?,
            ends_at: Timestamp::from_second(start + self.duration).ok()?,
        })
    }
}
