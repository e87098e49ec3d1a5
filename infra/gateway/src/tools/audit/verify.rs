//! The whole verification: seals, then rows by stretches on several connections.

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use domain::audit::{Position, Seal, SignedSeal};
use ring::digest::{Context, SHA256};
use runtime::host::StartError;
use runtime::seals::{Objects, PublicKey, hex};
use sqlx::PgPool;

use super::diagnose::{Strays, diagnose};
use super::{Finding, Kind, seals, stream};

/// Rows of one look at the database, about.
const LOOK: u64 = 200_000;
/// How often progress is told, in rows.
const TOLD: u64 = 10_000;
/// Findings kept with their places; more are only counted.
const KEPT: usize = 1_000;

/// A trail to be verified.
pub struct Trail {
    pool: PgPool,
    keys: Vec<PublicKey>,
    objects: Option<Arc<dyn Objects>>,
    /// Connections that rows are read on at once.
    pub workers: usize,
}

/// What was found.
#[derive(Debug, Clone)]
pub struct Verified {
    /// Rows that were read.
    pub rows: u64,
    /// Seals in the table.
    pub seals: u64,
    /// Copies in the store.
    pub copies: u64,
    /// Rows after the last seal.
    pub unsealed: u64,
    /// Seals after the last copy.
    pub uncopied: u64,
    /// What is wrong, the first of it.
    pub findings: Vec<Finding>,
    /// How much is wrong.
    pub total: usize,
}

/// What is wrong, as it is found.
#[derive(Default)]
pub(super) struct Findings(Mutex<(Vec<Finding>, usize)>);

impl Findings {
    pub(super) fn add(&self, kind: Kind, place: impl Into<String>) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.1 += 1;
        if all.0.len() < KEPT {
            all.0.push(Finding { kind, place: place.into() });
        }
    }

    /// Those kept, and how many there were.
    fn all(&self) -> (Vec<Finding>, usize) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Told of rows that were read since the last time, and of how many there are.
pub type Progress = Arc<dyn Fn(u64, u64) + Send + Sync>;

impl Trail {
    /// Over a database, with the keys that are trusted and the copies, if there are any.
    pub fn new(pool: PgPool, keys: Vec<PublicKey>, objects: Option<Arc<dyn Objects>>) -> Self {
        let workers = std::thread::available_parallelism().map_or(2, |cores| cores.get().clamp(2, 8));
        Self { pool, keys, objects, workers }
    }

    /// Verifies all of it.
    ///
    /// # Errors
    /// When the database or the store does not answer. What is wrong with the trail is in the answer.
    pub async fn verify(&self, progress: Progress) -> Result<Verified, StartError> {
        let findings = Findings::default();
        let held = seals::held(&self.pool, &self.keys, self.objects.as_ref(), &findings).await?;
        let unsealed = self.unsealed(held.seals.last()).await?;
        let work = Arc::new(Work {
            pool: self.pool.clone(),
            looks: looks(&held.seals),
            expected: held.seals.iter().map(|seal| seal.seal.rows).sum(),
            seals: held.seals,
            next: AtomicUsize::new(0),
            findings,
            strays: Strays::default(),
            progress,
        });
        // Hashing does not wait: each on a thread of its own, as far as there are any.
        let workers: Vec<_> = (0..self.workers.max(1)).map(|_| tokio::spawn(work.clone().run())).collect();
        let mut rows = 0;
        for worker in workers {
            rows += worker.await??;
        }
        work.strays.tell(&work.findings);
        let (findings, total) = work.findings.all();
        Ok(Verified {
            rows,
            seals: held.in_table,
            copies: held.copies,
            unsealed,
            uncopied: held.uncopied,
            findings,
            total,
        })
    }

    /// How many rows are after the last seal.
    async fn unsealed(&self, last: Option<&SignedSeal>) -> Result<u64, StartError> {
        let until = last.map_or(Position { transaction: 0, seq: 0 }, |last| last.seal.until);
        let count = "select count(*) from public.audit where (transaction_id, seq) >= ($1::text::xid8, $2::int8)";
        let rows: i64 = sqlx::query_scalar(count)
            .bind(until.transaction.to_string())
            .bind(until.seq)
            .fetch_one(&mut stream::connection(&self.pool).await?)
            .await?;
        Ok(rows.unsigned_abs())
    }
}

/// Seals whose rows are read together, and where to begin: where the look before ends.
struct Look {
    from: Option<Position>,
    seals: Range<usize>,
}

fn looks(seals: &[SignedSeal]) -> Vec<Look> {
    let (mut looks, mut begin, mut rows, mut from) = (Vec::new(), 0, 0, None);
    for (index, seal) in seals.iter().enumerate() {
        rows += seal.seal.rows;
        if rows >= LOOK || index + 1 == seals.len() {
            looks.push(Look { from, seals: begin..index + 1 });
            from = Some(seal.seal.until);
            (begin, rows) = (index + 1, 0);
        }
    }
    looks
}

/// What the workers share.
struct Work {
    pool: PgPool,
    seals: Vec<SignedSeal>,
    looks: Vec<Look>,
    next: AtomicUsize,
    /// Rows in all, as the seals say.
    expected: u64,
    findings: Findings,
    strays: Strays,
    progress: Progress,
}

impl Work {
    /// One look after the other, until there are none. How many rows that was.
    async fn run(self: Arc<Self>) -> Result<u64, StartError> {
        let mut read = 0;
        while let Some(look) = self.looks.get(self.next.fetch_add(1, Ordering::Relaxed)) {
            read += self.look(look).await?;
        }
        Ok(read)
    }

    /// Reads the rows of some seals, and compares.
    async fn look(&self, look: &Look) -> Result<u64, StartError> {
        let seals = &self.seals[look.seals.clone()];
        let Some(last) = seals.last() else { return Ok(0) };
        let mut walk = Walk::new(seals);
        let mut connection = stream::connection(&self.pool).await?;
        let mut read = 0;
        stream::rows(&mut connection, look.from, last.seal.until, |at, line| {
            walk.row(at, line);
            read += 1;
            if read % TOLD == 0 {
                (self.progress)(TOLD, self.expected);
            }
        })
        .await?;
        (self.progress)(read % TOLD, self.expected);
        walk.end();
        for (kind, count, at) in walk.uncovered {
            self.findings.add(kind, format!("{count} rows from (transaction seq) {at} on"));
        }
        for seal in walk.broken {
            diagnose(&mut connection, seal, &self.findings, &self.strays).await?;
        }
        Ok(read)
    }
}

/// Rows against seals, both in order.
struct Walk<'a> {
    seals: std::slice::Iter<'a, SignedSeal>,
    current: Option<&'a Seal>,
    link: [u8; 32],
    rows: u64,
    /// Stretches under no seal: what that means, how many rows, from where.
    uncovered: Vec<(Kind, u64, Position)>,
    broken: Vec<&'a Seal>,
}

impl<'a> Walk<'a> {
    fn new(seals: &'a [SignedSeal]) -> Self {
        let mut walk = Self {
            seals: seals.iter(),
            current: None,
            link: [0; 32],
            rows: 0,
            uncovered: Vec::new(),
            broken: Vec::new(),
        };
        walk.next();
        walk
    }

    fn next(&mut self) {
        self.current = self.seals.next().map(|signed| &signed.seal);
        self.rows = 0;
        if let Some(seal) = self.current {
            self.link = unhex(&seal.previous);
        }
    }

    /// Compares the present seal with what was read of it.
    fn finish(&mut self) {
        let differs = |seal: &&Seal| self.rows != seal.rows || hex(&self.link) != seal.head;
        self.broken.extend(self.current.filter(differs));
        self.next();
    }

    fn row(&mut self, at: Position, line: &[u8]) {
        while self.current.is_some_and(|seal| at >= seal.until) {
            self.finish();
        }
        match self.current {
            Some(seal) if at >= seal.from => {
                let mut context = Context::new(&SHA256);
                context.update(&self.link);
                context.update(line);
                self.link.copy_from_slice(context.finish().as_ref());
                self.rows += 1;
            }
            current => {
                // The first seal begins where anything can.
                let first = current.is_some_and(|seal| seal.number == 1);
                let kind = if first { Kind::RowInserted } else { Kind::RowsUnproven };
                match self.uncovered.last_mut() {
                    Some((_, count, _)) if self.rows == 0 => *count += 1,
                    _ => self.uncovered.push((kind, 1, at)),
                }
            }
        }
    }

    fn end(&mut self) {
        while self.current.is_some() {
            self.finish();
        }
    }
}

fn unhex(text: &str) -> [u8; 32] {
    let mut bytes = [0; 32];
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
        let digits = std::str::from_utf8(pair).unwrap_or_default();
        *byte = u8::from_str_radix(digits, 16).unwrap_or_default();
    }
    bytes
}

#[cfg(test)]
mod tests {
    use domain::audit::GENESIS;

    use super::*;

    #[test]
    fn hexadecimal_goes_there_and_back() {
        let bytes: [u8; 32] = std::array::from_fn(|index| u8::try_from(index * 7).unwrap());
        assert_eq!(unhex(&hex(&bytes)), bytes);
        assert_eq!(unhex(GENESIS), [0; 32]);
    }
}
