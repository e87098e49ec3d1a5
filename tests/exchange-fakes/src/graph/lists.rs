//! Lists: calendars, events, views of a window, instances of a series, free and busy times.

use domain::Timestamp;
use domain::interval::Interval;
use domain::sync::Shown;
use exchange::time_zones;
use http::StatusCode;
use serde_json::{Value, json};

use super::shape::{Manner, between, property, shown};
use super::{Answer, At, Call, Graph, Refused};
use crate::mailbox::{Event, Sensitivity};

/// The window that a call names.
pub(super) fn window(call: &Call<'_>) -> Result<Interval, Refused> {
    let read = |name: &str| {
        let text = call.query.get(name)?;
        text.parse::<Timestamp>().ok().or_else(|| time_zones::read(text, "UTC"))
    };
    let ends = read("startDateTime").zip(read("endDateTime"));
    ends.and_then(|(start, end)| Interval::new(start, end)).ok_or(Refused(400, "ErrorInvalidRequest"))
}

impl Graph {
    pub(super) fn calendars(&self, user: &str, call: &Call<'_>) -> Answer {
        let state = self.server.state();
        let mailbox = state.mailbox(user).ok_or(Refused(404, "ErrorInvalidUser"))?;
        let rows: Vec<Value> = mailbox.calendars.keys().map(|id| calendar(mailbox, id)).collect();
        Ok(paged(call, rows, usize::MAX))
    }

    pub(super) fn one_calendar(&self, at: &At<'_>, call: &Call<'_>) -> Answer {
        let state = self.server.state();
        let mailbox = state.mailbox(at.user).ok_or(Refused(404, "ErrorInvalidUser"))?;
        let mut row = calendar(mailbox, at.calendar.as_ref().unwrap_or(&mailbox.default));
        if call.query.get("$select").is_some_and(|select| select == "id") {
            row.as_object_mut().unwrap().retain(|name, _| name == "id");
        }
        Ok((StatusCode::OK, row))
    }

    pub(super) fn list(&self, at: &At<'_>, call: &Call<'_>) -> Answer {
        let manner = Manner::of(call)?;
        let state = self.server.state();
        let page = state.page;
        let events = state.calendar(at.user, at.calendar.as_deref()).ok_or(Refused(404, "ErrorItemNotFound"))?;
        let wanted = call.query.get("$filter").map(|filter| tagged(filter)).transpose()?;
        let fits = |event: &&Event| {
            wanted.as_ref().is_none_or(|(key, value)| event.properties.get(key).is_some_and(|own| own == value))
        };
        let rows = events.events.values().filter(fits).map(|event| manner.whole(event)).collect();
        drop(state);
        Ok(paged(call, rows, page))
    }

    pub(super) fn view(&self, at: &At<'_>, call: &Call<'_>) -> Answer {
        let (manner, window) = (Manner::of(call)?, window(call)?);
        let (events, page) = {
            let state = self.server.state();
            (state.view(at.user, at.calendar.as_deref(), window), state.page)
        };
        Ok(paged(call, events.iter().map(|event| manner.whole(event)).collect(), page))
    }

    pub(super) fn instances(&self, at: &At<'_>, call: &Call<'_>, id: &str) -> Answer {
        let (manner, window, master) = (Manner::of(call)?, window(call)?, self.event(at, id)?);
        if master.recurrence.is_none() {
            return Err(Refused(400, "ErrorInvalidRequest"));
        }
        let page = self.server.state().page;
        Ok(paged(call, master.in_view(window).iter().map(|event| manner.whole(event)).collect(), page))
    }

    pub(super) fn schedule(&self, call: &Call<'_>) -> Answer {
        let (manner, bad) = (Manner::of(call)?, || Refused(400, "ErrorInvalidRequest"));
        let read = |name: &str| {
            let value = &call.body[name];
            time_zones::read(value["dateTime"].as_str()?, value["timeZone"].as_str()?)
        };
        let ends = read("startTime").zip(read("endTime"));
        let window = ends.and_then(|(start, end)| Interval::new(start, end)).ok_or_else(bad)?;
        let step = call.body["availabilityViewInterval"].as_i64().unwrap_or(30);
        if !(5..=1440).contains(&step) {
            return Err(bad());
        }
        let wanted = call.body["schedules"].as_array().ok_or_else(bad)?;
        let state = self.server.state();
        let one = |address: &Value| {
            let address = address.as_str().unwrap_or_default();
            let Some(mailbox) = state.mailbox(address) else {
                let error = json!({"message": "Unable to resolve.", "responseCode": "ErrorMailRecipientNotFound"});
                return json!({"scheduleId": address, "availabilityView": "", "error": error});
            };
            let events = state.view(&mailbox.address, None, window);
            let view = digits(&events, window, step);
            let rows: Vec<Value> = events.iter().map(|event| taken(&manner, event)).collect();
            json!({"scheduleId": address, "availabilityView": view, "scheduleItems": rows, "workingHours": hours()})
        };
        let all: Vec<Value> = wanted.iter().map(one).collect();
        Ok((
            StatusCode::OK,
            json!({"@odata.context": "fake$metadata#Collection(microsoft.graph.scheduleInformation)", "value": all}),
        ))
    }
}

fn calendar(mailbox: &crate::mailbox::Mailbox, id: &str) -> Value {
    let name = mailbox.calendars.get(id).map(|one| one.name.as_str());
    json!({
        "id": id, "name": name, "color": "auto", "hexColor": "", "isDefaultCalendar": id == mailbox.default, "canShare": true,
        "canViewPrivateItems": true, "canEdit": true, "isTallyingResponses": true, "isRemovable": false,
        "owner": {"name": "Fake", "address": mailbox.address},
    })
}

/// The one filter that is understood: by the value of a named property.
fn tagged(filter: &str) -> Result<((String, String), String), Refused> {
    let key = between(filter, "ep/id eq '", "'").and_then(property);
    let value = between(filter, "ep/value eq '", "'").map(str::to_owned);
    key.zip(value).ok_or(Refused(400, "ErrorInvalidUrlQueryFilter"))
}

/// A page of rows, and where the next one is. The caller may want less than a page.
fn paged(call: &Call<'_>, rows: Vec<Value>, most: usize) -> (StatusCode, Value) {
    let number = |name: &str| call.query.get(name).and_then(|text| text.parse::<usize>().ok());
    let size =
        number("$top").or_else(|| call.preferred("odata.maxpagesize")?.parse().ok()).unwrap_or(10).clamp(1, most);
    let from = number("$skip").unwrap_or(0);
    let left = rows.len() > from.saturating_add(size);
    let value: Vec<Value> = rows.into_iter().skip(from).take(size).collect();
    let mut page =
        json!({"@odata.context": "https://graph.microsoft.com/v1.0/$metadata#Collection(event)", "value": value});
    if left {
        let mut query = call.query.clone();
        query.insert("$skip".into(), (from + size).to_string());
        page["@odata.nextLink"] = json!(call.link(&query));
    }
    (StatusCode::OK, page)
}

fn taken(manner: &Manner, event: &Event) -> Value {
    let hidden = !matches!(event.sensitivity, Sensitivity::Normal);
    let mut row = json!({
        "isPrivate": hidden,
        "status": shown(event.shown),
        "start": manner.clock(event, false),
        "end": manner.clock(event, true),
    });
    if !hidden {
        row["subject"] = json!(event.subject);
        row["location"] = json!(event.location);
    }
    row
}

fn digits(events: &[Event], window: Interval, minutes: i64) -> String {
    let step = domain::SignedDuration::from_mins(minutes);
    let mut from = window.start();
    let mut view = String::new();
    while from < window.end() {
        let to = (from + step).min(window.end());
        let here = events.iter().filter(|event| event.starts_at() < to && from < event.ends_at());
        let digit = here.map(|event| match event.shown {
            Shown::Free => 0,
            Shown::Elsewhere => 1,
            Shown::Tentative => 2,
            Shown::Busy => 3,
            Shown::Away => 4,
        });
        view.push(['0', '4', '1', '2', '3'][digit.max().unwrap_or(0)]);
        from = to;
    }
    view
}

fn hours() -> Value {
    json!({
        "daysOfWeek": ["monday", "tuesday", "wednesday", "thursday", "friday"],
        "startTime": "08:00:00.0000000",
        "endTime": "17:00:00.0000000",
        "timeZone": {"name": "Romance Standard Time"},
    })
}

impl Call<'_> {
    /// The address of this call with another query.
    pub(super) fn link(&self, query: &std::collections::BTreeMap<String, String>) -> String {
        let plain =
            |text: &str| percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string();
        let path: String = self.path.iter().map(|one| format!("/{}", plain(one).replace("%2E", "."))).collect();
        let query: Vec<String> =
            query.iter().map(|(name, value)| format!("{}={}", plain(name).replace("%24", "$"), plain(value))).collect();
        format!("{}{path}?{}", self.origin, query.join("&"))
    }
}
