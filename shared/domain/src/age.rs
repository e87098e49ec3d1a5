//! What changes with a young person's age, as a table, and what a guardian may still do at an instant.
//!
//! Where somebody lives is not known here, so an age is reached at the first instant of the birthday in metropolitan
//! France, as the law counts whole days (C. civ. art. 388, 414); overseas that is at most half a day from local midnight.
//! The database holds the resulting instants in each guardianship from its beginning (`until`, `messages_until`), so that
//! no job can be late; its SQL function `birthday` says what [`birthday`] says, which a test compares.

use std::collections::BTreeSet;

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

/// What somebody is to a patient.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Kin {
    /// The patient.
    #[serde(rename = "self")]
    Oneself,
    /// Mother or father.
    Parent,
    /// Any other who holds parental authority or acts under a court's order.
    Guardian,
}

/// What a guardian may do for a patient.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Right {
    /// Book, move and cancel.
    Book,
    /// See the record, its documents and who looked at it; say who else acts.
    Documents,
    /// Write to professionals and read their answers.
    Messages,
    /// Be told of what happens.
    Notices,
}

impl Right {
    /// Every one.
    pub const ALL: [Self; 4] = [Self::Book, Self::Documents, Self::Messages, Self::Notices];

    /// As in the database.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Book => "book",
            Self::Documents => "documents",
            Self::Messages => "messages",
            Self::Notices => "notices",
        }
    }
}

/// None, some or all of them.
pub type Rights = BTreeSet<Right>;

/// What happens at an age.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// May have an account of their own, linked to their own record beside the guardians.
    OwnAccount,
    /// Messages are their own, once they have an account to read them in.
    PrivateMessages,
    /// Guardianship ends, unless a court has extended it.
    Independence,
}

/// One line of the table.
#[derive(Debug, Clone, Copy)]
pub struct AgeRule {
    /// From this birthday on.
    pub age: i16,
    /// This.
    pub change: Change,
    /// Because of that.
    pub source: &'static str,
}

/// The table.
pub const AGE_RULES: [AgeRule; 3] = [
    AgeRule {
        age: 15,
        change: Change::OwnAccount,
        source: "loi 78-17 art. 45: from 15 a minor consents alone to the processing of their data by an online service",
    },
    AgeRule {
        age: 16,
        change: Change::PrivateMessages,
        source: "CSS art. L.160-2: from 16 a minor may be insured in their own name, with their own carte Vitale; house rule drawn from it",
    },
    AgeRule {
        age: 18,
        change: Change::Independence,
        source: "C. civ. art. 371-1, 388, 414: parental authority ends at majority; art. 425, 494-1: unless a judge decides on protection",
    },
];

/// When a change happens to somebody born on that day.
pub fn step(birth: Date, change: Change) -> Option<Timestamp> {
    AGE_RULES.iter().find(|rule| rule.change == change).and_then(|rule| birthday(birth, rule.age))
}

/// The first instant, in metropolitan France, of the day on which an age is reached. Who is born on 29 February reaches it
/// on 1 March in other years: the last day of an age is lived to its end.
pub fn birthday(birth: Date, years: i16) -> Option<Timestamp> {
    let year = birth.year().checked_add(years)?;
    let day = Date::new(year, birth.month(), birth.day()).or_else(|_| Date::new(year, 3, 1)).ok()?;
    Some(day.in_tz("Europe/Paris").ok()?.timestamp())
}

/// Whether a change has happened by then. Beyond the calendar nobody has reached an age.
pub fn has_reached(birth: Date, change: Change, now: Timestamp) -> bool {
    step(birth, change).is_some_and(|at| at <= now)
}

/// What is known of a guardian beside the rights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bond {
    /// What they are to the patient.
    pub kin: Kin,
    /// Whether a court extended it beyond majority.
    pub court_ordered: bool,
    /// Whether the patient has an account of their own.
    pub own_account: bool,
}

/// What somebody may do for a patient at an instant, of the rights that they were given.
pub fn effective_rights(bond: Bond, given: &Rights, birth: Date, now: Timestamp) -> Rights {
    if bond.kin == Kin::Oneself {
        return Right::ALL.into();
    }
    if !bond.court_ordered && has_reached(birth, Change::Independence, now) {
        return Rights::new();
    }
    let private = bond.own_account && has_reached(birth, Change::PrivateMessages, now);
    given.iter().copied().filter(|right| !(private && *right == Right::Messages)).collect()
}

#[cfg(test)]
mod tests;
