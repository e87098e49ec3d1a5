//! What a calendar program reads.

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use domain::SignedDuration;
use http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use http::{HeaderMap, HeaderValue, StatusCode};
use runtime::actor::anonymous;
use runtime::calendar::{self, Event};
use runtime::edge::{ClientAddress, RequestId};
use runtime::keys::digest;
use runtime::{Ctx, Kind, Lang, Problem, Segment};
use serde::Deserialize;
use store::{Query as _, Statement, params, statement};

const CONTENT: Statement<Content> = statement!("content");

/// How long a visit that has begun stays.
const PAST: SignedDuration = SignedDuration::from_hours(90 * 24);
/// As far ahead as anything can be booked.
const AHEAD: SignedDuration = SignedDuration::from_hours(365 * 24);
/// How long a visit that was called off stays as such: a program that looks once a month takes it out.
const CANCELLED: SignedDuration = SignedDuration::from_hours(30 * 24);
/// Visits of one feed at most: 1.8 MB, which an answer of AWS Lambda holds.
const MOST: i64 = 5_000;

const CALENDAR: HeaderValue = HeaderValue::from_static("text/calendar; charset=utf-8");
/// Kept by the program alone, and asked for at each use whether it is still so.
const ASK_AGAIN: HeaderValue = HeaderValue::from_static("private, no-cache");
/// As the calendar part of the mails is called.
const FILE: HeaderValue = HeaderValue::from_static("inline; filename=\"rendez-vous.ics\"");

#[derive(Debug, Deserialize)]
struct Content {
    language: Lang,
    events: Vec<Event>,
}

/// Where the feed of a token is. Programs look at the end of an address for what it leads to.
pub(crate) fn path(token: &str) -> String {
    format!("/v1/calendar-feeds/content/{token}.ics")
}

/// The visits of a feed as a calendar (RFC 5545): those that its owner may see at this instant, from 90 days back to a year ahead,
/// and for 30 days those that were called off. Times and a neutral title, nothing else. The `ETag` is another if, and only if, the
/// calendar is.
#[utoipa::path(get, path = "/v1/calendar-feeds/content/{token}", operation_id = "read_calendar_feed", tag = "calendar-feeds",
    params(("token" = String, Path, max_length = 100, description = "As the address has it, with `.ics`."),
           ("If-None-Match" = Option<String>, Header, description = "Tags of what the program has.")),
    responses((status = 200, description = "The calendar.", content_type = "text/calendar"),
              (status = 304, description = "It is what the program has."),
              (status = 404, description = "No feed has this address, or none any more.")))]
pub(crate) async fn content(
    State(ctx): State<Ctx>, request: RequestId, address: ClientAddress, headers: HeaderMap,
    Segment(token): Segment<String>,
) -> Result<Response, Problem> {
    let unknown = || Problem::new(Kind::NotFound);
    let token = token.strip_suffix(".ics").ok_or_else(unknown)?;
    let now = ctx.now();
    let (who, hash) = (anonymous(request, address, now), digest(token.as_bytes()));
    let parameters = params![who, hash, now - PAST, now + AHEAD, now - CANCELLED, MOST];
    let feed = ctx.db.optional(&CONTENT, parameters).await?.ok_or_else(unknown)?;
    answer(&headers, calendar::feed(&feed.events, feed.language, &ctx.config, now))
}

fn answer(asked: &HeaderMap, calendar: String) -> Result<Response, Problem> {
    let tag = digest(calendar.as_bytes());
    let mut response = if has(asked, &tag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        ([(CONTENT_TYPE, CALENDAR), (CONTENT_DISPOSITION, FILE)], calendar).into_response()
    };
    let headers = response.headers_mut();
    headers.insert(ETAG, HeaderValue::try_from(format!("\"{tag}\"")).map_err(Problem::internal)?);
    headers.insert(CACHE_CONTROL, ASK_AGAIN);
    Ok(response)
}

/// Whether the program has what is called so: a list of tags, several lines of them, or `*`; compared weakly, as RFC 9110 §13.1.2
/// wants it, so that what stands before the quotes makes no difference.
fn has(asked: &HeaderMap, tag: &str) -> bool {
    let mut lines = asked.get_all(IF_NONE_MATCH).iter().filter_map(|line| line.to_str().ok());
    lines.any(|line| line.trim() == "*" || line.split('"').skip(1).step_by(2).any(|it| it == tag))
}
