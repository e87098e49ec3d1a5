//! The sync desk: what is wrong is said in plain words, and leaving leaves nothing behind but what is theirs.

use domain::SignedDuration;
use exchange_fakes::mailbox::{Fault, What};
use serde_json::{Value, json};

use super::{ADDRESS, Beside, Event, WHOSE, during, path};
use crate::support::app::book;

#[tokio::test]
async fn a_calendar_that_refuses_is_left_alone_and_the_desk_says_what_to_do() {
    let beside = Beside::start().await;
    let mailbox = beside.connected().await;
    let throttled = Fault { times: 100, ..Fault::next(What::Throttled(Some(600))) };
    beside.server.state().faults.push(throttled);
    beside.look().await;
    let calls = beside.server.state().calls.len();
    let desk = beside.desk(&mailbox).await;
    assert_eq!(desk["fault"], "throttled");
    assert!(desk["trouble"].as_str().unwrap().contains("ralentir"), "{desk}");
    // Whatever happens meanwhile, it is not asked again before the time it wanted.
    let slots = beside.app.slots_with(WHOSE).await;
    book(&beside.app.patient().await, &slots[0]).await.expect(201);
    beside.app.later(SignedDuration::from_mins(9));
    beside.tick().await;
    assert_eq!(beside.server.state().calls.len(), calls);
    beside.server.state().faults.clear();
    beside.app.later(SignedDuration::from_mins(2));
    beside.tick().await;
    let desk = beside.desk(&mailbox).await;
    assert_eq!((&desk["fault"], &desk["trouble"], &desk["failing_since"]), (&Value::Null, &Value::Null, &Value::Null));
    assert_eq!(beside.events().len(), 1, "and what was booked meanwhile is there");
}

#[tokio::test]
async fn an_answer_with_nothing_in_it_is_no_reason_to_conclude_anything() {
    let beside = Beside::start().await;
    let mailbox = beside.connected().await;
    let slots = beside.app.slots_with(WHOSE).await;
    let ada = beside.app.patient().await;
    let visit = book(&ada, &slots[0]).await.expect(201);
    let theirs = beside.server.add(ADDRESS, Event::between("Réunion", during(&slots[9]))).unwrap();
    beside.tick().await;
    beside.look().await;
    // Everything is read again, and nothing comes; then, there is nothing in what comes, though it is well made.
    beside.server.state().faults.push(Fault::once("changes", What::Empty));
    beside.server.state().faults.push(Fault::once("changes", What::Shrunk));
    for item in beside.events().iter().filter(|item| item.id != theirs) {
        beside.server.remove(ADDRESS, &item.id).unwrap();
    }
    beside.administrator.post(&format!("{}/resync", path(&mailbox)), &json!({})).await.expect(200);
    beside.app.settle().await;
    assert_eq!(beside.desk(&mailbox).await["fault"], "malformed");
    assert_eq!(beside.questions(&mailbox).await, Vec::<Value>::new());
    beside.app.later(SignedDuration::from_mins(2));
    beside.tick().await;
    assert!(beside.server.state().faults.is_empty(), "both were met");
    let asked = beside.questions(&mailbox).await;
    assert_eq!((asked.len(), &asked[0]["kind"], &asked[0]["appointment"]), (1, &json!("shrunk"), &visit["id"]));
    let offered = beside.app.slots_with(WHOSE).await;
    assert!(offered.iter().all(|slot| slot["slot"] != slots[9]["slot"]), "what was taken stays taken");
    let read = ada.get(&format!("/v1/appointments/{}", visit["id"].as_str().unwrap())).await.expect(200);
    assert_eq!(read["status"], "booked");
    assert!(beside.events().len() == 1, "nothing is written over what is not known");
}

#[tokio::test]
async fn who_leaves_takes_away_what_was_written_and_nothing_else() {
    let beside = Beside::start().await;
    let mailbox = beside.connected().await;
    let slots = beside.app.slots_with(WHOSE).await;
    let ada = beside.app.patient().await;
    book(&ada, &slots[0]).await.expect(201);
    book(&ada, &slots[5]).await.expect(201);
    let theirs = beside.server.add(ADDRESS, Event::between("Réunion", during(&slots[9]))).unwrap();
    beside.look().await;
    assert_eq!(beside.events().len(), 3);
    let desk = beside.desk(&mailbox).await;
    assert_eq!((&desk["visits"], &desk["blocks"]), (&json!(2), &json!(1)));
    beside.administrator.post(&format!("{}/disconnection", path(&mailbox)), &json!({})).await.expect(200);
    beside.tick().await;
    let left: Vec<String> = beside.events().into_iter().map(|event| event.id).collect();
    assert_eq!(left, [theirs]);
    beside.administrator.get(&path(&mailbox)).await.problem(404);
    let offered = beside.app.slots_with(WHOSE).await;
    assert!(offered.iter().any(|slot| slot["slot"] == slots[9]["slot"]), "its times are free");
    let visits = ada.get("/v1/appointments").await.expect(200);
    assert_eq!(visits["items"].as_array().unwrap().len(), 2, "and the visits stand");
}

#[tokio::test]
async fn a_server_that_is_gone_for_good_can_be_left_all_the_same() {
    let beside = Beside::start().await;
    let mailbox = beside.connected().await;
    let slots = beside.app.slots_with(WHOSE).await;
    beside.server.add(ADDRESS, Event::between("Réunion", during(&slots[9]))).unwrap();
    book(&beside.app.patient().await, &slots[0]).await.expect(201);
    beside.look().await;
    beside.server.state().faults.push(Fault { times: 1000, ..Fault::next(What::Unreached) });
    let leave = format!("{}/disconnection", path(&mailbox));
    let leaving = beside.administrator.post(&leave, &json!({})).await.expect(200);
    assert_eq!(leaving["state"], "leaving");
    beside.tick().await;
    assert_eq!(beside.desk(&mailbox).await["fault"], "unavailable");
    let left = beside.app.staff("administrator-pentes").await.post(&leave, &json!({"abandon": true})).await.expect(200);
    assert_eq!(left["state"], "left");
    let offered = beside.app.slots_with(WHOSE).await;
    assert!(offered.iter().any(|slot| slot["slot"] == slots[9]["slot"]));
}

#[tokio::test]
async fn nobody_without_the_secret_of_a_watch_wakes_anything() {
    let beside = Beside::start().await;
    let mailbox = beside.connected().await;
    sqlx::query("update exchange_mailbox set watch = 'w', watch_secret = $1, watch_until = 'infinity', read_at = 'infinity', write_at = null")
        .bind(runtime::keys::digest(b"known"))
        .execute(beside.app.pool())
        .await
        .unwrap();
    let nobody = beside.app.nobody();
    let woken = "select wishes from exchange_mailbox";
    let before = beside.app.count(woken).await;
    for (watch, secret) in [("w", "other"), ("other", "known"), ("", ""), ("w", "")] {
        nobody.post("/v1/exchange/notifications", &super::told(watch, secret)).await.expect(202);
    }
    for strange in [json!({}), json!([]), json!({"value": 7}), json!({"value": [{"subscriptionId": 3}]})] {
        nobody.post("/v1/exchange/notifications", &strange).await.expect(202);
    }
    assert_eq!(beside.app.count(woken).await, before);
    nobody.post("/v1/exchange/notifications", &super::told("w", "known")).await.expect(202);
    assert_eq!(beside.app.count(woken).await, before + 1);
    beside.app.settle().await;
    assert!(beside.desk(&mailbox).await["late_seconds"] == 0, "it was looked at");
    // The handshake gives back what came, as text and as it is.
    let token = "Validation: Testing client application reachability é+%2B <b>";
    let query = form_urlencoded::Serializer::new(String::new()).append_pair("validationToken", token).finish();
    let request = nobody.request(axum::http::Method::POST, &format!("/v1/exchange/notifications?{query}"));
    let request = request.header("content-type", "text/plain; charset=utf-8").body(axum::body::Body::empty()).unwrap();
    let answer = nobody.send(request).await;
    assert_eq!((answer.status.as_u16(), &answer.body), (200, &json!(token)));
}
