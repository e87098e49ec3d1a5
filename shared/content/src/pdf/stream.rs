//! Streams of a PDF: where they begin, and those that hold objects.

use std::io::Read;

use flate2::read::ZlibDecoder;

use super::object::{Dict, Halt, Lexer, Object};
use crate::source::{Deadline, Source};
use crate::{InspectError, Limits, Refusal};

/// Compressed parts that become no more than this may be as regular as they like: 4 MiB.
const FREE_OF_RATIO: u64 = 4 << 20;

/// Bytes in which the word that begins a stream stands, with its end of line.
const WORD: usize = 64;

/// Where the bytes of a stream begin, when the word that says so comes after its dictionary. [`Halt::Short`] while that is
/// not yet to be seen, unless the bytes are `all` that there are.
pub(crate) fn begins(bytes: &[u8], after_dict: usize, all: bool) -> Result<Option<usize>, Halt> {
    let mut lexer = Lexer::new(bytes, after_dict, 0);
    lexer.skip_to_begin().map_err(Halt::Refused)?;
    if !all && bytes.len() - lexer.at < WORD {
        return Err(Halt::Short);
    }
    if !lexer.word(b"stream") {
        return Ok(None);
    }
    // A line's end belongs to the word; some writers have half of one, or spaces before it.
    let mut at = lexer.at;
    while bytes.get(at) == Some(&b' ') {
        at += 1;
    }
    if bytes.get(at) == Some(&b'\r') {
        at += 1;
    }
    if bytes.get(at) == Some(&b'\n') {
        at += 1;
    }
    Ok(Some(at))
}

/// The filters in their order. None where they stand elsewhere, or are something else.
pub(crate) fn filters(dict: &Dict) -> Option<Vec<&[u8]>> {
    match dict.get("Filter") {
        None | Some(Object::Null) => Some(vec![]),
        Some(Object::Name(name)) => Some(vec![name]),
        Some(Object::Array(names)) => {
            names.iter().map(|it| if let Object::Name(name) = it { Some(&name[..]) } else { None }).collect()
        }
        Some(_) => None,
    }
}

pub(crate) fn is_flate(filter: &[u8]) -> bool {
    matches!(filter, b"FlateDecode" | b"Fl")
}

/// What an object stream holds. Every writer deflates them once or leaves them as they are; whatever else a reader could
/// undo is not taken, since it was done to hide them.
pub(crate) fn object_stream(
    source: &mut Source, dict: &Dict, data: u64, limits: &Limits,
) -> Result<Vec<u8>, InspectError> {
    let odd = Refusal::Malformed("an object stream of an unusual kind");
    let plain = |parms: &Object| match parms {
        Object::Null => true,
        Object::Dict(parms) => matches!(parms.get("Predictor"), None | Some(Object::Integer(1))),
        _ => false,
    };
    let parms = [dict.get("DecodeParms"), dict.get("DP")].into_iter().flatten();
    let all_plain = parms.into_iter().all(|parms| match parms {
        Object::Array(all) => all.iter().all(plain),
        one => plain(one),
    });
    // Some readers pass what stands behind the word up to the end of its line; others read it.
    if !matches!(source.at(data.saturating_sub(1), 1)?[..], [b'\r' | b'\n']) {
        return Err(odd.into());
    }
    let mut bytes = Vec::new();
    match filters(dict).as_deref() {
        _ if !all_plain => return Err(odd.into()),
        Some([]) => {
            let end = source.find(b"endstream", data, source.len)?.ok_or(Refusal::Truncated)?;
            if end - data > limits.max_inflated_bytes {
                return Err(Refusal::Bomb.into());
            }
            bytes = source.at(data, usize::try_from(end - data).unwrap_or(0))?;
        }
        Some([filter]) if is_flate(filter) => {
            let deadline = source.deadline;
            inflate(source.from(data)?, limits, deadline, limits.max_inflated_bytes, |part| {
                bytes.extend_from_slice(part);
            })?;
        }
        _ => return Err(odd.into()),
    }
    // So that a word at the very end has an end.
    bytes.push(b'\n');
    Ok(bytes)
}

/// Undoes the compression, piece by piece, up to `most` bytes.
pub(crate) fn inflate(
    from: impl Read, limits: &Limits, deadline: Deadline, most: u64, mut each: impl FnMut(&[u8]),
) -> Result<u64, InspectError> {
    let mut decoder = ZlibDecoder::new(from);
    let mut part = [0; 16 << 10];
    loop {
        deadline.check()?;
        let read = match decoder.read(&mut part) {
            Ok(0) => return Ok(decoder.total_out()),
            Ok(read) => read,
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => return Err(Refusal::Truncated.into()),
            Err(error) if error.raw_os_error().is_some() => return Err(error.into()),
            Err(_) => return Err(Refusal::Malformed("a compressed part that cannot be opened").into()),
        };
        let (taken, given) = (decoder.total_in(), decoder.total_out());
        if given > most || (given > FREE_OF_RATIO && given / taken.max(1) > limits.max_ratio) {
            return Err(Refusal::Bomb.into());
        }
        each(&part[..read]);
    }
}

/// The number of each object of an object stream, and where it begins. None unless it says so in plain numbers.
pub(crate) fn heads(bytes: &[u8], dict: &Dict) -> Option<Vec<(u32, usize)>> {
    let number = |key| match dict.get(key) {
        Some(Object::Integer(number)) => usize::try_from(*number).ok(),
        _ => None,
    };
    let (first, count) = (number("First")?, number("N")?);
    let mut lexer = Lexer::new(bytes, 0, 0);
    let mut heads = Vec::new();
    for _ in 0..count {
        let (number, offset) = (lexer.integer()?, lexer.integer()?);
        let at = first.checked_add(usize::try_from(offset).ok()?)?;
        heads.push((u32::try_from(number).ok()?, at.min(bytes.len())));
    }
    Some(heads)
}
