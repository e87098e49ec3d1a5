//! Texts: UTF-8, words and nothing else.

use std::io::Read;

use crate::source::{Source, WINDOW};
use crate::{InspectError, Inspection, Limits, MediaType, Refusal, kind};

/// Beginnings by which a browser, a shell or an office program takes a text for more than that. Lower case.
const BEGINNINGS: [&str; 6] = ["<", "#!", "%!", "{\\rtf", "mime-version:", "content-type:"];

pub(crate) fn inspect(source: &mut Source) -> Result<Inspection, InspectError> {
    let head = source.up_to(0, 1024)?;
    let begins = String::from_utf8_lossy(&head);
    let begins = begins.trim_start_matches(|it: char| it.is_whitespace() || it == '\u{feff}').to_ascii_lowercase();
    // `<3`, `< 5 mg/l` and `<nom@example.org>` are words; a tag, a comment and a declaration begin as these do.
    let tag = begins.strip_prefix('<').is_some_and(|rest| {
        let name = rest.trim_start_matches(['!', '?', '/']);
        let word = name.split(|it: char| !it.is_ascii_alphanumeric() && it != ':').next().unwrap_or("");
        name.len() < rest.len()
            || (!word.is_empty() && name[word.len()..].starts_with(['>', ' ', '/', '\n', '\r', '\t']))
    });
    if tag || BEGINNINGS[1..].iter().any(|it| begins.starts_with(it)) || kind::is_page(&head) {
        return Err(Refusal::Markup.into());
    }
    let mut has_words = false;
    characters(source, |piece| {
        has_words |= piece.chars().any(|it| !it.is_whitespace() && it != '\u{feff}');
        let odd = |it: char| (it.is_control() && !matches!(it, '\n' | '\r' | '\t')) || is_noncharacter(it);
        if piece.chars().any(odd) { Err(Refusal::NotPlainText.into()) } else { Ok(true) }
    })?;
    if !has_words {
        return Err(Refusal::Empty.into());
    }
    Ok(Inspection { media_type: MediaType::Text, pages: None, pixels: None, findings: vec![] })
}

pub(crate) fn text(source: &mut Source, limits: &Limits) -> Result<Option<String>, InspectError> {
    let mut text = String::new();
    characters(source, |piece| {
        text.push_str(piece.trim_start_matches('\u{feff}'));
        Ok(text.len() < limits.max_text_bytes)
    })?;
    shorten(&mut text, limits.max_text_bytes);
    Ok((!text.trim().is_empty()).then_some(text))
}

/// At most so many bytes, and no half character.
pub(crate) fn shorten(text: &mut String, bytes: usize) {
    let end = text.floor_char_boundary(bytes);
    text.truncate(end);
}

fn is_noncharacter(it: char) -> bool {
    (it as u32) & 0xfffe == 0xfffe || ('\u{fdd0}'..='\u{fdef}').contains(&it)
}

/// Goes through the characters, window by window, until the file ends or `each` says false.
fn characters(
    source: &mut Source, mut each: impl FnMut(&str) -> Result<bool, InspectError>,
) -> Result<(), InspectError> {
    let deadline = source.deadline;
    let mut reader = source.from(0)?;
    let mut window: Vec<u8> = Vec::with_capacity(WINDOW + 4);
    loop {
        deadline.check()?;
        let before = window.len();
        Read::by_ref(&mut reader).take((WINDOW - before) as u64).read_to_end(&mut window)?;
        let at_end = window.len() < WINDOW;
        let valid = match std::str::from_utf8(&window) {
            Ok(all) => all.len(),
            // The last character may go on in the next window.
            Err(error) if error.error_len().is_none() && !at_end => error.valid_up_to(),
            Err(_) => return Err(Refusal::NotPlainText.into()),
        };
        let piece = std::str::from_utf8(&window[..valid]).map_err(|_| Refusal::NotPlainText)?;
        if !each(piece)? || at_end {
            return Ok(());
        }
        window.drain(..valid);
    }
}
