//! Calendars kept by Microsoft Exchange. [`Calendar`] is what is asked of one; [`graph`] speaks to Exchange Online, [`ews`] to a server
//! of the house's own; [`engine`] brings one mailbox and our appointments together. No clock, no socket: requests go out by a
//! [`Transport`] that is given, and what was decided is kept by a [`engine::Ledger`] that is given.

pub mod auth;
pub mod engine;
pub mod ews;
pub mod graph;
pub mod time_zones;

mod fault;
mod transport;

use std::time::Duration;

use domain::Timestamp;
use domain::interval::Interval;
use domain::sync::{Item, Mirror, RemoteId, Tag, Version};
use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};

pub use fault::{Fault, Why};
pub use transport::{Line, Pieces, Request, Response, Transport, TransportError};

/// How long one request may take, in all.
pub const TIMEOUT: Duration = Duration::from_secs(20);
/// The largest answer that is read, in bytes.
pub const MOST: usize = 8 * 1024 * 1024;
/// The property set of our tag, a named property `Appointment` of MAPI: the same item shows it by Graph and by EWS.
pub const TAG_SET: &str = "9c1c2f0b-6d0b-4a9f-8e6e-2f1d4f6a7b35";
/// Its name in that set.
pub const TAG_NAME: &str = "Appointment";
/// The category of our items.
pub const CATEGORY: &str = "Carnet";

/// Where a reading of changes ended, as the server put it. It is kept only once all that it covers is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Cursor(pub String);

/// What changed since a cursor, or everything there is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changes {
    /// Where the next reading begins.
    pub cursor: Cursor,
    /// Whether [`Changes::items`] is all there is in the window: what is not in it is not in the calendar, if the answer is to be trusted.
    pub whole: bool,
    /// What was made or changed, each number once, and every occurrence of each series in [`Changes::series`].
    pub items: Vec<Item>,
    /// The series whose occurrences in the window are in `items`, all of them.
    pub series: Vec<RemoteId>,
    /// What is said to be gone, or to have left the window. To be asked for again before it is believed.
    pub gone: Vec<RemoteId>,
    /// What could not be understood, and why, in words without personal data. Nothing follows from it.
    pub unread: Vec<(RemoteId, String)>,
}

/// One of our items as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// Its number.
    pub id: RemoteId,
    /// Its state.
    pub version: Version,
}

/// A promise to be told of changes. It only wakes: what changed is read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watch {
    /// Its number.
    pub id: String,
    /// When it ends unless it is renewed; none for one that lives as long as its connection.
    pub until: Option<Timestamp>,
}

/// What an answer is waited for.
pub type Answer<'a, T> = BoxFuture<'a, Result<T, Fault>>;

/// One calendar of one mailbox. At most one request is under way at a time, but for [`Calendar::busy`] and those of which one holds several.
pub trait Calendar: Send + Sync {
    /// What changed in the window since a cursor; everything without one, or when the cursor is of another window. All pages.
    ///
    /// # Errors
    /// [`Why::CursorLost`] when the server does not know the cursor any more: to be asked again without.
    fn changes<'a>(&'a self, since: Option<&'a Cursor>, window: Interval) -> Answer<'a, Changes>;

    /// One item as it is now, with its tag; `None` when the calendar answers and has no such item.
    fn read<'a>(&'a self, id: &'a RemoteId) -> Answer<'a, Option<Item>>;

    /// Every item that carries this tag.
    fn find(&self, tag: Tag) -> Answer<'_, Vec<Item>>;

    /// Makes an item. Nobody is invited, nobody is told, nothing rings.
    ///
    /// # Errors
    /// With [`Fault::perhaps_done`], it may have been made: to be looked for by its tag before it is made again.
    fn create<'a>(&'a self, event: &'a Mirror) -> Answer<'a, Written>;

    /// How many items [`Calendar::create_all`] is given at most.
    fn at_once(&self) -> usize {
        1
    }

    /// Makes items, each as [`Calendar::create`] would, and answers for each, in their order. Each may have been made although another
    /// was not.
    fn create_all<'a>(&'a self, events: &'a [Mirror]) -> BoxFuture<'a, Vec<Result<Written, Fault>>> {
        Box::pin(async move {
            let mut all = Vec::with_capacity(events.len());
            for event in events {
                all.push(self.create(event).await);
            }
            all
        })
    }

    /// Makes an item what `event` says, if it is still in that state.
    ///
    /// # Errors
    /// [`Why::Conflict`] when it is in another; [`Why::Gone`] when it is no more.
    fn update<'a>(&'a self, id: &'a RemoteId, version: &'a Version, event: &'a Mirror) -> Answer<'a, Written>;

    /// Takes an item away, if it is still in that state. Nobody is told.
    ///
    /// # Errors
    /// As [`Calendar::update`].
    fn delete<'a>(&'a self, id: &'a RemoteId, version: &'a Version) -> Answer<'a, ()>;

    /// When the mailbox is not free, occurrences of series among it. `longest` bounds it all.
    fn busy(&self, during: Interval, longest: Duration) -> Answer<'_, Vec<Interval>>;
}
