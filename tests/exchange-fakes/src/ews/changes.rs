//! What changed: states that nobody but the server can read, and that it may forget.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use exchange::ews::xml::{Node, el};

use super::answer::{self, Failure};
use super::asked::Asked;
use super::fields::{self, Shape};
use super::{Ews, Manner, folders};
use crate::mailbox::Done;

/// As many as the schema lets anybody ask for.
const MOST: usize = 512;

fn state_of(mailbox: &crate::mailbox::Mailbox, folder: &str, serial: u64) -> String {
    STANDARD.encode(format!("{} {} {folder} {serial}", mailbox.id, mailbox.generation))
}

/// The place that a state stands for, if the server still knows it.
fn serial_of(mailbox: &crate::mailbox::Mailbox, folder: &str, state: &str) -> Option<u64> {
    let text = String::from_utf8(STANDARD.decode(state).ok()?).ok()?;
    text.strip_prefix(&format!("{} {} {folder} ", mailbox.id, mailbox.generation))?.parse().ok()
}

/// `SyncFolderItems`: a series is one item.
pub fn sync(ews: &Ews, asked: &Asked) -> Result<Vec<Node>, Failure> {
    let folder = asked.body.child("SyncFolderId").ok_or(Failure::Fault("ErrorSchemaValidation"))?;
    let folder = folders::calendar(ews, asked, folder)?;
    let state = ews.server.state();
    let mailbox = state.mailbox(&asked.mailbox).ok_or(Failure::Message("ErrorNonExistentMailbox"))?;
    let since = match asked.body.word("SyncState").filter(|known| !known.is_empty()) {
        None => 0,
        Some(known) => match (serial_of(mailbox, &folder, known), ews.settings.manner) {
            (Some(serial), _) => serial,
            (None, Manner::Loose) => 0,
            (None, Manner::Exchange) => return Err(Failure::Message("ErrorInvalidSyncStateData")),
        },
    };
    let most: usize = asked.body.word("MaxChangesReturned").and_then(|most| most.parse().ok()).unwrap_or(MOST);
    let mut entries = state.changes(&asked.mailbox, Some(&folder), since);
    let last = entries.len() <= most.min(MOST);
    entries.truncate(most.min(MOST));
    let reached = if last { state.serial() } else { entries.last().map_or(since, |entry| entry.serial) };
    if asked.is_shrunk() {
        entries.truncate(entries.len() / 2);
    }
    let shape = Shape::of(&asked.body, true, ews.settings.manner);
    let change = |entry: &crate::mailbox::Entry| {
        let event = mailbox.calendars.get(&folder).and_then(|calendar| calendar.events.get(&entry.id));
        let name = if entry.done == Done::Created { "t:Create" } else { "t:Update" };
        match event {
            Some(event) if entry.done != Done::Deleted => el(name).with(fields::item(event, &folder, &shape)),
            _ => el("t:Delete").with(el("t:ItemId").attr("Id", &entry.id).attr("ChangeKey", "AQAAAA==")),
        }
    };
    let message = answer::success("SyncFolderItems")
        .with(el("m:SyncState").text(state_of(mailbox, &folder, reached)))
        .with(el("m:IncludesLastItemInRange").text(if last { "true" } else { "false" }))
        .with(el("m:Changes").with_all(entries.iter().map(change)));
    Ok(vec![message])
}
