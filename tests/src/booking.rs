//! Booking: what is offered can be had, once, by those who may.

use serde_json::{Value, json};

use crate::support::App;
use crate::support::app::book;
use domain::SignedDuration;

#[tokio::test]
async fn a_parent_books_for_her_child_and_reads_it_again() {
    let app = App::start().await;
    let ada = app.patient().await;
    let child = json!({"given_name": "Noé", "family_name": "Exemple", "birth_date": "2019-09-01"});
    let child = ada.post("/v1/patients", &child).await.expect(201);
    let slot = &app.lyon_slots().await[0];
    let wish = json!({"slot": slot["slot"], "patient": child["id"], "note": "il a peur du noir"});
    let booked = ada.post_with_key("/v1/appointments", &wish, "k1").await.expect(201);
    for field in ["starts_at", "ends_at", "practitioner", "site", "reason"] {
        assert_eq!(booked[field], slot[field], "{field}");
    }
    assert_eq!((&booked["status"], &booked["patient"]), (&json!("booked"), &child["id"]));
    let read = ada.get(&format!("/v1/appointments/{}", booked["id"].as_str().unwrap())).await.expect(200);
    assert_eq!(read, booked);
    let list = ada.get(&format!("/v1/appointments?patient={}", child["id"].as_str().unwrap())).await.expect(200);
    assert_eq!(list["items"], json!([booked]));

    // It is no longer offered, to anybody.
    assert!(app.lyon_slots().await.iter().all(|free| free["slot"] != slot["slot"]));
    // The note is nowhere in clear.
    let clear = app.count("select count(*) from appointment where note like '%noir%' or note is null").await;
    assert_eq!(clear, 0);
    let rows = app.sql("select jsonb_build_object('kind', kind, 'data', data) from outbox").await;
    let whose: Value = sqlx::query_scalar("select to_jsonb(establishment_id) from site where id = $1::uuid")
        .bind(booked["site"].as_str().unwrap())
        .fetch_one(app.pool())
        .await
        .unwrap();
    let data = json!({"appointment": booked["id"], "version": 1, "establishment": whose});
    assert_eq!(rows, [json!({"kind": "appointment.booked.v1", "data": data})]);
    assert_eq!(
        app.count(
            "select count(*) from audit where event in ('appointment.book', 'appointment.read', 'appointment.list')"
        )
        .await,
        3
    );
}

#[tokio::test]
async fn the_same_key_gives_the_same_answer_and_another_request_under_it_is_refused() {
    let app = App::start().await;
    let ada = app.patient().await;
    let slots = app.lyon_slots().await;
    let wish = json!({"slot": slots[0]["slot"]});
    let first = ada.post_with_key("/v1/appointments", &wish, "the key").await.problem(400).to_owned();
    assert_eq!(first, "idempotency-key-invalid", "a blank is not visible");
    let first = ada.post_with_key("/v1/appointments", &wish, "key").await.expect(201);
    assert_eq!(ada.post_with_key("/v1/appointments", &wish, "key").await.expect(201), first);
    let other = json!({"slot": slots[1]["slot"]});
    assert_eq!(ada.post_with_key("/v1/appointments", &other, "key").await.problem(422), "idempotency-key-reused");
    // Even when the time has passed by now, and to nobody but its owner.
    app.later(SignedDuration::from_hours(24 * 30));
    let ada = ada.clone().bearing(&app.fresh_token(&ada).await);
    assert_eq!(ada.post_with_key("/v1/appointments", &wish, "key").await.expect(201), first);
    let ben = app.patient().await;
    assert_eq!(ben.post_with_key("/v1/appointments", &wish, "key").await.problem(409), "slot-past");
    assert_eq!(app.count("select count(*) from appointment").await, 1);
}

#[tokio::test]
async fn a_failed_booking_does_not_spend_its_key() {
    let app = App::start().await;
    let (ada, ben) = (app.patient().await, app.patient().await);
    let slots = app.lyon_slots().await;
    book(&ben, &slots[0]).await.expect(201);
    let taken = ada.post_with_key("/v1/appointments", &json!({"slot": slots[0]["slot"]}), "key").await;
    assert_eq!(taken.problem(409), "slot-taken");
    assert_eq!((&taken.body["busy"], &taken.body["field"]), (&json!("practitioner"), &json!("slot")));
    ada.post_with_key("/v1/appointments", &json!({"slot": slots[1]["slot"]}), "key").await.expect(201);
}

#[tokio::test]
async fn nobody_is_in_two_places() {
    let app = App::start().await;
    let ada = app.patient().await;
    let slot = &app.lyon_slots().await[0];
    book(&ada, slot).await.expect(201);
    let starts = slot["starts_at"].as_str().unwrap().replace('+', "%2B");
    let ends = slot["ends_at"].as_str().unwrap().replace('+', "%2B");
    let elsewhere = app.slots(&format!("specialty=SM40&from={starts}&to={ends}")).await;
    let refused = book(&ada, &elsewhere[0]).await;
    assert_eq!(refused.problem(409), "slot-taken");
    assert_eq!(refused.body["busy"], "patient");
}

#[tokio::test]
async fn only_what_is_offered_can_be_booked() {
    let app = App::start().await;
    let ada = app.patient().await;
    let slot = app.lyon_slots().await[0].clone();
    let refusal = async |token: &str| {
        let answer = ada.post_with_key("/v1/appointments", &json!({"slot": token}), "k").await;
        (answer.status.as_u16(), answer.body["type"].as_str().unwrap_or_default().replace("/problems/", ""))
    };
    let shifted = |seconds: i64| {
        let token: domain::slot_token::SlotToken = slot["slot"].as_str().unwrap().parse().unwrap();
        let at = token.starts_at() + SignedDuration::from_secs(seconds);
        domain::slot_token::SlotToken::new(token.practitioner, token.site, token.reason, at).to_string()
    };
    assert_eq!(refusal("").await, (404, "slot-unknown".into()));
    assert_eq!(refusal("demain matin").await, (404, "slot-unknown".into()));
    assert_eq!(refusal(&shifted(60)).await, (409, "slot-not-offered".into()), "off the grid");
    assert_eq!(refusal(&shifted(-8 * 3600)).await, (409, "slot-not-offered".into()), "at night");
    assert_eq!(refusal(&shifted(-30 * 86_400)).await, (409, "slot-past".into()));
    assert_eq!(refusal(&shifted(364 * 86_400)).await, (409, "slot-beyond-horizon".into()));
    let mut unknown: domain::slot_token::SlotToken = slot["slot"].as_str().unwrap().parse().unwrap();
    unknown.practitioner = domain::ids::PractitionerId::from_uuid(uuid::Uuid::nil());
    assert_eq!(refusal(&unknown.to_string()).await, (404, "slot-unknown".into()));
    assert_eq!(app.count("select count(*) from appointment").await, 0);
    assert_eq!(app.count("select count(*) from idempotency").await, 0);
}

#[tokio::test]
async fn a_time_nearer_than_the_notice_is_told_so() {
    let app = App::start().await;
    let ada = app.patient().await;
    sqlx::query("update reason set notice_minutes = 0").execute(app.pool()).await.unwrap();
    let slot = app.slots("specialty=orthophoniste&place=Lyon&limit=1").await[0].clone();
    sqlx::query("update reason set notice_minutes = 10000").execute(app.pool()).await.unwrap();
    let refused = book(&ada, &slot).await;
    assert_eq!(refused.problem(409), "slot-too-soon");
    assert_eq!(refused.body["notice_minutes"], 10000);
}

#[tokio::test]
async fn what_closes_between_the_search_and_the_booking_is_not_booked() {
    let app = App::start().await;
    let ada = app.patient().await;
    let slots = app.lyon_slots().await;
    let close = "insert into opening_exception (id, practitioner_id, kind, starts, ends)
                 select gen_random_uuid(), id, 'closed', '2026-03-01', '2026-04-01' from practitioner";
    sqlx::query(close).execute(app.pool()).await.unwrap();
    assert_eq!(book(&ada, &slots[0]).await.problem(409), "slot-not-offered");
    sqlx::query("update practitioner set active = false").execute(app.pool()).await.unwrap();
    assert_eq!(book(&ada, &slots[0]).await.problem(404), "slot-unknown");
}

#[tokio::test]
async fn the_write_refuses_rules_that_changed_since_they_were_read() {
    let app = App::start().await;
    let wish: Value = json!({
        "id": uuid::Uuid::now_v7(), "practitioner": null, "operation": "book", "key": "k", "request_hash": "h",
        "status": "booked", "channel": "in_person", "agenda_version": -1,
    });
    let ada = app.patient().await;
    let slot = &app.lyon_slots().await[0];
    let sql =
        "select book(jsonb_build_object('account', a.id, 'role', 'patient', 'at', now()), $1 || jsonb_build_object('practitioner', $2::text, 'site', $3::text, 'reason', $4::text,
                 'patient', g.patient_id, 'starts_at', now(), 'ends_at', now() + interval '1 h',
                 'reserved_from', now(), 'reserved_until', now() + interval '1 h'))
               from account a join guardianship g on g.account_id = a.id where a.email_lookup = $5";
    let outcome = sqlx::query(sql)
        .bind(&wish)
        .bind(slot["practitioner"].as_str())
        .bind(slot["site"].as_str())
        .bind(slot["reason"].as_str())
        .bind(app.email_lookup(&ada.email))
        .execute(app.pool())
        .await;
    let error = outcome.unwrap_err();
    assert_eq!(error.as_database_error().unwrap().constraint(), Some("offer_unchanged"));
}

#[tokio::test]
async fn a_hold_keeps_others_out_for_five_minutes_and_gives_way_to_its_own_booking() {
    let app = App::start().await;
    let (ada, ben) = (app.patient().await, app.patient().await);
    let slots = app.lyon_slots().await;
    let wish = json!({"slot": slots[0]["slot"]});
    let held = ada.post_with_key("/v1/holds", &wish, "hold").await.expect(201);
    assert_eq!(held["status"], "held");
    assert_eq!(book(&ben, &slots[0]).await.problem(409), "slot-taken");
    assert!(app.lyon_slots().await.iter().all(|free| free["slot"] != slots[0]["slot"]), "not offered while held");
    ada.post_with_key("/v1/appointments", &wish, "hold").await.expect(201);
    assert_eq!(app.count("select count(*) from appointment where status = 'expired'").await, 1);
    assert_eq!(app.count("select count(*) from reservation where active").await, 2);

    // Another one runs out: nobody is kept from it, swept or not.
    ada.post_with_key("/v1/holds", &json!({"slot": slots[1]["slot"]}), "hold 2".replace(' ', "-").as_str())
        .await
        .expect(201);
    app.later(SignedDuration::from_secs(301));
    assert!(app.lyon_slots().await.iter().any(|free| free["slot"] == slots[1]["slot"]), "offered again");
    book(&ben, &slots[1]).await.expect(201);
    app.event("expire-holds", "").await;
    assert_eq!(app.count("select count(*) from appointment where status = 'held'").await, 0);
    assert_eq!(app.count("select count(*) from reservation where active").await, 4);
    // Nobody is told of holds.
    assert_eq!(app.count("select count(*) from outbox").await, 2);
}

#[tokio::test]
async fn staff_are_not_told_that_the_patient_is_elsewhere() {
    let app = App::start().await;
    let ada = app.patient().await;
    let (one, other) = (app.slots_with("nolwenn-le-bihannic").await, app.slots_with("etienne-bouvarel").await);
    let both = one.iter().find_map(|slot| Some((slot, other.iter().find(|it| it["starts_at"] == slot["starts_at"])?)));
    let (there, here) = both.unwrap();
    book(&ada, there).await.expect(201);
    let wish = json!({"slot": here["slot"], "patient": ada.patient});
    let secretary = app.staff("secretary-pentes").await;
    let refused = secretary.post_with_key("/v1/appointments", &wish, "there").await;
    assert_eq!((refused.problem(409), refused.body.get("busy")), ("slot-taken", None));
    let later = other.iter().find(|it| it["starts_at"].as_str() > here["ends_at"].as_str()).unwrap();
    let wish = json!({"slot": later["slot"], "patient": ada.patient});
    let visit = secretary.post_with_key("/v1/appointments", &wish, "later").await.expect(201);
    let path = format!("/v1/appointments/{}/move", visit["id"].as_str().unwrap());
    let refused = secretary.post(&path, &json!({"slot": here["slot"]})).await;
    assert_eq!((refused.problem(409), refused.body.get("busy")), ("slot-taken", None));
    assert_eq!(ada.post(&path, &json!({"slot": here["slot"]})).await.body["busy"], "patient", "who knows it already");
}

#[tokio::test]
async fn whatever_shows_a_visit_leaves_a_trace_also_when_it_changes_nothing() {
    let app = App::start().await;
    let ada = app.patient().await;
    let slots = app.lyon_slots().await;
    let wish = json!({"slot": slots[0]["slot"]});
    let visit = ada.post_with_key("/v1/appointments", &wish, "one").await.expect(201);
    let path = format!("/v1/appointments/{}", visit["id"].as_str().unwrap());
    let reads =
        async || app.count("select count(*) from audit where event = 'appointment.read' and outcome = 'success'").await;
    assert_eq!(reads().await, 0);
    // The same key, the same time, cancelled twice: each answers with the whole visit.
    assert_eq!(ada.post_with_key("/v1/appointments", &wish, "one").await.expect(201)["id"], visit["id"]);
    assert_eq!(reads().await, 1);
    ada.post(&format!("{path}/move"), &wish).await.expect(200);
    assert_eq!(reads().await, 2);
    for _ in 0..2 {
        ada.post(&format!("{path}/cancellation"), &json!({"reason": "x"})).await.expect(200);
    }
    assert_eq!(reads().await, 3);
    // A refusal says whom it was about, and the family sees it; so does a search that finds nothing.
    let eve = app.patient().await;
    let hers = &ada.patient;
    let theirs = json!({"slot": slots[1]["slot"], "patient": hers});
    assert_eq!(eve.post_with_key("/v1/appointments", &theirs, "two").await.problem(404), "not-found");
    assert_eq!(eve.get(&format!("/v1/appointments?patient={hers}")).await.expect(200)["items"], json!([]));
    let log = ada.get("/v1/me/access-log").await.expect(200);
    let refused: Vec<_> = log["items"].as_array().unwrap().iter().filter(|line| line["outcome"] == "refused").collect();
    let events: Vec<_> = refused.iter().map(|line| line["event"].as_str().unwrap()).collect();
    assert_eq!(events, ["appointment.list", "appointment.create"]);
    assert!(refused.iter().all(|line| line["who"]["kind"] == "other" && line["who"]["name"].is_null()), "{refused:?}");
}

#[tokio::test]
async fn a_key_gives_nothing_to_who_may_no_longer_read_it() {
    let app = App::start().await;
    let (ada, ben) = (app.patient().await, app.patient().await);
    let child = crate::guardians::child(&ada, "2019-09-01").await;
    let code = crate::guardians::invite(&ada, &child, &["book"]).await;
    let bond = ben.post("/v1/guardianships", &json!({"code": code})).await.expect(201);
    let slots = app.lyon_slots().await;
    let wish = json!({"slot": slots[0]["slot"], "patient": child});
    ben.post_with_key("/v1/appointments", &wish, "his").await.expect(201);
    ben.post_with_key("/v1/appointments", &wish, "his").await.expect(201);
    ada.post(&format!("/v1/guardianships/{}/end", bond["id"].as_str().unwrap()), &json!({})).await.expect(200);
    assert_eq!(ben.post_with_key("/v1/appointments", &wish, "his").await.problem(404), "not-found");
}
