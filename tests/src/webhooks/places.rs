//! Whom an event belongs to: each establishment is told what happened to a visit in it, that it came and that it left, and nothing
//! of what happened elsewhere.

use axum::body::Body;
use domain::SignedDuration;
use serde_json::{Value, json};

use super::receiver::{Received, Receiver};
use super::{administrator, administrator_of, app, deliveries, open, path, send, tell};
use crate::documents::{deposit, family, report, uploaded, with};
use crate::support::app::book;
use crate::support::{App, Client};

/// At the place of the slopes, whose demo administrator registers `/here`, and at another establishment, of `/there`.
const HERE: &str = "sandrine-ferlatte";
const THERE: &str = "mathilde-reynardiere";

fn establishment(key: &str) -> Value {
    json!(gateway::fixtures::id("establishment", key))
}

/// Free times of a practitioner so many days from now.
async fn slots(app: &App, practitioner: &str, days: i64) -> Vec<Value> {
    let id = App::practitioner(practitioner);
    let page = app.nobody().get(&format!("/v1/practitioners/{id}")).await.expect(200);
    let first = |list: &str| page[list][0]["id"].as_str().unwrap().to_owned();
    let day = |days: i64| (app.now() + SignedDuration::from_hours(24 * days)).to_string()[..10].to_owned();
    let query = format!("practitioner={id}&reason={}&site={}", first("reasons"), first("sites"));
    app.slots(&format!("{query}&from={}&to={}&limit=100", day(days), day(days + 14))).await
}

async fn moved(client: &Client, visit: &Value, slot: &Value) {
    let path = format!("/v1/appointments/{}/move", visit["id"].as_str().unwrap());
    client.post(&path, &json!({"slot": slot["slot"]})).await.expect(200);
}

async fn cancelled(client: &Client, visit: &Value) {
    let path = format!("/v1/appointments/{}/cancellation", visit["id"].as_str().unwrap());
    client.post(&path, &json!({"reason": "x"})).await.expect(200);
}

/// What was said at a path: kind, version, whether it left.
fn said(received: &[Received]) -> Vec<(String, i64, bool)> {
    let said = |it: &Received| {
        (it.kind().to_owned(), it.body["data"]["version"].as_i64().unwrap(), it.body["data"]["left"] == true)
    };
    received.iter().map(said).collect()
}

fn is(kind: &str, version: i64, left: bool) -> (String, i64, bool) {
    (format!("appointment.{kind}.v1"), version, left)
}

#[tokio::test]
async fn a_visit_that_moves_is_told_to_each_establishment_for_its_own_part() {
    // Told at once, and all at the end: from the history of the outbox.
    for at_once in [true, false] {
        let (app, receiver) = (app().await, Receiver::start().await);
        open(&administrator(&app).await, &receiver, "/here").await;
        open(&administrator_of(&app, "confluent").await, &receiver, "/there").await;
        let ada = app.patient().await;
        let (here, there) = (slots(&app, HERE, 7).await, slots(&app, THERE, 7).await);
        let told = async || {
            if at_once {
                tell(&app).await;
            }
        };
        let visit = book(&ada, &there[0]).await.expect(201);
        told().await;
        moved(&ada, &visit, &there[9]).await;
        told().await;
        moved(&ada, &visit, &here[0]).await;
        told().await;
        moved(&ada, &visit, &here[9]).await;
        told().await;
        cancelled(&ada, &visit).await;
        tell(&app).await;
        tell(&app).await;
        let (of_here, of_there) = (receiver.received("/here"), receiver.received("/there"));
        assert_eq!(said(&of_there), [is("booked", 1, false), is("moved", 2, false), is("moved", 3, true)]);
        assert_eq!(said(&of_here), [is("moved", 3, false), is("moved", 4, false), is("cancelled", 5, false)]);
        for (received, whose) in [(&of_here, "pentes-plateau"), (&of_there, "confluent")] {
            let whose = establishment(whose);
            assert!(received.iter().all(|it| it.body["data"]["establishment"] == whose), "{received:#?}");
        }
        // That it left, and nothing of where it went.
        let left = json!({"appointment": visit["id"], "version": 3, "establishment": establishment("confluent"), "left": true});
        assert_eq!(of_there[2].body["data"], left);
    }
}

#[tokio::test]
async fn that_a_visit_left_is_told_to_a_webhook_that_never_heard_of_it_or_whose_log_is_gone() {
    let (app, receiver) = (app().await, Receiver::start().await);
    let ada = app.patient().await;
    let there = slots(&app, THERE, 40).await;
    let before = book(&ada, &there[0]).await.expect(201);
    app.later(SignedDuration::from_secs(60));
    open(&administrator_of(&app, "confluent").await, &receiver, "/there").await;
    let after = book(&ada, &there[9]).await.expect(201);
    tell(&app).await;
    assert_eq!(said(&receiver.received("/there")), [is("booked", 1, false)]);
    // A month later nothing is known of what was sent.
    app.later(SignedDuration::from_hours(24 * 32));
    app.settle().await;
    assert_eq!(app.count("select count(*) from webhook_delivery").await, 0);
    let ada = ada.clone().bearing(&app.fresh_token(&ada).await);
    let here = slots(&app, HERE, 7).await;
    for (n, visit) in [&before, &after].into_iter().enumerate() {
        moved(&ada, visit, &here[n * 9]).await;
        tell(&app).await;
        let last = receiver.received("/there").pop().unwrap();
        assert_eq!(last.body["data"]["appointment"], visit["id"]);
        assert_eq!(said(&[last]), [is("moved", 2, true)]);
    }
    // What happens to it from then on is not theirs, and a visit that comes is no visit that left.
    cancelled(&ada, &before).await;
    moved(&ada, &after, &slots(&app, THERE, 7).await[0]).await;
    tell(&app).await;
    let received = receiver.received("/there");
    assert_eq!(said(&received[3..]), [is("moved", 3, false)]);
}

#[tokio::test]
async fn an_event_of_an_earlier_release_is_told_where_the_visit_is() {
    let (app, receiver) = (app().await, Receiver::start().await);
    open(&administrator(&app).await, &receiver, "/here").await;
    open(&administrator_of(&app, "confluent").await, &receiver, "/there").await;
    book(&app.patient().await, &slots(&app, HERE, 7).await[0]).await.expect(201);
    let earlier = "update outbox set data = data - 'establishment' where kind = 'appointment.booked.v1'";
    sqlx::query(earlier).execute(app.pool()).await.unwrap();
    tell(&app).await;
    assert_eq!((receiver.received("/here").len(), receiver.received("/there").len()), (1, 0));
    // A place of no establishment is no earlier release: nobody is told, wherever the visit goes then.
    let ada = app.patient().await;
    let there = slots(&app, THERE, 7).await;
    let nobodys = "update site set establishment_id = null where id = $1::uuid returning id";
    sqlx::query(nobodys).bind(there[0]["site"].as_str().unwrap()).execute(app.pool()).await.unwrap();
    let visit = book(&ada, &there[0]).await.expect(201);
    moved(&ada, &visit, &slots(&app, HERE, 7).await[20]).await;
    tell(&app).await;
    assert_eq!(said(&receiver.received("/here")[1..]), [is("moved", 2, false)]);
    assert_eq!(receiver.received("/there").len(), 0);
}

/// Carries events, so that what is told is planned, and sends none of it.
async fn plan(app: &App) {
    for _ in 0..20 {
        app.event("deliver-outbox", Body::empty()).await;
    }
}

#[tokio::test]
async fn a_version_of_a_document_is_one_message_however_often_it_is_shown() {
    let (app, receiver) = (app().await, Receiver::start().await);
    let (mother, child, practitioner) = family(&app, "2019-09-01").await;
    open(&administrator(&app).await, &receiver, "/here").await;
    let wish = with(report(&child, "text/plain", b"m"), json!({"hidden_from_patient": true}));
    let id = deposit(&app, &practitioner, &wish, b"m").await;
    let visibility = format!("/v1/documents/{id}/visibility");
    tell(&app).await;
    // Announced, masked and unmasked: each of it is told to people.
    practitioner.post(&visibility, &json!({"hidden_from_patient": false})).await.expect(200);
    tell(&app).await;
    for masked in [true, false] {
        mother.post(&visibility, &json!({"hidden_from_professionals": masked})).await.expect(200);
        tell(&app).await;
    }
    assert!(app.count("select count(*) from outbox where kind = 'document.available.v1'").await >= 3);
    let documents: Vec<_> = receiver.taken("/here");
    assert_eq!(documents, [("document.available.v1".to_owned(), id)]);
}

#[tokio::test]
async fn a_document_that_was_masked_before_it_was_told_of_is_told_of_once_it_is_shown_again() {
    let (app, receiver) = (app().await, Receiver::start().await);
    let (mother, child, practitioner) = family(&app, "2019-09-01").await;
    let administrator = administrator(&app).await;
    let webhook = open(&administrator, &receiver, "/here").await;
    let id = uploaded(&practitioner, &report(&child, "text/plain", b"m"), b"m").await;
    let visibility = format!("/v1/documents/{id}/visibility");
    plan(&app).await;
    assert_eq!(deliveries(&administrator, &webhook).await[0]["state"], "waiting");
    mother.post(&visibility, &json!({"hidden_from_professionals": true})).await.expect(200);
    send(&app).await;
    let known = deliveries(&administrator, &webhook).await;
    assert_eq!((&known[0]["state"], &known[0]["tries"]), (&json!("expired"), &json!([])));
    let replay = json!({"delivery": known[0]["id"]});
    let replayed = administrator.post(&format!("{}/replay", path(&webhook)), &replay).await.expect(202);
    assert_eq!(replayed["replayed"], 0);
    send(&app).await;
    assert_eq!(receiver.received("/here").len(), 0);
    mother.post(&visibility, &json!({"hidden_from_professionals": false})).await.expect(200);
    for _ in 0..2 {
        tell(&app).await;
    }
    let received = receiver.received("/here");
    assert_eq!((received.len(), received[0].subject()), (1, id));
    assert_eq!(json!(received[0].id), known[0]["id"]);
}
