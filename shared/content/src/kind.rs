//! Which type a file is of, and whether it could be taken for another one as well.

use memchr::memmem;

use crate::source::Source;
use crate::{InspectError, MediaType, Refusal};

/// How far PDF readers look for the header.
const HEAD: usize = 1024;
/// How far from its end an archive may have its directory's end: a comment of 64 KiB, and the record.
const ARCHIVE_TAIL: usize = (64 << 10) + 22;
/// What makes browsers, and servers that run what they find, take a file for a page. Lower case.
const PAGE: [&[u8]; 8] =
    [b"<script", b"<html", b"<!doctype", b"<svg", b"<iframe", b"<body", b"<?php", b"<meta http-equiv"];

/// The type by the first bytes; what they leave open is a text, or nothing that is taken.
pub(crate) fn real(source: &mut Source) -> Result<MediaType, InspectError> {
    let head = source.up_to(0, HEAD)?;
    let kind = by_signature(&head).or_else(|| (!looks_binary(&head)).then_some(MediaType::Text));
    let pdf = memmem::find(&head, b"%PDF-");
    match (kind, pdf) {
        (Some(MediaType::Pdf), _) => {}
        // A letter may well begin with these characters, and is not worth the doubt.
        (_, Some(_)) => return Err(Refusal::Polyglot.into()),
        _ => {}
    }
    let kind = kind.ok_or(Refusal::TypeUnknown)?;
    if kind != MediaType::Text && is_page(&head) {
        return Err(Refusal::Polyglot.into());
    }
    if is_archive(source)? {
        return Err(Refusal::Polyglot.into());
    }
    Ok(kind)
}

fn by_signature(head: &[u8]) -> Option<MediaType> {
    let after_space = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head).trim_ascii_start();
    match head {
        [0xff, 0xd8, 0xff, ..] => Some(MediaType::Jpeg),
        [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => Some(MediaType::Png),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some(MediaType::WebP),
        [b'I', b'I', 42, 0, ..] | [b'M', b'M', 0, 42, ..] => Some(MediaType::Tiff),
        _ if after_space.starts_with(b"%PDF-") => Some(MediaType::Pdf),
        _ => None,
    }
}

fn looks_binary(head: &[u8]) -> bool {
    head.contains(&0)
        || [&b"PK\x03\x04"[..], b"GIF8", b"MZ", b"\x7fELF", b"Rar!", b"7z\xbc\xaf", b"\x1f\x8b", b"{\\rtf", b"%!PS"]
            .iter()
            .any(|signature| head.starts_with(signature))
}

/// Whether markup of a page is anywhere in these bytes, in any case.
pub(crate) fn is_page(bytes: &[u8]) -> bool {
    memchr::memchr_iter(b'<', bytes).any(|at| {
        PAGE.iter().any(|tag| bytes.get(at..at + tag.len()).is_some_and(|here| here.eq_ignore_ascii_case(tag)))
    })
}

/// Whether it ends as a ZIP does: programs read those from the end, whatever they begin with.
fn is_archive(source: &mut Source) -> Result<bool, InspectError> {
    let tail = source.up_to(source.len.saturating_sub(ARCHIVE_TAIL as u64), ARCHIVE_TAIL)?;
    Ok(memmem::find_iter(&tail, b"PK\x05\x06").any(|at| {
        // The two numbers of disks, and entries here and in all: enough not to take chance bytes of a photograph for one.
        tail.get(at + 4..at + 12).is_some_and(|it| it[..4] == [0; 4] && it[4..6] == it[6..8])
    }))
}
