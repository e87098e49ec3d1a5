//! Booking, moving and cancelling: what may be done, decided on what was read, at a given instant.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::access::Role;
use crate::agenda::{Agenda, Channel, Slot, SlotRefusal};
use crate::ids::{AppointmentId, PatientId, PractitionerId, ReasonId, SiteId};
use crate::interval::Interval;
use crate::slot_token::SlotToken;
use crate::sync::Beside;

/// Life of a hold, in minutes: long enough to choose a child and read the policy, short enough not to block others.
pub const HOLD_MINUTES: i64 = 5;
/// Slots that one account may hold at once: enough for a family, too few to empty an agenda.
pub const MAX_HOLDS: i64 = 5;

/// Who was busy when a time could not be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Busy {
    /// The practitioner, or the room or device needed.
    Practitioner,
    /// The patient has something else at that time.
    Patient,
}

impl Busy {
    /// Who the losing resource is; the database may not say.
    pub fn of(loser: Option<uuid::Uuid>, patient: PatientId) -> Self {
        if loser == Some(patient.as_uuid()) { Self::Patient } else { Self::Practitioner }
    }

    /// What somebody in that capacity is told of it: nothing, who works here, since that a patient is elsewhere at that time
    /// is the patient's affair.
    pub fn told(self, role: Role) -> Option<Self> {
        (role == Role::Patient).then_some(self)
    }
}

impl std::fmt::Display for Busy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Practitioner => "practitioner",
            Self::Patient => "patient",
        })
    }
}

/// Why a slot cannot be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BookingError {
    /// The text is no slot, or one of a practitioner, site or reason that is gone.
    #[error("no such slot")]
    SlotUnknown,
    /// Its time has passed.
    #[error("slot in the past")]
    SlotPast,
    /// It lies outside the opening hours or off their grid.
    #[error("slot not offered")]
    SlotNotOffered,
    /// Nearer than the notice asked for.
    #[error("slot needs {notice_minutes} minutes of notice")]
    SlotTooSoon {
        /// Earliest notice, in minutes.
        notice_minutes: u32,
    },
    /// Further than may be booked.
    #[error("slot is more than {horizon_days} days away")]
    SlotBeyondHorizon {
        /// Furthest booking, in days.
        horizon_days: u16,
    },
    /// Somebody has it.
    #[error("taken")]
    SlotTaken {
        /// Who is busy, for whoever may know.
        busy: Option<Busy>,
    },
    /// The rules changed between the reading and the writing.
    #[error("the offer changed")]
    OfferChanged,
    /// The actor may book for no such patient.
    #[error("no such patient")]
    NoSuchPatient,
    /// A visit of somebody of age is kept from nobody.
    #[error("the patient is of age")]
    OfAge,
    /// The account holds as many slots as it may.
    #[error("too many holds")]
    TooManyHolds,
}

impl From<SlotRefusal> for BookingError {
    fn from(refusal: SlotRefusal) -> Self {
        match refusal {
            SlotRefusal::UnknownReason | SlotRefusal::UnknownSite => Self::SlotUnknown,
            SlotRefusal::Past => Self::SlotPast,
            SlotRefusal::TooSoon { notice_minutes } => Self::SlotTooSoon { notice_minutes },
            SlotRefusal::BeyondHorizon { horizon_days } => Self::SlotBeyondHorizon { horizon_days },
            SlotRefusal::OutsideOpeningHours => Self::SlotNotOffered,
        }
    }
}

/// What is read before a booking is decided: the rules of one practitioner for one reason at one site.
#[derive(Debug, Clone, Deserialize)]
pub struct Offer {
    /// The rules; empty lists when the reason, site or practitioner is gone.
    pub agenda: Agenda,
    /// The version of those rules, named again in the write.
    pub agenda_version: i64,
    /// The patient the actor may book for; none when there is no such patient for them.
    pub patient: Option<OfferPatient>,
    /// The calendar elsewhere that is asked before the time is given away; none where there is none beside the agenda.
    #[serde(default)]
    pub calendar: Option<Beside>,
}

/// The patient of an [`Offer`].
#[derive(Debug, Clone, Deserialize)]
pub struct OfferPatient {
    /// Identity.
    pub id: PatientId,
    /// Their key, wrapped; none once it was destroyed.
    pub wrapped_key: Option<String>,
}

/// A decided booking: what the write needs.
#[derive(Debug, Clone)]
pub struct Booking {
    /// The appointment's time, place and reason.
    pub slot: Slot,
    /// The practitioner's time with buffers.
    pub reserved: Interval,
}

/// Whether the slot is offered now by these rules. Whether it is still free is for the database to say.
///
/// # Errors
/// The first rule that forbids it.
pub fn decide(offer: &Offer, slot: &SlotToken, now: Timestamp) -> Result<Booking, BookingError> {
    let slot = offer.agenda.offers(slot.site, slot.reason, slot.starts_at(), now)?;
    let reason =
        offer.agenda.reasons.iter().find(|reason| reason.id == slot.reason).ok_or(BookingError::SlotUnknown)?;
    let reserved = slot.reserved(reason);
    Ok(Booking { slot, reserved })
}

/// The state of an appointment (FHIR `Appointment.status`, with `held` for a reservation that expires).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Held for a few minutes while somebody decides.
    Held,
    /// Agreed.
    Booked,
    /// Called off.
    Cancelled,
    /// A hold nobody took up.
    Expired,
}

impl std::fmt::Display for Status {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Held => "held",
            Self::Booked => "booked",
            Self::Cancelled => "cancelled",
            Self::Expired => "expired",
        })
    }
}

/// Why an appointment cannot be changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ChangeError {
    /// It has begun.
    #[error("the appointment has begun")]
    Begun,
    /// It is not booked.
    #[error("the appointment is not booked")]
    NotBooked,
    /// Somebody changed it meanwhile.
    #[error("the appointment changed meanwhile")]
    Changed,
}

/// What a cancellation or a move is decided on.
#[derive(Debug, Clone, Deserialize)]
pub struct Current {
    /// Its state.
    pub status: Status,
    /// Its version, named again in the write.
    pub version: i64,
    /// When it starts.
    pub starts_at: Timestamp,
    /// First instant after.
    pub ends_at: Timestamp,
    /// The practitioner.
    pub practitioner: PractitionerId,
    /// Where.
    pub site: SiteId,
    /// What for.
    pub reason: ReasonId,
    /// The patient.
    pub patient: PatientId,
    /// Their key, wrapped; none once it was destroyed.
    pub wrapped_key: Option<String>,
    /// Notice below which a change is late, in minutes.
    pub late_notice_minutes: i64,
}

impl Current {
    /// Whether it may still be changed, and if so whether that is late: with less notice than the reason asks.
    ///
    /// # Errors
    /// [`ChangeError::NotBooked`], [`ChangeError::Begun`].
    pub fn change(&self, now: Timestamp) -> Result<Lateness, ChangeError> {
        if self.status != Status::Booked {
            return Err(ChangeError::NotBooked);
        }
        let ahead = self.starts_at.duration_since(now);
        if ahead <= SignedDuration::ZERO {
            return Err(ChangeError::Begun);
        }
        Ok(Lateness { late: ahead < SignedDuration::from_mins(self.late_notice_minutes) })
    }
}

/// A decided move, as the database makes it (`move_appointment`), whoever wishes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Move {
    appointment: AppointmentId,
    version: i64,
    practitioner: PractitionerId,
    site: SiteId,
    reason: ReasonId,
    channel: Channel,
    starts_at: Timestamp,
    ends_at: Timestamp,
    reserved_from: Timestamp,
    reserved_until: Timestamp,
    agenda_version: i64,
    late: bool,
}

impl Move {
    /// Of an appointment as it was read, to a time that was decided on by the rules of `offer`.
    pub fn new(id: AppointmentId, current: &Current, offer: &Offer, booking: &Booking, late: bool) -> Self {
        let Booking { slot, reserved } = booking;
        Self {
            appointment: id,
            version: current.version,
            practitioner: slot.practitioner,
            site: slot.site,
            reason: slot.reason,
            channel: slot.channel,
            starts_at: slot.starts_at,
            ends_at: slot.ends_at,
            reserved_from: reserved.start(),
            reserved_until: reserved.end(),
            agenda_version: offer.agenda_version,
            late,
        }
    }
}

/// Why a visit does not follow its item to another time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotFollowed {
    /// It can no longer be changed.
    #[error(transparent)]
    Change(#[from] ChangeError),
    /// The time is not on offer.
    #[error(transparent)]
    Booking(#[from] BookingError),
    /// It would be longer or shorter there.
    #[error("of another length")]
    Length,
}

/// Whether a visit may go to where its item was moved in a calendar elsewhere: to what is on offer to anybody, as long as it was. Whether the
/// time is free is for the database to say.
///
/// # Errors
/// The first rule that forbids it.
pub fn follow(
    current: &Current, offer: &Offer, during: Interval, now: Timestamp,
) -> Result<(Booking, Lateness), NotFollowed> {
    let lateness = current.change(now)?;
    let slot = SlotToken::new(current.practitioner, current.site, current.reason, during.start());
    let booking = decide(offer, &slot, now)?;
    let length = |from: Timestamp, to: Timestamp| to.duration_since(from);
    let exactly = booking.slot.starts_at == during.start() && booking.slot.ends_at == during.end();
    if exactly && length(current.starts_at, current.ends_at) == length(during.start(), during.end()) {
        Ok((booking, lateness))
    } else {
        Err(NotFollowed::Length)
    }
}

/// Whether a change comes late.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lateness {
    /// With less notice than asked.
    pub late: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use uuid::Uuid;

    fn current(starts_at: Timestamp, notice: i64) -> Current {
        Current {
            status: Status::Booked,
            version: 1,
            starts_at,
            ends_at: starts_at + SignedDuration::from_mins(20),
            practitioner: PractitionerId::from_uuid(Uuid::from_u128(1)),
            site: SiteId::from_uuid(Uuid::from_u128(3)),
            reason: ReasonId::from_uuid(Uuid::from_u128(4)),
            patient: PatientId::from_uuid(Uuid::from_u128(2)),
            wrapped_key: None,
            late_notice_minutes: notice,
        }
    }

    proptest! {
        #[test]
        fn a_change_is_late_exactly_when_less_notice_is_left_than_asked(ahead in -100_000_i64..100_000, notice in 0_i64..20_000) {
            let now: Timestamp = "2026-03-29T00:30:00Z".parse().unwrap();
            let appointment = current(now + SignedDuration::from_secs(ahead), notice);
            match appointment.change(now) {
                Err(ChangeError::Begun) => prop_assert!(ahead <= 0),
                Ok(Lateness { late }) => {
                    prop_assert!(ahead > 0);
                    prop_assert_eq!(late, ahead < notice * 60);
                }
                other => prop_assert!(false, "{:?}", other),
            }
        }
    }

    #[test]
    fn only_a_booked_appointment_can_be_changed() {
        let now: Timestamp = "2026-03-03T10:00:00Z".parse().unwrap();
        for status in [Status::Held, Status::Cancelled, Status::Expired] {
            let appointment = Current { status, ..current(now + SignedDuration::from_hours(48), 60) };
            assert_eq!(appointment.change(now), Err(ChangeError::NotBooked));
        }
    }

    #[test]
    fn a_visit_follows_its_item_to_what_is_on_offer_and_as_long_as_it_was() {
        let at = |text: &str| -> Timestamp { text.parse().unwrap() };
        let id = Uuid::from_u128;
        let reason = serde_json::json!({"id": id(4), "channel": "in_person", "duration_minutes": 20, "buffer_before_minutes": 0,
            "buffer_after_minutes": 5, "step_minutes": 20, "notice_minutes": 60, "horizon_days": 30});
        let opening = serde_json::json!({"site": id(3), "weekday": 2, "starts_minute": 540, "ends_minute": 720});
        let agenda = serde_json::json!({"practitioner": id(1), "reasons": [reason], "openings": [opening],
            "sites": [{"id": id(3), "time_zone": "Europe/Paris", "holidays": "metropole"}]});
        let offer = serde_json::json!({"agenda": agenda, "agenda_version": 7, "patient": null});
        let offer: Offer = serde_json::from_value(offer).unwrap();
        let now = at("2026-03-02T08:00:00Z");
        let visit = current(at("2026-03-03T10:00:00Z"), 60);
        let to = |current: &Current, from: &str, minutes: i64, now: Timestamp| {
            let during = Interval::new(at(from), at(from) + SignedDuration::from_mins(minutes)).unwrap();
            follow(current, &offer, during, now)
        };
        let (booking, lateness) = to(&visit, "2026-03-03T08:20:00Z", 20, now).unwrap();
        assert_eq!((booking.slot.starts_at, lateness.late), (at("2026-03-03T08:20:00Z"), false));
        assert_eq!(booking.reserved.end(), at("2026-03-03T08:45:00Z"));
        let not_offered = NotFollowed::Booking(BookingError::SlotNotOffered);
        assert_eq!(to(&visit, "2026-03-03T08:25:00Z", 20, now).unwrap_err(), not_offered);
        assert_eq!(to(&visit, "2026-03-04T08:20:00Z", 20, now).unwrap_err(), not_offered);
        for minutes in [15, 25] {
            assert_eq!(to(&visit, "2026-03-03T08:20:00Z", minutes, now).unwrap_err(), NotFollowed::Length);
        }
        // One of another length than is on offer by now stays where it is.
        let longer = Current { ends_at: at("2026-03-03T10:30:00Z"), ..visit.clone() };
        for minutes in [20, 30] {
            assert_eq!(to(&longer, "2026-03-03T08:20:00Z", minutes, now).unwrap_err(), NotFollowed::Length);
        }
        let begun = to(&visit, "2026-03-10T08:20:00Z", 20, visit.starts_at).unwrap_err();
        assert_eq!(begun, NotFollowed::Change(ChangeError::Begun));
        let late = to(&visit, "2026-03-10T08:20:00Z", 20, at("2026-03-03T09:30:00Z")).unwrap();
        assert!(late.1.late);
    }
}
