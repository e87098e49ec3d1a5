use jiff::{
    ToSpan as _,
    civil::{date, datetime},
};
use proptest::prelude::*;

use super::*;

fn zone(name: &str) -> Zone {
    name.parse().unwrap()
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn interval(start: &str, end: &str) -> Interval {
    Interval::new(at(start), at(end)).unwrap()
}

fn minutes_in(found: &[Interval]) -> i64 {
    found.iter().map(|i| i.end().duration_since(i.start()).as_mins()).sum()
}

#[test]
fn only_places_are_zones() {
    for name in [
        "",
        "/",
        "Paris",
        "Europe/Pariss",
        "UTC",
        "UTC+1",
        "GMT+1",
        "+01:00",
        "Etc/GMT-1",
        "etc/UTC",
        "CET",
        "EST5EDT",
        "Europe/Paris\0",
        "../Europe/Paris",
        "Etc/Unknown",
    ] {
        assert!(name.parse::<Zone>().is_err(), "{name:?}");
    }
    assert_eq!(zone("europe/paris").name(), "Europe/Paris");
    assert_eq!(zone("Indian/Reunion").to_string(), "Indian/Reunion");
    let json = serde_json::to_string(&zone("America/Miquelon")).unwrap();
    assert_eq!(json, "\"America/Miquelon\"");
    assert_eq!(serde_json::from_str::<Zone>(&json).unwrap(), zone("America/Miquelon"));
    assert!(serde_json::from_str::<Zone>("\"UTC+1\"").is_err());
}

#[test]
fn the_repeated_hour_of_autumn_is_open_twice() {
    let (paris, day) = (zone("Europe/Paris"), date(2026, 10, 25));
    assert_eq!(
        open_instants(&paris, day, 120, 150),
        [interval("2026-10-25T00:00Z", "2026-10-25T00:30Z"), interval("2026-10-25T01:00Z", "2026-10-25T01:30Z"),]
    );
    assert_eq!(open_instants(&paris, day, 60, 240), [interval("2026-10-24T23:00Z", "2026-10-25T03:00Z")]);
    assert_eq!(minutes_in(&open_instants(&paris, day, 0, 1440)), 25 * 60);
}

#[test]
fn the_missing_hour_of_spring_is_not_open() {
    let (paris, day) = (zone("Europe/Paris"), date(2026, 3, 29));
    assert_eq!(open_instants(&paris, day, 120, 180), []);
    assert_eq!(open_instants(&paris, day, 130, 150), []);
    assert_eq!(open_instants(&paris, day, 60, 240), [interval("2026-03-29T00:00Z", "2026-03-29T02:00Z")]);
    assert_eq!(minutes_in(&open_instants(&paris, day, 0, 1440)), 23 * 60);
}

#[test]
fn a_day_that_starts_at_one_has_no_first_hour() {
    // Havana and Beirut skip from 00:00 to 01:00, Cairo on the last Friday of April.
    for (name, day) in
        [("America/Havana", date(2026, 3, 8)), ("Asia/Beirut", date(2026, 3, 29)), ("Africa/Cairo", date(2026, 4, 24))]
    {
        let zone = zone(name);
        assert_eq!(open_instants(&zone, day, 0, 60), [], "{name}");
        assert_eq!(minutes_in(&open_instants(&zone, day, 0, 1440)), 23 * 60, "{name}");
        assert_eq!(minutes_in(&open_instants(&zone, day, 0, 120)), 60, "{name}");
    }
}

#[test]
fn a_day_whose_last_hour_happens_twice_is_one_long_run() {
    for (name, day) in [
        ("Asia/Beirut", date(2026, 10, 24)),
        ("Africa/Cairo", date(2026, 10, 29)),
        ("America/Havana", date(2026, 11, 1)),
    ] {
        let found = open_instants(&zone(name), day, 0, 1440);
        assert_eq!((found.len(), minutes_in(&found)), (1, 25 * 60), "{name}");
    }
}

#[test]
fn a_skipped_date_has_no_instant_and_a_split_one_has_two_runs() {
    let apia = zone("Pacific/Apia");
    assert_eq!(open_instants(&apia, date(2011, 12, 30), 0, 1440), []);
    let around = local_range_instants(&apia, datetime(2011, 12, 29, 0, 0, 0, 0), datetime(2012, 1, 1, 0, 0, 0, 0));
    assert_eq!((around.len(), minutes_in(&around)), (1, 48 * 60));
    // In 2006 St. John's went back from 00:01 to 23:01 of the day before.
    let found = open_instants(&zone("America/St_Johns"), date(2006, 10, 28), 0, 1440);
    assert_eq!((found.len(), minutes_in(&found)), (2, 24 * 60 + 59));
}

#[test]
fn ends_of_time_and_nonsense_are_harmless() {
    let paris = zone("Europe/Paris");
    for day in [Date::MIN, Date::MAX] {
        open_instants(&paris, day, 0, 1440);
        assert_eq!(open_instants(&paris, day, 600, 600), []);
        assert_eq!(open_instants(&paris, day, 700, 600), []);
        assert_eq!(open_instants(&paris, day, 0, 1441), []);
    }
    let all = local_range_instants(&paris, DateTime::MIN, DateTime::MAX);
    assert_eq!(all.len(), 1);
    for second in [Timestamp::MIN.as_second(), Timestamp::MAX.as_second(), 0] {
        let mut spans = OffsetSpans::new(&paris);
        spans.run_of(second);
        spans.run_from(second);
    }
}

#[test]
fn fractions_of_a_second_are_exact() {
    let found = local_range_instants(
        &zone("Europe/Paris"),
        datetime(2026, 7, 1, 8, 0, 0, 250),
        datetime(2026, 7, 1, 8, 0, 0, 251),
    );
    assert_eq!(found, [interval("2026-07-01T06:00:00.00000025Z", "2026-07-01T06:00:00.000000251Z")]);
}

/// A zone and a day near one of its changes of clocks, or near any day where it has none.
fn days() -> impl Strategy<Value = (Zone, Date)> {
    let around = |name: &str, year, month, day| (zone(name), date(year, month, day));
    let week = prop::sample::select(vec![
        around("Europe/Paris", 2026, 3, 29),
        around("Europe/Paris", 2026, 10, 25),
        around("America/Miquelon", 2026, 3, 8),
        around("America/Miquelon", 2026, 11, 1),
        around("Indian/Reunion", 2026, 3, 29),
        around("America/Martinique", 2026, 10, 25),
        around("Pacific/Noumea", 2026, 3, 29),
        around("America/Havana", 2026, 11, 1),
        around("Asia/Beirut", 2026, 10, 25),
        around("Africa/Cairo", 2026, 4, 24),
        around("America/St_Johns", 2006, 10, 28),
        around("Pacific/Apia", 2011, 12, 30),
        around("Australia/Lord_Howe", 2026, 4, 5),
    ]);
    (week, -3_i64..=3)
        .prop_map(|((zone, day), shift): ((Zone, Date), i64)| (zone, day.checked_add(shift.days()).unwrap()))
}

/// Every minute within three days of a date, with its wall clock.
fn minutes(zone: &Zone, day: Date) -> impl Iterator<Item = (Timestamp, DateTime)> {
    let first = day_number(day) * SECONDS_PER_DAY - 2 * SECONDS_PER_DAY;
    (0..5 * 1440).map(move |minute| {
        let instant = at_second(first + 60 * minute);
        (instant, zone.local(instant))
    })
}

fn covered(found: &[Interval], instant: Timestamp) -> bool {
    found.iter().any(|i| i.contains(instant))
}

proptest! {
    #[test]
    fn openings_agree_with_every_minute(
        (zone, day) in days(), starts in 0_u16..1440, length in 1_u16..=1440,
    ) {
        let ends = (starts + length).min(1440);
        let found = open_instants(&zone, day, starts, ends);
        prop_assert_eq!(&crate::interval::normalize(found.clone()), &found);
        for (instant, local) in minutes(&zone, day) {
            let minute = u16::try_from(i32::from(local.hour()) * 60 + i32::from(local.minute())).unwrap();
            let open = local.date() == day && starts <= minute && minute < ends;
            prop_assert_eq!(covered(&found, instant), open, "{} {}", zone, local);
        }
    }

    #[test]
    fn ranges_agree_with_every_minute((zone, day) in days(), starts in -1440_i64..1440, length in 1_i64..2000) {
        let midnight = day.to_datetime(jiff::civil::Time::midnight());
        let starts = midnight.checked_add(starts.minutes()).unwrap();
        let ends = starts.checked_add(length.minutes()).unwrap();
        let found = local_range_instants(&zone, starts, ends);
        for (instant, local) in minutes(&zone, day) {
            prop_assert_eq!(covered(&found, instant), starts <= local && local < ends, "{} {}", zone, local);
        }
    }

    #[test]
    fn runs_tile_time_and_do_not_depend_on_where_the_walk_starts((zone, day) in days(), second in 0..SECONDS_PER_DAY) {
        let from = day_number(day) * SECONDS_PER_DAY + second;
        let mut spans = OffsetSpans::new(&zone);
        let mut run = spans.run_of(from).unwrap();
        let first = run.start;
        prop_assert!(first <= from);
        while run.end < from + 2 * SECONDS_PER_DAY {
            let edge = at_second(run.end);
            prop_assert_eq!(day_date(run.day).unwrap(), zone.local(at_second(run.start)).date());
            let before = at_second(run.end - 1);
            prop_assert_eq!(day_date(run.day).unwrap(), zone.local(before).date());
            prop_assert_ne!(zone.local(edge).date(), zone.local(before).date());
            run = spans.run_from(run.end).unwrap();
        }
        prop_assert_ne!(
            zone.local(at_second(first)).date(),
            zone.local(at_second(first - 1)).date()
        );
    }
}
