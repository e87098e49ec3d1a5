//! The window of a search: what was asked, made whole and kept in bounds.

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

use crate::interval::Interval;
use crate::zone::{Zone, open_instants};

/// Nothing is offered further away than this, in days. Reasons have nearer horizons of their own.
pub const FURTHEST_DAYS: i64 = 365;
/// Longest window of one search for slots, in days: six months and their long weekend.
pub const WINDOW_DAYS: i64 = 190;
/// The window when no end is given, in days.
pub const DEFAULT_DAYS: i64 = 14;

/// A bound as a client writes it: a day, or an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    /// A local day of the place searched in.
    Day(Date),
    /// An instant.
    At(Timestamp),
}

/// A day as RFC 3339 writes it, and only so: jiff would also read week dates, signed years and annotations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Day(Date);

impl Day {
    /// The day.
    pub const fn date(self) -> Date {
        self.0
    }
}

/// The text is not a day of the calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not-a-day")]
pub struct NotADay;

impl std::str::FromStr for Day {
    type Err = NotADay;

    fn from_str(text: &str) -> Result<Self, NotADay> {
        let plain = text.bytes().enumerate().all(|(place, byte)| match place {
            4 | 7 => byte == b'-',
            _ => byte.is_ascii_digit(),
        });
        if text.len() == 10 && plain { text.parse().map(Self).map_err(|_| NotADay) } else { Err(NotADay) }
    }
}

impl TryFrom<String> for Day {
    type Error = NotADay;
    fn try_from(text: String) -> Result<Self, NotADay> {
        text.parse()
    }
}

/// The text is neither a date nor an instant with its offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not-a-date")]
pub struct NotADate;

impl std::str::FromStr for Bound {
    type Err = NotADate;

    fn from_str(text: &str) -> Result<Self, NotADate> {
        let day: Day = text.get(..10).unwrap_or_default().parse().map_err(|_| NotADate)?;
        if text.len() == 10 {
            return Ok(Self::Day(day.0));
        }
        // In a query string a bare `+` arrives as a space.
        text.replacen(' ', "+", 1).parse().map(Self::At).map_err(|_| NotADate)
    }
}

/// Why a window cannot be searched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SearchError {
    /// `from` is after `to`.
    #[error("from is after to")]
    Reversed,
    /// Longer than may be searched at once.
    #[error("longer than {days} days")]
    TooLong {
        /// The longest window, in days.
        days: i64,
    },
    /// Further away than anything is offered.
    #[error("{field} is beyond the horizon")]
    BeyondHorizon {
        /// `from` or `to`.
        field: &'static str,
    },
}

/// A half-open window of instants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// First instant.
    pub from: Timestamp,
    /// First instant after it.
    pub until: Timestamp,
}

impl Window {
    /// What was asked, completed: from now for a fortnight. A day in `to` is included; an instant is not. Nothing
    /// before `now` is searched.
    ///
    /// # Errors
    /// [`SearchError`], naming the field.
    pub fn new(from: Option<Bound>, to: Option<Bound>, zone: &Zone, now: Timestamp) -> Result<Self, SearchError> {
        let beyond = |field| SearchError::BeyondHorizon { field };
        // A day more than the horizon, so that the last day is whole in every zone.
        let furthest = days_after(now, FURTHEST_DAYS + 1);
        let start = match from {
            None => now,
            Some(bound) => bound.first_instant(zone).ok_or(beyond("from"))?,
        };
        let end = match to {
            None => days_after(start.max(now), DEFAULT_DAYS),
            Some(bound) => bound.last_instant(zone).ok_or(beyond("to"))?,
        };
        if start > end || from.zip(to).is_some_and(|(from, to)| from.is_after(to, zone)) {
            return Err(SearchError::Reversed);
        }
        if start > furthest {
            return Err(beyond("from"));
        }
        if to.is_some() && end > furthest {
            return Err(beyond("to"));
        }
        let from = start.max(now);
        let until = end.max(from);
        if until.duration_since(from) > SignedDuration::from_hours(24 * WINDOW_DAYS + 1) {
            return Err(SearchError::TooLong { days: WINDOW_DAYS });
        }
        Ok(Self { from, until })
    }
}

/// That many times 24 hours later, or the last instant there is.
fn days_after(instant: Timestamp, days: i64) -> Timestamp {
    instant.checked_add(SignedDuration::from_hours(24 * days)).unwrap_or(Timestamp::MAX)
}

impl Bound {
    /// Whether a window from here to `other` ends before it begins. A day's end is the next day's beginning, so days are
    /// compared as days.
    pub fn is_after(self, other: Self, zone: &Zone) -> bool {
        match (self, other) {
            (Self::Day(first), Self::Day(last)) => first > last,
            _ => self.first_instant(zone) > other.last_instant(zone),
        }
    }

    /// The first instant of a day, or the instant; `None` at the ends of the calendar.
    pub fn first_instant(self, zone: &Zone) -> Option<Timestamp> {
        match self {
            Self::At(instant) => Some(instant),
            Self::Day(day) => open_instants(zone, day, 0, 1440).first().map(Interval::start),
        }
    }

    /// The first instant after a day, or the instant.
    pub fn last_instant(self, zone: &Zone) -> Option<Timestamp> {
        match self {
            Self::At(instant) => Some(instant),
            Self::Day(day) => open_instants(zone, day, 0, 1440).last().map(Interval::end),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn window(from: &str, to: &str) -> Result<Window, SearchError> {
        let bound = |text: &str| (!text.is_empty()).then(|| text.parse().unwrap());
        Window::new(bound(from), bound(to), &"Europe/Paris".parse().unwrap(), "2026-03-20T10:00:00Z".parse().unwrap())
    }

    #[test]
    fn days_are_local_days_and_the_last_one_is_included() {
        let day = window("2026-03-29", "2026-03-29").unwrap();
        assert_eq!(day.from.to_string(), "2026-03-28T23:00:00Z");
        assert_eq!(day.until.to_string(), "2026-03-29T22:00:00Z", "the day that lost an hour");
    }

    #[test]
    fn what_is_past_is_not_searched() {
        let window = window("2020-01-01", "2026-03-21").unwrap();
        assert_eq!(window.from.to_string(), "2026-03-20T10:00:00Z");
    }

    #[test]
    fn reversed_long_and_distant_windows_are_refused() {
        assert_eq!(window("2026-04-02", "2026-04-01"), Err(SearchError::Reversed));
        assert_eq!(window("2026-04-02", "2027-03-01"), Err(SearchError::TooLong { days: WINDOW_DAYS }));
        assert_eq!(window("2099-01-01", ""), Err(SearchError::BeyondHorizon { field: "from" }));
        assert_eq!(window("2026-04-02", "2099-01-01"), Err(SearchError::BeyondHorizon { field: "to" }));
        assert_eq!(window("9999-12-31", "9999-12-31"), Err(SearchError::BeyondHorizon { field: "from" }));
        assert!(window("", "").is_ok());
        assert!(window("2026-04-01", "2026-09-30").is_ok(), "six months in one search");
    }

    #[test]
    fn a_bound_is_a_date_or_an_instant_with_its_offset() {
        for good in ["2026-03-29", "2026-03-29T10:00:00Z", "2026-03-29T10:00:00+02:00", "2026-03-29T10:00:00 02:00"] {
            assert!(good.parse::<Bound>().is_ok(), "{good}");
        }
        for bad in ["", "demain", "2026-02-30", "2026-03-29T10:00:00", "29/03/2026", "+002026-03-29", "2026-W13-7"] {
            assert_eq!(bad.parse::<Bound>(), Err(NotADate), "{bad}");
            assert_eq!(bad.parse::<Day>(), Err(NotADay), "{bad}");
        }
        for bad in ["20260329", "2026-03-29[Europe/Paris]", "2026-03-29T00:00:00Z", "2026-03-é"] {
            assert_eq!(bad.parse::<Day>(), Err(NotADay), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn no_text_breaks_the_parser(text in ".{0,40}") {
            let _ = text.parse::<Bound>();
        }
    }
}
