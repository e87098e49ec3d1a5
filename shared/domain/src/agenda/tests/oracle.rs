//! The agenda against a brute-force reading of its rules, minute by minute.

use std::collections::BTreeSet;

use jiff::SignedDuration;

use super::*;
use crate::interval::Interval;

const DAYS: i64 = 6;

/// Stepping through minutes is slow without optimisation; one hundred agendas already meet every
/// rule in every zone many times.
const CASES: u32 = if cfg!(debug_assertions) { 60 } else { 5000 };

fn minutes(count: impl Into<i64>) -> SignedDuration {
    SignedDuration::from_mins(count.into())
}

fn concerns(reasons: Option<&Vec<ReasonId>>, reason: &Reason) -> bool {
    reasons.is_none_or(|reasons| reasons.contains(&reason.id))
}

/// Whether a wall-clock minute is open, straight from the words of the document.
fn is_open(agenda: &Agenda, site: &Site, reason: &Reason, local: DateTime) -> bool {
    let minute = u16::try_from(i32::from(local.hour()) * 60 + i32::from(local.minute())).unwrap();
    let weekly = agenda.openings.iter().any(|o| {
        o.site == site.id
            && concerns(o.reasons.as_ref(), reason)
            && i64::from(o.weekday) == i64::from(local.date().weekday().to_monday_one_offset())
            && (o.starts_minute..o.ends_minute).contains(&minute)
            && o.valid_from.is_none_or(|from| from <= local.date())
            && o.valid_until.is_none_or(|until| local.date() < until)
    });
    let excepted = |kind| {
        agenda.exceptions.iter().any(|e| {
            e.kind == kind
                && e.site.is_none_or(|id| id == site.id)
                && concerns(e.reasons.as_ref(), reason)
                && e.starts <= local
                && local < e.ends
        })
    };
    let holiday = site.holidays.is_holiday(local.date()).is_some();
    (weekly && !holiday || excepted(ExceptionKind::Open)) && !excepted(ExceptionKind::Closed)
}

/// Every start the rules offer, by stepping through the minutes of the days from `day` on.
fn brute_force(agenda: &Agenda, day: Date, now: Timestamp) -> Vec<Slot> {
    let mut found = Vec::new();
    let mut seen = BTreeSet::new();
    let reasons: Vec<_> = agenda.reasons.iter().filter(|r| seen.insert(r.id)).collect();
    for site in &agenda.sites {
        let first = crate::zone::at_second(crate::zone::day_number(day) * 86_400) - minutes(1440);
        let clock: Vec<(Timestamp, DateTime)> = (0..(DAYS + 3) * 1440)
            .map(|minute| first + minutes(minute))
            .map(|instant| (instant, site.time_zone.local(instant)))
            .collect();
        for reason in &reasons {
            let open: Vec<bool> = clock.iter().map(|(_, local)| is_open(agenda, site, reason, *local)).collect();
            let length = usize::from(reason.duration_minutes);
            let step = usize::from(
                reason
                    .step_minutes
                    .unwrap_or(reason.buffer_before_minutes + reason.duration_minutes + reason.buffer_after_minutes),
            );
            let last_date = site.time_zone.local(now).date() + i64::from(reason.horizon_days).days();
            let mut anchor = 0;
            for (i, (instant, local)) in clock.iter().enumerate().skip(1) {
                if !open[i] {
                    continue;
                }
                if !open[i - 1] || clock[i - 1].1.date() != local.date() {
                    anchor = i;
                }
                let fits = open.get(i..i + length).is_some_and(|all| all.iter().all(|open| *open));
                if (i - anchor).is_multiple_of(step)
                    && fits
                    && *instant >= now + minutes(reason.notice_minutes)
                    && local.date() <= last_date
                {
                    found.push(Slot {
                        practitioner: agenda.practitioner,
                        site: site.id,
                        reason: reason.id,
                        channel: reason.channel,
                        starts_at: *instant,
                        ends_at: *instant + minutes(reason.duration_minutes),
                    });
                }
            }
        }
    }
    found.sort_by_key(|s| (s.starts_at, s.practitioner, s.reason, s.site));
    found
}

fn is_free(agenda: &Agenda, slot: &Slot) -> bool {
    let reserved = slot.reserved(agenda.reason(slot.reason).unwrap());
    agenda.busy.iter().all(|[start, end]| {
        let at = crate::zone::at_second;
        Interval::new(at(*start), at(*end)).is_none_or(|busy| !busy.overlaps(&reserved))
    })
}

/// `now` on the second day, and a window of the days that brute force covers for certain.
fn moment(day: Date, minute: i64) -> (Timestamp, Wish<'static>) {
    let first = crate::zone::at_second(crate::zone::day_number(day) * 86_400);
    let wish = Wish { site: None, reasons: None, channel: None, from: first, until: first + minutes(DAYS * 1440) };
    (first + minutes(minute), wish)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(CASES))]

    #[test]
    fn slots_are_those_of_brute_force_less_the_busy_ones(
        (agenda, day) in agendas(), minute in 0_i64..4320,
    ) {
        let (now, wish) = moment(day, minute);
        let mut expected = brute_force(&agenda, day, now);
        expected.retain(|slot| wish.from <= slot.starts_at && slot.starts_at < wish.until);
        let unhindered = Agenda { busy: Vec::new(), ..agenda.clone() };
        let offered: Vec<Slot> = unhindered.slots(&wish, now).collect();
        prop_assert_eq!(&offered, &expected);

        expected.retain(|slot| is_free(&agenda, slot));
        let free: Vec<Slot> = agenda.slots(&wish, now).collect();
        prop_assert_eq!(&free, &expected);
        prop_assert!(free.windows(2).all(|pair| pair[0] < pair[1]), "ordered, none twice");
        prop_assert_eq!(agenda.first_free(&wish, now), free.first().copied());
    }

    #[test]
    fn a_narrower_wish_only_selects(
        (agenda, day) in agendas(), minute in 0_i64..4320,
        from in -100_i64..9000, length in 0_i64..4000, filters in 0..4,
    ) {
        let (now, wish) = moment(day, minute);
        let from = wish.from + minutes(from);
        let narrow = Wish {
            from,
            until: from + minutes(length),
            site: (filters == 1).then_some(OTHER_SITE),
            reasons: (filters == 2).then_some(&[OTHER_REASON, OTHER_REASON]),
            channel: (filters == 3).then_some(Channel::Video),
        };
        let wide = Wish { until: wish.until + minutes(14400), ..wish };
        let selected: Vec<Slot> = agenda.slots(&wide, now)
            .filter(|s| narrow.from <= s.starts_at && s.starts_at < narrow.until)
            .filter(|s| filters != 1 || s.site == OTHER_SITE)
            .filter(|s| filters < 2 || s.reason == OTHER_REASON)
            .collect();
        prop_assert_eq!(agenda.slots(&narrow, now).collect::<Vec<_>>(), selected);
    }

    #[test]
    fn a_later_now_only_removes_early_slots_and_adds_late_ones(
        (agenda, day) in agendas(), minute in 0_i64..4000, later in 0_i64..1440,
    ) {
        let (now, wish) = moment(day, minute);
        let after: BTreeSet<Slot> = agenda.slots(&wish, now + minutes(later)).collect();
        for slot in agenda.slots(&wish, now) {
            let notice = agenda.reason(slot.reason).unwrap().notice_minutes;
            let still = slot.starts_at >= now + minutes(later) + minutes(notice);
            prop_assert_eq!(after.contains(&slot), still);
        }
    }

    #[test]
    fn offers_agrees_with_slots_when_nothing_is_busy((agenda, day) in agendas(), minute in 0_i64..4320) {
        let agenda = Agenda { busy: Vec::new(), ..agenda };
        let (now, wish) = moment(day, minute);
        let slots: BTreeSet<Slot> = agenda.slots(&wish, now).collect();
        for slot in &slots {
            prop_assert_eq!(agenda.offers(slot.site, slot.reason, slot.starts_at, now), Ok(*slot));
        }
        for minute in (0..DAYS * 1440).step_by(7) {
            let start = wish.from + minutes(minute);
            for (site, reason) in [(SITE, REASON), (OTHER_SITE, OTHER_REASON)] {
                let listed = slots.iter().find(|s| (s.starts_at, s.site, s.reason) == (start, site, reason));
                prop_assert_eq!(agenda.offers(site, reason, start, now).ok(), listed.copied());
            }
        }
    }
}
