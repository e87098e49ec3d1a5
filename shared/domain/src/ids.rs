//! Typed identifiers. They know nothing of the database nor of HTTP.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
        #[cfg_attr(feature = "openapi", schema(value_type = uuid::Uuid))]
        pub struct $name(Uuid);

        impl $name {
            /// Wraps an identifier that is already known to be of this kind.
            pub const fn from_uuid(id: Uuid) -> Self { Self(id) }
            /// The bare identifier, for the edges.
            pub const fn as_uuid(self) -> Uuid { self.0 }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { self.0.fmt(f) }
        }

        impl std::str::FromStr for $name {
            type Err = uuid::Error;
            fn from_str(text: &str) -> Result<Self, Self::Err> { text.parse().map(Self) }
        }

        impl From<$name> for Uuid {
            fn from(id: $name) -> Self { id.0 }
        }
    )*};
}

ids! {
    /// A person who signs in.
    AccountId,
    /// A sign-in, with its family of refresh tokens.
    SessionId,
    /// A person who is cared for.
    PatientId,
    /// A person who cares.
    PractitionerId,
    /// A place where care is given (FHIR `Location`).
    SiteId,
    /// Why one comes, at one practitioner's (FHIR `HealthcareService`).
    ReasonId,
    /// An appointment or a hold on one.
    AppointmentId,
    /// A document of a patient (FHIR `DocumentReference`).
    DocumentId,
    /// A past fact in the outbox.
    EventId,
    /// A message to one person.
    NoticeId,
    /// A hospital, a health centre, a practice (FHIR `Organization`).
    EstablishmentId,
    /// One person in one establishment in one role (FHIR `PractitionerRole`).
    MembershipId,
    /// One person acting for one patient (FHIR `RelatedPerson`).
    GuardianshipId,
    /// A place offered to somebody who has its code.
    InvitationId,
    /// A claim to be somebody of the directory.
    ProfessionalId,
    /// One look without a care relation.
    EmergencyAccessId,
    /// A browser that is told of what concerns an account.
    PushSubscriptionId,
    /// An address of a partner that events are sent to.
    WebhookId,
    /// One event for one webhook.
    WebhookDeliveryId,
    /// An address at which a calendar program reads visits.
    CalendarFeedId,
    /// How an establishment's mailboxes are reached.
    ExchangeServerId,
    /// A calendar of a practitioner, kept elsewhere.
    MailboxId,
}
