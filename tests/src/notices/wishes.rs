//! What becomes of wishes that change, and of those of somebody who leaves.

use domain::SignedDuration;
use serde_json::json;

use super::cancel_path;
use super::choices::{PREFERENCES, now, put};
use super::telephones::{EMAIL, PHONE};
use crate::account_life::PHRASE;
use crate::account_phone::reachable_at;
use crate::support::App;
use crate::support::app::book;

const MONTH: i64 = 30 * 24 * 60;

#[tokio::test]
async fn who_wants_earlier_reminders_is_not_reminded_at_once_of_all_that_is_ahead() {
    let app = App::start().await;
    let ada = app.patient().await;
    let slots = app.lyon_slots().await;
    let in_march = |slot: &&serde_json::Value| slot["starts_at"].as_str().unwrap() < "2026-03-28";
    let mut ahead = slots.iter().filter(in_march).rev().step_by(9);
    book(&ada, ahead.next().unwrap()).await.expect(201);
    app.settle().await;
    app.later(SignedDuration::from_hours(6));
    put(&now(&app, &ada).await, PREFERENCES, &json!({"reminder_steps_minutes": [MONTH], "night": null}))
        .await
        .expect(200);
    app.settle().await;
    app.later(SignedDuration::from_mins(5));
    app.settle().await;
    assert_eq!(app.mails(&ada.email).len(), 1);
    let missed = "select count(*) from notice where kind = 'reminder' and state = 'skipped' and why = 'missed'";
    assert_eq!(app.count(missed).await, 1);
    // Who agrees on a time late gets the last reminder, as ever.
    book(&now(&app, &ada).await, ahead.next().unwrap()).await.expect(201);
    app.settle().await;
    app.later(SignedDuration::from_hours(4));
    app.settle().await;
    assert_eq!(app.mails(&ada.email).len(), 3);
    assert_eq!(app.count(missed).await, 1);
}

#[tokio::test]
async fn a_closed_account_leaves_neither_wishes_nor_the_number_it_was_written_to() {
    let app = App::start().await;
    let ada = reachable_at(&app, EMAIL, PHONE).await;
    put(&ada, PREFERENCES, &json!({"channels": ["sms"], "night": null})).await.expect(200);
    let visit = book(&ada, &app.lyon_slots().await[0]).await.expect(201);
    app.settle().await;
    let left =
        "select (select count(*) from notice_preference) + (select count(*) from notice where to_lookup is not null)";
    assert_eq!(app.count(left).await, 2);
    ada.post(&cancel_path(&visit), &json!({"reason": "x"})).await.expect(200);
    app.settle().await;
    ada.post("/v1/accounts/closure", &json!({"password": PHRASE})).await.expect(204);
    app.settle().await;
    assert_eq!(app.count(left).await, 0);
}

#[tokio::test]
async fn how_much_somebody_was_sent_is_forgotten_after_some_days() {
    let app = App::start().await;
    let ada = app.patient().await;
    book(&ada, app.lyon_slots().await.last().unwrap()).await.expect(201);
    app.settle().await;
    let counted = "select count(*) from notice_allowance where day < '2026-03-04'";
    app.later(SignedDuration::from_hours(48));
    app.settle().await;
    assert_eq!(app.count(counted).await, 2, "to her and to the practitioner");
    app.later(SignedDuration::from_hours(72));
    app.settle().await;
    assert_eq!(app.count(counted).await, 0);
}
