//! How fast it is with a hundred addresses of which ten hang.

use std::time::{Duration, Instant};

use axum::body::Body;

use super::receiver::{Manner, Receiver};
use super::{app, row};

const ADDRESSES: usize = 100;
const HANGING: usize = 10;
const EVENTS: i32 = 20;

#[tokio::test(flavor = "multi_thread")]
async fn ten_of_a_hundred_addresses_hang_and_the_others_get_all_of_theirs_within_seconds() {
    let (app, receiver) = (app().await, Receiver::start().await);
    for n in 0..ADDRESSES {
        row(&app, &format!("{}/{n}", receiver.address), "pentes-plateau", "active").await;
        if n < HANGING {
            receiver.behaves(&format!("/{n}"), Manner::Hangs);
        }
    }
    let plan = "insert into webhook_delivery (id, webhook_id, event_id, kind, subject, ordinal, data, occurred_at,
                                              next_attempt_at, expires_at, planned_at)
        select gen_random_uuid(), id, gen_random_uuid(), 'appointment.booked.v1', gen_random_uuid(), n, '{}', now,
               now, now + interval '3 days', now
        from webhook, generate_series(1, $1) n, cast($2 as timestamptz) now";
    sqlx::query(plan).bind(EVENTS).bind(app.now().to_string()).execute(app.pool()).await.unwrap();
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
