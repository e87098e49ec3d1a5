//! Who cares, where, and when first.

use axum::Json;
use axum::extract::State;
use domain::Timestamp;
use domain::agenda::{Agenda, Channel, Wish};
use domain::availability::{Bound, Day, Window};
use domain::holidays::HolidayCalendar;
use domain::ids::{PractitionerId, SiteId};
use runtime::page::{Limit, Page, cursor, parse_cursor};
use runtime::{Ctx, Kind, Lang, Params, Problem, Words, view};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::{Param, Query, Statement, params, statement};
use utoipa::{IntoParams, ToSchema};

/// How far ahead the first free time is looked for, in days.
const NEXT_FREE_DAYS: i64 = 183;
/// How many more than wanted are read to find those free on one day: the statement already leaves out whoever has no
/// stretch left, but does not know every rule.
const DAY_SPARE: i64 = 20;
/// Radius when `near` is given alone, in kilometres.
const DEFAULT_RADIUS_KM: f64 = 20.0;

const FIND: Statement<Found> = statement!("practitioners");

/// What is looked for. Everything is optional; what is given narrows.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Search {
    /// Words of a name; accents, case and small slips do not matter.
    #[param(value_type = Option<String>, max_length = 100, pattern = r"^[^\x00]*$")]
    q: Option<Words<100>>,
    /// A code (`SM40`, `91`) or an everyday word (`orthophoniste`, `kiné`).
    #[param(value_type = Option<String>, max_length = 100, pattern = r"^[^\x00]*$")]
    specialty: Option<Words<100>>,
    /// A town, a postcode or its beginning, or the name of an establishment.
    #[param(value_type = Option<String>, max_length = 100, pattern = r"^[^\x00]*$")]
    place: Option<Words<100>>,
    /// `latitude,longitude` in degrees.
    #[param(
        pattern = r"^-?(90(\.0{1,15})?|[0-8]?[0-9](\.[0-9]{1,15})?),-?(180(\.0{1,15})?|(1[0-7][0-9]|0?[0-9]{1,2})(\.[0-9]{1,15})?)$",
        example = "45.764,4.835"
    )]
    near: Option<String>,
    /// Only with `near`; 20 when not given.
    #[param(minimum = 1, maximum = 200, value_type = Option<f64>)]
    radius_km: Option<Radius>,
    /// How one meets.
    channel: Option<Channel>,
    /// A language spoken, ISO 639-1.
    #[param(value_type = Option<String>, pattern = "^[a-z]{2}$")]
    language: Option<Language>,
    /// Codes of accessibility of the premises, separated by commas: `step_free`, `lift` …
    #[param(value_type = Option<String>, max_length = 200, pattern = r"^[^\x00]*$")]
    accessibility: Option<Words<200>>,
    /// Only those with a free time on this local day; `next_free` is then the first of that day.
    #[param(value_type = Option<String>, format = Date)]
    free_on: Option<Day>,
    /// How many at most.
    #[param(value_type = Option<i64>, minimum = 1, maximum = 50, default = 20)]
    #[serde(default)]
    limit: Limit<20, 50>,
    /// `next_cursor` of the page before.
    #[param(max_length = 1000)]
    cursor: Option<String>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(try_from = "String")]
struct Radius(f64);

impl TryFrom<String> for Radius {
    type Error = &'static str;
    fn try_from(text: String) -> Result<Self, &'static str> {
        text.parse().ok().filter(|km| (1.0..=200.0).contains(km)).map(Self).ok_or("limit")
    }
}

#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
struct Language(String);

impl TryFrom<String> for Language {
    type Error = &'static str;
    fn try_from(text: String) -> Result<Self, &'static str> {
        let sound = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_lowercase());
        if sound { Ok(Self(text)) } else { Err("language") }
    }
}

/// A practitioner as found, with the rules and reservations the first free time is computed from.
#[derive(Debug, Deserialize)]
pub(crate) struct Found {
    pub(crate) id: PractitionerId,
    name: String,
    cursor: Value,
    distance_km: Option<f64>,
    languages: Vec<String>,
    specialties: Vec<SpecialtyRow>,
    sites: Vec<Site>,
    pub(crate) agenda: Agenda,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct SpecialtyRow {
    code: String,
    label_fr: String,
    label_en: String,
}

impl SpecialtyRow {
    pub(crate) fn view(self, lang: Lang) -> Specialty {
        Specialty { code: self.code, label: pick(lang, self.label_fr, self.label_en) }
    }
}

pub(crate) fn pick(lang: Lang, fr: String, en: String) -> String {
    match lang {
        Lang::Fr => fr,
        Lang::En => en,
    }
}

/// A specialty (national code: `TRE_R38` for physicians, `TRE_G15` for the other professions).
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Specialty {
    code: String,
    /// In the caller's language.
    label: String,
}

/// A place where care is given (FHIR `Location`).
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Site {
    id: SiteId,
    name: String,
    address_line: String,
    city: String,
    postal_code: String,
    /// Degrees; null when not known.
    lat: Option<f64>,
    /// Degrees; null when not known.
    lon: Option<f64>,
    /// IANA zone: every time at this place is told in it.
    pub(crate) time_zone: String,
    /// What the premises offer: `step_free`, `lift`, `accessible_toilets`, `parking`, `hearing_loop`.
    accessibility: Vec<String>,
}

/// A practitioner in a list.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Practitioner {
    id: PractitionerId,
    /// With title.
    name: String,
    specialties: Vec<Specialty>,
    sites: Vec<Site>,
    /// How one may meet, of what matched.
    channels: Vec<Channel>,
    /// ISO 639-1.
    languages: Vec<String>,
    /// Of the nearest place, when `near` was given; in kilometres.
    distance_km: Option<f64>,
    /// The first free time of what was looked for, within six months; null when there is none, or no online booking.
    #[schema(value_type = Option<String>, format = DateTime)]
    next_free: Option<String>,
}

/// Finds practitioners: by name, specialty, place, distance, channel, language and accessibility, or free on one day.
#[utoipa::path(get, path = "/v1/practitioners", operation_id = "list_practitioners", tag = "find",
    params(Search),
    responses((status = 200, body = Page<Practitioner>)))]
pub(crate) async fn list(
    State(ctx): State<Ctx>, lang: Lang, Params(search): Params<Search>,
) -> Result<Json<Page<Practitioner>>, Problem> {
    let now = ctx.now();
    let window = search.window(now)?;
    let limit = search.limit.len();
    let spare = if search.free_on.is_some() { DAY_SPARE } else { 0 };
    let candidates = search.limit.get() + spare + 1;
    let mut found = ctx.db.many(&FIND, search.params(window, candidates, now)?).await?;
    let mut more = found.len() == usize::try_from(candidates).unwrap_or(usize::MAX);
    if more {
        found.pop();
    }
    let mut items = Vec::new();
    let mut last = None;
    for practitioner in found {
        if items.len() == limit {
            more = true;
            break;
        }
        last = Some(practitioner.cursor.clone());
        items.extend(practitioner.view(lang, &search, window, now));
    }
    let next_cursor = last.filter(|_| more).and_then(|last| cursor(&last));
    Ok(Json(Page { items, next_cursor }))
}

impl Search {
    /// A slots' search over several practitioners uses the same finder.
    pub(crate) fn of_place(specialty: Option<Words<100>>, place: Option<Words<100>>, channel: Option<Channel>) -> Self {
        Self { specialty, place, channel, ..Self::default() }
    }

    /// Around one day in every zone of the Republic, or from now for six months.
    fn window(&self, now: Timestamp) -> Result<Window, Problem> {
        let six_months = Window { from: now, until: now + jiff_days(NEXT_FREE_DAYS) };
        let Some(day) = self.free_on.map(Day::date) else { return Ok(six_months) };
        let bound = |zone: &str| -> Result<Window, Problem> {
            let zone = zone.parse().map_err(Problem::internal)?;
            Window::new(Some(Bound::Day(day)), Some(Bound::Day(day)), &zone, now)
                .map_err(|_| Problem::new(Kind::BeyondHorizon).field("free_on"))
        };
        // UTC+12 begins the day first, UTC-10 ends it last.
        Ok(Window { from: bound("Pacific/Wallis")?.from, until: bound("Pacific/Tahiti")?.until })
    }

    /// The parameters of the finder.
    pub(crate) fn params(&self, window: Window, candidates: i64, now: Timestamp) -> Result<Vec<Param>, Problem> {
        let near = self.near.as_deref().map(parse_near).transpose()?;
        if self.radius_km.is_some() && near.is_none() {
            return Err(Problem::new(Kind::FieldInvalid).field("radius_km").hint("radius-needs-near"));
        }
        let text = |text: &Option<Words<100>>| {
            text.as_deref().map(str::trim).map(str::to_owned).filter(|text| !text.is_empty())
        };
        let codes = self.accessibility.iter().flat_map(|codes| codes.split(',')).map(|code| code.trim().to_owned());
        let accessibility: Vec<String> = codes.filter(|code| !code.is_empty()).collect();
        let radius = self.radius_km.map_or(DEFAULT_RADIUS_KM, |radius| radius.0);
        Ok(params![
            text(&self.q),
            text(&self.specialty),
            text(&self.place),
            near.map(|(lat, _)| lat.to_string()),
            near.map(|(_, lon)| lon.to_string()),
            near.map(|_| radius.to_string()),
            self.channel.map(|channel| channel.to_string()),
            self.language.as_ref().map(|language| language.0.clone()),
            accessibility,
            window.from,
            window.until,
            candidates,
            self.after()?,
            self.free_on.map(|day| day.date().to_string()),
            now,
            self.free_on.map(holidays_of).unwrap_or_default(),
        ])
    }

    /// The cursor, checked: it comes from a client.
    fn after(&self) -> Result<Option<Value>, Problem> {
        let after: Option<(bool, f64, String, PractitionerId)> = parse_cursor(self.cursor.as_deref())?;
        Ok(after.map(|(online, km, name, id)| serde_json::json!([online, km, name.replace('\0', ""), id])))
    }
}

/// The calendars in which a day is a public holiday.
fn holidays_of(day: Day) -> Vec<String> {
    let all = HolidayCalendar::ALL.into_iter();
    all.filter(|(calendar, _)| calendar.is_holiday(day.date()).is_some()).map(|(_, name)| name.to_owned()).collect()
}

fn jiff_days(days: i64) -> domain::SignedDuration {
    domain::SignedDuration::from_hours(24 * days)
}

/// Plain decimals only: PostgreSQL's sine underflows on what an exponent can write.
fn degrees(text: &str, digits: usize) -> Option<f64> {
    let plain = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = plain.split_once('.').unwrap_or((plain, "0"));
    let sound = (1..=digits).contains(&whole.len()) && (1..=15).contains(&fraction.len());
    let sound = sound && whole.bytes().chain(fraction.bytes()).all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| sound)
}

fn parse_near(text: &str) -> Result<(f64, f64), Problem> {
    let parse = || {
        let (lat, lon) = text.split_once(',')?;
        Some((degrees(lat, 2).filter(|lat| lat.abs() <= 90.0)?, degrees(lon, 3).filter(|lon| lon.abs() <= 180.0)?))
    };
    parse().ok_or_else(|| Problem::new(Kind::FieldInvalid).field("near").hint("near"))
}

impl Found {
    /// `None` when somebody free on a day was asked for and this one is not.
    fn view(self, lang: Lang, search: &Search, window: Window, now: Timestamp) -> Option<Practitioner> {
        let wish = Wish { site: None, reasons: None, channel: search.channel, from: window.from, until: window.until };
        // The window spans the day of every zone; the day asked for is the one of the slot's own place.
        let on_day = |slot: &domain::agenda::Slot| match (search.free_on.map(Day::date), self.agenda.site(slot.site)) {
            (Some(day), Some(site)) => site.time_zone.local(slot.starts_at).date() == day,
            _ => true,
        };
        let first = self.agenda.slots(&wish, now).find(on_day);
        if search.free_on.is_some() && first.is_none() {
            return None;
        }
        let mut channels: Vec<Channel> = self.agenda.reasons.iter().map(|reason| reason.channel).collect();
        channels.sort_unstable();
        channels.dedup();
        Some(Practitioner {
            next_free: first
                .and_then(|slot| self.agenda.site(slot.site).map(|site| view::local(slot.starts_at, &site.time_zone))),
            id: self.id,
            name: self.name,
            specialties: self.specialties.into_iter().map(|row| row.view(lang)).collect(),
            sites: self.sites,
            channels,
            languages: self.languages,
            distance_km: self.distance_km.map(|km| (km * 10.0).round() / 10.0),
        })
    }
}

/// The finder, for slots over several practitioners.
pub(crate) async fn find(
    ctx: &Ctx, search: &Search, window: Window, candidates: i64, now: Timestamp,
) -> Result<Vec<Found>, Problem> {
    Ok(ctx.db.many(&FIND, search.params(window, candidates, now)?).await?)
}
