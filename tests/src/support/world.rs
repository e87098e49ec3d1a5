//! Who has what to do with whom, worked out here and not by the database: what a test compares the database with.

use domain::access::{Access, Action, Facts, Level, Relation, Resource, Role, decide};
use serde_json::{Value, json};
use uuid::Uuid;

/// Somebody who asks.
#[derive(Debug, Clone)]
pub struct Person {
    pub role: Role,
    pub account: Uuid,
    pub establishment: Option<Uuid>,
    pub practitioner: Option<Uuid>,
    pub attached: Vec<Uuid>,
}

impl Person {
    /// As statements are told of them.
    pub fn who(&self, at: &str) -> Value {
        json!({"at": at, "account": self.account, "role": self.role, "level": 2, "establishment": self.establishment,
               "practitioner": self.practitioner, "attached": self.attached, "purpose": "TREAT", "request": "world"})
    }
}

/// What is asked for: whose, in whose agenda, where.
#[derive(Debug, Clone, Copy, Default)]
pub struct Thing {
    pub patient: Option<Uuid>,
    pub practitioner: Option<Uuid>,
    pub establishment: Option<Uuid>,
}

/// What an account is to a patient.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tie {
    /// The patient beyond doubt.
    Oneself,
    /// The patient, by a link to a file that was there before, and no operator has seen who it is.
    Doubtful,
    Guardian,
}

/// A guardianship; `rights` of who is the patient do not matter.
#[derive(Debug, Clone)]
pub struct Bond {
    pub account: Uuid,
    pub patient: Uuid,
    pub tie: Tie,
    pub rights: Vec<&'static str>,
    /// Neither refused nor ended.
    pub in_force: bool,
    /// Whether the patient is 16 or more.
    pub sixteen: bool,
}

/// A visit that makes a care relation if it is booked, not long past, and not one that staff made up.
#[derive(Debug, Clone)]
pub struct Visit {
    pub patient: Uuid,
    pub practitioner: Uuid,
    pub establishment: Option<Uuid>,
    pub counts: bool,
}

/// All that relations are made of.
#[derive(Debug, Clone, Default)]
pub struct World {
    pub patients: Vec<Uuid>,
    pub bonds: Vec<Bond>,
    pub visits: Vec<Visit>,
    /// Patient, practitioner: those in force.
    pub blocks: Vec<(Uuid, Uuid)>,
    /// Account, patient, establishment: those that have not ended.
    pub emergencies: Vec<(Uuid, Uuid, Uuid)>,
}

impl World {
    fn blocked(&self, patient: Option<Uuid>, practitioner: Option<Uuid>) -> bool {
        self.blocks.iter().any(|(of, whom)| Some(*of) == patient && Some(*whom) == practitioner)
    }

    fn cared_for(&self, patient: Option<Uuid>, by: &[Uuid], establishment: Option<Uuid>) -> bool {
        self.visits.iter().any(|visit| {
            Some(visit.patient) == patient
                && by.contains(&visit.practitioner)
                && establishment.is_some()
                && visit.establishment == establishment
                && visit.counts
                && !self.blocked(patient, Some(visit.practitioner))
        })
    }

    fn guards(&self, person: &Person, thing: &Thing, right: Option<&str>) -> bool {
        self.bonds.iter().any(|bond| {
            let own_account =
                self.bonds.iter().any(|it| it.patient == bond.patient && it.tie != Tie::Guardian && it.in_force);
            let private = bond.sixteen && own_account && right == Some("messages");
            bond.account == person.account
                && Some(bond.patient) == thing.patient
                && bond.in_force
                && bond.tie == Tie::Guardian
                && !private
                && right.is_none_or(|right| bond.rights.contains(&right))
        })
    }

    /// Which relations hold, blocks considered.
    pub fn relations(&self, person: &Person, thing: &Thing) -> Vec<Relation> {
        let here = thing.establishment.is_some() && thing.establishment == person.establishment;
        let own: Vec<Uuid> = person.practitioner.into_iter().collect();
        let holds = |relation: &Relation| match relation {
            Relation::Anyone => true,
            Relation::Oneself => self.bonds.iter().any(|bond| {
                bond.account == person.account
                    && Some(bond.patient) == thing.patient
                    && bond.tie != Tie::Guardian
                    && bond.in_force
            }),
            Relation::OneselfProven => self.bonds.iter().any(|bond| {
                bond.account == person.account
                    && Some(bond.patient) == thing.patient
                    && bond.tie == Tie::Oneself
                    && bond.in_force
            }),
            Relation::Guardian => self.guards(person, thing, None),
            Relation::GuardianBook => self.guards(person, thing, Some("book")),
            Relation::GuardianDocuments => self.guards(person, thing, Some("documents")),
            Relation::GuardianMessages => self.guards(person, thing, Some("messages")),
            Relation::GuardianNotices => self.guards(person, thing, Some("notices")),
            Relation::OwnAgenda => {
                here && thing.practitioner.is_some_and(|it| own.contains(&it))
                    && !self.blocked(thing.patient, thing.practitioner)
            }
            Relation::Attached => {
                here && thing.practitioner.is_some_and(|it| person.attached.contains(&it))
                    && !self.blocked(thing.patient, thing.practitioner)
            }
            Relation::Care => self.cared_for(thing.patient, &own, person.establishment),
            Relation::StaffOfCare => self.cared_for(thing.patient, &person.attached, person.establishment),
            Relation::Establishment => here,
            Relation::Emergency => {
                !self.blocked(thing.patient, person.practitioner)
                    && self.emergencies.iter().any(|(account, patient, establishment)| {
                        *account == person.account
                            && Some(*patient) == thing.patient
                            && Some(*establishment) == person.establishment
                    })
            }
            Relation::Unblocked => {
                person.practitioner.is_some()
                    && thing.patient.is_some_and(|it| self.patients.contains(&it))
                    && !self.blocked(thing.patient, person.practitioner)
            }
        };
        Relation::ALL.iter().copied().filter(holds).collect()
    }

    /// What the policy says.
    pub fn allows(&self, person: &Person, thing: &Thing, resource: Resource, action: Action) -> bool {
        let relations = self.relations(person, thing);
        let facts = Facts { role: person.role, level: Level::Two, relations: &relations, blocked: false };
        decide(facts, Access { resource, action }).is_allowed()
    }
}
