//! What both fakes serve: mailboxes with calendars as Exchange keeps them, edited by programs and, behind their backs, by the people
//! they belong to ([`edits`]). No protocol is spoken here. Time stands still until a test sets [`State::now`].

pub mod edits;
pub mod event;
pub mod faults;
mod hanging;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use domain::Timestamp;
use domain::interval::Interval;
use uuid::Uuid;

pub use event::{Event, Kind, Range, Recurrence, Sensitivity, Told};
pub use faults::{Call, Fault, Faults, Guard, What};
pub use hanging::{Hanging, Parting};

/// A server with all of its mailboxes. Cloned, it is the same one.
#[derive(Clone)]
pub struct Server(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    changed: tokio::sync::Notify,
}

/// All that it knows.
pub struct State {
    /// What time it is there.
    pub now: Timestamp,
    /// By address, in lower case.
    pub mailboxes: BTreeMap<String, Mailbox>,
    /// What goes wrong next.
    pub faults: Faults,
    /// Every call, in the order they came.
    pub calls: Vec<Call>,
    /// How many rows a page has at most, whatever is asked for.
    pub page: usize,
    /// Whether it keeps in ways of its own what is written: [`Event::rewrite`].
    pub rewrites: bool,
    in_flight: HashMap<String, u32>,
    hanging: hanging::All,
    serial: u64,
}

/// Whether programs may come to a mailbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// They may.
    Open,
    /// It is there, and nobody let them.
    Forbidden,
    /// It was moved to another kind of server, or away.
    Elsewhere,
}

/// One mailbox.
pub struct Mailbox {
    /// Its address, in lower case.
    pub address: String,
    /// Its owner's number in the directory.
    pub id: Uuid,
    /// Its owner's zone, by its IANA name.
    pub zone: String,
    /// Whether programs may come.
    pub access: Access,
    /// By number.
    pub calendars: BTreeMap<String, Calendar>,
    /// The number of the calendar that every mailbox has.
    pub default: String,
    /// Cursors of former generations are not known any more.
    pub generation: u64,
}

/// One calendar.
#[derive(Default)]
pub struct Calendar {
    /// Its name.
    pub name: String,
    /// By number; no occurrences but in their series.
    pub events: BTreeMap<String, Event>,
    /// What was done to it, oldest first.
    pub journal: Vec<Entry>,
    /// Which event a transaction made, for ever.
    pub transactions: HashMap<String, (String, Event)>,
}

/// What was done to one event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Done {
    /// It was made.
    Created,
    /// It was changed, or one of its occurrences was.
    Updated,
    /// It is gone.
    Deleted,
}

/// One line of a journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its place in the order of all changes to all mailboxes.
    pub serial: u64,
    /// Which event.
    pub id: String,
    /// What was done.
    pub done: Done,
}

/// Why the model does not do what it is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// No such mailbox or calendar.
    NoMailbox,
    /// No such event.
    NoItem,
    /// It is in another state.
    Conflict,
    /// That transaction made another event.
    TransactionUsed,
}

impl Server {
    /// A server without mailboxes, and the time there.
    pub fn new(now: Timestamp) -> Self {
        let state = State {
            now,
            mailboxes: BTreeMap::new(),
            faults: Faults::default(),
            calls: Vec::new(),
            page: 50,
            rewrites: false,
            in_flight: HashMap::new(),
            hanging: hanging::All::default(),
            serial: 0,
        };
        Self(Arc::new(Shared { state: Mutex::new(state), changed: tokio::sync::Notify::new() }))
    }

    /// All that it knows, to look at and to change. Not to be held over an `await`.
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Who waits on this is woken by every change to a calendar.
    pub fn changed(&self) -> &tokio::sync::Notify {
        &self.0.changed
    }

    /// Adds an empty mailbox with one calendar, in Paris, and answers the calendar's number.
    pub fn add_mailbox(&self, address: &str) -> String {
        let mut state = self.state();
        let default = format!("AQMkAGI{:08x}calendar=", state.next());
        let calendar = Calendar { name: "Calendar".into(), ..Calendar::default() };
        let address = address.to_lowercase();
        let mailbox = Mailbox {
            address: address.clone(),
            id: Uuid::new_v5(&Uuid::NAMESPACE_DNS, address.as_bytes()),
            zone: "Europe/Paris".into(),
            access: Access::Open,
            calendars: BTreeMap::from([(default.clone(), calendar)]),
            default: default.clone(),
            generation: 1,
        };
        state.mailboxes.insert(address, mailbox);
        default
    }

    /// Adds a calendar to a mailbox and answers its number.
    pub fn add_calendar(&self, address: &str, name: &str) -> String {
        let mut state = self.state();
        let id = format!("AQMkAGI{:08x}calendar=", state.next());
        if let Some(mailbox) = state.mailbox_mut(address) {
            mailbox.calendars.insert(id.clone(), Calendar { name: name.into(), ..Calendar::default() });
        }
        id
    }

    /// Takes a mailbox away.
    pub fn remove_mailbox(&self, address: &str) {
        self.state().mailboxes.remove(&address.to_lowercase());
    }

    /// Notes a call and that it is under way until the guard is dropped.
    pub fn enter(&self, mailbox: &str, operation: &'static str) -> Guard {
        let key = self.state().mailbox(mailbox).map_or_else(|| mailbox.to_lowercase(), |found| found.address.clone());
        let mut state = self.state();
        let under_way = state.in_flight.entry(key.clone()).or_default();
        *under_way += 1;
        let beside = *under_way;
        state.calls.push(Call { mailbox: key.clone(), operation, in_flight: beside });
        drop(state);
        Guard::new(self.clone(), key, beside)
    }

    pub(crate) fn leave(&self, mailbox: &str) {
        if let Some(under_way) = self.state().in_flight.get_mut(mailbox) {
            *under_way -= 1;
        }
    }
}

impl State {
    pub(crate) fn next(&mut self) -> u64 {
        self.serial += 1;
        self.serial
    }

    /// The place of the last change: a cursor that begins here sees what comes after.
    pub fn serial(&self) -> u64 {
        self.serial
    }

    /// A mailbox by its address or its owner's number.
    pub fn mailbox(&self, name: &str) -> Option<&Mailbox> {
        let name = name.to_lowercase();
        self.mailboxes.get(&name).or_else(|| self.mailboxes.values().find(|one| one.id.to_string() == name))
    }

    /// As [`State::mailbox`], to change it.
    pub fn mailbox_mut(&mut self, name: &str) -> Option<&mut Mailbox> {
        let address = self.mailbox(name)?.address.clone();
        self.mailboxes.get_mut(&address)
    }

    /// The calendar of that number, or the one that every mailbox has.
    pub fn calendar(&self, mailbox: &str, calendar: Option<&str>) -> Option<&Calendar> {
        let mailbox = self.mailbox(mailbox)?;
        mailbox.calendars.get(calendar.unwrap_or(&mailbox.default))
    }

    fn calendar_of(&mut self, mailbox: &str, id: &str) -> Option<&mut Calendar> {
        let id = event::master_of(id).map_or(id, |(master, _)| master);
        self.mailbox_mut(mailbox)?.calendars.values_mut().find(|one| one.events.contains_key(id))
    }

    /// One event by its number, in whichever calendar of the mailbox: alone, series, exception or occurrence.
    pub fn item(&self, mailbox: &str, id: &str) -> Option<Event> {
        self.mailbox(mailbox)?.calendars.values().find_map(|calendar| calendar.item(id))
    }

    /// What calendar views show: events by themselves and occurrences, of which any part is in the window, sorted by beginning.
    pub fn view(&self, mailbox: &str, calendar: Option<&str>, window: Interval) -> Vec<Event> {
        let Some(calendar) = self.calendar(mailbox, calendar) else { return Vec::new() };
        let mut all: Vec<Event> = calendar.events.values().flat_map(|event| event.in_view(window)).collect();
        all.sort_by(|a, b| (a.starts_at(), &a.id).cmp(&(b.starts_at(), &b.id)));
        all
    }

    /// What was done to a calendar since: each event once, with what it comes to, in order. From 0 it is all that is there.
    pub fn changes(&self, mailbox: &str, calendar: Option<&str>, since: u64) -> Vec<Entry> {
        self.calendar(mailbox, calendar).map(|calendar| calendar.changes(since)).unwrap_or_default()
    }

    /// Makes an event in a calendar, gives it a number and answers it. A transaction that was used gives what it made, as it is now,
    /// if the same is asked for again.
    ///
    /// # Errors
    /// [`Refusal::TransactionUsed`] for another event or one that is gone, and [`Refusal::NoMailbox`].
    pub fn create(&mut self, mailbox: &str, calendar: Option<&str>, mut event: Event) -> Result<Event, Refusal> {
        let (serial, now, rewrites) = (self.next(), self.now, self.rewrites);
        let mailbox = self.mailbox_mut(mailbox).ok_or(Refusal::NoMailbox)?;
        let (default, owner) = (mailbox.default.clone(), mailbox.id);
        let calendar = mailbox.calendars.get_mut(calendar.unwrap_or(&default)).ok_or(Refusal::NoMailbox)?;
        if let Some((id, asked)) = event.transaction.as_ref().and_then(|key| calendar.transactions.get(key)) {
            let made = calendar.events.get(id).filter(|_| event.same_content(asked));
            return made.cloned().ok_or(Refusal::TransactionUsed);
        }
        let asked = event.clone();
        if rewrites {
            event.rewrite();
        }
        event.id = format!("AAkALgAAAAAAHYQDEapmEc2byACqAC-EWg0A{:x}{serial:08x}AAA=", owner.as_fields().0);
        event.uid =
            if event.uid.is_empty() { format!("040000008200E00074C5B7101A82E008{serial:016X}") } else { event.uid };
        (event.created, event.modified, event.made) = (now, now, serial);
        event.change = serial;
        if let Some(key) = event.transaction.clone() {
            calendar.transactions.insert(key, (event.id.clone(), asked));
        }
        calendar.journal.push(Entry { serial, id: event.id.clone(), done: Done::Created });
        calendar.events.insert(event.id.clone(), event.clone());
        Ok(event)
    }

    /// Changes an event, or one occurrence of a series, if it is in the state expected, and answers it in its new state.
    ///
    /// # Errors
    /// [`Refusal::NoItem`], [`Refusal::Conflict`].
    pub fn update(
        &mut self, mailbox: &str, id: &str, expected: Option<&str>, change: impl FnOnce(&mut Event),
    ) -> Result<Event, Refusal> {
        let mut event = self.item(mailbox, id).ok_or(Refusal::NoItem)?;
        if expected.is_some_and(|key| key != event.change_key()) {
            return Err(Refusal::Conflict);
        }
        let (serial, now) = (self.next(), self.now);
        change(&mut event);
        if self.rewrites {
            event.rewrite();
        }
        (event.change, event.modified) = (serial, now);
        let calendar = self.calendar_of(mailbox, id).ok_or(Refusal::NoItem)?;
        let journalled = calendar.put(event.clone(), serial);
        calendar.journal.push(Entry { serial, id: journalled, done: Done::Updated });
        calendar.item(id).ok_or(Refusal::NoItem)
    }

    /// Takes an event away, or one occurrence of a series, if it is in the state expected.
    ///
    /// # Errors
    /// As [`State::update`].
    pub fn delete(&mut self, mailbox: &str, id: &str, expected: Option<&str>) -> Result<(), Refusal> {
        let event = self.item(mailbox, id).ok_or(Refusal::NoItem)?;
        if expected.is_some_and(|key| key != event.change_key()) {
            return Err(Refusal::Conflict);
        }
        let serial = self.next();
        let calendar = self.calendar_of(mailbox, id).ok_or(Refusal::NoItem)?;
        let (id, done) = calendar.take(&event, serial);
        calendar.journal.push(Entry { serial, id, done });
        Ok(())
    }
}

impl Calendar {
    /// One event by its number.
    pub fn item(&self, id: &str) -> Option<Event> {
        if let Some(event) = self.events.get(id) {
            return Some(event.clone());
        }
        let (master, date) = event::master_of(id)?;
        self.events.get(master)?.occurrence(date)
    }

    fn changes(&self, since: u64) -> Vec<Entry> {
        let mut last: BTreeMap<&str, (u64, Done)> = BTreeMap::new();
        for entry in self.journal.iter().filter(|entry| entry.serial > since) {
            let first = last.get(entry.id.as_str()).map(|(_, done)| *done);
            let done = match (first, entry.done) {
                (Some(Done::Created), Done::Updated) => Done::Created,
                (_, done) => done,
            };
            last.insert(&entry.id, (entry.serial, done));
        }
        let entry = |(id, (serial, done)): (&str, (u64, Done))| Entry { serial, id: id.to_owned(), done };
        let mut all: Vec<Entry> = last.into_iter().map(entry).collect();
        all.sort_by_key(|entry| entry.serial);
        if since == 0 {
            all.retain(|entry| entry.done != Done::Deleted);
        }
        all
    }

    /// Keeps it in its new state; answers whose journal it is in.
    fn put(&mut self, event: Event, serial: u64) -> String {
        if let Kind::Occurrence { master, original } | Kind::Exception { master, original } = event.kind.clone()
            && let Some(series) = self.events.get_mut(&master)
        {
            series.change = serial;
            let kind = Kind::Exception { master: master.clone(), original };
            series.exceptions.insert(original, Event { kind, recurrence: None, ..event });
            return master;
        }
        let id = event.id.clone();
        self.events.insert(id.clone(), event);
        id
    }

    fn take(&mut self, event: &Event, serial: u64) -> (String, Done) {
        if let Kind::Occurrence { master, original } | Kind::Exception { master, original } = &event.kind
            && let Some(series) = self.events.get_mut(master)
        {
            series.change = serial;
            series.exceptions.remove(original);
            series.deleted.insert(*original);
            return (master.clone(), Done::Updated);
        }
        self.events.remove(&event.id);
        (event.id.clone(), Done::Deleted)
    }
}
