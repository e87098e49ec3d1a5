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
