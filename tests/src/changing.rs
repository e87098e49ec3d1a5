//! Moving and cancelling.

use domain::SignedDuration;
use serde_json::json;

use crate::support::App;
use crate::support::app::book;

fn path(appointment: &serde_json::Value, what: &str) -> String {
    format!("/v1/appointments/{}/{what}", appointment["id"].as_str().unwrap())
}

#[tokio::test]
async fn a_cancelled_slot_is_free_again_at_once() {
    let app = App::start().await;
    let (ada, ben) = (app.patient().await, app.patient().await);
    let slot = app.lyon_slots().await[0].clone();
    let booked = book(&ada, &slot).await.expect(201);
    let cancel = json!({"reason": "Noé a la varicelle"});
    let cancelled = ada.post(&path(&booked, "cancellation"), &cancel).await.expect(200);
    assert_eq!((&cancelled["status"], &cancelled["late"]), (&json!("cancelled"), &json!(false)));
    assert!(app.lyon_slots().await.iter().any(|free| free["slot"] == slot["slot"]));
    book(&ben, &slot).await.expect(201);
    // Twice is once.
    assert_eq!(ada.post(&path(&booked, "cancellation"), &cancel).await.expect(200), cancelled);
    assert_eq!(app.count("select count(*) from outbox where kind = 'appointment.cancelled.v1'").await, 1);
    assert_eq!(app.count("select count(*) from appointment where cancel_reason like '%varicelle%'").await, 0);
    crate::races::consistent(&app).await;
}

#[tokio::test]
async fn less_notice_than_asked_is_late_and_a_begun_appointment_stays() {
    let app = App::start().await;
    let ada = app.patient().await;
    let slots = app.lyon_slots().await;
    let (early, late, begun) = (
        book(&ada, &slots[0]).await.expect(201),
        book(&ada, &slots[4]).await.expect(201),
        book(&ada, &slots[8]).await.expect(201),
    );
    let start = |appointment: &serde_json::Value| -> domain::Timestamp {
        appointment["starts_at"].as_str().unwrap().parse().unwrap()
    };
    let cancel = async |appointment: &serde_json::Value, ahead: SignedDuration| {
        app.at(&(start(appointment) - ahead).to_string());
        let ada = ada.clone().bearing(&app.fresh_token(&ada).await);
        ada.post(&path(appointment, "cancellation"), &json!({"reason": ""})).await
    };
    let minutes = early["late_notice_minutes"].as_i64().unwrap();
    assert_eq!(cancel(&early, SignedDuration::from_mins(minutes + 1)).await.expect(200)["late"], false);
    assert_eq!(
        cancel(&late, SignedDuration::from_mins(minutes) - SignedDuration::from_secs(1)).await.expect(200)["late"],
        true
    );
    assert_eq!(cancel(&begun, SignedDuration::ZERO).await.problem(409), "appointment-begun");
}

#[tokio::test]
async fn a_move_has_the_new_time_or_keeps_the_old_one() {
    let app = App::start().await;
    let (ada, ben) = (app.patient().await, app.patient().await);
    let slots = app.lyon_slots().await;
    let mine = book(&ada, &slots[0]).await.expect(201);
    book(&ben, &slots[1]).await.expect(201);
    let to = |slot: &serde_json::Value| json!({"slot": slot["slot"]});
    let taken = ada.post(&path(&mine, "move"), &to(&slots[1])).await;
    assert_eq!(taken.problem(409), "slot-taken");
    assert_eq!(ada.get(&format!("/v1/appointments/{}", mine["id"].as_str().unwrap())).await.expect(200), mine);
    let moved = ada.post(&path(&mine, "move"), &to(&slots[2])).await.expect(200);
    assert_eq!((&moved["id"], &moved["starts_at"]), (&mine["id"], &slots[2]["starts_at"]));
    assert!(app.lyon_slots().await.iter().any(|free| free["slot"] == slots[0]["slot"]), "the old time is free");
    // Onto a time that overlaps its own: it does not stand in its own way.
    let same = ada.post(&path(&mine, "move"), &to(&slots[2])).await.expect(200);
    assert_eq!(same, moved);
    assert_eq!(
        app.count("select count(*) from outbox where kind = 'appointment.moved.v1'").await,
        1,
        "once, for one move"
    );
    crate::races::consistent(&app).await;
}

#[tokio::test]
async fn a_cancelled_appointment_is_not_moved_and_a_hold_is_not_cancelled() {
    let app = App::start().await;
    let ada = app.patient().await;
    let slots = app.lyon_slots().await;
    let mine = book(&ada, &slots[0]).await.expect(201);
    ada.post(&path(&mine, "cancellation"), &json!({"reason": "x"})).await.expect(200);
    let refused = ada.post(&path(&mine, "move"), &json!({"slot": slots[1]["slot"]})).await;
    assert_eq!(refused.problem(409), "appointment-not-booked");
    let held = ada.post_with_key("/v1/holds", &json!({"slot": slots[1]["slot"]}), "h").await.expect(201);
    let refused = ada.post(&path(&held, "cancellation"), &json!({"reason": "x"})).await;
    assert_eq!(refused.problem(409), "appointment-not-booked");
}
