//! A notice that is to be sent, with all that is needed to decide on it and to write it.

use domain::ids::{AccountId, AppointmentId, DocumentId, NoticeId};
use domain::notice::{self, Case, Decision, NoticeChannel, NoticeKind, NoticeState, Preferences, Standing, Step, Told};
use domain::zone::Zone;
use domain::{Date, Timestamp};
use runtime::keys::KeyError;
use runtime::people::{Contact, Telephone};
use runtime::view::AppointmentRow;
use runtime::{Ctx, Lang};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Where nothing says otherwise.
const PARIS: &str = "Europe/Paris";

/// A planned notice under a lease of ours.
#[derive(Debug, Deserialize)]
pub(crate) struct Notice {
    pub(crate) id: NoticeId,
    pub(crate) kind: NoticeKind,
    pub(crate) channel: NoticeChannel,
    pub(crate) recipient_kind: Recipient,
    pub(crate) recipient: Uuid,
    /// How often it was begun, this time included.
    pub(crate) attempts: u32,
    /// Whether it counts among what its recipient is sent today.
    pub(crate) counted: bool,
    /// When it was first tried in vain.
    trying_since: Option<Timestamp>,
    planned_at: Timestamp,
    pub(crate) step: Option<Step>,
    /// Of the visit, where it takes place.
    pub(crate) day: Option<Date>,
    pub(crate) document: Option<DocumentId>,
    /// Of a document: the zone of the place that it comes from.
    zone: Option<Zone>,
    /// Which time of the visit it tells of.
    pub(crate) told: Option<Told>,
    told_at: Option<Timestamp>,
    /// Whether the recipient may still hear of it.
    still_theirs: bool,
    /// Whether the channel still leads to them.
    reachable: bool,
    /// A practitioner's, of the directory.
    address: Option<String>,
    contact: Option<String>,
    telephone: Option<String>,
    wrapped_key: Option<String>,
    pub(crate) language: Lang,
    preferences: Preferences,
    pub(crate) appointment: Option<AppointmentRow>,
    /// The establishment's own, as they stand in the database: checked when they were written, and again here.
    pub(crate) words: Option<OwnWords>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct OwnWords {
    pub(crate) subject: Option<String>,
    pub(crate) body: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Recipient {
    Account,
    Practitioner,
}

/// How it ended, this time.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Settled {
    pub(crate) id: NoticeId,
    pub(crate) state: NoticeState,
    pub(crate) why: Option<String>,
    /// Of one that comes again: when.
    pub(crate) send_at: Option<Timestamp>,
    /// Nothing was tried.
    pub(crate) deferred: bool,
    /// Counted among what its recipient is sent that day.
    pub(crate) counted: bool,
    /// Of one that comes again: it has waited so long that another channel takes it, if there is one.
    pub(crate) elsewhere: bool,
    /// The notice in whose message it was told.
    pub(crate) told_in: Option<NoticeId>,
    pub(crate) provider: Option<&'static str>,
    pub(crate) reference: Option<String>,
    pub(crate) segments: Option<u32>,
    pub(crate) cost_microeur: Option<i64>,
    /// Keyed hash of a number.
    pub(crate) to_lookup: Option<String>,
}

impl Notice {
    /// The appointment as the recipient knows it: whom it left is told of the time that was theirs.
    pub(crate) fn with_told_time(mut self) -> Self {
        if let (Some(told), Some(appointment)) = (&self.told, &mut self.appointment)
            && let Some(ends_at) = told.ends_at
        {
            (appointment.starts_at, appointment.ends_at) = (told.starts_at, ends_at);
        }
        self
    }

    pub(crate) fn decide(&self, now: Timestamp) -> Decision {
        let (Some(told), Some(appointment)) = (self.told, &self.appointment) else {
            return self.decide_on_document(now);
        };
        let standing =
            Standing { status: appointment.status, version: appointment.version, still_theirs: self.still_theirs };
        let takes_part = self.still_theirs || told.is_farewell() || self.recipient_kind == Recipient::Practitioner;
        if !takes_part {
            return Decision::Skip("not theirs to hear");
        }
        let case = Case {
            kind: self.kind,
            channel: self.channel,
            told,
            step: self.step,
            standing,
            preferences: &self.preferences,
            place: &appointment.time_zone,
            told_at: self.told_at,
        };
        notice::decide(&case, now)
    }

    fn decide_on_document(&self, now: Timestamp) -> Decision {
        match self.place() {
            _ if !self.still_theirs => Decision::Skip("not theirs to see"),
            Some(place) => notice::hushed(self.kind, self.channel, &self.preferences, &place, None, now),
            None => Decision::Send,
        }
    }

    /// The zone of the place that it is about.
    fn place(&self) -> Option<Zone> {
        let place = self.appointment.as_ref().map(|it| &it.time_zone).or(self.zone.as_ref());
        place.cloned().or_else(|| PARIS.parse().ok())
    }

    /// Whether no more is tried: by the channel any longer, or at all.
    pub(crate) fn hopeless(&self, now: Timestamp) -> Option<&'static str> {
        match () {
            () if !self.reachable => Some("it leads to them no longer"),
            () if now.duration_since(self.planned_at) > notice::NOTICE_GIVE_UP_AFTER => Some("given up"),
            () => None,
        }
    }

    /// Whether it was tried in vain for so long that another channel had better take it.
    pub(crate) fn has_waited(&self, now: Timestamp) -> bool {
        self.trying_since.is_some_and(|since| {
            let half = self.useful_until().map_or(notice::AWAY, |until| until.duration_since(since) / 2);
            now.duration_since(since) >= half.min(notice::AWAY)
        })
    }

    /// The day that it is for the recipient.
    pub(crate) fn today(&self, now: Timestamp) -> Option<Date> {
        let zone = self.preferences.time_zone.clone().or_else(|| self.place())?;
        Some(zone.local(now).date())
    }

    /// The address, opened.
    pub(crate) async fn email(&self, ctx: &Ctx) -> Result<Option<String>, KeyError> {
        match (&self.contact, &self.wrapped_key) {
            (Some(contact), Some(key)) => {
                let account = AccountId::from_uuid(self.recipient);
                Ok(Some(Contact::open(&ctx.keys, account, key, contact).await?.email))
            }
            _ => Ok(self.address.clone()),
        }
    }

    /// The number, opened.
    pub(crate) async fn phone(&self, ctx: &Ctx) -> Result<Option<String>, KeyError> {
        let (key, telephone) = (self.wrapped_key.as_deref(), self.telephone.as_deref());
        let account = AccountId::from_uuid(self.recipient);
        Ok(Telephone::open(&ctx.keys, account, key, telephone, self.contact.as_deref()).await?.phone)
    }

    /// The visit that it tells of.
    pub(crate) fn visit(&self) -> Option<AppointmentId> {
        self.appointment.as_ref().map(|appointment| appointment.id)
    }

    /// Before which instant it is of use.
    pub(crate) fn useful_until(&self) -> Option<Timestamp> {
        self.told.map(|told| told.starts_at)
    }

    pub(crate) fn settled(&self, state: NoticeState, why: Option<String>) -> Settled {
        Settled {
            id: self.id,
            state,
            why,
            send_at: None,
            deferred: false,
            counted: self.counted,
            elsewhere: false,
            told_in: None,
            provider: None,
            reference: None,
            segments: None,
            cost_microeur: None,
            to_lookup: None,
        }
    }
}
