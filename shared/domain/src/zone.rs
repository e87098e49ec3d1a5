//! Time zones of sites, and the exact instants of local opening hours.

use std::{fmt, str::FromStr, sync::LazyLock};

use jiff::{
    Timestamp,
    civil::{Date, DateTime},
    tz::{TimeZone, TimeZoneDatabase},
};
use serde::{Deserialize, Serialize};

use crate::interval::Interval;

mod runs;

pub(crate) use runs::{DayRun, OffsetSpans, SECONDS_PER_DAY, at_second, ceil_second, day_date, day_number};

/// The tz database compiled into the program: the same rules on every host, and no file read.
static DATABASE: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);

/// A place's time zone, by its IANA name (`Europe/Paris`). Cloning is cheap.
///
/// Fixed offsets (`UTC+1`, `+01:00`, `Etc/GMT-1`) and legacy abbreviations (`CET`) are refused: a
/// site is somewhere, and only a place's name follows the changes of its law.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Zone(TimeZone);

/// The name is not the IANA name of a place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not an IANA time zone such as Europe/Paris")]
pub struct UnknownZone(String);

impl Zone {
    /// The IANA name, in its canonical spelling.
    pub fn name(&self) -> &str {
        // Only named zones are ever wrapped.
        self.0.iana_name().unwrap_or("Etc/Unknown")
    }

    /// The zone's rules, for display and conversions.
    pub const fn time_zone(&self) -> &TimeZone {
        &self.0
    }

    /// The wall clock's date and time at an instant.
    pub fn local(&self, instant: Timestamp) -> DateTime {
        self.0.to_datetime(instant)
    }
}

impl FromStr for Zone {
    type Err = UnknownZone;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let refused = || UnknownZone(name.chars().take(64).collect());
        let (area, _) = name.split_once('/').ok_or_else(refused)?;
        if area.eq_ignore_ascii_case("Etc") {
            return Err(refused());
        }
        let zone = DATABASE.get(name).map_err(|_| refused())?;
        zone.iana_name().ok_or_else(refused)?;
        Ok(Self(zone))
    }
}

impl TryFrom<String> for Zone {
    type Error = UnknownZone;

    fn try_from(name: String) -> Result<Self, Self::Error> {
        name.parse()
    }
}

impl From<Zone> for String {
    fn from(zone: Zone) -> Self {
        zone.name().to_owned()
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The instants whose local date is `date` and whose minute of the day is at least
/// `starts_minute` and less than `ends_minute`, normalised.
///
/// It is a preimage, so it is exact when clocks change: an hour that happens twice is open twice,
/// one that never happens is not open. Empty unless `starts_minute < ends_minute <= 1440`.
pub fn open_instants(zone: &Zone, date: Date, starts_minute: u16, ends_minute: u16) -> Vec<Interval> {
    if ends_minute > 1440 {
        return Vec::new();
    }
    let midnight = day_number(date) * SECONDS_PER_DAY;
    let second = |minute: u16| (midnight + 60 * i64::from(minute), 0);
    preimage(zone, second(starts_minute), second(ends_minute))
}

/// The instants whose local date and time is at least `starts` and less than `ends`, normalised;
/// empty unless `starts < ends`. Exact in the same sense as [`open_instants`].
pub fn local_range_instants(zone: &Zone, starts: DateTime, ends: DateTime) -> Vec<Interval> {
    preimage(zone, local_second(starts), local_second(ends))
}

/// Seconds and nanoseconds of a wall clock since its own 1970-01-01T00:00.
pub(crate) fn local_second(local: DateTime) -> (i64, i32) {
    let seconds = i64::from(local.hour()) * 3600 + i64::from(local.minute()) * 60 + i64::from(local.second());
    let days = day_number(local.date());
    (days * SECONDS_PER_DAY + seconds, local.subsec_nanosecond())
}

fn preimage(zone: &Zone, starts: (i64, i32), ends: (i64, i32)) -> Vec<Interval> {
    let instant = |(second, nanosecond): (i64, i32), offset: i64| {
        Timestamp::new(second - offset, nanosecond).unwrap_or_else(|_| at_second(second - offset))
    };
    let mut found: Vec<Interval> = Vec::new();
    if starts >= ends {
        return found;
    }
    let mut spans = OffsetSpans::new(zone);
    let mut from = at_second(starts.0 - runs::MAX_OFFSET_SECONDS).as_second();
    // `<=` because an end may carry nanoseconds past its second.
    while from <= ends.0 + runs::MAX_OFFSET_SECONDS && from < Timestamp::MAX.as_second() {
        let span = spans.at(from);
        let starts = instant(starts, span.offset).max(at_second(span.start));
        let ends = instant(ends, span.offset).min(at_second(span.end));
        match (found.last_mut(), Interval::new(starts, ends)) {
            (Some(last), Some(next)) if last.end() == next.start() => {
                // Clocks that jump within the range leave the elapsed time unbroken.
                *last = Interval::new(last.start(), next.end()).unwrap_or(next);
            }
            (_, next) => found.extend(next),
        }
        from = span.end;
    }
    found
}

#[cfg(test)]
mod tests;
