//! The calendar and the ledger, with everything that can go wrong around them.

use std::collections::BTreeSet;
use std::time::Duration;

use domain::Timestamp;
use domain::ids::AppointmentId;
use domain::interval::Interval;
use domain::sync::{Item, Link, Mirror, Reconciled, RemoteId, Tag, Version};
use futures_util::FutureExt as _;
use uuid::Uuid;

use super::{Both, Fault, World};
use crate::engine::{Book, Kept, Ledger, LedgerError};
use crate::{Answer, Calendar, Changes, Cursor, Fault as Refusal, Why, Written};

fn refusal(why: Why) -> Refusal {
    Refusal::new(why, "made up")
}

/// A write of theirs: with everything that can go wrong around it.
fn write<T>(
    world: &World, id: Option<&RemoteId>, version: Option<&Version>, work: impl FnOnce(&mut Both) -> T,
) -> Result<T, Refusal> {
    world.both(|both| {
        let fault = both.fault();
        match fault {
            Some(Fault::Before) => return Err(refusal(Why::Unavailable)),
            Some(Fault::Throttled) => return Err(refusal(Why::Throttled)),
            Some(Fault::Refused) => return Err(refusal(Why::Refused)),
            Some(Fault::Meanwhile) => {
                if let Some(item) = id.and_then(|id| both.items.get_mut(id)) {
                    item.face.text = Uuid::max();
                    both.touch(id.unwrap());
                }
            }
            _ => {}
        }
        if let Some(id) = id {
            let Some(item) = both.items.get(id) else { return Err(refusal(Why::Gone)) };
            if version.is_some_and(|version| version.0 != item.version.to_string()) {
                return Err(refusal(Why::Conflict));
            }
            if item.tag.is_none() {
                both.sin = Some("an item of theirs was touched");
            }
        }
        both.writes += 1;
        let done = work(both);
        if fault == Some(Fault::After) { Err(refusal(Why::Unavailable).perhaps_done()) } else { Ok(done) }
    })
}

fn read<T>(world: &World, work: impl FnOnce(&mut Both, Option<Fault>) -> T) -> Result<T, Refusal> {
    world.both(|both| match both.fault() {
        Some(Fault::Before | Fault::After) => Err(refusal(Why::Unavailable)),
        Some(Fault::Throttled) => Err(refusal(Why::Throttled)),
        Some(Fault::CursorLost) => Err(refusal(Why::CursorLost)),
        other => Ok(work(both, other)),
    })
}

impl Calendar for World {
    fn changes<'a>(&'a self, since: Option<&'a Cursor>, _: Interval) -> Answer<'a, Changes> {
        let answer = read(self, |both, fault| {
            let from = since.map_or(0, |cursor| cursor.0.parse().unwrap());
            let whole = since.is_none();
            let ids: BTreeSet<_> = if whole {
                both.items.keys().cloned().collect()
            } else {
                both.journal[from..].iter().cloned().collect()
            };
            let (here, gone): (Vec<_>, Vec<_>) = ids.into_iter().partition(|id| both.items.contains_key(id));
            let mut items: Vec<_> = here.iter().filter_map(|id| both.item(id, false)).collect();
            match fault {
                Some(Fault::Empty) if whole => items.clear(),
                Some(Fault::Cut) if whole => items.truncate(items.len() / 2),
                _ => {}
            }
            Changes {
                cursor: Cursor(both.journal.len().to_string()),
                whole,
                items,
                series: Vec::new(),
                gone,
                unread: Vec::new(),
            }
        });
        async move { answer }.boxed()
    }

    fn read<'a>(&'a self, id: &'a RemoteId) -> Answer<'a, Option<Item>> {
        let answer = read(self, |both, _| both.item(id, true));
        async move { answer }.boxed()
    }

    fn find(&self, tag: Tag) -> Answer<'_, Vec<Item>> {
        let answer = read(self, |both, _| {
            let ids: Vec<_> =
                both.items.iter().filter(|(_, item)| item.tag == Some(tag)).map(|(id, _)| id.clone()).collect();
            ids.iter().filter_map(|id| both.item(id, true)).collect()
        });
        async move { answer }.boxed()
    }

    fn create<'a>(&'a self, event: &'a Mirror) -> Answer<'a, Written> {
        let answer = write(self, None, None, |both| {
            let id = both.put(event.face(), Some(event.tag), true);
            Written { version: Version(both.items[&id].version.to_string()), id }
        });
        async move { answer }.boxed()
    }

    /// Each for itself, whatever becomes of the others.
    fn at_once(&self) -> usize {
        3
    }

    fn update<'a>(&'a self, id: &'a RemoteId, version: &'a Version, event: &'a Mirror) -> Answer<'a, Written> {
        let answer = write(self, Some(id), Some(version), |both| {
            both.items.get_mut(id).unwrap().face = event.face();
            Written { id: id.clone(), version: both.touch(id) }
        });
        async move { answer }.boxed()
    }

    fn delete<'a>(&'a self, id: &'a RemoteId, version: &'a Version) -> Answer<'a, ()> {
        let answer = write(self, Some(id), Some(version), |both| {
            both.items.remove(id);
            both.touch(id);
        });
        async move { answer }.boxed()
    }

    fn busy(&self, _: Interval, _: Duration) -> Answer<'_, Vec<Interval>> {
        async { Ok(Vec::new()) }.boxed()
    }
}

fn keep<T>(world: &World, work: impl FnOnce(&mut Both) -> T) -> Result<T, LedgerError> {
    world.both(|both| {
        let fault = both.fault();
        let killed = || LedgerError::Away("killed".into());
        if fault == Some(Fault::LedgerBefore) {
            return Err(killed());
        }
        let kept = work(both);
        if fault == Some(Fault::LedgerAfter) { Err(killed()) } else { Ok(kept) }
    })
}

impl Ledger for World {
    fn open(&self, _: Interval) -> Kept<'_, Book> {
        let book = keep(self, |both| {
            let mirror = |(id, (starts_at, ends_at)): (&AppointmentId, &(Timestamp, Timestamp))| Mirror {
                tag: Tag { appointment: *id, generation: both.links.get(id).map_or(1, |link| link.tag.generation) },
                starts_at: *starts_at,
                ends_at: *ends_at,
                time_zone: "Europe/Paris".into(),
                subject: "Rendez-vous".into(),
                location: "Cabinet".into(),
            };
            Book {
                cursor: both.cursor.clone(),
                links: both.links.values().cloned().collect(),
                wanted: both.visits.iter().map(mirror).collect(),
                blocks: both.blocks.values().cloned().collect(),
                siblings: Vec::new(),
                resting: both.stumbled.iter().copied().collect(),
                again: both.again.iter().copied().collect(),
            }
        });
        async move { book }.boxed()
    }

    fn keep<'a>(&'a self, link: &'a Link) -> Kept<'a, ()> {
        let kept = keep(self, |both| {
            both.stumbled.remove(&link.tag.appointment);
            both.links.insert(link.tag.appointment, link.clone());
        });
        async move { kept }.boxed()
    }

    fn forget<'a>(&'a self, link: &'a Link) -> Kept<'a, ()> {
        let kept = keep(self, |both| drop(both.links.remove(&link.tag.appointment)));
        async move { kept }.boxed()
    }

    fn follow<'a>(&'a self, link: &'a Link, during: Interval) -> Kept<'a, bool> {
        let kept = keep(self, |both| {
            // Every second hour only.
            let may = (during.start().as_second() / 3600) % 2 == 0;
            match both.visits.get_mut(&link.tag.appointment) {
                Some(visit) if may => *visit = (during.start(), during.end()),
                _ => return false,
            }
            both.stumbled.remove(&link.tag.appointment);
            both.links.insert(link.tag.appointment, link.clone());
            true
        });
        async move { kept }.boxed()
    }

    fn stumble<'a>(&'a self, link: &'a Link, _: &'a Refusal) -> Kept<'a, ()> {
        let kept = keep(self, |both| {
            both.stumbled.insert(link.tag.appointment);
        });
        async move { kept }.boxed()
    }

    fn place<'a>(&'a self, blocks: &'a Reconciled) -> Kept<'a, ()> {
        let kept = keep(self, |both| {
            for id in &blocks.retire {
                let block = both.blocks.remove(id);
                let taken = both.items.get(id).filter(|item| item.tag.is_none() && item.face.shown.blocks(true));
                if taken.is_some_and(|item| block.is_some_and(|block| block.starts_at == item.face.starts_at)) {
                    both.sin = Some("a time was freed that is taken");
                }
            }
            both.blocks.extend(blocks.place.iter().map(|block| (block.id.clone(), block.clone())));
        });
        async move { kept }.boxed()
    }

    fn advance<'a>(&'a self, _: Interval, cursor: &'a Cursor) -> Kept<'a, ()> {
        let kept = keep(self, |both| both.cursor = Some(cursor.clone()));
        async move { kept }.boxed()
    }
}
