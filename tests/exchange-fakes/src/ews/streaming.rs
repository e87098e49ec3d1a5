//! Events over a connection that stays: envelopes one after the other, cut where it suits nobody. Subscriptions live on one of several
//! servers, and are heard of there only.

use std::collections::VecDeque;
use std::io;
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use exchange::ews::xml::{Node, el};
use futures_util::stream;
use http::header::{CONTENT_TYPE, COOKIE};
use http::{HeaderMap, HeaderValue};
use tokio::time::Instant;
use uuid::Uuid;

use super::answer::{self, Failure};
use super::asked::Asked;
use super::{Ews, Subscription, folders};
use crate::mailbox::{Done, Entry, Hanging, Parting};

/// Which server a request came to: the one that it names by its cookie, or else the one that has the mailbox it names.
pub fn back_end(ews: &Ews, headers: &HeaderMap) -> usize {
    let cookies = headers.get(COOKIE).and_then(|cookies| cookies.to_str().ok()).unwrap_or_default();
    let named = cookies.split("; ").find_map(|cookie| cookie.strip_prefix("X-BackEndOverrideCookie=")?.parse().ok());
    let anchor = headers.get("x-anchormailbox").map(HeaderValue::as_bytes).unwrap_or_default();
    let sum: usize = anchor.to_ascii_lowercase().iter().map(|byte| usize::from(*byte)).sum();
    named.unwrap_or(sum % ews.settings.back_ends.max(1))
}

/// `Subscribe`.
pub fn subscribe(ews: &Ews, asked: &Asked) -> Result<Vec<Node>, Failure> {
    let request =
        asked.body.child("StreamingSubscriptionRequest").ok_or(Failure::Message("ErrorInvalidSubscriptionRequest"))?;
    folders::calendar(ews, asked, request.child("FolderIds").ok_or(Failure::Fault("ErrorSchemaValidation"))?)?;
    let serial = ews.server.state().serial();
    let id = Uuid::now_v7().to_string();
    let one = Subscription { mailbox: asked.mailbox.clone(), serial, back_end: asked.back_end };
    ews.subscriptions().insert(id.clone(), one);
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
    let ids = asked.body.child("SubscriptionIds").map(|ids| ids.children.as_slice()).unwrap_or_default();
    let ids: Vec<String> = ids.iter().map(|id| id.text.trim().to_owned()).collect();
    let minutes: u64 = asked.body.word("ConnectionTimeout").and_then(|minutes| minutes.parse().ok()).unwrap_or(30);
    let known = |id: &&String| ews.subscriptions().get(*id).is_some_and(|one| one.back_end == asked.back_end);
    let unknown: Vec<&String> = ids.iter().filter(|id| !known(id)).collect();
    let body = if !unknown.is_empty() || ids.is_empty() {
        let word = |id: &&String| if id.is_empty() { "none".to_owned() } else { (*id).clone() };
        let unknown = unknown.iter().map(|id| el("t:SubscriptionId").text(word(id)));
        let lost = el("m:ErrorSubscriptionIds").with_all(unknown);
        Body::from(envelope(answer::error("GetStreamingEvents", "ErrorSubscriptionNotFound").with(lost)))
    } else if let Some(hanging) = ews.server.hang(ews.settings.hanging) {
        let ends = Instant::now() + Duration::from_secs(60 * minutes);
        let beginning = [status("OK"), envelope(notifications(nothing(&ids)))].concat();
        let first = VecDeque::from([Ok(Bytes::from(beginning))]);
        let stream = Listening { ews: ews.clone(), ids, ends, ready: first, over: false, hanging };
        Body::from_stream(stream::unfold(stream, |stream| async move { stream.next().await }))
    } else {
        return answer::fault(&ews.settings, "ErrorExceededConnectionCount", None);
    };
    let mut response = Response::new(body);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/xml; charset=utf-8"));
    response
}

fn notifications(all: Vec<(String, Vec<Node>)>) -> Node {
    let one =
        |(id, events): (String, Vec<Node>)| el("t:Notification").with(el("t:SubscriptionId").text(id)).with_all(events);
    answer::success("GetStreamingEvents").with(el("m:Notifications").with_all(all.into_iter().map(one)))
}

/// That it is still there.
fn nothing(ids: &[String]) -> Vec<(String, Vec<Node>)> {
    ids.iter().map(|id| (id.clone(), vec![el("t:StatusEvent")])).collect()
}

struct Listening {
    ews: Ews,
    ids: Vec<String>,
    ends: Instant,
    ready: VecDeque<io::Result<Bytes>>,
    over: bool,
    hanging: Hanging,
}

impl Listening {
    async fn next(mut self) -> Option<(io::Result<Bytes>, Self)> {
        loop {
            if let Some(piece) = self.ready.pop_front() {
                return Some((piece, self));
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
        match self.hanging.parted() {
            Some(Parting::Closed) => return self.closes(),
            Some(Parting::Cut) => {
                self.over = true;
                return self.ready.push_back(Err(io::Error::other("cut")));
            }
            None => {}
        }
        if let Some(events) = self.events() {
            let whole = [envelope(notifications(events)), envelope(notifications(nothing(&self.ids)))].concat();
            let whole = Bytes::from(whole);
            // Not where an envelope ends.
            let middle = whole.len() / 3;
            return self.ready.extend([Ok(whole.slice(..middle)), Ok(whole.slice(middle..))]);
        }
        tokio::select! {
            () = changed => {}
            () = tokio::time::sleep(self.ews.settings.heartbeat) => {
                self.ready.push_back(Ok(Bytes::from(envelope(notifications(nothing(&self.ids))))));
            }
            () = tokio::time::sleep_until(self.ends) => self.closes(),
        }
    }

    fn closes(&mut self) {
        self.over = true;
        self.ready.push_back(Ok(Bytes::from(status("Closed"))));
    }

    /// What was not told yet, of each subscription: of one change there are several events, as Exchange has them.
    fn events(&mut self) -> Option<Vec<(String, Vec<Node>)>> {
        let mut subscriptions = self.ews.subscriptions();
        let mut told = Vec::new();
        for id in &self.ids {
            let Some(subscription) = subscriptions.get_mut(id) else { continue };
            let state = self.ews.server.state();
            let entries = state.changes(&subscription.mailbox, None, subscription.serial.max(1));
            subscription.serial = state.serial();
            let folder =
                state.mailbox(&subscription.mailbox).map(|mailbox| mailbox.default.clone()).unwrap_or_default();
            let events: Vec<Node> = entries.iter().flat_map(|entry| twice(entry, &folder, state.now)).collect();
            if !events.is_empty() {
                told.push((id.clone(), events));
            }
        }
        (!told.is_empty()).then_some(told)
    }
}

fn twice(entry: &Entry, folder: &str, now: domain::Timestamp) -> [Node; 2] {
    let name = match entry.done {
        Done::Created => "t:CreatedEvent",
        Done::Updated => "t:ModifiedEvent",
        Done::Deleted => "t:DeletedEvent",
    };
    let event = el(name)
        .with(el("t:TimeStamp").text(super::fields::instant(now, super::Manner::Exchange)))
        .with(el("t:ItemId").attr("Id", &entry.id).attr("ChangeKey", "AQAAAA=="))
        .with(el("t:ParentFolderId").attr("Id", folder).attr("ChangeKey", "AQAAAA=="));
    [event.clone(), event]
}
