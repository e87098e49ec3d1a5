//! What is asked, and about whose mailbox.

use std::sync::Mutex;

use exchange::ews::xml::{self, Element};
use http::HeaderMap;

use super::{Ews, streaming};

/// One request.
pub struct Asked {
    /// The name of what is asked.
    pub operation: &'static str,
    /// Whose mailbox it is about, in lower case.
    pub mailbox: String,
    /// Whether who asks acts as its owner.
    pub impersonated: bool,
    /// The zone of times without one.
    pub zone: String,
    /// Which of the servers is asked.
    pub back_end: usize,
    /// What is asked.
    pub body: Element,
    /// Whether half of it is left out.
    pub shrunk: Mutex<bool>,
}

const OPERATIONS: [&str; 11] = [
    "SyncFolderItems",
    "FindItem",
    "GetItem",
    "CreateItem",
    "UpdateItem",
    "DeleteItem",
    "GetFolder",
    "Subscribe",
    "Unsubscribe",
    "GetStreamingEvents",
    "GetUserAvailability",
];

impl Asked {
    /// `None` for what is no request.
    pub fn read(ews: &Ews, headers: &HeaderMap, document: &[u8]) -> Option<Self> {
        let root = xml::read(document).ok()?;
        let body = root.child("Body")?.children.first()?.clone();
        let name = body.name.trim_end_matches("Request");
        let operation = OPERATIONS.into_iter().find(|known| *known == name).unwrap_or("");
        let header = root.child("Header");
        let impersonated = header.and_then(|header| header.at(&["ExchangeImpersonation", "ConnectingSID"]));
        let impersonated =
            impersonated.and_then(|sid| sid.children.first()).map(|address| address.text.trim().to_lowercase());
        let zone = header.and_then(|header| header.at(&["TimeZoneContext", "TimeZoneDefinition"]));
        let zone = zone.and_then(|zone| zone.attr("Id")).unwrap_or("UTC").to_owned();
        let of_folder = || body.find("Mailbox").and_then(|mailbox| mailbox.word("EmailAddress")).map(str::to_lowercase);
        let of_person = || {
            body.find("MailboxData")
                .and_then(|data| data.at(&["Email", "Address"]))
                .map(|a| a.text.trim().to_lowercase())
        };
        let mailbox =
            if operation == "GetUserAvailability" { of_person() } else { impersonated.clone().or_else(of_folder) };
        let mailbox = mailbox.or_else(|| owner(ews, &body)).unwrap_or_else(|| ews.settings.user.to_lowercase());
        let impersonated = impersonated.is_some() && operation != "GetUserAvailability";
        let back_end = streaming::back_end(ews, headers);
        Some(Self { operation, mailbox, impersonated, zone, back_end, body, shrunk: Mutex::new(false) })
    }

    /// Whether half of it is to be left out.
    pub fn is_shrunk(&self) -> bool {
        *self.shrunk.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// Whose item or folder it is, of who lets others in.
fn owner(ews: &Ews, body: &Element) -> Option<String> {
    if let Some(id) = body.find("SubscriptionId") {
        return ews.subscriptions().get(id.text.trim()).map(|subscription| subscription.mailbox.clone());
    }
    let state = ews.server.state();
    let id = body.find("ItemId").or_else(|| body.find("FolderId"))?.attr("Id")?;
    let has = |address: &&String| {
        state.item(address, id).is_some()
            || state.mailbox(address).is_some_and(|mailbox| mailbox.calendars.contains_key(id))
    };
    state.mailboxes.keys().find(has).cloned()
}
