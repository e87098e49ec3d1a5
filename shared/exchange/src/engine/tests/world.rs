//! Both sides in memory. Everything that was written stays written, wherever a run is broken off.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use domain::ids::AppointmentId;
use domain::sync::{Block, Face, Item, Link, Proposal, RemoteId, Rules, Shown, State, Tag, Version};
use domain::{SignedDuration, Timestamp};
use proptest::prelude::{TestCaseError, prop_assert, prop_assert_eq};
use uuid::Uuid;

use crate::Cursor;
use crate::engine::{Report, Run, Stopped};

mod sides;

/// What goes wrong at one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// No answer, and nothing done.
    Before,
    /// No answer, and it was done.
    After,
    Throttled,
    Refused,
    CursorLost,
    /// An answer without anything in it.
    Empty,
    /// An answer of which most is missing.
    Cut,
    /// Somebody changes the item just before.
    Meanwhile,
    /// The database is away, or we are killed, before a write is kept…
    LedgerBefore,
    /// … and after.
    LedgerAfter,
}

/// What the staff say of a proposal.
#[derive(Clone, Copy, Debug)]
pub enum Staff {
    Follow,
    Undo,
}

#[derive(Clone, Debug)]
pub struct Remote {
    pub face: Face,
    version: u64,
    tag: Option<Tag>,
    /// Whether we made it, and it is not somebody's copy.
    ours: bool,
}

#[derive(Default)]
struct Both {
    items: BTreeMap<RemoteId, Remote>,
    journal: Vec<RemoteId>,
    versions: u64,
    writes: usize,
    // Ours.
    visits: BTreeMap<AppointmentId, (Timestamp, Timestamp)>,
    links: BTreeMap<AppointmentId, Link>,
    stumbled: BTreeSet<AppointmentId>,
    again: BTreeSet<AppointmentId>,
    blocks: BTreeMap<RemoteId, Block>,
    cursor: Option<Cursor>,
    made: u128,
    // What goes wrong next.
    calls: u8,
    faults: Vec<(u8, Fault)>,
    /// Set when anything forbidden was done.
    sin: Option<&'static str>,
    steps: usize,
}

#[derive(Default)]
pub struct World(Mutex<Both>);

const NOW: i64 = 1_796_000_000;

fn now() -> Timestamp {
    Timestamp::from_second(NOW).unwrap()
}

fn hour(slot: u8) -> (Timestamp, Timestamp) {
    let start = now() + SignedDuration::from_hours(24 + i64::from(slot));
    (start, start + SignedDuration::from_mins(30))
}

/// The same at another time.
pub fn at(slot: u8, face: Face) -> Face {
    let (starts_at, ends_at) = hour(slot);
    Face { starts_at, ends_at, ..face }
}

impl Both {
    fn nth<T>(keys: impl Iterator<Item = T>, which: u8) -> Option<T> {
        let mut all: Vec<_> = keys.collect();
        (!all.is_empty()).then(|| all.swap_remove(usize::from(which) % all.len()))
    }

    fn touch(&mut self, id: &RemoteId) -> Version {
        self.versions += 1;
        self.journal.push(id.clone());
        let version = self.versions;
        if let Some(item) = self.items.get_mut(id) {
            item.version = version;
        }
        Version(version.to_string())
    }

    fn put(&mut self, face: Face, tag: Option<Tag>, ours: bool) -> RemoteId {
        let id = RemoteId(format!(
            "r{:04}",
            self.items.len() + self.journal.len() + usize::try_from(self.versions).unwrap()
        ));
        self.items.insert(id.clone(), Remote { face, version: 0, tag, ours });
        self.touch(&id);
        id
    }

    fn fault(&mut self) -> Option<Fault> {
        self.calls = self.calls.saturating_add(1);
        let call = self.calls;
        let at = self.faults.iter().position(|(when, _)| *when == call - 1)?;
        Some(self.faults.swap_remove(at).1)
    }

    fn item(&self, id: &RemoteId, tagged: bool) -> Option<Item> {
        let remote = self.items.get(id)?;
        Some(Item {
            id: id.clone(),
            version: Version(remote.version.to_string()),
            series: None,
            face: remote.face,
            cancelled: false,
            tag: remote.tag.filter(|_| tagged),
        })
    }

    fn ours(&self) -> Vec<RemoteId> {
        self.items.iter().filter(|(_, item)| item.ours).map(|(id, _)| id.clone()).collect()
    }
}

impl World {
    fn both<T>(&self, work: impl FnOnce(&mut Both) -> T) -> T {
        work(&mut self.0.lock().unwrap())
    }

    pub fn book(&self, slot: u8) {
        self.both(|both| {
            both.made += 1;
            let id = AppointmentId::from_uuid(Uuid::from_u128(both.made));
            both.visits.insert(id, hour(slot));
        });
    }

    pub fn move_to(&self, which: u8, slot: u8) {
        self.both(|both| {
            if let Some(id) = Both::nth(both.visits.keys().copied(), which) {
                both.visits.insert(id, hour(slot));
            }
        });
    }

    pub fn cancel(&self, which: u8) {
        self.both(|both| {
            if let Some(id) = Both::nth(both.visits.keys().copied(), which) {
                both.visits.remove(&id);
            }
        });
    }

    fn some(both: &Both, which: u8, ours: bool) -> Option<RemoteId> {
        Both::nth(both.items.iter().filter(|(_, item)| item.ours == ours).map(|(id, _)| id.clone()), which)
    }

    pub fn outside(&self, which: u8, ours: bool, change: impl FnOnce(&mut Remote)) {
        self.both(|both| {
            if let Some(id) = Self::some(both, which, ours) {
                change(both.items.get_mut(&id).unwrap());
                both.touch(&id);
            }
        });
    }

    pub fn remove_outside(&self, which: u8, ours: bool) {
        self.both(|both| {
            if let Some(id) = Self::some(both, which, ours) {
                both.items.remove(&id);
                both.touch(&id);
            }
        });
    }

    pub fn copy(&self, which: u8, slot: u8) {
        self.both(|both| {
            if let Some(id) = Self::some(both, which, true) {
                let original = both.items[&id].clone();
                both.put(at(slot, original.face), original.tag, false);
            }
        });
    }

    pub fn foreign(&self, slot: u8, busy: bool) {
        let (starts_at, ends_at) = hour(slot);
        let shown = if busy { Shown::Busy } else { Shown::Free };
        self.both(|both| both.put(Face { starts_at, ends_at, shown, private: false, text: Uuid::nil() }, None, false));
    }

    /// As the sync desk does it.
    pub fn staff(&self, which: u8, says: Staff) {
        self.both(|both| {
            let asked = both.links.values().filter(|link| !matches!(link.state, State::Making | State::Linked));
            let Some(id) = Both::nth(asked.map(|link| link.tag.appointment), which) else { return };
            let link = both.links.get_mut(&id).unwrap();
            match (link.state, says) {
                (State::Proposed(Proposal::Moved { starts_at, ends_at }), Staff::Follow) => {
                    if let Some(visit) = both.visits.get_mut(&id) {
                        *visit = (starts_at, ends_at);
                    }
                }
                (State::Proposed(Proposal::Removed), Staff::Follow) => drop(both.visits.remove(&id)),
                _ => domain::sync::undo(link),
            }
            both.again.insert(id);
        });
    }

    pub fn rest_is_over(&self) {
        self.both(|both| {
            let rested = std::mem::take(&mut both.stumbled);
            both.again.extend(rested);
        });
    }

    pub fn a_week_passes(&self) {
        self.both(|both| both.cursor = None);
    }

    pub fn writes(&self) -> usize {
        self.both(|both| both.writes)
    }

    pub fn run(&self, whole: bool, follow_moves: bool, faults: Vec<(u8, Fault)>) -> Result<Report, Stopped> {
        self.both(|both| (both.calls, both.faults) = (0, faults));
        let rules = Rules { follow_moves, tentative: true };
        let run = Run { calendar: self, ledger: self, now: now(), rules, over: &|| false };
        let end = futures_executor::block_on(async { if whole { run.synchronise().await } else { run.write().await } });
        self.both(|both| {
            both.faults.clear();
            both.steps += 1;
            both.again.clear();
        });
        end
    }

    /// What holds at every moment.
    pub fn hold(&self) -> Result<(), TestCaseError> {
        self.both(|both| {
            prop_assert_eq!(both.sin, None);
            let ours: Vec<_> = both.items.values().filter(|item| item.ours).filter_map(|item| item.tag).collect();
            let different: BTreeSet<_> = ours.iter().copied().collect();
            prop_assert_eq!(ours.len(), different.len(), "one of ours was made twice");
            // One write for each visit, for each change on either side, and for each run that was broken off.
            prop_assert!(
                both.writes <= 4 * (usize::try_from(both.versions).unwrap() + both.visits.len() + both.steps + 1)
            );
            Ok(())
        })
    }

    /// What holds once nothing is left to do.
    pub fn at_rest(&self) -> Result<(), TestCaseError> {
        self.both(|both| {
            for (id, (starts_at, ends_at)) in &both.visits {
                let link = both.links.get(id).ok_or_else(|| TestCaseError::fail("a visit has no item"))?;
                if link.state == State::Linked {
                    let item = link.remote.as_ref().and_then(|id| both.items.get(id));
                    let item = item.ok_or_else(|| TestCaseError::fail("an item is gone and nobody was asked"))?;
                    prop_assert_eq!((item.face.starts_at, item.face.ends_at), (*starts_at, *ends_at));
                    prop_assert!(item.ours || item.tag.is_some());
                } else {
                    prop_assert!(!matches!(link.state, State::Making), "it was never made");
                }
            }
            let linked: BTreeSet<_> = both.links.values().filter_map(|link| link.remote.clone()).collect();
            for id in both.ours() {
                prop_assert!(linked.contains(&id), "an item of ours is nobody's");
            }
            for id in both.links.keys() {
                prop_assert!(both.visits.contains_key(id), "a visit that was called off still has an item");
            }
            let busy = |(id, item): &(&RemoteId, &Remote)| {
                let asked = both.links.values().find(|link| link.remote.as_ref() == Some(*id));
                match asked.map(|link| link.state) {
                    None => item.face.shown.blocks(true),
                    Some(State::Proposed(Proposal::Moved { .. })) => true,
                    Some(_) => false,
                }
            };
            let taken: BTreeMap<_, _> =
                both.items.iter().filter(busy).map(|(id, item)| (id.clone(), item.face.starts_at)).collect();
            let blocks: BTreeMap<_, _> = both.blocks.iter().map(|(id, block)| (id.clone(), block.starts_at)).collect();
            prop_assert_eq!(taken, blocks, "what is taken elsewhere is not what is taken here");
            Ok(())
        })
    }
}
