use domain::ids::AppointmentId;
use domain::interval::Interval;
use domain::sync::{Block, Link, Mirror, Reconciled, RemoteId};
use futures_util::future::BoxFuture;

use crate::{Cursor, Fault};

/// Our side of a mailbox, as far as the window goes.
#[derive(Clone, Debug, Default)]
pub struct Book {
    /// Where the last reading of this very window ended.
    pub cursor: Option<Cursor>,
    /// Every link whose appointment or whose item is not over when the window begins.
    pub links: Vec<Link>,
    /// What the calendar shall have: every appointment of the practitioner in the window, in the order of time.
    pub wanted: Vec<Mirror>,
    /// The times that are taken by others.
    pub blocks: Vec<Block>,
    /// Items of ours that are in the same calendar for another practitioner.
    pub siblings: Vec<RemoteId>,
    /// The appointments whose item was refused and is not tried again yet.
    pub resting: Vec<AppointmentId>,
    /// Those whose rest is over: their items are asked for by themselves.
    pub again: Vec<AppointmentId>,
}

/// Why our side does not answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LedgerError {
    /// The lease is over: another works on the mailbox, or it was disconnected.
    #[error("the lease is over")]
    Lost,
    /// The database.
    #[error("the ledger is away: {0}")]
    Away(String),
}

/// What is written down, or why not.
pub type Kept<'a, T> = BoxFuture<'a, Result<T, LedgerError>>;

/// Our side of one mailbox, under a lease. Each call is one statement, done or not.
pub trait Ledger: Send + Sync {
    /// What there is.
    fn open(&self, window: Interval) -> Kept<'_, Book>;
    /// Writes down a link as it is now. Whatever it stumbled over is forgotten.
    fn keep<'a>(&'a self, link: &'a Link) -> Kept<'a, ()>;
    /// The same of several, best at once. Of those of a call that fails some may be written down.
    fn keep_all<'a>(&'a self, links: &'a [Link]) -> Kept<'a, ()> {
        Box::pin(async move {
            for link in links {
                self.keep(link).await?;
            }
            Ok(())
        })
    }
    /// Neither side has it any more.
    fn forget<'a>(&'a self, link: &'a Link) -> Kept<'a, ()>;
    /// Moves the visit to where its item is, if it may be there, and writes down the link as it is then, in one; whether it was.
    fn follow<'a>(&'a self, link: &'a Link, during: Interval) -> Kept<'a, bool>;
    /// Its item was refused: it rests for a while, and the staff see why.
    fn stumble<'a>(&'a self, link: &'a Link, fault: &'a Fault) -> Kept<'a, ()>;
    /// Takes and frees times of the practitioner.
    fn place<'a>(&'a self, blocks: &'a Reconciled) -> Kept<'a, ()>;
    /// The window was read so far. All that follows from it is written down.
    fn advance<'a>(&'a self, window: Interval, cursor: &'a Cursor) -> Kept<'a, ()>;
}
