//! Walking a zone's local days as stretches of elapsed seconds.

use jiff::{Timestamp, civil::Date, tz::Offset};

use super::Zone;
use crate::interval::Interval;

pub(crate) const SECONDS_PER_DAY: i64 = 86_400;
/// More than any offset a zone has had, or that jiff can hold (25:59:59).
pub(super) const MAX_OFFSET_SECONDS: i64 = 26 * 3600;

const EPOCH: Date = jiff::civil::date(1970, 1, 1);

/// Seconds during which a zone's offset is constant: local = unix + offset.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    pub(crate) start: i64,
    pub(crate) end: i64,
    pub(crate) offset: i64,
}

/// Reads a zone's offsets, remembering the last span: a walk forward asks the zone once per
/// change of clocks rather than once per day.
#[derive(Debug)]
pub(crate) struct OffsetSpans<'z> {
    zone: &'z Zone,
    last: Option<Span>,
}

impl<'z> OffsetSpans<'z> {
    pub(crate) const fn new(zone: &'z Zone) -> Self {
        Self { zone, last: None }
    }

    /// The span around a unix second, cut to start there when it was not already known. The
    /// second must be at least the first that can be represented.
    pub(crate) fn at(&mut self, second: i64) -> Span {
        if let Some(span) = self.last.filter(|s| s.start <= second && second < s.end) {
            return span;
        }
        let instant = at_second(second);
        let tz = self.zone.time_zone();
        let next = tz.following(instant).next();
        let span = Span {
            start: second,
            // Not even the last instant changes clocks: a span outlives every timestamp.
            end: next.map_or(i64::MAX, |change| change.timestamp().as_second()),
            offset: i64::from(tz.to_offset(instant).seconds()),
        };
        self.last = Some(span);
        span
    }

    /// The local day (see [`day_number`]) at a unix second.
    pub(crate) fn local_day(&mut self, second: i64) -> i64 {
        (second + self.at(second).offset).div_euclid(SECONDS_PER_DAY)
    }

    /// The first instant of the local day that `second` belongs to, as a run of that day.
    pub(crate) fn run_of(&mut self, second: i64) -> Option<DayRun> {
        let day = self.local_day(second);
        let mut from = at_second(day * SECONDS_PER_DAY - MAX_OFFSET_SECONDS).as_second();
        while from <= second {
            let span = self.at(from);
            let start = span.start.max(from).max(day * SECONDS_PER_DAY - span.offset);
            if start < span.end && self.local_day(start) == day {
                return self.run_from(start);
            }
            from = span.end;
        }
        None
    }

    /// The run that starts at a unix second; `None` at the end of representable time.
    pub(crate) fn run_from(&mut self, start: i64) -> Option<DayRun> {
        if start >= Timestamp::MAX.as_second() {
            return None;
        }
        let day = self.local_day(start);
        let mut run = DayRun { day, start, end: start, spans: Vec::with_capacity(1) };
        while run.end < Timestamp::MAX.as_second() && self.local_day(run.end) == day {
            let span = self.at(run.end);
            let midnight = (day + 1) * SECONDS_PER_DAY - span.offset;
            let end = span.end.min(midnight).min(Timestamp::MAX.as_second());
            run.spans.push(Span { start: run.end, end, offset: span.offset });
            run.end = end;
        }
        Some(run)
    }
}

/// A maximal stretch of elapsed seconds with one local date. Nearly always a whole day; a date is
/// two runs where clocks went back over midnight, and no run where a zone skipped it.
#[derive(Debug)]
pub(crate) struct DayRun {
    pub(crate) day: i64,
    pub(crate) start: i64,
    pub(crate) end: i64,
    spans: Vec<Span>,
}

impl DayRun {
    /// Adds to `found` the instants of this run whose local second is in `starts..ends`.
    pub(crate) fn preimage(&self, starts: i64, ends: i64, found: &mut Vec<Interval>) {
        for span in &self.spans {
            let start = span.start.max(starts.saturating_sub(span.offset));
            let end = span.end.min(ends.saturating_sub(span.offset));
            found.extend(Interval::new(at_second(start), at_second(end)));
        }
    }
}

/// Days since 1970-01-01.
pub(crate) fn day_number(date: Date) -> i64 {
    date.duration_since(EPOCH).as_hours() / 24
}

/// The date of a [`day_number`]; `None` where no timestamp reaches.
pub(crate) fn day_date(day: i64) -> Option<Date> {
    let midnight = Timestamp::from_second(day.checked_mul(SECONDS_PER_DAY)?).ok()?;
    Some(Offset::UTC.to_datetime(midnight).date())
}

/// The timestamp at a unix second, or the nearest that can be represented.
pub(crate) fn at_second(second: i64) -> Timestamp {
    let (min, max) = (Timestamp::MIN.as_second(), Timestamp::MAX.as_second());
    Timestamp::from_second(second.clamp(min, max)).unwrap_or(Timestamp::MAX)
}

/// The first whole unix second at or after an instant.
pub(crate) fn ceil_second(instant: Timestamp) -> i64 {
    // Seconds are truncated towards zero, so only a positive remainder rounds up.
    instant.as_second() + i64::from(instant.subsec_nanosecond() > 0)
}
