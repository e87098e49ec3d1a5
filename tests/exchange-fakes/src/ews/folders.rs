//! Folders: the calendars, and the few that programs ask for before they get there.

use exchange::ews::xml::{Element, Node, el};

use super::Ews;
use super::answer::{self, Failure};
use super::asked::Asked;

/// The number of the calendar that a folder's name or number stands for.
pub fn calendar(ews: &Ews, asked: &Asked, folder: &Element) -> Result<String, Failure> {
    // `TargetFolderId` and `ParentFolderIds` hold it; a number stands by itself.
    let folder = if folder.attr("Id").is_none() { folder.children.first().unwrap_or(folder) } else { folder };
    let state = ews.server.state();
    let mailbox = state.mailbox(&asked.mailbox).ok_or(Failure::Message("ErrorNonExistentMailbox"))?;
    match (folder.name.as_str(), folder.attr("Id").unwrap_or_default()) {
        ("DistinguishedFolderId", "calendar") => Ok(mailbox.default.clone()),
        ("FolderId", id) if mailbox.calendars.contains_key(id) => Ok(id.to_owned()),
        _ => Err(Failure::Message("ErrorFolderNotFound")),
    }
}

/// `GetFolder`.
pub fn get(ews: &Ews, asked: &Asked) -> Result<Vec<Node>, Failure> {
    let ids = asked.body.child("FolderIds").ok_or(Failure::Fault("ErrorSchemaValidation"))?;
    let bare = asked.body.at(&["FolderShape", "BaseShape"]).is_some_and(|shape| shape.text.trim() == "IdOnly");
    let bare = bare && asked.body.at(&["FolderShape", "AdditionalProperties"]).is_none();
    let one = |folder: &Element| {
        let name = folder.attr("Id").unwrap_or_default();
        let (kind, id, class) = match calendar(ews, asked, folder) {
            Ok(id) => ("t:CalendarFolder", id, "IPF.Appointment"),
            Err(_) if folder.name == "DistinguishedFolderId" => ("t:Folder", format!("AQMkFolder-{name}"), "IPF.Note"),
            Err(Failure::Message(code) | Failure::Fault(code)) => return answer::error("GetFolder", code),
        };
        let mut node = el(kind).with(el("t:FolderId").attr("Id", &id).attr("ChangeKey", "AQAAAA=="));
        if !bare {
            node = node
                .with(el("t:ParentFolderId").attr("Id", "AQMkFolder-msgfolderroot").attr("ChangeKey", "AQAAAA=="))
                .with(el("t:FolderClass").text(class))
                .with(el("t:DisplayName").text(if class == "IPF.Appointment" { "Calendar" } else { name }))
                .with(el("t:TotalCount").text("0"))
                .with(el("t:ChildFolderCount").text("0"));
        }
        answer::success("GetFolder").with(el("m:Folders").with(node))
    };
    Ok(ids.children.iter().map(one).collect())
}
