//! What is in a calendar.

use std::time::Duration;

use domain::Timestamp;
use domain::interval::{Interval, normalize};
use domain::sync::{Item, RemoteId, Tag};
use futures_util::future::BoxFuture;
use jiff::SignedDuration;

use super::view::{Page, Pages};
use super::{Ews, answers, requests, view};
use crate::{Changes, Cursor, Fault, Why};

/// How many calls one reading of changes may take: 100,000 items. What is beyond comes with the next one.
const MOST_CALLS: usize = 200;
/// How much of an availability is asked for at once, in days: what Exchange gives (`MaximumQueryIntervalDays`) is 62, 42 before 2010.
const DAYS_OF_AVAILABILITY: i64 = 42;
const DAY: i64 = 86_400;

impl Ews {
    pub(super) async fn changed(&self, since: Option<&Cursor>, window: Interval) -> Result<Changes, Fault> {
        let known = since.and_then(Known::of);
        // Where it stands is asked for first: what changes while the window is read is told again.
        let (state, anything) = self.until_now(known.as_ref().map(|known| known.state)).await?;
        let cursor = Known { start: window.start(), end: window.end(), state: &state }.cursor();
        let covered = known.is_some_and(|known| known.start == window.start() && known.end == window.end());
        let mut changes = Changes {
            cursor,
            whole: false,
            items: Vec::new(),
            series: Vec::new(),
            gone: Vec::new(),
            unread: Vec::new(),
        };
        if covered && !anything {
            return Ok(changes);
        }
        changes.whole = true;
        for found in view::whole(self, window).await? {
            match found {
                Ok(item) if touches(&item, window) => changes.items.push(item),
                Ok(_) => {}
                Err(unread) => changes.unread.push(unread),
            }
        }
        Ok(changes)
    }

    /// The state that all calls lead to, and whether anything changed on the way.
    async fn until_now(&self, since: Option<&str>) -> Result<(String, bool), Fault> {
        let mut state = since.map(str::to_owned);
        let mut anything = since.is_none();
        for _ in 0..MOST_CALLS {
            let message = self.ask(requests::sync(&self.account, state.as_deref())).await?;
            let next = message.word("SyncState").filter(|state| !state.is_empty());
            let next = next.ok_or_else(|| Fault::new(Why::Malformed, "changes without a state"))?.to_owned();
            let some = message
                .child("Changes")
                .is_some_and(|changes| changes.children.iter().any(|c| c.name != "ReadFlagChange"));
            anything |= some;
            let last = message.word("IncludesLastItemInRange") != Some("false");
            // A server that goes on for ever without getting on.
            let stuck = !some && state.as_deref() == Some(next.as_str());
            state = Some(next);
            if last || stuck {
                break;
            }
        }
        Ok((state.unwrap_or_default(), anything))
    }

    pub(super) async fn one(&self, id: &RemoteId) -> Result<Option<Item>, Fault> {
        let message = match self.ask(requests::get(id)).await {
            Err(fault) if fault.why == Why::Gone => return Ok(None),
            message => message?,
        };
        let element = message.child("Items").and_then(|items| items.children.first());
        let element = element.ok_or_else(|| Fault::new(Why::Malformed, "an item that is none"))?;
        let item = answers::item(element).map_err(|(_, reason)| Fault::new(Why::Malformed, reason))?;
        // One that was moved away may keep its number on some servers: in another folder it is in another calendar, or in the bin.
        let parent = element.child("ParentFolderId").and_then(|parent| parent.attr("Id"));
        let here = match parent {
            Some(parent) => self.folder().await? == parent || self.is_listed(&item).await?,
            None => true,
        };
        Ok(here.then_some(item))
    }

    /// Whether the calendar lists an item at its time: some servers write the number of one folder in several ways.
    async fn is_listed(&self, item: &Item) -> Result<bool, Fault> {
        let moment = SignedDuration::from_secs(1);
        let end = item.face.starts_at.checked_add(moment).unwrap_or(item.face.ends_at);
        let Some(span) = Interval::new(item.face.starts_at, item.face.ends_at.max(end)) else { return Ok(false) };
        let found = view::whole(self, span).await?;
        Ok(found.iter().any(|found| view::id(found) == &item.id))
    }

    /// The calendar's number, asked for once.
    async fn folder(&self) -> Result<&str, Fault> {
        if let Some(folder) = self.folder.get() {
            return Ok(folder);
        }
        let message = self.ask(requests::folder(&self.account)).await?;
        let folder = message.find("FolderId").and_then(|folder| folder.attr("Id"));
        let folder = folder.ok_or_else(|| Fault::new(Why::Malformed, "a folder without a number"))?;
        Ok(self.folder.get_or_init(|| folder.to_owned()))
    }

    /// Whatever carries a tag; a server that leaves the condition aside has its pages gone through.
    pub(super) async fn tagged(&self, tag: Tag) -> Result<Vec<Item>, Fault> {
        let mut items: Vec<Item> = Vec::new();
        let mut offset = 0;
        for _ in 0..MOST_CALLS {
            let message = self.ask(requests::find(&self.account, tag, offset)).await?;
            let root =
                message.child("RootFolder").ok_or_else(|| Fault::new(Why::Malformed, "a search without a result"))?;
            let listed = root.child("Items").map(|items| items.children.as_slice()).unwrap_or_default();
            let ours = listed.iter().filter_map(|item| answers::item(item).ok()).filter(|item| item.tag == Some(tag));
            for item in ours {
                if items.iter().all(|known| known.id != item.id) {
                    items.push(item);
                }
            }
            offset += listed.len();
            if root.attr("IncludesLastItemInRange") != Some("false") || listed.is_empty() {
                return Ok(items);
            }
        }
        Err(Fault::new(Why::Refused, "too many items to look through"))
    }

    /// Whole days are asked for, which every server gives; each part has its share of the time.
    pub(super) async fn not_free(&self, during: Interval, longest: Duration) -> Result<Vec<Interval>, Fault> {
        let parts = days(during);
        let each = longest / u32::try_from(parts.len().max(1)).unwrap_or(u32::MAX);
        let mut busy = Vec::new();
        for part in parts {
            let message = self.ask_within(requests::availability(&self.account, part), each).await?;
            busy.extend(answers::busy(&message, part.start())?);
        }
        Ok(normalize(busy.iter().filter_map(|busy| busy.intersect(&during)).collect()))
    }
}

/// The days, of universal time, that hold a stretch of time, in parts that a server gives at once.
fn days(during: Interval) -> Vec<Interval> {
    let first = during.start().as_second().div_euclid(DAY);
    let end = (during.end().as_second() + i64::from(during.end().subsec_nanosecond() > 0)).div_euclid(DAY) + 1;
    let at = |day: i64| Timestamp::from_second(day * DAY).ok();
    let part = |day: i64| Interval::new(at(day)?, at((day + DAYS_OF_AVAILABILITY).min(end))?);
    (first..end).step_by(usize::try_from(DAYS_OF_AVAILABILITY).unwrap_or(1)).filter_map(part).collect()
}

impl Pages for Ews {
    fn page(&self, span: Interval) -> BoxFuture<'_, Result<Page, Fault>> {
        Box::pin(async move {
            let message = self.ask(requests::view(&self.account, span)).await?;
            let root =
                message.child("RootFolder").ok_or_else(|| Fault::new(Why::Malformed, "a view without a result"))?;
            let Some(list) = root.child("Items") else { return Ok(Page { listed: 0, more: false, found: Vec::new() }) };
            let more = root.attr("IncludesLastItemInRange") == Some("false");
            Ok(Page { listed: list.children.len(), more, found: answers::items(list) })
        })
    }
}

/// What a cursor holds: the window that was read, and the server's own state.
struct Known<'a> {
    start: Timestamp,
    end: Timestamp,
    state: &'a str,
}

impl<'a> Known<'a> {
    /// `None` for a cursor that is not ours.
    fn of(cursor: &'a Cursor) -> Option<Self> {
        let mut parts = cursor.0.splitn(3, ' ');
        let (start, end) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
        Some(Self { start, end, state: parts.next().filter(|state| !state.is_empty())? })
    }

    fn cursor(&self) -> Cursor {
        Cursor(format!("{} {} {}", self.start, self.end, self.state))
    }
}

/// Whether an item is in a window, one without length too: not every server asks.
fn touches(item: &Item, window: Interval) -> bool {
    let (start, end) = (item.face.starts_at, item.face.ends_at);
    start < window.end() && (end > window.start() || (start == end && start == window.start()))
}
