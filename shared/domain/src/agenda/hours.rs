//! Open time of one reason at one site, a local day at a time. Times are unix seconds unless
//! said to be local.

use super::{Agenda, Exception, ExceptionKind, Opening, Reason, Site};
use crate::{
    holidays::HolidayCalendar,
    ids::ReasonId,
    interval::{Interval, normalize, subtract, union},
    zone::{DayRun, OffsetSpans, SECONDS_PER_DAY, at_second, day_date, day_number, local_second},
};

/// The rules that say when a site is open for a reason. Reasons with equal rules share them.
#[derive(PartialEq)]
pub(super) struct Hours {
    holidays: HolidayCalendar,
    weekly: Vec<Weekly>,
    open: Vec<LocalRange>,
    closed: Vec<LocalRange>,
}

/// A weekly opening; days as in [`day_number`].
#[derive(PartialEq)]
struct Weekly {
    weekday: i64,
    starts: i64,
    ends: i64,
    first_day: i64,
    end_day: i64,
}

/// Local seconds, half-open.
#[derive(PartialEq)]
struct LocalRange {
    starts: i64,
    ends: i64,
}

impl Hours {
    /// `None` when never open.
    pub(super) fn new(agenda: &Agenda, site: &Site, reason: &Reason) -> Option<Self> {
        let for_this =
            |reasons: &Option<Vec<ReasonId>>| reasons.as_ref().is_none_or(|reasons| reasons.contains(&reason.id));
        let weekly = agenda.openings.iter();
        let weekly = weekly.filter(|o| o.site == site.id && for_this(&o.reasons));
        let weekly: Vec<Weekly> = weekly.filter_map(Weekly::new).collect();
        let ranges = |kind: ExceptionKind| {
            let exceptions = agenda.exceptions.iter().filter(move |e| e.kind == kind);
            exceptions
                .filter(|e| e.site.is_none_or(|id| id == site.id) && for_this(&e.reasons))
                .filter_map(LocalRange::new)
                .collect::<Vec<_>>()
        };
        let open = ranges(ExceptionKind::Open);
        if weekly.is_empty() && open.is_empty() {
            return None;
        }
        let closed = ranges(ExceptionKind::Closed);
        Some(Self { holidays: site.holidays, weekly, open, closed })
    }

    /// Open time within one run, normalised.
    pub(super) fn open_in(&self, run: &DayRun) -> Vec<Interval> {
        let mut open = Vec::new();
        let midnight = run.day * SECONDS_PER_DAY;
        // 1970-01-01 was a Thursday.
        let weekday = (run.day + 3).rem_euclid(7) + 1;
        let mut applying = self.weekly.iter().filter(|w| w.applies(weekday, run.day)).peekable();
        if applying.peek().is_some() && !is_holiday(self.holidays, run.day) {
            for weekly in applying {
                run.preimage(midnight + weekly.starts, midnight + weekly.ends, &mut open);
            }
        }
        open = normalize(open);
        let given = within(&self.open, run);
        if !given.is_empty() {
            open = union(&open, &given);
        }
        let taken = within(&self.closed, run);
        if !open.is_empty() && !taken.is_empty() {
            open = subtract(&open, &normalize(taken));
        }
        open
    }

    /// How far open time goes on past a midnight, looking no further than `needed` seconds.
    pub(super) fn room_after(&self, midnight: i64, needed: i64, spans: &mut OffsetSpans<'_>) -> i64 {
        let mut room = midnight;
        while room < midnight + needed {
            let Some(run) = spans.run_from(room) else {
                break;
            };
            let first = self.open_in(&run).first().copied();
            let Some(next) = first.filter(|range| range.start() == at_second(room)) else {
                break;
            };
            room = next.end().as_second();
            if room < run.end {
                break;
            }
        }
        room
    }
}

impl Weekly {
    fn new(opening: &Opening) -> Option<Self> {
        let sound = opening.starts_minute < opening.ends_minute && opening.ends_minute <= 1440;
        sound.then(|| Self {
            // Weekdays beyond 7 match no day.
            weekday: i64::from(opening.weekday),
            starts: 60 * i64::from(opening.starts_minute),
            ends: 60 * i64::from(opening.ends_minute),
            first_day: opening.valid_from.map_or(i64::MIN, day_number),
            end_day: opening.valid_until.map_or(i64::MAX, day_number),
        })
    }

    fn applies(&self, weekday: i64, day: i64) -> bool {
        self.weekday == weekday && self.first_day <= day && day < self.end_day
    }
}

impl LocalRange {
    fn new(exception: &Exception) -> Option<Self> {
        let up = |(second, nanos): (i64, i32)| second + i64::from(nanos > 0);
        let (starts, ends) = (local_second(exception.starts), local_second(exception.ends));
        // Slots keep to whole seconds; rounding never opens more than was said.
        let range = match exception.kind {
            ExceptionKind::Open => Self { starts: up(starts), ends: ends.0 },
            ExceptionKind::Closed => Self { starts: starts.0, ends: up(ends) },
        };
        (starts < ends && range.starts < range.ends).then_some(range)
    }
}

/// The instants of a run that local ranges cover, in no order.
fn within(ranges: &[LocalRange], run: &DayRun) -> Vec<Interval> {
    let mut found = Vec::new();
    let midnight = run.day * SECONDS_PER_DAY;
    for range in ranges {
        if range.starts < midnight + SECONDS_PER_DAY && midnight < range.ends {
            run.preimage(range.starts, range.ends, &mut found);
        }
    }
    found
}

fn is_holiday(calendar: HolidayCalendar, day: i64) -> bool {
    day_date(day).is_some_and(|date| calendar.is_holiday(date).is_some())
}
