//! A stretch of a calendar read whole from a server that cuts its answers without saying so: Exchange gives a thousand items of a view at
//! most, or what its throttling policy allows, the earliest first, and says that this was all. So what may be cut is asked for again in
//! two halves.

use std::collections::BTreeMap;

use domain::Timestamp;
use domain::interval::Interval;
use domain::sync::RemoteId;
use futures_util::future::BoxFuture;

use super::answers::Found;
use super::requests::ITEMS_A_PAGE;
use crate::{Fault, Why};

/// A page that is not as long is not doubted. No policy under which clients work is as narrow.
const NEVER_CUT: usize = 50;
/// How many pages one reading may take: a quarter of a million items, or a server that does not cut by time at all.
const MOST_PAGES: usize = 512;

/// One answer of a server.
pub struct Page {
    /// How many items it lists, of whatever kind.
    pub listed: usize,
    /// Whether the server says that there are more. That it does not say so means nothing.
    pub more: bool,
    /// Those that are a calendar's.
    pub found: Vec<Found>,
}

/// What gives one page: items of a span, as many as the server likes.
pub trait Pages: Sync {
    /// The page of a span.
    fn page(&self, span: Interval) -> BoxFuture<'_, Result<Page, Fault>>;
}

/// What was read so far.
#[derive(Default)]
struct Reading {
    found: BTreeMap<RemoteId, Found>,
    /// The longest page that was given: shorter ones are whole.
    longest: usize,
    /// Where the server cuts, once it was caught at it.
    cut: Option<usize>,
    pages: usize,
}

/// Everything there is in a stretch of time.
///
/// # Errors
/// What a page fails with; [`Why::Refused`] when it cannot be read whole.
pub async fn whole(pages: &impl Pages, window: Interval) -> Result<Vec<Found>, Fault> {
    let mut reading = Reading::default();
    let mut spans = vec![window];
    while let Some(span) = spans.pop() {
        let page = reading.page(pages, span).await?;
        if reading.is_cut(pages, span, &page).await? {
            let (first, second) =
                halves(span).ok_or_else(|| Fault::new(Why::Refused, "too many items at one moment"))?;
            spans.extend([second, first]);
        }
        reading.longest = reading.longest.max(page.listed);
        reading.keep(page.found);
    }
    Ok(reading.found.into_values().collect())
}

impl Reading {
    async fn page(&mut self, pages: &impl Pages, span: Interval) -> Result<Page, Fault> {
        self.pages += 1;
        if self.pages > MOST_PAGES {
            return Err(Fault::new(Why::Refused, "too many items to read them all"));
        }
        pages.page(span).await
    }

    /// Whether there may be more in a span than its page has.
    async fn is_cut(&mut self, pages: &impl Pages, span: Interval, page: &Page) -> Result<bool, Fault> {
        let count = page.listed;
        if page.more {
            return Ok(true);
        }
        // Who gives more than was asked for does not cut there.
        if !(NEVER_CUT..=ITEMS_A_PAGE).contains(&count) || count < self.longest {
            return Ok(false);
        }
        if count == ITEMS_A_PAGE || self.cut == Some(count) {
            return Ok(true);
        }
        // The longest page so far, and a round of its own would show what comes after its last item.
        let Some(rest) = after_the_last(&page.found, span) else { return Ok(false) };
        let rest = self.page(pages, rest).await?.found;
        let known = |found: &Found| page.found.iter().any(|one| id(one) == id(found));
        let cut = rest.iter().any(|found| !known(found));
        if cut {
            self.cut = Some(count);
        }
        self.keep(rest);
        Ok(cut)
    }

    fn keep(&mut self, page: Vec<Found>) {
        self.found.extend(page.into_iter().map(|found| (id(&found).clone(), found)));
    }
}

/// The number of what was found.
pub fn id(found: &Found) -> &RemoteId {
    match found {
        Ok(item) => &item.id,
        Err((id, _)) => id,
    }
}

/// The part of a span from the beginning of the last item on.
fn after_the_last(page: &[Found], span: Interval) -> Option<Interval> {
    let last = page.iter().filter_map(|found| found.as_ref().ok()).map(|item| item.face.starts_at).max()?;
    Interval::new(last.max(span.start()), span.end())
}

/// A span in two, at a whole second: servers take no finer time.
fn halves(span: Interval) -> Option<(Interval, Interval)> {
    let middle = i64::midpoint(span.start().as_second(), span.end().as_second());
    let middle = Timestamp::from_second(middle).ok()?;
    Some((Interval::new(span.start(), middle)?, Interval::new(middle, span.end())?))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use domain::sync::{Face, Item, Shown, Version};
    use futures_executor::block_on;
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    /// A server that gives what overlaps, earliest first, and no more than it likes.
    struct Server {
        items: Vec<(i64, i64)>,
        cut: usize,
        pages: AtomicUsize,
    }

    impl Pages for Server {
        fn page(&self, span: Interval) -> BoxFuture<'_, Result<Page, Fault>> {
            self.pages.fetch_add(1, Ordering::Relaxed);
            let mut found: Vec<_> = self
                .items
                .iter()
                .enumerate()
                .filter(|(_, (start, end))| at(*start) < span.end() && at(*end) > span.start())
                .collect();
            found.sort_by_key(|(_, (start, _))| *start);
            let item = |(number, (start, end)): (usize, &(i64, i64))| {
                let face = Face {
                    starts_at: at(*start),
                    ends_at: at(*end),
                    shown: Shown::Busy,
                    private: false,
                    text: Uuid::nil(),
                };
                Ok(Item {
                    id: RemoteId(number.to_string()),
                    version: Version(String::new()),
                    series: None,
                    face,
                    cancelled: false,
                    tag: None,
                })
            };
            let found: Vec<Found> = found.into_iter().take(self.cut).map(item).collect();
            Box::pin(std::future::ready(Ok(Page { listed: found.len(), more: false, found })))
        }
    }

    fn read(items: Vec<(i64, i64)>, cut: usize) -> (Result<usize, Fault>, usize) {
        let server = Server { items, cut, pages: AtomicUsize::new(0) };
        let window = Interval::new(at(0), at(180 * 86_400)).unwrap();
        let read = block_on(whole(&server, window));
        (read.map(|found| found.len()), server.pages.into_inner())
    }

    #[test]
    fn ten_thousand_occurrences_are_read_and_a_few_take_one_page() {
        let many = |count: i64| (0..count).map(|n| (n * 1_000, n * 1_000 + 900)).collect::<Vec<_>>();
        let (read_all, pages) = read(many(15_000), ITEMS_A_PAGE);
        assert_eq!(read_all, Ok(15_000));
        assert!(pages < 64, "{pages}");
        assert_eq!(read(many(49), 1_000), (Ok(49), 1));
        assert_eq!(read(many(500), 1_000), (Ok(500), 2));
        assert_eq!(read(many(1_500), usize::MAX), (Ok(1_500), 1));
    }

    #[test]
    fn what_cannot_be_read_whole_is_not_said_to_be() {
        let (read, pages) = read(vec![(1_000, 1_001); 1_100], 1_000);
        assert_eq!(read.unwrap_err().why, Why::Refused);
        assert!(pages <= MOST_PAGES + 1);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn nothing_is_lost_wherever_the_server_cuts(
            starts in prop::collection::vec((0..180_i64 * 86_400, 60..7_200_i64), 0..1_500), cut in 100_usize..1_000, long in 0_usize..20,
        ) {
            let mut items: Vec<_> = starts.into_iter().map(|(start, length)| (start, start + length)).collect();
            items.extend((0..long).map(|n| (i64::try_from(n).unwrap() * 86_400, 200 * 86_400)));
            let count = items.iter().filter(|(start, _)| *start < 180 * 86_400).count();
            prop_assert_eq!(read(items, cut).0, Ok(count));
        }
    }
}
