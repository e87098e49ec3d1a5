//! Events over a connection that stays: envelopes one after the other, cut where it suits nobody.

use std::collections::VecDeque;
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use exchange::ews::xml::{Node, el};
use futures_util::stream;
use http::HeaderValue;
use http::header::CONTENT_TYPE;
use tokio::time::Instant;
use uuid::Uuid;

use super::answer::{self, Failure};
use super::asked::Asked;
use super::{Ews, Subscription, folders};

/// `Subscribe`.
pub fn subscribe(ews: &Ews, asked: &Asked) -> Result<Vec<Node>, Failure> {
    let request =
        asked.body.child("StreamingSubscriptionRequest").ok_or(Failure::Message("ErrorInvalidSubscriptionRequest"))?;
    folders::calendar(ews, asked, request.child("FolderIds").ok_or(Failure::Fault("ErrorSchemaValidation"))?)?;
    let serial = ews.server.state().serial();
    let id = Uuid::new_v5(
        &Uuid::NAMESPACE_URL,
        format!("{} {serial} {}", asked.mailbox, ews.subscriptions().len()).as_bytes(),
    )
    .to_string();
    ews.subscriptions().insert(id.clone(), Subscription { mailbox: asked.mailbox.clone(), serial });
    Ok(vec![answer::success("Subscribe").with(el("m:SubscriptionId").text(id))])
}

/// `Unsubscribe`.
pub fn unsubscribe(ews: &Ews, asked: &Asked) -> Result<Vec<Node>, Failure> {
    let id = asked.body.word("SubscriptionId").unwrap_or_default();
    let known = ews.subscriptions().remove(id);
    known.map(|_| vec![answer::success("Unsubscribe")]).ok_or(Failure::Message("ErrorSubscriptionNotFound"))
}

fn envelope(message: Node) -> Vec<u8> {
    answer::envelope(answer::said("GetStreamingEvents", vec![message]))
}

fn status(status: &str) -> Vec<u8> {
    envelope(answer::success("GetStreamingEvents").with(el("m:ConnectionStatus").text(status)))
}

/// `GetStreamingEvents`.
pub fn listen(ews: &Ews, asked: &Asked) -> Response {
    let id =
        asked.body.at(&["SubscriptionIds", "SubscriptionId"]).map(|id| id.text.trim().to_owned()).unwrap_or_default();
    let minutes: u64 = asked.body.word("ConnectionTimeout").and_then(|minutes| minutes.parse().ok()).unwrap_or(30);
    let body = if ews.subscriptions().contains_key(&id) {
        let ends = Instant::now() + Duration::from_secs(60 * minutes);
        let beginning = [status("OK"), envelope(notification(&id, vec![el("t:StatusEvent")]))].concat();
        let first = VecDeque::from([Bytes::from(beginning)]);
        let stream = Listening { ews: ews.clone(), id, ends, ready: first, over: false };
        Body::from_stream(stream::unfold(stream, |stream| async move { stream.next().await }))
    } else {
        let lost =
            el("m:ErrorSubscriptionIds").with(el("t:SubscriptionId").text(if id.is_empty() { "none" } else { &id }));
        Body::from(envelope(answer::error("GetStreamingEvents", "ErrorSubscriptionNotFound").with(lost)))
    };
    let mut response = Response::new(body);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/xml; charset=utf-8"));
    response
}

fn notification(id: &str, events: Vec<Node>) -> Node {
    let notification = el("t:Notification").with(el("t:SubscriptionId").text(id)).with_all(events);
    answer::success("GetStreamingEvents").with(el("m:Notifications").with(notification))
}

struct Listening {
    ews: Ews,
    id: String,
    ends: Instant,
    ready: VecDeque<Bytes>,
    over: bool,
}

impl Listening {
    async fn next(mut self) -> Option<(Result<Bytes, std::convert::Infallible>, Self)> {
        loop {
            if let Some(piece) = self.ready.pop_front() {
                return Some((Ok(piece), self));
            }
            if self.over {
                return None;
            }
            self.wait().await;
        }
    }

    /// Waits for what comes first: a change, the time to say that it is there, the end.
    async fn wait(&mut self) {
        let server = self.ews.server.clone();
        let mut changed = std::pin::pin!(server.changed().notified());
        changed.as_mut().enable();
        if let Some(events) = self.events() {
            let whole = Bytes::from(
                [envelope(notification(&self.id, events)), envelope(notification(&self.id, vec![el("t:StatusEvent")]))]
                    .concat(),
            );
            // Not where an envelope ends.
            let middle = whole.len() / 3;
            self.ready.extend([whole.slice(..middle), whole.slice(middle..)]);
            return;
        }
        tokio::select! {
            () = changed => {}
            () = tokio::time::sleep(self.ews.settings.heartbeat) => {
                self.ready.push_back(Bytes::from(envelope(notification(&self.id, vec![el("t:StatusEvent")]))));
            }
            () = tokio::time::sleep_until(self.ends) => {
                self.over = true;
                self.ready.push_back(Bytes::from(status("Closed")));
            }
        }
    }

    /// What was not told yet: of one change there are several events, as Exchange has them.
    fn events(&mut self) -> Option<Vec<Node>> {
        let mut subscriptions = self.ews.subscriptions();
        let subscription = subscriptions.get_mut(&self.id)?;
        let state = self.ews.server.state();
        let entries = state.changes(&subscription.mailbox, None, subscription.serial.max(1));
        subscription.serial = state.serial();
        let event = |entry: &crate::mailbox::Entry| {
            let name = match entry.done {
                crate::mailbox::Done::Created => "t:CreatedEvent",
                crate::mailbox::Done::Updated => "t:ModifiedEvent",
                crate::mailbox::Done::Deleted => "t:DeletedEvent",
            };
            let folder =
                state.mailbox(&subscription.mailbox).map(|mailbox| mailbox.default.clone()).unwrap_or_default();
            let event = el(name)
                .with(el("t:TimeStamp").text(super::fields::instant(state.now, super::Manner::Exchange)))
                .with(el("t:ItemId").attr("Id", &entry.id).attr("ChangeKey", "AQAAAA=="))
                .with(el("t:ParentFolderId").attr("Id", folder).attr("ChangeKey", "AQAAAA=="));
            [event.clone(), event]
        };
        let events: Vec<Node> = entries.iter().flat_map(event).collect();
        (!events.is_empty()).then_some(events)
    }
}
