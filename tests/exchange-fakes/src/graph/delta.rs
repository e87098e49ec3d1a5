//! Changes of a window, in rounds of pages. Tokens tell all: window and options stay what the first call said.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::Timestamp;
use domain::interval::Interval;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::shape::Manner;
use super::{Answer, At, Call, Graph, Refused};
use crate::mailbox::{Calendar, Done, Entry, Event, Kind};

#[derive(Serialize, Deserialize)]
struct Token {
    generation: u64,
    from: Timestamp,
    to: Timestamp,
    /// The round tells of what came after.
    since: u64,
    /// And not of what came after that; none in a token that begins a round.
    until: Option<u64>,
    /// Rows of the round that were told.
    told: usize,
}

impl Graph {
    pub(super) fn delta(&self, at: &At<'_>, call: &Call<'_>, shrunk: bool) -> Answer {
        if ["$select", "$expand", "$filter", "$orderby", "$search"].iter().any(|name| call.query.contains_key(*name)) {
            return Err(Refused(400, "ErrorInvalidUrlQuery"));
        }
        let manner = Manner::of(call)?;
        let state = self.server.state();
        let generation = state.mailbox(at.user).map(|mailbox| mailbox.generation).unwrap_or_default();
        let token = token(call, generation)?;
        let window = Interval::new(token.from, token.to).ok_or(Refused(400, "ErrorInvalidRequest"))?;
        let until = token.until.unwrap_or_else(|| state.serial());
        let entries = state.changes(at.user, at.calendar.as_deref(), token.since);
        let calendar = state.calendar(at.user, at.calendar.as_deref()).ok_or(Refused(404, "ErrorItemNotFound"))?;
        let within = entries.iter().filter(|entry| entry.serial <= until);
        let mut rows: Vec<Row> = within.flat_map(|entry| rows_of(calendar, entry, &token, window)).collect();
        if shrunk {
            rows.truncate(rows.len() / 2);
        }
        let wanted = call.preferred("odata.maxpagesize").and_then(|text| text.parse::<usize>().ok()).unwrap_or(10);
        let size = wanted.clamp(1, state.page.max(1));
        let told = token.told.saturating_add(size);
        let left = rows.len() > told;
        let value: Vec<Value> = rows.into_iter().skip(token.told).take(size).map(|row| row.written(&manner)).collect();
        let next = if left {
            Token { until: Some(until), told, ..token }
        } else {
            Token { since: until, until: None, told: 0, ..token }
        };
        let text = URL_SAFE_NO_PAD.encode(serde_json::to_vec(&next).unwrap());
        let (link, name) = if left { ("@odata.nextLink", "$skiptoken") } else { ("@odata.deltaLink", "$deltatoken") };
        let mut page =
            json!({"@odata.context": "https://graph.microsoft.com/v1.0/$metadata#Collection(event)", "value": value});
        page[link] = json!(call.link(&BTreeMap::from([(name.to_owned(), text)])));
        Ok((StatusCode::OK, page))
    }
}

fn token(call: &Call<'_>, generation: u64) -> Result<Token, Refused> {
    let text = call.query.get("$skiptoken").or_else(|| call.query.get("$deltatoken"));
    let Some(text) = text else {
        let window = super::lists::window(call)?;
        return Ok(Token { generation, from: window.start(), to: window.end(), since: 0, until: None, told: 0 });
    };
    let token = URL_SAFE_NO_PAD.decode(text).ok().and_then(|bytes| serde_json::from_slice::<Token>(&bytes).ok());
    let token = token.ok_or(Refused(400, "ErrorInvalidIdMalformed"))?;
    if token.generation == generation { Ok(token) } else { Err(Refused(410, "SyncStateNotFound")) }
}

/// What a round tells.
enum Row {
    Removed(String),
    Whole(Box<Event>),
    Thin(Box<Event>),
}

impl Row {
    fn written(self, manner: &Manner) -> Value {
        match self {
            Self::Removed(id) => json!({
                "@odata.type": "#microsoft.graph.event", "id": manner.id(&id), "@removed": {"reason": "deleted"},
            }),
            Self::Whole(event) => {
                let mut row = manner.whole(&event);
                row["@odata.type"] = json!("#microsoft.graph.event");
                row
            }
            Self::Thin(event) => manner.thin(&event),
        }
    }
}

/// What a round tells of one event. What was changed outside of the window is told to be removed, whether or not it ever was inside.
fn rows_of(calendar: &Calendar, entry: &Entry, token: &Token, window: Interval) -> Vec<Row> {
    let removed = || if token.since == 0 { Vec::new() } else { vec![Row::Removed(entry.id.clone())] };
    let Some(event) = calendar.events.get(&entry.id).filter(|_| entry.done != Done::Deleted) else { return removed() };
    let inside = event.in_view(window);
    if inside.is_empty() {
        return removed();
    }
    let whole = Row::Whole(Box::new(event.clone()));
    if event.recurrence.is_none() {
        return vec![whole];
    }
    let occurrences = inside.into_iter().map(|one| match one.kind {
        Kind::Exception { .. } => Row::Whole(Box::new(one)),
        _ => Row::Thin(Box::new(one)),
    });
    std::iter::once(whole).chain(occurrences).collect()
}
