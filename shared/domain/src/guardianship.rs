//! Who may change who acts for a child.
//!
//! Holders of parental authority are equals (C. civ. art. 372, 373-2: also when separated). So: one may narrow one's own
//! rights and never widen them; limit or end those whom one brought in oneself, as long as nothing shows that they hold
//! authority; and whose claim is proven may limit or end a claim that is only declared. Nobody alone can touch a proven
//! holder: a dispute is decided by an operator on a judgment (C. civ. art. 373-2-6, 378-1). Whatever is given is at most
//! what the giver has. The last who may see the documents of a minor, and so say who acts, stays.

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::age::{Change, Kin, Right, Rights, has_reached};
use crate::ids::GuardianshipId;

/// How sure it is that somebody is what they say they are to the patient.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Claim {
    /// Said, by themselves or by who brought them in.
    Declared,
    /// Shown by a document that an operator has seen.
    Proven,
    /// Found untrue.
    Refused,
}

/// What shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Proof {
    /// The family's record book.
    LivretDeFamille,
    /// An entry of the civil register.
    BirthCertificate,
    /// Of a family court or a court of guardianship.
    Judgment,
    /// The decision of adoption.
    Adoption,
    /// Parental authority delegated by a judge (C. civ. art. 377).
    Delegation,
    /// Of the patient's own, for who was linked to their file by a code.
    IdentityDocument,
}

impl Proof {
    /// As in the database.
    pub const fn name(self) -> &'static str {
        match self {
            Self::LivretDeFamille => "livret_de_famille",
            Self::BirthCertificate => "birth_certificate",
            Self::Judgment => "judgment",
            Self::Adoption => "adoption",
            Self::Delegation => "delegation",
            Self::IdentityDocument => "identity_document",
        }
    }
}

/// One who acts for a patient, as a change is decided on.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Guardian {
    /// Which.
    pub id: GuardianshipId,
    /// Whether it is the one who asks.
    pub mine: bool,
    /// Whether the one who asks brought them in.
    pub invited_by_me: bool,
    /// What they are to the patient.
    pub relation: Kin,
    /// What they were given.
    pub rights: Rights,
    /// How sure.
    pub state: Claim,
}

/// All who act for a patient at an instant.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Circle {
    /// What a write is decided on.
    pub version: i64,
    /// The patient's.
    pub birth_date: Date,
    /// Those in force.
    pub guardians: Vec<Guardian>,
}

/// Why not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There is no such guardian.
    #[error("no such guardian")]
    Unknown,
    /// One has not got what one would give, or would widen what one has.
    #[error("more than one has oneself")]
    MoreThanYours,
    /// An equal, or not one's own to change.
    #[error("not one's to change")]
    Equal,
    /// Nobody would be left to act for a minor.
    #[error("the last guardian")]
    Last,
    /// Too young for an account of their own.
    #[error("too young for an account")]
    TooYoung,
    /// Of age: nobody else acts for them.
    #[error("of age")]
    OfAge,
    /// Has an account already.
    #[error("has an account already")]
    HasAccount,
}

impl Circle {
    fn me(&self) -> Result<&Guardian, Refusal> {
        self.guardians.iter().find(|it| it.mine && it.relation != Kin::Oneself).ok_or(Refusal::Unknown)
    }

    fn find(&self, id: GuardianshipId) -> Result<&Guardian, Refusal> {
        self.guardians.iter().find(|it| it.id == id && it.relation != Kin::Oneself).ok_or(Refusal::Unknown)
    }

    /// Whether somebody but this one would still see the documents of the patient.
    fn left_without(&self, leaving: GuardianshipId) -> bool {
        self.guardians
            .iter()
            .any(|it| it.id != leaving && it.relation != Kin::Oneself && it.rights.contains(&Right::Documents))
    }

    fn is_minor(&self, now: Timestamp) -> bool {
        !has_reached(self.birth_date, Change::Independence, now)
    }

    /// Whether the one who asks may touch another's rights at all.
    fn may_touch(me: &Guardian, other: &Guardian) -> Result<(), Refusal> {
        let own_guest = other.invited_by_me;
        match (me.state, other.state) {
            (_, Claim::Proven) | (Claim::Refused, _) => Err(Refusal::Equal),
            (Claim::Proven, _) => Ok(()),
            (Claim::Declared, _) if own_guest => Ok(()),
            (Claim::Declared, _) => Err(Refusal::Equal),
        }
    }

    /// Whether the rights of one may become these.
    ///
    /// # Errors
    /// Why not.
    pub fn change(&self, id: GuardianshipId, wanted: &Rights, now: Timestamp) -> Result<(), Refusal> {
        let (me, other) = (self.me()?, self.find(id)?);
        if other.mine {
            if !wanted.is_subset(&me.rights) {
                return Err(Refusal::MoreThanYours);
            }
            let kept = wanted.contains(&Right::Documents) || self.left_without(id);
            return if kept || !self.is_minor(now) { Ok(()) } else { Err(Refusal::Last) };
        }
        Self::may_touch(me, other)?;
        let more = wanted.difference(&other.rights).all(|right| me.rights.contains(right));
        if more { Ok(()) } else { Err(Refusal::MoreThanYours) }
    }

    /// Whether one may be ended: oneself may leave.
    ///
    /// # Errors
    /// Why not.
    pub fn end(&self, id: GuardianshipId, now: Timestamp) -> Result<(), Refusal> {
        let (me, other) = (self.me()?, self.find(id)?);
        if other.mine {
            return if self.left_without(id) || !self.is_minor(now) { Ok(()) } else { Err(Refusal::Last) };
        }
        Self::may_touch(me, other)
    }

    /// Whether another may be brought in with these rights: an adult for a minor, or the minor themselves, who has all
    /// rights: whoever has not got them all would else raise their own by passing for the child.
    ///
    /// # Errors
    /// Why not.
    pub fn invite(&self, kin: Kin, rights: &Rights, now: Timestamp) -> Result<(), Refusal> {
        let me = self.me()?;
        if !self.is_minor(now) {
            return Err(Refusal::OfAge);
        }
        if kin == Kin::Oneself {
            if self.guardians.iter().any(|it| it.relation == Kin::Oneself) {
                return Err(Refusal::HasAccount);
            }
            if !has_reached(self.birth_date, Change::OwnAccount, now) {
                return Err(Refusal::TooYoung);
            }
        }
        if rights.is_subset(&me.rights) { Ok(()) } else { Err(Refusal::MoreThanYours) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use proptest::sample::{select, subsequence};
    use uuid::Uuid;

    fn rights() -> impl Strategy<Value = Rights> {
        subsequence(Right::ALL.to_vec(), 0..=4).prop_map(|rights| rights.into_iter().collect())
    }

    fn id(number: usize) -> GuardianshipId {
        GuardianshipId::from_uuid(Uuid::from_u128(number as u128))
    }

    prop_compose! {
        /// The first one asks.
        fn circles()(
            guardians in prop::collection::vec(
                (rights(), select(vec![Claim::Declared, Claim::Proven]), any::<bool>()), 1..5),
        ) -> Circle {
            let guardians = guardians.into_iter().enumerate().map(|(number, (rights, state, invited_by_me))| Guardian {
                id: id(number), mine: number == 0, invited_by_me: invited_by_me && number > 0, relation: Kin::Parent, rights, state,
            });
            Circle { version: 1, birth_date: "2018-05-01".parse().unwrap(), guardians: guardians.collect() }
        }
    }

    fn now() -> Timestamp {
        "2026-03-02T08:00:00Z".parse().unwrap()
    }

    proptest! {
        #[test]
        fn nobody_raises_their_own_rights(circle in circles(), wanted in rights()) {
            if circle.change(id(0), &wanted, now()).is_ok() {
                prop_assert!(wanted.is_subset(&circle.guardians[0].rights));
            }
        }

        #[test]
        fn no_guardian_alone_takes_anything_from_a_proven_one(circle in circles(), wanted in rights(), other in 1_usize..4) {
            if circle.guardians.get(other).is_some_and(|it| it.state == Claim::Proven) {
                prop_assert_eq!(circle.change(id(other), &wanted, now()), Err(Refusal::Equal));
                prop_assert_eq!(circle.end(id(other), now()), Err(Refusal::Equal));
            }
        }

        #[test]
        fn nothing_is_given_that_the_giver_has_not(circle in circles(), wanted in rights(), other in 1_usize..4) {
            if circle.change(id(other), &wanted, now()).is_ok() {
                let had = &circle.guardians[other].rights;
                prop_assert!(wanted.difference(had).all(|right| circle.guardians[0].rights.contains(right)));
            }
            if circle.invite(Kin::Guardian, &wanted, now()).is_ok() {
                prop_assert!(wanted.is_subset(&circle.guardians[0].rights));
            }
        }

        #[test]
        fn a_minor_is_never_left_without_somebody_who_may_say_who_acts(circle in circles(), wanted in rights()) {
            let others = circle.guardians[1..].iter().any(|it| it.rights.contains(&Right::Documents));
            if circle.end(id(0), now()).is_ok() {
                prop_assert!(others);
            }
            if circle.change(id(0), &wanted, now()).is_ok() {
                prop_assert!(others || wanted.contains(&Right::Documents));
            }
        }
    }

    #[test]
    fn a_young_person_gets_an_account_at_15_and_nobody_is_invited_for_an_adult() {
        let me = Guardian {
            id: id(0),
            mine: true,
            invited_by_me: false,
            relation: Kin::Parent,
            rights: Right::ALL.into(),
            state: Claim::Declared,
        };
        let born = |date: &str| Circle { version: 1, birth_date: date.parse().unwrap(), guardians: vec![me.clone()] };
        let none = Rights::new();
        let all: Rights = Right::ALL.into();
        assert_eq!(born("2011-03-03").invite(Kin::Oneself, &none, now()), Err(Refusal::TooYoung));
        assert_eq!(born("2011-03-02").invite(Kin::Oneself, &all, now()), Ok(()));
        let mut less = born("2011-03-02");
        less.guardians[0].rights.remove(&Right::Book);
        assert_eq!(less.invite(Kin::Oneself, &all, now()), Err(Refusal::MoreThanYours));
        assert_eq!(born("2008-03-02").invite(Kin::Parent, &none, now()), Err(Refusal::OfAge));
        let mut linked = born("2010-01-01");
        linked.guardians.push(Guardian { id: id(1), mine: false, relation: Kin::Oneself, ..me.clone() });
        assert_eq!(linked.invite(Kin::Oneself, &none, now()), Err(Refusal::HasAccount));
        assert_eq!(linked.end(id(1), now()), Err(Refusal::Unknown), "nobody ends somebody's own account");
    }
}
