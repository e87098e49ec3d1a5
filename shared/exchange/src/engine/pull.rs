use std::collections::{HashMap, HashSet};

use domain::sync::{
    Block, Decision, Doubt, Foreign, Item, Link, Mirror, Observed, Proposal, RemoteId, State, decide, reconcile, shrunk,
};

use super::{Stopped, Work, concerns_all};
use crate::{Changes, Why};

/// How many times that were not mentioned any more are asked for one by one in a run.
const ASKED: usize = 50;

/// A reading, looked up by item.
struct Reading<'a> {
    items: HashMap<&'a RemoteId, &'a Item>,
    unread: HashSet<&'a RemoteId>,
    missing: HashSet<RemoteId>,
    believed: bool,
}

impl Work<'_> {
    /// Reads what changed, and writes down what follows; then, where the reading ended. Whether it came to its end.
    pub(super) async fn pull(&mut self) -> Result<bool, Stopped> {
        let since = self.book.cursor.clone();
        let changes = match self.run.calendar.changes(since.as_ref(), self.window).await {
            // What is known stays known: everything is read again and compared.
            Err(fault) if fault.why == Why::CursorLost && since.is_some() => {
                self.run.calendar.changes(None, self.window).await?
            }
            answer => answer?,
        };
        self.report.read += changes.items.len();
        self.report.failed += changes.unread.len();
        if !self.links(&changes).await? {
            return Ok(false);
        }
        let all = self.blocks(&changes).await?;
        self.follow().await?;
        if all {
            self.run.ledger.advance(self.window, &changes.cursor).await?;
        }
        Ok(true)
    }

    /// Decides for every link of which the reading says something, and goes on with what became of it. Whether it came to its end.
    async fn links(&mut self, changes: &Changes) -> Result<bool, Stopped> {
        self.adopt(changes).await?;
        let reading = self.look_up(changes);
        self.report.shrunk |= !reading.believed;
        let wanted: HashMap<_, _> =
            self.book.wanted.iter().map(|mirror| (mirror.tag.appointment, mirror.clone())).collect();
        let mut left = std::mem::take(&mut self.book.links).into_iter();
        for link in left.by_ref() {
            if (self.run.over)() {
                self.report.more = true;
                self.book.links.push(link);
                break;
            }
            let kept = self.link(link, &wanted, &reading).await?;
            self.book.links.extend(kept);
        }
        self.book.links.extend(left);
        Ok(!self.report.more)
    }

    async fn link(
        &mut self, link: Link, wanted: &HashMap<domain::ids::AppointmentId, Mirror>, reading: &Reading<'_>,
    ) -> Result<Option<Link>, Stopped> {
        let mirror = wanted.get(&link.tag.appointment);
        let Some(id) = link.remote.clone() else { return Ok(Some(link)) };
        let again = self.book.again.contains(&link.tag.appointment);
        let asked;
        let observed = if let Some(item) = reading.items.get(&id) {
            Observed::Here(item)
        } else if reading.unread.contains(&id) {
            Observed::Missing(Doubt::Unreadable)
        } else if reading.missing.contains(&id) && !reading.believed {
            Observed::Missing(Doubt::Shrunk)
        } else if reading.missing.contains(&id) || again {
            asked = match self.run.calendar.read(&id).await {
                Ok(item) => Ok(item),
                Err(fault) if concerns_all(&fault) => return Err(fault.into()),
                Err(_) => Err(Doubt::Unreadable),
            };
            match &asked {
                Ok(Some(item)) => Observed::Here(item),
                Ok(None) => Observed::Absent,
                Err(doubt) => Observed::Missing(*doubt),
            }
        } else {
            return Ok(Some(link));
        };
        let decision = decide(mirror, &link, observed, self.run.rules);
        let writes = matches!(decision, Decision::Make { .. } | Decision::Write { .. } | Decision::Remove { .. });
        // What rests is not written to, whatever its item says meanwhile; it is asked for by itself when the rest is over.
        if writes && self.book.resting.contains(&link.tag.appointment) {
            return Ok(Some(link));
        }
        if again {
            // It was looked at: whatever is wrong with it is found again.
            self.run.ledger.keep(&link).await?;
        }
        self.act(link, mirror, decision).await
    }

    /// Items that carry the tag of an appointment which has none: made by a run that was broken off, or before the mailbox was connected
    /// anew.
    async fn adopt(&mut self, changes: &Changes) -> Result<(), Stopped> {
        let known: HashSet<_> = self
            .book
            .links
            .iter()
            .filter_map(|link| link.remote.clone())
            .chain(self.book.siblings.iter().cloned())
            .collect();
        let linked: HashSet<_> =
            self.book.links.iter().filter(|link| link.remote.is_some()).map(|link| link.tag.appointment).collect();
        let wanted: HashSet<_> = self.book.wanted.iter().map(|mirror| mirror.tag.appointment).collect();
        let mut orphans: Vec<_> =
            changes.items.iter().filter(|item| !known.contains(&item.id) && !item.cancelled).collect();
        orphans.sort_by(|a, b| a.id.cmp(&b.id));
        let mut adopted = HashSet::new();
        for item in orphans {
            let Some(tag) =
                item.tag.filter(|tag| wanted.contains(&tag.appointment) && !linked.contains(&tag.appointment))
            else {
                continue;
            };
            if !adopted.insert(tag.appointment) {
                continue;
            }
            let link = Link {
                tag,
                remote: Some(item.id.clone()),
                version: Some(item.version.clone()),
                agreed: Some(item.face),
                state: State::Linked,
                overwrites: 0,
            };
            self.run.ledger.keep(&link).await?;
            self.book.links.retain(|link| link.tag.appointment != tag.appointment);
            self.book.links.push(link);
        }
        Ok(())
    }

    fn look_up<'c>(&self, changes: &'c Changes) -> Reading<'c> {
        let items: HashMap<_, _> = changes.items.iter().map(|item| (&item.id, item)).collect();
        let unread: HashSet<_> = changes.unread.iter().map(|(id, _)| id).collect();
        let gone: HashSet<_> = changes.gone.iter().collect();
        let expected = |link: &&Link| {
            let within = link.agreed.and_then(|face| face.during()).is_some_and(|during| during.overlaps(&self.window));
            link.remote.as_ref().is_some_and(|id| gone.contains(id) || (changes.whole && within))
        };
        let expected: Vec<_> = self.book.links.iter().filter(expected).filter_map(|link| link.remote.clone()).collect();
        let known = self.book.links.iter().filter(|link| link.remote.is_some()).count();
        let missing: HashSet<_> =
            expected.into_iter().filter(|id| !items.contains_key(id) && !unread.contains(id)).collect();
        let answered = if changes.whole { items.len() } else { usize::MAX };
        let believed = !shrunk(known, missing.len(), answered);
        Reading { items, unread, missing, believed }
    }

    /// Takes and frees times as the reading says. A time that only fails to be mentioned is not free before it was asked for by itself:
    /// whether all of those were, or else it is read whole again.
    async fn blocks(&mut self, changes: &Changes) -> Result<bool, Stopped> {
        let siblings: HashSet<_> = self.book.siblings.iter().collect();
        let ours: HashMap<_, _> =
            self.book.links.iter().filter_map(|link| Some((link.remote.as_ref()?, link.state))).collect();
        // One of ours that was moved elsewhere, and is not followed, keeps its new time free for nobody else.
        let theirs = |item: &&Item| match ours.get(&item.id) {
            Some(state) => matches!(state, State::Proposed(Proposal::Moved { .. })),
            None => !siblings.contains(&item.id),
        };
        let items: Vec<_> = changes.items.iter().filter(theirs).collect();
        let unread: HashSet<_> = changes.unread.iter().map(|(id, _)| id).collect();
        let mut gone = changes.gone.clone();
        // A proposal that was settled holds no time any more.
        gone.extend(ours.iter().filter(|(_, state)| !matches!(state, State::Proposed(_))).map(|(id, _)| (*id).clone()));
        gone.extend(self.book.siblings.iter().cloned());
        let kept: Vec<_> = self.book.blocks.iter().filter(|block| !unread.contains(&block.id)).cloned().collect();
        let present: HashSet<_> = items.iter().map(|item| &item.id).collect();
        let passed = |block: &&Block| block.ends_at <= self.window.start();
        gone.extend(kept.iter().filter(passed).map(|block| block.id.clone()));
        let mut all_asked = true;
        if changes.whole {
            let absent = |block: &&Block| !passed(block) && !present.contains(&block.id);
            let absent: Vec<_> = kept.iter().filter(absent).map(|block| block.id.clone()).collect();
            self.report.shrunk |= shrunk(kept.len(), absent.len(), changes.items.len());
            all_asked = absent.len() <= ASKED;
            gone.extend(self.really_gone(&absent).await?);
        }
        let foreign = Foreign {
            window: self.window,
            items: &items,
            series: &changes.series,
            gone: &gone,
            tentative: self.run.rules.tentative,
        };
        let reconciled = reconcile(&kept, foreign);
        self.report.blocks += reconciled.place.len() + reconciled.retire.len();
        self.run.ledger.place(&reconciled).await?;
        Ok(all_asked && !self.report.more)
    }

    /// Of what vanished, what is gone when it is asked for by itself.
    async fn really_gone(&mut self, absent: &[RemoteId]) -> Result<Vec<RemoteId>, Stopped> {
        let mut gone = Vec::new();
        for id in absent.iter().take(ASKED) {
            if (self.run.over)() {
                self.report.more = true;
                break;
            }
            match self.run.calendar.read(id).await {
                Ok(None) => gone.push(id.clone()),
                Ok(Some(_)) => {}
                Err(fault) if concerns_all(&fault) => return Err(fault.into()),
                Err(_) => self.report.failed += 1,
            }
        }
        Ok(gone)
    }
}
