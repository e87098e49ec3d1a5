//! The agenda's rules one at a time, told by examples. Hours asserted are UTC.

use super::*;

const MORNING: &[(u16, u16)] = &[(540, 600)];
const NIGHT_OF_SPRING: (&str, &str) = ("2026-03-28T23:00Z", "2026-03-29T22:00Z");
const NIGHT_OF_AUTUMN: (&str, &str) = ("2026-10-24T22:00Z", "2026-10-25T23:00Z");

fn summer_day() -> Wish<'static> {
    between("2026-07-01T00:00Z", "2026-07-02T00:00Z")
}

const SUMMER: &str = "2026-06-30T12:00Z";

#[test]
fn a_morning_is_cut_by_the_step() {
    let mut agenda = agenda(reason(20), MORNING);
    assert_eq!(starts(&agenda, &summer_day(), SUMMER), ["07:00", "07:20", "07:40"]);
    agenda.reasons[0].step_minutes = Some(15);
    assert_eq!(starts(&agenda, &summer_day(), SUMMER), ["07:00", "07:15", "07:30"]);
    agenda.reasons[0].step_minutes = None;
    agenda.reasons[0].buffer_after_minutes = 10;
    assert_eq!(starts(&agenda, &summer_day(), SUMMER), ["07:00", "07:30"]);
}

#[test]
fn touching_and_overlapping_hours_are_one_range() {
    let agenda = agenda(reason(40), &[(540, 600), (600, 660), (590, 620)]);
    assert_eq!(starts(&agenda, &summer_day(), SUMMER), ["07:00", "07:40", "08:20"]);
}

#[test]
fn the_missing_hour_of_spring_offers_nothing() {
    let (from, until) = NIGHT_OF_SPRING;
    let mut agenda = agenda(reason(60), &[(60, 240)]);
    assert_eq!(starts(&agenda, &between(from, until), from), ["00:00", "01:00"]);
    agenda.openings = vec![opening(7, 120, 180)];
    assert!(starts(&agenda, &between(from, until), from).is_empty());
}

#[test]
fn the_repeated_hour_of_autumn_is_offered_twice() {
    let (from, until) = NIGHT_OF_AUTUMN;
    let mut agenda = agenda(reason(60), &[(60, 240)]);
    assert_eq!(starts(&agenda, &between(from, until), from), ["23:00", "00:00", "01:00", "02:00"]);
    agenda.openings = vec![opening(7, 120, 150)];
    agenda.reasons = vec![reason(30)];
    assert_eq!(starts(&agenda, &between(from, until), from), ["00:00", "01:00"]);
}

#[test]
fn notice_is_elapsed_time_even_over_a_change_of_clocks() {
    let (from, until) = NIGHT_OF_SPRING;
    let mut agenda = agenda(Reason { notice_minutes: 120, ..reason(60) }, &[(0, 360)]);
    // From 00:30 local, two hours later is 03:30 local, so 04:00 is the first start.
    assert_eq!(starts(&agenda, &between(from, until), "2026-03-28T23:30Z"), ["02:00", "03:00"]);
    let start = at("2026-03-29T01:00Z");
    let refused = agenda.offers(SITE, REASON, start, at("2026-03-28T23:30Z"));
    assert_eq!(refused, Err(SlotRefusal::TooSoon { notice_minutes: 120 }));
    agenda.reasons[0].notice_minutes = 90;
    assert!(agenda.offers(SITE, REASON, start, at("2026-03-28T23:30Z")).is_ok());
}

#[test]
fn overseas_hours_are_those_of_the_place() {
    for (zone, first) in [
        ("Indian/Reunion", "05:00"),
        ("America/Martinique", "13:00"),
        ("America/Miquelon", "11:00"),
        ("Pacific/Noumea", "22:00"),
    ] {
        let mut agenda = agenda(reason(60), MORNING);
        agenda.sites = vec![site(zone)];
        assert_eq!(starts(&agenda, &summer_day(), SUMMER), [first], "{zone}");
    }
}

#[test]
fn a_holiday_closes_its_local_day_unless_the_practice_opens_it() {
    let mut agenda = agenda(reason(30), MORNING);
    let bastille = between("2026-07-13T22:00Z", "2026-07-14T22:00Z");
    assert!(starts(&agenda, &bastille, SUMMER).is_empty());
    agenda.exceptions = vec![exception(ExceptionKind::Open, "2026-07-14T10:00", "2026-07-14T11:00")];
    assert_eq!(starts(&agenda, &bastille, SUMMER), ["08:00", "08:30"]);
    agenda.exceptions.push(exception(ExceptionKind::Closed, "2026-07-14T10:30", "2026-07-14T10:31"));
    assert_eq!(starts(&agenda, &bastille, SUMMER), ["08:00"]);
    agenda.exceptions.clear();
    agenda.sites[0].holidays = HolidayCalendar::None;
    assert_eq!(starts(&agenda, &bastille, SUMMER), ["07:00", "07:30"]);
}

#[test]
fn evenings_may_end_at_midnight_and_nights_may_cross_it() {
    let mut agenda = agenda(reason(40), &[(1320, 1380)]);
    assert_eq!(starts(&agenda, &summer_day(), SUMMER), ["20:00"]);
    agenda.openings = (1..=7).map(|day| opening(day, 1320, 1440)).collect();
    assert_eq!(starts(&agenda, &summer_day(), SUMMER), ["20:00", "20:40", "21:20"]);
    // 2026-07-01 is a Wednesday: its night goes on into Thursday, and the grid starts again.
    agenda.openings = vec![opening(3, 1320, 1440), opening(4, 0, 60)];
    agenda.reasons = vec![reason(50)];
    assert_eq!(starts(&agenda, &summer_day(), SUMMER), ["20:00", "20:50", "21:40", "22:00"]);
}

#[test]
fn buffers_keep_clear_of_busy_time_but_not_of_closing_time() {
    let buffered = Reason { buffer_before_minutes: 10, buffer_after_minutes: 5, ..reason(20) };
    let mut agenda = agenda(Reason { step_minutes: Some(20), ..buffered }, MORNING);
    assert_eq!(starts(&agenda, &summer_day(), SUMMER), ["07:00", "07:20", "07:40"]);
    let busy = |from: &str, until: &str| [at(from).as_second(), at(until).as_second()];
    agenda.busy = vec![busy("2026-07-01T06:00Z", "2026-07-01T06:50Z")];
    assert_eq!(starts(&agenda, &summer_day(), SUMMER).len(), 3, "touching is free");
    agenda.busy = vec![busy("2026-07-01T06:00Z", "2026-07-01T06:51Z")];
    assert_eq!(starts(&agenda, &summer_day(), SUMMER), ["07:20", "07:40"]);
    agenda.busy = vec![busy("2026-07-01T08:04Z", "2026-07-01T09:00Z")];
    assert_eq!(starts(&agenda, &summer_day(), SUMMER), ["07:00", "07:20"]);
    let slot = agenda.first_free(&summer_day(), at(SUMMER)).unwrap();
    let reserved = slot.reserved(&agenda.reasons[0]);
    assert_eq!(reserved.start(), at("2026-07-01T06:50Z"));
    assert_eq!(reserved.end(), at("2026-07-01T07:25Z"));
}

#[test]
fn notice_longer_than_the_window_offers_nothing() {
    let agenda = agenda(Reason { notice_minutes: 3 * 1440, ..reason(30) }, MORNING);
    assert!(starts(&agenda, &summer_day(), SUMMER).is_empty());
}

#[test]
fn every_refusal_has_its_reason() {
    let agenda = agenda(Reason { notice_minutes: 60, horizon_days: 2, ..reason(30) }, MORNING);
    let now = at("2026-07-01T06:30Z");
    let ask = |start: &str| agenda.offers(SITE, REASON, at(start), now).map(|slot| slot.ends_at);
    let ids = (SITE, REASON, at("2026-07-02T07:00Z"));
    assert_eq!(agenda.offers(ids.0, OTHER_REASON, ids.2, now), Err(SlotRefusal::UnknownReason));
    assert_eq!(agenda.offers(OTHER_SITE, ids.1, ids.2, now), Err(SlotRefusal::UnknownSite));
    assert_eq!(ask("2026-07-01T06:29Z"), Err(SlotRefusal::Past));
    assert_eq!(ask("2026-07-01T07:00Z"), Err(SlotRefusal::TooSoon { notice_minutes: 60 }));
    assert_eq!(ask("2026-07-01T07:30Z"), Ok(at("2026-07-01T08:00Z")));
    assert_eq!(ask("2026-07-02T07:15Z"), Err(SlotRefusal::OutsideOpeningHours), "off the grid");
    assert_eq!(ask("2026-07-02T08:00Z"), Err(SlotRefusal::OutsideOpeningHours), "closing time");
    assert_eq!(ask("2026-07-02T07:00:00.5Z"), Err(SlotRefusal::OutsideOpeningHours));
    assert_eq!(ask("2026-07-03T07:30Z"), Ok(at("2026-07-03T08:00Z")));
    assert_eq!(ask("2026-07-04T07:00Z"), Err(SlotRefusal::BeyondHorizon { horizon_days: 2 }));
}

#[test]
fn the_document_reads_as_the_database_writes_it() {
    let id = |n: u8| format!("00000000-0000-0000-0000-0000000000{n:02x}");
    let json = serde_json::json!({
        "practitioner": id(21),
        "sites": [{ "id": id(1), "time_zone": "Indian/Reunion", "holidays": "la-reunion" }],
        "reasons": [{
            "id": id(11), "channel": "in_person", "duration_minutes": 30,
            "buffer_before_minutes": 0, "buffer_after_minutes": 5, "step_minutes": null,
            "notice_minutes": 0, "horizon_days": 30
        }],
        "openings": [{
            "site": id(1), "reasons": [id(11)], "weekday": 3, "starts_minute": 480,
            "ends_minute": 570, "valid_from": "2026-07-01", "valid_until": null
        }],
        "exceptions": [{
            "site": null, "kind": "closed", "reasons": null,
            "starts": "2026-07-08T00:00:00", "ends": "2026-07-09T00:00:00"
        }],
        "busy": [[1_782_878_400, 1_782_880_200]]
    });
    let agenda: Agenda = serde_json::from_value(json.clone()).unwrap();
    assert_eq!(serde_json::to_value(&agenda).unwrap(), json);
    let month = between("2026-06-20T00:00Z", "2026-07-20T00:00Z");
    let found: Vec<String> = agenda.slots(&month, at("2026-06-20T00:00Z")).map(|s| s.starts_at.to_string()).collect();
    assert_eq!(found, ["2026-07-01T04:35:00Z", "2026-07-15T04:00:00Z", "2026-07-15T04:35:00Z"]);
    assert!(serde_json::from_value::<Channel>("fax".into()).is_err());
    for channel in [Channel::InPerson, Channel::Video, Channel::Phone, Channel::Home] {
        assert_eq!(channel.to_string().parse(), Ok(channel));
        assert_eq!(serde_json::to_value(channel).unwrap(), channel.to_string());
    }
}
