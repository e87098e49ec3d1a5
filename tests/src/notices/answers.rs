//! What people answer to a text message: it is to the last one, from whose the number is now, and otherwise nothing comes of it.

use domain::SignedDuration;
use serde_json::{Value, json};

use super::choices::put;
use super::telephones::{EMAIL, PHONE, booked_by_sms, called_at};
use super::{cancel_path, start, subjects};
use crate::account_phone::{ask, give, reachable_at, sent, verify};
use crate::sms::Double;
use crate::support::app::book;
use crate::support::{App, Client};

const OTHER_PHONE: &str = "+33639980104";
const NOTHING: &str = "Carnet : votre message n'a rien annulé. Pour annuler un rendez-vous, connectez-vous.";

/// An answer, of which the provider says no more than from where it comes.
async fn answers(app: &App, phone: &str, text: &str) {
    let told = json!({"msg_status": "replied", "to": phone.trim_start_matches('+'), "reply": text});
    app.nobody().post(&called_at(app), &told).await.expect(204);
    carried(app).await;
}

/// Lets events have their effects, and no reminder go out beside them.
async fn carried(app: &App) {
    app.event("deliver-outbox", "").await;
}

/// The same person, whatever the clock was moved to.
async fn again(app: &App, client: &Client) -> Client {
    client.clone().bearing(&app.fresh_token(client).await)
}

async fn status(app: &App, client: &Client, visit: &Value) -> String {
    let path = format!("/v1/appointments/{}", visit["id"].as_str().unwrap());
    again(app, client).await.get(&path).await.expect(200)["status"].as_str().unwrap().to_owned()
}

async fn booked(app: &App, client: &Client, slot: &Value) -> Value {
    let visit = book(&again(app, client).await, slot).await.expect(201);
    app.settle().await;
    app.later(SignedDuration::from_mins(5));
    visit
}

async fn sms_stopped(app: &App, client: &Client) -> bool {
    again(app, client).await.get("/v1/me/notice-preferences").await.expect(200)["sms_stopped"] == true
}

/// How often somebody heard that nothing came of their answer.
fn refusals(app: &App) -> usize {
    app.mails(PHONE).iter().filter(|sms| sms.text.trim() == NOTHING).count()
}

/// Slots of one day, two of them.
async fn of_a_day(app: &App) -> [Value; 2] {
    let slots = app.lyon_slots().await;
    let day = |slot: &Value| slot["starts_at"].as_str().unwrap()[..10].to_owned();
    let pair = slots.windows(2).find(|pair| day(&pair[0]) == day(&pair[1]) && *day(&pair[0]) > *"2026-03-06");
    let pair = pair.expect("two slots of a day");
    [pair[0].clone(), pair[1].clone()]
}

#[tokio::test]
async fn an_answer_that_comes_too_late_calls_no_other_visit_off_and_that_is_said_once() {
    let app = App::start().await;
    let ada = reachable_at(&app, EMAIL, PHONE).await;
    put(&ada, "/v1/me/notice-preferences", &json!({"channels": ["sms", "email"], "night": null})).await.expect(200);
    let slots = app.lyon_slots().await;
    let later = booked(&app, &ada, slots.last().unwrap()).await;
    let sooner = booked(&app, &ada, &slots[0]).await;
    app.at(&(start(&sooner) + SignedDuration::from_mins(5)).to_string());
    for _ in 0..2 {
        answers(&app, PHONE, "ANNULER").await;
    }
    assert_eq!(
        (status(&app, &ada, &sooner).await, status(&app, &ada, &later).await),
        ("booked".into(), "booked".into())
    );
    assert_eq!(refusals(&app), 1);
    assert_eq!(app.count("select count(*) from notice where reply = 'unclear'").await, 1);
}

#[tokio::test]
async fn no_is_no_answer_to_a_cancellation() {
    let app = App::start().await;
    let (ada, visit) = booked_by_sms(&app).await;
    app.later(SignedDuration::from_mins(5));
    let slots = app.lyon_slots().await;
    let other = booked(&app, &ada, &slots[9]).await;
    again(&app, &ada).await.post(&cancel_path(&other), &json!({"reason": "x"})).await.expect(200);
    app.settle().await;
    assert!(app.mails(PHONE).pop().unwrap().text.contains("annulé"));
    answers(&app, PHONE, "Non").await;
    assert_eq!(status(&app, &ada, &visit).await, "booked");
    assert_eq!(refusals(&app), 0, "it is called off already");
}

#[tokio::test]
async fn of_messages_of_one_moment_none_is_answered_but_the_one_that_is_named() {
    let app = App::start().await;
    let ada = reachable_at(&app, EMAIL, PHONE).await;
    put(&ada, "/v1/me/notice-preferences", &json!({"channels": ["sms", "email"], "night": null})).await.expect(200);
    let slots = app.lyon_slots().await;
    let (one, other) = (book(&ada, &slots[0]).await.expect(201), book(&ada, &slots[9]).await.expect(201));
    app.settle().await;
    answers(&app, PHONE, "2").await;
    assert_eq!((status(&app, &ada, &one).await, status(&app, &ada, &other).await), ("booked".into(), "booked".into()));
    assert_eq!(refusals(&app), 1);
    let of_one = app.sql("select to_jsonb(n.id) from notice n where channel = 'sms' order by starts_at limit 1").await;
    let told = json!({"msg_status": "replied", "to": PHONE.trim_start_matches('+'), "reply": "2", "tag": of_one[0]});
    app.nobody().post(&called_at(&app), &told).await.expect(204);
    carried(&app).await;
    assert_eq!(
        (status(&app, &ada, &one).await, status(&app, &ada, &other).await),
        ("cancelled".into(), "booked".into())
    );
}

#[tokio::test]
async fn a_message_of_several_visits_calls_none_of_them_off() {
    let app = App::start().await;
    let ada = reachable_at(&app, EMAIL, PHONE).await;
    put(&ada, "/v1/me/notice-preferences", &json!({"channels": ["sms", "email"], "night": null})).await.expect(200);
    let [first, second] = of_a_day(&app).await;
    let visits = [booked(&app, &ada, &first).await, booked(&app, &ada, &second).await];
    app.at(&(start(&visits[0]) - SignedDuration::from_hours(24)).to_string());
    app.settle().await;
    let reminder = app.mails(PHONE).pop().unwrap().text;
    assert!(reminder.starts_with("Carnet : rappel") && reminder.contains(", "), "{reminder}");
    for (text, said) in [("1", 0), ("2", 1)] {
        answers(&app, PHONE, text).await;
        for visit in &visits {
            assert_eq!(status(&app, &ada, visit).await, "booked");
        }
        assert_eq!(refusals(&app), said, "{text}");
    }
}

#[tokio::test]
async fn who_holds_a_former_number_answers_nothing_and_stops_nothing() {
    let app = App::start().await;
    let (ada, visit) = booked_by_sms(&app).await;
    give(&ada, Some(OTHER_PHONE)).await.expect(204);
    for text in ["2", "STOP"] {
        answers(&app, PHONE, text).await;
    }
    assert_eq!((status(&app, &ada, &visit).await, sms_stopped(&app, &ada).await), ("booked".into(), false));
    ask(&app, &ada).await;
    verify(&ada, &sent(&app, OTHER_PHONE)).await.expect(204);
    for text in ["2", "STOP"] {
        answers(&app, PHONE, text).await;
    }
    assert_eq!((status(&app, &ada, &visit).await, sms_stopped(&app, &ada).await), ("booked".into(), false));
    assert_eq!((app.count("select count(*) from sms_stop").await, refusals(&app)), (0, 0));

    // What was stopped was the number, and not the person.
    answers(&app, OTHER_PHONE, "Bonjour, STOP").await;
    assert!(sms_stopped(&app, &ada).await);
    give(&ada, Some(PHONE)).await.expect(204);
    assert!(!sms_stopped(&app, &ada).await);
    // What she chose herself stays, whatever her number is.
    let wish = json!({"channels": ["sms", "email"], "sms_stopped": true});
    put(&ada, "/v1/me/notice-preferences", &wish).await.expect(200);
    ask(&app, &ada).await;
    verify(&ada, &sent(&app, PHONE)).await.expect(204);
    give(&ada, Some(OTHER_PHONE)).await.expect(204);
    assert!(sms_stopped(&app, &ada).await);
}

#[tokio::test]
async fn stop_holds_for_every_account_of_the_number_and_start_lifts_it() {
    let app = App::start().await;
    let (ada, _) = booked_by_sms(&app).await;
    // Nobody has written to him yet.
    let ben = reachable_at(&app, "ben@famille.example", PHONE).await;
    // Of an account whose number an earlier release let be shown, its messages tell which it is.
    sqlx::query("update account set phone_lookup = null where email_lookup = $1")
        .bind(app.email_lookup(EMAIL))
        .execute(app.pool())
        .await
        .unwrap();
    for (text, stopped) in [("STOP", true), ("START", false), ("stop", true)] {
        for _ in 0..2 {
            answers(&app, PHONE, text).await;
        }
        assert_eq!((sms_stopped(&app, &ada).await, sms_stopped(&app, &ben).await), (stopped, stopped), "{text}");
    }
    // One who takes it up again has shown that they want to be written to; it is theirs to say for themselves.
    let again_please = json!({"channels": ["sms", "email"], "night": null, "sms_stopped": false});
    let kept = put(&ada, "/v1/me/notice-preferences", &again_please).await.expect(200);
    assert_eq!((&kept["sms_stopped"], &kept["reachable_by"]), (&json!(false), &json!(["sms", "email"])));
    assert!(sms_stopped(&app, &ben).await);
    answers(&app, PHONE, "STOP").await;
    assert!(sms_stopped(&app, &ada).await, "it is heard again");
    let lines = "select count(*) from audit where event = 'account.sms-stopped'";
    assert_eq!(app.count(lines).await, 5);
}

#[tokio::test]
async fn nobody_is_told_by_text_message_what_came_of_an_answer_after_stop() {
    let app = App::start().await;
    let (ada, visit) = booked_by_sms(&app).await;
    again(&app, &ada)
        .await
        .post(
            &format!("/v1/appointments/{}/move", visit["id"].as_str().unwrap()),
            &json!({"slot": app.lyon_slots().await[3]["slot"]}),
        )
        .await
        .expect(200);
    for text in ["STOP", "ANNULER"] {
        answers(&app, PHONE, text).await;
    }
    assert_eq!((status(&app, &ada, &visit).await, refusals(&app)), ("booked".into(), 0));
    assert!(subjects(&app.mails(EMAIL)).iter().all(|it| !it.contains("annulé")), "{:?}", subjects(&app.mails(EMAIL)));
}

#[tokio::test]
async fn what_may_be_answered_is_said_where_somebody_can_answer_and_one_message_holds_it() {
    let app = App::start().await;
    let ada = reachable_at(&app, EMAIL, PHONE).await;
    put(&ada, "/v1/me/notice-preferences", &json!({"channels": ["sms", "email"], "night": null})).await.expect(200);
    let double = Double::start().await;
    let by_number = double.url(runtime::sms::Provider::Twilio, "+33644630000");
    for (site, said) in [
        ("https://carnet.example", "Répondez 1 (oui), 2 (annuler) ou STOP."),
        ("https://rendez-vous.centre-hospitalier.carnet.example", ""),
    ] {
        let elsewhere = App::on(app.url.clone(), &[("SMS_URL", &by_number), ("PUBLIC_URL", site)]).await;
        elsewhere.at(&app.now().to_string());
        let slots = elsewhere.lyon_slots().await;
        let visit = book(&elsewhere.nobody().bearing(ada.token()), &slots[0]).await.expect(201);
        elsewhere.settle().await;
        let form = double.last().form();
        let text = &form.iter().find(|(name, _)| name == "Body").unwrap().1;
        let link = format!("{site}/appointments/{}", visit["id"].as_str().unwrap());
        assert_eq!(text.split_once(&link).unwrap().1.trim(), said, "{text}");
        assert_eq!(domain::sms::segments(text).count, 1, "{text}");
    }
}
