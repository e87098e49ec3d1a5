//! What belongs in one message stays in one, also when several senders lay their hands on it at once.

use axum::body::Body;
use futures_util::future::join_all;
use serde_json::{Value, json};

use super::subjects;
use crate::support::App;
use crate::support::app::book;

/// With somebody who has one visit they are 53 notices: a batch of 48 ends in the middle of a family.
const FAMILIES: usize = 26;

#[tokio::test(flavor = "multi_thread")]
async fn senders_that_work_at_once_take_no_family_apart() {
    let app = App::start().await;
    let slots = app.lyon_slots().await;
    let mut slots = slots.iter();
    let mut clients = Vec::new();
    for family in 0..=FAMILIES {
        let ada = app.patient().await;
        book(&ada, slots.next().unwrap()).await.expect(201);
        if family > 0 {
            let child = json!({"given_name": "Noé", "family_name": "Exemple", "birth_date": "2019-01-01"});
            let child = ada.post("/v1/patients", &child).await.expect(201);
            let wish = json!({"slot": slots.next().unwrap()["slot"], "patient": child["id"]});
            ada.post_with_key("/v1/appointments", &wish, "child").await.expect(201);
        }
        clients.push(ada);
    }
    app.settle().await;
    // As if all visits were on one day, and the reminders due now.
    let due = "insert into notice (appointment_id, kind, because, recipient_kind, recipient_id, channel, version, step_minutes,
                                   starts_at, day, establishment_id, state, planned_at, send_at)
               select appointment_id, 'reminder', 'reminder', recipient_kind, recipient_id, channel, version, 1440, starts_at,
                      '2026-03-20', establishment_id, 'planned', planned_at, planned_at
               from notice where recipient_kind = 'account' and kind = 'confirmation'";
    sqlx::query(due).execute(app.pool()).await.unwrap();
    for _ in 0..3 {
        join_all((0..6).map(|_| app.event("notify", Body::from("{}")))).await;
    }
    for (family, client) in clients.iter().enumerate() {
        let mails = app.mails(&client.email);
        let told: Vec<&str> = subjects(&mails).into_iter().filter(|subject| subject.starts_with("Rappel")).collect();
        let wanted = if family == 0 { "Rappel de votre rendez-vous" } else { "Rappel de vos rendez-vous" };
        assert_eq!(told, [wanted], "family {family}");
    }
    let unsent: Vec<Value> =
        app.sql("select to_jsonb(n) from notice n where kind = 'reminder' and state <> 'sent'").await;
    assert!(unsent.is_empty(), "{unsent:?}");
}
