//! Which row it was, once the head of a seal differs.

use std::collections::HashMap;
use std::collections::btree_map::{BTreeMap, Entry};
use std::sync::{Mutex, PoisonError};

use domain::audit::{Position, Seal};
use ring::digest::{SHA256, digest};
use runtime::host::StartError;
use runtime::seals::hex;
use sqlx::PgConnection;

use super::verify::Findings;
use super::{Kind, stream};

/// Bytes of a mark: seq, and the beginning of the row's hash.
const MARK: usize = 16;
/// Stray rows that are compared with each other at most.
const STRAYS: usize = 100_000;

/// Rows that are gone from one stretch, and those that came to one: a row may only have moved.
#[derive(Default)]
pub(super) struct Strays(Mutex<BTreeMap<i64, (Kind, String)>>);

impl Strays {
    fn add(&self, kind: Kind, seq: i64, place: String, findings: &Findings) {
        let mut strays = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if strays.len() >= STRAYS {
            findings.add(kind, place);
            return;
        }
        match strays.entry(seq) {
            Entry::Vacant(empty) => drop(empty.insert((kind, place))),
            Entry::Occupied(mut other) if other.get().0 != kind => {
                let place = format!("{}; {place}", other.get().1);
                other.insert((Kind::RowReordered, place));
            }
            Entry::Occupied(_) => findings.add(kind, place),
        }
    }

    /// Tells what is left once all stretches were compared.
    pub(super) fn tell(&self, findings: &Findings) {
        for (kind, place) in self.0.lock().unwrap_or_else(PoisonError::into_inner).values() {
            findings.add(*kind, place.clone());
        }
    }
}

/// Compares the rows of a stretch with the marks that were made of them when they were sealed.
pub(super) async fn diagnose(
    connection: &mut PgConnection, seal: &Seal, findings: &Findings, strays: &Strays,
) -> Result<(), StartError> {
    let marks: Option<Vec<u8>> = sqlx::query_scalar("select marks from public.audit_seal where number = $1")
        .bind(i64::try_from(seal.number)?)
        .fetch_optional(&mut *connection)
        .await?;
    let marks = marks.filter(|marks| hex(digest(&SHA256, marks).as_ref()) == seal.marks);
    let place = |seq: i64| format!("seq {seq}, under seal {}", seal.number);
    let mut expected = marks.as_deref().map(expected);
    let (mut count, mut furthest) = (0_u64, 0);
    stream::rows(connection, Some(seal.from), seal.until, |at: Position, line| {
        count += 1;
        let Some(expected) = &mut expected else { return };
        match expected.remove(&at.seq) {
            None => strays.add(Kind::RowInserted, at.seq, place(at.seq), findings),
            Some((index, mark)) => {
                if index < furthest {
                    findings.add(Kind::RowReordered, place(at.seq));
                } else if digest(&SHA256, line).as_ref()[..8] != mark {
                    findings.add(Kind::RowChanged, place(at.seq));
                }
                furthest = furthest.max(index);
            }
        }
    })
    .await?;
    if let Some(gone) = expected {
        for seq in gone.into_keys() {
            strays.add(Kind::RowRemoved, seq, place(seq), findings);
        }
        return Ok(());
    }
    // Without marks the number of rows is all there is to tell by.
    let kind = match count.cmp(&seal.rows) {
        std::cmp::Ordering::Less => Kind::RowRemoved,
        std::cmp::Ordering::Equal => Kind::RowChanged,
        std::cmp::Ordering::Greater => Kind::RowInserted,
    };
    let ends = seal.first.zip(seal.last).map(|(first, last)| format!(", seq {first} to {last}"));
    let ends = ends.unwrap_or_default();
    findings.add(kind, format!("{count} rows where seal {} has {}{ends}", seal.number, seal.rows));
    Ok(())
}

/// Marks by seq: where in the stretch, and the beginning of the hash.
fn expected(marks: &[u8]) -> HashMap<i64, (usize, [u8; 8])> {
    let marks = marks.chunks_exact(MARK).enumerate();
    marks
        .filter_map(|(index, mark)| {
            let (seq, hash) = mark.split_first_chunk::<8>()?;
            Some((i64::from_be_bytes(*seq), (index, hash.try_into().ok()?)))
        })
        .collect()
}
