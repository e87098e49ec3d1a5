//! What others put into a calendar: times at which the practitioner cannot be had, and nothing more.

use std::collections::{HashMap, HashSet};

use serde::{Deserialize, Serialize};

use super::{Item, RemoteId};
use crate::Timestamp;
use crate::interval::Interval;

/// Fewer that vanish at once are nothing strange.
const FEW: usize = 5;
/// Of more, one in so many.
const SHARE: usize = 5;

/// A time that is taken by something elsewhere. What it is, is not known here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Block {
    /// The item.
    pub id: RemoteId,
    /// Its series.
    pub series: Option<RemoteId>,
    /// First instant.
    pub starts_at: Timestamp,
    /// First instant after.
    pub ends_at: Timestamp,
}

/// What a reading said of items that are not ours.
#[derive(Clone, Copy, Debug)]
pub struct Foreign<'a> {
    /// The stretch that was read.
    pub window: Interval,
    /// What was made or changed.
    pub items: &'a [&'a Item],
    /// The series all of whose occurrences are among the items.
    pub series: &'a [RemoteId],
    /// What is gone, or out of the window; of a series, all its occurrences.
    pub gone: &'a [RemoteId],
    /// Whether what is provisional counts as busy.
    pub tentative: bool,
}

/// What follows for the blocks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reconciled {
    /// New, or at another time.
    pub place: Vec<Block>,
    /// Not in the way any more.
    pub retire: Vec<RemoteId>,
}

/// Whether so much of what is known is missing that the answer is not believed: one that is empty, and one from which more than a fifth
/// is gone at once.
pub fn shrunk(known: usize, missing: usize, answered: usize) -> bool {
    missing > 0 && (answered == 0 || (missing > FEW && missing * SHARE > known))
}

/// Brings the blocks to what was read. What the reading does not speak of stays.
pub fn reconcile(kept: &[Block], read: Foreign<'_>) -> Reconciled {
    let wanted: HashMap<&RemoteId, Option<Block>> =
        read.items.iter().map(|item| (&item.id, block(item, read))).collect();
    let series: HashSet<_> = read.series.iter().collect();
    let gone: HashSet<_> = read.gone.iter().collect();
    let unmentioned = |kept: &Block| {
        let whole_series = |of| series.contains(of) || gone.contains(of);
        !gone.contains(&kept.id) && !kept.series.as_ref().is_some_and(whole_series)
    };
    let stays = |kept: &Block| wanted.get(&kept.id).map_or_else(|| unmentioned(kept), Option::is_some);
    let known: HashMap<_, _> = kept.iter().map(|block| (&block.id, block)).collect();
    let mut place: Vec<_> =
        wanted.values().flatten().filter(|block| known.get(&block.id) != Some(block)).cloned().collect();
    place.sort_by(|a, b| (a.starts_at, &a.id).cmp(&(b.starts_at, &b.id)));
    Reconciled { place, retire: kept.iter().filter(|block| !stays(block)).map(|block| block.id.clone()).collect() }
}

fn block(item: &Item, read: Foreign<'_>) -> Option<Block> {
    let during = item.face.during().filter(|during| during.overlaps(&read.window))?;
    let blocks = !item.cancelled && item.face.shown.blocks(read.tentative);
    blocks.then(|| Block {
        id: item.id.clone(),
        series: item.series.clone(),
        starts_at: during.start(),
        ends_at: during.end(),
    })
}
