//! When somebody is not free, in the zone that is asked in.

use domain::SignedDuration;
use domain::interval::Interval;
use domain::sync::Shown;
use exchange::ews::xml::{Node, el};
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::Ews;
use super::answer::Failure;
use super::asked::Asked;
use super::fields;

/// The longest that is told of at once, in days.
const LONGEST: i64 = 62;

/// `GetUserAvailability`.
pub fn get(ews: &Ews, asked: &Asked) -> Result<Vec<Node>, Failure> {
    let schema = Failure::Fault("ErrorSchemaValidation");
    let bias: i64 =
        asked.body.at(&["TimeZone", "Bias"]).and_then(|bias| bias.text.trim().parse().ok()).ok_or(schema)?;
    let bias = SignedDuration::from_mins(bias);
    let window = asked.body.at(&["FreeBusyViewOptions", "TimeWindow"]).ok_or(schema)?;
    let time = |name| {
        let civil: DateTime = window.word(name)?.parse().ok()?;
        civil.to_zoned(TimeZone::UTC).ok()?.timestamp().checked_add(bias).ok()
    };
    let window = time("StartTime").zip(time("EndTime")).and_then(|(start, end)| Interval::new(start, end));
    let window = window.ok_or(Failure::Message("ErrorInvalidTimeInterval"))?;
    if window.end().duration_since(window.start()).as_hours() > LONGEST * 24 {
        return Err(Failure::Message("ErrorTimeIntervalTooBig"));
    }
    let state = ews.server.state();
    let shown = state.view(&asked.mailbox, None, window).into_iter().filter(|event| event.shown != Shown::Free);
    let local = |at: domain::Timestamp| at.checked_sub(bias).unwrap_or(at).strftime("%Y-%m-%dT%H:%M:%S").to_string();
    let event = |event: crate::mailbox::Event| {
        el("t:CalendarEvent")
            .with(el("t:StartTime").text(local(event.starts_at())))
            .with(el("t:EndTime").text(local(event.ends_at())))
            .with(el("t:BusyType").text(fields::shown(event.shown)))
    };
    let view = el("m:FreeBusyView")
        .with(el("t:FreeBusyViewType").text("FreeBusy"))
        .with(el("t:CalendarEventArray").with_all(shown.map(event)));
    let told = el("m:ResponseMessage").attr("ResponseClass", "Success").with(el("m:ResponseCode").text("NoError"));
    Ok(vec![el("m:FreeBusyResponse").with(told).with(view)])
}
