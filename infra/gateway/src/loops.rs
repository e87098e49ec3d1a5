//! What a platform's queue and scheduler do elsewhere: carry events, and tick.

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use croner::Cron;
use domain::Timestamp;
use http_body_util::BodyExt as _;
use runtime::host::StartError;
use runtime::{Ctx, Manifest};
use serde_json::Value;
use tokio::sync::watch;
use tower::ServiceExt as _;

/// How long the queue loop rests when there is nothing to carry.
const REST: Duration = Duration::from_millis(250);
/// How long it rests when the database does not answer.
const REST_WHEN_DOWN: Duration = Duration::from_secs(2);
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
        // The outbox has a loop of its own here.
        if let Some(schedule) = manifest.schedule.as_deref().filter(|_| manifest.name != "deliver-outbox") {
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

/// Ticks until told to stop. A tick that fails is made again at the next glance.
pub async fn cron(events: Router, ctx: Ctx, mut timetable: Vec<Ticking>, mut stop: watch::Receiver<bool>) {
    let mut moves = ctx.clock.moves();
    while !*stop.borrow() {
        if moves.has_changed().unwrap_or(false) {
            moves.mark_unchanged();
            for ticking in &mut timetable {
                ticking.next = None;
            }
        }
        for ticking in &mut timetable {
            let now = ctx.now();
            if ticking.next.is_none_or(|next| next <= now) && trigger(&events, &ticking.name).await.is_some() {
                ticking.next = next_tick(&ticking.cron, now);
            }
        }
        tokio::select! {
            () = tokio::time::sleep(GLANCE) => {}
            _ = stop.changed() => {}
        }
    }
}

/// Lets everything that is due at this moment run: every tick once, then the queue until it is empty.
pub async fn settle(events: &Router, manifests: &[Manifest]) {
    for manifest in manifests.iter().filter(|manifest| manifest.schedule.is_some()) {
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
