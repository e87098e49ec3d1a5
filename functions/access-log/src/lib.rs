//! Who looked at whose record, when and why, in plain words.

mod words;

use axum::Json;
use axum::extract::State;
use domain::Timestamp;
use domain::ids::{DocumentId, PatientId};
use domain::zone::Zone;
use futures_util::future::try_join_all;
use runtime::page::{Limit, Page, cursor, parse_cursor};
use runtime::people::{SealedPerson, name_of};
use runtime::period::{When, period};
use runtime::view::local;
use runtime::{Actor, Ctx, Function, Lang, Params, Problem};
use serde::{Deserialize, Serialize};
use store::{Query as _, Statement, params, statement};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The function.
pub const FUNCTION: Function =
    Function { name: "access-log", manifest: include_str!("../function.yaml"), routes: router, events: None };

const LOG: Statement<Line> = statement!("log");
/// Families read it: days and times are those of metropolitan France.
const ZONE: &str = "Europe/Paris";

fn router() -> OpenApiRouter<Ctx> {
    OpenApiRouter::new().routes(routes!(log))
}

/// Whose log, and of when.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Filter {
    /// Of this patient; without it, of all whose log the caller may read.
    patient: Option<PatientId>,
    /// From this local day's beginning (metropolitan France) or this instant on.
    #[param(schema_with = runtime::openapi::day_or_instant, required = false)]
    from: Option<When>,
    /// Before the end of this local day, or before this instant.
    #[param(schema_with = runtime::openapi::day_or_instant, required = false)]
    to: Option<When>,
    #[param(value_type = Option<i64>, minimum = 1, maximum = 200, default = 50)]
    #[serde(default)]
    limit: Limit<50, 200>,
    /// `next_cursor` of the page before.
    #[param(max_length = 1000)]
    cursor: Option<String>,
}

/// A line of the trail, as stored.
#[derive(Debug, Deserialize)]
struct Line {
    seq: i64,
    at: Timestamp,
    event: String,
    action: String,
    outcome: String,
    purpose: Option<String>,
    actor_kind: String,
    role: Option<String>,
    oneself: bool,
    name: Option<String>,
    relation: Option<String>,
    establishment: Option<String>,
    emergency: bool,
    /// The actor's own file, for those the directory does not name.
    person: Option<SealedPerson>,
    document: Option<DocumentId>,
    patient: PatientId,
    patient_person: Option<SealedPerson>,
    #[serde(skip)]
    patient_name: String,
}

/// Something that was done, or refused.
#[derive(Debug, Serialize, ToSchema)]
struct Access {
    /// When, on the clock of metropolitan France.
    #[schema(value_type = String, format = DateTime)]
    at: String,
    /// Who.
    who: Who,
    /// What, in the caller's language.
    what: String,
    /// Its name, which no language changes: `appointment.read`.
    event: String,
    /// `success`, `refused` or `failed`.
    outcome: String,
    /// Why, in the caller's language.
    why: String,
    /// Whether a professional looked without a care relation, in an emergency.
    emergency: bool,
    /// Which document, where it was one: `GET /v1/documents/{id}` says which.
    document: Option<DocumentId>,
    /// Whose record.
    patient: PatientId,
    /// The patient's name.
    patient_name: String,
}

/// Somebody who did something.
#[derive(Debug, Serialize, ToSchema)]
struct Who {
    /// `you`, `family`, `professional`, `carnet` (by itself), `calendar` (the practitioner's, kept elsewhere), `other` (an account that
    /// has nothing to do with the patient) or `stranger` (not signed in).
    kind: &'static str,
    /// Their name; neither a stranger's nor that of another account.
    name: Option<String>,
    /// In what capacity, in the caller's language.
    role: Option<String>,
    /// Where they work.
    establishment: Option<String>,
}

/// Lists what was done to the records of the caller's patients, newest first.
#[utoipa::path(get, path = "/v1/me/access-log", operation_id = "read_access_log", tag = "record",
    params(Filter),
    responses((status = 200, body = Page<Access>)))]
async fn log(
    State(ctx): State<Ctx>, actor: Actor, lang: Lang, Params(filter): Params<Filter>,
) -> Result<Json<Page<Access>>, Problem> {
    let zone: Zone = ZONE.parse().map_err(Problem::internal)?;
    let (from, until) = period(filter.from, filter.to, &zone)?;
    let before: Option<(Timestamp, i64)> = parse_cursor(filter.cursor.as_deref())?;
    let mut lines = ctx
        .db
        .many(
            &LOG,
            params![
                actor.who(ctx.now()),
                filter.patient.map(PatientId::as_uuid),
                from,
                until,
                filter.limit.get() + 1,
                before.map(|before| before.0),
                before.map(|before| before.1),
            ],
        )
        .await?;
    let more = lines.len() > filter.limit.len();
    lines.truncate(filter.limit.len());
    let next_cursor = lines.last().filter(|_| more).and_then(|last| cursor(&(last.at, last.seq)));
    let lines = try_join_all(lines.into_iter().map(|line| line.open(&ctx))).await?;
    Ok(Json(Page { items: lines.into_iter().map(|line| line.view(&zone, lang)).collect(), next_cursor }))
}

impl Line {
    /// With the names opened.
    async fn open(mut self, ctx: &Ctx) -> Result<Self, Problem> {
        let name = async |person: Option<&SealedPerson>| name_of(person, &ctx.keys).await.map_err(Problem::from);
        self.patient_name = name(self.patient_person.as_ref()).await?;
        if self.name.is_none() {
            self.name = Some(name(self.person.as_ref()).await?).filter(|name| !name.is_empty());
        }
        Ok(self)
    }

    fn view(self, zone: &Zone, lang: Lang) -> Access {
        Access {
            at: local(self.at, zone),
            what: words::what(&self, lang),
            why: words::why(self.purpose.as_deref(), lang),
            who: words::who(&self, lang),
            event: self.event,
            outcome: self.outcome,
            emergency: self.emergency,
            document: self.document,
            patient: self.patient,
            patient_name: self.patient_name,
        }
    }
}
