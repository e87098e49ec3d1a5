//! Nights at every change of clocks there is: in each place, with edges on and around what clocks jump from and to.

use jiff::tz::TimeZoneDatabase;

use super::*;

/// Every change of clocks of some years, of every place.
fn changes() -> Vec<(Zone, Timestamp)> {
    let (from, until) = (instant("2024-01-01T00:00:00Z"), instant("2028-01-01T00:00:00Z"));
    let places = TimeZoneDatabase::bundled();
    let zones: Vec<Zone> = places.available().filter_map(|name| name.as_str().parse().ok()).collect();
    let changes = |zone: Zone| {
        let all: Vec<Timestamp> =
            zone.time_zone().following(from).map(|change| change.timestamp()).take_while(|at| *at < until).collect();
        all.into_iter().map(move |at| (zone.clone(), at))
    };
    zones.into_iter().flat_map(changes).collect()
}

fn minutes(number: i64) -> SignedDuration {
    SignedDuration::from_mins(number)
}

/// A night of that many minutes with an edge so many minutes from the time that clocks jump from.
fn night_around(
    zone: &Zone, change: Timestamp, offset: i64, length: i64, ends: bool,
) -> (Night, [jiff::civil::Time; 2]) {
    let jumps_from =
        zone.local(change - SignedDuration::from_secs(1)).time().wrapping_add(SignedDuration::from_secs(1));
    let edge = jumps_from.wrapping_add(minutes(offset));
    let from = if ends { edge.wrapping_sub(minutes(length)) } else { edge };
    let until = from.wrapping_add(minutes(length));
    let text = |time: jiff::civil::Time| format!("{:02}:{:02}", time.hour(), time.minute());
    (night(&text(from), &text(until)), [from, until])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, ..ProptestConfig::default() })]

    #[test]
    fn it_is_night_when_the_clock_says_so_and_until_it_says_otherwise(
        (zone, change) in prop::sample::select(changes()), offset in prop_oneof![Just(0_i64), -8_i64..=8, -200_i64..=200],
        length in 1_i64..=720, ends: bool, around in -15_i64 * 60..15 * 60,
    ) {
        let (night, [from, until]) = night_around(&zone, change, offset, length, ends);
        let wall = |at: Timestamp| zone.local(at).time();
        let within = |time| if from < until { from <= time && time < until } else { from <= time || time < until };
        let at = change + minutes(around);
        let found = night.at(&zone, at);
        prop_assert!(found.is_some() == within(wall(at)), "{zone} {at} {night:?}");
        if let Some(found) = found {
            prop_assert!(found.start() <= at && at < found.end());
            prop_assert!(wall(found.end()) == until || (found.end() == change && !within(wall(change))));
            let mut before = at + minutes(1);
            while before < found.end() {
                prop_assert!(wall(before) != until, "{zone} {at} {night:?}");
                before += minutes(1);
            }
        }
    }

    #[test]
    fn what_a_night_would_swallow_is_planned_in_time_to_go_out_before_it(
        (zone, change) in prop::sample::select(changes()), offset in -720_i64..=720, length in 1_i64..=720, ends: bool,
        around in -15_i64 * 60..15 * 60, step in Step::SHORTEST..=Step::LONGEST,
    ) {
        let (night, _) = night_around(&zone, change, offset, length, ends);
        let step = Step::try_from(step).unwrap();
        let due = change + minutes(around);
        let visit = Visit { starts_at: due + step.duration(), agreed_at: due - minutes(60 * 24 * 60) };
        let steps = Steps::try_from(vec![step]).unwrap();
        let preferences = Preferences { night: Some(night), steps, ..Preferences::default() };
        let planned = reminder(step, visit, &preferences, &zone, due - Night::AHEAD + minutes(1));
        prop_assert!(planned != Due::Never("night"), "{zone} {due} {night:?}");
    }
}

#[test]
fn edges_on_the_jump_itself_and_the_longest_night_of_the_year() {
    let paris = zone("Europe/Paris");
    // In spring clocks jump from two to three; what jumped before was in October.
    let ends = |at: &str| night("22:00", "02:00").at(&paris, instant(at)).map(|night| night.end());
    assert_eq!(ends("2026-03-28T21:30:00Z"), Some(instant("2026-03-29T01:00:00Z")));
    let begins = |at: &str| night("02:00", "09:00").at(&paris, instant(at)).map(|night| night.start());
    assert_eq!(begins("2026-03-29T04:00:00Z"), Some(instant("2026-03-29T01:00:00Z")));
    // Thirteen hours: at 7:30 with an hour's notice only the evening before is left.
    let preferences = Preferences {
        night: Some(night("19:00", "07:00")),
        steps: Steps::try_from(vec![Step::try_from(60).unwrap()]).unwrap(),
        ..Preferences::default()
    };
    let visit = Visit { starts_at: instant("2026-10-25T06:30:00Z"), agreed_at: instant("2026-10-01T08:00:00Z") };
    let now = instant("2026-10-25T05:30:00Z") - Night::AHEAD;
    let planned = reminder(Step::try_from(60).unwrap(), visit, &preferences, &paris, now);
    assert_eq!(planned, Due::At(instant("2026-10-24T16:45:00Z")));
}
