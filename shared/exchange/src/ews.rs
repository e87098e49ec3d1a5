//! Exchange Server in a house of its own, 2013 SP1 to SE, by Exchange Web Services (SOAP).
//!
//! What changed is told without occurrences there, so when anything did, the window is read whole. A server that lists a series as one item
//! instead of its occurrences (gromox does) has its single items read, and the series is said not to be understood.

pub mod autodiscover;
pub mod session;
pub mod xml;

mod affinity;
mod answers;
mod codes;
mod hosts;
mod listening;
mod reading;
mod requests;
mod streaming;
#[cfg(test)]
mod tests;
mod view;
mod writing;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use domain::interval::Interval;
use domain::sync::{Item, Mirror, RemoteId, Tag, Version};
use futures_util::future::BoxFuture;
use http::HeaderMap;
use http::header::{ACCEPT, COOKIE, HeaderName, HeaderValue};

use crate::{Answer, Calendar, Changes, Cursor, Fault, MOST, TIMEOUT, Written, time_zones};
use session::Session;
use xml::{Element, Node};

pub use affinity::Route;
pub use hosts::is_online;
pub use listening::{Heard, MOST_AT_ONCE};
pub use streaming::{Event, Splitter};

/// How the account that signs in may use the mailbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// It is its own.
    Own,
    /// It may act as its owner (`ApplicationImpersonation`, best within a management scope).
    Impersonation,
    /// Its owner let it into the calendar's folder.
    Delegate,
}

/// The version of the service that is spoken. The first is understood by all servers since 2013 SP1, and has all that is needed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ServerVersion {
    /// `Exchange2013_SP1`.
    #[default]
    Exchange2013Sp1,
    /// `Exchange2016`, which 2019 and SE say of themselves too.
    Exchange2016,
}

/// Whose calendar, and how it is reached.
#[derive(Clone)]
pub struct Account {
    /// The mailbox's primary address.
    pub mailbox: String,
    /// How the account that signs in may use it.
    pub reach: Reach,
    /// What is spoken.
    pub version: ServerVersion,
}

/// The calendar of one mailbox.
pub struct Ews {
    session: Arc<dyn Session>,
    account: Account,
    route: Route,
    /// The calendar's folder, once it is known.
    folder: OnceLock<String>,
}

impl Ews {
    /// Of a mailbox, over a session.
    ///
    /// # Errors
    /// [`Why::Refused`] when the session leads to Exchange Online, or is not encrypted and leaves this machine.
    pub fn new(session: Arc<dyn Session>, account: Account) -> Result<Self, Fault> {
        hosts::allowed(session.endpoint())?;
        let route = Route::new(&account.mailbox);
        Ok(Self { session, account, route, folder: OnceLock::new() })
    }

    /// The same calendar, by a way that is taken with others.
    #[must_use]
    pub fn by(mut self, route: &Route) -> Self {
        self.route = route.clone();
        self
    }

    /// Asks for something that changes nothing, times in universal time; answers the message of success.
    async fn ask(&self, asked: Node) -> Result<Element, Fault> {
        self.ask_within(asked, TIMEOUT).await
    }

    async fn ask_within(&self, asked: Node, longest: Duration) -> Result<Element, Fault> {
        let answer = self.said(time_zones::UTC, asked, longest).await.and_then(answers::message);
        answer.map_err(|fault| Fault { perhaps_done: false, ..fault })
    }

    /// Asks for a change, in a Windows zone; answers the message of success.
    async fn tell(&self, zone: &str, asked: Node) -> Result<Element, Fault> {
        self.said(zone, asked, TIMEOUT).await.and_then(answers::message)
    }

    /// Asks in a Windows zone; answers what is in the body.
    async fn said(&self, zone: &str, asked: Node, longest: Duration) -> Result<Element, Fault> {
        let document = requests::envelope(&self.account, zone, asked);
        let response = self.session.post(self.headers(), Bytes::from(document), longest, MOST).await?;
        self.route.affinity.keep(response.headers());
        answers::body(&response)
    }

    /// What every request carries beside its proof.
    fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("text/xml"));
        if let Ok(mut mailbox) = HeaderValue::from_str(&self.route.anchor) {
            mailbox.set_sensitive(true);
            headers.insert(HeaderName::from_static("x-anchormailbox"), mailbox);
        }
        headers.insert(HeaderName::from_static("x-preferserveraffinity"), HeaderValue::from_static("true"));
        headers.extend(self.route.affinity.cookie().map(|cookie| (COOKIE, cookie)));
        headers
    }
}

impl Calendar for Ews {
    fn changes<'a>(&'a self, since: Option<&'a Cursor>, window: Interval) -> Answer<'a, Changes> {
        Box::pin(self.changed(since, window))
    }

    fn read<'a>(&'a self, id: &'a RemoteId) -> Answer<'a, Option<Item>> {
        Box::pin(self.one(id))
    }

    fn find(&self, tag: Tag) -> Answer<'_, Vec<Item>> {
        Box::pin(self.tagged(tag))
    }

    fn create<'a>(&'a self, event: &'a Mirror) -> Answer<'a, Written> {
        Box::pin(self.made(event))
    }

    fn at_once(&self) -> usize {
        writing::AT_ONCE
    }

    fn create_all<'a>(&'a self, events: &'a [Mirror]) -> BoxFuture<'a, Vec<Result<Written, Fault>>> {
        Box::pin(self.all_made(events))
    }

    fn update<'a>(&'a self, id: &'a RemoteId, version: &'a Version, event: &'a Mirror) -> Answer<'a, Written> {
        Box::pin(self.rewritten(id, version, event))
    }

    fn delete<'a>(&'a self, id: &'a RemoteId, version: &'a Version) -> Answer<'a, ()> {
        Box::pin(self.taken_away(id, version))
    }

    fn busy(&self, during: Interval, longest: Duration) -> Answer<'_, Vec<Interval>> {
        Box::pin(self.not_free(during, longest))
    }
}
