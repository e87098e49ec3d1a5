//! What an address did before says nothing of what it is now: it is changed, paused, opened again, and asked for a month again.

use std::time::Duration;

use domain::SignedDuration;
use serde_json::{Value, json};

use super::receiver::{Manner, Receiver};
use super::{administrator, app, change, deliveries, later, open, path, send, tell};
use crate::support::App;
use crate::support::app::book;

/// So many deliveries of a webhook that were taken, a second apart from 1 February on, and a test.
async fn delivered(app: &App, webhook: &Value, events: i32, replays: i32, state: &str) {
    let sql = "insert into webhook_delivery (id, webhook_id, event_id, kind, subject, ordinal, data, occurred_at, next_attempt_at,
                                             expires_at, planned_at, settled_at, state, replays)
        select gen_random_uuid(), webhook.id, gen_random_uuid(), case n when 0 then 'webhook.test' else 'appointment.booked.v1' end,
               visit, n, case n when 0 then jsonb_build_object('webhook', webhook.id, 'establishment', establishment_id)
                   else jsonb_build_object('appointment', visit, 'version', 1, 'establishment', establishment_id) end,
               at, at, '2026-06-01', at, case when $3::text <> 'waiting' then at end, $3::text, $4::integer
        from webhook, generate_series(0, $2) n, cast(timestamptz '2026-02-01Z' + make_interval(secs => n) as timestamptz) at,
            md5(url || n) hash, cast(hash as uuid) visit
        where webhook.id = $1::uuid";
    let query = sqlx::query(sql).bind(webhook["id"].as_str().unwrap()).bind(events).bind(state).bind(replays);
    query.execute(app.pool()).await.unwrap();
}

#[tokio::test]
async fn a_stretch_of_more_events_than_may_be_sent_again_at_once_is_gone_on_with() {
    let (app, receiver) = (app().await, Receiver::start().await);
    let client = administrator(&app).await;
    let webhook = open(&client, &receiver, "/hook").await;
    delivered(&app, &webhook, 10_010, 0, "delivered").await;
    let replay = format!("{}/replay", path(&webhook));
    let (from, to) = ("2026-02-01T00:00:00Z", "2026-02-02T00:00:00Z");
    let first = client.post(&replay, &json!({"from": from, "to": to})).await.expect(202);
    // The test at the very beginning is left out.
    assert_eq!(first, json!({"replayed": 10_000, "until": "2026-02-01T02:46:40Z"}));
    let rest = client.post(&replay, &json!({"from": first["until"], "to": to})).await.expect(202);
    assert_eq!(rest, json!({"replayed": 10, "until": null}));
    assert_eq!(app.count("select count(*) from webhook_delivery where state = 'waiting'").await, 10_010);
}

#[tokio::test]
async fn what_happens_now_goes_before_what_is_sent_again() {
    let (app, receiver) = (app().await, Receiver::start().await);
    let webhook = open(&administrator(&app).await, &receiver, "/hook").await;
    delivered(&app, &webhook, 40, 1, "waiting").await;
    let visit = book(&app.patient().await, &app.slots_with("etienne-bouvarel").await[0]).await.expect(201);
    // Planned, and nothing sent yet.
    for _ in 0..5 {
        app.event("deliver-outbox", axum::body::Body::empty()).await;
    }
    send(&app).await;
    let received = receiver.received("/hook");
    let place = received.iter().position(|it| it.subject() == visit["id"].as_str().unwrap());
    assert!(received.len() == 42 && place.is_some_and(|place| place < 4), "{place:?} of {}", received.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_former_address_answers_late_is_nothing_to_the_present_one() {
    let (app, receiver) = (app().await, Receiver::start().await);
    let client = administrator(&app).await;
    let webhook = open(&client, &receiver, "/hook").await;
    receiver.behaves("/hook", Manner::Late(Duration::from_secs(2), 410));
    client.post(&format!("{}/test", path(&webhook)), &json!({})).await.expect(202);
    let changed = async {
        while receiver.received("/hook").is_empty() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let other = json!({"url": format!("{}/other", receiver.address)});
        change(&client, &path(&webhook), &other).await.expect(200);
        client.post(&format!("{}/verification", path(&webhook)), &json!({})).await.expect(200)
    };
    let (_, verified) = futures_util::join!(send(&app), changed);
    assert_eq!(verified["state"], "active");
    let known = client.get(&path(&webhook)).await.expect(200);
    assert_eq!((&known["state"], &known["failing_since"]), (&json!("active"), &Value::Null));
    // It is tried at the present one at once, whatever the pause would have been.
    send(&app).await;
    assert_eq!(receiver.taken("/other").len(), 1);
    assert_eq!(deliveries(&client, &webhook).await[0]["state"], "delivered");
}

#[tokio::test]
async fn an_address_that_is_opened_again_begins_with_short_pauses_and_what_was_tried_has_failed() {
    let (app, receiver) = (app().await, Receiver::start().await);
    let webhook = open(&administrator(&app).await, &receiver, "/hook").await;
    receiver.behaves("/hook", Manner::Answers(503));
    book(&app.patient().await, &app.slots_with("etienne-bouvarel").await[0]).await.expect(201);
    tell(&app).await;
    for hours in [1, 1, 1, 2, 2, 4, 4] {
        app.later(SignedDuration::from_hours(hours));
        send(&app).await;
    }
    let next = async |app: &App| {
        let known = deliveries(&administrator(app).await, &webhook).await;
        let next: domain::Timestamp = known[0]["next_attempt_at"].as_str().unwrap().parse().unwrap();
        (next.duration_since(app.now()), known[0]["attempts"].as_i64().unwrap())
    };
    let (pause, attempts) = next(&app).await;
    assert!(pause > SignedDuration::from_mins(3) && attempts == 8, "{pause} after {attempts}");
    let client = administrator(&app).await;
    for action in ["pause", "resume"] {
        client.post(&format!("{}/{action}", path(&webhook)), &json!({})).await.expect(200);
    }
    assert_eq!(send(&app).await, 1);
    let (pause, attempts) = next(&app).await;
    assert!(pause <= SignedDuration::from_secs(5) && attempts == 1, "{pause} after {attempts}");
    // Opened and closed once more, it was tried none the less.
    for action in ["pause", "resume", "pause"] {
        client.post(&format!("{}/{action}", path(&webhook)), &json!({})).await.expect(200);
    }
    let client = later(&app, SignedDuration::from_hours(73)).await;
    send(&app).await;
    assert_eq!(deliveries(&client, &webhook).await[0]["state"], "failed");
}
