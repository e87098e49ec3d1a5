//! Items of ours made, written and taken away.

use domain::sync::{Mirror, RemoteId, Version};

use super::{Ews, answers, requests};
use crate::{Fault, Why, Written, time_zones};

impl Ews {
    pub(super) async fn made(&self, event: &Mirror) -> Result<Written, Fault> {
        let message = self.tell(requests::zone_of(event), requests::create(&self.account, event)).await?;
        answers::written(&message)
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
