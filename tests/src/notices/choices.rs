//! How people want to be told, what they see of it, and what staff see.

use axum::body::Body;
use axum::http::Method;
use domain::{SignedDuration, Timestamp};
use gateway::dev::mailbox::Mood;
use serde_json::{Value, json};

use super::{booked, start, subjects};
use crate::support::app::book;
use crate::support::client::Answer;
use crate::support::{App, Client};

pub const PREFERENCES: &str = "/v1/me/notice-preferences";

pub async fn put(client: &Client, path: &str, body: &Value) -> Answer {
    let request = client.request(Method::PUT, path).header("content-type", "application/json");
    client.send(request.body(Body::from(body.to_string())).unwrap()).await
}

/// The caller at the present time: a token lives ten minutes.
pub async fn now(app: &App, client: &Client) -> Client {
    client.clone().bearing(&app.fresh_token(client).await)
}

pub async fn remind_at(app: &App, at: Timestamp) {
    app.at(&at.to_string());
    app.settle().await;
}

/// Every statement of `notices` and of `notify` that the rest does not call.
pub async fn walk(app: &App) {
    let ada = app.patient().await;
    put(&ada, PREFERENCES, &json!({"reminder_steps_minutes": [30 * 24 * 60]})).await.expect(200);
    let slots = app.lyon_slots().await;
    book(&ada, &slots[slots.len() / 2]).await.expect(201);
    app.settle().await;
    ada.get(PREFERENCES).await.expect(200);
    ada.get("/v1/me/notices").await.expect(200);
    let nothing = "/v1/notices/00000000-0000-7000-8000-000000000000/read";
    assert_eq!(ada.post(nothing, &json!({})).await.problem(404), "not-found");
    let nothing = "/v1/appointments/00000000-0000-7000-8000-000000000000/notices";
    assert_eq!(ada.get(nothing).await.problem(404), "not-found");
    let secretary = app.staff("secretary-pentes").await;
    secretary.get("/v1/letters").await.expect(200);
    let nothing = "/v1/letters/00000000-0000-7000-8000-000000000000/printed";
    assert_eq!(secretary.post(nothing, &json!({})).await.problem(404), "not-found");
    secretary.get("/v1/notice-statistics").await.expect(200);
    let events = Client::new(app.gateway.app.events.clone());
    events.get("/_events/notify/failed").await.expect(200);
    let nothing = "/_events/notify/failed/00000000-0000-7000-8000-000000000000/retry";
    assert_eq!(events.post(nothing, &json!({})).await.problem(404), "not-found");
}

/// `INSTA_UPDATE=always` writes the table anew.
#[test]
fn the_documents_show_the_states_as_they_are() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/notices.md");
    let text = std::fs::read_to_string(path).unwrap();
    let (before, rest) = text.split_once("<!-- states -->\n").unwrap();
    let (table, after) = rest.split_once("<!-- /states -->\n").unwrap();
    let wanted = domain::notice::state_table();
    if std::env::var("INSTA_UPDATE").is_ok_and(|it| it == "always") {
        std::fs::write(path, format!("{before}<!-- states -->\n{wanted}<!-- /states -->\n{after}")).unwrap();
    } else {
        assert_eq!(table, wanted);
    }
}

#[tokio::test]
async fn who_says_nothing_is_told_the_usual_way_and_who_chooses_is_told_as_they_chose() {
    let app = App::start().await;
    let ada = app.patient().await;
    let usual = ada.get(PREFERENCES).await.expect(200);
    assert_eq!(
        usual,
        json!({"channels": ["push", "email", "sms"], "reminder_steps_minutes": [1440], "night": {"from": "22:00", "until": "07:00"},
               "time_zone": null, "sms_stopped": false, "reachable_by": ["email"]})
    );
    let wish = json!({"channels": ["email"], "reminder_steps_minutes": [60, 2880], "night": null, "time_zone": "Indian/Reunion"});
    let chosen = put(&ada, PREFERENCES, &wish).await.expect(200);
    assert_eq!(chosen["reminder_steps_minutes"], json!([2880, 60]));
    assert_eq!(ada.get(PREFERENCES).await.expect(200), chosen);
    for (wrong, field) in [
        (json!({"channels": ["pigeon"]}), "channels"),
        (json!({"channels": ["letter"]}), "channels"),
        (json!({"channels": []}), "channels"),
        (json!({"reminder_steps_minutes": [5]}), "reminder_steps_minutes"),
        (json!({"night": {"from": "20:00", "until": "20:00"}}), "night"),
        (json!({"night": {"from": "08:00", "until": "21:00"}}), "night"),
        (json!({"time_zone": "CET"}), "time_zone"),
        (json!({"colour": "blue"}), "colour"),
    ] {
        let refused = put(&ada, PREFERENCES, &wrong).await;
        assert_eq!(refused.status, 422, "{wrong}");
        assert!(refused.body["field"].as_str().unwrap().starts_with(field), "{wrong}: {}", refused.body);
    }
    let appointment = booked(&app, &ada).await;
    for before in [2880, 60] {
        remind_at(&app, start(&appointment) - SignedDuration::from_mins(before)).await;
    }
    let told = ["Votre rendez-vous est confirmé", "Rappel de votre rendez-vous", "Rappel de votre rendez-vous"];
    assert_eq!(subjects(&app.mails(&ada.email)), told);
}

#[tokio::test]
async fn who_wants_no_reminder_gets_none_and_hears_of_changes_and_cancellations_all_the_same() {
    let app = App::start().await;
    let ada = app.patient().await;
    put(&ada, PREFERENCES, &json!({"reminder_steps_minutes": []})).await.expect(200);
    let appointment = booked(&app, &ada).await;
    remind_at(&app, start(&appointment) - SignedDuration::from_hours(20)).await;
    assert_eq!(app.mails(&ada.email).len(), 1);
    let path = format!("/v1/appointments/{}/cancellation", appointment["id"].as_str().unwrap());
    now(&app, &ada).await.post(&path, &json!({"reason": "x"})).await.expect(200);
    app.settle().await;
    assert_eq!(subjects(&app.mails(&ada.email))[1], "Votre rendez-vous est annulé");
}

#[tokio::test]
async fn a_reminder_that_was_called_off_after_it_was_planned_is_not_sent_and_says_so() {
    let app = App::start().await;
    let ada = app.patient().await;
    let appointment = booked(&app, &ada).await;
    remind_at(&app, start(&appointment) - SignedDuration::from_hours(30)).await;
    let ada = now(&app, &ada).await;
    put(&ada, PREFERENCES, &json!({"reminder_steps_minutes": [60]})).await.expect(200);
    remind_at(&app, start(&appointment) - SignedDuration::from_hours(24)).await;
    assert_eq!(app.mails(&ada.email).len(), 1);
    let notices = now(&app, &ada).await.get("/v1/me/notices").await.expect(200);
    let called_off = notices["items"].as_array().unwrap().iter().find(|it| it["step_minutes"] == 1440).unwrap();
    assert_eq!((&called_off["state"], &called_off["why"]), (&json!("skipped"), &json!("not wanted")));
}

#[tokio::test]
async fn no_reminder_comes_at_night_it_comes_in_the_morning_or_the_evening_before() {
    let app = App::start().await;
    let ada = app.patient().await;
    // Awake from ten on, by the clock of Paris.
    put(&ada, PREFERENCES, &json!({"night": {"from": "22:00", "until": "10:00"}})).await.expect(200);
    let appointment = booked(&app, &ada).await;
    let local = appointment["starts_at"].as_str().unwrap();
    assert!(local[11..13] < *"10", "{local}");
    remind_at(&app, start(&appointment) - SignedDuration::from_hours(24)).await;
    assert_eq!(app.mails(&ada.email).len(), 1, "asleep");
    let ten: Timestamp = format!("{}T10:00:00{}", &local[..10], &local[19..]).parse().unwrap();
    remind_at(&app, ten - SignedDuration::from_hours(24)).await;
    assert_eq!(subjects(&app.mails(&ada.email))[1], "Rappel de votre rendez-vous");
}

#[tokio::test]
async fn reminders_of_a_family_for_one_day_come_in_one_message() {
    let app = App::start().await;
    let ada = app.patient().await;
    let child = json!({"given_name": "Noé", "family_name": "Exemple", "birth_date": "2019-01-01"});
    let child = ada.post("/v1/patients", &child).await.expect(201);
    let slots = app.lyon_slots().await;
    let day = |slot: &Value| slot["starts_at"].as_str().unwrap()[..10].to_owned();
    let first = &slots[0];
    let second = slots.iter().rev().find(|slot| day(slot) == day(first)).unwrap();
    assert!(start(second) > start(first));
    book(&ada, first).await.expect(201);
    let wish = json!({"slot": second["slot"], "patient": child["id"]});
    ada.post_with_key("/v1/appointments", &wish, "child").await.expect(201);
    app.settle().await;
    assert_eq!(app.mails(&ada.email).len(), 2);
    remind_at(&app, start(first) - SignedDuration::from_hours(24)).await;
    remind_at(&app, start(second) - SignedDuration::from_hours(23)).await;
    let mails = app.mails(&ada.email);
    assert_eq!(subjects(&mails)[2..], ["Rappel de vos rendez-vous"]);
    let hour = |slot: &Value| {
        let text = slot["starts_at"].as_str().unwrap();
        format!("{} h {}", text[11..13].trim_start_matches('0'), &text[14..16])
    };
    for slot in [first, second] {
        assert!(mails[2].text.contains(&hour(slot)), "{} {}", hour(slot), mails[2].text);
    }
    assert!(!mails[2].text.contains("Noé"), "{}", mails[2].text);
    let sent = app.count("select count(*) from notice where kind = 'reminder' and state = 'sent'").await;
    let together = app.count("select count(*) from notice where kind = 'reminder' and told_in is not null").await;
    assert_eq!((sent, together), (2, 1));
}

#[tokio::test]
async fn a_notice_has_its_whole_history_and_is_read_once_its_visit_was_looked_at() {
    let app = App::start().await;
    let (ada, ben) = (app.patient().await, app.patient().await);
    app.mailbox.set_mood(Mood::Refuses(451));
    let appointment = booked(&app, &ada).await;
    app.mailbox.set_mood(Mood::Well);
    app.later(SignedDuration::from_mins(5));
    app.settle().await;
    let path = format!("/v1/appointments/{}", appointment["id"].as_str().unwrap());
    ada.get(&path).await.expect(200);
    let own = ada.get("/v1/me/notices").await.expect(200);
    let states: Vec<&str> =
        own["items"][0]["history"].as_array().unwrap().iter().map(|it| it["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["planned", "planned", "sent", "read"]);
    assert!(own["items"][0]["history"][1]["why"].as_str().unwrap().contains("451"));
    let listed = ada.get(&format!("{path}/notices")).await.expect(200);
    assert_eq!(listed["items"], own["items"], "families see what went to themselves");
    assert_eq!(ben.get(&format!("{path}/notices")).await.problem(404), "not-found");
    assert_eq!(ben.get("/v1/me/notices").await.expect(200)["items"], json!([]));
    let read = format!("/v1/notices/{}/read", own["items"][0]["id"].as_str().unwrap());
    assert_eq!(ben.post(&read, &json!({})).await.problem(404), "not-found");
    ada.post(&read, &json!({})).await.expect(204);
}

#[tokio::test]
async fn staff_see_whether_a_patient_was_told_and_print_letters_for_whom_nothing_reaches() {
    let app = App::start().await;
    let ada = app.patient().await;
    app.mailbox.set_mood(Mood::Refuses(550));
    let slots = app.slots_with("nolwenn-le-bihannic").await;
    let appointment = book(&ada, slots.last().unwrap()).await.expect(201);
    app.settle().await;
    let id = appointment["id"].as_str().unwrap();
    let secretary = app.staff("secretary-pentes").await;
    let told = secretary.get(&format!("/v1/appointments/{id}/notices")).await.expect(200);
    assert_eq!(told["items"].as_array().unwrap().len(), 3, "{told}");
    assert!(!told.to_string().contains(&ada.email));
    let letters = secretary.get("/v1/letters").await.expect(200);
    let letter = &letters["items"][0];
    assert_eq!(
        (&letter["appointment"], &letter["patient_name"], &letter["kind"]),
        (&json!(id), &json!("Ada Exemple"), &json!("confirmation"))
    );
    let elsewhere = app.staff("secretary-confluent").await;
    assert_eq!(elsewhere.get("/v1/letters").await.expect(200)["items"], json!([]));
    let printed = format!("/v1/letters/{}/printed", letter["id"].as_str().unwrap());
    assert_eq!(elsewhere.post(&printed, &json!({})).await.problem(404), "not-found");
    secretary.post(&printed, &json!({})).await.expect(204);
    secretary.post(&printed, &json!({})).await.expect(204);
    assert_eq!(secretary.get("/v1/letters").await.expect(200)["items"], json!([]));
    let counted =
        app.staff("administrator-pentes").await.get("/v1/notice-statistics?from=2026-03-01&to=2026-03-31").await;
    let counted = counted.expect(200);
    let line = |channel: &str| counted["items"].as_array().unwrap().iter().find(|it| it["channel"] == channel).cloned();
    assert_eq!(line("letter").unwrap()["sent"], 1, "{counted}");
    assert_eq!(line("email").unwrap()["failed"], 2, "{counted}");
}

#[tokio::test]
async fn whatever_goes_wrong_nobody_is_flooded() {
    let app = App::start().await;
    let ada = app.patient().await;
    let appointment = booked(&app, &ada).await;
    let full = "update notice_allowance set sent = 20 where not owed";
    sqlx::query(full).execute(app.pool()).await.unwrap();
    let slots = app.lyon_slots().await;
    book(&ada, &slots[5]).await.expect(201);
    app.settle().await;
    assert_eq!(app.mails(&ada.email).len(), 1);
    assert_eq!(
        app.count("select count(*) from notice where why = 'too many on one day'").await,
        1,
        "hers; the practitioner has another limit"
    );
    // What is owed comes all the same.
    let path = format!("/v1/appointments/{}/cancellation", appointment["id"].as_str().unwrap());
    ada.post(&path, &json!({"reason": "x"})).await.expect(200);
    app.settle().await;
    assert_eq!(subjects(&app.mails(&ada.email))[1], "Votre rendez-vous est annulé");
}
