//! A process that is told to stop ends what it has begun, and begins nothing.

use std::time::Duration;

use super::receiver::{Manner, Receiver};
use super::{ALL, row};
use crate::killing::Running;
use crate::support::App;

#[tokio::test(flavor = "multi_thread")]
async fn told_to_stop_the_gateway_waits_for_the_answers_and_sends_nothing_twice() {
    let (app, receiver) = (App::start().await, Receiver::start().await);
    receiver.behaves("/hook", Manner::Late(Duration::from_secs(4), 204));
    row(&app, &format!("{}/hook", receiver.address), "pentes-plateau", "active").await;
    // Of one visit, so that the second waits for the first.
    let plan = "insert into webhook_delivery (id, webhook_id, event_id, kind, subject, ordinal, data, occurred_at, next_attempt_at,
                                              expires_at, planned_at)
        select gen_random_uuid(), id, gen_random_uuid(), ($1::text[])[n], id, n,
               jsonb_build_object('appointment', id, 'version', n, 'establishment', establishment_id), now, now,
               now + interval '3 days', now
        from webhook, generate_series(1, 2) n, cast($2 as timestamptz) now";
    sqlx::query(plan)
        .bind(ALL.map(str::to_owned).to_vec())
        .bind(app.now().to_string())
        .execute(app.pool())
        .await
        .unwrap();
    let now = app.now().to_string();
    let variables =
        [("CARNET_ENV", "development"), ("WEBHOOK_NETWORKS", "127.0.0.0/8"), ("CARNET_CLOCK", now.as_str())];
    let mut running = Running::start(&app.url, &variables).await;
    for _ in 0..400 {
        if receiver.count() > 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    running.signal("TERM");
    assert!(running.process.wait().await.unwrap().success());
    assert_eq!(receiver.taken("/hook").len(), 1);
    let states = app
        .sql("select jsonb_build_array(state, attempts, lease is null) from webhook_delivery order by ordinal")
        .await;
    assert_eq!(states, [serde_json::json!(["delivered", 1, true]), serde_json::json!(["waiting", 0, true])]);
}
