//! Notices to browsers: opened by a library that is not ours, and told otherwise when nobody looks.

use domain::SignedDuration;
use serde_json::Value;

use super::subjects;
use crate::push::{Browser, push_service};
use crate::support::app::book;
use crate::support::{App, database};

const PUSH_KEY: &str = "q1dXpw3UpT5VOmu_cf_v6ih07Aems3njxI-JWgLcM94";

async fn told(app: &App) -> Vec<Value> {
    app.sql(
        "select jsonb_build_object('channel', channel, 'state', state, 'because', because) from notice
             where recipient_kind = 'account' order by planned_at, id",
    )
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn who_subscribed_is_told_in_the_browser_and_by_mail_when_nobody_looked() {
    let (base, seen) = push_service().await;
    let app = App::on(database::fresh().await, &[("CARNET_ENV", "development"), ("PUSH_KEY", PUSH_KEY)]).await;
    let (ada, browser) = (app.patient().await, Browser::new());
    ada.post("/v1/push-subscriptions", &browser.wish(&format!("{base}/201"))).await.expect(201);
    let slots = app.lyon_slots().await;
    let appointment = book(&ada, &slots[0]).await.expect(201);
    app.settle().await;
    let posted = seen.lock().unwrap().pop().unwrap();
    let opened: Value = serde_json::from_str(browser.open(&posted)["text"].as_str().unwrap()).unwrap();
    assert!(opened["text"].as_str().unwrap().starts_with("Carnet : rendez-vous confirmé le "), "{opened}");
    for secret in ["Ada", "Exemple", "orthophon", appointment["practitioner_name"].as_str().unwrap()] {
        assert!(!opened.to_string().contains(secret), "{opened}");
    }
    assert!(app.mails(&ada.email).is_empty());
    app.later(SignedDuration::from_hours(2));
    app.settle().await;
    assert!(app.mails(&ada.email).is_empty());
    app.later(SignedDuration::from_hours(1));
    app.settle().await;
    assert_eq!(subjects(&app.mails(&ada.email)), ["Votre rendez-vous est confirmé"]);
    assert_eq!(told(&app).await[1]["because"], "push unread");
    // Whoever looked is left in peace.
    let ada = ada.clone().bearing(&app.fresh_token(&ada).await);
    let second = book(&ada, &slots[6]).await.expect(201);
    app.settle().await;
    ada.get(&format!("/v1/appointments/{}", second["id"].as_str().unwrap())).await.expect(200);
    app.later(SignedDuration::from_hours(4));
    app.settle().await;
    assert_eq!(app.mails(&ada.email).len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_that_is_gone_is_forgotten_and_the_next_channel_tells() {
    let (base, seen) = push_service().await;
    let app = App::on(database::fresh().await, &[("CARNET_ENV", "development"), ("PUSH_KEY", PUSH_KEY)]).await;
    let (ada, browser) = (app.patient().await, Browser::new());
    ada.post("/v1/push-subscriptions", &browser.wish(&format!("{base}/410"))).await.expect(201);
    let slots = app.lyon_slots().await;
    book(&ada, &slots[0]).await.expect(201);
    app.settle().await;
    app.settle().await;
    assert_eq!(seen.lock().unwrap().len(), 1);
    assert_eq!(app.count("select count(*) from push_subscription").await, 0);
    assert_eq!(subjects(&app.mails(&ada.email)), ["Votre rendez-vous est confirmé"]);
}
