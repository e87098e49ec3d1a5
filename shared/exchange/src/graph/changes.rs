//! What changed in a window: rounds of `calendarView/delta`. Its rows tell too little of occurrences, so that series are listed anew.

use std::collections::{BTreeMap, BTreeSet};

use domain::Timestamp;
use domain::interval::Interval;
use domain::sync::{Item, RemoteId};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Graph;
use super::call::plain;
use super::faults::About;
use super::items::expanded;
use super::row::{Row, SELECT, Unfit};
use crate::{Changes, Cursor, Fault, Why};

/// Rows of one round that are asked for once more since they tell too little. Whole rows are the rule.
const MOST_THIN: usize = 500;
/// What could not be read and is asked for again in the next round. What is beyond waits for a whole reading.
const MOST_AGAIN: usize = 20;

/// What a cursor of ours holds: the server's link is of one window, and does not say which.
#[derive(Serialize, Deserialize)]
struct Known {
    from: Timestamp,
    to: Timestamp,
    link: String,
    /// Items, and series, that the server failed to tell of.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    items: BTreeSet<String>,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    series: BTreeSet<String>,
}

/// What a round says of one number; the last word counts.
enum Fate {
    There(Box<Row>),
    Gone,
    Strange(String),
}

/// What comes of a round.
#[derive(Default)]
struct Round {
    items: BTreeMap<String, Item>,
    series: Vec<RemoteId>,
    gone: BTreeSet<String>,
    unread: BTreeMap<String, String>,
    again: (BTreeSet<String>, BTreeSet<String>),
}

impl Graph {
    pub(super) async fn changes_in(&self, since: Option<&Cursor>, window: Interval) -> Result<Changes, Fault> {
        let known = since.and_then(|cursor| serde_json::from_str::<Known>(&cursor.0).ok());
        let known = known.filter(|known| known.from == window.start() && known.to == window.end());
        let whole = known.is_none();
        let (first, about, items, mut series) = match known {
            Some(known) => (known.link, About::Cursor, known.items, known.series),
            None => (self.delta_url(window), About::Changes, BTreeSet::new(), BTreeSet::new()),
        };
        let (rows, link) = self.pages(first, about).await?;
        let link = link.ok_or_else(|| Fault::new(Why::Malformed, "no end of changes"))?;
        self.ours(&link)?;
        let (mut round, mut thin) = (Round::default(), items);
        self.sort(rows, &mut round, &mut thin, &mut series);
        self.complete(thin, &mut round, &mut series).await?;
        for master in series {
            self.list(master, window, &mut round).await?;
        }
        if whole {
            self.tag(window, &mut round).await?;
        }
        Ok(round.changes(window, link, whole))
    }

    /// Rounds show no tags: those of the items in the window, once everything is read anyway. So items of ours are known again that nothing
    /// else tells of: a mailbox was left as it was and connected anew, or moved here from another server.
    async fn tag(&self, window: Interval, round: &mut Round) -> Result<(), Fault> {
        let (from, to) = (plain(&window.start().to_string()), plain(&window.end().to_string()));
        let view = format!("{}/calendarView?startDateTime={from}&endDateTime={to}", self.calendar_url());
        let rows = match self.pages(format!("{view}&$select=id&{}", expanded()), About::Changes).await {
            Ok((rows, _)) => rows,
            // One that shows no tags to anybody is read without.
            Err(fault) if fault.why == Why::Refused => return Ok(()),
            Err(fault) => return Err(fault),
        };
        for row in rows.into_iter().filter_map(|row| serde_json::from_value::<Row>(row).ok()) {
            if let (Some(tag), Some(item)) = (row.tag(), round.items.get_mut(&row.id)) {
                item.tag = Some(tag);
            }
        }
        Ok(())
    }

    fn delta_url(&self, window: Interval) -> String {
        let (from, to) = (plain(&window.start().to_string()), plain(&window.end().to_string()));
        format!("{}/calendarView/delta?startDateTime={from}&endDateTime={to}", self.calendar_url())
    }

    /// What each row is: an item, one that tells too little, or a sign that a series has changed.
    fn sort(&self, rows: Vec<Value>, round: &mut Round, thin: &mut BTreeSet<String>, series: &mut BTreeSet<String>) {
        let mut fates: BTreeMap<String, Fate> = BTreeMap::new();
        for row in rows {
            let id = row.get("id").and_then(Value::as_str).unwrap_or_default().to_owned();
            let fate = match serde_json::from_value::<Row>(row) {
                Ok(row) if row.removed.is_some() => Fate::Gone,
                Ok(row) => {
                    series.extend(row.series().map(str::to_owned));
                    Fate::There(Box::new(row))
                }
                Err(_) => Fate::Strange("not a row".to_owned()),
            };
            fates.insert(id, fate);
        }
        for (id, fate) in fates {
            match fate {
                Fate::There(row) if row.series().is_some() => {}
                Fate::There(row) => match row.item(&self.place.time_zone) {
                    Ok(item) => drop(round.items.insert(id, item)),
                    Err(Unfit::Thin) => drop(thin.insert(id)),
                    Err(Unfit::Strange(why)) => drop(round.unread.insert(id, why.to_owned())),
                },
                Fate::Gone => drop(round.gone.insert(id)),
                Fate::Strange(why) => drop(round.unread.insert(id, why)),
            }
        }
    }

    /// Asks for what told too little, one by one.
    async fn complete(
        &self, thin: BTreeSet<String>, round: &mut Round, series: &mut BTreeSet<String>,
    ) -> Result<(), Fault> {
        if thin.len() > MOST_THIN {
            return Err(Fault::new(Why::Malformed, "too many rows that tell too little"));
        }
        for id in thin {
            // The round may have told of it whole meanwhile.
            if round.items.contains_key(&id) || round.gone.contains(&id) {
                continue;
            }
            match self.patiently(|| self.read_row(&id)).await {
                Ok(None) => drop(round.gone.insert(id)),
                Ok(Some(row)) => match (row.series(), row.item(&self.place.time_zone)) {
                    (Some(master), _) => drop(series.insert(master.to_owned())),
                    (None, Ok(item)) => drop(round.items.insert(id, item)),
                    (None, Err(unfit)) => drop(round.unread.insert(id, unfit.words())),
                },
                Err(fault) if poisonous(&fault) => {
                    round.again.0.insert(id.clone());
                    round.unread.insert(id, fault.code);
                }
                Err(fault) => return Err(fault),
            }
        }
        Ok(())
    }

    /// Lists a series in the window, all of it.
    async fn list(&self, master: String, window: Interval, round: &mut Round) -> Result<(), Fault> {
        let (from, to) = (plain(&window.start().to_string()), plain(&window.end().to_string()));
        let url =
            format!("{}/instances?startDateTime={from}&endDateTime={to}&$select={SELECT}", self.item_url(&master));
        let rows = match self.patiently(|| self.pages(url.clone(), About::Item)).await {
            Ok((rows, _)) => rows,
            // Whether it or the calendar is gone is asked before that is believed.
            Err(fault) if fault.why == Why::Gone => {
                round.gone.insert(master.clone());
                round.series.push(RemoteId(master));
                return Ok(());
            }
            Err(fault) if poisonous(&fault) => {
                round.again.1.insert(master.clone());
                round.unread.insert(master, fault.code);
                return Ok(());
            }
            Err(fault) => return Err(fault),
        };
        let mut all = true;
        for row in rows {
            let id = row.get("id").and_then(Value::as_str).unwrap_or_default().to_owned();
            let parsed = serde_json::from_value::<Row>(row).map_err(|_| Unfit::Strange("not a row"));
            match parsed.and_then(|row| row.item(&self.place.time_zone)) {
                Ok(item) => {
                    round.gone.remove(&id);
                    round.items.insert(id, Item { series: Some(RemoteId(master.clone())), ..item });
                }
                Err(unfit) => {
                    all = false;
                    round.unread.insert(id, unfit.words());
                }
            }
        }
        // Of a series that is not all here nothing follows for those that are not.
        if all {
            round.series.push(RemoteId(master));
        }
        Ok(())
    }

    /// Once more if the server fails at it: what fails twice is taken for a fault of that very item.
    async fn patiently<T, F>(&self, ask: impl Fn() -> F) -> Result<T, Fault>
    where
        F: Future<Output = Result<T, Fault>>,
    {
        match ask().await {
            Err(fault) if fault.code == FAILED => ask().await,
            other => other,
        }
    }
}

/// Outlook's word for a failure of its own at one request.
const FAILED: &str = "ErrorInternalServerError";

/// Whether it is about that very item, so that the others go on without it.
fn poisonous(fault: &Fault) -> bool {
    matches!(fault.why, Why::Refused | Why::Malformed) || fault.code == FAILED
}

impl Unfit {
    fn words(&self) -> String {
        match self {
            Self::Thin => "it tells too little".to_owned(),
            Self::Strange(why) => (*why).to_owned(),
        }
    }
}

impl Round {
    fn changes(self, window: Interval, link: String, whole: bool) -> Changes {
        let kept = |all: BTreeSet<String>| all.into_iter().take(MOST_AGAIN).collect();
        let (items, series) = self.again;
        let known = Known { from: window.start(), to: window.end(), link, items: kept(items), series: kept(series) };
        let cursor = Cursor(serde_json::to_string(&known).unwrap_or_default());
        Changes {
            cursor,
            whole,
            items: self.items.into_values().collect(),
            series: self.series,
            gone: self.gone.into_iter().map(RemoteId).collect(),
            unread: self.unread.into_iter().map(|(id, why)| (RemoteId(id), why)).collect(),
        }
    }
}
