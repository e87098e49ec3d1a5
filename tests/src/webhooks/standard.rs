//! What is sent is what Standard Webhooks says: a library that others wrote believes it.

use domain::SignedDuration;
use serde_json::{Value, json};

use super::receiver::{Partner, Receiver};
use super::{administrator, app, deliveries, later, open, path, registered, tell};
use crate::support::App;
use crate::support::app::book;

/// Free times of a practitioner of the house in the weeks to come, whatever the clock says.
async fn slots(app: &App, practitioner: &str) -> Vec<Value> {
    let id = App::practitioner(practitioner);
    let page = app.nobody().get(&format!("/v1/practitioners/{id}")).await.expect(200);
    let first = |list: &str| page[list][0]["id"].as_str().unwrap().to_owned();
    let day = |days: i64| (app.now() + SignedDuration::from_hours(24 * days)).to_string()[..10].to_owned();
    let query = format!("practitioner={id}&reason={}&site={}", first("reasons"), first("sites"));
    app.slots(&format!("{query}&from={}&to={}&limit=100", day(7), day(60))).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_library_that_others_wrote_believes_what_is_sent_and_nothing_else() {
    let (app, partner) = (app().await, Partner::start().await);
    // The library looks at the instant as well.
    app.gateway.ctx.clock.reset();
    let administrator = administrator(&app).await;
    let webhook = registered(&administrator, &format!("{}/hook", partner.address)).await;
    assert!(webhook["secret"].as_str().unwrap().starts_with("whsec_"));
    let verification = format!("{}/verification", path(&webhook));
    // Who does not know the secret believes nothing, and answers no challenge.
    partner.knows(&json!("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")).await;
    let refused = administrator.post(&verification, &json!({})).await;
    assert_eq!((refused.problem(409), &refused.body["answered"]), ("webhook-unverified", &json!(401)));
    partner.knows(&webhook["secret"]).await;
    administrator.post(&verification, &json!({})).await.expect(200);

    let ada = app.patient().await;
    let slots = slots(&app, "etienne-bouvarel").await;
    let visit = book(&ada, &slots[0]).await.expect(201);
    let appointment = format!("/v1/appointments/{}", visit["id"].as_str().unwrap());
    ada.post(&format!("{appointment}/move"), &json!({"slot": slots[9]["slot"]})).await.expect(200);
    ada.post(&format!("{appointment}/cancellation"), &json!({"reason": "varicelle"})).await.expect(200);
    tell(&app).await;
    let sent = administrator.post(&format!("{}/test", path(&webhook)), &json!({})).await.expect(202);
    tell(&app).await;

    let log = partner.log().await;
    let faults: Vec<String> = log.iter().flat_map(|it| super::messages::faults(&it["body"])).collect();
    assert_eq!(faults, Vec::<String>::new());
    assert!(log[1..].iter().all(|it| it["verified"] == true && it["signatures"] == 1), "{log:#?}");
    let kinds: Vec<&str> = log[2..].iter().map(|it| it["body"]["type"].as_str().unwrap()).collect();
    let expected = ["appointment.booked.v1", "appointment.moved.v1", "appointment.cancelled.v1", "webhook.test"];
    assert_eq!(kinds, expected);
    // Ids and a version, and no word of anybody.
    let booked = &log[2]["body"];
    let establishment = gateway::fixtures::id("establishment", "pentes-plateau");
    assert_eq!(booked["data"], json!({"appointment": visit["id"], "version": 1, "establishment": establishment}));
    assert_eq!(booked.as_object().unwrap().keys().collect::<Vec<_>>(), ["type", "timestamp", "data"]);
    for word in ["Ada", "Exemple", "varicelle", "Bouvarel", ada.patient.as_str()] {
        assert!(!json!(log).to_string().contains(word), "{word}");
    }
    assert_eq!(log[5]["id"], sent["delivery"]);
    let known = deliveries(&administrator, &webhook).await;
    assert!(known.iter().all(|it| it["state"] == "delivered" && it["tries"][0]["status"] == 200), "{known:#?}");

    // Other secrets: all are believed, for a day. Who changes it twice cuts off nobody.
    let rotation = format!("{}/secret", path(&webhook));
    let next = administrator.post(&rotation, &json!({})).await.expect(200);
    let last = administrator.post(&rotation, &json!({})).await.expect(200);
    assert_ne!(next["secret"], webhook["secret"]);
    assert!(last["former_secret_until"].is_string());
    for secret in [&webhook["secret"], &next["secret"], &last["secret"]] {
        partner.knows(secret).await;
        administrator.post(&format!("{}/test", path(&webhook)), &json!({})).await.expect(202);
        tell(&app).await;
        let last = partner.log().await.pop().unwrap();
        assert_eq!((&last["verified"], &last["signatures"]), (&json!(true), &json!(3)), "{last}");
    }
}

#[tokio::test]
async fn each_former_secret_signs_for_a_day_of_its_own_and_is_then_forgotten() {
    let (app, receiver) = (app().await, Receiver::start().await);
    let webhook = open(&administrator(&app).await, &receiver, "/hook").await;
    let rotation = format!("{}/secret", path(&webhook));
    let mut signatures = vec![];
    // Each hour another one; then none, until the days of the first ones are over.
    for (hours, rotated) in [(0, true), (1, true), (1, true), (1, true), (20, false), (2, false), (1, false), (1, true)]
    {
        let administrator = later(&app, SignedDuration::from_hours(hours)).await;
        if rotated {
            administrator.post(&rotation, &json!({})).await.expect(200);
        }
        if signatures.len() == 3 {
            let refused = administrator.post(&rotation, &json!({})).await;
            assert_eq!((refused.problem(409), &refused.body["most"]), ("webhook-secrets-too-many", &json!(4)));
            let until: domain::Timestamp = refused.body["until"].as_str().unwrap().parse().unwrap();
            let left = until.duration_since(app.now());
            assert!(left > SignedDuration::from_mins(20 * 60 + 55) && left < SignedDuration::from_hours(21), "{left}");
        }
        administrator.post(&format!("{}/test", path(&webhook)), &json!({})).await.expect(202);
        tell(&app).await;
        signatures.push(receiver.received("/hook").last().unwrap().signatures);
    }
    assert_eq!(signatures, [2, 3, 4, 5, 5, 3, 2, 2]);
    let kept = "select count(*) from webhook where former_secret is not null or older_secrets <> '[]'";
    assert_eq!(app.count(kept).await, 1);
    app.later(SignedDuration::from_hours(25));
    app.settle().await;
    assert_eq!(app.count(kept).await, 0);
    // Two at once: one of them is told to look again.
    let administrator = administrator(&app).await;
    let nothing = json!({});
    let wishes = (0..2).map(|_| administrator.post(&rotation, &nothing));
    let answers = futures_util::future::join_all(wishes).await;
    assert!(answers.iter().any(|it| it.status == 200), "{answers:?}");
    let granted = i64::try_from(answers.iter().filter(|it| it.status == 200).count()).unwrap();
    let former = "select jsonb_array_length(webhook_former_secrets(webhook, '2026-01-01'))::bigint from webhook";
    assert_eq!(app.count(former).await, granted);
}

#[tokio::test]
async fn after_a_day_the_former_secret_signs_no_more() {
    let (app, receiver) = (app().await, Receiver::start().await);
    let first = administrator(&app).await;
    let webhook = open(&first, &receiver, "/hook").await;
    first.post(&format!("{}/secret", path(&webhook)), &json!({})).await.expect(200);
    let mut signatures = vec![];
    for hours in [0, 23, 2] {
        let administrator = later(&app, SignedDuration::from_hours(hours)).await;
        administrator.post(&format!("{}/test", path(&webhook)), &json!({})).await.expect(202);
        tell(&app).await;
        signatures.push(receiver.received("/hook").last().unwrap().signatures);
    }
    assert_eq!(signatures, [2, 2, 1]);
    let known = administrator(&app).await.get(&path(&webhook)).await.expect(200);
    assert_eq!(known["former_secret_until"], Value::Null);
    assert_eq!(known.get("secret"), None);
}
