//! Names of time zones: IANA's are ours, Windows' are Exchange's. What a name means is CLDR's `windowsZones.xml`
//! (<https://cldr.unicode.org>), by the crate `windows-timezones`; what a clock shows there is the tz database's.

use std::sync::LazyLock;

use domain::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::{TimeZone, TimeZoneDatabase};
use windows_timezones::WindowsTimezone;

/// Compiled in: the same rules on every host.
static DATABASE: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);

/// What both kinds of Exchange call universal time.
pub const UTC: &str = "UTC";

/// The Windows zones that places of France and of its neighbours are in, by CLDR. What is elsewhere is written in UTC, which is the
/// same instant.
const PLACES: &[(&str, &str)] = &[
    ("Africa/Algiers", "W. Central Africa Standard Time"),
    ("Africa/Casablanca", "Morocco Standard Time"),
    ("Africa/Tunis", "W. Central Africa Standard Time"),
    ("America/Cayenne", "SA Eastern Standard Time"),
    ("America/Guadeloupe", "SA Western Standard Time"),
    ("America/Marigot", "SA Western Standard Time"),
    ("America/Martinique", "SA Western Standard Time"),
    ("America/Miquelon", "Saint Pierre Standard Time"),
    ("America/New_York", "Eastern Standard Time"),
    ("America/St_Barthelemy", "SA Western Standard Time"),
    ("Europe/Amsterdam", "W. Europe Standard Time"),
    ("Europe/Andorra", "W. Europe Standard Time"),
    ("Europe/Athens", "GTB Standard Time"),
    ("Europe/Berlin", "W. Europe Standard Time"),
    ("Europe/Brussels", "Romance Standard Time"),
    ("Europe/Copenhagen", "Romance Standard Time"),
    ("Europe/Dublin", "GMT Standard Time"),
    ("Europe/Lisbon", "GMT Standard Time"),
    ("Europe/London", "GMT Standard Time"),
    ("Europe/Luxembourg", "W. Europe Standard Time"),
    ("Europe/Madrid", "Romance Standard Time"),
    ("Europe/Monaco", "W. Europe Standard Time"),
    ("Europe/Paris", "Romance Standard Time"),
    ("Europe/Prague", "Central Europe Standard Time"),
    ("Europe/Rome", "W. Europe Standard Time"),
    ("Europe/Vienna", "W. Europe Standard Time"),
    ("Europe/Warsaw", "Central European Standard Time"),
    ("Europe/Zurich", "W. Europe Standard Time"),
    ("Indian/Mayotte", "E. Africa Standard Time"),
    ("Indian/Reunion", "Mauritius Standard Time"),
    ("Pacific/Gambier", "UTC-09"),
    ("Pacific/Marquesas", "Marquesas Standard Time"),
    ("Pacific/Noumea", "Central Pacific Standard Time"),
    ("Pacific/Tahiti", "Hawaiian Standard Time"),
    ("Pacific/Wallis", "UTC+12"),
];

/// The Windows name of a place's zone; `None` where it is written in [`UTC`].
pub fn windows(iana: &str) -> Option<&'static str> {
    let at = PLACES.binary_search_by(|(place, _)| place.cmp(&iana)).ok()?;
    PLACES.get(at).map(|(_, windows)| *windows)
}

/// The IANA name that a Windows name stands for, as CLDR has it for no territory in particular.
pub fn iana(windows: &str) -> Option<&'static str> {
    windows.parse::<WindowsTimezone>().ok().map(WindowsTimezone::tzdb_id)
}

/// The zone of this name, whichever side's it is.
pub fn zone(name: &str) -> Option<TimeZone> {
    // As Exchange names universal time in items that were never given a zone.
    if matches!(name, UTC | "Coordinated Universal Time" | "tzone://Microsoft/Utc" | "Etc/UTC" | "Etc/GMT") {
        return Some(TimeZone::UTC);
    }
    DATABASE.get(iana(name).unwrap_or(name)).ok()
}

/// The instant of which a clock in a zone shows `civil` (`2026-10-25T02:30:00.0000000`). Of an hour that comes twice Exchange means the
/// second, in standard time, and an hour that does not come it counts from the one before: .NET's `TimeZoneInfo`, which both kinds of
/// server convert by, takes what is ambiguous for standard time
/// (<https://learn.microsoft.com/dotnet/standard/datetime/converting-between-time-zones>). Text that names its offset needs no zone.
/// `None` for what is neither, or a zone nobody knows.
pub fn read(civil: &str, zone_name: &str) -> Option<Timestamp> {
    if let Ok(instant) = civil.parse::<Timestamp>() {
        return Some(instant);
    }
    instant(civil.parse().ok()?, &zone(zone_name)?)
}

/// As [`read`], of a time and a zone that are known.
pub fn instant(civil: DateTime, zone: &TimeZone) -> Option<Timestamp> {
    zone.to_ambiguous_timestamp(civil).later().ok()
}

/// An instant as it is written for a place: what a clock shows and the Windows name of the zone. In UTC where the place's zone has no
/// Windows name, and in the first of two equal hours, which would be read as the second.
pub fn write(at: Timestamp, iana: &str) -> (DateTime, &'static str) {
    let local = windows(iana).and_then(|windows| {
        let there = zone(windows)?;
        let civil = there.to_datetime(at);
        (instant(civil, &there) == Some(at)).then_some((civil, windows))
    });
    local.unwrap_or_else(|| (TimeZone::UTC.to_datetime(at), UTC))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_table_is_sorted_and_says_what_the_clocks_show() {
        assert!(PLACES.is_sorted_by(|a, b| a.0 < b.0));
        // Places whose zone Windows gives to another one may differ in the past; never in years that are synchronised.
        let from: Timestamp = "2024-01-01T00:00:00Z".parse().unwrap();
        for (place, windows) in PLACES {
            let (here, there) = (DATABASE.get(place).unwrap(), zone(windows).unwrap());
            for hour in (0..24 * 366 * 5).step_by(7) {
                let at = from + jiff::SignedDuration::from_hours(hour);
                assert_eq!(here.to_datetime(at), there.to_datetime(at), "{place} as {windows} at {at}");
            }
        }
    }

    #[test]
    fn names_of_both_sides_are_known() {
        assert_eq!(windows("Europe/Paris"), Some("Romance Standard Time"));
        assert_eq!(iana("Romance Standard Time"), Some("Europe/Paris"));
        assert_eq!(windows("Asia/Tokyo"), None);
        assert_eq!(read("2026-07-01T10:00:00.0000000", "W. Europe Standard Time"), "2026-07-01T08:00:00Z".parse().ok());
        assert_eq!(read("2026-07-01T10:00:00", "Asia/Tokyo"), "2026-07-01T01:00:00Z".parse().ok());
        assert_eq!(read("2026-07-01T10:00:00.0000000", "tzone://Microsoft/Utc"), "2026-07-01T10:00:00Z".parse().ok());
        assert_eq!(read("2026-07-01T10:00:00+02:00", "nowhere"), "2026-07-01T08:00:00Z".parse().ok());
        assert_eq!(read("2026-07-01T10:00:00", "nowhere"), None);
        assert_eq!(read("soon", "UTC"), None);
    }

    #[test]
    fn the_hour_that_comes_twice_is_the_second_and_the_one_that_does_not_is_counted_on() {
        assert_eq!(read("2026-10-25T02:30:00", "Romance Standard Time"), "2026-10-25T01:30:00Z".parse().ok());
        assert_eq!(read("2026-03-29T02:30:00", "Romance Standard Time"), "2026-03-29T01:30:00Z".parse().ok());
        let first: Timestamp = "2026-10-25T00:30:00Z".parse().unwrap();
        assert_eq!(write(first, "Europe/Paris"), ("2026-10-25T00:30:00".parse().unwrap(), UTC));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_as_it_was(second in 1_700_000_000_i64..2_000_000_000, place in 0..PLACES.len()) {
            let at = Timestamp::from_second(second).unwrap();
            let (civil, name) = write(at, PLACES[place].0);
            prop_assert_eq!(read(&civil.to_string(), name), Some(at));
        }
    }
}
