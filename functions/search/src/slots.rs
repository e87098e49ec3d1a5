//! When: free times of one practitioner, or of those of a specialty in a place.

use axum::Json;
use axum::extract::State;
use domain::Timestamp;
use domain::agenda::{Agenda, Channel, Slot, Wish};
use domain::availability::{Bound, Window};
use domain::ids::{PractitionerId, ReasonId, SiteId};
use domain::slot_token::SlotToken;
use domain::zone::Zone;
use runtime::page::{Limit, Page, cursor, parse_cursor};
use runtime::{Ctx, Kind, Params, Problem, Words, view};
use serde::{Deserialize, Serialize};
use store::{Query, Statement, params, statement};
use utoipa::{IntoParams, ToSchema};

use crate::practitioners::{Search, find};

/// How many practitioners of a place are read for one answer.
const PLACE_CANDIDATES: i64 = 100;
/// Days without an instant are those of metropolitan France unless one practitioner's place says otherwise.
const DEFAULT_ZONE: &str = "Europe/Paris";

const AGENDA: Statement<Agenda> = statement!("slots");

/// What time is looked for. One of `practitioner`, `specialty` or `place` is needed.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct SlotSearch {
    practitioner: Option<PractitionerId>,
    reason: Option<ReasonId>,
    site: Option<SiteId>,
    /// A code or an everyday word.
    #[param(value_type = Option<String>, max_length = 100, pattern = r"^[^\x00]*$")]
    specialty: Option<Words<100>>,
    /// A town, a postcode or its beginning, or the name of an establishment.
    #[param(value_type = Option<String>, max_length = 100, pattern = r"^[^\x00]*$", example = "Lyon")]
    place: Option<Words<100>>,
    channel: Option<Channel>,
    /// A local day or an instant; now when not given. What is past is not searched.
    #[param(schema_with = runtime::openapi::day_or_instant, required = false, example = "2026-12-01")]
    from: Option<When>,
    /// A local day, which is included, or an instant, which is not; a fortnight after `from` when not given.
    #[param(schema_with = runtime::openapi::day_or_instant, required = false, example = "2026-12-05")]
    to: Option<When>,
    #[param(value_type = Option<i64>, minimum = 1, maximum = 500, default = 100)]
    #[serde(default)]
    limit: Limit<100, 500>,
    /// `next_cursor` of the page before.
    #[param(max_length = 1000)]
    cursor: Option<String>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(try_from = "String")]
struct When(Bound);

impl TryFrom<String> for When {
    type Error = domain::availability::NotADate;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse().map(Self)
    }
}

/// A free time (FHIR `Slot`).
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FreeSlot {
    /// Opaque: what a booking sends back.
    slot: String,
    practitioner: PractitionerId,
    site: SiteId,
    reason: ReasonId,
    channel: Channel,
    /// With the offset of the place on that day.
    #[schema(value_type = String, format = DateTime)]
    starts_at: String,
    /// Not included.
    #[schema(value_type = String, format = DateTime)]
    ends_at: String,
}

/// Lists free times in order: of one practitioner between two dates, or of a specialty in a place. Of a place with more
/// than 100 such practitioners, the first 100 by name are looked at: a postcode or a specialty narrows it.
#[utoipa::path(get, path = "/v1/slots", operation_id = "list_slots", tag = "find", params(SlotSearch),
    responses((status = 200, body = Page<FreeSlot>, links(
        ("book" = (operation_id = "book_appointment", request_body = json!({"slot": "$response.body#/items/0/slot"}))),
        ("hold" = (operation_id = "hold_slot", request_body = json!({"slot": "$response.body#/items/0/slot"}))))),
              (status = 404, description = "No such practitioner.")))]
pub(crate) async fn list(
    State(ctx): State<Ctx>, Params(search): Params<SlotSearch>,
) -> Result<Json<Page<FreeSlot>>, Problem> {
    let now = ctx.now();
    let agendas = search.agendas(&ctx, now).await?;
    let after: Option<(i64, PractitionerId, ReasonId, SiteId)> = parse_cursor(search.cursor.as_deref())?;
    let reasons = search.reason.map(|reason| [reason]);
    let limit = search.limit.len();

    let mut slots: Vec<(Slot, &Agenda)> = Vec::new();
    for agenda in &agendas {
        // Days are local to the place: each site of an agenda has its own window.
        for site in agenda.sites.iter().filter(|site| search.site.is_none_or(|wanted| wanted == site.id)) {
            let window = search.window(&site.time_zone, now)?;
            let from = after
                .and_then(|(second, ..)| Timestamp::from_second(second).ok())
                .map_or(window.from, |at| at.max(window.from));
            let wish = Wish {
                site: Some(site.id),
                reasons: reasons.as_ref().map(<[ReasonId; 1]>::as_slice),
                channel: search.channel,
                from,
                until: window.until,
            };
            let fresh = agenda.slots(&wish, now).filter(|slot| after.is_none_or(|after| key(slot) > after));
            slots.extend(fresh.take(limit + 1).map(|slot| (slot, agenda)));
        }
    }
    slots.sort_unstable_by_key(|(slot, _)| key(slot));
    let more = slots.len() > limit;
    slots.truncate(limit);
    let next_cursor = slots.last().filter(|_| more).and_then(|(slot, _)| cursor(&key(slot)));
    Ok(Json(Page { items: slots.iter().filter_map(|(slot, agenda)| free_slot(slot, agenda)).collect(), next_cursor }))
}

/// The order of a list, in which no two slots are equal.
fn key(slot: &Slot) -> (i64, PractitionerId, ReasonId, SiteId) {
    (slot.starts_at.as_second(), slot.practitioner, slot.reason, slot.site)
}

impl SlotSearch {
    fn window(&self, zone: &Zone, now: Timestamp) -> Result<Window, Problem> {
        Ok(Window::new(self.from.map(|when| when.0), self.to.map(|when| when.0), zone, now)?)
    }

    /// The agendas to look in: one statement either way.
    async fn agendas(&self, ctx: &Ctx, now: Timestamp) -> Result<Vec<Agenda>, Problem> {
        let zone: Zone = DEFAULT_ZONE.parse().map_err(Problem::internal)?;
        // Read with a day's margin on both sides, for days of other zones.
        let window = self.window(&zone, now)?;
        if let Some(practitioner) = self.practitioner {
            let parameters = params![
                practitioner.as_uuid(),
                window.from,
                window.until,
                now,
                self.specialty.as_deref(),
                self.place.as_deref()
            ];
            let agenda = ctx.db.optional(&AGENDA, parameters).await?;
            return agenda.map(|agenda| vec![agenda]).ok_or_else(|| Problem::new(Kind::NotFound).field("practitioner"));
        }
        let blank = |words: &Option<Words<100>>| words.as_deref().is_none_or(|words| words.trim().is_empty());
        if blank(&self.specialty) && blank(&self.place) {
            return Err(Problem::new(Kind::FieldMissing).field("practitioner").hint("practitioner-or-place"));
        }
        let search = Search::of_place(self.specialty.clone(), self.place.clone(), self.channel);
        let found = find(ctx, &search, window, PLACE_CANDIDATES, now).await?;
        Ok(found.into_iter().map(|found| found.agenda).collect())
    }
}

fn free_slot(slot: &Slot, agenda: &Agenda) -> Option<FreeSlot> {
    let zone = &agenda.site(slot.site)?.time_zone;
    Some(FreeSlot {
        slot: SlotToken::new(slot.practitioner, slot.site, slot.reason, slot.starts_at).to_string(),
        practitioner: slot.practitioner,
        site: slot.site,
        reason: slot.reason,
        channel: slot.channel,
        starts_at: view::local(slot.starts_at, zone),
        ends_at: view::local(slot.ends_at, zone),
    })
}
