//! What is printed is as true as what is sent; what a minor keeps secret is not sent home on paper.

use domain::SignedDuration;
use gateway::dev::mailbox::Mood;
use serde_json::{Value, json};

use super::cancel_path;
use super::choices::{PREFERENCES, now, put};
use crate::guardians::{child, prove_identity, young};
use crate::support::app::book;
use crate::support::{App, Client};

const BORN: &str = "2010-05-01";

async fn waiting(secretary: &Client) -> Vec<Value> {
    secretary.get("/v1/letters").await.expect(200)["items"].as_array().unwrap().clone()
}

/// Why letters will not be printed.
async fn unprinted(app: &App) -> Vec<Value> {
    app.sql("select to_jsonb(why) from notice where channel = 'letter' and state = 'skipped' order by why").await
}

/// A minor whose account no mail reaches, a parent, and free times.
async fn minor(app: &App) -> (Client, String, Vec<Value>) {
    let ada = app.patient().await;
    let child = child(&ada, BORN).await;
    let zoe = young(app, &ada, &child, BORN).await;
    prove_identity(app, &zoe, &child).await;
    let slots = app.slots_with("nolwenn-le-bihannic").await;
    app.settle().await;
    (zoe, child, slots)
}

async fn book_in_secret(zoe: &Client, child: &str, slot: &Value) -> Value {
    let wish = json!({"slot": slot["slot"], "patient": child, "secret": true});
    zoe.post_with_key("/v1/appointments", &wish, &uuid::Uuid::now_v7().to_string()).await.expect(201)
}

#[tokio::test]
async fn a_letter_about_a_visit_that_was_called_off_or_moved_is_not_printed() {
    let app = App::start().await;
    let ada = app.patient().await;
    app.mailbox.set_mood(Mood::Refuses(550));
    let slots = app.slots_with("nolwenn-le-bihannic").await;
    let called_off = book(&ada, slots.last().unwrap()).await.expect(201);
    let moved = book(&ada, &slots[slots.len() - 9]).await.expect(201);
    app.settle().await;
    let secretary = app.staff("secretary-pentes").await;
    let before = waiting(&secretary).await;
    assert_eq!(before.len(), 2);
    ada.post(&cancel_path(&called_off), &json!({"reason": "x"})).await.expect(200);
    let path = format!("/v1/appointments/{}/move", moved["id"].as_str().unwrap());
    let elsewhere = &slots[slots.len() - 17];
    ada.post(&path, &json!({"slot": elsewhere["slot"]})).await.expect(200);
    // At once, whatever runs.
    assert_eq!(waiting(&secretary).await, Vec::<Value>::new());
    for letter in &before {
        let printed = format!("/v1/letters/{}/printed", letter["id"].as_str().unwrap());
        assert_eq!(secretary.post(&printed, &json!({})).await.problem(404), "not-found");
    }
    app.settle().await;
    app.settle().await;
    assert_eq!(unprinted(&app).await, ["moved", "not booked"]);
    let after = waiting(&secretary).await;
    let kinds: Vec<&str> = after.iter().map(|letter| letter["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["change", "cancellation"]);
    assert_eq!(after[0]["starts_at"], elsewhere["starts_at"]);
}

#[tokio::test]
async fn a_secret_visit_is_told_by_no_letter() {
    let app = App::start().await;
    let (zoe, child, slots) = minor(&app).await;
    let secretary = app.staff("secretary-pentes").await;
    app.mailbox.set_mood(Mood::Refuses(550));
    // Planned for a letter when the mail is refused.
    book_in_secret(&zoe, &child, slots.last().unwrap()).await;
    app.settle().await;
    assert_eq!(unprinted(&app).await, ["kept secret"]);
    // One that waits to be printed when the visit becomes secret.
    let open = book(&zoe, &slots[slots.len() - 9]).await.expect(201);
    app.settle().await;
    let letters = waiting(&secretary).await;
    assert_eq!(letters.len(), 2, "hers, and the one to who acts for her");
    let path = format!("/v1/appointments/{}/secrecy", open["id"].as_str().unwrap());
    zoe.post(&path, &json!({"secret": true})).await.expect(200);
    assert_eq!(waiting(&secretary).await, Vec::<Value>::new());
    for letter in &letters {
        let printed = format!("/v1/letters/{}/printed", letter["id"].as_str().unwrap());
        assert_eq!(secretary.post(&printed, &json!({})).await.problem(404), "not-found");
    }
    app.settle().await;
    assert_eq!(unprinted(&app).await, ["kept secret", "kept secret", "kept secret"]);
}

#[tokio::test]
async fn nor_is_it_reminded_of_by_a_letter_nor_where_no_channel_was_there_from_the_beginning() {
    let app = App::start().await;
    let (zoe, child, slots) = minor(&app).await;
    put(&zoe, PREFERENCES, &json!({"channels": ["push"], "reminder_steps_minutes": [5040]})).await.expect(200);
    let visit = book_in_secret(&zoe, &child, slots.last().unwrap()).await;
    let away = "update account set contact = null where email_lookup = $1";
    sqlx::query(away).bind(app.email_lookup(&zoe.email)).execute(app.pool()).await.unwrap();
    app.settle().await;
    let starts_at: domain::Timestamp = visit["starts_at"].as_str().unwrap().parse().unwrap();
    app.at(&(starts_at - SignedDuration::from_mins(5040)).to_string());
    app.settle().await;
    assert_eq!(unprinted(&app).await, ["kept secret", "kept secret"]);
    assert_eq!(app.count("select count(*) from notice where channel = 'letter' and state = 'planned'").await, 0);
    let own = now(&app, &zoe).await.get("/v1/me/notices").await.expect(200);
    assert_eq!(own["items"].as_array().unwrap().len(), 2, "she sees why she was told nothing");
}
