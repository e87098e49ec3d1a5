//! What Exchange answers, and servers that speak like it: liberal in all that does not change the sense.

use bytes::Bytes;
use domain::Timestamp;
use domain::interval::Interval;
use domain::sync::{Face, Item, RemoteId, Shown, Version, text_digest};
use jiff::SignedDuration;
use jiff::civil::DateTime;
use uuid::Uuid;

use super::codes;
use super::requests::GRAIN;
use super::xml::{self, Element};
use crate::{Fault, Response, TAG_NAME, TAG_SET, Why, Written};

/// What was asked, answered: what is in the body. A fault is one whatever its status, and a status that is none of success stands for
/// itself when nothing is said with it.
///
/// # Errors
/// The fault that the server tells of; [`Why::Malformed`] when what it says is no answer.
pub fn body(response: &Response) -> Result<Element, Fault> {
    let (status, headers) = (response.status(), response.headers());
    // What stands between, a proxy or IIS, answers so, and in HTML.
    let of_status = || codes::of_status(status, headers);
    if !status.is_success() && !status.is_server_error() && status.as_u16() != 400 {
        return Err(of_status());
    }
    let said = envelope(response.body());
    match said {
        Ok(said) if said.name == "Fault" => {
            let fault = soap_fault(&said);
            let rest = fault.retry_after.max(codes::retry_after(headers));
            Err(fault.after(rest))
        }
        Ok(said) if status.is_success() => Ok(said),
        Err(fault) if status.is_success() => Err(fault),
        _ => Err(of_status()),
    }
}

/// What the body of an envelope holds.
///
/// # Errors
/// [`Why::Malformed`] when it is none: what was asked may have been done.
pub fn envelope(document: &Bytes) -> Result<Element, Fault> {
    let none = |reason: &str| Fault::new(Why::Malformed, reason).perhaps_done();
    let mut root = xml::read(document).map_err(|error| none(&error.to_string()))?;
    if root.name != "Envelope" {
        return Err(none("not an envelope"));
    }
    let at = root
        .children
        .iter()
        .position(|child| child.name == "Body")
        .ok_or_else(|| none("an envelope without a body"))?;
    let mut body = root.children.swap_remove(at);
    if body.children.is_empty() { Err(none("an empty body")) } else { Ok(body.children.swap_remove(0)) }
}

/// The fault in a SOAP fault: the server's own code before that of the protocol.
pub fn soap_fault(fault: &Element) -> Fault {
    let code = fault.find("ResponseCode").map(|code| code.text.as_str());
    let protocol = || fault.word("faultcode").or_else(|| fault.at(&["Code", "Value"]).map(|code| code.text.as_str()));
    codes::fault(code.or_else(protocol).unwrap_or_default(), fault)
}

/// The messages of an answer, in the order of what was asked.
fn messages(answer: Element) -> Vec<Element> {
    let mut lists = answer
        .children
        .into_iter()
        .filter(|list| matches!(list.name.as_str(), "ResponseMessages" | "FreeBusyResponseArray"));
    lists.next().map(|list| list.children).unwrap_or_default()
}

/// The one message of an answer, when it tells of success.
///
/// # Errors
/// The fault it tells of.
pub fn message(answer: Element) -> Result<Element, Fault> {
    let message = messages(answer).into_iter().next();
    let message = message.ok_or_else(|| Fault::new(Why::Malformed, "an answer without a message").perhaps_done())?;
    succeeded(message.child("ResponseMessage").unwrap_or(&message))?;
    Ok(message)
}

/// What an answer says of each of so many items that were to be made. Those that it does not speak of may have been.
pub fn each_written(answer: Element, count: usize) -> Vec<Result<Written, Fault>> {
    let said = messages(answer);
    // Of more or fewer messages than items nobody knows which is whose.
    let fits = said.len() == count;
    let untold = || Err(Fault::new(Why::Malformed, "an answer for other items").perhaps_done());
    let written_of = |message: Element| succeeded(&message).and_then(|()| written(&message));
    if fits { said.into_iter().map(written_of).collect() } else { (0..count).map(|_| untold()).collect() }
}

/// Whether a message tells of success.
///
/// # Errors
/// The fault it tells of.
pub fn succeeded(message: &Element) -> Result<(), Fault> {
    match (message.word("ResponseCode"), message.attr("ResponseClass")) {
        (Some("NoError"), _) | (None, Some("Success")) => Ok(()),
        (Some(code), _) => Err(codes::fault(code, message)),
        (None, _) => Err(Fault::new(Why::Malformed, "a message without a code").perhaps_done()),
    }
}

/// An item as it was found, or why it could not be understood.
pub type Found = Result<Item, (RemoteId, String)>;

/// The items in a list of occurrences. What lies in a calendar and is none of its items, an invitation, takes no time; a series as one
/// item tells when its first occurrence is and no more.
pub fn items(list: &Element) -> Vec<Found> {
    let is_series = |element: &Element| element.word("CalendarItemType") == Some("RecurringMaster");
    let listed = |element| match item(element) {
        Ok(item) if is_series(element) => Err((item.id, "a series that is listed as one item".to_owned())),
        found => found,
    };
    list.children.iter().filter(|item| item.name == "CalendarItem").map(listed).collect()
}

/// One item of a calendar.
pub fn item(element: &Element) -> Found {
    let id = element.child("ItemId").and_then(|id| id.attr("Id")).unwrap_or_default();
    let id = RemoteId(id.to_owned());
    let unread = |reason: &str| (id.clone(), reason.to_owned());
    if id.0.is_empty() {
        return Err(unread("without a number"));
    }
    let time = |name| element.word(name).and_then(instant).ok_or_else(|| unread("without a time"));
    let (starts_at, ends_at) = (time("Start")?, time("End")?);
    let kind = element.word("CalendarItemType").unwrap_or("Single");
    let series = matches!(kind, "Occurrence" | "Exception")
        .then(|| element.word("UID").map(|uid| RemoteId(uid.to_owned())))
        .flatten();
    let tag = tag(element);
    let text = |name| element.word(name).unwrap_or_default();
    // What is not ours leaves neither its title nor its place behind.
    let text = if tag.is_some() { text_digest(text("Subject"), text("Location")) } else { Uuid::nil() };
    let version = element.child("ItemId").and_then(|id| id.attr("ChangeKey")).unwrap_or_default();
    Ok(Item {
        id: id.clone(),
        version: Version(version.to_owned()),
        series,
        face: Face {
            starts_at,
            ends_at,
            shown: shown(element.word("LegacyFreeBusyStatus").unwrap_or("Busy")),
            private: element.word("Sensitivity") == Some("Private"),
            text,
        },
        cancelled: matches!(element.word("IsCancelled"), Some("true" | "1")),
        tag,
    })
}

fn tag(item: &Element) -> Option<domain::sync::Tag> {
    let ours = |property: &&Element| {
        let field = property.child("ExtendedFieldURI");
        let is = |name, value: &str| {
            field.and_then(|field| field.attr(name)).is_some_and(|known| known.eq_ignore_ascii_case(value))
        };
        property.name == "ExtendedProperty" && is("PropertySetId", TAG_SET) && is("PropertyName", TAG_NAME)
    };
    item.children.iter().filter(ours).find_map(|property| property.word("Value")?.parse().ok())
}

fn shown(status: &str) -> Shown {
    match status {
        "Tentative" => Shown::Tentative,
        "Busy" => Shown::Busy,
        "OOF" => Shown::Away,
        "WorkingElsewhere" => Shown::Elsewhere,
        _ => Shown::Free,
    }
}

/// An instant as servers write it, to the second: with `Z`, an offset with or without a colon, or none, which is universal time here as
/// every request says so.
pub fn instant(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    let end = text
        .char_indices()
        .skip(11)
        .find(|(_, c)| matches!(c, 'Z' | 'z' | '+' | '-' | '.'))
        .map_or(text.len(), |(at, _)| at);
    let (civil, rest) = text.split_at(end);
    let rest = rest.trim_start_matches('.').trim_start_matches(|c: char| c.is_ascii_digit());
    let civil: DateTime = civil.parse().ok()?;
    let offset = match rest {
        "" | "Z" | "z" => 0,
        _ => minutes(rest)?,
    };
    let instant = jiff::tz::Offset::UTC.to_timestamp(civil).ok()?;
    instant.checked_sub(SignedDuration::from_mins(offset)).ok()
}

/// The minutes of an offset: `+01:00`, `-0330`, `+01`.
fn minutes(offset: &str) -> Option<i64> {
    let (sign, digits) = (if offset.starts_with('-') { -1 } else { 1 }, offset.get(1..)?.replace(':', ""));
    if !offset.starts_with(['+', '-']) || !matches!(digits.len(), 2 | 4) || !digits.bytes().all(|b| b.is_ascii_digit())
    {
        return None;
    }
    let (hours, minutes): (i64, i64) =
        (digits.get(..2)?.parse().ok()?, digits.get(2..).filter(|m| !m.is_empty()).unwrap_or("0").parse().ok()?);
    (hours <= 14 && minutes < 60).then_some(sign * (60 * hours + minutes))
}

/// The number and the state that a write left an item with.
///
/// # Errors
/// [`Why::Malformed`] when they are not told: it was done all the same.
pub fn written(message: &Element) -> Result<Written, Fault> {
    let untold = || Fault::new(Why::Malformed, "a write without its number").perhaps_done();
    let id = message.child("Items").and_then(|items| items.find("ItemId")).ok_or_else(untold)?;
    let told = |name| id.attr(name).filter(|value| !value.is_empty()).map(str::to_owned).ok_or_else(untold);
    Ok(Written { id: RemoteId(told("Id")?), version: Version(told("ChangeKey")?) })
}

/// When a mailbox is not free, of what its availability tells of a time from `start` on.
///
/// # Errors
/// [`Why::Forbidden`] when we may not see it.
pub fn busy(message: &Element, start: Timestamp) -> Result<Vec<Interval>, Fault> {
    let view = message.child("FreeBusyView").ok_or_else(|| Fault::new(Why::Malformed, "no availability"))?;
    let counts = |kind: &str| matches!(kind, "Busy" | "OOF" | "Tentative");
    if let Some(events) = view.child("CalendarEventArray") {
        let events = events.children.iter().filter(|event| event.word("BusyType").is_some_and(counts));
        let time = |event: &Element, name| event.word(name).and_then(instant);
        let during = |event: &Element| Some((time(event, "StartTime")?, time(event, "EndTime")?));
        let during =
            events.map(|event| during(event).ok_or_else(|| Fault::new(Why::Malformed, "availability without a time")));
        let during: Vec<_> = during.collect::<Result<_, _>>()?;
        return Ok(during.into_iter().filter_map(|(start, end)| Interval::new(start, end)).collect());
    }
    match (view.word("FreeBusyViewType"), view.word("MergedFreeBusy")) {
        (_, Some(merged)) if !merged.is_empty() => Ok(of_digits(merged, start)),
        // Nothing in it, and it says that it would show it.
        (Some("FreeBusy" | "FreeBusyMerged" | "Detailed" | "DetailedMerged"), _) => Ok(Vec::new()),
        _ => Err(Fault::new(Why::Forbidden, "availability is not shown")),
    }
}

/// What merged digits tell: 1 tentative, 2 busy, 3 out of office. What nobody knows (5, and 4 of servers before 2013) counts as free,
/// since an availability that is not known is no refusal of a whole day.
fn of_digits(digits: &str, start: Timestamp) -> Vec<Interval> {
    let grain = SignedDuration::from_mins(i64::from(GRAIN));
    let piece = |(at, digit): (usize, char)| {
        let from = start.checked_add(grain.checked_mul(i32::try_from(at).ok()?)?).ok()?;
        matches!(digit, '1'..='3').then(|| Interval::new(from, from.checked_add(grain).ok()?)).flatten()
    };
    domain::interval::normalize(digits.chars().enumerate().filter_map(piece).collect())
}
