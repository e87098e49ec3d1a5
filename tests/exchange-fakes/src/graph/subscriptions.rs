//! Subscriptions: made only when who is to be called answers, and told of changes when a test says so.

use std::sync::Arc;

use bytes::Bytes;
use domain::{SignedDuration, Timestamp};
use futures_util::future::BoxFuture;
use http::{Method, StatusCode};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Answer, Call, Graph, Refused};
use crate::mailbox::{Done, Entry};

/// How the fake calls others.
pub type CallOut =
    Arc<dyn Fn(http::Request<Bytes>) -> BoxFuture<'static, Result<http::Response<Bytes>, String>> + Send + Sync>;

/// The tenant of every mailbox.
pub const TENANT: &str = "84bd8158-6d4d-4958-8b9f-9d6445542f95";

/// How notices travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// Each once.
    Once,
    /// Each three times, as the service does.
    Thrice,
    /// Not at all.
    Lost,
}

/// One subscription.
#[derive(Clone)]
pub struct Subscription {
    /// Whose mailbox, by address.
    pub mailbox: String,
    /// As it was asked for and answered.
    pub row: Value,
    /// When it ends.
    pub until: Timestamp,
    /// What was told already.
    pub told: u64,
}

impl Graph {
    pub(super) async fn subscriptions(&self, call: &Call<'_>, rest: &[&str]) -> Answer {
        match (rest, call.method.as_str()) {
            ([], "POST") => self.subscribe(call).await,
            ([], "GET") => {
                let rows: Vec<Value> = self.own().subscriptions.values().map(|one| one.row.clone()).collect();
                Ok((StatusCode::OK, json!({"@odata.context": "fake$metadata#subscriptions", "value": rows})))
            }
            ([id], "GET") => Ok((StatusCode::OK, self.known(id)?.row)),
            ([id], "PATCH") => self.renewed(call, id),
            ([id], "DELETE") => {
                self.known(id)?;
                self.own().subscriptions.remove(*id);
                Ok((StatusCode::NO_CONTENT, Value::Null))
            }
            ([id, "reauthorize"], "POST") => self.known(id).map(|_| (StatusCode::NO_CONTENT, Value::Null)),
            _ => Err(Refused(400, "BadRequest")),
        }
    }

    fn known(&self, id: &str) -> Result<Subscription, Refused> {
        let now = self.server.state().now;
        let known = self.own().subscriptions.get(id).filter(|one| one.until > now).cloned();
        known.ok_or(Refused(404, "ResourceNotFound"))
    }

    fn until(&self, body: &Value) -> Result<Timestamp, Refused> {
        let now = self.server.state().now;
        let until: Option<Timestamp> = body["expirationDateTime"].as_str().and_then(|text| text.parse().ok());
        let longest = now + SignedDuration::from_mins(4230);
        until.filter(|until| *until > now && *until <= longest).ok_or(Refused(400, "ValidationError"))
    }

    fn renewed(&self, call: &Call<'_>, id: &str) -> Answer {
        let (mut known, until) = (self.known(id)?, self.until(&call.body)?);
        known.until = until;
        known.row["expirationDateTime"] = json!(until);
        self.own().subscriptions.insert(id.to_owned(), known.clone());
        Ok((StatusCode::OK, known.row))
    }

    async fn subscribe(&self, call: &Call<'_>) -> Answer {
        let until = self.until(&call.body)?;
        let text = |name: &str| call.body[name].as_str();
        let parts: Vec<&str> = text("resource").unwrap_or_default().trim_matches('/').split('/').collect();
        let ["users", user, .., "events"] = parts.as_slice() else { return Err(Refused(400, "ValidationError")) };
        let (mailbox, told) = {
            let state = self.server.state();
            (state.mailbox(user).map(|one| one.address.clone()), state.serial())
        };
        let mailbox = mailbox.ok_or(Refused(404, "ErrorInvalidUser"))?;
        if text("clientState").is_some_and(|secret| secret.len() > 128) {
            return Err(Refused(400, "ValidationError"));
        }
        let notices = text("notificationUrl").ok_or(Refused(400, "ValidationError"))?;
        for url in [Some(notices), text("lifecycleNotificationUrl")].into_iter().flatten() {
            self.validate(url).await.ok_or(Refused(400, "ValidationError"))?;
        }
        let id = Uuid::new_v5(&Uuid::NAMESPACE_URL, format!("{told}{}", self.own().subscriptions.len()).as_bytes());
        let mut row = json!({
            "@odata.context": "https://graph.microsoft.com/v1.0/$metadata#subscriptions/$entity", "id": id,
            "applicationId": TENANT, "creatorId": TENANT, "includeResourceData": null, "encryptionCertificate": null,
            "encryptionCertificateId": null, "notificationQueryOptions": null, "notificationUrlAppId": null,
        });
        for (name, value) in call.body.as_object().into_iter().flatten() {
            row[name] = value.clone();
        }
        let one = Subscription { mailbox, row: row.clone(), until, told };
        self.own().subscriptions.insert(id.to_string(), one);
        Ok((StatusCode::CREATED, row))
    }

    /// Whoever is to be called says the token again that it is called with: in clear, decoded, and nothing else.
    async fn validate(&self, url: &str) -> Option<()> {
        let token = "Validation: Testé + client/application=reachability <&> 100%";
        let separator = if url.contains('?') { '&' } else { '?' };
        let encoded = percent_encoding::utf8_percent_encode(token, percent_encoding::NON_ALPHANUMERIC);
        let url = format!("{url}{separator}validationToken={encoded}");
        let answer = self.called(&url, "text/plain; charset=utf-8", Bytes::new()).await?;
        let kind = answer.headers().get("content-type")?.to_str().ok()?;
        (answer.status() == 200 && kind.starts_with("text/plain") && answer.body() == token.as_bytes()).then_some(())
    }

    async fn called(&self, url: &str, kind: &str, body: Bytes) -> Option<http::Response<Bytes>> {
        let call_out = self.own().call_out.clone()?;
        let request =
            http::Request::builder().method(Method::POST).uri(url).header("content-type", kind).body(body).ok()?;
        call_out(request).await.ok()
    }

    /// Every subscription by its number.
    pub fn subscribed(&self) -> Vec<(String, Subscription)> {
        self.own().subscriptions.iter().map(|(id, one)| (id.clone(), one.clone())).collect()
    }

    /// Tells all subscriptions what changed since they were told last, and answers with which statuses that was taken.
    pub async fn deliver(&self, manner: Manner) -> Vec<u16> {
        let mut taken = Vec::new();
        for (id, one) in self.subscribed() {
            let (entries, serial, now) = {
                let state = self.server.state();
                (state.changes(&one.mailbox, None, one.told), state.serial(), state.now)
            };
            if let Some(known) = self.own().subscriptions.get_mut(&id) {
                known.told = serial;
            }
            let times = match manner {
                Manner::Once => 1,
                Manner::Thrice => 3,
                Manner::Lost => 0,
            };
            if entries.is_empty() || one.until <= now {
                continue;
            }
            let rows: Vec<Value> = entries.iter().map(|entry| notice(&id, &one, entry)).collect();
            for _ in 0..times {
                taken.extend(self.post(&one, "notificationUrl", &json!({"value": rows})).await);
            }
        }
        taken
    }

    /// Tells who subscribed what becomes of it: `missed`, `subscriptionRemoved`, `reauthorizationRequired`.
    pub async fn tell_life(&self, id: &str, event: &str) -> Option<u16> {
        let one = self.own().subscriptions.get(id).cloned()?;
        if event == "subscriptionRemoved" {
            self.own().subscriptions.remove(id);
        }
        let row = json!({
            "subscriptionId": id, "subscriptionExpirationDateTime": one.until, "tenantId": TENANT,
            "clientState": one.row["clientState"], "lifecycleEvent": event,
        });
        self.post(&one, "lifecycleNotificationUrl", &json!({"value": [row]})).await
    }

    async fn post(&self, one: &Subscription, url: &str, body: &Value) -> Option<u16> {
        let url = one.row[url].as_str()?;
        let answer = self.called(url, "application/json; charset=utf-8", Bytes::from(body.to_string())).await?;
        Some(answer.status().as_u16())
    }
}

fn notice(id: &str, one: &Subscription, entry: &Entry) -> Value {
    let kind = match entry.done {
        Done::Created => "created",
        Done::Updated => "updated",
        Done::Deleted => "deleted",
    };
    let resource = format!("Users/{}/Events/{}", one.mailbox, entry.id);
    json!({
        "id": "lsgTZMr9KwAAA", "subscriptionId": id, "subscriptionExpirationDateTime": one.until,
        "clientState": one.row["clientState"], "changeType": kind, "resource": resource, "tenantId": TENANT,
        "resourceData": {"@odata.type": "#Microsoft.Graph.Event", "@odata.id": resource, "id": entry.id},
    })
}
