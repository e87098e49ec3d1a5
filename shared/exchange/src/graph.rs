//! A calendar of Exchange Online, by Microsoft Graph. Shapes and rules are those of its reference, v1.0
//! (<https://learn.microsoft.com/graph/api/resources/calendar>); the tests hold what is sent and read against its schema.

mod batch;
mod busy;
mod call;
mod changes;
mod faults;
mod items;
mod notices;
mod row;
mod watches;

use std::sync::Arc;
use std::time::Duration;

use domain::interval::Interval;
use domain::sync::{Item, Mirror, RemoteId, Tag, Version};
use futures_util::future::BoxFuture;

use crate::auth::Tokens;
use crate::{Answer, Calendar, Changes, Cursor, Fault, Transport, Why, Written};

pub use notices::{Notice, Told, notified};
pub use watches::{LIFETIME, Wanted};

/// Where Graph is for everybody but national clouds.
pub const GLOBAL: &str = "https://graph.microsoft.com/v1.0";

/// Which calendar it is, and where.
#[derive(Clone)]
pub struct Place {
    /// Where Graph is, with its version: [`GLOBAL`], or a national cloud's.
    pub base: String,
    /// The mailbox: its owner's number in the directory, or sign-in name.
    pub user: String,
    /// Its address, by which free and busy times are asked for.
    pub address: String,
    /// The calendar's number; the one that every mailbox has without.
    pub calendar: Option<String>,
    /// IANA name of the zone its owner lives in: whole days of which nothing else is known are days there.
    pub time_zone: String,
}

/// One calendar of Exchange Online.
pub struct Graph {
    transport: Arc<dyn Transport>,
    tokens: Arc<dyn Tokens>,
    place: Place,
    base: http::Uri,
}

impl Graph {
    /// That calendar, reached by `transport` with tokens of `tokens`. Nothing is asked yet.
    ///
    /// # Errors
    /// [`Why::Refused`] when the base is no address, [`Why::NoMailbox`] when the mailbox has no name.
    pub fn new(transport: Arc<dyn Transport>, tokens: Arc<dyn Tokens>, mut place: Place) -> Result<Self, Fault> {
        place.base.truncate(place.base.trim_end_matches('/').len());
        let base: http::Uri = place.base.parse().map_err(|_| Fault::new(Why::Refused, "base address"))?;
        if base.scheme().is_none() || base.host().is_none() {
            return Err(Fault::new(Why::Refused, "base address"));
        }
        // Without it the path would lead to all users.
        if place.user.is_empty() || place.calendar.as_ref().is_some_and(String::is_empty) {
            return Err(Fault::new(Why::NoMailbox, "no name"));
        }
        Ok(Self { transport, tokens, place, base })
    }
}

impl Calendar for Graph {
    fn changes<'a>(&'a self, since: Option<&'a Cursor>, window: Interval) -> Answer<'a, Changes> {
        Box::pin(self.changes_in(since, window))
    }

    fn read<'a>(&'a self, id: &'a RemoteId) -> Answer<'a, Option<Item>> {
        Box::pin(self.read_item(id))
    }

    fn find(&self, tag: Tag) -> Answer<'_, Vec<Item>> {
        Box::pin(self.find_tagged(tag))
    }

    fn create<'a>(&'a self, event: &'a Mirror) -> Answer<'a, Written> {
        Box::pin(self.create_item(event))
    }

    fn at_once(&self) -> usize {
        batch::AT_ONCE
    }

    fn create_all<'a>(&'a self, events: &'a [Mirror]) -> BoxFuture<'a, Vec<Result<Written, Fault>>> {
        Box::pin(self.create_items(events))
    }

    fn update<'a>(&'a self, id: &'a RemoteId, version: &'a Version, event: &'a Mirror) -> Answer<'a, Written> {
        Box::pin(self.update_item(id, version, event))
    }

    fn delete<'a>(&'a self, id: &'a RemoteId, version: &'a Version) -> Answer<'a, ()> {
        Box::pin(self.delete_item(id, version))
    }

    fn busy(&self, during: Interval, longest: Duration) -> Answer<'_, Vec<Interval>> {
        Box::pin(self.busy_during(during, longest))
    }
}
