//! What in an object could act: by the names in it, wherever in the document it lies and whether or not anything leads to it.

use super::object::{Dict, Object};
use crate::Active;

/// Names that stand for something active wherever in a dictionary they stand.
fn anywhere(name: &[u8]) -> Option<Active> {
    Some(match name {
        b"JavaScript" | b"JS" => Active::JavaScript,
        b"Launch" => Active::LaunchAction,
        b"EmbeddedFile" | b"EF" | b"GoToE" | b"Collection" => Active::EmbeddedFile,
        b"SubmitForm" | b"ImportData" => Active::SubmitForm,
        b"RichMedia" | b"RichMediaContent" | b"RichMediaExecute" | b"RichMediaSettings" => Active::RichMedia,
        b"XFA" => Active::Xfa,
        b"GoToR" => Active::ExternalFile,
        _ => return None,
    })
}

/// Names that stand for something active as the kind of an action or an annotation. Elsewhere they are words like others.
fn as_kind(name: &[u8]) -> Option<Active> {
    Some(match name {
        b"Movie" | b"Sound" | b"Screen" | b"3D" | b"Rendition" | b"GoTo3DView" => Active::RichMedia,
        b"FileAttachment" => Active::EmbeddedFile,
        _ => return None,
    })
}

/// What was seen that is told, and not refused.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Seen {
    pub fields: bool,
    pub links: bool,
    pub signature: bool,
}

/// Everything in this object, to its last level.
pub(crate) fn judge(object: &Object, is_stream: bool, seen: &mut Seen) -> Result<(), Active> {
    match object {
        Object::Dict(dict) => {
            if is_stream {
                of_a_stream(dict)?;
            }
            dict.0.iter().try_for_each(|(key, value)| entry(key, value, seen))
        }
        Object::Array(items) => items.iter().try_for_each(|item| judge(item, false, seen)),
        // The kind of an action may stand in an object of its own.
        Object::Name(name) => anywhere(name).or_else(|| as_kind(name)).map_or(Ok(()), Err),
        _ => Ok(()),
    }
}

fn entry(key: &[u8], value: &Object, seen: &mut Seen) -> Result<(), Active> {
    // Many writers put in what they leave empty.
    let is_empty = match value {
        Object::Null => true,
        Object::Array(items) => items.is_empty(),
        Object::Dict(dict) => dict.0.is_empty(),
        _ => false,
    };
    if !is_empty && let Some(active) = anywhere(key) {
        return Err(active);
    }
    if let Object::Name(name) = value {
        if let Some(active) = anywhere(name) {
            return Err(active);
        }
        if matches!(key, b"S" | b"Subtype" | b"Type")
            && let Some(active) = as_kind(name)
        {
            return Err(active);
        }
        seen.signature |= key == b"FT" && name == b"Sig";
        seen.fields |= key == b"FT" && name != b"Sig";
        return Ok(());
    }
    seen.links |= key == b"URI";
    seen.signature |= key == b"ByteRange";
    judge(value, false, seen)
}

/// The contents of a stream may lie in another file, which the reader then opens.
fn of_a_stream(dict: &Dict) -> Result<(), Active> {
    match dict.get("F") {
        None | Some(Object::Null) => Ok(()),
        Some(_) => Err(Active::ExternalFile),
    }
}
