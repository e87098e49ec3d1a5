//! Events as Graph writes and reads them.

use domain::sync::Shown;
use exchange::time_zones;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::recurrence;
use super::{Call, Refused};
use crate::mailbox::{Event, Kind, Sensitivity, Told};

const IMMUTABLE: &str = "AAkALg";
const USUAL: &str = "AAMkAD";

/// How a caller wants events to be written.
pub(super) struct Manner {
    immutable: bool,
    zone: TimeZone,
    zone_name: String,
    text: bool,
    tag: Option<(String, String)>,
    select: Vec<String>,
}

/// The number of the model: both forms lead to the same event.
pub(super) fn inner_id(id: &str) -> String {
    let (prefix, rest) = id.strip_prefix("OID.").map_or(("", id), |rest| ("OID.", rest));
    format!("{prefix}{}", rest.strip_prefix(USUAL).map_or_else(|| rest.to_owned(), |rest| format!("{IMMUTABLE}{rest}")))
}

/// The key of a named property by the number Graph gives it: `String {set} Name name`, or of another type.
pub(super) fn property(id: &str) -> Option<(String, String)> {
    let (_, rest) = id.split_once(" {")?;
    let (set, name) = rest.split_once("} Name ")?;
    Some((set.to_lowercase(), name.to_owned()))
}

pub(super) fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(before)?;
    rest.split_once(after).map(|(value, _)| value)
}

impl Manner {
    pub(super) fn of(call: &Call<'_>) -> Result<Self, Refused> {
        let zone_name = call.preferred("outlook.timezone").unwrap_or("UTC").to_owned();
        let zone = time_zones::zone(&zone_name).ok_or(Refused(400, "TimeZoneNotSupportedException"))?;
        let expand = call.query.get("$expand").and_then(|text| between(text, "id eq '", "'")).and_then(property);
        let select = call.query.get("$select").map(|text| text.split(',').map(|one| one.trim().to_owned()).collect());
        Ok(Self {
            immutable: call.preferred("idtype").is_some_and(|value| value == "ImmutableId"),
            text: call.prefers(r#"outlook.body-content-type="text""#),
            zone,
            zone_name,
            tag: expand,
            select: select.unwrap_or_default(),
        })
    }

    pub(super) fn id(&self, id: &str) -> String {
        if self.immutable { id.to_owned() } else { id.replacen(IMMUTABLE, USUAL, 1) }
    }

    /// Seven digits and no offset, in the zone asked for; whole days are from midnight to midnight in whatever zone.
    pub(super) fn clock(&self, event: &Event, end: bool) -> Value {
        let civil = match (event.all_day, end) {
            (true, false) => event.start,
            (true, true) => event.end,
            (false, false) => self.zone.to_datetime(event.starts_at()),
            (false, true) => self.zone.to_datetime(event.ends_at()),
        };
        let whole = civil.strftime("%Y-%m-%dT%H:%M:%S");
        let text = match event.told {
            Told::Clearly => format!("{whole}.{:07}", civil.subsec_nanosecond() / 100),
            Told::Garbled => "demain".to_owned(),
        };
        json!({"dateTime": text, "timeZone": self.zone_name})
    }

    /// As rows of changes have occurrences: hardly.
    pub(super) fn thin(&self, event: &Event) -> Value {
        json!({
            "@odata.type": "#microsoft.graph.event",
            "@odata.etag": etag(event),
            "id": self.id(&event.id),
            "type": "occurrence",
            "seriesMasterId": event.series().map(|id| self.id(id)),
            "start": self.clock(event, false),
            "end": self.clock(event, true),
        })
    }

    /// All that Graph tells of an event.
    pub(super) fn whole(&self, event: &Event) -> Value {
        let mut row = self.head(event);
        let address = |address: &String| json!({"emailAddress": {"address": address}, "type": "required"});
        let attendees: Vec<Value> = event.attendees.iter().map(address).collect();
        let location = json!({"displayName": event.location, "locationType": "default", "uniqueId": event.location, "uniqueIdType": "private"});
        row["isAllDay"] = json!(event.all_day);
        row["isCancelled"] = json!(event.cancelled);
        row["isDraft"] = json!(false);
        row["isOrganizer"] = json!(true);
        row["responseRequested"] = json!(true);
        row["seriesMasterId"] = json!(event.series().map(|id| self.id(id)));
        row["showAs"] = json!(shown(event.shown));
        row["type"] = json!(kind(event));
        row["isOnlineMeeting"] = json!(false);
        row["onlineMeetingProvider"] = json!("unknown");
        row["responseStatus"] = json!({"response": "organizer", "time": "0001-01-01T00:00:00Z"});
        row["body"] = self.body(event);
        row["start"] = self.clock(event, false);
        row["end"] = self.clock(event, true);
        row["location"] = location;
        row["recurrence"] = event.recurrence.as_ref().map_or(Value::Null, |one| recurrence::write(one, event));
        row["attendees"] = json!(attendees);
        self.narrowed(row, event)
    }

    fn head(&self, event: &Event) -> Value {
        json!({
            "@odata.etag": etag(event),
            "id": self.id(&event.id),
            "createdDateTime": fraction(event.created),
            "lastModifiedDateTime": fraction(event.modified),
            "changeKey": event.change_key(),
            "categories": event.categories,
            "transactionId": event.transaction,
            "originalStartTimeZone": event.zone,
            "originalEndTimeZone": event.zone,
            "iCalUId": event.uid,
            "reminderMinutesBeforeStart": 15,
            "isReminderOn": event.reminder,
            "hasAttachments": false,
            "subject": event.subject,
            "bodyPreview": event.body.chars().take(255).collect::<String>(),
            "importance": "normal",
            "sensitivity": sensitivity(event.sensitivity),
            "webLink": "https://outlook.office365.com/owa/?itemid=fake",
            // Told by the service and missing in its schema.
            "occurrenceId": null,
        })
    }

    /// Whatever was written, HTML comes back unless text is asked for.
    fn body(&self, event: &Event) -> Value {
        if self.text {
            return json!({"contentType": "text", "content": event.body});
        }
        let content = format!(
            "<html><head>\r\n<meta http-equiv=\"Content-Type\" content=\"text/html; charset=utf-8\">\r\n</head><body>\r\n{}\r\n</body></html>\r\n",
            event.body
        );
        json!({"contentType": "html", "content": content})
    }

    fn narrowed(&self, mut row: Value, event: &Event) -> Value {
        if !self.select.is_empty() {
            let all = row.as_object_mut().unwrap();
            all.retain(|name, _| name.starts_with('@') || name == "id" || self.select.iter().any(|one| one == name));
        }
        if let Some(value) = self.tag.as_ref().and_then(|key| event.properties.get(key)) {
            let (set, name) = self.tag.as_ref().unwrap();
            row["singleValueExtendedProperties"] =
                json!([{"id": format!("String {{{set}}} Name {name}"), "value": value}]);
        }
        row
    }
}

pub(super) fn etag(event: &Event) -> String {
    format!("W/\"{}\"", event.change_key())
}

fn fraction(at: domain::Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S.0579581Z").to_string()
}

fn kind(event: &Event) -> &'static str {
    match (&event.kind, &event.recurrence) {
        (Kind::Alone, None) => "singleInstance",
        (Kind::Alone, Some(_)) => "seriesMaster",
        (Kind::Occurrence { .. }, _) => "occurrence",
        (Kind::Exception { .. }, _) => "exception",
    }
}

pub(super) fn shown(shown: Shown) -> &'static str {
    match shown {
        Shown::Free => "free",
        Shown::Tentative => "tentative",
        Shown::Busy => "busy",
        Shown::Away => "oof",
        Shown::Elsewhere => "workingElsewhere",
    }
}

fn sensitivity(sensitivity: Sensitivity) -> &'static str {
    match sensitivity {
        Sensitivity::Normal => "normal",
        Sensitivity::Personal => "personal",
        Sensitivity::Private => "private",
        Sensitivity::Confidential => "confidential",
    }
}

/// Reads what a body says into an event; what it does not name stays.
pub(super) fn read(body: &Value, event: &mut Event) -> Result<(), Refused> {
    let all = body.as_object().ok_or(Refused(400, "RequestBodyRead"))?;
    for (name, value) in all {
        property_of(name, value, event)?;
    }
    times(body, event)?;
    if event.end < event.start {
        return Err(Refused(400, "ErrorCalendarEndDateIsEarlierThanStartDate"));
    }
    let midnight = |at: DateTime| at.time() == jiff::civil::Time::midnight();
    if event.all_day && !(midnight(event.start) && midnight(event.end) && event.start < event.end) {
        return Err(Refused(400, "ErrorInvalidRequest"));
    }
    Ok(())
}

fn property_of(name: &str, value: &Value, event: &mut Event) -> Result<(), Refused> {
    let bad = || Refused(400, "ErrorInvalidRequest");
    let text = || value.as_str().map(str::to_owned);
    let flag = || value.as_bool().ok_or_else(bad);
    match name {
        "subject" => event.subject = text().unwrap_or_default(),
        "body" => value["content"].as_str().unwrap_or_default().trim().clone_into(&mut event.body),
        "location" => value["displayName"].as_str().unwrap_or_default().trim().clone_into(&mut event.location),
        "isAllDay" => event.all_day = flag()?,
        "isReminderOn" => event.reminder = flag()?,
        "showAs" => {
            let all = [Shown::Free, Shown::Tentative, Shown::Busy, Shown::Away, Shown::Elsewhere];
            event.shown = all.into_iter().find(|one| value == shown(*one)).ok_or_else(bad)?;
        }
        "sensitivity" => {
            let all = [Sensitivity::Normal, Sensitivity::Personal, Sensitivity::Private, Sensitivity::Confidential];
            event.sensitivity = all.into_iter().find(|one| value == sensitivity(*one)).ok_or_else(bad)?;
        }
        "categories" => event.categories = serde_json::from_value(value.clone()).map_err(|_| bad())?,
        "transactionId" => event.transaction = text(),
        _ => return lists_of(name, value, event),
    }
    Ok(())
}

fn lists_of(name: &str, value: &Value, event: &mut Event) -> Result<(), Refused> {
    let bad = || Refused(400, "ErrorInvalidRequest");
    match name {
        "attendees" => {
            let all = value.as_array().ok_or_else(bad)?.iter();
            event.attendees =
                all.filter_map(|one| one["emailAddress"]["address"].as_str().map(str::to_owned)).collect();
        }
        "singleValueExtendedProperties" => {
            for one in value.as_array().ok_or_else(bad)? {
                let key = one["id"].as_str().and_then(property).ok_or_else(bad)?;
                let value = one["value"]
                    .as_str()
                    .map(str::to_owned)
                    .or_else(|| one["value"].as_bool().map(|value| value.to_string()));
                event.properties.insert(key, value.ok_or_else(bad)?);
            }
        }
        "recurrence" if value.is_null() => event.recurrence = None,
        "recurrence" => event.recurrence = Some(recurrence::read(value).ok_or_else(bad)?),
        // Times are read together; the rest is taken, and of no meaning here.
        "start"
        | "end"
        | "@odata.type"
        | "responseRequested"
        | "importance"
        | "allowNewTimeProposals"
        | "isOnlineMeeting"
        | "reminderMinutesBeforeStart"
        | "hideAttendees"
        | "responseStatus"
        | "isOrganizer"
        | "locations"
        | "onlineMeetingProvider"
        | "organizer" => {}
        _ => return Err(Refused(400, "RequestBodyRead")),
    }
    Ok(())
}

fn times(body: &Value, event: &mut Event) -> Result<(), Refused> {
    let bad = || Refused(400, "ErrorInvalidRequest");
    if let Some(zone) = body["start"]["timeZone"].as_str().or(body["end"]["timeZone"].as_str()) {
        let old = time_zones::zone(&event.zone).ok_or_else(bad)?;
        let new = time_zones::zone(zone).ok_or(Refused(400, "TimeZoneNotSupportedException"))?;
        let moved = |civil: DateTime| time_zones::instant(civil, &old).map_or(civil, |at| new.to_datetime(at));
        (event.start, event.end) = (moved(event.start), moved(event.end));
        zone.clone_into(&mut event.zone);
    }
    let there = time_zones::zone(&event.zone).ok_or_else(bad)?;
    let read = |value: &Value| -> Result<DateTime, Refused> {
        let (text, zone) = (value["dateTime"].as_str().ok_or_else(bad)?, value["timeZone"].as_str().unwrap_or("UTC"));
        // In its own zone it is what it says: an hour that comes twice stays what was written.
        if zone == event.zone
            && let Ok(civil) = text.parse()
        {
            return Ok(civil);
        }
        time_zones::read(text, zone).map(|at| there.to_datetime(at)).ok_or_else(bad)
    };
    if let Some(value) = body.get("start").filter(|value| !value.is_null()) {
        event.start = read(value)?;
    }
    if let Some(value) = body.get("end").filter(|value| !value.is_null()) {
        event.end = read(value)?;
    }
    Ok(())
}
