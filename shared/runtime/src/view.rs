//! What clients see of things that several functions return.

use domain::Timestamp;
use domain::appointment::Status;
use domain::ids::{AppointmentId, PatientId, PractitionerId, ReasonId, SiteId};
use domain::zone::Zone;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Lang;

/// An appointment as `appointment_document` in the database returns it.
#[derive(Debug, Clone, Deserialize)]
#[allow(missing_docs, reason = "the fields of `Appointment`, as stored")]
pub struct AppointmentRow {
    pub id: AppointmentId,
    pub status: Status,
    pub version: i64,
    pub channel: String,
    pub starts_at: Timestamp,
    pub ends_at: Timestamp,
    pub time_zone: Zone,
    pub practitioner: PractitionerId,
    pub practitioner_name: String,
    pub site: SiteId,
    pub site_name: String,
    pub site_address: String,
    pub reason: ReasonId,
    pub reason_label_fr: String,
    pub reason_label_en: String,
    pub late_notice_minutes: i64,
    pub patient: PatientId,
    pub late: Option<bool>,
    pub hold_expires_at: Option<Timestamp>,
    #[serde(default)]
    pub secret: bool,
}

/// An appointment (FHIR `Appointment`).
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Appointment {
    /// Identity.
    pub id: AppointmentId,
    /// Its state.
    pub status: Status,
    /// Start, with the offset of the place on that day.
    #[schema(value_type = String, format = DateTime)]
    pub starts_at: String,
    /// End, not included.
    #[schema(value_type = String, format = DateTime)]
    pub ends_at: String,
    /// IANA zone of the place.
    pub time_zone: String,
    /// The practitioner.
    pub practitioner: PractitionerId,
    /// The practitioner's name, with title.
    pub practitioner_name: String,
    /// The place.
    pub site: SiteId,
    /// The place's name.
    pub site_name: String,
    /// The place's address on one line.
    pub site_address: String,
    /// Why one comes.
    pub reason: ReasonId,
    /// The reason in words, in the caller's language.
    pub reason_label: String,
    /// `in_person`, `video`, `phone` or `home`.
    pub channel: String,
    /// Who comes.
    pub patient: PatientId,
    /// Changing it with less notice than this is late, in minutes.
    pub late_notice_minutes: i64,
    /// Whether it was cancelled, or last moved, with less notice than asked; null when neither.
    pub late: Option<bool>,
    /// When a hold ends; null unless held.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub hold_expires_at: Option<String>,
    /// Whether a minor keeps it from those who act for them.
    pub secret: bool,
}

impl AppointmentRow {
    /// For a caller who reads `lang`.
    pub fn view(self, lang: Lang) -> Appointment {
        let local = |at: Timestamp| local(at, &self.time_zone);
        Appointment {
            id: self.id,
            status: self.status,
            starts_at: local(self.starts_at),
            ends_at: local(self.ends_at),
            hold_expires_at: self.hold_expires_at.map(local),
            time_zone: self.time_zone.to_string(),
            practitioner: self.practitioner,
            practitioner_name: self.practitioner_name,
            site: self.site,
            site_name: self.site_name,
            site_address: self.site_address,
            reason: self.reason,
            reason_label: match lang {
                Lang::Fr => self.reason_label_fr,
                Lang::En => self.reason_label_en,
            },
            channel: self.channel,
            patient: self.patient,
            late_notice_minutes: self.late_notice_minutes,
            late: self.late,
            secret: self.secret,
        }
    }
}

/// RFC 3339 with the offset of the place at that instant, to the second.
pub fn local(at: Timestamp, zone: &Zone) -> String {
    at.to_zoned(zone.time_zone().clone()).strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()
}
