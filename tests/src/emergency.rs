//! A look in an emergency, and the patient's block that goes before everything.

use domain::SignedDuration;
use serde_json::{Value, json};

use crate::support::app::book;
use crate::support::{App, Client};

const WHY: &str = "Enfant inconscient, parents injoignables.";

async fn open(client: &Client, patient: &str) -> crate::support::client::Answer {
    client.post(&format!("/v1/patients/{patient}/emergency-access"), &json!({"reason": WHY})).await
}

fn whom(key: &str) -> Value {
    json!({"practitioner": App::practitioner(key)})
}

#[tokio::test]
async fn an_emergency_opens_a_record_for_four_hours_on_the_record() {
    let app = App::start().await;
    let ada = app.patient().await;
    let doctor = app.staff("practitioner-pentes").await;
    let path = format!("/v1/patients/{}", ada.patient);
    doctor.get(&path).await.problem(404);
    let short = doctor.post(&format!("{path}/emergency-access"), &json!({"reason": "urgence           "})).await;
    assert_eq!((short.problem(422), &short.body["field"]), ("field-invalid", &json!("reason")));
    let long = doctor.post(&format!("{path}/emergency-access"), &json!({"reason": WHY, "hours": 5})).await;
    assert_eq!((long.problem(422), &long.body["max_hours"]), ("field-invalid", &json!(4)));
    let one = app.staff_at_level("practitioner-pentes", 1).await;
    assert_eq!(open(&one, &ada.patient).await.problem(403), "second-factor-needed");
    for other in ["nurse-pentes", "secretary-pentes", "administrator-pentes", "operator"] {
        assert_eq!(open(&app.staff(other).await, &ada.patient).await.problem(403), "forbidden", "{other}");
    }
    open(&doctor, "00000000-0000-7000-8000-000000000000").await.problem(404);
    let opened = open(&doctor, &ada.patient).await.expect(201);
    assert!(opened["until"].as_str().unwrap().starts_with("2026-03-02T12:00:"), "{opened}");
    doctor.get(&path).await.expect(200);
    // The reason is sealed, and nothing of it is anywhere else.
    assert_eq!(app.count("select count(*) from emergency_access where reason like '%inconscient%'").await, 0);
    let event = app.sql("select jsonb_build_object('kind', kind, 'data', data) from outbox").await;
    assert_eq!(event[0]["kind"], "emergency-access.opened.v1");
    assert_eq!(event[0]["data"], json!({"emergency_access": opened["id"], "patient": ada.patient}));
    let purposes = "select count(*) from audit where purpose = 'ETREAT' and outcome = 'success'
                    and event in ('emergency-access.open', 'patient.read')";
    assert_eq!(app.count(purposes).await, 2);
    app.later(SignedDuration::from_hours(4));
    let doctor = app.staff("practitioner-pentes").await;
    doctor.get(&path).await.problem(404);
    // Who cares for the patient looks for that and not for an emergency.
    let ada = ada.clone().bearing(&app.fresh_token(&ada).await);
    book(&ada, &app.slots_with("nolwenn-le-bihannic").await[0]).await.expect(201);
    open(&doctor, &ada.patient).await.expect(201);
    doctor.get(&path).await.expect(200);
    let treat = "select count(*) from audit where purpose = 'TREAT' and event = 'patient.read' and outcome = 'success'";
    assert_eq!(app.count(treat).await, 1);
}

#[tokio::test]
async fn a_block_shuts_out_whatever_would_allow_it_and_says_nothing_of_itself() {
    let app = App::start().await;
    let ada = app.patient().await;
    let slots = app.slots_with("nolwenn-le-bihannic").await;
    let visit = book(&ada, &slots[0]).await.expect(201);
    let blocks = format!("/v1/patients/{}/blocks", ada.patient);
    let ahead = ada.post(&blocks, &whom("nolwenn-le-bihannic")).await;
    assert_eq!((ahead.problem(409), &ahead.body["field"]), ("visit-ahead", &json!("practitioner")));
    let path = format!("/v1/appointments/{}", visit["id"].as_str().unwrap());
    ada.post(&format!("{path}/cancellation"), &json!({"reason": "x"})).await.expect(200);
    let doctor = app.staff("practitioner-pentes").await;
    doctor.get(&path).await.expect(200);
    open(&doctor, &ada.patient).await.expect(201);
    let block = ada.post(&blocks, &whom("nolwenn-le-bihannic")).await.expect(201);
    assert_eq!(block["name"], "Dr Nolwenn Le Bihannic");
    ada.post(&blocks, &whom("nolwenn-le-bihannic")).await.expect(201);
    assert_eq!(ada.get(&blocks).await.expect(200)["items"].as_array().unwrap().len(), 1);
    // At once, for the professional, for who works for them, and in the emergency that was open.
    let record = format!("/v1/patients/{}", ada.patient);
    for client in [&doctor, &app.staff("secretary-pentes").await, &app.staff("nurse-pentes").await] {
        client.get(&path).await.problem(404);
        client.get(&record).await.problem(404);
    }
    // The same as for a patient who is not there.
    let blocked = open(&doctor, &ada.patient).await;
    let nobody = open(&doctor, "00000000-0000-7000-8000-000000000000").await;
    assert_eq!((blocked.problem(404), &blocked.body), (nobody.problem(404), &nobody.body));
    // Whom one has shut out one does not visit.
    let refused = book(&ada, &slots[1]).await;
    assert_eq!(refused.problem(409), "practitioner-shut-out");
    let lift = format!("{blocks}/lift");
    ada.post(&lift, &whom("nolwenn-le-bihannic")).await.expect(200);
    ada.post(&lift, &whom("nolwenn-le-bihannic")).await.problem(404);
    doctor.get(&record).await.expect(200);
    book(&ada, &slots[1]).await.expect(201);
    ada.post(&blocks, &whom("personne")).await.problem(404);
}

#[tokio::test]
async fn of_a_booking_and_a_block_at_once_one_is_refused() {
    let app = App::start().await;
    let slots = app.slots_with("nolwenn-le-bihannic").await;
    for slot in slots.iter().step_by(4).take(8) {
        let ada = app.patient().await;
        let blocks = format!("/v1/patients/{}/blocks", ada.patient);
        let wanted = whom("nolwenn-le-bihannic");
        let (booked, shut_out) = tokio::join!(book(&ada, slot), ada.post(&blocks, &wanted));
        let both = (booked.status.as_u16(), shut_out.status.as_u16());
        assert!([(201, 409), (409, 201)].contains(&both), "{both:?}");
    }
}

/// Calls every statement of these functions.
pub async fn walk(app: &App) {
    let ada = app.patient().await;
    open(&app.staff("practitioner-pentes").await, &ada.patient).await.expect(201);
    let blocks = format!("/v1/patients/{}/blocks", ada.patient);
    ada.post(&blocks, &whom("nolwenn-le-bihannic")).await.expect(201);
    ada.get(&blocks).await.expect(200);
    ada.post(&format!("{blocks}/lift"), &whom("nolwenn-le-bihannic")).await.expect(200);
}

#[tokio::test]
async fn staff_open_no_record_by_booking_its_patient() {
    let app = App::start().await;
    let (ada, ben) = (app.patient().await, app.patient().await);
    let doctor = app.staff("practitioner-pentes").await;
    let secretary = app.staff("secretary-pentes").await;
    let slots = app.slots_with("nolwenn-le-bihannic").await;
    let book_for = async |who: &Client, patient: &str, slot: &Value| {
        let key = uuid::Uuid::now_v7().to_string();
        let wish = json!({"slot": slot["slot"], "patient": patient});
        who.post_with_key("/v1/appointments", &wish, &key).await.expect(201)
    };
    let record = format!("/v1/patients/{}", ada.patient);
    for (client, slot) in [(&doctor, &slots[0]), (&secretary, &slots[4])] {
        let visit = book_for(client, &ada.patient, slot).await;
        doctor.get(&format!("/v1/appointments/{}", visit["id"].as_str().unwrap())).await.expect(200);
        for staff in [&doctor, &secretary] {
            staff.get(&record).await.problem(404);
        }
    }
    // Whom the patient comes to cares for them, and what staff book then follows from that.
    let visit = book(&ada, &slots[8]).await.expect(201);
    doctor.get(&record).await.expect(200);
    book_for(&secretary, &ada.patient, &slots[12]).await;
    let path = format!("/v1/appointments/{}/cancellation", visit["id"].as_str().unwrap());
    ada.post(&path, &json!({"reason": "x"})).await.expect(200);
    for staff in [&doctor, &secretary] {
        staff.get(&record).await.expect(200);
    }
    // Whoever moves a visit agrees to it.
    let visit = book_for(&secretary, &ben.patient, &slots[16]).await;
    let record = format!("/v1/patients/{}", ben.patient);
    doctor.get(&record).await.problem(404);
    let path = format!("/v1/appointments/{}/move", visit["id"].as_str().unwrap());
    ben.post(&path, &json!({"slot": slots[20]["slot"]})).await.expect(200);
    doctor.get(&record).await.expect(200);
}

#[tokio::test]
async fn of_many_emergencies_at_once_one_is_opened_and_told() {
    let app = App::start().await;
    let ada = app.patient().await;
    let doctor = app.staff("practitioner-pentes").await;
    let unseen = json!({"reason": "\u{200b}".repeat(25)});
    let unseen = doctor.post(&format!("/v1/patients/{}/emergency-access", ada.patient), &unseen).await;
    assert_eq!((unseen.problem(422), &unseen.body["field"]), ("field-invalid", &json!("reason")));
    let many = futures_util::future::join_all((0..12).map(|_| open(&doctor, &ada.patient))).await;
    assert_eq!(many.iter().filter(|answer| answer.status == 201).count(), 1);
    assert!(many.iter().all(|answer| [200, 201].contains(&answer.status.as_u16())));
    assert!(many.iter().all(|answer| answer.body["id"] == many[0].body["id"]));
    app.settle().await;
    assert_eq!(app.mails(&ada.email).iter().filter(|mail| mail.subject.contains("urgence")).count(), 1);
}
