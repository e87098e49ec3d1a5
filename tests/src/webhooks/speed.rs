//! How fast it is with a hundred addresses of which ten hang, and with forty that take their time.

use std::time::{Duration, Instant};

use axum::body::Body;
use domain::SignedDuration;

use super::receiver::{Manner, Receiver};
use super::{app, row};
use crate::support::App;

const ADDRESSES: usize = 100;
const HANGING: usize = 10;
const EVENTS: i32 = 20;

/// So many events for each webhook whose address is like that, due for so long.
async fn due(app: &App, url: &str, events: i32, since: SignedDuration) {
    let plan = "insert into webhook_delivery (id, webhook_id, event_id, kind, subject, ordinal, data, occurred_at,
                                              next_attempt_at, expires_at, planned_at)
        select gen_random_uuid(), id, gen_random_uuid(), 'appointment.booked.v1', visit, n,
               jsonb_build_object('appointment', visit, 'version', 1, 'establishment', establishment_id), now, now,
               now + interval '3 days', now
        from webhook, cast($2 as timestamptz) now, generate_series(1, $1) n, md5(url || n) as hash, cast(hash as uuid) visit
        where url like $3";
    let plan = sqlx::query(plan).bind(events).bind((app.now() - since).to_string()).bind(url);
    plan.execute(app.pool()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_of_a_hundred_addresses_hang_and_the_others_get_all_of_theirs_within_seconds() {
    let (app, receiver) = (app().await, Receiver::start().await);
    for n in 0..ADDRESSES {
        row(&app, &format!("{}/{n}", receiver.address), "pentes-plateau", "active").await;
        if n < HANGING {
            receiver.behaves(&format!("/{n}"), Manner::Hangs);
        }
    }
    due(&app, "%", EVENTS, SignedDuration::ZERO).await;
    let wanted = (ADDRESSES - HANGING) * EVENTS as usize;
    let began = Instant::now();
    let watched = async {
        while receiver.count() < wanted && began.elapsed() < Duration::from_mins(1) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        began.elapsed()
    };
    let took = tokio::select! {
        took = watched => took,
        // A run that ends before all is told leaves the rest to the next one.
        _ = app.event("send-webhooks", Body::empty()) => began.elapsed(),
    };
    assert_eq!(receiver.count(), wanted, "after {took:?}");
    #[expect(clippy::cast_precision_loss, reason = "a few thousand")]
    let rate = wanted as f64 / took.as_secs_f64();
    eprintln!(
        "webhooks: {wanted} deliveries to {ADDRESSES} addresses, {HANGING} of which hang: {took:?}, {rate:.0} a second"
    );
    assert!(took < Duration::from_secs(20), "{took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn addresses_that_take_their_time_take_nobody_elses_place() {
    let (app, receiver) = (app().await, Receiver::start().await);
    for n in 0..40 {
        row(&app, &format!("{}/slow/{n}", receiver.address), "pentes-plateau", "active").await;
        receiver.behaves(&format!("/slow/{n}"), Manner::Late(Duration::from_secs(3), 204));
    }
    row(&app, &format!("{}/quick", receiver.address), "pentes-plateau", "active").await;
    // Theirs were there first.
    due(&app, "%/slow/%", 8, SignedDuration::from_secs(60)).await;
    due(&app, "%/quick", 30, SignedDuration::ZERO).await;
    let began = Instant::now();
    let watched = async {
        while receiver.taken("/quick").len() < 30 && began.elapsed() < Duration::from_mins(1) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let first = began.elapsed();
        // By now it is known who is slow.
        tokio::time::sleep(Duration::from_secs(5).saturating_sub(first)).await;
        assert_eq!(app.count("select count(*) from webhook where slow").await, 40);
        due(&app, "%/quick", 30, SignedDuration::from_secs(30)).await;
        let again = Instant::now();
        while receiver.taken("/quick").len() < 60 && again.elapsed() < Duration::from_mins(1) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let leased = app.count("select count(*) from webhook_delivery where lease is not null").await;
        (first, again.elapsed(), leased)
    };
    let (first, again, leased) = tokio::select! {
        watched = watched => watched,
        _ = app.event("send-webhooks", Body::empty()) => panic!("it ends before all is told"),
    };
    assert!(first < Duration::from_secs(8) && again < Duration::from_secs(4), "{first:?}, then {again:?}");
    assert!(leased <= 40 + 4, "{leased} at once");
}
