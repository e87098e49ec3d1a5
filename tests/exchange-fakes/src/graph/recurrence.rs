//! How series go on, as Graph writes it.

use jiff::civil::Weekday;
use serde_json::{Value, json};

use crate::mailbox::{Event, Range, Recurrence};

const DAYS: [(&str, Weekday); 7] = [
    ("monday", Weekday::Monday),
    ("tuesday", Weekday::Tuesday),
    ("wednesday", Weekday::Wednesday),
    ("thursday", Weekday::Thursday),
    ("friday", Weekday::Friday),
    ("saturday", Weekday::Saturday),
    ("sunday", Weekday::Sunday),
];

pub(super) fn write(recurrence: &Recurrence, event: &Event) -> Value {
    let days: Vec<&str> = DAYS.iter().filter(|(_, day)| recurrence.days.contains(day)).map(|(name, _)| *name).collect();
    let pattern = json!({
        "type": if days.is_empty() { "daily" } else { "weekly" },
        "interval": recurrence.interval,
        "month": 0,
        "dayOfMonth": 0,
        "daysOfWeek": days,
        "firstDayOfWeek": "monday",
        "index": "first",
    });
    let (kind, end, count) = match recurrence.range {
        Range::Forever => ("noEnd", "0001-01-01".to_owned(), 0),
        Range::Count(count) => ("numbered", "0001-01-01".to_owned(), count),
        Range::Until(day) => ("endDate", day.to_string(), 0),
    };
    let range = json!({
        "type": kind,
        "startDate": event.start.date(),
        "endDate": end,
        "recurrenceTimeZone": event.zone,
        "numberOfOccurrences": count,
    });
    json!({"pattern": pattern, "range": range})
}

pub(super) fn read(value: &Value) -> Option<Recurrence> {
    let (pattern, range) = (&value["pattern"], &value["range"]);
    let days = match pattern["type"].as_str()? {
        "daily" => Vec::new(),
        "weekly" => {
            let names = pattern["daysOfWeek"].as_array()?;
            DAYS.iter().filter(|(name, _)| names.iter().any(|one| one == name)).map(|(_, day)| *day).collect()
        }
        _ => return None,
    };
    let range = match range["type"].as_str()? {
        "noEnd" => Range::Forever,
        "numbered" => Range::Count(u32::try_from(range["numberOfOccurrences"].as_u64()?).ok()?),
        "endDate" => Range::Until(range["endDate"].as_str()?.parse().ok()?),
        _ => return None,
    };
    Some(Recurrence { days, interval: u32::try_from(pattern["interval"].as_u64()?).ok()?, range })
}
