use jiff::SignedDuration;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use super::*;

fn births() -> impl Strategy<Value = Date> {
    // 29 February as often as any other day.
    prop_oneof![
        (1900_i16..2100, 1_i8..=12, 1_i8..=28).prop_map(|(year, month, day)| Date::new(year, month, day).unwrap()),
        (475_i16..525).prop_map(|leap| Date::new(leap * 4, 2, 28).unwrap().last_of_month()),
    ]
}

fn rights() -> impl Strategy<Value = Rights> {
    subsequence(Right::ALL.to_vec(), 0..=4).prop_map(|rights| rights.into_iter().collect())
}

fn bonds() -> impl Strategy<Value = Bond> {
    (select(vec![Kin::Parent, Kin::Guardian]), any::<bool>(), any::<bool>())
        .prop_map(|(kin, court_ordered, own_account)| Bond { kin, court_ordered, own_account })
}

const SECOND: SignedDuration = SignedDuration::from_secs(1);

proptest! {
    #[test]
    fn nobody_has_more_than_was_given_and_no_birthday_adds_any(
        bond in bonds(), given in rights(), birth in births(), first in 0_i64..4_000_000_000, later in 0_i64..1_000_000_000,
    ) {
        let at = |second| Timestamp::from_second(second).unwrap();
        let before = effective_rights(bond, &given, birth, at(first));
        let after = effective_rights(bond, &given, birth, at(first + later));
        prop_assert!(before.is_subset(&given) && after.is_subset(&before));
    }

    #[test]
    fn each_step_is_taken_at_its_instant_and_not_a_second_before(bond in bonds(), given in rights(), birth in births()) {
        let of_age = step(birth, Change::Independence).unwrap();
        let ended = effective_rights(bond, &given, birth, of_age);
        let not_yet = effective_rights(bond, &given, birth, of_age - SECOND);
        let alone: Rights = given.iter().copied().filter(|right| !(bond.own_account && *right == Right::Messages)).collect();
        prop_assert_eq!(&not_yet, &alone);
        prop_assert_eq!(ended, if bond.court_ordered { alone.clone() } else { Rights::new() });
        let sixteen = step(birth, Change::PrivateMessages).unwrap();
        prop_assert_eq!(effective_rights(bond, &given, birth, sixteen - SECOND), given.clone());
        prop_assert_eq!(effective_rights(bond, &given, birth, sixteen), alone);
        let oneself = Bond { kin: Kin::Oneself, ..bond };
        prop_assert_eq!(effective_rights(oneself, &Rights::new(), birth, of_age).len(), 4);
    }

    #[test]
    fn wherever_in_france_one_lives_an_age_is_reached_within_half_a_day_of_midnight(birth in births(), years in 15_i16..=18) {
        let reached = birthday(birth, years).unwrap();
        for zone in ["Europe/Paris", "Indian/Reunion", "Indian/Mayotte", "America/Martinique", "America/Cayenne",
                     "America/Miquelon", "Pacific/Noumea", "Pacific/Wallis", "Pacific/Tahiti"] {
            let local = reached.to_zoned(jiff::tz::TimeZone::get(zone).unwrap()).datetime();
            let day = birthday(birth, years).unwrap().to_zoned(jiff::tz::TimeZone::get("Europe/Paris").unwrap()).date();
            let away = local.duration_since(day.to_datetime(jiff::civil::Time::midnight())).abs();
            prop_assert!(away <= SignedDuration::from_hours(12), "{} {}", zone, local);
        }
    }
}

#[test]
fn the_29_of_february_is_followed_by_the_first_of_march() {
    let birth: Date = "2008-02-29".parse().unwrap();
    for (years, expected) in [(16, "2024-02-28T23:00:00Z"), (18, "2026-02-28T23:00:00Z"), (15, "2023-02-28T23:00:00Z")]
    {
        // The 29th itself in a leap year; 1 March, whose first instant in Paris is 23:00 UTC the day before, in others.
        assert_eq!(birthday(birth, years).unwrap().to_string(), expected);
    }
    assert_eq!(birthday("2008-07-14".parse().unwrap(), 18).unwrap().to_string(), "2026-07-13T22:00:00Z");
}

#[test]
fn the_table_goes_up() {
    assert!(AGE_RULES.is_sorted_by_key(|rule| rule.age));
    assert!(AGE_RULES.iter().all(|rule| !rule.source.is_empty()));
}
