use std::collections::{HashMap, HashSet};

use domain::sync::{Decision, Link, Mirror, Observed, State, decide};

use super::{Stopped, Work, concerns_all};

impl Work<'_> {
    /// Finds by its tag what was perhaps made when a run was broken off.
    pub(super) async fn resolve(&mut self) -> Result<(), Stopped> {
        let siblings: HashSet<_> = self.book.siblings.iter().cloned().collect();
        let unsure: Vec<_> =
            self.book.links.iter().enumerate().filter(|(_, link)| link.remote.is_none()).map(|(at, _)| at).collect();
        for at in unsure {
            let tag = self.book.links[at].tag;
            let found = match self.run.calendar.find(tag).await {
                Ok(found) => found,
                Err(fault) if concerns_all(&fault) => return Err(fault.into()),
                Err(fault) => {
                    let link = self.book.links[at].clone();
                    self.book.resting.push(tag.appointment);
                    self.stumble(link, fault).await?;
                    continue;
                }
            };
            // Of several, copies were made by somebody: theirs. Which is the first is the same in every run.
            let first = found
                .into_iter()
                .filter(|item| !siblings.contains(&item.id) && !item.cancelled)
                .min_by(|a, b| a.id.cmp(&b.id));
            let Some(item) = first else { continue };
            let link = &mut self.book.links[at];
            (link.remote, link.version) = (Some(item.id), Some(item.version));
            (link.agreed, link.state) = (Some(item.face), State::Linked);
            self.run.ledger.keep(link).await?;
        }
        Ok(())
    }

    /// Writes what has to be, soonest first, until it is time to stop.
    pub(super) async fn push(&mut self) -> Result<(), Stopped> {
        let wanted = std::mem::take(&mut self.book.wanted);
        let links = std::mem::take(&mut self.book.links);
        let resting: HashSet<_> = self.book.resting.iter().copied().collect();
        let here: HashSet<_> = wanted.iter().map(|mirror| mirror.tag.appointment).collect();
        let mut by_appointment: HashMap<_, _> = HashMap::new();
        // First what is to go: its time may be wanted.
        for link in links {
            let appointment = link.tag.appointment;
            if here.contains(&appointment) {
                by_appointment.insert(appointment, link);
            } else if !resting.contains(&appointment) {
                let decision = decide(None, &link, Observed::Unread, self.run.rules);
                if !self.proceed(link, None, decision).await? {
                    return Ok(());
                }
            }
        }
        for mirror in wanted {
            if resting.contains(&mirror.tag.appointment) {
                continue;
            }
            let link = by_appointment.remove(&mirror.tag.appointment).unwrap_or(Link::new(mirror.tag));
            let decision = decide(Some(&mirror), &link, Observed::Unread, self.run.rules);
            if !self.proceed(link, Some(&mirror), decision).await? {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Whether it went on.
    async fn proceed(&mut self, link: Link, wanted: Option<&Mirror>, decision: Decision) -> Result<bool, Stopped> {
        if decision == Decision::Nothing {
            return Ok(true);
        }
        if (self.run.over)() {
            self.report.more = true;
            return Ok(false);
        }
        self.act(link, wanted, decision).await?;
        Ok(true)
    }
}
