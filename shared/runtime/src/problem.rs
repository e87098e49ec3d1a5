//! The only place that turns errors into HTTP: RFC 9457 `application/problem+json`.
//!
//! `type` is stable and can be dereferenced on the gateway; `title` is in the caller's language; `field` names what was
//! wrong. A failure of ours is logged once, at the edge, with its chain; its body says nothing of it.

use std::error::Error;
use std::sync::Arc;

use axum::response::{IntoResponse, Response};
use domain::access::Role;
use domain::appointment::{BookingError, Busy, ChangeError, MAX_HOLDS};
use domain::availability::SearchError;
use domain::guardianship::Refusal;
use domain::ids::PatientId;
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;
use serde_json::{Map, Value};
use store::DbError;
use uuid::Uuid;

use crate::keys::KeyError;
use crate::lang::Lang;
use crate::texts;

macro_rules! kinds {
    ($($name:ident = $status:ident $slug:literal $doc:literal),* $(,)?) => {
        /// What can go wrong, as a client sees it. The slug is the end of the problem's `type`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Kind { $(#[doc = $doc] $name),* }

        impl Kind {
            /// Every kind, for the documentation and the tests.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];
            /// The stable name.
            pub const fn slug(self) -> &'static str { match self { $(Self::$name => $slug),* } }
            /// The HTTP status.
            pub const fn status(self) -> StatusCode { match self { $(Self::$name => StatusCode::$status),* } }
            /// What it means, in English, for the documentation.
            pub const fn meaning(self) -> &'static str { match self { $(Self::$name => $doc),* } }
        }
    };
}

kinds! {
    JsonMalformed = BAD_REQUEST "json-malformed" "The body is not JSON.",
    JsonTooDeep = BAD_REQUEST "json-too-deep" "The body nests deeper than 16 levels.",
    BodyUnreadable = BAD_REQUEST "body-unreadable" "The body could not be read to its end.",
    IdempotencyKeyMissing = BAD_REQUEST "idempotency-key-missing" "The Idempotency-Key header is missing.",
    IdempotencyKeyInvalid = BAD_REQUEST "idempotency-key-invalid" "The Idempotency-Key is not 1 to 128 visible ASCII characters.",
    Unauthenticated = UNAUTHORIZED "unauthenticated" "No valid access token came with the request.",
    SignInFailed = UNAUTHORIZED "sign-in-failed" "The e-mail and password do not match an account.",
    SecondFactorAsked = UNAUTHORIZED "second-factor-needed-at-sign-in" "The password is right; this account signs in with two factors: send `otp` too, or use a passkey.",
    SessionEnded = UNAUTHORIZED "session-ended" "The refresh token is unknown, used, expired or revoked.",
    SignInRefused = UNAUTHORIZED "sign-in-refused" "The identity provider's answer is not accepted, or the attempt is over: begin again.",
    SecondFactorNeeded = FORBIDDEN "second-factor-needed" "This takes a session that was opened with two factors: set one up, then sign in again.",
    Forbidden = FORBIDDEN "forbidden" "The capacity you act in does not allow this.",
    CrossSite = FORBIDDEN "cross-site" "A page of another site asked for this change, and that site is not one of ours.",
    SignInTooOld = FORBIDDEN "sign-in-too-old" "This takes a session that was opened a moment ago: sign in again.",
    NotFound = NOT_FOUND "not-found" "There is nothing here that you may see.",
    SlotUnknown = NOT_FOUND "slot-unknown" "This is not a slot of ours.",
    MethodNotAllowed = METHOD_NOT_ALLOWED "method-not-allowed" "This resource does not know that method.",
    SlotTaken = CONFLICT "slot-taken" "Somebody else has that time: the practitioner or the patient is busy.",
    SlotPast = CONFLICT "slot-past" "That time has passed.",
    SlotNotOffered = CONFLICT "slot-not-offered" "That time is not, or no longer, among those offered for this reason.",
    SlotTooSoon = CONFLICT "slot-too-soon" "That time is nearer than the notice the practitioner asks for.",
    SlotBeyondHorizon = CONFLICT "slot-beyond-horizon" "That time is further away than may be booked.",
    OfferChanged = CONFLICT "offer-changed" "The practitioner's rules changed while you were booking: look again.",
    AppointmentChanged = CONFLICT "appointment-changed" "The appointment was changed meanwhile: read it again.",
    AppointmentBegun = CONFLICT "appointment-begun" "The appointment has begun: it can no longer be changed here.",
    AppointmentNotBooked = CONFLICT "appointment-not-booked" "The appointment is cancelled or was never booked.",
    TooManyHolds = CONFLICT "too-many-holds" "The account holds as many slots as it may: book or release one of them.",
    TooManyBrowsers = CONFLICT "too-many-browsers" "Ten browsers are told of what concerns this account already: remove one of them.",
    TooManyFeeds = CONFLICT "too-many-feeds" "There are as many addresses of calendars as there may be: revoke one of them.",
    GuardianNotYours = CONFLICT "guardian-not-yours" "They hold authority as you do, or were not brought in by you: an operator decides, on a judgment.",
    GuardianLast = CONFLICT "guardian-last" "Nobody else may see this minor's documents: bring somebody in first.",
    GuardianExists = CONFLICT "guardian-exists" "You act for this patient already, or were refused it.",
    GuardiansChanged = CONFLICT "guardians-changed" "Who acts for this patient was changed meanwhile: read it again.",
    PatientOfAge = CONFLICT "patient-of-age" "The patient is of age: nobody else acts for them.",
    AdultNeeded = CONFLICT "adult-needed" "Only a person of age acts for a child, and the caller's own file does not say that they are.",
    PatientHasAccount = CONFLICT "patient-has-account" "The patient has an account of their own already.",
    InvitationNotYours = CONFLICT "invitation-not-yours" "This invitation is for another person: an adult, or the patient themself under the same name and birth date.",
    FileInUse = CONFLICT "file-in-use" "Your own file has a visit, a guardian or a block of its own by now: it cannot give way to the one you are invited to.",
    AlreadyDecided = CONFLICT "already-decided" "This was decided already, or there is nothing to decide yet.",
    VisitAhead = CONFLICT "visit-ahead" "A visit with this professional lies ahead: cancel it first.",
    PractitionerShutOut = CONFLICT "practitioner-shut-out" "This professional was shut out for the patient: lift that first.",
    MemberExists = CONFLICT "member-exists" "This person has that role here already.",
    AdministratorExists = CONFLICT "administrator-exists" "This establishment has an administrator, who brings in others.",
    AdministratorLast = CONFLICT "administrator-last" "Nobody else administers this establishment: bring somebody in first.",
    NotAProfessional = CONFLICT "not-a-professional" "No operator has validated that this account is this professional.",
    ProfessionalExists = CONFLICT "professional-exists" "This claim was made already, or somebody else is this professional.",
    IdentityLinked = CONFLICT "identity-linked" "That identity belongs to another account, or the account has another one of this provider.",
    IdentityIncomplete = UNPROCESSABLE_ENTITY "identity-incomplete" "The identity provider does not say all that a new account needs: names and birth date.",
    EmailUnproven = CONFLICT "email-unproven" "Show first that your address is yours, by the link that was mailed to it.",
    AddressTaken = CONFLICT "address-taken" "Another account has shown this address to be its own: sign in to that one, or reset its password.",
    VisitsAhead = CONFLICT "visits-ahead" "Somebody for whom you alone act has a visit ahead: cancel it first, or let another adult act for them.",
    MemberStill = CONFLICT "member-still" "You still work in an establishment or for the platform: have that ended first.",
    UploadIncomplete = CONFLICT "upload-incomplete" "Bytes of this upload are missing, or are not as many as were announced: send them, then complete it.",
    DocumentNotYours = CONFLICT "document-not-yours" "Somebody else deposited this document: only they change it or take it back.",
    DocumentNotAvailable = CONFLICT "document-not-available" "The document has no bytes that can be read: they are not judged yet, were refused, or were taken back.",
    DocumentChanged = CONFLICT "document-changed" "The document was changed meanwhile: read it again.",
    WebhookUnverified = CONFLICT "webhook-unverified" "The address did not answer the challenge: `reason` says how it failed.",
    WebhookState = CONFLICT "webhook-state" "The webhook is not in a state for that: read it.",
    WebhookSecretsTooMany = CONFLICT "webhook-secrets-too-many" "As many former secrets sign as may be: ask for another one after `until`.",
    ExchangeServersTooMany = CONFLICT "exchange-servers-too-many" "The establishment has as many servers of calendars as it may: remove one first.",
    ExchangeServerInUse = CONFLICT "exchange-server-in-use" "Mailboxes are reached by this server: disconnect them first.",
    CalendarSilent = SERVICE_UNAVAILABLE "calendar-silent" "The practitioner's own calendar does not answer, without which nothing is booked there: try again.",
    MailboxTaken = CONFLICT "mailbox-taken" "The agenda has a calendar beside it already, which is perhaps still being left.",
    WebhooksTooMany = CONFLICT "webhooks-too-many" "The establishment has as many webhooks as it may: remove one first.",
    SecondFactorExists = CONFLICT "second-factor-exists" "There is such a second factor already: remove it first.",
    BodyTooLarge = PAYLOAD_TOO_LARGE "body-too-large" "The body is larger than 64 KiB.",
    RangeNotSatisfiable = RANGE_NOT_SATISFIABLE "range-not-satisfiable" "Nothing of that range is there.",
    UnsupportedMediaType = UNSUPPORTED_MEDIA_TYPE "unsupported-media-type" "The body must be application/json.",
    JsonNotObject = UNPROCESSABLE_ENTITY "json-not-object" "The body is JSON, but not an object.",
    LinkInvalid = UNPROCESSABLE_ENTITY "link-invalid" "The link is not one of ours, is another account's, was used, or has expired: ask for a new one.",
    CodeWrong = UNPROCESSABLE_ENTITY "code-wrong" "The code is not, or no longer, good: after five wrong ones or ten minutes, ask for another.",
    PasswordWrong = UNPROCESSABLE_ENTITY "password-wrong" "This is not your present password.",
    FieldInvalid = UNPROCESSABLE_ENTITY "field-invalid" "A field has a wrong type or value.",
    FieldMissing = UNPROCESSABLE_ENTITY "field-missing" "A required field is missing.",
    FieldUnknown = UNPROCESSABLE_ENTITY "field-unknown" "A field is not known here.",
    RangeReversed = UNPROCESSABLE_ENTITY "range-reversed" "`from` is after `to`.",
    RangeTooLong = UNPROCESSABLE_ENTITY "range-too-long" "The dates are too far apart.",
    BeyondHorizon = UNPROCESSABLE_ENTITY "beyond-horizon" "The date is further away than anything can be booked.",
    IdempotencyKeyReused = UNPROCESSABLE_ENTITY "idempotency-key-reused" "This Idempotency-Key was used for another request.",
    InvitationInvalid = UNPROCESSABLE_ENTITY "invitation-invalid" "The code is not, or no longer, good.",
    CallNotUnderstood = UNPROCESSABLE_ENTITY "call-not-understood" "The call of a provider is not what its documentation says.",
    EventRejected = UNPROCESSABLE_ENTITY "event-rejected" "The event will never be understood: do not send it again.",
    InvitationAttempts = TOO_MANY_REQUESTS "invitation-attempts" "Too many wrong codes: try again tomorrow.",
    TooManyRequests = TOO_MANY_REQUESTS "too-many-requests" "That was asked too often: try again after Retry-After.",
    HeadTooLarge = REQUEST_HEADER_FIELDS_TOO_LARGE "head-too-large" "There are more than 100 headers, or more than 16 KiB of them and of the address.",
    TooManyAttempts = TOO_MANY_REQUESTS "too-many-attempts" "Too many attempts failed: try again after Retry-After.",
    Internal = INTERNAL_SERVER_ERROR "internal" "Something failed on our side.",
    Unavailable = SERVICE_UNAVAILABLE "unavailable" "A part we depend on does not answer: try again after Retry-After.",
}

impl Kind {
    /// Whether it refuses somebody what is perhaps there, or anything more for now: these leave a trace.
    pub const fn is_refusal(self) -> bool {
        matches!(
            self,
            Self::Unauthenticated
                | Self::SecondFactorNeeded
                | Self::SignInTooOld
                | Self::Forbidden
                | Self::NotFound
                | Self::SlotUnknown
        ) || self.is_about_the_request()
    }

    /// Whether it is refused for how it came and not for what it asks: also where anybody may ask.
    pub const fn is_about_the_request(self) -> bool {
        matches!(
            self,
            Self::CrossSite
                | Self::HeadTooLarge
                | Self::TooManyRequests
                | Self::TooManyAttempts
                | Self::InvitationAttempts
        )
    }
}

/// The name of a text and its variables.
pub type Why = (&'static str, Vec<(&'static str, String)>);

/// An answer that is not a success.
#[derive(Debug, Clone)]
pub struct Problem {
    /// What went wrong.
    pub kind: Kind,
    field: Option<String>,
    /// Name of a text that tells more of the field, `invalid-…`.
    hint: Option<String>,
    /// Name of a text that says why, and what stands in it.
    why: Option<Box<Why>>,
    extra: Box<Map<String, Value>>,
    cause: Option<Arc<dyn Error + Send + Sync>>,
    /// When it may be tried again, in seconds, where that is known.
    retry_after: Option<i64>,
    /// What was named in the body, for the trace of a refusal.
    about: Option<Uuid>,
    /// Whether an earlier one left the trace of it.
    traced: bool,
    /// Whether nothing is wrong: it is only too early.
    pub(crate) expected: bool,
}

impl Problem {
    /// A problem that needs no more words.
    pub fn new(kind: Kind) -> Self {
        Self {
            kind,
            field: None,
            hint: None,
            why: None,
            extra: Box::default(),
            cause: None,
            retry_after: None,
            about: None,
            traced: false,
            expected: false,
        }
    }

    /// Names the field at fault, as the caller wrote it.
    #[must_use]
    pub fn field(mut self, field: impl Into<String>) -> Self {
        self.field = Some(field.into());
        self
    }

    /// Names the text that tells more.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Says why, in a text with variables. Nothing that its reader may not know.
    #[must_use]
    pub fn why(mut self, why: Why) -> Self {
        self.why = Some(Box::new(why));
        self
    }

    /// Adds a member. Never personal data.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.extra.insert(name.to_owned(), value.into());
        self
    }

    /// Says in how many seconds to try again.
    #[must_use]
    pub fn retry_after(mut self, seconds: i64) -> Self {
        self.retry_after = Some(seconds.max(1));
        self
    }

    /// Says what was named, where the path does not: the trace of a refusal says it too.
    #[must_use]
    pub fn about(mut self, named: impl Into<Uuid>) -> Self {
        self.about = Some(named.into());
        self
    }

    /// Leaves no trace: one like it did just before.
    #[must_use]
    pub(crate) fn untraced(mut self) -> Self {
        self.traced = true;
        self
    }

    /// What was named beside the path.
    pub(crate) fn named(&self) -> Option<Uuid> {
        self.about
    }

    /// Whether the edge leaves a trace of it, on a route that needs a capacity or on any.
    pub(crate) fn leaves_trace(&self, guarded: bool) -> bool {
        // A link or a code that does not do is a guess, or somebody's mistake that they will ask about.
        let guess = matches!(self.kind, Kind::LinkInvalid | Kind::CodeWrong);
        !self.traced && (guess || if guarded { self.kind.is_refusal() } else { self.kind.is_about_the_request() })
    }

    /// Nothing is wrong with it, whatever its status says: nobody is to be woken.
    #[must_use]
    pub fn expected(mut self) -> Self {
        self.expected = true;
        self
    }

    /// Keeps why, for the log only.
    #[must_use]
    pub fn because(mut self, cause: impl Error + Send + Sync + 'static) -> Self {
        self.cause = Some(Arc::new(cause));
        self
    }

    /// The same told as another kind.
    #[must_use]
    pub fn as_kind(mut self, kind: Kind) -> Self {
        self.kind = kind;
        self
    }

    /// A failure of ours.
    pub fn internal(cause: impl Error + Send + Sync + 'static) -> Self {
        Self::new(Kind::Internal).because(cause)
    }

    /// The chain of causes, for the one log line.
    pub fn chain(&self) -> String {
        let mut chain = Vec::new();
        let mut next: Option<&dyn Error> = self.cause.as_deref().map(|cause| cause as &dyn Error);
        while let Some(error) = next {
            chain.push(error.to_string());
            next = error.source();
        }
        chain.join(": ")
    }

    fn detail(&self, lang: Lang) -> Option<String> {
        if let Some((text, variables)) = self.why.as_deref() {
            let variables: Vec<_> = variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
            return texts::find(lang, text, &variables);
        }
        self.hint.as_deref().and_then(|hint| texts::find(lang, &format!("invalid-{hint}"), &[]))
    }

    /// The answer in a language.
    pub fn render(&self, lang: Lang) -> Response {
        let status = self.kind.status();
        let field = self.field.as_deref().unwrap_or_default();
        let body = Body {
            r#type: format!("/problems/{}", self.kind.slug()),
            title: texts::text(lang, &format!("problem-{}", self.kind.slug()), &[("field", field)]),
            status: status.as_u16(),
            detail: self.detail(lang),
            field: self.field.clone(),
            extra: (*self.extra).clone(),
        };
        let mut response = (status, serde_json::to_vec(&body).unwrap_or_default()).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(header::CONTENT_LANGUAGE, HeaderValue::from_static(lang.tag()));
        let pause = self.retry_after.or((status == StatusCode::SERVICE_UNAVAILABLE).then_some(2));
        if let Some(seconds) = pause {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

#[derive(Serialize)]
struct Body {
    r#type: String,
    title: String,
    status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<String>,
    #[serde(flatten)]
    extra: Map<String, Value>,
}

/// The edge renders it, once it knows the caller's language.
impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.kind.status().into_response();
        response.extensions_mut().insert(self);
        response
    }
}

impl From<DbError> for Problem {
    fn from(error: DbError) -> Self {
        match error {
            DbError::Unavailable(_) => Self::new(Kind::Unavailable).because(error),
            other => Self::internal(other),
        }
    }
}

impl From<KeyError> for Problem {
    fn from(error: KeyError) -> Self {
        match error {
            KeyError::Busy | KeyError::Away => Self::new(Kind::Unavailable).because(error),
            other => Self::internal(other),
        }
    }
}

/// A booking or a move that the database refused to somebody in that capacity: its named constraints are booking errors.
pub fn booking_refused(error: DbError, patient: PatientId, role: Role) -> Problem {
    match error {
        DbError::Constraint { name, loser, .. } if name == "reservation_no_overlap" => {
            BookingError::SlotTaken { busy: Busy::of(loser, patient).told(role) }.into()
        }
        error if error.is_constraint("right_needed") => BookingError::NoSuchPatient.into(),
        error if error.is_constraint("welcome_needed") => Problem::new(Kind::PractitionerShutOut).field("slot"),
        error if error.is_constraint("holds_of_account") => BookingError::TooManyHolds.into(),
        error if error.is_constraint("offer_unchanged") => BookingError::OfferChanged.into(),
        error => error.into(),
    }
}

impl From<BookingError> for Problem {
    fn from(error: BookingError) -> Self {
        let problem = |kind| Self::new(kind).field("slot");
        match error {
            BookingError::SlotUnknown => problem(Kind::SlotUnknown),
            BookingError::SlotPast => problem(Kind::SlotPast),
            BookingError::SlotNotOffered => problem(Kind::SlotNotOffered),
            BookingError::SlotTooSoon { notice_minutes } => {
                problem(Kind::SlotTooSoon).with("notice_minutes", notice_minutes)
            }
            BookingError::SlotBeyondHorizon { horizon_days } => {
                problem(Kind::SlotBeyondHorizon).with("horizon_days", horizon_days)
            }
            BookingError::SlotTaken { busy: Some(busy) } => problem(Kind::SlotTaken).with("busy", busy.to_string()),
            BookingError::SlotTaken { busy: None } => problem(Kind::SlotTaken),
            BookingError::OfferChanged => problem(Kind::OfferChanged),
            BookingError::NoSuchPatient => Self::new(Kind::NotFound).field("patient"),
            BookingError::OfAge => Self::new(Kind::PatientOfAge).field("secret"),
            BookingError::TooManyHolds => Self::new(Kind::TooManyHolds).with("most", MAX_HOLDS),
        }
    }
}

impl From<ChangeError> for Problem {
    fn from(error: ChangeError) -> Self {
        Self::new(match error {
            ChangeError::Begun => Kind::AppointmentBegun,
            ChangeError::NotBooked => Kind::AppointmentNotBooked,
            ChangeError::Changed => Kind::AppointmentChanged,
        })
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Unknown => Self::new(Kind::NotFound),
            Refusal::MoreThanYours => Self::new(Kind::FieldInvalid).field("rights").hint("rights"),
            Refusal::Equal => Self::new(Kind::GuardianNotYours),
            Refusal::Last => Self::new(Kind::GuardianLast),
            Refusal::TooYoung => Self::new(Kind::FieldInvalid).field("relation").hint("too-young"),
            Refusal::OfAge => Self::new(Kind::PatientOfAge),
            Refusal::HasAccount => Self::new(Kind::PatientHasAccount),
        }
    }
}

impl From<SearchError> for Problem {
    fn from(error: SearchError) -> Self {
        match error {
            SearchError::Reversed => Self::new(Kind::RangeReversed).field("from"),
            SearchError::TooLong { days } => Self::new(Kind::RangeTooLong).field("to").with("max_days", days),
            SearchError::BeyondHorizon { field } => Self::new(Kind::BeyondHorizon).field(field),
        }
    }
}
