use std::collections::BTreeSet;

use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use super::*;

fn accesses() -> impl Strategy<Value = Access> {
    (select(Resource::ALL), select(Action::ALL)).prop_map(|(resource, action)| Access { resource, action })
}

proptest! {
    #[test]
    fn nothing_is_allowed_that_the_table_does_not_say(
        role in select(Role::ALL), access in accesses(), two in any::<bool>(), blocked in any::<bool>(),
        relations in subsequence(Relation::ALL.to_vec(), 0..Relation::ALL.len()),
    ) {
        let level = if two { Level::Two } else { Level::One };
        let decision = decide(Facts { role, level, relations: &relations, blocked }, access);
        if let Decision::Allowed(relation) = decision {
            let said = POLICY.iter().any(|rule| {
                rule.role == role && rule.resource == access.resource && rule.actions.contains(&access.action)
                    && rule.relations.contains(&relation)
            });
            prop_assert!(said);
            prop_assert!(relation == Relation::Anyone || relations.contains(&relation));
            prop_assert!(!(blocked && relation.ends_with_a_block()));
            prop_assert!(level >= role.level() || access.resource == Resource::Account);
        }
    }

    #[test]
    fn one_more_relation_never_takes_a_right_away(
        role in select(Role::ALL), access in accesses(), more in select(Relation::ALL),
        relations in subsequence(Relation::ALL.to_vec(), 0..Relation::ALL.len()),
    ) {
        let facts = |relations| Facts { role, level: Level::Two, relations, blocked: false };
        let with_more = [relations.as_slice(), &[more]].concat();
        if decide(facts(&relations), access).is_allowed() {
            prop_assert!(decide(facts(&with_more), access).is_allowed());
        }
    }
}

#[test]
fn who_has_a_second_factor_does_nothing_without_but_look_after_the_account() {
    let at = |text: &str| text.parse::<Timestamp>().unwrap();
    let standing = |role, level, two_factors| Standing {
        role,
        level,
        two_factors,
        opened_at: at("2026-03-02T08:00:00Z"),
        establishment: None,
        practitioner: None,
        attached: vec![],
    };
    let of = |resource| Access { resource, action: Action::Read };
    let once = standing(Role::Patient, Level::One, true);
    assert_eq!(once.admit(of(Resource::Appointment)), Err(Decision::NeedsSecondFactor));
    assert_eq!(once.admit(of(Resource::Account)), Ok(()));
    assert_eq!(standing(Role::Patient, Level::One, false).admit(of(Resource::Appointment)), Ok(()));
    assert_eq!(standing(Role::Patient, Level::Two, true).admit(of(Resource::Appointment)), Ok(()));
    assert_eq!(standing(Role::Dim, Level::Two, true).admit(of(Resource::Appointment)), Err(Decision::NotThisRole));

    let (in_time, late) = (at("2026-03-02T08:15:00Z"), at("2026-03-02T08:15:00.001Z"));
    assert_eq!(once.may_change_sign_in(in_time), Err(Unproven::SecondFactor));
    for fresh in [standing(Role::Patient, Level::One, false), standing(Role::Patient, Level::Two, true)] {
        assert_eq!(fresh.may_change_sign_in(in_time), Ok(()));
        assert_eq!(fresh.may_change_sign_in(late), Err(Unproven::Stale));
    }
}

#[test]
fn each_case_is_ruled_once() {
    let mut ruled = BTreeSet::new();
    for rule in POLICY {
        assert!(!rule.actions.is_empty() && !rule.relations.is_empty());
        for action in rule.actions {
            assert!(ruled.insert((rule.role, rule.resource, *action)), "{rule:?} is ruled twice");
        }
    }
}

#[test]
fn what_must_never_be_so_is_not_so() {
    let rights = |role, resource| -> Vec<&Rule> {
        POLICY.iter().filter(|rule| rule.role == role && rule.resource == resource).collect()
    };
    assert!(rights(Role::Nurse, Resource::ConfidentialPrescription).is_empty());
    for role in [Role::Secretary, Role::Administrator, Role::Dim, Role::Operator, Role::Support] {
        for medical in [Resource::Note, Resource::Document, Resource::Prescription, Resource::ConfidentialPrescription]
        {
            assert!(rights(role, medical).is_empty(), "{role} and {medical}");
        }
    }
    for rule in POLICY.iter().filter(|rule| rule.relations.contains(&Relation::Emergency)) {
        assert_eq!(rule.role, Role::Practitioner);
        assert!(!rule.actions.contains(&Action::Delete));
    }
    assert!(Relation::Emergency.ends_with_a_block());
}

#[test]
fn the_first_thing_in_the_way_is_the_reason() {
    let access = Access { resource: Resource::Appointment, action: Action::Read };
    let decide = |role, level, relations, blocked| decide(Facts { role, level, relations, blocked }, access);
    assert_eq!(decide(Role::Dim, Level::Two, &[], false), Decision::NotThisRole);
    assert_eq!(decide(Role::Secretary, Level::One, &[Relation::Attached], false), Decision::NeedsSecondFactor);
    assert_eq!(decide(Role::Secretary, Level::Two, &[], false), Decision::NotRelated(&[Relation::Attached]));
    assert_eq!(decide(Role::Secretary, Level::Two, &[Relation::Attached], true), Decision::Blocked);
    assert!(decide(Role::Secretary, Level::Two, &[Relation::Attached], false).is_allowed());
}

#[test]
fn an_access_is_written_as_it_is_read() {
    for resource in Resource::ALL {
        for action in Action::ALL {
            let access = Access { resource: *resource, action: *action };
            assert_eq!(Access::try_from(access.to_string()), Ok(access));
        }
    }
    for bad in ["", "appointment", "appointment.", ".read", "appointment.read.x", "Appointment.read"] {
        assert!(Access::try_from(bad.to_owned()).is_err(), "{bad}");
    }
}
