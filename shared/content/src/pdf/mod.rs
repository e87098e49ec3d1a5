//! PDF: letters, reports, scans, and much that has no place in a record.

mod active;
mod document;
mod draw;
mod excerpt;
mod object;
mod scan;
mod stream;

use document::Document;
pub(crate) use draw::{preview, text};
use memchr::memmem;

use crate::source::Source;
use crate::{Finding, InspectError, Inspection, Limits, MediaType, Refusal, kind};

/// How far from its end readers look for the end: 1 KiB. Some writers fill up a block behind it.
const TAIL: usize = 8 << 10;

pub(crate) fn inspect(source: &mut Source, limits: &Limits) -> Result<Inspection, InspectError> {
    let head = source.up_to(0, 1024)?;
    if kind::is_page(&head) {
        return Err(Refusal::Polyglot.into());
    }
    let scan = scan::scan(source, limits)?;
    check_end(source)?;
    let (seen, linearized, tables) = (scan.seen, scan.linearized, scan.tables);
    let pages = Document::new(source, scan, limits).pages(|_, _| Ok(true))?;
    if pages == 0 {
        return Err(Refusal::Malformed("no pages").into());
    }
    let told = [
        (seen.fields, Finding::FormFields),
        (seen.links, Finding::ExternalLinks),
        (seen.signature, Finding::Signed),
        (tables > 1 + u32::from(linearized), Finding::FormerRevisions),
    ];
    let findings = told.into_iter().filter_map(|(is, finding)| is.then_some(finding)).collect();
    Ok(Inspection { media_type: MediaType::Pdf, pages: Some(pages), pixels: None, findings })
}

/// It ends where it says that it ends.
fn check_end(source: &mut Source) -> Result<(), InspectError> {
    let tail = source.up_to(source.len.saturating_sub(TAIL as u64), TAIL)?;
    let Some(end) = memmem::rfind(&tail, b"%%EOF") else { return Err(Refusal::Truncated.into()) };
    if memmem::rfind(&tail[..end], b"startxref").is_none() {
        return Err(Refusal::Truncated.into());
    }
    if tail[end + 5..].iter().any(|byte| *byte != 0 && !byte.is_ascii_whitespace()) {
        return Err(Refusal::Polyglot.into());
    }
    Ok(())
}
