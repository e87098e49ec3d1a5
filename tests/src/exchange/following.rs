//! Visits that follow their items: where the establishment says so, to what is on offer and free, and never out of the agenda.

use axum::body::Body;
use axum::http::Method;
use domain::interval::Interval;
use domain::{SignedDuration, Timestamp};
use exchange_fakes::mailbox::{Fault, What};
use futures_util::future::{join, join_all};
use serde_json::{Value, json};

use super::{ADDRESS, Beside, Event, WHOSE, during, path};
use crate::support::Client;
use crate::support::app::book;

impl Beside {
    /// Rules of a mailbox, changed.
    pub(super) async fn rules(&self, mailbox: &Value, wish: Value) -> Value {
        let request =
            self.administrator.request(Method::PATCH, &path(mailbox)).header("content-type", "application/json");
        self.administrator.send(request.body(Body::from(wish.to_string())).unwrap()).await.expect(200)
    }

    /// A mailbox that is left to move its own visits.
    async fn followed(&self) -> Value {
        let mailbox = self.connected().await;
        assert_eq!(mailbox["follow_moves"], false, "nobody said so yet");
        let changed = self.rules(&mailbox, json!({"follow_moves": true})).await;
        assert_eq!(changed["follow_moves"], true);
        mailbox
    }

    /// A visit in the slot, shown in the calendar, and its item there.
    pub(super) async fn shown(&self, whose: &Client, slot: &Value) -> (Value, String) {
        let visit = book(whose, slot).await.expect(201);
        self.app.settle().await;
        let start = during(&visit).start().as_second();
        let its = |event: &Event| event.tag().is_some() && event.starts_at().as_second() == start;
        let item = self.events().into_iter().find(its).unwrap();
        (visit, item.id)
    }

    pub(super) async fn visit(&self, whose: &Client, visit: &Value) -> Value {
        let path = format!("/v1/appointments/{}", visit["id"].as_str().unwrap());
        whose.get(&path).await.expect(200)
    }

    pub(super) fn calls_of(&self, operation: &str) -> usize {
        self.server.state().calls.iter().filter(|call| call.operation == operation).count()
    }
}

async fn follows(beside: Beside, update: &'static str) {
    let mailbox = beside.followed().await;
    let slots = beside.app.slots_with(WHOSE).await;
    let ada = beside.app.patient().await;
    let (visit, item) = beside.shown(&ada, &slots[0]).await;
    beside.server.move_to(ADDRESS, &item, during(&slots[8])).unwrap();
    beside.look().await;
    let moved = beside.visit(&ada, &visit).await;
    assert_eq!((&moved["starts_at"], &moved["ends_at"]), (&slots[8]["starts_at"], &slots[8]["ends_at"]));
    assert_eq!(moved["status"], "booked");
    assert_eq!(beside.questions(&mailbox).await, Vec::<Value>::new());
    let offered = beside.app.slots_with(WHOSE).await;
    assert!(offered.iter().any(|slot| slot["slot"] == slots[0]["slot"]), "where it was is free");
    assert!(offered.iter().all(|slot| slot["slot"] != slots[8]["slot"]), "where it is, is not");
    // As of any move, the family is told, once.
    let subjects: Vec<String> = beside.app.mails(&ada.email).into_iter().map(|mail| mail.subject).collect();
    assert_eq!(subjects, ["Votre rendez-vous est confirmé", "Votre rendez-vous a changé"]);
    assert_eq!(beside.app.count("select count(*) from outbox where kind = 'appointment.moved.v1'").await, 1);
    // The trail says who it was.
    let line = "select jsonb_build_object('kind', actor_kind, 'actor', actor_id, 'purpose', purpose, 'at_home', establishment_id is not null)
                from audit where event = 'appointment.move'";
    let lines = beside.app.sql(line).await;
    assert_eq!(lines, [json!({"kind": "mailbox", "actor": mailbox["id"], "purpose": "HOPERAT", "at_home": true})]);
    let log = ada.get("/v1/me/access-log").await.expect(200);
    let line = log["items"].as_array().unwrap().iter().find(|line| line["event"] == "appointment.move").unwrap();
    assert_eq!((&line["who"]["kind"], &line["who"]["name"]), (&json!("calendar"), &json!("Calendrier du praticien")));
    // Both sides agree: nothing is written there for it, and nothing more happens.
    for _ in 0..3 {
        beside.look().await;
    }
    assert_eq!(beside.calls_of(update), 0);
    assert_eq!(beside.events()[0].during(), Some(during(&slots[8])));
    // Moved again, it is followed again; moved here, it goes there.
    beside.server.move_to(ADDRESS, &item, during(&slots[3])).unwrap();
    beside.server.move_to(ADDRESS, &item, during(&slots[4])).unwrap();
    beside.look().await;
    assert_eq!(beside.visit(&ada, &visit).await["starts_at"], slots[4]["starts_at"]);
    let move_to = format!("/v1/appointments/{}/move", visit["id"].as_str().unwrap());
    ada.post(&move_to, &json!({"slot": slots[6]["slot"]})).await.expect(200);
    beside.app.settle().await;
    assert_eq!(beside.events()[0].during(), Some(during(&slots[6])));
    beside.look().await;
    assert_eq!(beside.visit(&ada, &visit).await["starts_at"], slots[6]["starts_at"]);
    assert_eq!(beside.desk(&mailbox).await["blocks"], 0, "no item of ours takes a time of its own");
    crate::races::consistent(&beside.app).await;
}

#[tokio::test]
async fn a_visit_follows_its_item_in_exchange_online_and_the_family_is_told() {
    follows(Beside::start().await, "update").await;
}

#[tokio::test]
async fn a_visit_follows_its_item_on_a_server_on_premises_and_the_family_is_told() {
    follows(Beside::on_premises().await, "UpdateItem").await;
}

#[tokio::test]
async fn a_question_that_was_asked_stays_one_when_the_establishment_says_so_later() {
    let beside = Beside::start().await;
    let mailbox = beside.connected().await;
    let slots = beside.app.slots_with(WHOSE).await;
    let ada = beside.app.patient().await;
    let (visit, item) = beside.shown(&ada, &slots[0]).await;
    beside.server.move_to(ADDRESS, &item, during(&slots[8])).unwrap();
    beside.look().await;
    beside.rules(&mailbox, json!({"follow_moves": true})).await;
    beside.administrator.post(&format!("{}/resync", path(&mailbox)), &json!({})).await.expect(200);
    beside.look().await;
    assert_eq!(beside.questions(&mailbox).await[0]["kind"], "moved");
    assert_eq!(beside.visit(&ada, &visit).await["starts_at"], slots[0]["starts_at"]);
    // What is done there after that is followed, and answers it.
    beside.server.move_to(ADDRESS, &item, during(&slots[9])).unwrap();
    beside.look().await;
    assert_eq!(beside.questions(&mailbox).await, Vec::<Value>::new());
    assert_eq!(beside.visit(&ada, &visit).await["starts_at"], slots[9]["starts_at"]);
    assert_eq!(beside.desk(&mailbox).await["blocks"], 0, "what was kept free for the question is free");
    let offered = beside.app.slots_with(WHOSE).await;
    assert!(offered.iter().any(|slot| slot["slot"] == slots[8]["slot"]));
}

#[tokio::test]
async fn where_the_rules_offer_nothing_it_stays_a_question() {
    let beside = Beside::start().await;
    let mailbox = beside.followed().await;
    let slots = beside.app.slots_with(WHOSE).await;
    let ada = beside.app.patient().await;
    let at = |text: &str, minutes: i64| {
        let start: Timestamp = text.parse().unwrap();
        Interval::new(start, start + SignedDuration::from_mins(minutes)).unwrap()
    };
    let length = during(&slots[0]).end().duration_since(during(&slots[0]).start()).as_mins();
    let later = |by: i64| {
        let start = during(&slots[8]).start() + SignedDuration::from_mins(by);
        Interval::new(start, start + SignedDuration::from_mins(length)).unwrap()
    };
    let wrong = [
        ("at night", at("2026-03-10T02:00:00Z", length)),
        ("on a Sunday", at("2026-03-15T10:00:00Z", length)),
        ("on Easter Monday", at("2026-04-06T08:00:00Z", length)),
        ("between two starts", later(7)),
        ("longer", Interval::new(during(&slots[8]).start(), later(5).end()).unwrap()),
        ("shorter", Interval::new(during(&slots[8]).start(), later(-5).end()).unwrap()),
        ("in the past", at("2026-03-02T07:15:00Z", length)),
        ("with too little notice", at("2026-03-02T09:00:00Z", length)),
        ("further than may be booked", at("2026-07-10T08:00:00Z", length)),
    ];
    let mut visits = Vec::new();
    for (place, (_, there)) in wrong.iter().enumerate() {
        let (visit, item) = beside.shown(&ada, &slots[10 + place]).await;
        visits.push(visit);
        beside.server.move_to(ADDRESS, &item, *there).unwrap();
    }
    beside.look().await;
    for (visit, (how, _)) in visits.iter().zip(&wrong) {
        assert_eq!(beside.visit(&ada, visit).await["starts_at"], visit["starts_at"], "{how}");
    }
    let asked = beside.questions(&mailbox).await;
    assert_eq!(asked.iter().filter(|one| one["kind"] == "moved").count(), wrong.len(), "{asked:?}");
    assert!(beside.app.mails(&ada.email).iter().all(|mail| mail.subject == "Votre rendez-vous est confirmé"));
    // One that is gone is never called off, whatever may be moved.
    let (visit, item) = beside.shown(&ada, &slots[30]).await;
    beside.server.remove(ADDRESS, &item).unwrap();
    beside.look().await;
    assert_eq!(beside.visit(&ada, &visit).await["status"], "booked");
    assert_eq!(beside.questions(&mailbox).await.iter().filter(|one| one["kind"] == "removed").count(), 1);
}

#[tokio::test]
async fn where_somebody_is_busy_it_stays_a_question() {
    let beside = Beside::start().await;
    let mailbox = beside.followed().await;
    let slots = beside.app.slots_with(WHOSE).await;
    let (ada, ben) = (beside.app.patient().await, beside.app.patient().await);
    // The practitioner, with somebody else…
    book(&ben, &slots[8]).await.expect(201);
    let (first, item) = beside.shown(&ada, &slots[0]).await;
    beside.server.move_to(ADDRESS, &item, during(&slots[8])).unwrap();
    // … or with what is put there in the same moment…
    let (second, item) = beside.shown(&ada, &slots[2]).await;
    beside.server.add(ADDRESS, Event::between("Réunion", during(&slots[12]))).unwrap();
    beside.server.move_to(ADDRESS, &item, during(&slots[12])).unwrap();
    // … or the patient, elsewhere.
    let other = beside.app.slots_with("nolwenn-le-bihannic").await;
    let meets = |theirs: &&Value| slots.iter().skip(14).find(|slot| during(slot).overlaps(&during(theirs)));
    let theirs = other.iter().find(|theirs| meets(theirs).is_some()).expect("the agendas of the two meet");
    let there = meets(&theirs).unwrap();
    book(&ada, theirs).await.expect(201);
    let (third, item) = beside.shown(&ada, &slots[4]).await;
    beside.server.move_to(ADDRESS, &item, during(there)).unwrap();
    beside.look().await;
    for (visit, slot) in [(&first, &slots[0]), (&second, &slots[2]), (&third, &slots[4])] {
        assert_eq!(beside.visit(&ada, visit).await["starts_at"], slot["starts_at"]);
    }
    assert_eq!(beside.questions(&mailbox).await.len(), 3);
    crate::races::consistent(&beside.app).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_move_there_and_bookings_here_at_once_one_has_the_time() {
    let beside = Beside::start().await;
    let mailbox = beside.followed().await;
    let slots = beside.app.slots_with(WHOSE).await;
    let ada = beside.app.patient().await;
    // Nobody is warned by the calendar itself.
    beside.server.state().faults.push(Fault { times: 10_000, ..Fault::once("busy", What::Unreached) });
    let mut followed = 0;
    for round in 0..6 {
        let (visit, item) = beside.shown(&ada, &slots[round * 4]).await;
        let wanted = &slots[round * 4 + 2];
        beside.server.move_to(ADDRESS, &item, during(wanted)).unwrap();
        let crowd = beside.app.crowd(4).await;
        let bookings = join_all(crowd.iter().map(|one| book(one, wanted)));
        let (answers, ()) = join(bookings, beside.look()).await;
        let booked = answers.iter().filter(|answer| answer.status == 201).count();
        let moved = usize::from(beside.visit(&ada, &visit).await["starts_at"] == wanted["starts_at"]);
        assert_eq!(booked + moved, 1, "round {round}");
        followed += moved;
        let asked = beside.questions(&mailbox).await;
        assert_eq!(asked.iter().any(|one| one["appointment"] == visit["id"]), moved == 0, "round {round}");
    }
    println!("{followed} of 6 moves were followed");
    crate::races::consistent(&beside.app).await;
}

#[tokio::test]
async fn a_calendar_may_move_visits_of_its_agenda_and_nothing_else() {
    let beside = Beside::start().await;
    let mailbox = beside.followed().await;
    let ada = beside.app.patient().await;
    let place = gateway::fixtures::id("establishment", "pentes-plateau");
    let may = async |resource: &str, action: &str, whose: &str, at_place: uuid::Uuid| {
        let who = json!({"at": beside.app.now(), "role": "system", "mailbox": mailbox["id"], "establishment": place});
        let whose = gateway::fixtures::id("practitioner", whose);
        let patient: uuid::Uuid = ada.patient.parse().unwrap();
        let asked =
            sqlx::query_scalar::<_, bool>("select may($1, $2, $3, $4, $5, $6)").bind(who).bind(resource).bind(action);
        asked.bind(patient).bind(whose).bind(at_place).fetch_one(beside.app.pool()).await.unwrap()
    };
    assert!(may("appointment", "update", WHOSE, place).await);
    for action in ["create", "read", "delete"] {
        assert!(!may("appointment", action, WHOSE, place).await, "{action}");
    }
    for resource in domain::access::Resource::ALL.iter().filter(|one| one.name() != "appointment") {
        assert!(!may(resource.name(), "update", WHOSE, place).await, "{resource}");
    }
    assert!(!may("appointment", "update", "nolwenn-le-bihannic", place).await);
    assert!(!may("appointment", "update", WHOSE, uuid::Uuid::nil()).await);
    // Who is shut out moves nothing, nor does a mailbox that is left alone or was told to.
    for change in [
        "insert into block (patient_id, practitioner_id, since) select g.patient_id, m.practitioner_id, '2026-01-01'
         from guardianship g, exchange_mailbox m where g.relation = 'self'",
        "update exchange_mailbox set state = 'paused'",
    ] {
        sqlx::query(change).execute(beside.app.pool()).await.unwrap();
        assert!(!may("appointment", "update", WHOSE, place).await);
        sqlx::query("delete from block").execute(beside.app.pool()).await.unwrap();
        sqlx::query("update exchange_mailbox set state = 'active'").execute(beside.app.pool()).await.unwrap();
        assert!(may("appointment", "update", WHOSE, place).await);
    }
    beside.rules(&mailbox, json!({"follow_moves": false})).await;
    assert!(!may("appointment", "update", WHOSE, place).await);
}
