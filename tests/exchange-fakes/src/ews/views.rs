//! Searches, and views that show each occurrence by itself.

use domain::Timestamp;
use domain::interval::Interval;
use exchange::ews::xml::{Element, Node, el};

use super::answer::{self, Failure};
use super::asked::Asked;
use super::fields::{self, Shape};
use super::{Ews, Manner, folders};
use crate::mailbox::Event;

/// The longest view there is, in days: two years.
const LONGEST: i64 = 2 * 366;

/// `FindItem`.
pub fn find(ews: &Ews, asked: &Asked) -> Result<Vec<Node>, Failure> {
    let folder = asked.body.child("ParentFolderIds").ok_or(Failure::Fault("ErrorSchemaValidation"))?;
    let folder = folders::calendar(ews, asked, folder)?;
    let view = asked.body.child("CalendarView");
    let mut events = match view {
        Some(view) => seen(ews, asked, &folder, view)?,
        None => matching(ews, asked, &folder)?,
    };
    if asked.is_shrunk() {
        events.truncate(events.len() / 2);
    }
    let page = view.or_else(|| asked.body.child("IndexedPageItemView"));
    let number = |name| page.and_then(|page| page.attr(name)).and_then(|text| text.parse::<usize>().ok());
    let (offset, most) =
        (number("Offset").unwrap_or(0), number("MaxEntriesReturned").unwrap_or(usize::MAX).min(ews.settings.cut));
    let (total, rest) = (events.len(), events.len().saturating_sub(offset));
    let shape = Shape::of(&asked.body, true, ews.settings.manner);
    let items = events.iter().skip(offset).take(most).map(|event| fields::item(event, &folder, &shape));
    let mut root = el("m:RootFolder");
    if view.is_none() {
        root = root.attr("IndexedPagingOffset", (offset + most.min(rest)).to_string());
    }
    // A view that is cut says that this was all.
    let (total, last) = if view.is_some() { (total.min(most), true) } else { (total, rest <= most) };
    let root = root
        .attr("TotalItemsInView", total.to_string())
        .attr("IncludesLastItemInRange", if last { "true" } else { "false" });
    Ok(vec![answer::success("FindItem").with(root.with(el("t:Items").with_all(items)))])
}

fn seen(ews: &Ews, asked: &Asked, folder: &str, view: &Element) -> Result<Vec<Event>, Failure> {
    let time = |name| {
        view.attr(name).and_then(|text| text.parse::<Timestamp>().ok()).ok_or(Failure::Fault("ErrorSchemaValidation"))
    };
    let (start, end) = (time("StartDate")?, time("EndDate")?);
    let window = Interval::new(start, end).ok_or(Failure::Message("ErrorCalendarEndDateIsEarlierThanStartDate"))?;
    if end.as_second() - start.as_second() > LONGEST * 86_400 {
        return Err(Failure::Message("ErrorCalendarViewRangeTooBig"));
    }
    let state = ews.server.state();
    if ews.settings.manner == Manner::Exchange {
        return Ok(state.view(&asked.mailbox, Some(folder), window));
    }
    let calendar = state.calendar(&asked.mailbox, Some(folder)).ok_or(Failure::Message("ErrorFolderNotFound"))?;
    let touches = |event: &&Event| event.during().is_some_and(|during| during.overlaps(&window));
    Ok(calendar.events.values().filter(touches).cloned().collect())
}

fn matching(ews: &Ews, asked: &Asked, folder: &str) -> Result<Vec<Event>, Failure> {
    let state = ews.server.state();
    let calendar = state.calendar(&asked.mailbox, Some(folder)).ok_or(Failure::Message("ErrorFolderNotFound"))?;
    let all = calendar.events.values().cloned();
    let Some(restriction) = asked.body.child("Restriction") else { return Ok(all.collect()) };
    let equal = restriction.child("IsEqualTo").ok_or(Failure::Message("ErrorUnsupportedQueryFilter"))?;
    let key = equal
        .child("ExtendedFieldURI")
        .and_then(fields::property)
        .ok_or(Failure::Message("ErrorUnsupportedPathForQuery"))?;
    let value =
        equal.at(&["FieldURIOrConstant", "Constant"]).and_then(|constant| constant.attr("Value")).unwrap_or_default();
    Ok(all.filter(|event| event.properties.get(&key).map(String::as_str) == Some(value)).collect())
}
