//! What a program that measures asks of a fake beside what it serves, under `/fake/`: to be filled, to be changed behind everybody's back, and
//! what was asked of it. None of it is in the log.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::extract::{Query, Request, State as Of};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Json, Router};
use domain::interval::Interval;
use domain::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::mailbox::{Event, Server};

/// How long every event lasts.
const LENGTH: SignedDuration = SignedDuration::from_mins(30);
/// Over how many days the events of a mailbox are spread: within what is read.
const DAYS: i64 = 170;

/// A fake that is measured.
#[derive(Clone)]
struct Control {
    server: Server,
    requests: Arc<AtomicU64>,
    /// How long an answer takes at least: the way there and back, and what is done there.
    pause: Duration,
}

#[derive(Deserialize)]
struct Fill {
    mailboxes: usize,
    events: usize,
}

#[derive(Deserialize)]
struct Change {
    /// How many events of each mailbox.
    events: usize,
}

#[derive(Deserialize)]
struct Add {
    mailbox: String,
    starts_at: Timestamp,
}

#[derive(Deserialize)]
struct Tagged {
    mailbox: String,
    tag: String,
}

/// What serves a fake, with its control; each answer takes so long at least.
pub fn controlled(router: Router, server: Server, pause: Duration) -> Router {
    let control = Control { server, requests: Arc::default(), pause };
    let own = Router::new()
        .route("/fake/fill", post(fill))
        .route("/fake/change", post(change))
        .route("/fake/add", post(add))
        .route("/fake/tagged", get(tagged))
        .route("/fake/log", get(log).delete(forget))
        .with_state(control.clone());
    own.merge(router.layer(from_fn_with_state(control, counted)))
}

async fn counted(Of(control): Of<Control>, request: Request, next: Next) -> Response {
    control.requests.fetch_add(1, Ordering::Relaxed);
    if !control.pause.is_zero() {
        tokio::time::sleep(control.pause).await;
    }
    next.run(request).await
}

/// The address of a mailbox.
fn address(number: usize) -> String {
    format!("m{number}@mesure.example")
}

async fn fill(Of(control): Of<Control>, Json(wish): Json<Fill>) -> Json<Value> {
    let midnight = control.server.state().now.as_second().div_euclid(86_400) * 86_400;
    for number in 0..wish.mailboxes {
        let address = address(number);
        control.server.add_mailbox(&address);
        for event in 0..wish.events {
            let event = i64::try_from(event).unwrap_or_default();
            // One after the other on each day, from seven on.
            let hour = 7 * 3600 + (event / DAYS) * 2700;
            let start = Timestamp::from_second(midnight + (1 + event % DAYS) * 86_400 + hour).unwrap();
            let during = Interval::new(start, start + LENGTH).unwrap();
            control.server.add(&address, Event::between("Occupé", during));
        }
    }
    control.server.state().calls.clear();
    Json(json!({"mailboxes": wish.mailboxes}))
}

/// Each of these is a little later now.
async fn change(Of(control): Of<Control>, Json(wish): Json<Change>) -> Json<Value> {
    let addresses: Vec<String> = control.server.state().mailboxes.keys().cloned().collect();
    let mut changed = 0;
    for address in addresses {
        let theirs = control.server.events(&address).into_iter().filter(|event| event.tag().is_none());
        for event in theirs.take(wish.events) {
            control.server.shift(&address, &event.id, SignedDuration::from_mins(10));
            changed += 1;
        }
    }
    Json(json!({"changed": changed}))
}

async fn add(Of(control): Of<Control>, Json(wish): Json<Add>) -> Json<Value> {
    let during = Interval::new(wish.starts_at, wish.starts_at + LENGTH).unwrap();
    Json(json!({"id": control.server.add(&wish.mailbox, Event::between("Occupé", during))}))
}

async fn tagged(Of(control): Of<Control>, Query(wish): Query<Tagged>) -> Json<Value> {
    Json(json!({"count": control.server.tagged(&wish.mailbox, &wish.tag).len()}))
}

async fn log(Of(control): Of<Control>) -> Json<Value> {
    let state = control.server.state();
    let mut calls: BTreeMap<&str, u64> = BTreeMap::new();
    for call in &state.calls {
        *calls.entry(call.operation).or_default() += 1;
    }
    // What is asked for several at once is of no mailbox; each of them is in the log for itself.
    let of_mailboxes = state.calls.iter().filter(|call| !call.mailbox.is_empty());
    let most = of_mailboxes.map(|call| call.in_flight).max().unwrap_or_default();
    Json(json!({"requests": control.requests.load(Ordering::Relaxed), "calls": calls, "most_in_flight": most}))
}

async fn forget(Of(control): Of<Control>) -> Json<Value> {
    control.server.state().calls.clear();
    control.requests.store(0, Ordering::Relaxed);
    Json(json!({}))
}
