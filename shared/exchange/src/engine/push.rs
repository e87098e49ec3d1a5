use std::collections::{HashMap, HashSet};

use domain::sync::{Decision, Link, Mirror, Observed, State, decide};

use super::{SPENT, Stopped, Work, concerns_all, is_made, tagged};
use crate::Fault;

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
        let mut new = Vec::new();
        for mirror in wanted {
            if resting.contains(&mirror.tag.appointment) {
                continue;
            }
            let mut link = by_appointment.remove(&mirror.tag.appointment).unwrap_or(Link::new(mirror.tag));
            let decision = decide(Some(&mirror), &link, Observed::Unread, self.run.rules);
            if let Decision::Make { generation } = decision {
                link.tag.generation = generation;
                new.push((link, mirror));
                if new.len() >= self.run.calendar.at_once() && !self.make_all(std::mem::take(&mut new)).await? {
                    return Ok(());
                }
            } else if !self.proceed(link, Some(&mirror), decision).await? {
                return Ok(());
            }
        }
        self.make_all(new).await.map(|_| ())
    }

    /// Makes items, several at once where the calendar takes them so, each as [`Work::make`] makes one. Whether it went on.
    async fn make_all(&mut self, mut new: Vec<(Link, Mirror)>) -> Result<bool, Stopped> {
        if new.len() < 2 {
            let Some((link, mirror)) = new.pop() else { return Ok(true) };
            let decision = Decision::Make { generation: link.tag.generation };
            return self.proceed(link, Some(&mirror), decision).await;
        }
        if (self.run.over)() {
            self.report.more = true;
            return Ok(false);
        }
        let links: Vec<Link> = new.iter().map(|(link, _)| Link::new(link.tag)).collect();
        self.run.ledger.keep_all(&links).await?;
        let mirrors: Vec<Mirror> = new.iter().map(|(link, mirror)| tagged(mirror, link)).collect();
        let answers = self.run.calendar.create_all(&mirrors).await;
        let (mut made, mut refused) = (Vec::new(), Vec::new());
        for ((link, mirror), answer) in links.into_iter().zip(&mirrors).zip(answers) {
            match answer {
                Ok(written) => made.push(is_made(link, mirror, written)),
                Err(fault) => refused.push((link, mirror, fault)),
            }
        }
        // What was made is written down before what was not can end the run.
        self.run.ledger.keep_all(&made).await?;
        self.report.written += made.len();
        if !made.is_empty() {
            self.refused_in_a_row = 0;
        }
        self.not_made(refused).await?;
        Ok(true)
    }

    async fn not_made(&mut self, mut refused: Vec<(Link, &Mirror, Fault)>) -> Result<(), Stopped> {
        // Of several that ask for patience, who asks for most is heard.
        refused.sort_by_key(|(.., fault)| std::cmp::Reverse(fault.retry_after));
        for (link, mirror, fault) in refused {
            if fault.code == SPENT {
                let generation = link.tag.generation + 1;
                self.act(link, Some(mirror), Decision::Make { generation }).await?;
            } else {
                self.stumble(link, fault).await?;
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
