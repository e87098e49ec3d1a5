//! Whatever the visits are, a reader that knows nothing but RFC 5545 finds their instants.

use std::collections::BTreeMap;

use jiff::civil::DateTime;
use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::keys::digest;

/// Two changes a year, none, none but the other way round, half an hour of difference.
const ZONES: [&str; 9] = [
    "Europe/Paris",
    "Indian/Reunion",
    "America/Guadeloupe",
    "America/Cayenne",
    "America/Miquelon",
    "Pacific/Noumea",
    "Pacific/Marquesas",
    "Australia/Lord_Howe",
    "Europe/Dublin",
];

fn config(pairs: &[(&str, &str)]) -> Config {
    Config::read(|name| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())).unwrap()
}

fn event(number: u128, zone: &str, starts: Timestamp, minutes: i64) -> Event {
    Event {
        id: AppointmentId::from_uuid(Uuid::from_u128(number)),
        version: 1,
        cancelled: false,
        starts_at: starts,
        ends_at: starts + SignedDuration::from_mins(minutes),
        time_zone: zone.parse().unwrap(),
        changed_at: "2026-01-01T00:00:00Z".parse().unwrap(),
    }
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn written(events: &[Event]) -> String {
    feed(events, Lang::Fr, &config(&[]), at("2026-03-02T08:00:00Z"))
}

fn unfold(text: &str) -> Vec<String> {
    text.replace("\r\n ", "").split_terminator("\r\n").map(str::to_owned).collect()
}

/// What a reader makes of the rules: onset in the time before it, offset in seconds before and after.
type Rules = BTreeMap<String, Vec<(DateTime, i64, i64)>>;

fn seconds(offset: &str) -> i64 {
    let (sign, digits) = offset.split_at(1);
    let part = |place: usize| digits.get(place..place + 2).map_or(0, |part| part.parse::<i64>().unwrap());
    (part(0) * 3600 + part(2) * 60 + part(4)) * if sign == "-" { -1 } else { 1 }
}

fn rules(lines: &[String]) -> Rules {
    let (mut rules, mut zone, mut part) = (Rules::new(), String::new(), BTreeMap::<String, String>::new());
    let mut inside = false;
    for line in lines {
        let (name, value) = line.split_once(':').unwrap();
        match (name, value) {
            ("TZID", _) => zone = value.to_owned(),
            ("BEGIN", "STANDARD" | "DAYLIGHT") => inside = true,
            ("END", "STANDARD" | "DAYLIGHT") => {
                inside = false;
                let onset = DateTime::strptime("%Y%m%dT%H%M%S", &part["DTSTART"]).unwrap();
                let both = (seconds(&part["TZOFFSETFROM"]), seconds(&part["TZOFFSETTO"]));
                rules.entry(zone.clone()).or_default().push((onset, both.0, both.1));
            }
            _ if inside => {
                part.insert(name.to_owned(), value.to_owned());
            }
            _ => {}
        }
    }
    rules
}

/// An instant as it is read: UTC, or a local time by the last rule that began before it.
fn read(rules: &Rules, line: &str) -> Timestamp {
    let (name, value) = line.split_once(':').unwrap();
    if let Some(value) = value.strip_suffix('Z') {
        let utc = DateTime::strptime("%Y%m%dT%H%M%S", value).unwrap();
        return jiff::tz::TimeZone::UTC.to_timestamp(utc).unwrap();
    }
    let zone = name.split_once(";TZID=").unwrap().1;
    let local = DateTime::strptime("%Y%m%dT%H%M%S", value).unwrap();
    let known = rules[zone].iter().filter(|(onset, ..)| *onset <= local).max_by_key(|(onset, ..)| *onset);
    let (.., offset) = known.unwrap_or_else(|| panic!("no rule of {zone} for {local}"));
    let offset = jiff::tz::Offset::from_seconds(i32::try_from(*offset).unwrap()).unwrap();
    offset.to_timestamp(local).unwrap()
}

fn instants(text: &str) -> Vec<(Timestamp, Timestamp)> {
    let lines = unfold(text);
    let rules = rules(&lines);
    let events = lines.split(|line| line == "BEGIN:VEVENT").skip(1);
    let moment = |event: &[String], name: &str| {
        let line = event.iter().find(|line| line.starts_with(name)).unwrap();
        read(&rules, line)
    };
    events.map(|event| (moment(event, "DTSTART"), moment(event, "DTEND"))).collect()
}

fn visits() -> impl Strategy<Value = Vec<Event>> {
    // Minutes of 2020 to 2040, many of them near the changes of Paris.
    let anywhere = (26_297_280_i64..36_816_480).boxed();
    let near = (2020..2040_i16, prop_oneof![Just(3_i8), Just(10)], -180..180_i64).prop_map(|(year, month, minutes)| {
        let last = date(year, month, 31);
        let sunday = last.saturating_sub(jiff::Span::new().days(last.weekday().to_sunday_zero_offset()));
        let change = jiff::tz::TimeZone::UTC.to_timestamp(sunday.at(1, 0, 0, 0)).unwrap();
        change.as_second() / 60 + minutes
    });
    let one = (any::<u128>(), prop::sample::select(ZONES.to_vec()), prop_oneof![anywhere, near], 5..720_i64);
    let one = (one, 1..5_i64, any::<bool>(), 0..1000_i64).prop_map(|((id, zone, minute, long), version, gone, age)| {
        let starts = Timestamp::from_second(minute * 60).unwrap();
        let changed_at = starts - SignedDuration::from_mins(age);
        Event { version, cancelled: gone, changed_at, ..event(id, zone, starts, long) }
    });
    prop::collection::vec(one, 0..12)
}

proptest! {
    #[test]
    fn every_visit_is_read_at_its_very_instant_whatever_its_zone(events in visits()) {
        let text = written(&events);
        let expected: Vec<_> = events.iter().map(|event| (event.starts_at, event.ends_at)).collect();
        prop_assert_eq!(instants(&text), expected, "{}", text);
        // So is the one that a mail carries.
        for event in &events {
            let mut lines = head(CalendarMethod::Publish);
            lines.extend(zone_rules(&event.time_zone, event.starts_at, event.ends_at));
            lines.extend(visit(event, "x", None, &config(&[])));
            let text: String = lines.iter().map(|line| fold(line)).collect();
            prop_assert_eq!(instants(&text), vec![(event.starts_at, event.ends_at)], "{}", text);
        }
    }

    #[test]
    fn equal_visits_make_equal_calendars_and_others_do_not(one in visits(), other in visits(), later in 0..400_i64) {
        let now = at("2026-03-02T08:00:00Z") + SignedDuration::from_hours(24 * later);
        let tag = |events: &[Event], now| digest(feed(events, Lang::Fr, &config(&[]), now).as_bytes());
        if !one.is_empty() {
            prop_assert_eq!(tag(&one, at("2026-03-02T08:00:00Z")), tag(&one, now), "the clock has no part in it");
            let mut changed = one.clone();
            changed[0].version += 1;
            prop_assert_ne!(tag(&one, now), tag(&changed, now));
        }
        let same = feed(&one, Lang::Fr, &config(&[]), now) == feed(&other, Lang::Fr, &config(&[]), now);
        prop_assert_eq!(tag(&one, now) == tag(&other, now), same);
        prop_assert!(!same || one.len() == other.len());
    }

    #[test]
    fn a_folded_line_has_75_octets_at_most_and_unfolds_to_itself(line in "[ -~àéèœ’€😀]{0,400}") {
        let folded = fold(&line);
        prop_assert!(folded.ends_with("\r\n"));
        prop_assert!(folded.split("\r\n").all(|part| part.len() <= 75), "{:?}", folded);
        prop_assert_eq!(unfold(&folded).concat(), line);
    }

    #[test]
    fn what_is_escaped_is_one_line_and_is_read_as_it_was(text in "[ -~\n\\\\;,é]{0,100}") {
        let escaped = escape(&text);
        prop_assert!(!escaped.contains('\n'));
        let (mut read, mut signs) = (String::new(), escaped.chars());
        while let Some(sign) = signs.next() {
            prop_assert!(!";,".contains(sign), "bare in {}", escaped);
            read.push(match sign {
                '\\' => match signs.next() { Some('n') => '\n', Some(sign) => sign, None => panic!("{escaped}") },
                sign => sign,
            });
        }
        prop_assert_eq!(read, text);
    }
}

#[test]
fn control_characters_do_not_reach_a_calendar() {
    assert_eq!(escape("a\r\nb\u{0}\u{7}c"), "a\\nbc");
}

#[test]
fn the_repeated_hour_is_told_apart_and_the_missing_one_is_jumped() {
    // 25 October 2026: 2:30 happens at 0:30 and at 1:30 UTC. 29 March 2026: 1:45 is followed by 3:00.
    let events = [
        event(1, "Europe/Paris", at("2026-03-29T00:45:00Z"), 30),
        event(2, "Europe/Paris", at("2026-10-25T00:30:00Z"), 15),
        event(3, "Europe/Paris", at("2026-10-25T01:30:00Z"), 15),
    ];
    let text = written(&events);
    for wanted in [
        "DTSTART;TZID=Europe/Paris:20260329T014500\r\nDTEND;TZID=Europe/Paris:20260329T031500\r\n",
        "DTSTART;TZID=Europe/Paris:20261025T023000\r\n",
        "DTSTART:20261025T013000Z\r\n",
        "BEGIN:DAYLIGHT\r\nDTSTART:20260329T020000\r\nTZOFFSETFROM:+0100\r\nTZOFFSETTO:+0200\r\nEND:DAYLIGHT\r\n",
        "BEGIN:STANDARD\r\nDTSTART:20261025T030000\r\nTZOFFSETFROM:+0200\r\nTZOFFSETTO:+0100\r\nEND:STANDARD\r\n",
    ] {
        assert!(text.contains(wanted), "{wanted}\n{text}");
    }
    assert_eq!(text.matches("BEGIN:VTIMEZONE").count(), 1);
}

#[test]
fn each_zone_brings_the_rules_of_every_year_and_one_without_changes_its_only_one() {
    let events = [
        event(1, "Indian/Reunion", at("2026-05-01T08:00:00Z"), 30),
        event(2, "Europe/Paris", at("2026-11-01T08:00:00Z"), 30),
        event(3, "Europe/Paris", at("2028-06-01T08:00:00Z"), 30),
    ];
    let rules = rules(&unfold(&written(&events)));
    assert_eq!(rules.keys().collect::<Vec<_>>(), ["Europe/Paris", "Indian/Reunion"]);
    assert_eq!(rules["Indian/Reunion"].len(), 1);
    // The winter before, both changes of three years, and the one after them.
    assert_eq!(rules["Europe/Paris"].len(), 8, "{rules:?}");
}

#[test]
fn a_calendar_says_how_often_to_look_and_an_empty_one_is_still_one() {
    for (lang, name) in [(Lang::Fr, "Rendez-vous"), (Lang::En, "Appointments")] {
        let text = feed(&[], lang, &config(&[]), at("2026-03-02T08:00:00Z"));
        for wanted in [
            "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:",
            "METHOD:PUBLISH\r\n",
            &format!("NAME:{name}\r\nX-WR-CALNAME:{name}\r\n"),
            "REFRESH-INTERVAL;VALUE=DURATION:PT1H\r\nX-PUBLISHED-TTL:PT1H\r\n",
            "TZID:Europe/Paris\r\n",
        ] {
            assert!(text.contains(wanted), "{wanted}\n{text}");
        }
        assert!(!text.contains("VEVENT") && text.ends_with("END:VTIMEZONE\r\nEND:VCALENDAR\r\n"));
    }
}

#[test]
fn an_event_has_the_name_and_number_of_the_mails_and_leads_to_the_site_where_there_is_one() {
    let mut one = event(7, "Europe/Paris", at("2026-03-05T08:00:00Z"), 30);
    (one.version, one.cancelled) = (3, true);
    let site = config(&[("PUBLIC_URL", "https://carnet.example"), ("MAIL_FROM", "Carnet <nous@rdv.example>")]);
    let text = feed(&[one], Lang::Fr, &site, at("2026-03-02T08:00:00Z")).replace("\r\n ", "");
    for wanted in [
        "UID:00000000-0000-0000-0000-000000000007@rdv.example\r\nSEQUENCE:3\r\nDTSTAMP:20260101T000000Z\r\n",
        "LAST-MODIFIED:20260101T000000Z\r\n",
        "SUMMARY:Rendez-vous\r\nORGANIZER:mailto:nous@rdv.example\r\nSTATUS:CANCELLED\r\nCLASS:PRIVATE\r\nTRANSP:TRANSPARENT\r\n",
        "URL:https://carnet.example/appointments/00000000-0000-0000-0000-000000000007\r\n",
    ] {
        assert!(text.contains(wanted), "{wanted}\n{text}");
    }
    assert!(!text.contains("ATTENDEE"));
}
