//! What is to be deposited.

use domain::Date;
use domain::access::Role;
use domain::document::{Language, MediaType, Sha256, Size, Title, TypeCode};
use domain::ids::{AppointmentId, PatientId, PractitionerId, SiteId};
use runtime::{Kind, Problem};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

/// A document, and the bytes that are to come.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Deposit {
    /// Whose; the caller's own record when not given.
    pub(crate) patient: Option<PatientId>,
    /// `JDV_J07`: LOINC, or `TRE_A05`.
    pub(crate) r#type: TypeCode,
    /// One line; kept sealed.
    #[schema(value_type = String, min_length = 1, max_length = 200)]
    pub(crate) title: Title,
    /// Day of the act it tells of.
    #[schema(value_type = String, format = Date)]
    act_date: Date,
    /// ISO 639; French when not given.
    #[schema(value_type = Option<String>, pattern = "^[a-z]{2,3}$")]
    language: Option<Language>,
    /// The visit it belongs to.
    pub(crate) appointment: Option<AppointmentId>,
    /// What the file is: it is looked at, and refused if it is something else.
    media_type: MediaType,
    /// Its length, at most 200 MiB.
    #[schema(value_type = u64, minimum = 1, maximum = 209_715_200)]
    size_bytes: Size,
    /// SHA-256 of its bytes, in hexadecimal.
    #[schema(value_type = String, pattern = "^[0-9a-fA-F]{64}$")]
    sha256: Sha256,
    /// For practitioners: whether the patient sees it only once it was announced to them.
    #[serde(default)]
    hidden_from_patient: bool,
    /// Whether those who act for a minor never see it.
    #[serde(default)]
    hidden_from_representatives: bool,
}

/// Bytes that are to come.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Bytes {
    /// What the file is: it is looked at, and refused if it is something else.
    pub(crate) media_type: MediaType,
    /// Its length, at most 200 MiB.
    #[schema(value_type = u64, minimum = 1, maximum = 209_715_200)]
    pub(crate) size_bytes: Size,
    /// SHA-256 of its bytes, in hexadecimal.
    #[schema(value_type = String, pattern = "^[0-9a-fA-F]{64}$")]
    pub(crate) sha256: Sha256,
}

/// For whom.
#[derive(Debug, Deserialize)]
pub(crate) struct Target {
    pub(crate) patient: PatientId,
    pub(crate) wrapped_key: Option<String>,
    practitioner: Option<PractitionerId>,
    site: Option<SiteId>,
    visit_seen: bool,
    of_age: bool,
    secrecy: bool,
}

impl Deposit {
    pub(crate) fn bytes(&self) -> Bytes {
        Bytes { media_type: self.media_type, size_bytes: self.size_bytes, sha256: self.sha256.clone() }
    }

    /// Whether who deposits may say all of it.
    ///
    /// # Errors
    /// Names what they may not.
    pub(crate) fn allowed(&self, target: &Target, role: Role) -> Result<(), Problem> {
        if !target.visit_seen {
            return Err(Problem::new(Kind::NotFound).field("appointment"));
        }
        if self.hidden_from_patient && role != Role::Practitioner {
            return Err(Problem::new(Kind::FieldInvalid).field("hidden_from_patient").hint("practitioners-only"));
        }
        match (self.hidden_from_representatives, target.of_age, target.secrecy) {
            (true, true, _) => Err(Problem::new(Kind::PatientOfAge).field("hidden_from_representatives")),
            (true, false, false) => {
                Err(Problem::new(Kind::FieldInvalid).field("hidden_from_representatives").hint("secrecy-only"))
            }
            _ => Ok(()),
        }
    }

    /// What is written of it, without its title and its bytes.
    pub(crate) fn document(&self, target: &Target) -> Value {
        json!({
            "patient": target.patient, "type": self.r#type, "administrative": self.r#type.of().administrative,
            "act_date": self.act_date, "language": self.language.clone().unwrap_or_default(), "appointment": self.appointment,
            "practitioner": target.practitioner, "site": target.site, "hidden_from_patient": self.hidden_from_patient,
            "hidden_from_representatives": self.hidden_from_representatives,
        })
    }
}
