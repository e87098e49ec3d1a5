//! One mailbox and our appointments, brought together. What is true of an appointment is read where appointments are kept, what is true of
//! an item where it is kept, and each difference is decided by [`domain::sync::decide`]. A signal only says that it is time to look.
//!
//! One engine at a time works on a mailbox: the [`Ledger`] holds a lease, and refuses to write without it. It may be killed anywhere. What it
//! is about to make is written down first and looked for by its tag afterwards, so that nothing is made twice; where a reading ended is
//! written down last, so that nothing is missed.

mod book;
mod follow;
mod pull;
mod push;
#[cfg(test)]
mod tests;

use domain::Timestamp;
use domain::interval::Interval;
use domain::sync::{Decision, Item, Link, Mirror, Observed, Reconciled, Rules, State};

pub use book::{Book, Kept, Ledger, LedgerError};

use crate::{Calendar, Fault, Why, Written};

/// How often one item is read again because it changed under our hands.
const TRIES: usize = 3;
/// What it is called that an item changed each time it was to be written.
const CONTENDED: &str = "changed each time it was read";
/// What Exchange Online calls it that a key to create was used before.
const SPENT: &str = "ErrorDuplicateTransactionId";
/// So many items refused in a row, and it is not the items.
const REFUSED_IN_A_ROW: usize = 5;

/// What one run works with.
#[derive(Clone, Copy)]
pub struct Run<'a> {
    /// The mailbox's calendar.
    pub calendar: &'a dyn Calendar,
    /// Our side.
    pub ledger: &'a dyn Ledger,
    /// When it is.
    pub now: Timestamp,
    /// What the establishment leaves to the calendar.
    pub rules: Rules,
    /// Whether it is time to stop: asked before each item.
    pub over: &'a (dyn Fn() -> bool + Send + Sync),
}

/// What a run came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Items that were read.
    pub read: usize,
    /// Items that were made, written or taken away.
    pub written: usize,
    /// Times that became taken or free.
    pub blocks: usize,
    /// Visits that went to where their items are.
    pub followed: usize,
    /// What the staff are asked now, and were not before.
    pub proposed: usize,
    /// Links of which nothing is concluded now, and was before.
    pub doubtful: usize,
    /// Items that were refused, or could not be understood.
    pub failed: usize,
    /// Whether so much was missing that it was asked for one by one.
    pub shrunk: bool,
    /// Whether it stopped before everything was done.
    pub more: bool,
}

/// Why a run ended before its end. What it had written down stands.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Stopped {
    /// The other side.
    #[error(transparent)]
    Remote(#[from] Fault),
    /// Ours.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

impl Run<'_> {
    /// Reads what changed and writes what has to be.
    ///
    /// # Errors
    /// [`Stopped`]: to be run again later; nothing is lost by it.
    pub async fn synchronise(self) -> Result<Report, Stopped> {
        let mut work = Work::open(self).await?;
        work.resolve().await?;
        if work.pull().await? {
            work.push().await?;
        }
        work.follow().await?;
        Ok(work.report)
    }

    /// Only writes what has to be: for a change of ours that the calendar shall show soon.
    ///
    /// # Errors
    /// As [`Run::synchronise`].
    pub async fn write(self) -> Result<Report, Stopped> {
        let mut work = Work::open(self).await?;
        work.resolve().await?;
        work.push().await?;
        // A visit that went may have stood in the way of something.
        work.run.ledger.place(&Reconciled::default()).await?;
        Ok(work.report)
    }
}

/// A run under way.
struct Work<'a> {
    run: Run<'a>,
    book: Book,
    window: Interval,
    /// Links whose items were moved, as they are now: the visits are to go there, if they may.
    moved: Vec<(Link, Item)>,
    report: Report,
    refused_in_a_row: usize,
}

impl<'a> Work<'a> {
    async fn open(run: Run<'a>) -> Result<Self, Stopped> {
        let window = domain::sync::window(run.now);
        let book = run.ledger.open(window).await?;
        Ok(Self { run, book, window, moved: Vec::new(), report: Report::default(), refused_in_a_row: 0 })
    }

    /// Does what was decided for a link, and decides again when its item changes meanwhile. What became of the link; none when it is gone.
    async fn act(
        &mut self, mut link: Link, wanted: Option<&Mirror>, decision: Decision,
    ) -> Result<Option<Link>, Stopped> {
        let mut next = decision;
        for _ in 0..TRIES {
            let fault = match self.attempt(&mut link, wanted, next).await? {
                Done::Kept => return Ok(Some(link)),
                Done::Gone => return Ok(None),
                Done::Refused(fault) => fault,
            };
            let id = match &link.remote {
                Some(id) if matches!(fault.why, Why::Conflict | Why::Gone) => id.clone(),
                _ => return self.stumble(link, fault).await,
            };
            let item = match self.run.calendar.read(&id).await {
                Ok(item) => item,
                Err(fault) => return self.stumble(link, fault).await,
            };
            self.report.read += 1;
            let observed = item.as_ref().map_or(Observed::Absent, Observed::Here);
            next = domain::sync::decide(wanted, &link, observed, self.run.rules);
        }
        // It changes faster than it is read: it rests as what is refused does.
        self.stumble(link, Fault::new(Why::Conflict, CONTENDED)).await
    }

    /// One try.
    async fn attempt(&mut self, link: &mut Link, wanted: Option<&Mirror>, decision: Decision) -> Result<Done, Stopped> {
        match decision {
            Decision::Nothing => {}
            Decision::Agree(version, face) => {
                (link.version, link.agreed, link.state) = (Some(version), Some(face), State::Linked);
                self.run.ledger.keep(link).await?;
            }
            Decision::Make { generation } => return self.make(link, wanted, generation).await,
            Decision::Write { id, version, overwrites } => {
                let Some(mirror) = wanted.map(|wanted| tagged(wanted, link)) else { return Ok(Done::Kept) };
                match self.run.calendar.update(&id, &version, &mirror).await {
                    Ok(written) => self.written(link, &mirror, written, overwrites).await?,
                    Err(fault) => return Ok(Done::Refused(fault)),
                }
            }
            Decision::Remove { id, version } => match self.run.calendar.delete(&id, &version).await {
                Err(fault) if fault.why != Why::Gone => return Ok(Done::Refused(fault)),
                _ => {
                    self.report.written += 1;
                    self.run.ledger.forget(link).await?;
                    return Ok(Done::Gone);
                }
            },
            Decision::Forget => {
                self.run.ledger.forget(link).await?;
                return Ok(Done::Gone);
            }
            // Only once the times of others that were read with it are taken.
            Decision::Follow(item) => {
                link.state = State::Linked;
                self.moved.push((link.clone(), *item));
            }
            Decision::Propose(proposal, version) => {
                self.report.proposed += 1;
                link.state = State::Proposed(proposal);
                link.version = version.or(link.version.take());
                self.run.ledger.keep(link).await?;
            }
            Decision::Doubt(doubt) => {
                self.report.doubtful += 1;
                link.state = State::Doubtful(doubt);
                self.run.ledger.keep(link).await?;
            }
        }
        Ok(Done::Kept)
    }

    /// Makes an item, once: that it is to be made is written down before, and one that was perhaps made before was looked for by its tag.
    async fn make(&mut self, link: &mut Link, wanted: Option<&Mirror>, generation: u32) -> Result<Done, Stopped> {
        let Some(wanted) = wanted else { return Ok(Done::Kept) };
        (link.tag.generation, link.state) = (generation, State::Making);
        (link.remote, link.version, link.agreed) = (None, None, None);
        self.run.ledger.keep(link).await?;
        let mirror = tagged(wanted, link);
        match self.run.calendar.create(&mirror).await {
            // It remembers one that was made under this tag and is gone: another is made under the next.
            Err(fault) if fault.code == SPENT && link.tag.generation == generation => {
                link.tag.generation += 1;
                self.run.ledger.keep(link).await?;
                let mirror = tagged(wanted, link);
                match self.run.calendar.create(&mirror).await {
                    Ok(written) => self.written(link, &mirror, written, 0).await?,
                    Err(fault) => return Ok(Done::Refused(fault)),
                }
            }
            Ok(written) => self.written(link, &mirror, written, 0).await?,
            Err(fault) => return Ok(Done::Refused(fault)),
        }
        Ok(Done::Kept)
    }

    async fn written(
        &mut self, link: &mut Link, mirror: &Mirror, written: Written, overwrites: u32,
    ) -> Result<(), Stopped> {
        self.report.written += 1;
        self.refused_in_a_row = 0;
        *link = Link { overwrites, ..is_made(link.clone(), mirror, written) };
        Ok(self.run.ledger.keep(link).await?)
    }

    /// One item was refused: it rests, and the others go on. What is refused for the whole mailbox ends the run.
    async fn stumble(&mut self, link: Link, fault: Fault) -> Result<Option<Link>, Stopped> {
        self.refused_in_a_row += 1;
        if concerns_all(&fault) || self.refused_in_a_row >= REFUSED_IN_A_ROW {
            return Err(fault.into());
        }
        self.report.failed += 1;
        self.run.ledger.stumble(&link, &fault).await?;
        self.book.resting.push(link.tag.appointment);
        Ok(Some(link))
    }
}

/// What one try came to.
enum Done {
    Kept,
    Gone,
    Refused(Fault),
}

/// Whether what was refused for one item would be for any.
fn concerns_all(fault: &Fault) -> bool {
    fault.perhaps_done
        || matches!(
            fault.why,
            Why::Unauthenticated | Why::NoMailbox | Why::Throttled | Why::Unavailable | Why::CursorLost
        )
}

/// The link of an item that was written.
fn is_made(link: Link, mirror: &Mirror, written: Written) -> Link {
    let (remote, version, agreed) = (Some(written.id), Some(written.version), Some(mirror.face()));
    Link { remote, version, agreed, state: State::Linked, ..link }
}

fn tagged(wanted: &Mirror, link: &Link) -> Mirror {
    Mirror { tag: link.tag, ..wanted.clone() }
}
