//! People are told: once, in time, in their words, and of nothing that is not theirs to read in a mail.

mod answers;
mod away;
mod browsers;
mod channels;
mod choices;
mod interleaving;
mod letters;
mod looking;
mod receipts;
mod relay;
mod secret;
mod telephones;
mod together;
mod wishes;
mod words;

pub use telephones::asked;

/// Every statement of `notices`, `notify` and `notice-templates` that the rest does not call.
pub async fn walk(app: &App) {
    choices::walk(app).await;
    words::walk(app).await;
    telephones::walk(app).await;
}

use base64::Engine as _;
use domain::{SignedDuration, Timestamp};
use gateway::dev::mailbox::{Mood, Received};
use icalendar::{Calendar, Component as _};
use serde_json::{Value, json};

use crate::support::app::book;
use crate::support::{App, Client};

fn cancel_path(appointment: &Value) -> String {
    format!("/v1/appointments/{}/cancellation", appointment["id"].as_str().unwrap())
}

fn start(appointment: &Value) -> Timestamp {
    appointment["starts_at"].as_str().unwrap().parse().unwrap()
}

fn subjects(mails: &[Received]) -> Vec<&str> {
    mails.iter().map(|mail| mail.subject.as_str()).collect()
}

/// A booking, settled.
async fn booked(app: &App, client: &Client) -> Value {
    let slots = app.lyon_slots().await;
    let appointment = book(client, &slots[0]).await.expect(201);
    app.settle().await;
    appointment
}

#[tokio::test]
async fn a_confirmation_tells_when_where_and_with_whom_and_nothing_about_health() {
    let app = App::start().await;
    let ada = app.patient_named("ada@famille.example", "fr").await;
    let appointment = booked(&app, &ada).await;
    let mails = app.mails("ada@famille.example");
    assert_eq!(subjects(&mails), ["Votre rendez-vous est confirmé"]);
    let mail = &mails[0];
    insta::assert_snapshot!(
        "confirmation_fr",
        mail.text.replace(appointment["id"].as_str().unwrap(), "[id]").replace("\r\n", "\n")
    );
    let entry = calendar(mail);
    for secret in [
        "orthophon",
        "Exemple",
        "Ada",
        "santé",
        appointment["reason_label"].as_str().unwrap(),
        "bilan",
        "Bilan",
        "séance",
    ] {
        for (place, words) in [
            ("text", mail.text.replace("information de santé", "")),
            ("html", mail.html.replace("information de santé", "")),
            ("ics", entry.clone()),
        ] {
            assert!(!words.contains(secret), "{secret} in {place}: {words}");
        }
    }
    assert!(mail.html.contains("<html lang=\"fr\">") && mail.html.contains("<h1"));
    // The practitioner is told too, of no patient.
    let rows =
        app.sql("select to_jsonb(p.email) from practitioner p join appointment a on a.practitioner_id = p.id").await;
    let theirs = app.mails(rows[0].as_str().unwrap());
    assert_eq!(subjects(&theirs), ["Un rendez-vous a été pris"]);
    assert!(!theirs[0].text.contains("Ada") && !theirs[0].text.contains("Exemple"));
}

fn calendar(mail: &Received) -> String {
    let file = &mail.attachments[0];
    assert_eq!((file.name.as_str(), file.r#type.as_str()), ("rendez-vous.ics", "text/calendar"));
    String::from_utf8(base64::engine::general_purpose::STANDARD.decode(&file.body_base64).unwrap()).unwrap()
}

#[tokio::test]
async fn the_calendar_entry_has_the_hours_of_the_place_in_every_zone_and_season() {
    let app = App::start().await;
    for (place, month, zone) in [
        ("Lyon", "2026-03-26", "Europe/Paris"),
        ("Lyon", "2026-03-30", "Europe/Paris"),
        ("Saint-Denis", "2026-03-26", "Indian/Reunion"),
    ] {
        let ada = app.patient().await;
        let slot = &app.slots(&format!("place={place}&channel=in_person&from={month}&limit=1")).await[0];
        let appointment = book(&ada, slot).await.expect(201);
        app.settle().await;
        let mails = app.mails(&ada.email);
        let text = calendar(&mails[0]);
        let parsed: Calendar = text.parse().expect("an RFC 5545 calendar");
        let event = parsed.events().next().unwrap();
        assert_eq!(event.get_summary(), Some("Rendez-vous"));
        let local = appointment["starts_at"].as_str().unwrap();
        let wall = local[..19].replace(['-', ':'], "");
        assert!(text.contains(&format!("DTSTART;TZID={zone}:{wall}\r\n")), "{text}");
        // The rule that the entry carries leads to the very instant.
        let offset = local[19..].replace(':', "");
        let rules: Vec<&str> =
            text.split("BEGIN:").filter(|part| part.starts_with("STANDARD") || part.starts_with("DAYLIGHT")).collect();
        let onset =
            |rule: &str| rule.lines().find_map(|line| line.strip_prefix("DTSTART:").map(str::to_owned)).unwrap();
        let in_force = rules.iter().filter(|rule| onset(rule) <= wall).max_by_key(|rule| onset(rule)).unwrap();
        assert!(in_force.contains(&format!("TZOFFSETTO:{offset}")), "{in_force} {offset}");
        assert!(text.lines().all(|line| line.len() <= 76) && text.ends_with("END:VCALENDAR\r\n"));
        let hour = local[11..13].parse::<u8>().unwrap().to_string();
        assert!(mails[0].text.contains(&format!(" à {hour} h {}", &local[14..16])), "{}", mails[0].text);
    }
}

#[tokio::test]
async fn an_english_account_is_written_to_in_english() {
    let app = App::start().await;
    let ada = app.patient_named("ada@family.example", "en-GB,en;q=0.9").await;
    let appointment = booked(&app, &ada).await;
    let mails = app.mails("ada@family.example");
    assert_eq!(subjects(&mails), ["Your appointment is confirmed"]);
    insta::assert_snapshot!(
        "confirmation_en",
        mails[0].text.replace(appointment["id"].as_str().unwrap(), "[id]").replace("\r\n", "\n")
    );
}

#[tokio::test]
async fn one_reminder_goes_out_the_day_before_and_no_second_one() {
    let app = App::start().await;
    let ada = app.patient().await;
    let appointment = booked(&app, &ada).await;
    app.at(&(start(&appointment) - SignedDuration::from_hours(25)).to_string());
    app.settle().await;
    assert_eq!(app.mails(&ada.email).len(), 1, "too early");
    app.at(&(start(&appointment) - SignedDuration::from_hours(24)).to_string());
    for _ in 0..3 {
        app.settle().await;
        app.later(SignedDuration::from_hours(1));
    }
    assert_eq!(subjects(&app.mails(&ada.email)), ["Votre rendez-vous est confirmé", "Rappel de votre rendez-vous"]);
    assert_eq!(
        app.count("select count(*) from notice where kind = 'reminder' and recipient_kind = 'practitioner'").await,
        0
    );
}

#[tokio::test]
async fn an_outage_delays_reminders_and_loses_none_but_none_comes_after_the_beginning() {
    let app = App::start().await;
    let (ada, ben) = (app.patient().await, app.patient().await);
    let slots = app.lyon_slots().await;
    let first = book(&ada, &slots[0]).await.expect(201);
    let later = slots.iter().find(|slot| start(slot) > start(&first) + SignedDuration::from_hours(2)).unwrap();
    book(&ben, later).await.expect(201);
    app.settle().await;
    // Nothing ran for a day: one visit has begun meanwhile, the other is near.
    app.at(&(start(&first) + SignedDuration::from_mins(1)).to_string());
    app.settle().await;
    assert_eq!(subjects(&app.mails(&ada.email)), ["Votre rendez-vous est confirmé"]);
    assert_eq!(subjects(&app.mails(&ben.email)), ["Votre rendez-vous est confirmé", "Rappel de votre rendez-vous"]);
}

#[tokio::test]
async fn nothing_reminds_of_what_was_cancelled_and_a_move_is_reminded_of_anew() {
    let app = App::start().await;
    let (ada, ben) = (app.patient().await, app.patient().await);
    let slots = app.lyon_slots().await;
    let gone = book(&ada, &slots[0]).await.expect(201);
    let moved = book(&ben, &slots[1]).await.expect(201);
    app.settle().await;
    ada.post(&cancel_path(&gone), &json!({"reason": "x"})).await.expect(200);
    let to = slots.iter().find(|slot| start(slot) > start(&moved) + SignedDuration::from_hours(72)).unwrap();
    let path = format!("/v1/appointments/{}/move", moved["id"].as_str().unwrap());
    let moved = ben.post(&path, &json!({"slot": to["slot"]})).await.expect(200);
    app.settle().await;
    app.at(&(start(&gone) - SignedDuration::from_hours(20)).to_string());
    app.settle().await;
    assert_eq!(subjects(&app.mails(&ada.email)), ["Votre rendez-vous est confirmé", "Votre rendez-vous est annulé"]);
    assert_eq!(subjects(&app.mails(&ben.email)), ["Votre rendez-vous est confirmé", "Votre rendez-vous a changé"]);
    app.at(&(start(&moved) - SignedDuration::from_hours(20)).to_string());
    app.settle().await;
    assert_eq!(app.mails(&ben.email).len(), 3);
}

#[tokio::test]
async fn who_cancels_before_the_mail_server_is_back_is_told_only_of_that() {
    let app = App::start().await;
    let ada = app.patient().await;
    app.mailbox.set_mood(Mood::Refuses(451));
    let appointment = booked(&app, &ada).await;
    ada.post(&cancel_path(&appointment), &json!({"reason": "x"})).await.expect(200);
    app.settle().await;
    assert!(app.mails(&ada.email).is_empty());
    app.mailbox.set_mood(Mood::Well);
    app.later(SignedDuration::from_hours(2));
    app.settle().await;
    assert_eq!(subjects(&app.mails(&ada.email)), ["Votre rendez-vous est annulé"]);
    let skipped = app.count("select count(*) from notice where kind = 'confirmation' and state = 'skipped'").await;
    assert_eq!(skipped, 2, "to the account and to the practitioner");
}

#[tokio::test]
async fn a_mail_server_that_is_away_for_three_days_loses_no_notice_and_none_is_said_to_be_sent() {
    let app = App::start().await;
    let ada = app.patient().await;
    app.mailbox.set_mood(Mood::Refuses(451));
    let slots = app.slots("specialty=orthophoniste&place=Lyon&from=2026-03-16&limit=1").await;
    book(&ada, &slots[0]).await.expect(201);
    let begun = app.now();
    while app.now().duration_since(begun) < SignedDuration::from_hours(72) {
        app.settle().await;
        assert_eq!(
            app.count("select count(*) from notice where state <> 'planned'").await,
            0,
            "never marked otherwise"
        );
        app.later(SignedDuration::from_mins(55));
    }
    let tried = app.count("select max(attempts)::int8 from notice").await;
    assert!((20..=120).contains(&tried), "{tried} attempts");
    assert_eq!(app.count("select count(*) from delivery where state <> 'done'").await, 0, "the event is done with");
    app.mailbox.set_mood(Mood::Well);
    app.later(SignedDuration::from_hours(1));
    app.settle().await;
    assert_eq!(subjects(&app.mails(&ada.email)), ["Votre rendez-vous est confirmé"]);
}

#[tokio::test]
async fn what_no_channel_takes_is_seen_by_an_operator_who_can_have_it_tried_again() {
    let app = App::start().await;
    let ada = app.patient().await;
    app.mailbox.set_mood(Mood::Refuses(550));
    // Too near for a letter.
    app.later(SignedDuration::from_hours(36));
    booked(&app, &ada.clone().bearing(&app.fresh_token(&ada).await)).await;
    let events = Client::new(app.gateway.app.events.clone());
    let failed = events.get("/_events/notify/failed").await.expect(200);
    let items = failed["items"].as_array().unwrap();
    assert_eq!(items.len(), 2);
    assert!(!failed.to_string().contains(&ada.email), "nobody is named");
    app.mailbox.set_mood(Mood::Well);
    for item in items {
        let path = format!("/_events/notify/failed/{}/retry", item["id"].as_str().unwrap());
        events.post(&path, &json!({})).await.expect(202);
    }
    app.settle().await;
    assert_eq!(subjects(&app.mails(&ada.email)), ["Votre rendez-vous est confirmé"]);
    let path = format!("/_events/notify/failed/{}/retry", items[0]["id"].as_str().unwrap());
    assert_eq!(events.post(&path, &json!({})).await.problem(404), "not-found");
}

#[tokio::test]
async fn a_conversation_broken_off_before_the_answer_is_not_a_mail_sent() {
    let app = App::start().await;
    let ada = app.patient().await;
    app.mailbox.set_mood(Mood::HangsUp);
    booked(&app, &ada).await;
    assert_eq!(app.count("select count(*) from notice where state = 'sent'").await, 0);
    app.mailbox.set_mood(Mood::Well);
    app.later(SignedDuration::from_mins(5));
    app.settle().await;
    assert_eq!(app.mails(&ada.email).len(), 1);
}

#[tokio::test]
async fn an_address_that_is_refused_for_good_stops_nobody_else() {
    let app = App::start().await;
    let ada = app.patient().await;
    app.mailbox.set_mood(Mood::Refuses(550));
    booked(&app, &ada).await;
    let states = app.sql("select to_jsonb(state || ' ' || why) from notice where channel = 'email'").await;
    assert_eq!(states, [json!("failed recipient refused (550)"), json!("failed recipient refused (550)")]);
    // Whom no other channel reaches is written to, by who runs the place.
    let letters = app
        .sql("select jsonb_build_object('state', state, 'because', because) from notice where channel = 'letter'")
        .await;
    assert_eq!(letters, [json!({"state": "planned", "because": "email failed"})]);
    let done = "select count(*) from delivery where state = 'done' and consumer = 'notify'";
    assert_eq!(app.count(done).await, 1);
}

#[tokio::test]
async fn an_address_that_is_none_and_an_account_without_one_stop_nobody_else() {
    let app = App::start().await;
    let (ada, ben, eve) = (app.patient().await, app.patient().await, app.patient().await);
    let slots = app.lyon_slots().await;
    for (client, at) in [(&ada, 0), (&ben, 4), (&eve, 8)] {
        book(client, &slots[at]).await.expect(201);
    }
    let of = |client: &Client| app.email_lookup(&client.email);
    let row: (uuid::Uuid, String) = sqlx::query_as("select id, wrapped_key from account where email_lookup = $1")
        .bind(of(&ada))
        .fetch_one(app.pool())
        .await
        .unwrap();
    // As an import or a release with other rules might have left it.
    let contact = runtime::people::Contact { email: "ada at home".into(), phone: None };
    let contact =
        contact.resealed(&app.gateway.ctx.keys, domain::ids::AccountId::from_uuid(row.0), &row.1).await.unwrap();
    let change = "update account set contact = $2 where email_lookup = $1";
    for (client, contact) in [(&ada, Some(contact)), (&ben, None)] {
        sqlx::query(change).bind(of(client)).bind(contact).execute(app.pool()).await.unwrap();
    }
    app.settle().await;
    assert_eq!(subjects(&app.mails(&eve.email)), ["Votre rendez-vous est confirmé"]);
    let told = app
        .sql("select to_jsonb(channel || ' ' || state) from notice where recipient_kind = 'account' order by channel, state")
        .await;
    assert_eq!(told, ["email failed", "email sent", "letter planned", "letter planned"]);
}

#[tokio::test]
async fn the_same_event_sent_many_times_at_once_tells_nobody_twice() {
    let app = App::start().await;
    let ada = app.patient().await;
    let slots = app.lyon_slots().await;
    book(&ada, &slots[0]).await.expect(201);
    let event = app
        .sql("select jsonb_build_object('specversion', '1.0', 'id', id, 'source', '/carnet', 'type', kind, 'subject', subject,
                     'time', occurred_at, 'datacontenttype', 'application/json', 'data', data) from outbox")
        .await;
    let event = event[0].to_string();
    futures_util::future::join_all((0..20).map(|_| app.event("notify", event.clone()))).await;
    app.settle().await;
    assert_eq!(app.mails(&ada.email).len(), 1);
}

#[tokio::test]
async fn an_event_that_nobody_understands_is_rejected_and_kept() {
    let app = App::start().await;
    let (status, _) = app.event("notify", json!({"type": "x"}).to_string()).await;
    assert_eq!(status, 422);
    let (status, _) = app.event("notify", "{").await;
    assert_eq!(status, 400);
    let sql = "insert into outbox (kind, subject, data, occurred_at) values ('appointment.booked.v1', gen_random_uuid(), '{}', '2026-03-02T08:00:00Z')";
    sqlx::query(sql).execute(app.pool()).await.unwrap();
    app.settle().await;
    assert_eq!(app.count("select count(*) from delivery where state = 'dead' and last_error = 'rejected'").await, 1);
}
