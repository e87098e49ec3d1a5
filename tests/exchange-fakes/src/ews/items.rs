//! One item: read, made, changed, deleted.

use exchange::ews::xml::{Element, Node, el};
use exchange::time_zones;
use jiff::civil::DateTime;

use super::answer::{self, Failure};
use super::asked::Asked;
use super::fields::{self, Shape};
use super::{Ews, Manner, folders};
use crate::mailbox::{Event, Refusal};

fn code(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::NoMailbox => "ErrorNonExistentMailbox",
        Refusal::NoItem => "ErrorItemNotFound",
        Refusal::Conflict => "ErrorIrresolvableConflict",
        Refusal::TransactionUsed => "ErrorInvalidRequest",
    }
}

/// One message for each number that is asked about.
fn each(
    asked: &Asked, list: &str, mut does: impl FnMut(&Element) -> Result<Node, Failure>,
) -> Result<Vec<Node>, Failure> {
    let list = asked.body.child(list).ok_or(Failure::Fault("ErrorSchemaValidation"))?;
    let message = |one: &Element| match does(one) {
        Ok(message) => Ok(message),
        Err(Failure::Message(code)) => Ok(answer::error(asked.operation, code)),
        Err(fault) => Err(fault),
    };
    list.children.iter().map(message).collect()
}

fn folder_of(ews: &Ews, asked: &Asked, id: &str) -> Option<String> {
    let state = ews.server.state();
    let mailbox = state.mailbox(&asked.mailbox)?;
    mailbox.calendars.iter().find(|(_, calendar)| calendar.item(id).is_some()).map(|(folder, _)| folder.clone())
}

/// `GetItem`.
pub fn get(ews: &Ews, asked: &Asked) -> Result<Vec<Node>, Failure> {
    let shape = Shape::of(&asked.body, false, ews.settings.manner);
    each(asked, "ItemIds", |id| {
        let id = id.attr("Id").ok_or(Failure::Fault("ErrorSchemaValidation"))?;
        let event = ews.server.state().item(&asked.mailbox, id).ok_or(Failure::Message("ErrorItemNotFound"))?;
        let folder = folder_of(ews, asked, id).ok_or(Failure::Message("ErrorItemNotFound"))?;
        Ok(answer::success("GetItem").with(el("m:Items").with(fields::item(&event, &folder, &shape))))
    })
}

fn written(operation: &str, event: &Event) -> Node {
    answer::success(operation).with(el("m:Items").with(el("t:CalendarItem").with(fields::item_id(event))))
}

/// `CreateItem`.
pub fn create(ews: &Ews, asked: &Asked) -> Result<Vec<Node>, Failure> {
    if asked.body.attr("SendMeetingInvitations").is_none() {
        return Err(Failure::Message("ErrorSendMeetingInvitationsRequired"));
    }
    let folder = asked.body.child("SavedItemFolderId").and_then(|folder| folder.children.first());
    let folder = folder.map(|folder| folders::calendar(ews, asked, folder)).transpose()?;
    each(asked, "Items", |item| {
        if item.name != "CalendarItem" {
            return Err(Failure::Message("ErrorCannotCreateCalendarItemInNonCalendarFolder"));
        }
        let zone = item.child("StartTimeZone").and_then(|zone| zone.attr("Id")).unwrap_or(&asked.zone);
        let zone = time_zones::zone(zone).map(|_| zone).ok_or(Failure::Message("ErrorTimeZone"))?;
        let mut event = Event::new("", DateTime::ZERO, DateTime::ZERO, zone);
        for value in item.children.iter().filter(|value| value.name != "StartTimeZone") {
            fields::set(&mut event, value)?;
        }
        if event.start == DateTime::ZERO || event.end < event.start {
            return Err(Failure::Message("ErrorCalendarEndDateIsEarlierThanStartDate"));
        }
        let made = ews.server.state().create(&asked.mailbox, folder.as_deref(), event);
        made.map(|event| written("CreateItem", &event)).map_err(|refusal| Failure::Message(code(refusal)))
    })
}

/// `UpdateItem`.
pub fn update(ews: &Ews, asked: &Asked) -> Result<Vec<Node>, Failure> {
    if asked.body.attr("SendMeetingInvitationsOrCancellations").is_none() {
        return Err(Failure::Message("ErrorSendMeetingInvitationsOrCancellationsRequired"));
    }
    let looks =
        ews.settings.manner == Manner::Exchange && asked.body.attr("ConflictResolution") != Some("AlwaysOverwrite");
    each(asked, "ItemChanges", |change| {
        let id = change.child("ItemId").ok_or(Failure::Message("ErrorInvalidId"))?;
        let key = id.attr("ChangeKey").filter(|key| !key.is_empty());
        if looks && key.is_none() {
            return Err(Failure::Message("ErrorChangeKeyRequired"));
        }
        let number = id.attr("Id").unwrap_or_default();
        let mut state = ews.server.state();
        let mut event = state.item(&asked.mailbox, number).ok_or(Failure::Message("ErrorItemNotFound"))?;
        for one in change.child("Updates").map(|updates| updates.children.as_slice()).unwrap_or_default() {
            apply(&mut event, one)?;
        }
        if event.end < event.start {
            return Err(Failure::Message("ErrorCalendarEndDateIsEarlierThanStartDate"));
        }
        let updated = state.update(&asked.mailbox, number, key.filter(|_| looks), |kept| *kept = event);
        let updated = updated.map_err(|refusal| Failure::Message(code(refusal)))?;
        Ok(written("UpdateItem", &updated).with(el("m:ConflictResults").with(el("t:Count").text("0"))))
    })
}

fn apply(event: &mut Event, update: &Element) -> Result<(), Failure> {
    let field = update.children.first().ok_or(Failure::Fault("ErrorSchemaValidation"))?;
    match update.name.as_str() {
        "SetItemField" => {
            let values = update.child("CalendarItem").ok_or(Failure::Message("ErrorInvalidPropertySet"))?;
            let [value] = values.children.as_slice() else {
                return Err(Failure::Message("ErrorIncorrectUpdatePropertyCount"));
            };
            if field.attr("FieldURI").is_some_and(|uri| uri.split(':').nth(1) != Some(&value.name)) {
                return Err(Failure::Message("ErrorUpdatePropertyMismatch"));
            }
            fields::set(event, value)
        }
        "DeleteItemField" => {
            match (field.attr("FieldURI"), fields::property(field)) {
                (Some("calendar:Location"), _) => event.location.clear(),
                (Some("item:Categories"), _) => event.categories.clear(),
                (_, Some(property)) => drop(event.properties.remove(&property)),
                _ => return Err(Failure::Message("ErrorInvalidPropertyDelete")),
            }
            Ok(())
        }
        _ => Err(Failure::Message("ErrorInvalidPropertyAppend")),
    }
}

/// `DeleteItem`: in the bin it has another number, which nobody here asks for. The state it is in is not looked at.
pub fn delete(ews: &Ews, asked: &Asked) -> Result<Vec<Node>, Failure> {
    if asked.body.attr("SendMeetingCancellations").is_none() {
        return Err(Failure::Message("ErrorSendMeetingCancellationsRequired"));
    }
    each(asked, "ItemIds", |id| {
        let id = id.attr("Id").ok_or(Failure::Fault("ErrorSchemaValidation"))?;
        let deleted = ews.server.state().delete(&asked.mailbox, id, None);
        deleted.map(|()| answer::success("DeleteItem")).map_err(|refusal| Failure::Message(code(refusal)))
    })
}
