//! The same thing, or two that get in each other's way, wanted at one moment.

use axum::http::StatusCode;
use futures_util::future::join_all;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::races::consistent;
use crate::support::app::book;
use crate::support::{App, database};

/// One slot of each of two practitioners, at one time.
async fn two_at_one_time(app: &App) -> [Value; 2] {
    let from = "from=2026-03-10T09:00:00Z&to=2026-03-10T09:30:00Z";
    let all = app.slots(&format!("place=Lyon&{from}&limit=500")).await;
    let one = all[0].clone();
    let other = all
        .iter()
        .find(|slot| slot["starts_at"] == one["starts_at"] && slot["practitioner"] != one["practitioner"])
        .expect("two practitioners at one time");
    [one.clone(), other.clone()]
}

#[tokio::test(flavor = "multi_thread")]
async fn holds_that_swap_places_never_deadlock() {
    let app = App::start().await;
    let slots = two_at_one_time(&app).await;
    for _ in 0..30 {
        let crowd = app.crowd(2).await;
        for (client, slot) in crowd.iter().zip(&slots) {
            client.post_with_key("/v1/holds", &json!({"slot": slot["slot"]}), "hold").await.expect(201);
        }
        let answers = join_all([book(&crowd[0], &slots[1]), book(&crowd[1], &slots[0])]).await;
        assert!(answers.iter().all(|answer| !answer.status.is_server_error()));
        for (client, answer) in crowd.iter().zip(answers) {
            if let Some(id) = answer.body["id"].as_str() {
                let path = format!("/v1/appointments/{id}/cancellation");
                client.post(&path, &json!({"reason": "x"})).await.expect(200);
            }
        }
        app.later(domain::SignedDuration::from_mins(6));
        app.event("expire-holds", "").await;
    }
    assert_eq!(database::deadlocks(), 0, "deadlocks in PostgreSQL's log");
    consistent(&app).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_token_used_twice_at_once_ends_its_session() {
    let app = App::start().await;
    let ada = app.patient().await;
    let session = json!({"email": ada.email, "password": "une phrase assez longue"});
    for _ in 0..8 {
        let pair = app.nobody().post("/v1/sessions", &session).await.expect(201);
        let wish = json!({"refresh_token": pair["refresh_token"]});
        let nobody = app.nobody();
        let answers = join_all((0..3).map(|_| nobody.post("/v1/sessions/refresh", &wish))).await;
        let won: Vec<_> = answers.iter().filter(|answer| answer.status == StatusCode::OK).collect();
        assert!(won.len() <= 1);
        if let Some(won) = won.first() {
            let next = json!({"refresh_token": won.body["refresh_token"]});
            assert_eq!(nobody.post("/v1/sessions/refresh", &next).await.problem(401), "session-ended");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_child_added_ten_times_at_once_is_one_child() {
    let app = App::start().await;
    let ada = app.patient().await;
    let child = json!({"given_name": "Noé", "family_name": "Exemple", "birth_date": "2019-09-01"});
    let answers = join_all((0..10).map(|_| ada.post("/v1/patients", &child))).await;
    let first = answers[0].body["id"].clone();
    assert!(answers.into_iter().all(|answer| answer.expect(201)["id"] == first));
    assert_eq!(ada.get("/v1/patients").await.expect(200)["items"].as_array().unwrap().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancellation_sent_ten_times_at_once_gives_ten_equal_answers() {
    let app = App::start().await;
    let ada = app.patient().await;
    let slots = app.lyon_slots().await;
    for slot in &slots[..5] {
        let appointment = book(&ada, slot).await.expect(201);
        let path = format!("/v1/appointments/{}/cancellation", appointment["id"].as_str().unwrap());
        let wish = json!({"reason": "malade"});
        let answers = join_all((0..10).map(|_| ada.post(&path, &wish))).await;
        let answers: Vec<Value> = answers.into_iter().map(|answer| answer.expect(200)).collect();
        assert!(answers.iter().all(|answer| *answer == answers[0]));
    }
    assert_eq!(app.count("select count(*) from outbox where kind = 'appointment.cancelled.v1'").await, 5);
    consistent(&app).await;
}

#[tokio::test]
async fn whoever_lost_the_child_meanwhile_neither_books_nor_moves() {
    let app = App::start().await;
    let ada = app.patient().await;
    let slots = app.lyon_slots().await;
    let appointment = book(&ada, &slots[0]).await.expect(201);
    // The last moment before the write: what was read still says that she may.
    let write = "create function lose() returns trigger language plpgsql as $$
        begin delete from guardianship; return new; end $$;
        create trigger lose before insert on idempotency for each row execute function lose()";
    sqlx::raw_sql(write).execute(app.pool()).await.unwrap();
    assert_eq!(book(&ada, &slots[2]).await.problem(404), "not-found");
    sqlx::raw_sql("drop trigger lose on idempotency; delete from guardianship").execute(app.pool()).await.unwrap();
    let path = format!("/v1/appointments/{}/move", appointment["id"].as_str().unwrap());
    assert_eq!(ada.post(&path, &json!({"slot": slots[4]["slot"]})).await.problem(404), "not-found");
    assert_eq!(app.count("select count(*) from appointment").await, 1);
}

#[tokio::test]
async fn who_is_not_online_is_not_booked_through_an_exceptional_opening() {
    let app = App::start().await;
    let ada = app.patient().await;
    let slots = app.lyon_slots().await;
    let practitioner: Uuid = slots[0]["practitioner"].as_str().unwrap().parse().unwrap();
    let closed = "with off as (update practitioner set online = false where id = $1 returning id)
        insert into opening_exception (id, practitioner_id, kind, starts, ends)
        select gen_random_uuid(), id, 'open', '2026-03-05 00:00', '2026-03-08 00:00' from off";
    sqlx::query(closed).bind(practitioner).execute(app.pool()).await.unwrap();
    let path = format!("/v1/slots?practitioner={practitioner}&from=2026-03-05&to=2026-03-08");
    assert_eq!(app.nobody().get(&path).await.expect(200)["items"], json!([]));
    assert!(book(&ada, &slots[0]).await.status.is_client_error());
}

#[tokio::test]
async fn rules_of_the_place_and_of_being_online_count_in_the_version_of_an_agenda() {
    let app = App::start().await;
    let version = "select sum(agenda_version)::int8 from practitioner";
    for change in [
        "update practitioner set online = not online where id = (select practitioner_id from practice order by 1 limit 1)",
        "update site set holidays = 'la-reunion' where id = (select site_id from practice order by practitioner_id limit 1)",
        "update site set time_zone = 'Indian/Reunion' where id = (select site_id from practice order by practitioner_id limit 1)",
        "delete from practice where practitioner_id = (select practitioner_id from practice order by 1 limit 1)",
    ] {
        let before = app.count(version).await;
        sqlx::query(change).execute(app.pool()).await.unwrap();
        assert!(app.count(version).await > before, "{change}");
    }
}

#[tokio::test]
async fn a_move_to_another_practitioner_is_told_to_both() {
    let app = App::start().await;
    let ada = app.patient().await;
    let [here, there] = two_at_one_time(&app).await;
    let appointment = book(&ada, &here).await.expect(201);
    app.settle().await;
    let path = format!("/v1/appointments/{}/move", appointment["id"].as_str().unwrap());
    ada.post(&path, &json!({"slot": there["slot"]})).await.expect(200);
    app.settle().await;
    let told = async |slot: &Value| -> Vec<String> {
        let address: String = sqlx::query_scalar("select email from practitioner where id = $1")
            .bind(slot["practitioner"].as_str().unwrap().parse::<Uuid>().unwrap())
            .fetch_one(app.pool())
            .await
            .unwrap();
        app.mails(&address).into_iter().map(|mail| mail.subject).collect()
    };
    assert_eq!(told(&here).await, ["Un rendez-vous a été pris", "Un rendez-vous est annulé"]);
    assert_eq!(told(&there).await, ["Un rendez-vous a été pris"]);
    assert_eq!(app.mails(&ada.email).len(), 2, "booked, then changed");
    // At the same hour, but with somebody else: reminded all the same.
    app.at("2026-03-09T09:30:00Z");
    app.settle().await;
    assert_eq!(app.mails(&ada.email).len(), 3);
}

#[tokio::test]
async fn a_town_is_found_however_it_is_spelled_and_a_filter_always_filters() {
    let app = App::start().await;
    let count = async |query: &str| {
        app.nobody().get(&format!("/v1/practitioners?limit=50&{query}")).await.expect(200)["items"]
            .as_array()
            .unwrap()
            .len()
    };
    let wanted = count("place=Saint-Denis").await;
    assert!(wanted > 0);
    for spelling in ["saint%20denis", "St%20Denis", "ST-DENIS", "saint-denis"] {
        assert_eq!(count(&format!("place={spelling}")).await, wanted, "{spelling}");
    }
    for nothing in ["place=%25", "place=_", "place=%5C", "specialty=%25", "specialty=_"] {
        assert_eq!(count(nothing).await, 0, "{nothing}");
    }
    let practitioner = app.lyon_slots().await[0]["practitioner"].as_str().unwrap().to_owned();
    let path = format!("/v1/slots?practitioner={practitioner}&place");
    assert_eq!(app.nobody().get(&format!("{path}=Paris")).await.expect(200)["items"], json!([]));
    assert_ne!(app.nobody().get(&format!("{path}=lyon")).await.expect(200)["items"], json!([]));
    assert_eq!(app.nobody().get("/v1/slots?place=%20").await.problem(422), "field-missing");
}

#[tokio::test]
async fn before_the_schema_is_there_it_is_503() {
    let app = App::start().await;
    sqlx::raw_sql("drop schema public cascade; create schema public").execute(app.pool()).await.unwrap();
    for path in ["/readyz", "/v1/specialties", "/v1/practitioners"] {
        assert_eq!(app.nobody().get(path).await.problem(503), "unavailable", "{path}");
    }
}

#[tokio::test]
async fn events_nobody_wants_here_wait() {
    let app = App::start().await;
    let ada = app.patient().await;
    book(&ada, &app.lyon_slots().await[0]).await.expect(201);
    sqlx::query("update outbox set kind = 'appointment.booked.v9'").execute(app.pool()).await.unwrap();
    app.settle().await;
    assert_eq!(app.count("select count(*) from outbox where fanned_out_at is null").await, 1);
}
