//! Who looked is left in peace, and sees nothing of what was hidden before they were told.

use domain::SignedDuration;
use gateway::dev::mailbox::Mood;
use serde_json::{Value, json};

use super::choices::{PREFERENCES, now, put, remind_at};
use super::start;
use crate::guardians::{child, prove_identity, young};
use crate::push::{Browser, push_service};
use crate::support::app::book;
use crate::support::{App, database};

const PUSH_KEY: &str = "q1dXpw3UpT5VOmu_cf_v6ih07Aems3njxI-JWgLcM94";

fn path(appointment: &Value) -> String {
    format!("/v1/appointments/{}", appointment["id"].as_str().unwrap())
}

async fn with_browsers() -> App {
    App::on(database::fresh().await, &[("CARNET_ENV", "development"), ("PUSH_KEY", PUSH_KEY)]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_looked_at_while_the_next_channel_waited_is_not_told_again() {
    let (base, _) = push_service().await;
    let app = with_browsers().await;
    let ada = app.patient().await;
    ada.post("/v1/push-subscriptions", &Browser::new().wish(&format!("{base}/201"))).await.expect(201);
    let slots = app.lyon_slots().await;
    let visits = [book(&ada, &slots[0]).await.expect(201), book(&ada, &slots[9]).await.expect(201)];
    app.settle().await;
    app.mailbox.set_mood(Mood::Refuses(451));
    app.later(SignedDuration::from_hours(3));
    app.settle().await;
    let waits = "select count(*) from notice where because = 'push unread' and state = 'planned'";
    assert_eq!(app.count(waits).await, 2);
    let ada = now(&app, &ada).await;
    // The visit itself, and the notice.
    ada.get(&path(&visits[0])).await.expect(200);
    let own = ada.get("/v1/me/notices").await.expect(200);
    let of_second = |it: &&Value| it["appointment"] == visits[1]["id"] && it["channel"] == "push";
    let second = own["items"].as_array().unwrap().iter().find(of_second).unwrap();
    for _ in 0..2 {
        ada.post(&format!("/v1/notices/{}/read", second["id"].as_str().unwrap()), &json!({})).await.expect(204);
    }
    assert_eq!(app.count(waits).await, 0);
    app.mailbox.set_mood(Mood::Well);
    app.later(SignedDuration::from_hours(1));
    app.settle().await;
    assert!(app.mails(&ada.email).is_empty());
    let own = now(&app, &ada).await.get("/v1/me/notices").await.expect(200);
    let spared = own["items"].as_array().unwrap().iter().filter(|it| it["channel"] == "email");
    let why: Vec<(&Value, &Value)> = spared.map(|it| (&it["state"], &it["why"])).collect();
    assert_eq!(why, [(&json!("skipped"), &json!("looked at")); 2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_looked_at_the_first_visit_of_a_message_has_seen_the_others_in_it() {
    let (base, _) = push_service().await;
    let app = with_browsers().await;
    let ada = app.patient().await;
    ada.post("/v1/push-subscriptions", &Browser::new().wish(&format!("{base}/201"))).await.expect(201);
    put(&ada, PREFERENCES, &json!({"night": null})).await.expect(200);
    let child = child(&ada, "2019-01-01").await;
    let slots = app.lyon_slots().await;
    let day = |slot: &Value| slot["starts_at"].as_str().unwrap()[..10].to_owned();
    let second = slots.iter().rev().find(|slot| day(slot) == day(&slots[0])).unwrap();
    let first = book(&ada, &slots[0]).await.expect(201);
    let second = crate::guardians::book_for(&ada, &child, second).await.expect(201);
    app.settle().await;
    for visit in [&first, &second] {
        ada.get(&path(visit)).await.expect(200);
    }
    remind_at(&app, start(&second) - SignedDuration::from_hours(24)).await;
    assert_eq!(app.count("select count(*) from notice where told_in is not null and state = 'sent'").await, 1);
    now(&app, &ada).await.get(&path(&first)).await.expect(200);
    assert_eq!(app.count("select count(*) from notice where kind = 'reminder' and state = 'read'").await, 2);
    app.later(SignedDuration::from_hours(4));
    app.settle().await;
    assert!(app.mails(&ada.email).is_empty());
}

#[tokio::test]
async fn what_was_hidden_before_it_was_told_is_not_named_to_who_acts_for_a_minor() {
    let app = App::start().await;
    let ada = app.patient().await;
    let child = child(&ada, "2010-05-01").await;
    let zoe = young(&app, &ada, &child, "2010-05-01").await;
    prove_identity(&app, &zoe, &child).await;
    let slots = app.slots_with("nolwenn-le-bihannic").await;
    let told = book(&zoe, &slots[4]).await.expect(201);
    app.settle().await;
    app.mailbox.set_mood(Mood::Refuses(451));
    let hidden = book(&zoe, &slots[0]).await.expect(201);
    app.settle().await;
    for visit in [&told, &hidden] {
        zoe.post(&format!("{}/secrecy", path(visit)), &json!({"secret": true})).await.expect(200);
    }
    let named = async |client: &crate::support::Client| {
        let own = client.get("/v1/me/notices").await.expect(200);
        let of = |visit: &Value| {
            own["items"].as_array().unwrap().iter().filter(|it| it["appointment"] == visit["id"]).count()
        };
        (of(&told), of(&hidden))
    };
    // What she was told stays told.
    assert_eq!(named(&ada).await, (1, 0), "while it waits");
    app.mailbox.set_mood(Mood::Well);
    app.later(SignedDuration::from_mins(5));
    app.settle().await;
    let not_theirs = "select count(*) from notice where why = 'not theirs to hear' and state = 'skipped'";
    assert_eq!(app.count(not_theirs).await, 1);
    assert_eq!(named(&now(&app, &ada).await).await, (1, 0));
    assert_eq!(named(&now(&app, &zoe).await).await, (1, 1));
    assert_eq!(app.mails(&zoe.email).len(), 2);
}
