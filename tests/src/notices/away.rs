//! A way out that is away, slow or broken: no other waits for it, what it does not take is told otherwise, and nobody is told what is
//! no longer so.

use std::time::{Duration, Instant};

use axum::http::StatusCode;
use domain::SignedDuration;
use gateway::dev::mailbox::Mood;
use gateway::dev::phones::Mood as Phone;
use serde_json::{Value, json};

use super::choices::{PREFERENCES, now, put, remind_at};
use super::telephones::{EMAIL, PHONE};
use super::{booked, cancel_path, start, subjects};
use crate::account_phone::reachable_at;
use crate::push::{Browser, push_service};
use crate::support::app::book;
use crate::support::{App, database};

const PUSH_KEY: &str = "q1dXpw3UpT5VOmu_cf_v6ih07Aems3njxI-JWgLcM94";

async fn told(app: &App, kind: &str) -> Vec<Value> {
    let told = app
        .sql(
            "select jsonb_build_object('kind', kind, 'told', channel || ' ' || state || ', ' || because) from notice
             where recipient_kind = 'account' order by planned_at, id",
        )
        .await;
    told.into_iter().filter(|it| it["kind"] == kind).map(|it| it["told"].clone()).collect()
}

#[tokio::test]
async fn what_a_provider_does_not_take_for_three_hours_is_told_by_the_next_channel() {
    let app = App::start().await;
    let ada = reachable_at(&app, EMAIL, PHONE).await;
    put(&ada, PREFERENCES, &json!({"channels": ["sms", "email"], "night": null})).await.expect(200);
    let slots = app.lyon_slots().await;
    let appointment = book(&ada, slots.last().unwrap()).await.expect(201);
    app.settle().await;
    app.phones.set_mood(Phone::Answers(StatusCode::SERVICE_UNAVAILABLE));
    ada.post(&cancel_path(&appointment), &json!({"reason": "x"})).await.expect(200);
    for _ in 0..10 {
        app.settle().await;
        assert!(app.mails(EMAIL).is_empty());
        app.later(SignedDuration::from_mins(17));
    }
    app.later(SignedDuration::from_mins(61));
    app.settle().await;
    app.settle().await;
    assert_eq!(subjects(&app.mails(EMAIL)), ["Votre rendez-vous est annulé"]);
    assert_eq!(told(&app, "cancellation").await, ["sms failed, event", "email sent, sms away"]);
    // Back again, it tells nothing twice.
    app.phones.set_mood(Phone::Well);
    let sent = app.mails(PHONE).len();
    app.later(SignedDuration::from_hours(2));
    app.settle().await;
    assert_eq!((app.mails(PHONE).len(), app.mails(EMAIL).len()), (sent, 1));
}

#[tokio::test]
async fn where_a_visit_is_near_half_of_the_time_is_enough_and_where_no_other_channel_is_it_is_tried_on() {
    let app = App::start().await;
    let ada = reachable_at(&app, EMAIL, PHONE).await;
    put(&ada, PREFERENCES, &json!({"channels": ["sms", "email"], "night": null})).await.expect(200);
    let ben = app.patient().await;
    let slots = app.lyon_slots().await;
    let (near, also) = (book(&ada, &slots[0]).await.expect(201), book(&ben, &slots[1]).await.expect(201));
    app.settle().await;
    app.phones.set_mood(Phone::Answers(StatusCode::SERVICE_UNAVAILABLE));
    app.mailbox.set_mood(Mood::Refuses(451));
    app.at(&(start(&near) - SignedDuration::from_mins(90)).to_string());
    for (client, visit) in [(&ada, &near), (&ben, &also)] {
        now(&app, client).await.post(&cancel_path(visit), &json!({"reason": "x"})).await.expect(200);
    }
    app.settle().await;
    app.later(SignedDuration::from_mins(50));
    app.settle().await;
    assert_eq!(
        told(&app, "cancellation").await,
        ["sms failed, event", "email planned, event", "email planned, sms away"]
    );
    app.mailbox.set_mood(Mood::Well);
    app.later(SignedDuration::from_mins(30));
    app.settle().await;
    assert_eq!(subjects(&app.mails(EMAIL)), ["Votre rendez-vous est annulé"]);
    assert_eq!(app.mails(&ben.email).last().unwrap().subject, "Votre rendez-vous est annulé");
}

#[tokio::test]
async fn a_relay_that_is_away_keeps_no_text_message_waiting() {
    let app = App::start().await;
    let (ada, ben) = (reachable_at(&app, EMAIL, PHONE).await, app.patient().await);
    put(&ada, PREFERENCES, &json!({"channels": ["sms", "email"], "night": null})).await.expect(200);
    let slots = app.lyon_slots().await;
    app.mailbox.set_mood(Mood::Refuses(451));
    app.phones.set_mood(Phone::Answers(StatusCode::SERVICE_UNAVAILABLE));
    book(&ben, &slots[1]).await.expect(201);
    app.settle().await;
    // As at eight in the morning: more mails than a run tries, all due before the text message.
    let more = "insert into notice (event_id, appointment_id, kind, because, recipient_kind, recipient_id, channel, version, starts_at,
                                    day, establishment_id, state, planned_at, send_at)
                select null, appointment_id, kind, because, recipient_kind, recipient_id, channel, version, starts_at, day,
                       establishment_id, state, planned_at - interval '1 hour', planned_at - interval '1 hour'
                from notice, generate_series(1, 400) where recipient_kind = 'account' and channel = 'email'";
    sqlx::query(more).execute(app.pool()).await.unwrap();
    book(&ada, &slots[6]).await.expect(201);
    app.settle().await;
    app.phones.set_mood(Phone::Well);
    app.later(SignedDuration::from_mins(1));
    app.event("notify", "{}").await;
    assert!(app.mails(PHONE).last().unwrap().text.contains("confirmé"), "{:?}", app.mails(PHONE));
    assert!(app.mails(&ben.email).is_empty());
}

/// The relay takes 2.6 s for a mail, and four of a batch are on their way at once: the last ones would begin after 5 s.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_called_off_while_a_slow_relay_takes_others_is_not_told_of() {
    let app = App::start().await;
    let slots = app.lyon_slots().await;
    app.mailbox.set_mood(Mood::Refuses(451));
    // Practitioners are told too.
    sqlx::query("update practitioner set email = null").execute(app.pool()).await.unwrap();
    let mut people = Vec::new();
    for number in 0..12 {
        let client = app.patient_named(&format!("slow-{number}@famille.example"), "fr").await;
        let visit = book(&client, &slots[number * 2]).await.expect(201);
        people.push((client, visit));
        app.settle().await;
        app.later(SignedDuration::from_secs(1));
    }
    sqlx::query("update notice set send_at = planned_at").execute(app.pool()).await.unwrap();
    app.mailbox.set_mood(Mood::Slow(Duration::from_millis(2600)));
    let (last, visit) = people.last().unwrap();
    let last = now(&app, last).await;
    let began = Instant::now();
    let called_off = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        last.post(&cancel_path(visit), &json!({"reason": "x"})).await.expect(200);
    };
    let ((status, _), ()) = futures_util::join!(app.event("notify", "{}"), called_off);
    assert_eq!(status, 204);
    assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
    app.mailbox.set_mood(Mood::Well);
    app.settle().await;
    for (client, _) in &people[..11] {
        assert_eq!(subjects(&app.mails(&client.email)), ["Votre rendez-vous est confirmé"]);
    }
    assert_eq!(subjects(&app.mails(&last.email)), ["Votre rendez-vous est annulé"]);
    assert_eq!(app.count("select count(*) from notice where counted").await, 13, "each once, however often taken up");
    assert_eq!(app.count("select sum(sent)::int8 from notice_allowance").await, 13);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_that_cannot_be_told_makes_no_other_ring_again() {
    let (base, seen) = push_service().await;
    let app = App::on(database::fresh().await, &[("CARNET_ENV", "development"), ("PUSH_KEY", PUSH_KEY)]).await;
    let ada = app.patient().await;
    for mood in ["201?first", "201?second"] {
        ada.post("/v1/push-subscriptions", &Browser::new().wish(&format!("{base}/{mood}"))).await.expect(201);
    }
    // Sealed with a key that is gone.
    let broken = "update push_subscription set sealed = 'AAAA' where id = (select id from push_subscription order by id limit 1)";
    sqlx::query(broken).execute(app.pool()).await.unwrap();
    booked(&app, &ada).await;
    for _ in 0..3 {
        app.later(SignedDuration::from_mins(2));
        app.settle().await;
    }
    assert_eq!(seen.lock().unwrap().len(), 1);
    assert_eq!(told(&app, "confirmation").await, ["push sent, event"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reminder_that_nobody_looked_at_is_told_by_the_next_channel_in_time() {
    let (base, seen) = push_service().await;
    let app = App::on(database::fresh().await, &[("CARNET_ENV", "development"), ("PUSH_KEY", PUSH_KEY)]).await;
    let ada = app.patient().await;
    ada.post("/v1/push-subscriptions", &Browser::new().wish(&format!("{base}/201"))).await.expect(201);
    put(&ada, PREFERENCES, &json!({"reminder_steps_minutes": [240], "night": null})).await.expect(200);
    let slots = app.lyon_slots().await;
    let appointment = book(&ada, slots.last().unwrap()).await.expect(201);
    app.settle().await;
    ada.get(&format!("/v1/appointments/{}", appointment["id"].as_str().unwrap())).await.expect(200);
    remind_at(&app, start(&appointment) - SignedDuration::from_mins(240)).await;
    assert_eq!(seen.lock().unwrap().len(), 2);
    remind_at(&app, start(&appointment) - SignedDuration::from_mins(59)).await;
    app.settle().await;
    assert_eq!(subjects(&app.mails(&ada.email)), ["Rappel de votre rendez-vous"]);
}

#[tokio::test]
async fn two_reminders_of_one_visit_that_a_night_brings_together_are_one() {
    let app = App::start().await;
    let ada = app.patient().await;
    // Awake from eleven on: both are moved to the evening before, a quarter to eleven.
    let wish = json!({"reminder_steps_minutes": [120, 60], "night": {"from": "23:00", "until": "11:00"}});
    put(&ada, PREFERENCES, &wish).await.expect(200);
    let slots = app.lyon_slots().await;
    let early = slots.iter().rfind(|slot| slot["starts_at"].as_str().unwrap()[11..16] < *"10:30").unwrap();
    let appointment = book(&ada, early).await.expect(201);
    app.settle().await;
    let clock = early["starts_at"].as_str().unwrap();
    let since_midnight = clock[11..13].parse::<i64>().unwrap() * 60 + clock[14..16].parse::<i64>().unwrap();
    let midnight = start(&appointment) - SignedDuration::from_mins(since_midnight);
    // Planned, sent at ten to eleven, and looked at again in the night and in the morning.
    for minutes in [-300, -70, 60, 660] {
        remind_at(&app, midnight + SignedDuration::from_mins(minutes)).await;
    }
    let mails = app.mails(&ada.email);
    assert_eq!(subjects(&mails), ["Votre rendez-vous est confirmé", "Rappel de votre rendez-vous"]);
    let mut told = told(&app, "reminder").await;
    told.sort_by_key(ToString::to_string);
    assert_eq!(told, ["email sent, reminder", "email skipped, reminder"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_stopped_in_the_middle_again_and_again_loses_nothing_to_the_cap() {
    let app = App::start().await;
    let ada = app.patient().await;
    booked(&app, &ada).await;
    // As it was planned: nothing was tried yet.
    sqlx::query("delete from notice_allowance").execute(app.pool()).await.unwrap();
    let again = "update notice set state = 'planned', settled_at = null, counted = false, attempts = 0, lease = null, lease_until = null,
                 send_at = planned_at where kind = 'confirmation' and recipient_kind = 'account'";
    sqlx::query(again).execute(app.pool()).await.unwrap();
    let before = app.mails(&ada.email).len();
    app.mailbox.set_mood(Mood::Slow(Duration::from_mins(1)));
    for _ in 0..25 {
        // Its process ends while the relay thinks, and nobody says how it ended.
        drop(tokio::time::timeout(Duration::from_millis(400), app.event("notify", "{}")).await);
        app.later(SignedDuration::from_mins(10));
    }
    assert_eq!(app.count("select coalesce(sum(sent), 0)::int8 from notice_allowance").await, 1);
    app.mailbox.set_mood(Mood::Well);
    app.settle().await;
    assert_eq!(
        app.count("select count(*) from notice where state = 'skipped' and why = 'too many on one day'").await,
        0
    );
    assert_eq!(app.mails(&ada.email).len(), before + 1);
}
