//! One event: alone, a series, or an occurrence of one.

use std::collections::{BTreeMap, BTreeSet};

use domain::Timestamp;
use domain::interval::Interval;
use domain::sync::Shown;
use exchange::time_zones;
use jiff::civil::{Date, DateTime, Weekday};
use jiff::{Span, ToSpan as _};

/// What Outlook offers to keep from others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sensitivity {
    /// Nothing.
    #[default]
    Normal,
    /// Nothing either, but for a word.
    Personal,
    /// All but the time.
    Private,
    /// As private.
    Confidential,
}

/// How what is told of an event's time reads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Told {
    /// As a time.
    #[default]
    Clearly,
    /// As none: another program has spoiled it.
    Garbled,
}

/// What an event is to others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Kind {
    /// By itself, or a series if it has a recurrence.
    #[default]
    Alone,
    /// As its series has it, on that day.
    Occurrence {
        /// The series.
        master: String,
        /// The day it is of.
        original: Date,
    },
    /// Otherwise than its series has it.
    Exception {
        /// The series.
        master: String,
        /// The day it was of.
        original: Date,
    },
}

/// When a series ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Range {
    /// Never.
    Forever,
    /// After so many, the deleted ones counted.
    Count(u32),
    /// With that day, included.
    Until(Date),
}

/// How a series goes on. The first occurrence is on the day the event begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recurrence {
    /// Weekly on these days; daily if there are none.
    pub days: Vec<Weekday>,
    /// Every so many days or weeks.
    pub interval: u32,
    /// When it ends.
    pub range: Range,
}

/// One event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Its number; those of occurrences tell of which series and day they are.
    pub id: String,
    /// What it is to others.
    pub kind: Kind,
    /// The place of its last change; [`Event::change_key`] shows it.
    pub change: u64,
    /// The place of its making.
    pub made: u64,
    /// Its number in iCalendar.
    pub uid: String,
    /// Its title.
    pub subject: String,
    /// Its place.
    pub location: String,
    /// Its text.
    pub body: String,
    /// What clocks show in [`Event::zone`] when it begins.
    pub start: DateTime,
    /// What they show when it is over.
    pub end: DateTime,
    /// A zone by either side's name, as it was given.
    pub zone: String,
    /// Whether it is of whole days.
    pub all_day: bool,
    /// How it is shown.
    pub shown: Shown,
    /// What it keeps from others.
    pub sensitivity: Sensitivity,
    /// Whether its organiser called it off.
    pub cancelled: bool,
    /// How what is told of its time reads.
    pub told: Told,
    /// Whether it rings.
    pub reminder: bool,
    /// Its colours.
    pub categories: Vec<String>,
    /// Addresses of who is invited.
    pub attendees: Vec<String>,
    /// Named properties of MAPI: by set (lower case) and name.
    pub properties: BTreeMap<(String, String), String>,
    /// The transaction that made it.
    pub transaction: Option<String>,
    /// How it goes on, of a series.
    pub recurrence: Option<Recurrence>,
    /// What differs, by the day it was of.
    pub exceptions: BTreeMap<Date, Event>,
    /// Days on which there is none.
    pub deleted: BTreeSet<Date>,
    /// When it was made.
    pub created: Timestamp,
    /// When it was last changed.
    pub modified: Timestamp,
}

/// No series is followed further than this many occurrences.
const MOST: usize = 20_000;

/// The series and the day that the number of an occurrence tells of.
pub fn master_of(id: &str) -> Option<(&str, Date)> {
    let (master, date) = id.strip_prefix("OID.")?.rsplit_once('.')?;
    Some((master, date.parse().ok()?))
}

impl Event {
    /// A plain busy event of somebody's own, in a zone.
    pub fn new(subject: &str, start: DateTime, end: DateTime, zone: &str) -> Self {
        Self {
            id: String::new(),
            kind: Kind::Alone,
            change: 0,
            made: 0,
            uid: String::new(),
            subject: subject.into(),
            location: String::new(),
            body: String::new(),
            start,
            end,
            zone: zone.into(),
            all_day: false,
            shown: Shown::Busy,
            sensitivity: Sensitivity::Normal,
            cancelled: false,
            told: Told::Clearly,
            reminder: true,
            categories: Vec::new(),
            attendees: Vec::new(),
            properties: BTreeMap::new(),
            transaction: None,
            recurrence: None,
            exceptions: BTreeMap::new(),
            deleted: BTreeSet::new(),
            created: Timestamp::UNIX_EPOCH,
            modified: Timestamp::UNIX_EPOCH,
        }
    }

    /// The same from an instant to another, in Paris.
    pub fn between(subject: &str, during: Interval) -> Self {
        let (start, zone) = time_zones::write(during.start(), "Europe/Paris");
        let end = time_zones::zone(zone).map_or(start, |there| there.to_datetime(during.end()));
        Self::new(subject, start, end, zone)
    }

    fn at(&self, civil: DateTime) -> Timestamp {
        let zone = time_zones::zone(&self.zone).unwrap_or(jiff::tz::TimeZone::UTC);
        time_zones::instant(civil, &zone).unwrap_or_default()
    }

    /// First instant.
    pub fn starts_at(&self) -> Timestamp {
        self.at(self.start)
    }

    /// First instant after.
    pub fn ends_at(&self) -> Timestamp {
        self.at(self.end)
    }

    /// As a server keeps it that has ways of its own: in universal time, some hundredths of a second off, with white space around its words
    /// and a line in its text.
    pub fn rewrite(&mut self) {
        if self.kind == Kind::Alone && self.recurrence.is_none() && !self.all_day && self.zone != time_zones::UTC {
            let off = |at: Timestamp| jiff::tz::TimeZone::UTC.to_datetime(at).saturating_add(57.milliseconds());
            (self.start, self.end) = (off(self.starts_at()), off(self.ends_at()));
            time_zones::UTC.clone_into(&mut self.zone);
        }
        self.subject = format!(" {}\u{a0}", self.subject.trim());
        self.location = format!("{} ", self.location.trim());
        self.body = format!("{}\r\n", self.body.trim());
    }

    /// When it is; `None` if it has no length.
    pub fn during(&self) -> Option<Interval> {
        Interval::new(self.starts_at(), self.ends_at())
    }

    /// What names this state of it, on both protocols.
    pub fn change_key(&self) -> String {
        format!("ZlnW4RIAV06KYYwlrfNZvQAA{:08X}==", self.change)
    }

    /// Our tag, as text, if it carries one.
    pub fn tag(&self) -> Option<&str> {
        let key = (exchange::TAG_SET.to_owned(), exchange::TAG_NAME.to_owned());
        self.properties.get(&key).map(String::as_str)
    }

    /// The series it is of.
    pub fn series(&self) -> Option<&str> {
        match &self.kind {
            Kind::Alone => None,
            Kind::Occurrence { master, .. } | Kind::Exception { master, .. } => Some(master),
        }
    }

    /// Whether the same was asked for, numbers and times of making apart.
    pub fn same_content(&self, other: &Self) -> bool {
        let of = |one: &Self| {
            let one = one.clone();
            (one.subject, one.location, one.start, one.end, one.zone, one.shown, one.sensitivity, one.properties)
        };
        of(self) == of(other)
    }

    /// What a view of a window shows of it.
    pub fn in_view(&self, window: Interval) -> Vec<Event> {
        let Some(recurrence) = &self.recurrence else {
            let inside = self.during().map_or(window.contains(self.starts_at()), |during| during.overlaps(&window));
            return if inside { vec![self.clone()] } else { Vec::new() };
        };
        // An occurrence that was moved may be far from its day.
        let last = window.end().to_zoned(jiff::tz::TimeZone::UTC).date().saturating_add(2.days());
        let moved = self.exceptions.keys().copied().filter(|day| *day > last);
        let days = self.days(recurrence, last).into_iter().chain(moved);
        let occurrences = days.filter_map(|day| self.on(day));
        occurrences.filter(|one| one.during().is_some_and(|during| during.overlaps(&window))).collect()
    }

    /// Its occurrence of a day, if it has one then.
    pub fn occurrence(&self, day: Date) -> Option<Event> {
        let falls = self.exceptions.contains_key(&day) || self.days(self.recurrence.as_ref()?, day).contains(&day);
        if falls { self.on(day) } else { None }
    }

    /// Its occurrence of a day of its series, if it was not taken out.
    fn on(&self, day: Date) -> Option<Event> {
        if self.deleted.contains(&day) {
            return None;
        }
        if let Some(exception) = self.exceptions.get(&day) {
            return Some(exception.clone());
        }
        let start = day.to_datetime(self.start.time());
        let length: Span = self.start.until(self.end).unwrap_or_default();
        let end = start.checked_add(length).unwrap_or(start);
        Some(Event {
            id: format!("OID.{}.{day}", self.id),
            kind: Kind::Occurrence { master: self.id.clone(), original: day },
            start,
            end,
            recurrence: None,
            exceptions: BTreeMap::new(),
            deleted: BTreeSet::new(),
            ..self.sketch()
        })
    }

    /// The same without what differs on some days: cloned for every occurrence of a long series, that would be too much.
    fn sketch(&self) -> Event {
        Event {
            change: self.change,
            made: self.made,
            uid: self.uid.clone(),
            location: self.location.clone(),
            body: self.body.clone(),
            all_day: self.all_day,
            shown: self.shown,
            sensitivity: self.sensitivity,
            cancelled: self.cancelled,
            told: self.told,
            reminder: self.reminder,
            categories: self.categories.clone(),
            attendees: self.attendees.clone(),
            properties: self.properties.clone(),
            created: self.created,
            modified: self.modified,
            ..Self::new(&self.subject, self.start, self.end, &self.zone)
        }
    }

    /// The days of its occurrences up to `last`, the deleted ones among them.
    fn days(&self, recurrence: &Recurrence, last: Date) -> Vec<Date> {
        let (first, interval) = (self.start.date(), i64::from(recurrence.interval.max(1)));
        let (until, count) = match recurrence.range {
            Range::Forever => (last, MOST),
            Range::Count(count) => (last, usize::try_from(count).unwrap_or(MOST)),
            Range::Until(day) => (day.min(last), MOST),
        };
        let monday = first.saturating_sub(i64::from(first.weekday().to_monday_zero_offset()).days());
        let mut days = Vec::new();
        let mut day = first;
        while day <= until && days.len() < count {
            let since = |from: Date| i64::from((day - from).get_days());
            let falls = if recurrence.days.is_empty() {
                since(first) % interval == 0
            } else {
                recurrence.days.contains(&day.weekday()) && (since(monday) / 7) % interval == 0
            };
            if falls {
                days.push(day);
            }
            let Ok(next) = day.tomorrow() else { break };
            day = next;
        }
        days
    }
}
