//! What Graph calls us with. Anybody can call so: nothing is believed but that a known watch with its secret says "look".

use std::fmt;

use serde::Deserialize;
use serde_json::Value;

/// The longest body that is looked at, in bytes: a notice has about 700, and Graph sends them in batches.
const MOST_BYTES: usize = 1024 * 1024;
/// Notices of one call that are looked at.
const MOST_NOTICES: usize = 1_000;

/// What a notice is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// Something in the calendar changed.
    Changed,
    /// Notices were lost.
    Missed,
    /// The watch is over: another one is due.
    Removed,
    /// The watch ends soon unless we show that we still may.
    Reauthorize,
    /// What is not known here.
    Other,
}

/// One notice.
#[derive(Clone, PartialEq, Eq)]
pub struct Notice {
    /// The watch that it names.
    pub subscription: String,
    /// What should be the watch's secret: to be compared in constant time.
    pub client_state: Option<String>,
    /// The tenant that it names.
    pub tenant: Option<String>,
    /// What it is about.
    pub told: Told,
}

impl fmt::Debug for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Notice")
            .field("subscription", &self.subscription)
            .field("told", &self.told)
            .finish_non_exhaustive()
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    subscription_id: String,
    client_state: Option<String>,
    tenant_id: Option<String>,
    change_type: Option<String>,
    lifecycle_event: Option<String>,
}

/// The notices in a body, of changes and of watches alike. What is none is passed over.
pub fn notified(body: &[u8]) -> Vec<Notice> {
    if body.len() > MOST_BYTES {
        return Vec::new();
    }
    let Ok(Value::Object(mut body)) = serde_json::from_slice(body) else { return Vec::new() };
    let Some(Value::Array(rows)) = body.remove("value") else { return Vec::new() };
    let rows = rows.into_iter().take(MOST_NOTICES);
    rows.filter_map(|row| serde_json::from_value::<Row>(row).ok().map(notice)).collect()
}

fn notice(row: Row) -> Notice {
    let told = match (row.lifecycle_event.as_deref(), row.change_type.as_deref()) {
        (Some("missed"), _) => Told::Missed,
        (Some("subscriptionRemoved"), _) => Told::Removed,
        (Some("reauthorizationRequired"), _) => Told::Reauthorize,
        (None, Some("created" | "updated" | "deleted")) => Told::Changed,
        _ => Told::Other,
    };
    Notice { subscription: row.subscription_id, client_state: row.client_state, tenant: row.tenant_id, told }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn notices_of_both_kinds_are_told_apart_and_the_rest_is_passed_over() {
        let body = br##"{"value":[
            {"id":"x","subscriptionId":"a","clientState":"s","changeType":"updated","resource":"Users/u/Events/e","tenantId":"t",
             "resourceData":{"@odata.type":"#Microsoft.Graph.Event","id":"e"}},
            {"subscriptionId":"b","lifecycleEvent":"missed"},
            {"subscriptionId":"b","lifecycleEvent":"subscriptionRemoved"},
            {"subscriptionId":"b","lifecycleEvent":"reauthorizationRequired"},
            {"subscriptionId":"b","lifecycleEvent":"somethingNew"},
            {"no":"subscription"}, 7]}"##;
        let all = notified(body);
        let told: Vec<Told> = all.iter().map(|one| one.told).collect();
        assert_eq!(told, [Told::Changed, Told::Missed, Told::Removed, Told::Reauthorize, Told::Other]);
        assert_eq!((all[0].client_state.as_deref(), all[0].tenant.as_deref()), (Some("s"), Some("t")));
        assert!(!format!("{:?}", all[0]).contains("\"s\""));
        assert_eq!(notified(b"{\"value\":{}}"), []);
        let many = format!("{{\"value\":[{}{{}}]}}", "{\"subscriptionId\":\"a\"},".repeat(2 * MOST_NOTICES));
        assert_eq!(notified(many.as_bytes()).len(), MOST_NOTICES);
    }

    proptest! {
        #[test]
        fn whatever_comes_is_borne(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            notified(&bytes);
        }
    }
}
