//! From registration to removal: who may, what waits, what is given up, and what is sent again.

use domain::SignedDuration;
use serde_json::{Value, json};

use super::receiver::{Manner, Receiver};
use super::{ALL, administrator, administrator_of, app, change, deliveries, later, open, path, registered, send, tell};
use crate::support::App;
use crate::support::app::book;

const ADMINISTRATOR: &str = "beatrice.fontvieillard@pentes.example";

#[tokio::test]
async fn nothing_is_sent_before_the_owner_of_an_address_has_answered_the_challenge() {
    let (app, receiver) = (app().await, Receiver::start().await);
    let administrator = administrator(&app).await;
    let webhook = registered(&administrator, &format!("{}/hook", receiver.address)).await;
    assert_eq!(webhook["state"], "unverified");
    let (ada, slots) = (app.patient().await, app.slots_with("etienne-bouvarel").await);
    book(&ada, &slots[0]).await.expect(201);
    tell(&app).await;
    let verification = format!("{}/verification", path(&webhook));
    for (status, reason) in [(200, "challenge"), (503, "status"), (302, "status")] {
        receiver.behaves("/hook", Manner::Answers(status));
        let refused = administrator.post(&verification, &json!({})).await;
        assert_eq!((refused.problem(409), &refused.body["reason"]), ("webhook-unverified", &json!(reason)));
    }
    assert_eq!(administrator.post(&format!("{}/test", path(&webhook)), &json!({})).await.problem(409), "webhook-state");
    receiver.behaves("/hook", Manner::Takes);
    assert_eq!(administrator.post(&verification, &json!({})).await.expect(200)["state"], "active");
    assert_eq!(administrator.post(&verification, &json!({})).await.problem(409), "webhook-state");
    // What happened before is not theirs.
    tell(&app).await;
    assert_eq!(receiver.received("/hook").len(), 0);
    book(&ada, &slots[8]).await.expect(201);
    tell(&app).await;
    assert_eq!(receiver.taken("/hook").len(), 1);

    // Another address is asked first; what happens meanwhile waits for it.
    let moved = change(&administrator, &path(&webhook), &json!({"url": format!("{}/other", receiver.address)})).await;
    assert_eq!(moved.expect(200)["state"], "unverified");
    book(&ada, &slots[16]).await.expect(201);
    tell(&app).await;
    assert_eq!((receiver.taken("/hook").len(), receiver.taken("/other").len()), (1, 0));
    administrator.post(&verification, &json!({})).await.expect(200);
    send(&app).await;
    assert_eq!((receiver.taken("/hook").len(), receiver.taken("/other").len()), (1, 1));
}

#[tokio::test]
async fn an_administrator_chooses_events_pauses_and_removes() {
    let (app, receiver) = (app().await, Receiver::start().await);
    let administrator = administrator(&app).await;
    let url = format!("{}/hook", receiver.address);
    for (wish, field) in [
        (json!({"url": url, "events": []}), "events"),
        (json!({"url": url, "events": ["account.opened.v1"]}), "events[0]"),
        (json!({"url": "hook", "events": ALL}), "url"),
        (json!({"url": "https://a@hook.example/", "events": ALL}), "url"),
    ] {
        let refused = administrator.post("/v1/webhooks", &wish).await;
        assert_eq!((refused.problem(422), &refused.body["field"]), ("field-invalid", &json!(field)));
    }
    let webhook = open(&administrator, &receiver, "/hook").await;
    let path = path(&webhook);
    let (ada, slots) = (app.patient().await, app.slots_with("etienne-bouvarel").await);
    let chosen =
        change(&administrator, &path, &json!({"events": ["appointment.cancelled.v1"], "description": "Agenda"})).await;
    assert_eq!(chosen.expect(200)["events"], json!(["appointment.cancelled.v1"]));
    let visit = book(&ada, &slots[0]).await.expect(201);
    tell(&app).await;
    assert_eq!(receiver.received("/hook").len(), 0);
    assert_eq!(administrator.post(&format!("{path}/resume"), &json!({})).await.problem(409), "webhook-state");
    let paused = administrator.post(&format!("{path}/pause"), &json!({})).await.expect(200);
    assert_eq!((&paused["state"], &paused["paused_why"]), (&json!("paused"), &json!("administrator")));
    assert_eq!(administrator.post(&format!("{path}/pause"), &json!({})).await.problem(409), "webhook-state");
    let cancellation = format!("/v1/appointments/{}/cancellation", visit["id"].as_str().unwrap());
    ada.post(&cancellation, &json!({"reason": "x"})).await.expect(200);
    tell(&app).await;
    assert_eq!(receiver.received("/hook").len(), 0);
    administrator.post(&format!("{path}/resume"), &json!({})).await.expect(200);
    send(&app).await;
    assert_eq!(receiver.taken("/hook").len(), 1);
    // Its log is paged, and forgotten after a month.
    for _ in 0..3 {
        administrator.post(&format!("{path}/test"), &json!({})).await.expect(202);
    }
    let first = administrator.get(&format!("{path}/deliveries?limit=3&state=waiting")).await.expect(200);
    assert_eq!((first["items"].as_array().unwrap().len(), &first["next_cursor"]), (3, &Value::Null));
    let first = administrator.get(&format!("{path}/deliveries?limit=3")).await.expect(200);
    let next = format!("{path}/deliveries?limit=3&cursor={}", first["next_cursor"].as_str().unwrap());
    let last = administrator.get(&next).await.expect(200);
    assert_eq!(
        (last["items"][0]["type"].as_str(), &last["next_cursor"]),
        (Some("appointment.cancelled.v1"), &Value::Null)
    );
    tell(&app).await;
    let administrator = later(&app, SignedDuration::from_hours(24 * 31)).await;
    app.settle().await;
    assert_eq!(deliveries(&administrator, &webhook).await.len(), 0);
    administrator.post(&format!("{path}/removal"), &json!({})).await.expect(204);
    administrator.get(&path).await.problem(404);
    assert_eq!(administrator.get("/v1/webhooks").await.expect(200)["items"], json!([]));
    // What was done stands in the trail.
    let events = app
        .sql("select to_jsonb(event) from audit where event like 'webhook.%' and action <> 'read' order by seq")
        .await;
    for event in ["create", "verify", "change", "pause", "resume", "test", "remove"] {
        assert!(events.contains(&json!(format!("webhook.{event}"))), "{event}: {events:?}");
    }
}

#[tokio::test]
async fn an_establishment_has_ten_and_another_one_sees_none_of_them() {
    let (app, receiver) = (app().await, Receiver::start().await);
    let administrator = administrator(&app).await;
    let webhook = open(&administrator, &receiver, "/hook").await;
    let wishes = (0..14).map(|n| {
        let (client, url) = (administrator.clone(), format!("{}/{n}", receiver.address));
        async move { client.post("/v1/webhooks", &json!({"url": url, "events": ALL})).await.status.as_u16() }
    });
    let answers = futures_util::future::join_all(wishes).await;
    assert_eq!(answers.iter().filter(|status| **status == 201).count(), 9, "{answers:?}");
    assert!(answers.iter().all(|status| [201, 409].contains(status)), "{answers:?}");
    // Somebody who runs another establishment.
    let elsewhere = administrator_of(&app, "confluent").await;
    assert_eq!(elsewhere.get("/v1/webhooks").await.expect(200)["items"], json!([]));
    let path = path(&webhook);
    elsewhere.get(&path).await.problem(404);
    elsewhere.get(&format!("{path}/deliveries")).await.problem(404);
    change(&elsewhere, &path, &json!({"description": "x"})).await.problem(404);
    change(&elsewhere, &path, &json!({"url": "https://127.0.0.1/"})).await.problem(404);
    for action in ["verification", "secret", "pause", "resume", "test", "removal"] {
        elsewhere.post(&format!("{path}/{action}"), &json!({})).await.problem(404);
    }
    let all = json!({"from": "2020-01-01T00:00:00Z", "to": "2030-01-01T00:00:00Z"});
    elsewhere.post(&format!("{path}/replay"), &all).await.problem(404);
    app.staff("secretary-pentes").await.get(&path).await.problem(403);
    // Nor are they told of what happens here.
    open(&elsewhere, &receiver, "/elsewhere").await;
    book(&app.patient().await, &app.slots_with("etienne-bouvarel").await[0]).await.expect(201);
    tell(&app).await;
    assert_eq!((receiver.taken("/hook").len(), receiver.taken("/elsewhere").len()), (1, 0));
}

/// Moves on to each next try until nothing waits.
async fn until_given_up(app: &App) -> usize {
    let next = "select coalesce(to_jsonb(min(case when w.state = 'active'
                    then greatest(d.next_attempt_at, w.resting_until) else d.expires_at end)), 'null')
                from webhook_delivery d join webhook w on w.id = d.webhook_id where d.state = 'waiting'";
    for round in 0..200 {
        let next = app.sql(next).await.remove(0);
        let Some(next) = next.as_str() else { return round };
        let next: domain::Timestamp = next.parse().unwrap();
        if next > app.now() {
            app.at(&(next + SignedDuration::from_secs(1)).to_string());
        }
        send(app).await;
    }
    panic!("it is never given up");
}

#[tokio::test]
async fn three_days_down_are_given_up_told_of_and_sent_again_by_time() {
    let (app, receiver) = (app().await, Receiver::start().await);
    let webhook = open(&administrator(&app).await, &receiver, "/hook").await;
    receiver.behaves("/hook", Manner::Answers(503));
    let (ada, slots) = (app.patient().await, app.slots_with("etienne-bouvarel").await);
    let mut visits = vec![];
    for slot in slots.iter().step_by(4).take(3) {
        visits.push(book(&ada, slot).await.expect(201)["id"].as_str().unwrap().to_owned());
    }
    app.settle().await;
    let from = app.now() - SignedDuration::from_hours(1);
    let rounds = until_given_up(&app).await;
    assert!(rounds > 10, "{rounds}");
    assert!(app.now() >= from + SignedDuration::from_hours(3 * 24));
    // Paused after a day of nothing but failures; its administrators are told, once, and not where it leads.
    app.settle().await;
    let client = administrator(&app).await;
    let known = client.get(&path(&webhook)).await.expect(200);
    assert_eq!((&known["state"], &known["paused_why"]), (&json!("paused"), &json!("failing")));
    let mails = app.mails(ADMINISTRATOR);
    assert_eq!(mails.len(), 1);
    assert_eq!(mails[0].subject, "Un webhook de votre établissement est en pause");
    assert!(!mails[0].text.contains("127.0.0.1") && mails[0].text.contains("trois jours"), "{}", mails[0].text);
    let paused = app.sql("select to_jsonb(audit) from audit where event = 'webhook.pause'").await;
    assert_eq!(paused.len(), 1);
    let establishment = gateway::fixtures::id("establishment", "pentes-plateau");
    assert_eq!((&paused[0]["actor_kind"], &paused[0]["establishment_id"]), (&json!("system"), &json!(establishment)));
    let all = deliveries(&client, &webhook).await;
    assert!(all.len() == 3 && all.iter().all(|it| it["state"] == "failed"), "{all:#?}");
    assert!(all.iter().all(|it| (1..=20).contains(&it["tries"].as_array().unwrap().len())));
    let ids: std::collections::BTreeSet<String> = receiver.received("/hook").into_iter().map(|it| it.id).collect();
    assert_eq!(ids.len(), 3);

    // Mended: what was missed is asked for by time, and comes under the same ids.
    receiver.behaves("/hook", Manner::Takes);
    client.post(&format!("{}/resume", path(&webhook)), &json!({})).await.expect(200);
    let stretch = json!({"from": from, "to": app.now()});
    let replayed = client.post(&format!("{}/replay", path(&webhook)), &stretch).await.expect(202);
    assert_eq!(replayed, json!({"replayed": 3, "until": null}));
    send(&app).await;
    let taken: Vec<_> = receiver.received("/hook").into_iter().filter(|it| it.taken).collect();
    let mut told: Vec<_> = taken.iter().map(super::receiver::Received::subject).collect();
    told.sort();
    visits.sort();
    assert_eq!(told, visits);
    assert!(taken.iter().all(|it| ids.contains(&it.id)));
    // And one alone.
    let one = json!({"delivery": taken[0].id});
    assert_eq!(
        client.post(&format!("{}/replay", path(&webhook)), &one).await.expect(202),
        json!({"replayed": 1, "until": null})
    );
    send(&app).await;
    assert_eq!(receiver.received("/hook").last().unwrap().id, taken[0].id);
    for wrong in [json!({}), json!({"delivery": taken[0].id, "from": from, "to": from}), json!({"from": from})] {
        client.post(&format!("{}/replay", path(&webhook)), &wrong).await.problem(422);
    }
    let unknown = json!({"delivery": uuid::Uuid::now_v7()});
    client.post(&format!("{}/replay", path(&webhook)), &unknown).await.problem(404);
}

#[tokio::test]
async fn what_waits_for_a_paused_address_expires_after_three_days() {
    let (app, receiver) = (app().await, Receiver::start().await);
    let client = administrator(&app).await;
    let webhook = open(&client, &receiver, "/hook").await;
    client.post(&format!("{}/pause", path(&webhook)), &json!({})).await.expect(200);
    book(&app.patient().await, &app.slots_with("etienne-bouvarel").await[0]).await.expect(201);
    app.settle().await;
    let client = later(&app, SignedDuration::from_hours(71)).await;
    send(&app).await;
    assert_eq!(deliveries(&client, &webhook).await[0]["state"], "waiting");
    let client = later(&app, SignedDuration::from_hours(2)).await;
    send(&app).await;
    assert_eq!(deliveries(&client, &webhook).await[0]["state"], "expired");
    client.post(&format!("{}/resume", path(&webhook)), &json!({})).await.expect(200);
    let replay = json!({"delivery": deliveries(&client, &webhook).await[0]["id"]});
    client.post(&format!("{}/replay", path(&webhook)), &replay).await.expect(202);
    assert_eq!(send(&app).await, 1);
    assert_eq!(deliveries(&client, &webhook).await[0]["state"], "delivered");
}

#[tokio::test]
async fn who_answers_gone_is_paused_at_once() {
    let (app, receiver) = (app().await, Receiver::start().await);
    let client = administrator(&app).await;
    let webhook = open(&client, &receiver, "/hook").await;
    receiver.behaves("/hook", Manner::Answers(410));
    client.post(&format!("{}/test", path(&webhook)), &json!({})).await.expect(202);
    tell(&app).await;
    app.settle().await;
    let known = client.get(&path(&webhook)).await.expect(200);
    assert_eq!((&known["state"], &known["paused_why"]), (&json!("paused"), &json!("gone")));
    assert_eq!(app.mails(ADMINISTRATOR).len(), 1);
    let waiting = deliveries(&client, &webhook).await;
    assert_eq!((&waiting[0]["state"], &waiting[0]["tries"][0]["status"]), (&json!("waiting"), &json!(410)));
    app.later(SignedDuration::from_hours(1));
    assert_eq!(send(&app).await, 0);
}
