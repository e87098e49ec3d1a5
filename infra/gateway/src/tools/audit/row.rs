//! A row of the trail as bytes: what `audit_line` in the database says, made of what `copy … (format binary)` gives.

use domain::audit::Position;
use uuid::Uuid;

use self::Column::{Instant, Int2, Int8, Jsonb, Text, Uuid as Id, Xid8};

/// Types of columns, as they travel.
#[derive(Debug, Clone, Copy)]
enum Column {
    Int8,
    Int2,
    Xid8,
    Instant,
    Text,
    Uuid,
    Jsonb,
}

/// Every column of the table, in its order.
const COLUMNS: [(&str, Column); 18] = [
    ("seq", Int8),
    ("at", Instant),
    ("actor_kind", Text),
    ("actor_id", Id),
    ("action", Text),
    ("event", Text),
    ("object_id", Id),
    ("patient_id", Id),
    ("request_id", Text),
    ("session_id", Id),
    ("role", Text),
    ("establishment_id", Id),
    ("level", Int2),
    ("address", Text),
    ("purpose", Text),
    ("outcome", Text),
    ("changes", Jsonb),
    ("transaction_id", Xid8),
];
/// From PostgreSQL's epoch (2000) back to that of the form (1970), in microseconds.
const EPOCH: i128 = 946_684_800_000_000;

/// Bytes that are not rows of the trail: another schema, or another server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the database does not send rows of the audit trail")]
pub struct NotARow;

/// The columns, for a statement.
pub fn columns() -> Vec<&'static str> {
    COLUMNS.iter().map(|(name, _)| *name).collect()
}

/// Reads one row off the front of `bytes`, and writes its form to `line`.
/// `None` when there is none: the end of the copy.
///
/// # Errors
/// [`NotARow`].
pub fn read(bytes: &mut &[u8], line: &mut Vec<u8>) -> Result<Option<Position>, NotARow> {
    line.clear();
    let fields = i16::from_be_bytes(take(bytes)?);
    if fields == -1 {
        return Ok(None);
    }
    if usize::try_from(fields) != Ok(COLUMNS.len()) {
        return Err(NotARow);
    }
    let mut position = Position { transaction: 0, seq: 0 };
    for (index, (_, column)) in COLUMNS.iter().enumerate() {
        let length = i32::from_be_bytes(take(bytes)?);
        let Ok(length) = usize::try_from(length) else {
            line.push(b'-');
            continue;
        };
        let (value, rest) = bytes.split_at_checked(length).ok_or(NotARow)?;
        *bytes = rest;
        match column {
            Int8 => {
                let number = i64::from_be_bytes(exact(value)?);
                if index == 0 {
                    position.seq = number;
                }
                signed(line, number);
            }
            Int2 => signed(line, i16::from_be_bytes(exact(value)?).into()),
            Xid8 => {
                position.transaction = u64::from_be_bytes(exact(value)?);
                let mut digits = [0; 20];
                field(line, decimal(position.transaction, &mut digits));
            }
            Instant => instant(line, i64::from_be_bytes(exact(value)?)),
            Text => field(line, value),
            Id => {
                let mut text = [0; uuid::fmt::Hyphenated::LENGTH];
                field(line, Uuid::from_bytes(exact(value)?).hyphenated().encode_lower(&mut text).as_bytes());
            }
            // A version, then the text.
            Jsonb => field(line, value.strip_prefix(&[1]).ok_or(NotARow)?),
        }
    }
    Ok(Some(position))
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Result<[u8; N], NotARow> {
    let (first, rest) = bytes.split_first_chunk::<N>().ok_or(NotARow)?;
    *bytes = rest;
    Ok(*first)
}

fn exact<const N: usize>(value: &[u8]) -> Result<[u8; N], NotARow> {
    value.try_into().map_err(|_| NotARow)
}

/// Length, colon, value, comma.
fn field(line: &mut Vec<u8>, value: &[u8]) {
    let mut digits = [0; 20];
    line.extend_from_slice(decimal(value.len() as u64, &mut digits));
    line.push(b':');
    line.extend_from_slice(value);
    line.push(b',');
}

fn signed(line: &mut Vec<u8>, number: i64) {
    let mut text = [0; 21];
    let mut digits = [0; 20];
    let digits = decimal(number.unsigned_abs(), &mut digits);
    let sign = usize::from(number < 0);
    text[0] = b'-';
    text[sign..sign + digits.len()].copy_from_slice(digits);
    field(line, &text[..sign + digits.len()]);
}

/// Seconds since 1970 with six decimals, or the infinities by name.
fn instant(line: &mut Vec<u8>, micros: i64) {
    match micros {
        i64::MAX => return field(line, b"Infinity"),
        i64::MIN => return field(line, b"-Infinity"),
        _ => {}
    }
    let micros = i128::from(micros) + EPOCH;
    let all = u64::try_from(micros.unsigned_abs()).unwrap_or(u64::MAX);
    let (seconds, fraction) = (all / 1_000_000, all % 1_000_000);
    let (mut text, mut whole, mut part) = ([0; 32], [0; 20], [0; 20]);
    let (whole, part) = (decimal(seconds, &mut whole), decimal(fraction, &mut part));
    let sign = usize::from(micros < 0);
    text[0] = b'-';
    text[sign..sign + whole.len()].copy_from_slice(whole);
    let point = sign + whole.len();
    text[point] = b'.';
    let end = point + 7;
    text[point + 1..end].fill(b'0');
    text[end - part.len()..end].copy_from_slice(part);
    field(line, &text[..end]);
}

fn decimal(mut number: u64, digits: &mut [u8; 20]) -> &[u8] {
    let mut at = digits.len();
    loop {
        at -= 1;
        // A remainder by ten is one digit.
        digits[at] = b'0' + u8::try_from(number % 10).unwrap_or_default();
        number /= 10;
        if number == 0 {
            return &digits[at..];
        }
    }
}
