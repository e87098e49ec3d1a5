//! Two hundred people want one thing at one moment.

use std::time::{Duration, Instant};

use axum::http::{Method, StatusCode};
use futures_util::future::join_all;
use gateway::tools::client::Client as Http;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::app::book;
use crate::support::{App, Client, database};

const CROWD: usize = 200;

/// How a crowd fared.
struct Outcome {
    answers: Vec<(StatusCode, Value)>,
    slowest: Vec<Duration>,
}

impl Outcome {
    /// One got it, all others were told that it is taken, nobody waited for a deadlock to be found (1 s).
    #[track_caller]
    fn one_winner(&self, won: StatusCode) {
        let winners = self.answers.iter().filter(|(status, _)| *status == won).count();
        let losers = self
            .answers
            .iter()
            .filter(|(status, body)| *status == StatusCode::CONFLICT && body["type"] == "/problems/slot-taken")
            .count();
        assert_eq!(
            (winners, losers),
            (1, self.answers.len() - 1),
            "{:?}",
            self.answers.iter().map(|a| a.0).collect::<Vec<_>>()
        );
        self.no_stall();
    }

    #[track_caller]
    fn no_stall(&self) {
        let p99 = self.slowest[self.slowest.len() * 99 / 100];
        println!("p50 {:?} p99 {p99:?}", self.slowest[self.slowest.len() / 2]);
        // The aim of 250 ms is measured by the benchmark on a quiet machine; here a stall must show, not the noise.
        assert!(p99 < Duration::from_secs(5), "stalled: {p99:?}");
        assert_eq!(database::deadlocks(), 0, "deadlocks in PostgreSQL's log");
    }
}

/// Everybody at once, each over a connection of their own.
async fn rush(address: &str, requests: Vec<(String, String, Value)>) -> Outcome {
    let base = Http::new(address);
    let all = requests.into_iter().map(|(token, path, body)| {
        let http = base.bearing(&token);
        async move {
            let began = Instant::now();
            let key = Uuid::now_v7().to_string();
            let answer = http.send(Method::POST, &path, Some(&body), Some(&key)).await.unwrap();
            (answer, began.elapsed())
        }
    });
    let (answers, mut slowest): (Vec<_>, Vec<_>) = join_all(all).await.into_iter().unzip();
    slowest.sort();
    Outcome { answers, slowest }
}

fn bookings(crowd: &[Client], slots: &[Value]) -> Vec<(String, String, Value)> {
    crowd
        .iter()
        .zip(slots.iter().cycle())
        .map(|(client, slot)| (client.token().to_owned(), "/v1/appointments".into(), json!({"slot": slot["slot"]})))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn of_200_bookings_of_one_slot_exactly_one_succeeds() {
    let app = App::start().await;
    let slots = app.lyon_slots().await;
    let crowd = app.crowd(CROWD).await;
    let address = app.listen().await;
    for round in 0..3 {
        let slot = &slots[round..=round];
        rush(&address, bookings(&crowd, slot)).await.one_winner(StatusCode::CREATED);
    }
    consistent(&app).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_overlapping_but_unequal_slots_exactly_one_is_had() {
    let app = App::start().await;
    let crowd = app.crowd(CROWD).await;
    let address = app.listen().await;
    let (one, two) = overlapping(&app).await;
    rush(&address, bookings(&crowd, &[one, two])).await.one_winner(StatusCode::CREATED);
    consistent(&app).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_patient_gets_one_of_many_practitioners_at_one_time() {
    let app = App::start().await;
    let ada = app.patient().await;
    let from = "2026-03-10T09:00:00Z";
    let all = app.slots(&format!("place=Lyon&from={from}&to=2026-03-10T09:30:00Z&limit=500")).await;
    let mut practitioners: Vec<Value> = Vec::new();
    for slot in all.iter().filter(|slot| slot["starts_at"] == "2026-03-10T10:00:00+01:00").cloned() {
        if practitioners.iter().all(|seen| seen["practitioner"] != slot["practitioner"]) {
            practitioners.push(slot);
        }
    }
    assert!(practitioners.len() >= 5, "{} practitioners", practitioners.len());
    let crowd = vec![ada; CROWD];
    rush(&app.listen().await, bookings(&crowd, &practitioners)).await.one_winner(StatusCode::CREATED);
    consistent(&app).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_200_moves_onto_one_slot_exactly_one_succeeds_and_the_others_keep_theirs() {
    let app = App::start().await;
    let crowd = app.crowd(60).await;
    let mut slots = app.lyon_slots().await;
    slots.dedup_by_key(|slot| slot["starts_at"].clone());
    let target = slots.pop().unwrap();
    let mut appointments = Vec::new();
    for (client, slot) in crowd.iter().zip(&slots) {
        appointments.push((client.clone(), book(client, slot).await.expect(201)));
    }
    assert!(appointments.len() >= 20);
    // Each asks several times at once, as an impatient person would.
    let requests = (0..CROWD)
        .map(|turn| &appointments[turn % appointments.len()])
        .map(|(client, appointment)| {
            let path = format!("/v1/appointments/{}/move", appointment["id"].as_str().unwrap());
            (client.token().to_owned(), path, json!({"slot": target["slot"]}))
        })
        .collect();
    let outcome = rush(&app.listen().await, requests).await;
    outcome.no_stall();
    let moved = app.count("select count(*) from appointment where version > 1").await;
    assert_eq!(moved, 1, "one appointment moved, once");
    assert!(outcome.answers.iter().all(|(status, _)| !status.is_server_error()));
    // Whoever won may have been told so several times; everybody else was told that it is taken.
    let winners: std::collections::HashSet<&str> = outcome
        .answers
        .iter()
        .filter(|(status, _)| status.is_success())
        .map(|(_, body)| body["id"].as_str().unwrap())
        .collect();
    assert_eq!(winners.len(), 1);
    consistent(&app).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn swaps_of_two_appointments_never_deadlock() {
    let app = App::start().await;
    let crowd = app.crowd(2).await;
    let slots = app.lyon_slots().await;
    let address = app.listen().await;
    let one = book(&crowd[0], &slots[0]).await.expect(201);
    let two = book(&crowd[1], &slots[1]).await.expect(201);
    for _ in 0..40 {
        let requests = [(0, &one, 1), (1, &two, 0), (0, &one, 2), (1, &two, 2), (0, &one, 0), (1, &two, 1)]
            .map(|(who, appointment, slot)| {
                let path = format!("/v1/appointments/{}/move", appointment["id"].as_str().unwrap());
                (crowd[who].token().to_owned(), path, json!({"slot": slots[slot]["slot"]}))
            })
            .to_vec();
        let outcome = rush(&address, requests).await;
        assert!(outcome.answers.iter().all(|(status, _)| !status.is_server_error()), "{:?}", outcome.answers);
        outcome.no_stall();
    }
    consistent(&app).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_key_sent_50_times_at_once_gives_one_appointment_and_50_identical_answers() {
    let app = App::start().await;
    let ada = app.patient().await;
    let slots = app.lyon_slots().await;
    let address = app.listen().await;
    for round in 0..5 {
        let http = Http::new(&address).bearing(ada.token());
        let (wish, key) = (json!({"slot": slots[round * 2]["slot"]}), format!("key-{round}"));
        let answers =
            join_all((0..50).map(|_| http.send(Method::POST, "/v1/appointments", Some(&wish), Some(&key)))).await;
        let answers: Vec<_> = answers.into_iter().map(Result::unwrap).collect();
        assert_eq!(answers[0].0, StatusCode::CREATED);
        assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    }
    assert_eq!(app.count("select count(*) from appointment").await, 5);
    consistent(&app).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn holds_bookings_moves_and_cancellations_mixed_never_deadlock_nor_overlap() {
    let app = App::start().await;
    let crowd = app.crowd(24).await;
    let slots = app.lyon_slots().await;
    let few = &slots[..6];
    let run = crowd.iter().enumerate().map(|(index, client)| {
        let app = &app;
        async move {
            let mut mine: Option<Value> = None;
            for turn in 0..12_usize {
                let slot = &few[(index * 5 + turn * 3) % few.len()];
                let wish = json!({"slot": slot["slot"]});
                let key = Uuid::now_v7().to_string();
                let answer = match (&mine, (index + turn) % 4) {
                    (Some(appointment), 0) => {
                        let path = format!("/v1/appointments/{}/cancellation", appointment["id"].as_str().unwrap());
                        mine.take();
                        client.post(&path, &json!({"reason": "x"})).await
                    }
                    (Some(appointment), _) => {
                        let path = format!("/v1/appointments/{}/move", appointment["id"].as_str().unwrap());
                        client.post(&path, &wish).await
                    }
                    (None, 1) => client.post_with_key("/v1/holds", &wish, &key).await,
                    (None, _) => {
                        let answer = client.post_with_key("/v1/appointments", &wish, &key).await;
                        if answer.status == StatusCode::CREATED {
                            mine = Some(answer.body.clone());
                        }
                        answer
                    }
                };
                assert!(!answer.status.is_server_error(), "{:?}", answer.body);
                if turn % 4 == 3 {
                    app.event("expire-holds", "").await;
                }
            }
        }
    });
    join_all(run).await;
    assert_eq!(database::deadlocks(), 0);
    consistent(&app).await;
}

/// Two slots of one practitioner at one place, of different reasons, that overlap without being equal.
async fn overlapping(app: &App) -> (Value, Value) {
    let all = app.slots("specialty=orthophoniste&place=Lyon&from=2026-03-09&to=2026-03-13&limit=500").await;
    for one in &all {
        for two in &all {
            let at = |slot: &Value, field: &str| slot[field].as_str().unwrap().to_owned();
            let overlap = at(one, "starts_at") < at(two, "ends_at") && at(two, "starts_at") < at(one, "ends_at");
            let equal = at(one, "starts_at") == at(two, "starts_at") && at(one, "ends_at") == at(two, "ends_at");
            if one["practitioner"] == two["practitioner"] && overlap && !equal {
                return (one.clone(), two.clone());
            }
        }
    }
    panic!("the fixtures have no overlapping slots");
}

/// What must hold whatever happened.
pub async fn consistent(app: &App) {
    let broken = [
        (
            "booked without its two reservations",
            "select count(*) from appointment a where status = 'booked'
            and (select count(*) from reservation r where r.appointment_id = a.id and r.active) <> 2",
        ),
        (
            "reserved though over",
            "select count(*) from reservation r join appointment a on a.id = r.appointment_id
            where r.active and a.status in ('cancelled', 'expired')",
        ),
        (
            "overlapping",
            "select count(*) from reservation a join reservation b
            on a.resource_id = b.resource_id and a.during && b.during and a.id < b.id where a.active and b.active",
        ),
        (
            "booked without event",
            "select count(*) from appointment a where status = 'booked'
            and not exists (select from outbox o where o.subject = a.id and o.kind = 'appointment.booked.v1')",
        ),
        (
            "booked without audit",
            "select count(*) from appointment a where status = 'booked'
            and not exists (select from audit where object_id = a.id and event = 'appointment.book')",
        ),
        (
            "cancelled without event or audit",
            "select count(*) from appointment a where status = 'cancelled'
            and not (exists (select from outbox o where o.subject = a.id and o.kind = 'appointment.cancelled.v1')
                 and exists (select from audit where object_id = a.id and event = 'appointment.cancel'))",
        ),
        (
            "moved without event or audit",
            "select count(*) from appointment a where status = 'booked' and version <> 1
                + (select count(*) from outbox o where o.subject = a.id and o.kind = 'appointment.moved.v1')
            or status = 'booked' and version <> 1
                + (select count(*) from audit where object_id = a.id and event = 'appointment.move')",
        ),
        (
            "a hold without audit",
            "select count(*) from appointment a where status = 'held'
            and not exists (select from audit where object_id = a.id and event = 'appointment.hold')",
        ),
        (
            "booked without key",
            "select count(*) from appointment a where status = 'booked'
            and not exists (select from idempotency where (answer ->> 'id')::uuid = a.id)",
        ),
    ];
    for (what, sql) in broken {
        assert_eq!(app.count(sql).await, 0, "{what}");
    }
}
