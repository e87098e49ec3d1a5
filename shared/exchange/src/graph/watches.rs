//! Subscriptions: Graph calls when something changes.

use domain::{SignedDuration, Timestamp};
use http::Method;
use serde_json::{Value, json};

use super::Graph;
use super::call::{Ask, plain};
use super::faults::About;
use crate::{Fault, Watch, Why};

/// The longest a watch of events lives: 4230 minutes
/// (<https://learn.microsoft.com/graph/api/resources/subscription#subscription-lifetime>). Newer pages say seven days; less is taken
/// everywhere.
pub const LIFETIME: SignedDuration = SignedDuration::from_mins(4230);

/// What a watch shall be.
#[derive(Clone)]
pub struct Wanted {
    /// Where changes are told.
    pub notices: String,
    /// Where it is told what becomes of the watch.
    pub lifecycle: String,
    /// What comes with each notice, at most 128 characters: nobody else knows it.
    pub client_state: String,
    /// How long it shall live; at most [`LIFETIME`].
    pub lifetime: SignedDuration,
}

fn until(now: Timestamp, lifetime: SignedDuration) -> Result<String, Fault> {
    let end = now.checked_add(lifetime.min(LIFETIME)).map_err(|_| Fault::new(Why::Refused, "lifetime"))?;
    Timestamp::from_second(end.as_second()).map(|end| end.to_string()).map_err(|_| Fault::new(Why::Refused, "lifetime"))
}

fn watch(answer: &Value) -> Result<Watch, Fault> {
    let text = |name: &str| answer.get(name).and_then(Value::as_str);
    let until = text("expirationDateTime").and_then(|text| text.parse().ok());
    let id = text("id").filter(|id| !id.is_empty());
    let (id, until) = id.zip(until).ok_or_else(|| Fault::new(Why::Malformed, "not a watch").perhaps_done())?;
    Ok(Watch { id: id.to_owned(), until: Some(until) })
}

impl Graph {
    fn watch_url(&self, watch: &Watch) -> String {
        format!("{}/subscriptions/{}", self.place.base, plain(&watch.id))
    }

    /// Asks to be told of changes to the calendar. Both addresses are called meanwhile and have to answer.
    ///
    /// # Errors
    /// [`Why::NoWatch`] when this mailbox cannot be watched: it is asked from time to time then.
    pub async fn subscribe(&self, wanted: &Wanted, now: Timestamp) -> Result<Watch, Fault> {
        let user = &self.place.user;
        let resource = match &self.place.calendar {
            Some(calendar) => format!("/users/{user}/calendars/{calendar}/events"),
            None => format!("/users/{user}/events"),
        };
        let body = json!({
            "changeType": "created,updated,deleted",
            "notificationUrl": wanted.notices,
            "lifecycleNotificationUrl": wanted.lifecycle,
            "resource": resource,
            "expirationDateTime": until(now, wanted.lifetime)?,
            "clientState": wanted.client_state,
            "latestSupportedTlsVersion": "v1_2",
        });
        let url = format!("{}/subscriptions", self.place.base);
        watch(&self.json(Ask::new(Method::POST, url, About::Watch).body(body)).await?)
    }

    /// Lets it live on for so long from now.
    ///
    /// # Errors
    /// [`Why::NoWatch`] when it is not known any more.
    pub async fn renew(&self, known: &Watch, lifetime: SignedDuration, now: Timestamp) -> Result<Watch, Fault> {
        let body = json!({"expirationDateTime": until(now, lifetime)?});
        watch(&self.json(Ask::new(Method::PATCH, self.watch_url(known), About::Watch).body(body)).await?)
    }

    /// Shows that we still may, when the server asks for it.
    ///
    /// # Errors
    /// As [`Graph::renew`].
    pub async fn reauthorize(&self, known: &Watch) -> Result<(), Fault> {
        let url = format!("{}/reauthorize", self.watch_url(known));
        self.answered(&Ask::new(Method::POST, url, About::Watch)).await.map(|_| ())
    }

    /// Ends it. One that is not known any more is ended.
    ///
    /// # Errors
    /// What else the server says.
    pub async fn unsubscribe(&self, known: &Watch) -> Result<(), Fault> {
        match self.answered(&Ask::new(Method::DELETE, self.watch_url(known), About::Watch)).await {
            Err(fault) if fault.why == Why::NoWatch => Ok(()),
            other => other.map(|_| ()),
        }
    }
}
