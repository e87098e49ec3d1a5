//! What a minor keeps from those who act for them is told to them nowhere.

use serde_json::{Value, json};

use crate::guardians::{book_for, child, prove_identity, young};
use crate::support::app::book;
use crate::support::client::Answer;
use crate::support::{App, Client};

const BORN: &str = "2010-05-01";

fn path(visit: &Value) -> String {
    format!("/v1/appointments/{}", visit["id"].as_str().unwrap())
}

async fn send(client: &Client, route: &str, wish: &Value) -> Answer {
    client.post_with_key(route, wish, &uuid::Uuid::now_v7().to_string()).await
}

async fn log(client: &Client, child: &str) -> Vec<Value> {
    let page = client.get(&format!("/v1/me/access-log?patient={child}&limit=200")).await.expect(200);
    page["items"].as_array().unwrap().clone()
}

/// What those who work in an establishment did, by event.
fn professionals(log: &[Value]) -> Vec<&str> {
    let lines = log.iter().filter(|line| line["who"]["establishment"].is_string());
    lines.map(|line| line["event"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_visit_booked_in_secret_is_told_to_the_minor_alone() {
    let app = App::start().await;
    let ada = app.patient().await;
    let child = child(&ada, BORN).await;
    let zoe = young(&app, &ada, &child, BORN).await;
    let slots = app.slots_with("nolwenn-le-bihannic").await;
    let wish = |slot: usize| json!({"slot": slots[slot]["slot"], "patient": child, "secret": true});
    // Not before it is sure who asks, and never those it would be kept from.
    assert_eq!(send(&zoe, "/v1/appointments", &wish(0)).await.problem(404), "not-found");
    prove_identity(&app, &zoe, &child).await;
    assert_eq!(send(&ada, "/v1/appointments", &wish(0)).await.problem(404), "not-found");
    let own = json!({"slot": slots[0]["slot"], "secret": true});
    let refused = send(&ada, "/v1/appointments", &own).await;
    assert_eq!((refused.problem(409), &refused.body["field"]), ("patient-of-age", &json!("secret")));

    let visit = send(&zoe, "/v1/appointments", &wish(0)).await.expect(201);
    assert_eq!(visit["secret"], true);
    app.settle().await;
    assert_eq!((app.mails(&ada.email).len(), app.mails(&zoe.email).len()), (0, 1));
    ada.get(&path(&visit)).await.problem(404);
    // A hold is as secret as it was asked to be, and makes a secret visit.
    send(&zoe, "/v1/holds", &wish(4)).await.expect(201);
    let carried = send(&zoe, "/v1/appointments", &json!({"slot": slots[4]["slot"]})).await.expect(201);
    assert_eq!(carried["secret"], true);
    // What was held in the open is closed with the visit that is made of it.
    let held = send(&zoe, "/v1/holds", &json!({"slot": slots[8]["slot"]})).await.expect(201);
    ada.get(&path(&held)).await.expect(200);
    send(&zoe, "/v1/appointments", &wish(8)).await.expect(201);
    ada.get(&path(&held)).await.problem(404);
    send(&zoe, "/v1/holds", &json!({"slot": slots[12]["slot"]})).await.expect(201);
    let marked = book(&zoe, &slots[12]).await.expect(201);
    app.settle().await;
    assert_eq!(app.mails(&ada.email).len(), 1, "of the one that is not secret yet");
    zoe.post(&format!("{}/secrecy", path(&marked)), &json!({"secret": true})).await.expect(200);
    // By those who work for the practitioner, when the minor asks.
    send(&app.staff("secretary-pentes").await, "/v1/appointments", &wish(16)).await.expect(201);
    assert_eq!(ada.get(&format!("/v1/appointments?patient={child}")).await.expect(200)["items"], json!([]));
    app.settle().await;
    assert_eq!((app.mails(&ada.email).len(), app.mails(&zoe.email).len()), (1, 5));
}

#[tokio::test]
async fn who_passes_for_the_child_sees_no_secret() {
    let app = App::start().await;
    let ada = app.patient().await;
    let child = child(&ada, BORN).await;
    let secretary = app.staff("secretary-pentes").await;
    let slots = app.slots_with("nolwenn-le-bihannic").await;
    let wish = json!({"slot": slots[0]["slot"], "patient": child, "secret": true});
    let visit = send(&secretary, "/v1/appointments", &wish).await.expect(201);
    // The account that the parent opened in the child's name.
    let passing = young(&app, &ada, &child, BORN).await;
    passing.get(&path(&visit)).await.problem(404);
    assert_eq!(passing.get("/v1/appointments").await.expect(200)["items"], json!([]));
    assert_eq!(professionals(&log(&passing, &child).await), Vec::<&str>::new());
    app.settle().await;
    assert_eq!(app.mails(&passing.email).len(), 0);
    book_for(&passing, &child, &slots[4]).await.expect(201);
    app.settle().await;
    assert_eq!(app.mails(&passing.email).len(), 1, "the rest of the link counts");
    prove_identity(&app, &passing, &child).await;
    passing.get(&path(&visit)).await.expect(200);
}

#[tokio::test]
async fn the_access_log_of_those_who_act_for_a_minor_tells_no_secret() {
    let app = App::start().await;
    let ada = app.patient().await;
    let child = child(&ada, BORN).await;
    let zoe = young(&app, &ada, &child, BORN).await;
    prove_identity(&app, &zoe, &child).await;
    let slots = app.slots_with("nolwenn-le-bihannic").await;
    let wish = json!({"slot": slots[0]["slot"], "patient": child, "secret": true});
    let visit = send(&zoe, "/v1/appointments", &wish).await.expect(201);
    let look = async || {
        for staff in ["practitioner-pentes", "secretary-pentes"] {
            let staff = app.staff(staff).await;
            staff.get(&format!("/v1/patients/{child}")).await.expect(200);
            staff.get(&path(&visit)).await.expect(200);
            staff.get("/v1/appointments").await.expect(200);
        }
    };
    look().await;
    let hers = log(&zoe, &child).await;
    assert_eq!(professionals(&hers).len(), 6, "{hers:?}");
    assert!(hers.iter().any(|line| line["event"] == "appointment.book"));
    let seen = log(&ada, &child).await;
    assert_eq!(professionals(&seen), Vec::<&str>::new());
    assert!(!seen.iter().any(|line| line["event"] == "appointment.book"), "{seen:?}");
    // What another visit explains is told, but for what names the secret one.
    book_for(&ada, &child, &slots[4]).await.expect(201);
    look().await;
    let seen = log(&ada, &child).await;
    let mut told = professionals(&seen);
    told.sort_unstable();
    assert_eq!(told, ["appointment.list", "appointment.list", "patient.read", "patient.read"]);
}

#[tokio::test]
async fn what_would_be_in_the_way_of_a_block_or_of_leaving_tells_no_secret() {
    let app = App::start().await;
    let ada = app.patient().await;
    let child = child(&ada, BORN).await;
    let slots = app.slots_with("nolwenn-le-bihannic").await;
    let secretary = app.staff("secretary-pentes").await;
    let seen = book_for(&ada, &child, &slots[4]).await.expect(201);
    let wish = json!({"slot": slots[0]["slot"], "patient": child, "secret": true});
    let visit = send(&secretary, "/v1/appointments", &wish).await.expect(201);
    let blocks = format!("/v1/patients/{child}/blocks");
    let whom = json!({"practitioner": App::practitioner("nolwenn-le-bihannic")});
    assert_eq!(ada.post(&blocks, &whom).await.problem(409), "visit-ahead", "the one she sees");
    ada.post(&format!("{}/cancellation", path(&seen)), &json!({"reason": "x"})).await.expect(200);
    let block = ada.post(&blocks, &whom).await.expect(201);
    assert_eq!(block["since"].as_str().unwrap()[..16], app.now().to_string()[..16], "as any other");
    assert_eq!(ada.get(&blocks).await.expect(200)["items"][0], block);
    // The visit takes place, and no other is made.
    let doctor = app.staff("practitioner-pentes").await;
    doctor.get(&path(&visit)).await.expect(200);
    assert_eq!(book_for(&ada, &child, &slots[8]).await.problem(409), "practitioner-shut-out");
    // What the professional does until then is not told either, though a visit that she knew would explain it.
    doctor.get(&format!("/v1/patients/{child}")).await.expect(200);
    let told = log(&ada, &child).await;
    assert!(!professionals(&told).contains(&"patient.read"), "{told:?}");
    ada.post("/v1/accounts/closure", &json!({"password": "une phrase assez longue"})).await.expect(204);
    app.at("2026-03-31T08:00:00Z");
    let doctor = app.staff("practitioner-pentes").await;
    doctor.get(&path(&visit)).await.problem(404);
}

#[tokio::test]
async fn a_block_that_waits_for_a_secret_visit_stops_emergencies_at_once() {
    let app = App::start().await;
    let ada = app.patient().await;
    let child = child(&ada, BORN).await;
    let zoe = young(&app, &ada, &child, BORN).await;
    // What she was refused before anybody was sure of her is hers to know.
    let slots = app.slots_with("nolwenn-le-bihannic").await;
    let wish = json!({"slot": slots[0]["slot"], "patient": child, "secret": true});
    send(&zoe, "/v1/appointments", &wish).await.problem(404);
    let open = send(&zoe, "/v1/appointments", &json!({"slot": slots[4]["slot"]})).await.expect(201);
    zoe.post(&format!("{}/secrecy", path(&open)), &json!({"secret": true})).await.problem(404);
    let refused = |log: Vec<Value>| log.iter().filter(|line| line["outcome"] == "refused").count();
    assert_eq!(refused(log(&ada, &child).await), 0);
    assert_eq!(refused(log(&zoe, &child).await), 2);

    prove_identity(&app, &zoe, &child).await;
    zoe.post(&format!("{}/cancellation", path(&open)), &json!({"reason": "x"})).await.expect(200);
    send(&zoe, "/v1/appointments", &wish).await.expect(201);
    let whom = json!({"practitioner": App::practitioner("nolwenn-le-bihannic")});
    ada.post(&format!("/v1/patients/{child}/blocks"), &whom).await.expect(201);
    let doctor = app.staff("practitioner-pentes").await;
    let why = json!({"reason": "Enfant inconscient, parents injoignables."});
    assert_eq!(doctor.post(&format!("/v1/patients/{child}/emergency-access"), &why).await.problem(404), "not-found");
}
