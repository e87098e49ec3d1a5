//! Shared material of the agenda's tests.

use jiff::{
    Timestamp, ToSpan as _,
    civil::{Date, DateTime, date},
};
use proptest::prelude::*;
use uuid::Uuid;

use super::*;

mod examples;
mod hostile;
mod oracle;

pub(super) const SITE: SiteId = SiteId::from_uuid(Uuid::from_u128(1));
pub(super) const OTHER_SITE: SiteId = SiteId::from_uuid(Uuid::from_u128(2));
pub(super) const REASON: ReasonId = ReasonId::from_uuid(Uuid::from_u128(11));
pub(super) const OTHER_REASON: ReasonId = ReasonId::from_uuid(Uuid::from_u128(12));

pub(super) fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub(super) fn site(zone: &str) -> Site {
    Site { id: SITE, time_zone: zone.parse().unwrap(), holidays: HolidayCalendar::Metropole }
}

pub(super) fn reason(duration_minutes: u16) -> Reason {
    Reason {
        id: REASON,
        channel: Channel::InPerson,
        duration_minutes,
        buffer_before_minutes: 0,
        buffer_after_minutes: 0,
        step_minutes: None,
        notice_minutes: 0,
        horizon_days: 365,
    }
}

pub(super) fn opening(weekday: u8, starts_minute: u16, ends_minute: u16) -> Opening {
    Opening { site: SITE, reasons: None, weekday, starts_minute, ends_minute, valid_from: None, valid_until: None }
}

pub(super) fn exception(kind: ExceptionKind, starts: &str, ends: &str) -> Exception {
    Exception { site: None, kind, reasons: None, starts: starts.parse().unwrap(), ends: ends.parse().unwrap() }
}

/// One site in Paris, one reason, open every day at the given minutes.
pub(super) fn agenda(reason: Reason, hours: &[(u16, u16)]) -> Agenda {
    let days = (1..=7).flat_map(|day| hours.iter().map(move |(from, to)| opening(day, *from, *to)));
    Agenda {
        practitioner: PractitionerId::from_uuid(Uuid::from_u128(21)),
        sites: vec![site("Europe/Paris")],
        reasons: vec![reason],
        openings: days.collect(),
        exceptions: Vec::new(),
        busy: Vec::new(),
    }
}

pub(super) fn between(from: &str, until: &str) -> Wish<'static> {
    Wish { site: None, reasons: None, channel: None, from: at(from), until: at(until) }
}

/// Starts of the day in question, as UTC `HH:MM`.
pub(super) fn starts(agenda: &Agenda, wish: &Wish<'_>, now: &str) -> Vec<String> {
    let slots = agenda.slots(wish, at(now));
    slots.map(|slot| slot.starts_at.strftime("%H:%M").to_string()).collect()
}

/// Zones with and without changes of clocks, with days near those changes.
fn zones_and_days() -> impl Strategy<Value = (&'static str, Date)> {
    prop::sample::select(vec![
        ("Europe/Paris", date(2026, 3, 27)),
        ("Europe/Paris", date(2026, 10, 23)),
        ("America/Miquelon", date(2026, 3, 6)),
        ("America/Miquelon", date(2026, 10, 30)),
        ("Indian/Reunion", date(2026, 12, 18)),
        ("America/Martinique", date(2026, 5, 20)),
        ("Pacific/Noumea", date(2026, 4, 4)),
        ("Africa/Cairo", date(2026, 4, 22)),
        ("America/St_Johns", date(2006, 10, 26)),
    ])
}

fn reasons_of_rule() -> impl Strategy<Value = Option<Vec<ReasonId>>> {
    prop::option::weighted(0.3, prop::sample::subsequence(vec![REASON, OTHER_REASON], 0..=2))
}

fn a_reason(id: ReasonId, channel: Channel) -> impl Strategy<Value = Reason> {
    let buffers = (prop::sample::select(vec![0_u16, 5, 20]), prop::sample::select(vec![0_u16, 10]));
    let step = prop::option::of(prop::sample::select(vec![5_u16, 15, 40, 1000]));
    let notice = prop::sample::select(vec![0_u32, 90, 1500]);
    let duration = prop::sample::select(vec![5_u16, 15, 30, 45, 200, 1440]);
    (duration, buffers, step, notice, 0_u16..4).prop_map(move |(duration, buffers, step, notice, horizon)| Reason {
        id,
        channel,
        buffer_before_minutes: buffers.0,
        buffer_after_minutes: buffers.1,
        step_minutes: step,
        notice_minutes: notice,
        horizon_days: horizon,
        ..reason(duration)
    })
}

fn an_opening(day: Date) -> impl Strategy<Value = Opening> {
    let hours = prop_oneof![
        3 => (0_u16..1440, 1_u16..700).prop_map(|(from, length)| (from, (from + length).min(1440))),
        1 => Just((0, 1440)),
        1 => Just((60, 240)),
        1 => (1200_u16..1440).prop_map(|from| (from, 1440)),
    ];
    let valid = prop::option::weighted(0.2, 0_i64..5);
    (any_site(), reasons_of_rule(), 1_u8..=7, hours, valid, valid_until()).prop_map(
        move |(site, reasons, weekday, (starts_minute, ends_minute), from, until)| Opening {
            site,
            reasons,
            weekday,
            starts_minute,
            ends_minute,
            valid_from: from.map(|days| day.checked_add(days.days()).unwrap()),
            valid_until: until.map(|days| day.checked_add(days.days()).unwrap()),
        },
    )
}

fn valid_until() -> impl Strategy<Value = Option<i64>> {
    prop::option::weighted(0.2, 1_i64..6)
}

fn any_site() -> impl Strategy<Value = SiteId> {
    prop::sample::select(vec![SITE, SITE, OTHER_SITE])
}

fn an_exception(day: Date) -> impl Strategy<Value = Exception> {
    let kind = prop::sample::select(vec![ExceptionKind::Closed, ExceptionKind::Open]);
    let hours = (0_i64..5 * 1440, prop_oneof![1_i64..400, Just(1440), Just(2880)]);
    (prop::option::of(any_site()), kind, reasons_of_rule(), hours).prop_map(
        move |(site, kind, reasons, (from, length))| {
            let midnight: DateTime = day.into();
            let starts = midnight.checked_add(from.minutes()).unwrap();
            let ends = starts.checked_add(length.minutes()).unwrap();
            Exception { site, kind, reasons, starts, ends }
        },
    )
}

/// An agenda of two sites and two reasons, with the first of the five days around which its
/// exceptions and busy time lie.
pub(super) fn agendas() -> impl Strategy<Value = (Agenda, Date)> {
    zones_and_days().prop_flat_map(|(zone, day)| {
        let midnight = crate::zone::day_number(day) * 86_400;
        let busy = (0_i64..7200, 0_i64..300)
            .prop_map(move |(from, length)| [midnight + from * 60, midnight + (from + length) * 60]);
        (
            [a_reason(REASON, Channel::InPerson), a_reason(REASON, Channel::InPerson)],
            a_reason(OTHER_REASON, Channel::Video),
            prop::collection::vec(an_opening(day), 0..10),
            prop::collection::vec(an_exception(day), 0..4),
            prop::collection::vec(busy, 0..6),
            prop::sample::select(HolidayCalendar::ALL.to_vec()),
        )
            .prop_map(move |([first, twin], other, openings, exceptions, busy, calendar)| {
                let other_site = Site { id: OTHER_SITE, ..site("Europe/Paris") };
                let agenda = Agenda {
                    sites: vec![Site { holidays: calendar.0, ..site(zone) }, other_site],
                    // The twin has the first reason's id, so it must never count.
                    reasons: vec![first, other, twin],
                    openings,
                    exceptions,
                    busy,
                    ..agenda(reason(10), &[])
                };
                (agenda, day)
            })
    })
}
