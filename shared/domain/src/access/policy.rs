//! The table itself.

use super::Action::{Create, Delete, Read, Update};
use super::Relation::{
    Anyone, Attached, Care, Emergency, Establishment, Guardian, GuardianBook, GuardianDocuments, Oneself,
    OneselfProven, OwnAgenda, StaffOfCare, Unblocked,
};
use super::{Action, Relation, Resource, Role, Rule};

const ALL: &[Action] = &[Create, Read, Update, Delete];
const CREATE: &[Action] = &[Create];
const READ: &[Action] = &[Read];
const UPDATE: &[Action] = &[Update];
const DELETE: &[Action] = &[Delete];

const fn rule(role: Role, resource: Resource, actions: &'static [Action], relations: &'static [Relation]) -> Rule {
    Rule { role, resource, actions, relations }
}

/// Who may do what. What is not here is refused.
pub const POLICY: &[Rule] = &[
    // Everybody looks after their own sign-in, whatever they are.
    rule(Role::Patient, Resource::Account, ALL, &[Anyone]),
    rule(Role::Practitioner, Resource::Account, ALL, &[Anyone]),
    rule(Role::Nurse, Resource::Account, ALL, &[Anyone]),
    rule(Role::Secretary, Resource::Account, ALL, &[Anyone]),
    rule(Role::Pharmacist, Resource::Account, ALL, &[Anyone]),
    rule(Role::Administrator, Resource::Account, ALL, &[Anyone]),
    rule(Role::Dim, Resource::Account, ALL, &[Anyone]),
    rule(Role::Operator, Resource::Account, ALL, &[Anyone]),
    rule(Role::Support, Resource::Account, ALL, &[Anyone]),
    // Families: their own, and those they are guardians of, as far as their rights go.
    rule(Role::Patient, Resource::Patient, CREATE, &[Anyone]),
    rule(Role::Patient, Resource::Patient, &[Read, Update], &[Oneself, GuardianBook, GuardianDocuments]),
    rule(Role::Patient, Resource::Appointment, ALL, &[Oneself, GuardianBook]),
    // Which visits stand in it is asked of `appointment` at each reading.
    rule(Role::Patient, Resource::CalendarFeed, &[Create, Read, Delete], &[Anyone]),
    rule(Role::Patient, Resource::Note, &[Create, Read], &[Oneself, GuardianBook]),
    rule(Role::Patient, Resource::Document, ALL, &[Oneself, GuardianDocuments]),
    // Who may do it to medical documents may do it to these: their routes ask for this one.
    rule(Role::Patient, Resource::AdministrativeDocument, ALL, &[Oneself, GuardianDocuments]),
    rule(Role::Patient, Resource::Prescription, READ, &[Oneself, GuardianDocuments]),
    rule(Role::Patient, Resource::ConfidentialPrescription, READ, &[OneselfProven]),
    rule(Role::Patient, Resource::Guardianship, READ, &[Oneself, GuardianDocuments]),
    rule(Role::Patient, Resource::Guardianship, &[Create, Update], &[GuardianDocuments]),
    // Whoever acts for somebody may leave, and show that they may act; who was linked to a file, that it is theirs.
    rule(Role::Patient, Resource::Guardianship, &[Delete], &[Guardian]),
    rule(Role::Patient, Resource::GuardianshipProof, CREATE, &[Guardian, Oneself]),
    // Never those it is kept from.
    rule(Role::Patient, Resource::Secrecy, UPDATE, &[OneselfProven]),
    rule(Role::Patient, Resource::AttendingPhysician, UPDATE, &[Oneself, GuardianDocuments]),
    rule(Role::Patient, Resource::Block, ALL, &[Oneself, GuardianDocuments]),
    rule(Role::Patient, Resource::AccessLog, READ, &[Oneself, GuardianDocuments]),
    // Anybody may say that they are a professional; who is one is for an operator to say.
    rule(Role::Patient, Resource::Professional, CREATE, &[Anyone]),
    // Practitioners: their agenda, and the patients they care for.
    rule(Role::Practitioner, Resource::Patient, READ, &[Care, Emergency]),
    rule(Role::Practitioner, Resource::Appointment, ALL, &[OwnAgenda]),
    rule(Role::Practitioner, Resource::CalendarFeed, &[Create, Read, Delete], &[Anyone]),
    rule(Role::Practitioner, Resource::Note, READ, &[OwnAgenda]),
    rule(Role::Practitioner, Resource::Document, &[Create, Read, Update], &[Care, Emergency]),
    rule(Role::Practitioner, Resource::AdministrativeDocument, &[Create, Read, Update], &[Care, Emergency]),
    // An emergency takes nothing away.
    rule(Role::Practitioner, Resource::Document, DELETE, &[Care]),
    rule(Role::Practitioner, Resource::AdministrativeDocument, DELETE, &[Care]),
    rule(Role::Practitioner, Resource::Prescription, &[Create, Read, Update], &[Care, Emergency]),
    rule(Role::Practitioner, Resource::ConfidentialPrescription, &[Create, Read, Update], &[Care]),
    rule(Role::Practitioner, Resource::EmergencyAccess, CREATE, &[Unblocked]),
    rule(Role::Practitioner, Resource::Secrecy, UPDATE, &[OwnAgenda]),
    // What was told of visits, and the letters that wait to be printed.
    rule(Role::Practitioner, Resource::Notice, &[Read, Update], &[OwnAgenda]),
    rule(Role::Secretary, Resource::Notice, &[Read, Update], &[Attached]),
    // The calendar beside an agenda, and what is asked where the two differ.
    rule(Role::Practitioner, Resource::Mailbox, &[Read, Update], &[OwnAgenda]),
    rule(Role::Secretary, Resource::Mailbox, &[Read, Update], &[Attached]),
    // Figures, in which nobody is.
    rule(Role::Practitioner, Resource::NoticeStatistics, READ, &[Anyone]),
    rule(Role::Secretary, Resource::NoticeStatistics, READ, &[Anyone]),
    rule(Role::Administrator, Resource::NoticeTemplate, ALL, &[Establishment]),
    rule(Role::Administrator, Resource::NoticeStatistics, READ, &[Establishment]),
    // Nurses: with the practitioners they are attached to; nothing that is marked confidential.
    rule(Role::Nurse, Resource::Patient, READ, &[StaffOfCare]),
    rule(Role::Nurse, Resource::Appointment, READ, &[Attached]),
    rule(Role::Nurse, Resource::Secrecy, UPDATE, &[Attached]),
    rule(Role::Nurse, Resource::Note, READ, &[Attached]),
    rule(Role::Nurse, Resource::Document, &[Create, Read, Delete], &[StaffOfCare]),
    rule(Role::Nurse, Resource::AdministrativeDocument, &[Create, Read, Delete], &[StaffOfCare]),
    rule(Role::Nurse, Resource::Prescription, READ, &[StaffOfCare]),
    // Secretaries: the administrative part only.
    rule(Role::Secretary, Resource::Patient, READ, &[StaffOfCare]),
    rule(Role::Secretary, Resource::AdministrativeDocument, &[Create, Read, Delete], &[StaffOfCare]),
    rule(Role::Secretary, Resource::Appointment, ALL, &[Attached]),
    rule(Role::Secretary, Resource::Secrecy, UPDATE, &[Attached]),
    // Administrators: who works here, what was done here, and which programs are told of it; never a patient.
    rule(Role::Administrator, Resource::Membership, ALL, &[Establishment]),
    rule(Role::Administrator, Resource::Establishment, CREATE, &[Establishment]),
    rule(Role::Administrator, Resource::Audit, READ, &[Establishment]),
    rule(Role::Administrator, Resource::Webhook, ALL, &[Establishment]),
    rule(Role::Administrator, Resource::ExchangeServer, ALL, &[Establishment]),
    rule(Role::Administrator, Resource::Mailbox, ALL, &[Establishment]),
    // Operators: who is a professional, who may act for a child, who runs an establishment, in an incident who is signed
    // out, who has lost their second factors, and whose record is contested in court.
    rule(Role::Operator, Resource::Session, &[Delete], &[Anyone]),
    rule(Role::Operator, Resource::SecondFactor, &[Delete], &[Anyone]),
    rule(Role::Operator, Resource::LegalHold, UPDATE, &[Anyone]),
    rule(Role::Operator, Resource::GuardianshipProof, &[Read, Update], &[Anyone]),
    rule(Role::Operator, Resource::Professional, &[Read, Update], &[Anyone]),
    rule(Role::Operator, Resource::Establishment, CREATE, &[Anyone]),
];
