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
        // A file that is fetched, and a place in another one.
        if matches!((key, &name[..]), (b"FS", b"URL") | (b"S", b"Thread")) {
            return Err(Active::ExternalFile);
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
    if key == b"URI" {
        seen.links = true;
        leads_to(value)?;
    }
    // A picture of another file (ISO 32000-2 §8.10.4).
    if let (b"Ref", Object::Dict(dict)) = (key, value)
        && dict.get("F").is_some()
    {
        return Err(Active::ExternalFile);
    }
    seen.signature |= key == b"ByteRange";
    judge(value, false, seen)
}

/// Where a link may lead: to a page, a letter or a telephone, and to what has no scheme. Readers hand the rest to the machine:
/// a file of its own, a script.
fn leads_to(value: &Object) -> Result<(), Active> {
    const SCHEMES: [&str; 4] = ["http", "https", "mailto", "tel"];
    let text = match value {
        Object::Raw(raw) => raw,
        // Of a catalogue: the base of its links, a dictionary that is judged like any other.
        Object::Dict(_) | Object::Null => return Ok(()),
        // Its words are elsewhere, where nobody knows that they are a link.
        _ => return Err(Active::ExternalFile),
    };
    let text: Vec<u8> = if text.starts_with(b"<") {
        let digits: Vec<u8> = text.iter().copied().filter(u8::is_ascii_hexdigit).collect();
        let digit = |byte: u8| (byte as char).to_digit(16).and_then(|it| u8::try_from(it).ok()).unwrap_or_default();
        digits.chunks(2).map(|pair| digit(pair[0]) * 16 + pair.get(1).copied().map_or(0, digit)).collect()
    } else {
        text.iter().copied().filter(|byte| !matches!(byte, b'(' | b')')).collect()
    };
    // Blanks and controls that readers leave out, too.
    let text: Vec<u8> = text.into_iter().filter(|byte| *byte > b' ').collect();
    let Some(colon) = text.iter().position(|byte| *byte == b':') else {
        // `\\machine\file`, and what is written in escapes or in two bytes a letter.
        return if matches!(text.first(), Some(b'\\' | 0xef | 0xfe | 0xff)) {
            Err(Active::ExternalFile)
        } else {
            Ok(())
        };
    };
    let scheme = text[..colon].to_ascii_lowercase();
    // `page?at=12:30` has no scheme.
    let is_path = scheme.iter().any(|byte| matches!(byte, b'/' | b'?' | b'#')) && !scheme.contains(&b'\\');
    match &scheme[..] {
        b"javascript" => Err(Active::JavaScript),
        _ if is_path || SCHEMES.iter().any(|it| it.as_bytes() == scheme) => Ok(()),
        _ => Err(Active::ExternalFile),
    }
}

/// The contents of a stream may lie in another file, which the reader then opens.
fn of_a_stream(dict: &Dict) -> Result<(), Active> {
    match dict.get("F") {
        None | Some(Object::Null) => Ok(()),
        Some(_) => Err(Active::ExternalFile),
    }
}
