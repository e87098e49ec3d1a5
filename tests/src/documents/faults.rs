//! What fails on the way, and what is left then: a clear state, and nothing lost that was acknowledged.

use std::time::Duration;

use axum::http::{Method, StatusCode};
use content::clamd::own::{OwnClamd, eicar};
use domain::SignedDuration;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::{bytes_of, complete, deposit, drawn, family, open, read, report};
use crate::support::objects::Mood;
use crate::support::{App, Client, database};

async fn uploaded(client: &Client, child: &str, bytes: &[u8]) -> String {
    super::uploaded(client, &report(child, "text/plain", bytes), bytes).await
}

async fn state(client: &Client, id: &str) -> Value {
    read(client, id).await.expect(200)["state"].clone()
}

/// Events that failed come again.
async fn again(app: &App) {
    app.later(SignedDuration::from_mins(2));
    app.settle().await;
}

/// Statements that only run when something fails.
pub async fn walk(app: &App) {
    let (_, child, practitioner) = family_with(app, 12).await;
    let refused = uploaded(&practitioner, &child, b"a").await;
    for name in app.store.names("staging") {
        std::fs::write(app.store.path(&name), b"b").unwrap();
    }
    app.settle().await;
    assert_eq!(state(&practitioner, &refused).await, "refused");
    let waiting = uploaded(&practitioner, &child, b"c").await;
    app.store.set_mood(Method::HEAD, Some(Mood::Answers(StatusCode::SERVICE_UNAVAILABLE, 100)));
    app.settle().await;
    app.store.set_mood(Method::HEAD, None);
    assert_eq!(state(&practitioner, &waiting).await, "checking");
    crate::documents::bytes::judged_later(app, &practitioner, &waiting).await;
    // Slow enough that its lease is renewed.
    let slow = uploaded(&practitioner, &child, b"d").await;
    app.store.set_mood(Method::GET, Some(Mood::Slow(Duration::from_millis(1500))));
    app.settle().await;
    app.store.set_mood(Method::GET, None);
    crate::documents::bytes::judged_later(app, &practitioner, &slow).await;
    assert_eq!(state(&practitioner, &slow).await, "available");
}

async fn family_with(app: &App, slot: usize) -> (Client, String, Client) {
    let mother = app.patient().await;
    let child = crate::guardians::child(&mother, "2017-09-01").await;
    let slots = app.slots_with("nolwenn-le-bihannic").await;
    crate::guardians::book_for(&mother, &child, &slots[slot]).await.expect(201);
    (mother, child, app.staff("practitioner-pentes").await)
}

#[tokio::test]
async fn a_store_that_is_away_for_a_moment_is_asked_again_and_one_that_refuses_is_not() {
    let app = App::start().await;
    let (mother, child, practitioner) = family(&app, "2019-09-01").await;
    for status in [StatusCode::CONFLICT, StatusCode::TOO_MANY_REQUESTS, StatusCode::SERVICE_UNAVAILABLE] {
        let id = uploaded(&practitioner, &child, b"bonjour").await;
        for method in [Method::GET, Method::PUT, Method::HEAD] {
            app.store.set_mood(method, Some(Mood::Answers(status, 2)));
        }
        app.settle().await;
        assert_eq!(state(&practitioner, &id).await, "available", "{status}");
        assert_eq!(bytes_of(&app, &mother, &id).await, b"bonjour");
    }
    // Down: nothing is lost, and it comes by itself once the store is back.
    let id = uploaded(&practitioner, &child, b"bonsoir").await;
    for method in [Method::GET, Method::PUT, Method::HEAD] {
        app.store.set_mood(method, Some(Mood::Answers(StatusCode::SERVICE_UNAVAILABLE, usize::MAX)));
    }
    app.settle().await;
    assert_eq!(state(&practitioner, &id).await, "checking");
    read(&mother, &id).await.problem(404);
    let opened = open(&practitioner, &report(&child, "text/plain", b"x")).await.expect(201);
    let other = opened["document"]["id"].as_str().unwrap();
    assert_eq!(complete(&practitioner, other).await.problem(503), "unavailable");
    for method in [Method::GET, Method::PUT, Method::HEAD] {
        app.store.set_mood(method, None);
    }
    again(&app).await;
    assert_eq!(state(&practitioner, &id).await, "available");
    // Without the right: that is for a person to look at, and the event stays.
    let id = uploaded(&practitioner, &child, b"refus").await;
    app.store.set_mood(Method::PUT, Some(Mood::Answers(StatusCode::FORBIDDEN, usize::MAX)));
    again(&app).await;
    assert_eq!(state(&practitioner, &id).await, "checking");
    app.store.set_mood(Method::PUT, None);
    again(&app).await;
    again(&app).await;
    assert_eq!(state(&practitioner, &id).await, "available");
}

#[tokio::test]
async fn while_the_scanner_is_away_a_document_is_in_quarantine() {
    let place = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("tcp:{}", place.local_addr().unwrap());
    drop(place);
    let app = App::on(database::fresh().await, &[("CLAMD", &address)]).await;
    let (mother, child, practitioner) = family(&app, "2019-09-01").await;
    let id = uploaded(&practitioner, &child, b"bonjour").await;
    app.settle().await;
    assert_eq!(state(&practitioner, &id).await, "quarantined");
    read(&mother, &id).await.problem(404);
    // A scanner that says something else than that it is clean lets nothing pass either.
    let place = TcpListener::bind(address.strip_prefix("tcp:").unwrap()).await.unwrap();
    let talks = tokio::spawn(async move {
        loop {
            let (mut stream, _) = place.accept().await.unwrap();
            let _ = tokio::io::AsyncWriteExt::write_all(&mut stream, b"stream: OK, perhaps\0").await;
        }
    });
    again(&app).await;
    talks.abort();
    assert_eq!(state(&practitioner, &id).await, "quarantined");
    read(&mother, &id).await.problem(404);
}

#[tokio::test]
async fn in_production_nothing_is_shown_that_nobody_scanned() {
    let app = App::on(database::fresh().await, &[("CARNET_ENV", "production")]).await;
    let (mother, child, practitioner) = family(&app, "2019-09-01").await;
    let id = uploaded(&practitioner, &child, b"bonjour").await;
    app.settle().await;
    assert_eq!(state(&practitioner, &id).await, "quarantined");
    read(&mother, &id).await.problem(404);
}

#[tokio::test]
async fn a_scanner_finds_the_test_virus_and_lets_the_rest_pass() {
    let clamd = OwnClamd::start().expect("clamd starts");
    let content::clamd::Address::Unix(socket) = clamd.address() else { panic!("a socket") };
    let app = App::on(database::fresh().await, &[("CLAMD", &format!("unix:{}", socket.display()))]).await;
    let (mother, child, practitioner) = family(&app, "2019-09-01").await;
    let clean = deposit(&app, &practitioner, &report(&child, "text/plain", b"bonjour"), b"bonjour").await;
    let seen = read(&mother, &clean).await.expect(200);
    assert_eq!((&seen["state"], &seen["version"]["scanned"]), (&json!("available"), &json!(true)));
    // A remark in what is drawn: nobody reads it, and it is there as it is.
    let inside = drawn(&format!("%{}\nBT ET", String::from_utf8(eicar()).unwrap()));
    for (media_type, bytes) in [("text/plain", eicar()), ("application/pdf", inside)] {
        let id = super::uploaded(&practitioner, &report(&child, media_type, &bytes), &bytes).await;
        app.settle().await;
        let refused = read(&practitioner, &id).await.expect(200);
        assert_eq!((&refused["state"], &refused["version"]["reason"]["code"]), (&json!("refused"), &json!("malware")));
        read(&mother, &id).await.problem(404);
    }
    assert_eq!(app.store.names("staging"), Vec::<String>::new());
}

#[tokio::test]
async fn a_judgement_that_was_cut_begins_anew_and_leaves_nothing() {
    let app = App::start().await;
    let (mother, child, practitioner) = family(&app, "2019-09-01").await;
    // Killed with its bytes planned and half of them written: the lease runs out, and another one takes it up.
    let id = uploaded(&practitioner, &child, b"bonjour").await;
    let cut = "with v as (update document_version set lease = gen_random_uuid(), lease_until = $2::timestamptz where document_id = $1 returning *)
        insert into document_object (key, document_id, version, part, state, wrapped_key, clear_bytes, planned_at)
        select 'documents/cut', document_id, number, 'content', 'planned', 'x', 7, $3::timestamptz from v";
    let now = app.now();
    let lease = (now + SignedDuration::from_secs(60)).to_string();
    sqlx::query(cut)
        .bind(id.parse::<uuid::Uuid>().unwrap())
        .bind(lease)
        .bind(now.to_string())
        .execute(app.pool())
        .await
        .unwrap();
    std::fs::create_dir_all(app.store.path("documents")).unwrap();
    std::fs::write(app.store.path("documents/cut"), b"half").unwrap();
    app.settle().await;
    assert_eq!(state(&practitioner, &id).await, "checking", "another one is at it");
    again(&app).await;
    assert_eq!(state(&practitioner, &id).await, "available");
    assert_eq!(bytes_of(&app, &mother, &id).await, b"bonjour");
    assert!(!app.store.path("documents/cut").exists(), "what was half written was removed by the hour's run");
    // The event that is delivered twice does nothing twice.
    sqlx::query("insert into outbox (kind, subject, data, occurred_at) select kind, subject, data, occurred_at from outbox where kind = 'document.uploaded.v1'")
        .execute(app.pool()).await.unwrap();
    app.settle().await;
    assert_eq!(app.count("select count(*) from outbox where kind = 'document.available.v1'").await, 1);
    assert_eq!(app.count("select count(*) from notice where kind = 'document'").await, 1);
}

#[tokio::test]
async fn bytes_that_were_changed_in_the_store_are_given_to_nobody() {
    let app = App::start().await;
    let (mother, child, practitioner) = family(&app, "2019-09-01").await;
    let bytes = super::bytes::large(600_000);
    let id = deposit(&app, &practitioner, &report(&child, "text/plain", &bytes), &bytes).await;
    // Its bytes, and its words for a search to come, which are as long.
    for name in app.store.names("documents") {
        let mut kept = std::fs::read(app.store.path(&name)).unwrap();
        let middle = kept.len() / 2;
        kept[middle] ^= 1;
        std::fs::write(app.store.path(&name), &kept).unwrap();
    }
    let link = super::link(&mother, &id).await.expect(200);
    let request =
        app.nobody().request(Method::GET, link["url"].as_str().unwrap()).body(axum::body::Body::empty()).unwrap();
    let response = tower::ServiceExt::oneshot(app.gateway.public.clone(), request).await.unwrap();
    let read = http_body_util::BodyExt::collect(response.into_body()).await;
    assert!(read.is_err(), "the answer breaks off before the first byte of a piece that was changed");
}
