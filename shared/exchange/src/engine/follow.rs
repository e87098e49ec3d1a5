use domain::interval::Interval;
use domain::sync::{Foreign, Item, Link, Proposal, State, reconcile};

use super::{Stopped, Work};

impl Work<'_> {
    /// Moves visits to where their items were moved, if they may be there; of the others the staff are asked, and what the items take is taken
    /// meanwhile.
    pub(super) async fn follow(&mut self) -> Result<(), Stopped> {
        let mut asked = Vec::new();
        for (link, item) in std::mem::take(&mut self.moved) {
            let (starts_at, ends_at) = (item.face.starts_at, item.face.ends_at);
            let there = Link { version: Some(item.version.clone()), agreed: Some(item.face), ..link.clone() };
            let followed = match item.face.during() {
                Some(during) => self.run.ledger.follow(&there, during).await?,
                None => false,
            };
            if followed {
                self.report.followed += 1;
                self.is_now(there, item.face.during());
            } else {
                self.report.proposed += 1;
                let state = State::Proposed(Proposal::Moved { starts_at, ends_at });
                let link = Link { version: Some(item.version.clone()), state, ..link };
                self.run.ledger.keep(&link).await?;
                self.is_now(link, None);
                asked.push(item);
            }
        }
        self.take(&asked).await
    }

    /// What became of a link, and where its visit is when that has changed.
    fn is_now(&mut self, link: Link, during: Option<Interval>) {
        let appointment = link.tag.appointment;
        if let Some(during) = during {
            for mirror in self.book.wanted.iter_mut().filter(|mirror| mirror.tag.appointment == appointment) {
                (mirror.starts_at, mirror.ends_at) = (during.start(), during.end());
            }
        }
        if let Some(known) = self.book.links.iter_mut().find(|known| known.tag.appointment == appointment) {
            *known = link;
        }
    }

    /// Takes the times of our own items that are asked about.
    async fn take(&mut self, asked: &[Item]) -> Result<(), Stopped> {
        if asked.is_empty() {
            return Ok(());
        }
        let items: Vec<_> = asked.iter().collect();
        let foreign =
            Foreign { window: self.window, items: &items, series: &[], gone: &[], tentative: self.run.rules.tentative };
        let reconciled = reconcile(&[], foreign);
        self.report.blocks += reconciled.place.len();
        Ok(self.run.ledger.place(&reconciled).await?)
    }
}
