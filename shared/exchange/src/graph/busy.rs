//! When a mailbox is not free: `getSchedule`.

use std::time::Duration;

use domain::interval::{Interval, normalize};
use domain::{SignedDuration, Timestamp};
use http::Method;
use serde::Deserialize;
use serde_json::json;

use super::Graph;
use super::call::{Ask, plain};
use super::faults::{self, About};
use super::row::{Clock, shown};
use crate::{Fault, Why};

/// What one digit of a view stands for, in minutes: the least that Graph takes.
const STEP: i64 = 5;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Schedule {
    availability_view: Option<String>,
    schedule_items: Option<Vec<Taken>>,
    error: Option<serde_json::Value>,
}

#[derive(Deserialize)]
struct Taken {
    status: Option<String>,
    start: Clock,
    end: Clock,
}

impl Graph {
    /// Asked once, with the token at hand: a second try would be too late.
    pub(super) async fn busy_during(&self, during: Interval, longest: Duration) -> Result<Vec<Interval>, Fault> {
        // The server counts in whole seconds, and a part of one is taken all the same.
        let (from, to) = (during.start().as_second(), during.end().as_second());
        let to = to + i64::from(during.end().subsec_nanosecond() > 0);
        let clock = |second: i64| {
            let at = Timestamp::from_second(second).unwrap_or(during.start());
            json!({"dateTime": jiff::tz::TimeZone::UTC.to_datetime(at), "timeZone": "UTC"})
        };
        let body = json!({
            "schedules": [self.place.address],
            "startTime": clock(from),
            "endTime": clock(to),
            "availabilityViewInterval": STEP,
        });
        let url = format!("{}/users/{}/calendar/getSchedule", self.place.base, plain(&self.place.user));
        let mut answer = self.json(Ask::new(Method::POST, url, About::Busy).body(body).once_within(longest)).await?;
        let schedule = answer.get_mut("value").and_then(|all| all.get_mut(0)).map(serde_json::Value::take);
        let schedule: Option<Schedule> = schedule.and_then(|one| serde_json::from_value(one).ok());
        taken(schedule.ok_or_else(|| Fault::new(Why::Malformed, "no schedule"))?, during)
    }
}

fn taken(schedule: Schedule, during: Interval) -> Result<Vec<Interval>, Fault> {
    if let Some(error) = schedule.error {
        let code = faults::word(&error).unwrap_or_else(|| "no schedule".to_owned());
        let why = if code == "ErrorMailRecipientNotFound" { Why::NoMailbox } else { Why::Unavailable };
        return Err(Fault::new(why, code));
    }
    let view = schedule.availability_view.unwrap_or_default();
    let items = schedule.schedule_items.unwrap_or_default();
    // Items are left out where only the times are ours to see, and where there are too many.
    if items.is_empty() {
        if view.is_empty() {
            return Err(Fault::new(Why::Malformed, "no schedule"));
        }
        return Ok(normalize(steps(&view, during)));
    }
    let mut all = Vec::new();
    for item in items {
        let times = item.start.instant().zip(item.end.instant());
        let (start, end) = times.ok_or_else(|| Fault::new(Why::Malformed, "a time that is none"))?;
        // What is shown as something new is not free for all we know.
        if item.status.as_deref().and_then(|text| shown(text).ok()).is_none_or(|shown| shown.blocks(true)) {
            all.extend(Interval::new(start, end).and_then(|one| one.intersect(&during)));
        }
    }
    Ok(normalize(all))
}

/// The stretches of which a view says that they are provisional, busy or away.
fn steps(view: &str, during: Interval) -> Vec<Interval> {
    let step = SignedDuration::from_mins(STEP);
    let mut from = during.start();
    let mut all = Vec::new();
    for digit in view.chars() {
        let Ok(to) = from.checked_add(step) else { break };
        if !matches!(digit, '0' | '4') {
            all.extend(Interval::new(from, to).and_then(|one| one.intersect(&during)));
        }
        from = to;
    }
    all
}
