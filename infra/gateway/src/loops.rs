//! What a platform's queue and scheduler do elsewhere: carry events, and tick.

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use croner::Cron;
use domain::Timestamp;
use futures_util::future::join_all;
use http_body_util::BodyExt as _;
use runtime::host::StartError;
use runtime::{Ctx, Manifest};
use serde_json::Value;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tower::ServiceExt as _;

/// How long the queue loop rests when there is nothing to carry.
const REST: Duration = Duration::from_millis(250);
/// How long it rests when the database does not answer.
const REST_WHEN_DOWN: Duration = Duration::from_secs(2);
/// How long a run of webhooks takes up what is due: after it the next one begins, however long this one waits for its last answers.
const RUN_OF_WEBHOOKS: Duration = Duration::from_secs(46);
/// How often a run begins that listens to calendars, however long those before it still hold their last connections.
const RUN_OF_LISTENING: Duration = Duration::from_mins(1);
/// The function whose runs last: nothing in it is due.
const LISTENING: &str = "listen-exchange";
/// How often the cron loop looks at the clock.
const GLANCE: Duration = Duration::from_millis(500);
/// How many rounds of delivery one call of [`settle`] makes at most.
const ROUNDS: usize = 200;

/// A function with its timetable.
pub struct Ticking {
    name: String,
    cron: Cron,
    next: Option<Timestamp>,
}

/// The functions that run by themselves.
///
/// # Errors
/// When a schedule is not a cron expression.
pub fn timetable(manifests: &[Manifest]) -> Result<Vec<Ticking>, StartError> {
    let mut ticking = Vec::new();
    for manifest in manifests {
        // What is sent out has loops of its own here, and so has what is listened to.
        let looped = ["deliver-outbox", "send-webhooks", LISTENING].contains(&manifest.name.as_str());
        if let Some(schedule) = manifest.schedule.as_deref().filter(|_| !looped) {
            let cron = schedule.parse().map_err(|_| format!("{}: {schedule:?} is no schedule", manifest.name))?;
            ticking.push(Ticking { name: manifest.name.clone(), cron, next: None });
        }
    }
    Ok(ticking)
}

/// Calls `POST /_events/{name}` without input, as every trigger does.
pub async fn trigger(events: &Router, name: &str) -> Option<Value> {
    let request = axum::http::Request::post(format!("/_events/{name}")).body(Body::empty()).ok()?;
    let response = events.clone().oneshot(request).await.ok()?;
    if !response.status().is_success() {
        return None;
    }
    let bytes = response.into_body().collect().await.ok()?.to_bytes();
    Some(serde_json::from_slice(&bytes).unwrap_or_default())
}

/// Carries what is due; how many deliveries that was, or none when it failed.
async fn deliver(events: &Router) -> Option<u64> {
    trigger(events, "deliver-outbox").await.and_then(|answer| answer["delivered"].as_u64())
}

/// Carries events until told to stop.
pub async fn queue(events: Router, ctx: Ctx, mut stop: watch::Receiver<bool>) {
    let mut moves = ctx.clock.moves();
    while !*stop.borrow() {
        let rest = match deliver(&events).await {
            Some(0) => REST,
            Some(_) => continue,
            None => REST_WHEN_DOWN,
        };
        tokio::select! {
            () = tokio::time::sleep(rest) => {}
            _ = moves.changed() => {}
            _ = stop.changed() => {}
        }
    }
}

/// Sends partners' programs what is due until told to stop. An address that hangs, and the run that waits for it, keep nobody
/// else waiting. Runs that are told to stop take up nothing new; they are waited for, so that what was answered is written down.
pub async fn webhooks(events: Router, ctx: Ctx, mut stop: watch::Receiver<bool>) {
    let mut moves = ctx.clock.moves();
    let mut long: Vec<JoinHandle<Option<u64>>> = Vec::new();
    while !*stop.borrow() {
        let mut run = tokio::spawn({
            let events = events.clone();
            async move { trigger(&events, "send-webhooks").await.and_then(|answer| answer["sent"].as_u64()) }
        });
        let rest = tokio::select! {
            sent = &mut run => match sent {
                Ok(Some(0)) => REST,
                Ok(Some(_)) => continue,
                _ => REST_WHEN_DOWN,
            },
            () = tokio::time::sleep(RUN_OF_WEBHOOKS) => {
                long.retain(|run| !run.is_finished());
                long.push(run);
                continue;
            }
            _ = stop.changed() => {
                long.push(run);
                break;
            }
        };
        tokio::select! {
            () = tokio::time::sleep(rest) => {}
            _ = moves.changed() => {}
            _ = stop.changed() => {}
        }
    }
    join_all(long).await;
}

/// Listens to calendars until told to stop: each run takes over from the one before it. Runs that are told to stop hang up; they are waited
/// for, so that it is written down.
pub async fn listening(events: Router, mut stop: watch::Receiver<bool>) {
    let mut runs: Vec<JoinHandle<Option<Value>>> = Vec::new();
    while !*stop.borrow() {
        runs.retain(|run| !run.is_finished());
        let events = events.clone();
        runs.push(tokio::spawn(async move { trigger(&events, LISTENING).await }));
        tokio::select! {
            () = tokio::time::sleep(RUN_OF_LISTENING) => {}
            _ = stop.changed() => {}
        }
    }
    join_all(runs).await;
}

/// Ticks until told to stop. Each function has its own turn: a long one holds up no other.
pub async fn cron(events: Router, ctx: Ctx, timetable: Vec<Ticking>, stop: watch::Receiver<bool>) {
    join_all(timetable.into_iter().map(|ticking| tick(&events, &ctx, ticking, stop.clone()))).await;
}

/// A tick that fails is made again at the next glance.
async fn tick(events: &Router, ctx: &Ctx, mut ticking: Ticking, mut stop: watch::Receiver<bool>) {
    let mut moves = ctx.clock.moves();
    while !*stop.borrow() {
        if moves.has_changed().unwrap_or(false) {
            moves.mark_unchanged();
            ticking.next = None;
        }
        let now = ctx.now();
        if ticking.next.is_none_or(|next| next <= now) && trigger(events, &ticking.name).await.is_some() {
            ticking.next = next_tick(&ticking.cron, now);
        }
        tokio::select! {
            () = tokio::time::sleep(GLANCE) => {}
            _ = stop.changed() => {}
        }
    }
}

/// Lets everything that is due at this moment run: every tick once, then the queue until it is empty.
pub async fn settle(events: &Router, manifests: &[Manifest]) {
    for manifest in manifests.iter().filter(|manifest| manifest.schedule.is_some() && manifest.name != LISTENING) {
        trigger(events, &manifest.name).await;
    }
    for _ in 0..ROUNDS {
        if deliver(events).await.is_none_or(|delivered| delivered == 0) {
            break;
        }
    }
}

fn next_tick(cron: &Cron, after: Timestamp) -> Option<Timestamp> {
    cron.find_next_occurrence(&after.to_zoned(jiff::tz::TimeZone::UTC), false).ok().map(|next| next.timestamp())
}
