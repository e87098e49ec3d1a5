//! The page of one practitioner, and the specialties that are practised here.

use axum::Json;
use axum::extract::State;
use domain::agenda::Channel;
use domain::ids::{PractitionerId, ReasonId};
use runtime::page::Page;
use runtime::{Ctx, Kind, Lang, Problem, Segment};
use serde::{Deserialize, Serialize};
use store::{Query as _, Statement, params, statement};
use utoipa::ToSchema;

use crate::practitioners::{Site, Specialty, SpecialtyRow, pick};

const PAGE: Statement<PageRow> = statement!("practitioner");
const SPECIALTIES: Statement<SpecialtyRow> = statement!("specialties");

#[derive(Debug, Deserialize)]
struct PageRow {
    id: PractitionerId,
    rpps: Option<String>,
    name: String,
    languages: Vec<String>,
    phone: Option<String>,
    online: bool,
    specialties: Vec<SpecialtyRow>,
    sites: Vec<Site>,
    reasons: Vec<ReasonRow>,
    fees: Vec<Fee>,
}

#[derive(Debug, Deserialize)]
struct ReasonRow {
    id: ReasonId,
    label_fr: String,
    label_en: String,
    specialty: String,
    channel: Channel,
    duration_minutes: i64,
    notice_minutes: i64,
    horizon_days: i64,
    late_notice_minutes: i64,
    fee_min_cents: Option<i64>,
    fee_max_cents: Option<i64>,
}

/// Why one may come (FHIR `HealthcareService`).
#[derive(Debug, Serialize, ToSchema)]
struct Reason {
    id: ReasonId,
    /// In the caller's language.
    label: String,
    /// Code of the specialty.
    specialty: String,
    channel: Channel,
    /// Length of the appointment.
    duration_minutes: i64,
    /// It cannot be booked with less notice.
    notice_minutes: i64,
    /// It cannot be booked further ahead.
    horizon_days: i64,
    /// A change with less notice is late.
    late_notice_minutes: i64,
    /// In euro cents.
    fee_min_cents: Option<i64>,
    /// In euro cents.
    fee_max_cents: Option<i64>,
}

/// What is asked for a specialty and a channel.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
struct Fee {
    /// Code of the specialty.
    specialty: String,
    channel: Channel,
    /// In euro cents.
    fee_min_cents: Option<i64>,
    /// In euro cents.
    fee_max_cents: Option<i64>,
}

/// The page of a practitioner.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PractitionerPage {
    id: PractitionerId,
    /// Number in the national directory.
    rpps: Option<String>,
    name: String,
    languages: Vec<String>,
    phone: Option<String>,
    /// Whether times can be booked here.
    online: bool,
    specialties: Vec<Specialty>,
    sites: Vec<Site>,
    reasons: Vec<Reason>,
    fees: Vec<Fee>,
}

/// Reads the page of a practitioner: specialties, fees, places and their access, reasons to come.
#[utoipa::path(get, path = "/v1/practitioners/{id}", operation_id = "read_practitioner", tag = "find",
    params(("id" = PractitionerId, Path)),
    responses((status = 200, body = PractitionerPage)))]
pub(crate) async fn read(
    State(ctx): State<Ctx>, lang: Lang, Segment(id): Segment<PractitionerId>,
) -> Result<Json<PractitionerPage>, Problem> {
    let row = ctx.db.optional(&PAGE, params![id.as_uuid()]).await?.ok_or_else(|| Problem::new(Kind::NotFound))?;
    Ok(Json(PractitionerPage {
        id: row.id,
        rpps: row.rpps,
        name: row.name,
        languages: row.languages,
        phone: row.phone,
        online: row.online,
        specialties: row.specialties.into_iter().map(|row| row.view(lang)).collect(),
        sites: row.sites,
        reasons: row.reasons.into_iter().map(|row| row.view(lang)).collect(),
        fees: row.fees,
    }))
}

impl ReasonRow {
    fn view(self, lang: Lang) -> Reason {
        Reason {
            id: self.id,
            label: pick(lang, self.label_fr, self.label_en),
            specialty: self.specialty,
            channel: self.channel,
            duration_minutes: self.duration_minutes,
            notice_minutes: self.notice_minutes,
            horizon_days: self.horizon_days,
            late_notice_minutes: self.late_notice_minutes,
            fee_min_cents: self.fee_min_cents,
            fee_max_cents: self.fee_max_cents,
        }
    }
}

/// Lists the specialties that are practised here.
#[utoipa::path(get, path = "/v1/specialties", operation_id = "list_specialties", tag = "find",
    responses((status = 200, body = Page<Specialty>)))]
pub(crate) async fn specialties(State(ctx): State<Ctx>, lang: Lang) -> Result<Json<Page<Specialty>>, Problem> {
    let rows = ctx.db.many(&SPECIALTIES, params![]).await?;
    Ok(Json(Page { items: rows.into_iter().map(|row| row.view(lang)).collect(), next_cursor: None }))
}
