//! Items of ours made, written and taken away.

use domain::sync::{Mirror, RemoteId, Version};

use super::{Ews, answers, requests};
use crate::{Fault, TIMEOUT, Why, Written, time_zones};

/// How many items one request makes: as many as Microsoft advises for reading, since a request that is not answered leaves as many to be
/// looked for
/// (<https://learn.microsoft.com/exchange/client-developer/exchange-web-services/mailbox-synchronization-and-ews-in-exchange>).
pub const AT_ONCE: usize = 10;

impl Ews {
    pub(super) async fn made(&self, event: &Mirror) -> Result<Written, Fault> {
        let asked = requests::create(&self.account, std::slice::from_ref(event));
        answers::written(&self.tell(requests::zone_of(event), asked).await?)
    }

    /// Those of one zone by one request: what a request says of its zone is said of all that is in it.
    pub(super) async fn all_made(&self, events: &[Mirror]) -> Vec<Result<Written, Fault>> {
        let mut all = Vec::with_capacity(events.len());
        for events in events.chunk_by(|a, b| requests::zone_of(a) == requests::zone_of(b)) {
            let Some(first) = events.first() else { continue };
            let asked = requests::create(&self.account, events);
            match self.said(requests::zone_of(first), asked, TIMEOUT).await {
                Ok(answer) => all.extend(answers::each_written(answer, events.len())),
                Err(fault) => all.extend(events.iter().map(|_| Err(fault.clone()))),
            }
        }
        all
    }

    pub(super) async fn rewritten(&self, id: &RemoteId, version: &Version, event: &Mirror) -> Result<Written, Fault> {
        let message = self.tell(requests::zone_of(event), requests::update(id, version, event)).await?;
        answers::written(&message)
    }

    /// Exchange does not ask for the state of what is to be deleted, so it is read before: who changes it in between is not seen.
    pub(super) async fn taken_away(&self, id: &RemoteId, version: &Version) -> Result<(), Fault> {
        let now = self.one(id).await?.ok_or_else(|| Fault::new(Why::Gone, "not in the calendar"))?;
        if now.version != *version {
            return Err(Fault::new(Why::Conflict, "in another state"));
        }
        self.tell(time_zones::UTC, requests::delete(id, version)).await.map(|_| ())
    }
}
