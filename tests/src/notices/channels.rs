//! Which channel tells, and which one after it.

use domain::SignedDuration;
use serde_json::{Value, json};

use super::choices::{PREFERENCES, now, put, remind_at};
use super::telephones::{EMAIL, PHONE, called_at, tell};
use super::{booked, cancel_path, start, subjects};
use crate::account_phone::reachable_at;
use crate::push::{Browser, push_service};
use crate::support::app::book;
use crate::support::{App, Client, database};

const PUSH_KEY: &str = "q1dXpw3UpT5VOmu_cf_v6ih07Aems3njxI-JWgLcM94";

/// What families were told, by channel: `sms failed, event`.
async fn by_channel(app: &App) -> Vec<Value> {
    app.sql(
        "select to_jsonb(channel || ' ' || state || ', ' || because) from notice
             where recipient_kind = 'account' order by channel, planned_at",
    )
    .await
}

#[tokio::test]
async fn what_becomes_of_a_visit_is_told_by_whatever_reaches_reminders_only_as_chosen() {
    let app = App::start().await;
    let ada = app.patient().await;
    // No browser is subscribed, or it is no longer.
    put(&ada, PREFERENCES, &json!({"channels": ["push"], "night": null})).await.expect(200);
    let appointment = booked(&app, &ada).await;
    assert_eq!(subjects(&app.mails(&ada.email)), ["Votre rendez-vous est confirmé"]);
    remind_at(&app, start(&appointment) - SignedDuration::from_hours(24)).await;
    assert_eq!(app.mails(&ada.email).len(), 1, "no reminder by what was not chosen");
    now(&app, &ada).await.post(&cancel_path(&appointment), &json!({"reason": "x"})).await.expect(200);
    app.settle().await;
    assert_eq!(subjects(&app.mails(&ada.email))[1], "Votre rendez-vous est annulé");
}

#[tokio::test]
async fn a_stop_silences_text_messages_and_no_cancellation() {
    let app = App::start().await;
    let ada = reachable_at(&app, EMAIL, PHONE).await;
    put(&ada, PREFERENCES, &json!({"channels": ["sms"], "night": null})).await.expect(200);
    let appointment = booked(&app, &ada).await;
    tell(&app, json!({"msg_status": "replied", "to": "33639980103", "reply": "STOP"})).await;
    let sent = app.mails(PHONE).len();
    // Tomorrow: too near for a letter.
    app.at(&(start(&appointment) - SignedDuration::from_hours(20)).to_string());
    now(&app, &ada).await.post(&cancel_path(&appointment), &json!({"reason": "x"})).await.expect(200);
    app.settle().await;
    assert_eq!(subjects(&app.mails(EMAIL)), ["Votre rendez-vous est annulé"]);
    assert_eq!(app.mails(PHONE).len(), sent);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_channel_is_tried_in_its_turn_also_when_those_before_it_lead_nowhere_by_then() {
    let (base, _) = push_service().await;
    let app = App::on(database::fresh().await, &[("CARNET_ENV", "development"), ("PUSH_KEY", PUSH_KEY)]).await;
    let ada = reachable_at(&app, EMAIL, PHONE).await;
    ada.post("/v1/push-subscriptions", &Browser::new().wish(&format!("{base}/410"))).await.expect(201);
    put(&ada, PREFERENCES, &json!({"channels": ["sms", "push", "email"], "night": null})).await.expect(200);
    booked(&app, &ada).await;
    for _ in 0..2 {
        tell(&app, json!({"msg_status": "hard_bounce", "to": "33639980103"})).await;
        app.settle().await;
        app.settle().await;
    }
    assert_eq!(app.count("select count(*) from push_subscription").await, 0);
    assert_eq!(by_channel(&app).await, ["email sent, push failed", "push failed, sms failed", "sms failed, event"]);
    assert_eq!(subjects(&app.mails(EMAIL)), ["Votre rendez-vous est confirmé"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_comes_again_tells_nobody_by_another_channel() {
    let (base, seen) = push_service().await;
    let app = App::on(database::fresh().await, &[("CARNET_ENV", "development"), ("PUSH_KEY", PUSH_KEY)]).await;
    let ada = app.patient().await;
    booked(&app, &ada).await;
    assert_eq!(app.mails(&ada.email).len(), 1);
    ada.post("/v1/push-subscriptions", &Browser::new().wish(&format!("{base}/201"))).await.expect(201);
    let event = app
        .sql(
            "select jsonb_build_object('specversion', '1.0', 'id', id, 'source', '/carnet', 'type', kind, 'subject', subject,
                     'time', occurred_at, 'datacontenttype', 'application/json', 'data', data)
                 from outbox where kind = 'appointment.booked.v1'",
        )
        .await;
    assert_eq!(app.event("notify", event[0].to_string()).await.0, 204);
    app.settle().await;
    assert_eq!(by_channel(&app).await, ["email sent, event"]);
    assert!(seen.lock().unwrap().is_empty());
}

#[tokio::test]
async fn an_operator_sees_what_nobody_told_and_has_nothing_told_twice() {
    let app = App::start().await;
    let ada = reachable_at(&app, EMAIL, PHONE).await;
    put(&ada, PREFERENCES, &json!({"channels": ["sms", "email"], "night": null})).await.expect(200);
    booked(&app, &ada).await;
    tell(&app, json!({"msg_status": "hard_bounce", "to": "33639980103"})).await;
    app.settle().await;
    assert_eq!(app.mails(EMAIL).len(), 1);
    let events = Client::new(app.gateway.app.events.clone());
    assert_eq!(events.get("/_events/notify/failed").await.expect(200)["items"], json!([]));
    let failed = app.sql("select to_jsonb(id) from notice where state = 'failed'").await;
    let path = format!("/_events/notify/failed/{}/retry", failed[0].as_str().unwrap());
    assert_eq!(events.post(&path, &json!({})).await.problem(404), "not-found");
    app.settle().await;
    assert_eq!(by_channel(&app).await, ["email sent, sms failed", "sms failed, event"]);
}

#[tokio::test]
async fn a_text_message_that_the_provider_says_nothing_of_is_told_by_the_next_channel_where_it_tells_anything() {
    let app = App::start().await;
    let ada = reachable_at(&app, EMAIL, PHONE).await;
    put(&ada, PREFERENCES, &json!({"channels": ["sms", "email"], "night": null})).await.expect(200);
    let slots = app.lyon_slots().await;
    book(&ada, slots.last().unwrap()).await.expect(201);
    app.settle().await;
    let silent = app.phones.posted().len();
    app.later(SignedDuration::from_hours(7));
    app.settle().await;
    assert!(app.mails(EMAIL).is_empty(), "nobody has it tell us what arrives");
    book(&now(&app, &ada).await, &slots[slots.len() - 9]).await.expect(201);
    app.settle().await;
    tell(&app, json!({"msg_status": "delivered", "to": "33639980103"})).await;
    app.settle().await;
    assert_eq!(subjects(&app.mails(EMAIL)), ["Votre rendez-vous est confirmé"]);
    let told = ["email sent, sms undelivered", "sms sent, event", "sms delivered, event"];
    assert_eq!(by_channel(&app).await, told);
    // What it says of it at last is written down, and nothing comes of it any more.
    let bounced = json!({"msg_status": "hard_bounce", "messageId": silent, "to": "33639980103"});
    app.nobody().post(&called_at(&app), &bounced).await.expect(204);
    app.settle().await;
    let told = ["email sent, sms undelivered", "sms failed, event", "sms delivered, event"];
    assert_eq!(by_channel(&app).await, told);
    app.later(SignedDuration::from_hours(24));
    app.settle().await;
    assert_eq!(app.mails(EMAIL).len(), 1, "of the one that arrived there is nothing more to say");
}
