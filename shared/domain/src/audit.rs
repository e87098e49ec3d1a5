//! Seals of the audit trail: what one says, as the text that is signed.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The head before the first seal: 32 zero bytes, in hex.
pub const GENESIS: &str = "0000000000000000000000000000000000000000000000000000000000000000";
/// First line of every text, with the version of the form of rows and seals.
const TITLE: &str = "carnet audit seal 1";

/// A place in the trail, whose rows are in the order of transaction and seq.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Position {
    /// The database's number of the transaction that wrote the row.
    pub transaction: u64,
    /// The row's own number.
    pub seq: i64,
}

impl std::fmt::Display for Position {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.transaction, self.seq)
    }
}

/// What a seal says of one stretch of the trail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seal {
    /// 1, 2, 3 …
    pub number: u64,
    /// Where the stretch begins: where the one before ends.
    pub from: Position,
    /// Where it ends, not included. Every transaction before it had ended, so that no row can come to it later.
    pub until: Position,
    /// How many rows.
    pub rows: u64,
    /// The lowest seq.
    pub first: Option<i64>,
    /// The highest seq.
    pub last: Option<i64>,
    /// Head of the seal before.
    pub previous: String,
    /// The last link: SHA-256 of the link before and the row, from `previous` on.
    pub head: String,
    /// SHA-256 of the marks of the rows.
    pub marks: String,
    /// When.
    pub sealed_at: Timestamp,
    /// Which key signs.
    pub key: String,
}

impl Seal {
    /// What is signed.
    pub fn text(&self) -> String {
        let or_dash = |seq: Option<i64>| seq.map_or_else(|| "-".into(), |seq| seq.to_string());
        format!(
            "{TITLE}\nnumber: {}\nfrom: {}\nuntil: {}\nrows: {}\nfirst: {}\nlast: {}\nprevious: {}\nhead: {}\n\
             marks: {}\nsealed: {}\nkey: {}\n",
            self.number,
            self.from,
            self.until,
            self.rows,
            or_dash(self.first),
            or_dash(self.last),
            self.previous,
            self.head,
            self.marks,
            self.sealed_at,
            self.key
        )
    }

    /// Whether this seal can follow the other, or begin the trail.
    pub fn follows(&self, before: Option<&Self>) -> bool {
        match before {
            Some(before) => {
                self.number == before.number + 1 && self.from == before.until && self.previous == before.head
            }
            None => self.number == 1 && self.from == Position { transaction: 0, seq: 0 } && self.previous == GENESIS,
        }
    }
}

/// A seal with its signature (Ed25519, base64).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedSeal {
    /// What is signed.
    #[serde(flatten)]
    pub seal: Seal,
    /// Over the UTF-8 bytes of its text.
    pub signature: String,
}

/// Not a seal, or not in the one form that a seal has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a seal")]
pub struct NotASeal;

impl SignedSeal {
    /// As it lies in the store of copies: the text that is signed, then a line with the signature.
    pub fn file(&self) -> String {
        format!("{}signature: {}\n", self.seal.text(), self.signature)
    }

    /// The name of its copy.
    pub fn file_name(number: u64) -> String {
        format!("seal-{number:020}.txt")
    }

    /// Reads a copy. Only what [`SignedSeal::file`] would write is one.
    ///
    /// # Errors
    /// [`NotASeal`].
    pub fn parse(file: &str) -> Result<Self, NotASeal> {
        let mut lines = file.lines();
        (lines.next() == Some(TITLE)).then_some(()).ok_or(NotASeal)?;
        let mut field = |name: &str| {
            let value = lines.next().and_then(|line| line.strip_prefix(name)?.strip_prefix(": "));
            value.map(str::to_owned).ok_or(NotASeal)
        };
        let seal = Seal {
            number: number(&field("number")?)?,
            from: position(&field("from")?)?,
            until: position(&field("until")?)?,
            rows: number(&field("rows")?)?,
            first: seq(&field("first")?)?,
            last: seq(&field("last")?)?,
            previous: field("previous")?,
            head: field("head")?,
            marks: field("marks")?,
            sealed_at: number(&field("sealed")?)?,
            key: field("key")?,
        };
        let read = Self { seal, signature: field("signature")? };
        if read.file() == file { Ok(read) } else { Err(NotASeal) }
    }
}

fn number<T: std::str::FromStr>(text: &str) -> Result<T, NotASeal> {
    text.parse().map_err(|_| NotASeal)
}

fn seq(text: &str) -> Result<Option<i64>, NotASeal> {
    if text == "-" { Ok(None) } else { number(text).map(Some) }
}

fn position(text: &str) -> Result<Position, NotASeal> {
    let (transaction, seq) = text.split_once(' ').ok_or(NotASeal)?;
    Ok(Position { transaction: number(transaction)?, seq: number(seq)? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    prop_compose! {
        fn seals()(
            number in 1_u64.., from in (any::<u64>(), any::<i64>()), until in (any::<u64>(), any::<i64>()),
            rows in any::<u64>(), ends in any::<Option<(i64, i64)>>(), hashes in "[0-9a-f]{64}",
            micros in -1_000_000_000_000_i64..4_000_000_000_000_000,
        ) -> SignedSeal {
            let position = |(transaction, seq)| Position { transaction, seq };
            SignedSeal {
                seal: Seal {
                    number, from: position(from), until: position(until), rows,
                    first: ends.map(|ends| ends.0), last: ends.map(|ends| ends.1), previous: hashes.clone(),
                    head: hashes.clone(), marks: hashes,
                    sealed_at: Timestamp::from_microsecond(micros).unwrap(), key: "k".into(),
                },
                signature: "c2ln".into(),
            }
        }
    }

    proptest! {
        #[test]
        fn a_copy_reads_back_as_the_seal_it_was_made_of(seal in seals()) {
            prop_assert_eq!(SignedSeal::parse(&seal.file()), Ok(seal));
        }

        #[test]
        fn a_copy_with_a_byte_more_or_less_is_none_or_another(seal in seals(), at in any::<prop::sample::Index>()) {
            let file = seal.file();
            let at = at.index(file.len());
            let (mut less, mut more) = (file.clone(), file);
            less.remove(at);
            more.insert(at, '1');
            for changed in [less, more] {
                prop_assert_ne!(SignedSeal::parse(&changed), Ok(seal.clone()));
            }
        }
    }
}
