//! The audit trail of an establishment, as FHIR `AuditEvent` or syslog.

mod date;
mod fhir;
mod syslog;

use axum::extract::State;
use axum::http::header::{ACCEPT, CONTENT_TYPE, LINK};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{IntoResponse, Response};
use domain::Timestamp;
use runtime::page::{Limit, cursor, parse_cursor};
use runtime::{Actor, Ctx, Function, Params, Problem};
use serde::Deserialize;
use store::{Query as _, Statement, params, statement};
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::date::Bound;

/// The function.
pub const FUNCTION: Function =
    Function { name: "export-audit", manifest: include_str!("../function.yaml"), routes: router, events: None };

const EXPORT: Statement<Line> = statement!("export");

fn router() -> OpenApiRouter<Ctx> {
    OpenApiRouter::new().routes(routes!(export))
}

/// Of when, and in which form.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Filter {
    /// Twice: `ge` or `gt`, and `le` or `lt`, each before a day (in UTC) or an instant.
    #[param(value_type = Vec<String>, min_items = 2, max_items = 2)]
    date: Vec<Bound>,
    /// `fhir` (the default) or `syslog`; without it, as `Accept` says.
    #[param(inline)]
    format: Option<Format>,
    #[param(value_type = Option<i64>, minimum = 1, maximum = 1000, default = 100)]
    #[serde(default, rename = "_count")]
    count: Limit<100, 1000>,
    /// From the link to the next page.
    #[param(max_length = 1000)]
    cursor: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
enum Format {
    Fhir,
    Syslog,
}

impl Format {
    fn of(given: Option<Self>, headers: &HeaderMap) -> Self {
        let accept = headers.get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
        given.unwrap_or(if accept.trim_start().starts_with("text/plain") { Self::Syslog } else { Self::Fhir })
    }

    fn name(self) -> &'static str {
        match self {
            Self::Fhir => "fhir",
            Self::Syslog => "syslog",
        }
    }
}

/// A line of the trail.
#[derive(Debug, Deserialize)]
struct Line {
    seq: i64,
    at: Timestamp,
    actor_kind: String,
    actor_id: Option<String>,
    action: String,
    event: String,
    object_id: Option<String>,
    patient_id: Option<String>,
    request_id: Option<String>,
    session_id: Option<String>,
    role: Option<String>,
    establishment_id: Option<String>,
    level: Option<i16>,
    address: Option<String>,
    purpose: Option<String>,
    outcome: String,
}

/// Exports the audit trail of the establishment, oldest first.
#[utoipa::path(get, path = "/v1/audit", operation_id = "export_audit", tag = "audit",
    params(Filter),
    responses((status = 200, description = "FHIR R4 `Bundle` of `AuditEvent`, or RFC 5424 lines; the next page is in \
                  `Bundle.link` and in the header `Link`.",
               content((serde_json::Value = "application/fhir+json"), (String = "text/plain"))),
              (status = 403, description = "Not an administrator.")))]
async fn export(
    State(ctx): State<Ctx>, actor: Actor, headers: HeaderMap, Params(filter): Params<Filter>,
) -> Result<Response, Problem> {
    let (from, until) = date::window(&filter.date)?;
    let after: Option<(Timestamp, i64)> = parse_cursor(filter.cursor.as_deref())?;
    let format = Format::of(filter.format, &headers);
    let limit = filter.count.get() + 1;
    let bounds = after.map(|after| after.0);
    let parameters = params![actor.who(ctx.now()), from, until, limit, bounds, after.map(|after| after.1)];
    let mut lines = ctx.db.many(&EXPORT, parameters).await?;
    let more = lines.len() > filter.count.len();
    lines.truncate(filter.count.len());
    let next = lines.last().filter(|_| more).and_then(|last| cursor(&(last.at, last.seq)));
    let query = |cursor: Option<&str>| {
        let cursor = cursor.map(|cursor| format!("&cursor={cursor}")).unwrap_or_default();
        let (format, count) = (format.name(), filter.count.get());
        format!("/v1/audit?date=ge{from}&date=le{until}&format={format}&_count={count}{cursor}")
    };
    let next = next.map(|next| query(Some(&next)));
    let (kind, body) = match format {
        Format::Fhir => {
            let bundle = fhir::bundle(&lines, &query(filter.cursor.as_deref()), next.as_deref());
            ("application/fhir+json; charset=utf-8", bundle.to_string())
        }
        Format::Syslog => ("text/plain; charset=utf-8", lines.iter().map(syslog::line).collect()),
    };
    let mut response = ([(CONTENT_TYPE, kind)], body).into_response();
    if let Some(link) = next.and_then(|next| HeaderValue::from_str(&format!("<{next}>; rel=\"next\"")).ok()) {
        response.headers_mut().insert(LINK, link);
    }
    Ok(response)
}
