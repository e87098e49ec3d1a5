//! Documents and moments that nobody meant: they offer nothing, and cost little.

use super::*;

fn always() -> Wish<'static> {
    Wish { site: None, reasons: None, channel: None, from: Timestamp::MIN, until: Timestamp::MAX }
}

#[test]
fn a_rule_that_makes_no_sense_offers_nothing() {
    let now = at("2026-07-01T00:00Z");
    let open_all_day = &[(0, 1440)];
    let mut agendas = vec![
        agenda(reason(0), open_all_day),
        agenda(reason(1441), open_all_day),
        agenda(reason(u16::MAX), open_all_day),
        agenda(Reason { step_minutes: Some(0), ..reason(30) }, open_all_day),
        agenda(Reason { notice_minutes: u32::MAX, ..reason(30) }, open_all_day),
        agenda(reason(30), &[(600, 600), (700, 600), (0, 1441), (1440, 1500), (0, u16::MAX)]),
    ];
    for weekday in [0, 8, 9, 255] {
        let mut agenda = agenda(reason(30), &[]);
        agenda.openings = vec![opening(weekday, 0, 1440)];
        agendas.push(agenda);
    }
    let mut reversed = agenda(reason(30), &[]);
    reversed.exceptions = vec![
        exception(ExceptionKind::Open, "2026-07-02T10:00", "2026-07-02T09:00"),
        exception(ExceptionKind::Open, "2026-07-02T10:00:00.2", "2026-07-02T10:00:00.7"),
    ];
    agendas.push(reversed);
    for agenda in agendas {
        assert_eq!(agenda.first_free(&always(), now), None);
        assert_eq!(agenda.slots(&always(), now).count(), 0);
    }
}

#[test]
fn the_walk_ends_at_the_cap_whatever_the_horizon() {
    let agenda = agenda(Reason { horizon_days: u16::MAX, ..reason(1440) }, &[(0, 1440)]);
    let mut none = agenda.clone();
    none.sites = vec![Site { holidays: HolidayCalendar::None, ..site("Indian/Reunion") }];
    let now = at("2026-06-30T20:00Z");
    assert_eq!(none.slots(&always(), now).count(), usize::from(MAX_WALK_DAYS) + 1);
    let beyond = now + jiff::SignedDuration::from_hours(24 * (i64::from(MAX_WALK_DAYS) + 5));
    let refused = none.offers(SITE, REASON, beyond, now);
    assert_eq!(refused, Err(SlotRefusal::BeyondHorizon { horizon_days: MAX_WALK_DAYS }));
    none.busy = vec![[i64::MIN, i64::MAX]];
    assert_eq!(none.first_free(&always(), now), None);
}

#[test]
fn exceptions_at_the_ends_of_the_calendar_cover_what_they_say() {
    let mut agenda = agenda(reason(1440), &[]);
    agenda.exceptions = vec![Exception {
        starts: DateTime::MIN,
        ends: DateTime::MAX,
        ..exception(ExceptionKind::Open, "2026-07-02T10:00", "2026-07-02T09:00")
    }];
    assert!(agenda.slots(&always(), at("2026-07-01T00:00Z")).count() > 300);
    agenda.exceptions[0].kind = ExceptionKind::Closed;
    agenda.openings = vec![opening(1, 0, 1440)];
    assert_eq!(agenda.first_free(&always(), at("2026-07-01T00:00Z")), None);
}

fn moments() -> impl Strategy<Value = Timestamp> {
    let (min, max) = (Timestamp::MIN.as_second(), Timestamp::MAX.as_second());
    prop_oneof![
        Just(Timestamp::MIN),
        Just(Timestamp::MAX),
        (min..=max).prop_map(crate::zone::at_second),
        (min..min + 400_000).prop_map(crate::zone::at_second),
        (max - 400_000..=max).prop_map(crate::zone::at_second),
        (1_774_000_000_000_000_000_i128..1_775_000_000_000_000_000)
            .prop_map(|nanos| Timestamp::from_nanosecond(nanos).unwrap()),
    ]
}

fn dates() -> impl Strategy<Value = Option<Date>> {
    prop::option::of(prop::sample::select(vec![Date::MIN, Date::MAX, date(2026, 3, 29)]))
}

fn hostile_reason() -> impl Strategy<Value = Reason> {
    let any16 = || prop::sample::select(vec![0, 1, 30, 1440, u16::MAX]);
    let notice = prop::sample::select(vec![0, 60, u32::MAX]);
    ([any16(), any16(), any16(), any16(), any16()], notice).prop_map(|(n, notice_minutes)| Reason {
        buffer_before_minutes: n[1],
        buffer_after_minutes: n[2],
        step_minutes: (n[3] != 30).then_some(n[3]),
        horizon_days: n[4],
        notice_minutes,
        ..reason(n[0])
    })
}

proptest! {
    #[test]
    fn no_document_and_no_moment_makes_it_panic(
        mut reasons in prop::collection::vec(hostile_reason(), 0..3),
        hours in prop::collection::vec((0_u8..10, 0_u16..1500, 0_u16..1500, dates(), dates()), 0..5),
        exceptions in prop::collection::vec((dates(), dates(), any::<bool>()), 0..3),
        busy in prop::collection::vec(any::<[i64; 2]>(), 0..4),
        zone in prop::sample::select(vec!["Europe/Paris", "Pacific/Apia", "Asia/Manila"]),
        (now, from, until) in (moments(), moments(), moments()),
    ) {
        if let Some(last) = reasons.last_mut() {
            last.id = OTHER_REASON;
        }
        let openings = hours.into_iter().map(|(weekday, starts, ends, valid_from, valid_until)| {
            Opening { valid_from, valid_until, ..opening(weekday, starts, ends) }
        });
        let exceptions = exceptions.into_iter().filter_map(|(starts, ends, open)| Some(Exception {
            starts: starts?.into(),
            ends: ends?.at(23, 59, 59, 999_999_999),
            kind: if open { ExceptionKind::Open } else { ExceptionKind::Closed },
            ..exception(ExceptionKind::Open, "2026-07-02T10:00", "2026-07-02T09:00")
        }));
        let agenda = Agenda {
            sites: vec![site(zone), site("Europe/Paris")],
            reasons,
            openings: openings.collect(),
            exceptions: exceptions.collect(),
            busy,
            ..agenda(reason(1), &[])
        };
        let wish = Wish { from, until, ..always() };
        let slots: Vec<Slot> = agenda.slots(&wish, now).take(3000).collect();
        prop_assert!(slots.windows(2).all(|pair| pair[0] < pair[1]));
        for slot in slots.iter().take(20) {
            prop_assert!(from <= slot.starts_at && slot.starts_at < until && now <= slot.starts_at);
            prop_assert_eq!(agenda.offers(slot.site, slot.reason, slot.starts_at, now), Ok(*slot));
            slot.reserved(agenda.reason(slot.reason).unwrap());
        }
        for start in [from, until, now] {
            if let Ok(slot) = agenda.offers(SITE, REASON, start, now) {
                prop_assert_eq!(slot.starts_at, start);
            }
        }
    }
}
