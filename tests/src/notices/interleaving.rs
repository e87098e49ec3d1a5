//! The product itself under everything at once: people who book, move and call off in any order, a relay that comes and goes, clocks
//! that jump. Each notice arrives once, or it is written down why not. The rules alone are tried in ten thousand such stories in
//! `domain`; here are fewer, with the database and SMTP.

use std::collections::BTreeMap;

use domain::SignedDuration;
use gateway::dev::mailbox::Mood;
use rand::RngExt as _;
use serde_json::{Value, json};

use crate::support::app::book;
use crate::support::{App, Client};

const PEOPLE: usize = 8;
const ROUNDS: usize = 90;

#[tokio::test(flavor = "multi_thread")]
async fn whatever_happens_each_notice_arrives_once_or_says_why_not() {
    let app = App::start().await;
    let mut people: Vec<Client> = Vec::new();
    for _ in 0..PEOPLE {
        people.push(app.patient().await);
    }
    let mut rng = rand::rng();
    let mut visits: Vec<(usize, String)> = Vec::new();
    for _ in 0..ROUNDS {
        let who = rng.random_range(0..PEOPLE);
        let client = people[who].clone().bearing(&app.fresh_token(&people[who]).await);
        let from = app.now().to_string()[..10].to_owned();
        let open = format!("/v1/slots?specialty=orthophoniste&place=Lyon&from={from}&limit=60");
        let slots = app.nobody().get(&open).await.expect(200)["items"].as_array().unwrap().clone();
        let slot = (!slots.is_empty()).then(|| slots[rng.random_range(0..slots.len())].clone());
        let visit = (!visits.is_empty()).then(|| visits[rng.random_range(0..visits.len())].clone());
        match (rng.random_range(0..8), slot, visit) {
            (0..3, Some(slot), _) => {
                let answer = book(&client, &slot).await;
                if answer.status == 201 {
                    visits.push((who, answer.body["id"].as_str().unwrap().to_owned()));
                }
            }
            // May be refused: it has begun, the time was taken, it was called off.
            (3, Some(slot), Some((whose, id))) => {
                let client = people[whose].clone().bearing(&app.fresh_token(&people[whose]).await);
                client.post(&format!("/v1/appointments/{id}/move"), &json!({"slot": slot["slot"]})).await;
            }
            (4, _, Some((whose, id))) => {
                let client = people[whose].clone().bearing(&app.fresh_token(&people[whose]).await);
                client.post(&format!("/v1/appointments/{id}/cancellation"), &json!({"reason": "x"})).await;
            }
            (5, ..) => app.mailbox.set_mood(if rng.random() { Mood::Refuses(451) } else { Mood::Well }),
            (6, ..) => app.later(-SignedDuration::from_mins(rng.random_range(1..60))),
            _ => app.later(SignedDuration::from_mins(rng.random_range(10..600))),
        }
        app.settle().await;
    }
    app.mailbox.set_mood(Mood::Well);
    // Also of times that were left: what is planned of them says when it is due that it is not so.
    let last = "select to_jsonb(greatest(max(starts_at), (select max(starts_at) from notice))) from appointment";
    let last = app.sql(last).await[0].as_str().unwrap().parse().unwrap();
    while app.now() <= last {
        app.settle().await;
        app.later(SignedDuration::from_hours(4));
    }
    app.settle().await;
    assert_eq!(app.count("select count(*) from notice where state = 'planned' and channel <> 'letter'").await, 0);
    assert_eq!(app.count("select count(*) from notice where state in ('skipped', 'failed') and why is null").await, 0);
    // Everybody concerned by each event has a notice of it, and each visit that took place a reminder.
    let untold = "select count(*) from outbox o join appointment a on a.id = o.subject
        join guardianship g on g.patient_id = a.patient_id
        where o.kind like 'appointment.%' and not exists (
            select from notice n where n.event_id = o.id and n.recipient_id = g.account_id)";
    assert_eq!(app.count(untold).await, 0);
    let unreminded = "select count(*) from appointment a join guardianship g on g.patient_id = a.patient_id
        where a.status = 'booked' and not exists (
            select from notice n where n.appointment_id = a.id and n.version = a.version and n.kind = 'reminder'
              and n.recipient_id = g.account_id)";
    assert_eq!(app.count(unreminded).await, 0);
    // What is said to be sent arrived, once; nothing else did.
    let mut arrived: BTreeMap<String, usize> = BTreeMap::new();
    for mail in app.mailbox.received(None) {
        *arrived.entry(mail.message_id.split('@').next().unwrap().to_owned()).or_default() += 1;
    }
    let sent: Vec<Value> = app
        .sql("select to_jsonb(id) from notice where state in ('sent', 'delivered', 'read') and told_in is null order by id")
        .await;
    assert!(arrived.values().all(|times| *times == 1), "{arrived:?}");
    let sent: Vec<&str> = sent.iter().map(|id| id.as_str().unwrap()).collect();
    assert_eq!(arrived.keys().map(String::as_str).collect::<Vec<_>>(), sent);
    assert!(sent.len() > PEOPLE, "{} notices were sent", sent.len());
}
