//! The seals of the table and their copies: which of them hold, and what is wrong with the others.

use std::collections::BTreeMap;
use std::sync::Arc;

use domain::audit::{NotASeal, SignedSeal};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use runtime::host::StartError;
use runtime::seals::{Objects, PublicKey};
use serde_json::Value;
use sqlx::{PgPool, Row as _};

use super::Kind;
use super::verify::Findings;

/// Copies that are read at once.
const AT_ONCE: usize = 16;
/// In words of its own: a function of the database would say what whoever changed it wants.
const SEALS: &str = "select number, jsonb_build_object(
        'number', number,
        'from', jsonb_build_object('transaction', from_transaction::text::numeric, 'seq', from_seq),
        'until', jsonb_build_object('transaction', until_transaction::text::numeric, 'seq', until_seq),
        'rows', rows, 'first', first_seq, 'last', last_seq, 'previous', previous, 'head', head,
        'marks', encode(sha256(marks), 'hex'), 'sealed_at', sealed_at, 'key', key_id, 'signature', signature),
    exists (select from public.audit_seal_copy c where c.number = s.number)
    from public.audit_seal s order by number";

/// The seals that hold.
pub(super) struct Held {
    /// In order, each going on after the one before.
    pub seals: Vec<SignedSeal>,
    /// How many the table has.
    pub in_table: u64,
    /// How many copies there are.
    pub copies: u64,
    /// The latest ones, which nobody copied yet.
    pub uncopied: u64,
}

/// What is said of one number.
#[derive(Default)]
struct Said {
    table: Option<Result<SignedSeal, NotASeal>>,
    copy: Option<Result<SignedSeal, NotASeal>>,
    /// Whether the table says that it was copied.
    copied: bool,
}

/// Reads all of them and judges each.
pub(super) async fn held(
    pool: &PgPool, keys: &[PublicKey], objects: Option<&Arc<dyn Objects>>, findings: &Findings,
) -> Result<Held, StartError> {
    let mut said: BTreeMap<u64, Said> = BTreeMap::new();
    let mut connection = super::stream::connection(pool).await?;
    let mut rows = sqlx::query(SEALS).fetch(&mut connection);
    let mut in_table = 0;
    while let Some(row) = rows.try_next().await? {
        let number: i64 = row.try_get(0)?;
        let document: Value = row.try_get(1)?;
        in_table += 1;
        let said = said.entry(u64::try_from(number).unwrap_or_default()).or_default();
        said.table = Some(serde_json::from_value(document).map_err(|_| NotASeal));
        said.copied = row.try_get(2)?;
    }
    drop(rows);
    let copies = match objects {
        Some(objects) => copies(objects, findings).await?,
        None => BTreeMap::new(),
    };
    let (last_row, last_copy) = (said.keys().next_back().copied(), copies.keys().next_back().copied());
    let count = copies.len() as u64;
    for (number, copy) in copies {
        said.entry(number).or_default().copy = Some(copy);
    }
    let mut held = Held { seals: Vec::new(), in_table, copies: count, uncopied: 0 };
    let mut expected = 1;
    for (number, said) in said {
        if number > expected {
            findings.add(Kind::SealRemoved, format!("{}", Numbers(expected, number - 1)));
        }
        expected = number + 1;
        if said.table.is_none() {
            let kind = if Some(number) > last_row { Kind::TailCut } else { Kind::SealRemoved };
            findings.add(kind, format!("seal {number}: only its copy is left"));
        }
        if objects.is_some() && said.copy.is_none() {
            if Some(number) > last_copy && !said.copied {
                held.uncopied += 1;
            } else {
                findings.add(Kind::CopyRemoved, format!("seal {number}"));
            }
        }
        if let Some(seal) = judge(number, said, keys, findings) {
            link(seal, &mut held, findings);
        }
    }
    Ok(held)
}

/// A stretch of numbers, in words.
struct Numbers(u64, u64);

impl std::fmt::Display for Numbers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.0 == self.1 { write!(f, "seal {}", self.0) } else { write!(f, "seals {} to {}", self.0, self.1) }
    }
}

/// Every copy by number.
async fn copies(
    objects: &Arc<dyn Objects>, findings: &Findings,
) -> Result<BTreeMap<u64, Result<SignedSeal, NotASeal>>, StartError> {
    let mut all = BTreeMap::new();
    let names = objects.names().await?;
    let reads = names.into_iter().map(|name| async move {
        let bytes = objects.get(&name).await;
        bytes.map(|bytes| (name, bytes))
    });
    let mut reads = stream::iter(reads).buffer_unordered(AT_ONCE);
    while let Some((name, bytes)) = reads.try_next().await? {
        let number: Option<u64> = name.strip_prefix("seal-").and_then(|rest| rest.strip_suffix(".txt")?.parse().ok());
        let Some(number) = number.filter(|number| SignedSeal::file_name(*number) == name) else {
            findings.add(Kind::CopyChanged, format!("{name} is not the name of a copy"));
            continue;
        };
        let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default();
        all.insert(number, SignedSeal::parse(&text));
    }
    Ok(all)
}

/// The seal of that number that holds, if one does; what is wrong with table and copy is told.
fn judge(number: u64, said: Said, keys: &[PublicKey], findings: &Findings) -> Option<SignedSeal> {
    let place = format!("seal {number}");
    let known = |seal: &SignedSeal| keys.iter().any(|key| key.id() == seal.seal.key);
    let good = |seal: &SignedSeal| {
        seal.seal.number == number && keys.iter().any(|key| key.id() == seal.seal.key && key.verifies(seal))
    };
    let copy = match said.copy {
        Some(copy) => {
            let copy = copy.ok().filter(good);
            if copy.is_none() {
                findings.add(Kind::CopyChanged, place.clone());
            }
            copy
        }
        None => None,
    };
    let table = match said.table {
        Some(Ok(seal)) if good(&seal) => Some(seal),
        Some(Ok(seal)) if !known(&seal) => {
            findings.add(Kind::SealForged, format!("{place}: signed with key {}", seal.seal.key));
            None
        }
        Some(_) => {
            findings.add(Kind::SealChanged, place.clone());
            None
        }
        None => None,
    };
    match (table, copy) {
        (Some(table), Some(copy)) if table != copy => {
            findings.add(Kind::SealChanged, format!("{place}: both it and its copy are signed, and differ"));
            Some(copy)
        }
        // What cannot be changed goes before what can.
        (table, copy) => copy.or(table),
    }
}

/// Adds a seal that holds by itself, if it goes on after the last one.
fn link(seal: SignedSeal, held: &mut Held, findings: &Findings) {
    let before = held.seals.last().map(|signed| &signed.seal);
    let adjacent = before.map_or(seal.seal.number == 1, |before| before.number + 1 == seal.seal.number);
    if adjacent && !seal.seal.follows(before) {
        findings.add(Kind::SealUnlinked, format!("seal {}", seal.seal.number));
    }
    let begins = before.map(|before| before.until);
    if begins.is_none_or(|begins| begins <= seal.seal.from) && seal.seal.from <= seal.seal.until {
        held.seals.push(seal);
    }
}
