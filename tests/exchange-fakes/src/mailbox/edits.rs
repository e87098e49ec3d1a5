//! What the owner of a mailbox does in Outlook, past all programs. Each answers `None` where there is no such mailbox or event.

use domain::SignedDuration;
use domain::interval::Interval;
use exchange::time_zones;

use super::{Event, Recurrence, Server};

impl Server {
    /// Makes an event in the calendar that every mailbox has, and answers its number.
    pub fn add(&self, mailbox: &str, event: Event) -> Option<String> {
        let made = self.state().create(mailbox, None, event).ok()?;
        self.changed().notify_waiters();
        Some(made.id)
    }

    /// Makes a series.
    pub fn add_series(&self, mailbox: &str, event: Event, recurrence: Recurrence) -> Option<String> {
        self.add(mailbox, Event { recurrence: Some(recurrence), ..event })
    }

    /// Changes an event or one occurrence of a series.
    pub fn edit(&self, mailbox: &str, id: &str, change: impl FnOnce(&mut Event)) -> Option<Event> {
        let changed = self.state().update(mailbox, id, None, change).ok()?;
        self.changed().notify_waiters();
        Some(changed)
    }

    /// Moves it by so much, in its own zone.
    pub fn shift(&self, mailbox: &str, id: &str, by: SignedDuration) -> Option<Event> {
        self.edit(mailbox, id, |event| {
            event.start = event.start.saturating_add(by);
            event.end = event.end.saturating_add(by);
        })
    }

    /// Gives it another time.
    pub fn move_to(&self, mailbox: &str, id: &str, during: Interval) -> Option<Event> {
        self.edit(mailbox, id, |event| {
            let zone = time_zones::zone(&event.zone).unwrap_or(jiff::tz::TimeZone::UTC);
            (event.start, event.end) = (zone.to_datetime(during.start()), zone.to_datetime(during.end()));
        })
    }

    /// Deletes it, or one occurrence of a series.
    pub fn remove(&self, mailbox: &str, id: &str) -> Option<()> {
        self.state().delete(mailbox, id, None).ok()?;
        self.changed().notify_waiters();
        Some(())
    }

    /// Copies it as Outlook does: what it carries comes along, the transaction that made it does not.
    pub fn copy(&self, mailbox: &str, id: &str) -> Option<String> {
        let event = self.state().item(mailbox, id)?;
        self.add(mailbox, Event { uid: String::new(), transaction: None, ..event })
    }

    /// Every event of the calendar that every mailbox has, series as one.
    pub fn events(&self, mailbox: &str) -> Vec<Event> {
        let state = self.state();
        state.calendar(mailbox, None).map(|calendar| calendar.events.values().cloned().collect()).unwrap_or_default()
    }

    /// Every event of a mailbox that carries this tag.
    pub fn tagged(&self, mailbox: &str, tag: &str) -> Vec<Event> {
        self.events(mailbox).into_iter().filter(|event| event.tag() == Some(tag)).collect()
    }
}
