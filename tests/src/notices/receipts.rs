//! What providers tell of text messages: of all visits of a message, before the sender knows, in one call, and however often.

use std::net::SocketAddr;

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::Method;
use domain::SignedDuration;
use gateway::dev::phones::Mood;
use serde_json::{Value, json};

use super::choices::put;
use super::telephones::{EMAIL, PHONE, booked_by_sms, called_at, notice, tell};
use super::{start, subjects};
use crate::account_phone::reachable_at;
use crate::support::app::book;
use crate::support::client::Answer;
use crate::support::{App, Client, database};

/// Two reminders of one day in one message, which has gone out; the visits were confirmed before.
async fn reminded_of_two(app: &App) -> Client {
    let ada = reachable_at(app, EMAIL, PHONE).await;
    put(&ada, "/v1/me/notice-preferences", &json!({"channels": ["sms", "email"], "night": null})).await.expect(200);
    let slots = app.lyon_slots().await;
    let day = |slot: &Value| slot["starts_at"].as_str().unwrap()[..10].to_owned();
    let pair = slots.windows(2).find(|pair| day(&pair[0]) == day(&pair[1]) && *day(&pair[0]) > *"2026-03-06");
    let pair = pair.expect("two slots of a day");
    let first = book(&ada, &pair[0]).await.expect(201);
    book(&ada, &pair[1]).await.expect(201);
    app.settle().await;
    app.at(&(start(&first) - SignedDuration::from_hours(24)).to_string());
    ada
}

/// The states of reminders by a channel.
async fn reminders(app: &App, channel: &str) -> Vec<Value> {
    let all = app
        .sql("select jsonb_build_object('channel', channel, 'state', state) from notice where kind = 'reminder' and recipient_kind = 'account'
              order by starts_at, planned_at")
        .await;
    all.into_iter().filter(|it| it["channel"] == channel).map(|it| it["state"].clone()).collect()
}

/// Settles while a provider takes the next message and does not answer; it tells of it before that was waited for in vain.
async fn told_while_it_waits(app: &App, mut event: Value) {
    app.phones.set_mood(Mood::Hangs);
    let before = app.phones.posted().len();
    let tells = async {
        let posted = loop {
            match app.phones.posted().into_iter().nth(before) {
                Some(posted) => break posted,
                None => tokio::time::sleep(std::time::Duration::from_millis(20)).await,
            }
        };
        (event["tag"], event["messageId"]) = (posted.message["tag"].clone(), json!(4711));
        app.nobody().post(&called_at(app), &event).await.expect(204);
    };
    tokio::join!(app.settle(), tells);
    app.phones.set_mood(Mood::Well);
}

#[tokio::test]
async fn a_message_of_several_visits_that_does_not_arrive_is_told_again_for_each() {
    let app = App::start().await;
    reminded_of_two(&app).await;
    app.settle().await;
    assert_eq!(reminders(&app, "sms").await, ["sent", "sent"]);
    tell(&app, json!({"msg_status": "hard_bounce", "to": "33639980103"})).await;
    assert_eq!(reminders(&app, "sms").await, ["failed", "failed"]);
    app.settle().await;
    assert_eq!(reminders(&app, "email").await, ["sent", "sent"]);
    assert_eq!(subjects(&app.mails(EMAIL)).len(), 1, "of one day in one message");
    // It came after all.
    tell(&app, json!({"msg_status": "delivered", "to": "33639980103"})).await;
    assert_eq!(reminders(&app, "sms").await, ["delivered", "delivered"]);
}

#[tokio::test]
async fn what_arrived_before_the_sender_knew_is_not_sent_again() {
    let app = App::start().await;
    let ada = reachable_at(&app, EMAIL, PHONE).await;
    put(&ada, "/v1/me/notice-preferences", &json!({"channels": ["sms", "email"], "night": null})).await.expect(200);
    let visit = book(&ada, &app.lyon_slots().await[0]).await.expect(201);
    told_while_it_waits(&app, json!({"msg_status": "delivered", "to": "33639980103"})).await;
    assert_eq!(notice(&app, "sms").await["state"], "delivered");
    let sent = app.phones.posted().len();
    app.later(SignedDuration::from_mins(30));
    app.settle().await;
    assert_eq!(app.phones.posted().len(), sent);
    // Whose number it went to is known, so that it can be answered.
    let told = json!({"msg_status": "replied", "to": "33639980103", "reply": "2"});
    app.nobody().post(&called_at(&app), &told).await.expect(204);
    app.settle().await;
    let ada = ada.clone().bearing(&app.fresh_token(&ada).await);
    let path = format!("/v1/appointments/{}", visit["id"].as_str().unwrap());
    assert_eq!(ada.get(&path).await.expect(200)["status"], "cancelled");
}

#[tokio::test]
async fn what_did_not_arrive_before_the_sender_knew_is_told_once_by_the_next_channel() {
    let app = App::start().await;
    reminded_of_two(&app).await;
    told_while_it_waits(&app, json!({"msg_status": "hard_bounce", "to": "33639980103"})).await;
    assert_eq!(reminders(&app, "sms").await, ["failed", "failed"]);
    for _ in 0..2 {
        app.later(SignedDuration::from_mins(30));
        app.settle().await;
    }
    assert_eq!(
        (reminders(&app, "sms").await, reminders(&app, "email").await),
        (vec![json!("failed"); 2], vec![json!("sent"); 2])
    );
    assert_eq!(subjects(&app.mails(EMAIL)).len(), 1);
}

#[tokio::test]
async fn a_message_that_took_too_long_to_be_taken_is_known_by_our_name_for_it() {
    for (event, state) in [("accepted", "sent"), ("delivered", "delivered")] {
        let app = App::start().await;
        reminded_of_two(&app).await;
        app.phones.set_mood(Mood::Hangs);
        app.settle().await;
        assert_eq!(reminders(&app, "sms").await, ["planned", "planned"]);
        let sent = app.phones.posted();
        app.phones.set_mood(Mood::Well);
        let told = json!({"msg_status": event, "to": "33639980103", "messageId": 4711, "tag": sent.last().unwrap().message["tag"]});
        app.nobody().post(&called_at(&app), &told).await.expect(204);
        app.later(SignedDuration::from_mins(30));
        app.settle().await;
        assert_eq!(reminders(&app, "sms").await, [state, state]);
        assert_eq!(app.phones.posted().len(), sent.len());
    }
}

#[tokio::test]
async fn of_several_events_of_one_call_the_furthest_holds() {
    for order in [["delivered", "hard_bounce"], ["hard_bounce", "delivered"]] {
        let app = App::start().await;
        booked_by_sms(&app).await;
        let number = app.phones.posted().len();
        let events = order.map(|event| json!({"msg_status": event, "to": "33639980103", "messageId": number}));
        app.nobody().post(&called_at(&app), &json!(events)).await.expect(204);
        assert_eq!(notice(&app, "sms").await["state"], "delivered", "{order:?}");
        assert_eq!(notice(&app, "email").await, Value::Null);
    }
}

#[tokio::test]
async fn an_old_message_of_a_notice_says_nothing_bad_of_its_next_one() {
    let app = App::start().await;
    booked_by_sms(&app).await;
    let tag = app.phones.posted().last().unwrap().message["tag"].clone();
    // Our name for both, their name of the first.
    let told = |event: &str, id: i64| json!({"msg_status": event, "to": "33639980103", "messageId": id, "tag": tag});
    app.nobody().post(&called_at(&app), &told("hard_bounce", 999)).await.expect(204);
    assert_eq!(notice(&app, "sms").await["state"], "sent");
    for stranger in [json!("0199c1e2-7d3f-7aaa-8bbb-0123456789ab"), json!("no-name-of-ours")] {
        let told = json!({"msg_status": "hard_bounce", "to": "33639980103", "messageId": 998, "tag": stranger});
        app.nobody().post(&called_at(&app), &told).await.expect(204);
    }
    assert_eq!(notice(&app, "sms").await["state"], "sent");
    app.nobody().post(&called_at(&app), &told("delivered", 999)).await.expect(204);
    assert_eq!(notice(&app, "sms").await["state"], "delivered");
}

/// A provider's call from its address.
async fn called_from(app: &App, path: &str) -> Answer {
    let client = app.nobody();
    let peer: SocketAddr = "192.0.2.9:4711".parse().unwrap();
    let told = json!({"msg_status": "delivered", "messageId": 1, "to": "33639980103"});
    let request =
        client.request(Method::POST, path).extension(ConnectInfo(peer)).header("content-type", "application/json");
    client.send(request.body(Body::from(told.to_string())).unwrap()).await
}

#[tokio::test]
async fn a_provider_tells_as_much_as_there_is_and_who_guesses_does_not() {
    let app = App::on(database::fresh().await, &[("RATE_LIMIT_ADDRESS_PER_MINUTE", "3")]).await;
    app.at("2026-03-02T08:00:00Z");
    for _ in 0..10 {
        called_from(&app, &called_at(&app)).await.expect(204);
    }
    let answers = [404, 404, 404, 429];
    for status in answers {
        assert_eq!(called_from(&app, "/v1/sms/brevo/x").await.status, status);
    }
    called_from(&app, &called_at(&app)).await.expect(204);
    // The token of one is none of another's.
    assert_eq!(called_from(&app, &called_at(&app).replace("brevo", "ovh")).await.status, 429);
}
