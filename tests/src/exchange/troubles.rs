//! Whatever fails wherever, and whoever comes beside: nothing twice, nothing lost, nothing of theirs touched.

use std::time::Duration;

use axum::body::Body;
use domain::SignedDuration;
use exchange_fakes::mailbox::{Fault, What};
use futures_util::future::join_all;
use rand::RngExt as _;
use serde_json::{Value, json};

use super::{ADDRESS, BOTH, Beside, Event, WHOSE, during};
use crate::support::app::book;

/// Of every item its tag, once each; and theirs is as they left it.
fn nothing_twice(beside: &Beside, wanted: usize, theirs: &str) {
    let events = beside.events();
    let mut tags: Vec<_> = events.iter().filter_map(|event| event.tag().map(str::to_owned)).collect();
    assert_eq!(tags.len(), wanted, "{tags:?}");
    tags.sort();
    tags.dedup();
    assert_eq!(tags.len(), wanted, "made twice");
    let left = events.iter().find(|event| event.id == theirs).expect("theirs is there");
    assert_eq!((&*left.subject, left.tag()), ("Réunion", None));
    assert!(beside.server.state().calls.iter().all(|call| call.in_flight <= 4), "more than four requests at once");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_is_killed_anywhere_makes_nothing_twice() {
    for of in BOTH {
        let beside = Beside::of(of).await;
        beside.connected().await;
        let slots = beside.app.slots_with(WHOSE).await;
        let theirs = beside.server.add(ADDRESS, Event::between("Réunion", during(&slots[60]))).unwrap();
        let ada = beside.app.patient().await;
        for slot in slots.iter().step_by(3).take(12) {
            book(&ada, slot).await.expect(201);
        }
        for _ in 0..20 {
            // Between a request and its answer, or between the answer and what is written down.
            let moment = Duration::from_micros(rand::rng().random_range(500..40_000));
            let due = "update exchange_mailbox set read_at = '2026-01-01', rests_until = null";
            sqlx::query(due).execute(beside.app.pool()).await.unwrap();
            drop(tokio::time::timeout(moment, beside.app.event("sync-exchange", Body::from("{}"))).await);
            beside.app.later(SignedDuration::from_secs(331));
        }
        for _ in 0..3 {
            beside.app.later(SignedDuration::from_mins(10));
            beside.tick().await;
        }
        nothing_twice(&beside, 12, &theirs);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_at_once_and_every_fault_come_to_the_same_end() {
    for of in BOTH {
        let beside = Beside::of(of).await;
        beside.connected().await;
        let slots = beside.app.slots_with(WHOSE).await;
        let theirs = beside.server.add(ADDRESS, Event::between("Réunion", during(&slots[60]))).unwrap();
        let mut visits: Vec<Value> = Vec::new();
        let faults = [
            What::Status(500, "ErrorInternalServerError"),
            What::Status(503, "ErrorServerBusy"),
            What::Status(400, "ErrorInvalidRequest"),
            What::Throttled(Some(3)),
            What::Throttled(None),
            What::Unreached,
            What::Broken,
            What::LostAnswer,
            What::Truncated,
            What::Empty,
            What::Page,
            What::LoseCursor,
            What::Raced,
        ];
        let ada = beside.app.patient().await;
        for (round, what) in faults.into_iter().enumerate() {
            let ada = ada.clone().bearing(&beside.app.fresh_token(&ada).await);
            visits.push(book(&ada, &slots[round * 3]).await.expect(201));
            beside.server.state().faults.push(Fault { skip: u32::try_from(round % 3).unwrap(), ..Fault::next(what) });
            join_all((0..4).map(|_| beside.app.event("sync-exchange", Body::from("{}")))).await;
            beside.app.settle().await;
            beside.app.later(SignedDuration::from_mins(70));
            beside.server.state().now = beside.app.now();
        }
        beside.server.state().faults.clear();
        for _ in 0..3 {
            beside.app.later(SignedDuration::from_hours(7));
            beside.look().await;
        }
        nothing_twice(&beside, visits.len(), &theirs);
        let ada = ada.clone().bearing(&beside.app.fresh_token(&ada).await);
        for visit in &visits {
            let read = ada.get(&format!("/v1/appointments/{}", visit["id"].as_str().unwrap())).await.expect(200);
            assert_eq!(read["status"], "booked");
        }
    }
}

#[tokio::test]
async fn two_practitioners_who_share_a_calendar_are_not_in_each_others_way() {
    let beside = Beside::start().await;
    let mailbox = beside.connected().await;
    let servers = beside.administrator.get("/v1/exchange-servers").await.expect(200);
    let other = "nolwenn-le-bihannic";
    beside.beside(&servers["items"][0], other).await;
    let ada = beside.app.patient().await;
    let (ours, theirs) = (beside.app.slots_with(WHOSE).await, beside.app.slots_with(other).await);
    book(&ada, &ours[0]).await.expect(201);
    book(&ada, &theirs[20]).await.expect(201);
    beside.app.settle().await;
    for _ in 0..2 {
        beside.look().await;
    }
    assert_eq!(beside.events().len(), 2);
    assert_eq!(beside.desk(&mailbox).await["blocks"], 0, "a colleague's visit takes nobody else's time");
    // Something of somebody else's takes the time of both.
    beside.server.add(ADDRESS, Event::between("Réunion", during(&ours[9]))).unwrap();
    beside.look().await;
    assert_eq!(beside.app.count("select count(*) from exchange_block").await, 2);
    // A calendar is beside an agenda once.
    let wish = json!({"server": servers["items"][0]["id"], "address": "autre@pentes.example",
                      "practitioner": gateway::fixtures::id("practitioner", other)});
    assert_eq!(beside.administrator.post("/v1/exchange-mailboxes", &wish).await.problem(409), "mailbox-taken");
}
