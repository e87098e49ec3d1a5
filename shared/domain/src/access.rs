//! The one policy: who may do what to which thing, as data.
//!
//! [`POLICY`] is written into the database with every migration (table `policy`), where statements ask it through the
//! SQL function `may`; [`decide`] is the same rule for who holds the facts already; `runtime::explain` puts a
//! [`Decision`] into words.
//! `just matrix` prints it. A test walks every route as every role and compares each answer with it.

mod matrix;
mod policy;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

pub use matrix::matrix;
pub use policy::POLICY;

use crate::ids::{EstablishmentId, PractitionerId};

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$of:meta])* $variant:ident = $word:literal),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum $name { $($(#[$of])* #[serde(rename = $word)] $variant),* }

        impl $name {
            /// Every one of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];
            /// As in the database, in manifests and in the names of texts.
            pub const fn name(self) -> &'static str { match self { $(Self::$variant => $word),* } }
        }

        // The derive does not see through the macro what each is called.
        #[cfg(feature = "openapi")]
        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
                utoipa::openapi::ObjectBuilder::new()
                    .schema_type(utoipa::openapi::Type::String)
                    .enum_values(Some(Self::ALL.iter().map(|word| word.name())))
                    .into()
            }
        }
        #[cfg(feature = "openapi")]
        impl utoipa::ToSchema for $name {}

        impl std::str::FromStr for $name {
            type Err = Unknown;
            fn from_str(text: &str) -> Result<Self, Unknown> {
                match text { $($word => Ok(Self::$variant),)* _ => Err(Unknown) }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { f.write_str(self.name()) }
        }
    };
}

/// A word that the policy does not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a word of the access policy")]
pub struct Unknown;

words! {
    /// In what capacity somebody acts; one a session.
    Role {
        /// For oneself, and for those one is a guardian of.
        Patient = "patient",
        /// With an agenda of one's own.
        Practitioner = "practitioner",
        /// For the practitioners one is attached to, in care.
        Nurse = "nurse",
        /// For the practitioners one is attached to, in administration.
        Secretary = "secretary",
        /// Dispenses what is prescribed.
        Pharmacist = "pharmacist",
        /// Runs an establishment on the platform: its members, never its patients.
        Administrator = "administrator",
        /// Medical information department: figures, never persons.
        Dim = "dim",
        /// Runs the platform: validates and suspends professionals.
        Operator = "operator",
        /// Helps users: reads what a user has opened to support.
        Support = "support",
    }
}

words! {
    /// What may be looked at or changed.
    Resource {
        /// One's own sign-in: address, password, second factors, sessions.
        Account = "account",
        /// That somebody is signed in, whoever it is.
        Session = "session",
        /// Somebody's second factors, whoever it is.
        SecondFactor = "second-factor",
        /// Administrative part of a record (FHIR `Patient`).
        Patient = "patient",
        /// A visit agreed on (FHIR `Appointment`).
        Appointment = "appointment",
        /// An address of one's own at which a calendar program reads when visits are.
        CalendarFeed = "calendar-feed",
        /// What a visitor told the practitioner when booking, and why a visit was called off.
        Note = "note",
        /// Medical part of a record: history, documents (FHIR `DocumentReference`).
        Document = "document",
        /// A document that says nothing of health: of types that `domain::document` calls administrative.
        AdministrativeDocument = "administrative-document",
        /// A prescription (FHIR `MedicationRequest`).
        Prescription = "prescription",
        /// A prescription that its author marked confidential.
        ConfidentialPrescription = "confidential-prescription",
        /// Who acts for a patient, with which rights (FHIR `RelatedPerson`).
        Guardianship = "guardianship",
        /// What shows that somebody may act for a patient.
        GuardianshipProof = "guardianship-proof",
        /// A visit or document of a minor that those who act for them do not see (CSP art. L.1111-5).
        Secrecy = "secrecy",
        /// The physician whom the patient has chosen (FHIR `Patient.generalPractitioner`): sees also what is masked.
        AttendingPhysician = "attending-physician",
        /// That nothing of a record is removed while something is contested.
        LegalHold = "legal-hold",
        /// A professional whom the patient shuts out (FHIR `Consent`).
        Block = "block",
        /// Who looked at a patient's record.
        AccessLog = "access-log",
        /// A look without a care relation, in an emergency.
        EmergencyAccess = "emergency-access",
        /// A professional's claim to be one.
        Professional = "professional",
        /// An establishment itself (FHIR `Organization`): that somebody runs it.
        Establishment = "establishment",
        /// Who works in an establishment, and for whom.
        Membership = "membership",
        /// The audit trail of an establishment (FHIR `AuditEvent`).
        Audit = "audit",
        /// What people were told of visits, by letter too (FHIR `Communication`).
        Notice = "notice",
        /// An establishment's own words for notices.
        NoticeTemplate = "notice-template",
        /// How many notices went out, and what they cost.
        NoticeStatistics = "notice-statistics",
        /// An address of a partner that an establishment's events are sent to (FHIR `Subscription`).
        Webhook = "webhook",
        /// How an establishment's mailboxes are reached (FHIR `Endpoint`).
        ExchangeServer = "exchange-server",
        /// A calendar elsewhere beside an agenda, and what is asked where the two differ.
        Mailbox = "mailbox",
    }
}

words! {
    /// What is done to it.
    Action {
        /// Make one.
        Create = "create",
        /// Look, one or many.
        Read = "read",
        /// Change.
        Update = "update",
        /// End, cancel, withdraw.
        Delete = "delete",
    }
}

words! {
    /// What the actor has to do with the thing. Each is worked out in the database by the SQL function `related`.
    Relation {
        /// Nothing: the role is enough, and what is touched is the actor's own or chosen by the statement.
        Anyone = "anyone",
        /// The actor is the patient.
        Oneself = "oneself",
        /// The actor is the patient beyond doubt: the file came with the account, or an operator has seen who it is.
        OneselfProven = "oneself-proven",
        /// A guardian of the patient, whatever their rights.
        Guardian = "guardian",
        /// A guardian of the patient who may book.
        GuardianBook = "guardian-book",
        /// A guardian of the patient who may see documents.
        GuardianDocuments = "guardian-documents",
        /// A guardian of the patient who may write and read messages.
        GuardianMessages = "guardian-messages",
        /// A guardian of the patient who is told of what happens.
        GuardianNotices = "guardian-notices",
        /// The visit is in the actor's agenda, in the establishment of the session.
        OwnAgenda = "own-agenda",
        /// The visit is in the agenda of a practitioner the actor works for, in the establishment of the session.
        Attached = "attached",
        /// The patient has a visit with the actor ahead or in the last two years, there, that the patient's side booked, or
        /// staff who were in such a relation already.
        Care = "care",
        /// The same with a practitioner the actor works for.
        StaffOfCare = "staff-of-care",
        /// It belongs to the establishment of the session.
        Establishment = "establishment",
        /// The actor declared an emergency for this patient, which has not ended.
        Emergency = "emergency",
        /// There is such a patient, who has not shut the actor out.
        Unblocked = "unblocked",
    }
}

impl Relation {
    /// Whether a patient's block of the professional ends it.
    pub const fn ends_with_a_block(self) -> bool {
        matches!(
            self,
            Self::OwnAgenda | Self::Attached | Self::Care | Self::StaffOfCare | Self::Emergency | Self::Unblocked
        )
    }
}

/// A role may do something to a thing when one of the relations holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    /// Who.
    pub role: Role,
    /// To what.
    pub resource: Resource,
    /// What.
    pub actions: &'static [Action],
    /// When one of these holds.
    pub relations: &'static [Relation],
}

/// What a route or a statement asks for: `appointment.read`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Access {
    /// To what.
    pub resource: Resource,
    /// What.
    pub action: Action,
}

impl std::fmt::Display for Access {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.resource, self.action)
    }
}

impl TryFrom<String> for Access {
    type Error = Unknown;
    fn try_from(text: String) -> Result<Self, Unknown> {
        let (resource, action) = text.split_once('.').ok_or(Unknown)?;
        Ok(Self { resource: resource.parse()?, action: action.parse()? })
    }
}

impl From<Access> for String {
    fn from(access: Access) -> Self {
        access.to_string()
    }
}

/// How surely we know who it is (eIDAS: low, substantial).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub enum Level {
    /// One factor.
    One,
    /// Two factors, or a passkey that asked for a finger, a face or a code.
    Two,
}

impl TryFrom<u8> for Level {
    type Error = Unknown;
    fn try_from(level: u8) -> Result<Self, Unknown> {
        match level {
            1 => Ok(Self::One),
            2 => Ok(Self::Two),
            _ => Err(Unknown),
        }
    }
}

impl From<Level> for u8 {
    fn from(level: Level) -> Self {
        match level {
            Level::One => 1,
            Level::Two => 2,
        }
    }
}

/// A session as a patient that nobody used for so long has ended.
pub const IDLE_AT_HOME: SignedDuration = SignedDuration::from_hours(14 * 24);
/// The same in every other capacity: whoever works with other people's records signs in each day.
pub const IDLE_AT_WORK: SignedDuration = SignedDuration::from_hours(12);

/// How long a session is fresh enough to change what later sign-ins take (OWASP ASVS 5.0 §7.5.1).
pub const FRESH: SignedDuration = SignedDuration::from_mins(15);

impl Role {
    /// The level a role needs for everything but the setting up of its own account: two factors for all who work here
    /// (PGSSI-S, référentiel d'identification électronique, arrêté of 28 March 2022).
    pub const fn level(self) -> Level {
        match self {
            Self::Patient => Level::One,
            _ => Level::Two,
        }
    }
}

/// What a session is worth at a request.
#[derive(Debug, Clone, Deserialize)]
pub struct Standing {
    /// In what capacity.
    pub role: Role,
    /// How surely known.
    pub level: Level,
    /// Whether the account has a second factor: then no session is worth anything without one.
    pub two_factors: bool,
    /// When the session was opened.
    pub opened_at: Timestamp,
    /// Where, for those who work in one.
    pub establishment: Option<EstablishmentId>,
    /// Who the actor is in the directory.
    pub practitioner: Option<PractitionerId>,
    /// For whom the actor works.
    pub attached: Vec<PractitionerId>,
}

/// Why a session may not change what later sign-ins take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unproven {
    /// The account has a second factor, and the session was opened without.
    SecondFactor,
    /// It was opened more than [`FRESH`] ago.
    Stale,
}

impl Standing {
    /// What a role may do at all, in a session like this.
    ///
    /// # Errors
    /// As [`admit`]; of an account with a second factor every session needs it, for all but the account itself.
    pub fn admit(&self, access: Access) -> Result<(), Decision> {
        admit(self.role, self.level, access)?;
        if self.two_factors && self.level < Level::Two && access.resource != Resource::Account {
            return Err(Decision::NeedsSecondFactor);
        }
        Ok(())
    }

    /// Whether the session was opened in the last [`FRESH`].
    pub fn is_fresh(&self, now: Timestamp) -> bool {
        now.duration_since(self.opened_at) <= FRESH
    }

    /// Whether the session may change what later sign-ins take: whoever has a factor changes nothing without it, and nobody
    /// anything in a session that lay about.
    ///
    /// # Errors
    /// What is missing.
    pub fn may_change_sign_in(&self, now: Timestamp) -> Result<(), Unproven> {
        if self.two_factors && self.level < Level::Two {
            return Err(Unproven::SecondFactor);
        }
        if self.is_fresh(now) { Ok(()) } else { Err(Unproven::Stale) }
    }
}

/// What is known of an actor and a thing when it is decided.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// In what capacity.
    pub role: Role,
    /// How surely known.
    pub level: Level,
    /// Which relations hold.
    pub relations: &'a [Relation],
    /// Whether the patient has shut out the professional who asks, or for whom the actor asks.
    pub blocked: bool,
}

/// Yes or no, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// This relation allows it.
    Allowed(Relation),
    /// Not with one factor.
    NeedsSecondFactor,
    /// No rule lets this role do that to anything.
    NotThisRole,
    /// A rule would, if one of these relations held.
    NotRelated(&'static [Relation]),
    /// The patient has shut out the professional.
    Blocked,
}

impl Decision {
    /// Whether it is a yes.
    pub const fn is_allowed(self) -> bool {
        matches!(self, Self::Allowed(_))
    }
}

/// The rule for a role and an access.
pub fn rule_for(role: Role, access: Access) -> Option<&'static Rule> {
    POLICY
        .iter()
        .find(|rule| rule.role == role && rule.resource == access.resource && rule.actions.contains(&access.action))
}

/// Decides before anything is read: whether the role could do this to anything at all, known as surely as it is.
///
/// # Errors
/// [`Decision::NotThisRole`], [`Decision::NeedsSecondFactor`].
pub fn admit(role: Role, level: Level, access: Access) -> Result<&'static Rule, Decision> {
    let found = rule_for(role, access).ok_or(Decision::NotThisRole)?;
    // Whoever lacks a second factor must be able to set one up.
    if level < role.level() && access.resource != Resource::Account {
        return Err(Decision::NeedsSecondFactor);
    }
    Ok(found)
}

/// Decides.
pub fn decide(facts: Facts<'_>, access: Access) -> Decision {
    let rule = match admit(facts.role, facts.level, access) {
        Ok(rule) => rule,
        Err(refused) => return refused,
    };
    let holds = |relation: &&Relation| **relation == Relation::Anyone || facts.relations.contains(relation);
    let counts = |relation: &&Relation| holds(relation) && !(facts.blocked && relation.ends_with_a_block());
    match rule.relations.iter().find(counts) {
        Some(relation) => Decision::Allowed(*relation),
        None if rule.relations.iter().any(|relation| holds(&relation)) => Decision::Blocked,
        None => Decision::NotRelated(rule.relations),
    }
}

#[cfg(test)]
mod tests;
