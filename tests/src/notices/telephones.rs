//! Text messages: to whom has shown a number, what the provider tells of them afterwards, what people answer.

use axum::http::StatusCode;
use domain::SignedDuration;
use gateway::dev::phones::Mood;
use runtime::sms::{Provider, callback};
use serde_json::{Value, json};

use super::choices::put;
use super::{start, subjects};
use crate::account_phone::reachable_at;
use crate::support::app::book;
use crate::support::{App, Client};

pub const EMAIL: &str = "par-sms@famille.example";
pub const PHONE: &str = "+33639980103";

/// Somebody who wants text messages, and a visit that they booked.
pub async fn booked_by_sms(app: &App) -> (Client, Value) {
    let ada = reachable_at(app, EMAIL, PHONE).await;
    put(&ada, "/v1/me/notice-preferences", &json!({"channels": ["sms", "email"], "night": null})).await.expect(200);
    let slots = app.lyon_slots().await;
    let appointment = book(&ada, &slots[0]).await.expect(201);
    app.settle().await;
    (ada, appointment)
}

/// What stands after the site in the address that the provider calls.
pub fn called_at(app: &App) -> String {
    callback("", Provider::Brevo, &app.gateway.ctx.keys).unwrap()
}

/// The provider's call about the last message.
pub async fn tell(app: &App, mut event: Value) {
    event["messageId"] = app.phones.posted().len().into();
    app.nobody().post(&called_at(app), &event).await.expect(204);
}

pub async fn notice(app: &App, which: &str) -> Value {
    let all = app
        .sql("select jsonb_build_object('kind', kind, 'channel', channel, 'state', state, 'why', why, 'because', because, 'reply', reply,
                     'segments', segments, 'provider', provider) from notice where recipient_kind = 'account' order by planned_at, id")
        .await;
    all.into_iter().rfind(|it| it["channel"] == which).unwrap_or_default()
}

/// A visit that is called off by an answer.
pub async fn asked(app: &App) {
    booked_by_sms(app).await;
    tell(app, json!({"msg_status": "replied", "to": "33639980103", "reply": "2"})).await;
    app.settle().await;
}

/// Statements of what providers call.
pub async fn walk(app: &App) {
    let told = json!({"msg_status": "delivered", "messageId": 1, "to": "33639980103"});
    app.nobody().post(&called_at(app), &told).await.expect(204);
    let told = json!({"msg_status": "replied", "messageId": 1, "to": "33639980103", "reply": "STOP"});
    app.nobody().post(&called_at(app), &told).await.expect(204);
}

#[tokio::test]
async fn who_wants_text_messages_gets_one_that_tells_neither_whom_nor_what_for() {
    let app = App::start().await;
    let (ada, appointment) = booked_by_sms(&app).await;
    let text = app.mails(PHONE).pop().unwrap().text;
    let local = appointment["starts_at"].as_str().unwrap();
    let wanted = format!(
        "Carnet : rendez-vous confirmé le {}/{} à {}h{}.",
        &local[8..10],
        &local[5..7],
        &local[11..13],
        &local[14..16]
    );
    assert!(text.starts_with(&wanted), "{text}");
    for secret in ["Ada", "Exemple", "orthophon", appointment["practitioner_name"].as_str().unwrap()] {
        assert!(!text.contains(secret), "{text}");
    }
    assert!(app.mails(EMAIL).is_empty(), "{:?}", subjects(&app.mails(EMAIL)));
    let own = ada.get("/v1/me/notices").await.expect(200);
    assert_eq!((&own["items"][0]["channel"], &own["items"][0]["segments"]), (&json!("sms"), &json!(1)));
    assert!(!own.to_string().contains("63998"));
}

#[tokio::test]
async fn what_was_delivered_is_written_down_and_what_was_not_is_told_by_the_next_channel() {
    let app = App::start().await;
    booked_by_sms(&app).await;
    tell(&app, json!({"msg_status": "delivered", "to": "33639980103"})).await;
    assert_eq!(notice(&app, "sms").await["state"], "delivered");
    // Late, and twice.
    tell(&app, json!({"msg_status": "hard_bounce", "to": "33639980103"})).await;
    tell(&app, json!({"msg_status": "delivered", "to": "33639980103"})).await;
    assert_eq!(notice(&app, "sms").await["state"], "delivered");

    let app = App::start().await;
    booked_by_sms(&app).await;
    for _ in 0..2 {
        tell(&app, json!({"msg_status": "hard_bounce", "to": "33639980103"})).await;
    }
    app.settle().await;
    assert_eq!(notice(&app, "sms").await["state"], "failed");
    let mail = notice(&app, "email").await;
    assert_eq!((&mail["state"], &mail["because"]), (&json!("sent"), &json!("sms failed")));
    assert_eq!(subjects(&app.mails(EMAIL)), ["Votre rendez-vous est confirmé"]);
}

#[tokio::test]
async fn a_provider_that_is_away_or_refuses_a_number_loses_nothing() {
    let app = App::start().await;
    let ada = reachable_at(&app, EMAIL, PHONE).await;
    put(&ada, "/v1/me/notice-preferences", &json!({"channels": ["sms", "email"], "night": null})).await.expect(200);
    let slots = app.lyon_slots().await;
    for status in [StatusCode::TOO_MANY_REQUESTS, StatusCode::SERVICE_UNAVAILABLE] {
        app.phones.set_mood(Mood::Answers(status));
        app.settle().await;
        app.later(SignedDuration::from_mins(10));
    }
    let ada = ada.clone().bearing(&app.fresh_token(&ada).await);
    book(&ada, &slots[0]).await.expect(201);
    app.settle().await;
    assert_eq!(notice(&app, "sms").await["state"], "planned");
    app.phones.set_mood(Mood::Well);
    app.later(SignedDuration::from_mins(5));
    app.settle().await;
    assert_eq!(notice(&app, "sms").await["state"], "sent");
    app.phones.set_mood(Mood::Answers(StatusCode::BAD_REQUEST));
    let ada = ada.clone().bearing(&app.fresh_token(&ada).await);
    book(&ada, &slots[9]).await.expect(201);
    app.settle().await;
    app.settle().await;
    assert_eq!(subjects(&app.mails(EMAIL)), ["Votre rendez-vous est confirmé"], "by the next channel");
}

#[tokio::test]
async fn stop_ends_text_messages_and_nothing_else() {
    let app = App::start().await;
    let (ada, appointment) = booked_by_sms(&app).await;
    for _ in 0..2 {
        tell(&app, json!({"msg_status": "replied", "to": "33639980103", "reply": " Stop svp"})).await;
    }
    let preferences = ada.get("/v1/me/notice-preferences").await.expect(200);
    assert_eq!((&preferences["sms_stopped"], &preferences["reachable_by"]), (&json!(true), &json!(["email"])));
    let sent = app.mails(PHONE).len();
    app.at(&(start(&appointment) - SignedDuration::from_hours(24)).to_string());
    app.settle().await;
    assert_eq!(app.mails(PHONE).len(), sent);
    assert_eq!(subjects(&app.mails(EMAIL)), ["Rappel de votre rendez-vous"]);
    let ada = ada.clone().bearing(&app.fresh_token(&ada).await);
    let again = json!({"channels": ["sms", "email"], "night": null, "sms_stopped": false});
    assert_eq!(
        put(&ada, "/v1/me/notice-preferences", &again).await.expect(200)["reachable_by"],
        json!(["sms", "email"])
    );
}

#[tokio::test]
async fn an_answer_confirms_or_calls_off_the_visit_that_the_message_told_of() {
    let app = App::start().await;
    let (ada, appointment) = booked_by_sms(&app).await;
    tell(&app, json!({"msg_status": "replied", "to": "33639980103", "reply": "1"})).await;
    assert_eq!(notice(&app, "sms").await["reply"], "confirm");
    // Somebody else's telephone answers nothing of hers.
    tell(&app, json!({"msg_status": "replied", "to": "33639980199", "reply": "ANNULER"})).await;
    app.settle().await;
    let path = format!("/v1/appointments/{}", appointment["id"].as_str().unwrap());
    assert_eq!(ada.get(&path).await.expect(200)["status"], "booked");
    for _ in 0..2 {
        tell(&app, json!({"msg_status": "replied", "to": "33639980103", "reply": "Annuler"})).await;
        app.settle().await;
    }
    assert_eq!(ada.get(&path).await.expect(200)["status"], "cancelled");
    assert!(app.mails(PHONE).pop().unwrap().text.contains("annulé"));
    assert_eq!(app.count("select count(*) from outbox where kind = 'appointment.cancelled.v1'").await, 1);
}

#[tokio::test]
async fn nobody_else_calls_in_the_providers_place() {
    let app = App::start().await;
    booked_by_sms(&app).await;
    let event = json!({"msg_status": "hard_bounce", "messageId": 1, "to": "33639980103"});
    for path in ["/v1/sms/brevo/x", "/v1/sms/pigeon/x", "/v1/sms/brevo/%00", "/v1/sms/twilio/x"] {
        assert_eq!(app.nobody().post(path, &event).await.problem(404), "not-found", "{path}");
    }
    let at = called_at(&app);
    assert_eq!(app.nobody().post(&at, &json!({"x": 1})).await.problem(422), "call-not-understood");
    assert_eq!(app.nobody().post(&at, &json!({"msg_status": "new to us", "messageId": 1})).await.status, 204);
    assert_eq!(notice(&app, "sms").await["state"], "sent");
}
