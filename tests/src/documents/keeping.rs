//! How long documents are kept, and what is compared each night.

use domain::SignedDuration;
use serde_json::json;

use super::{bytes_of, deposit, family, open, read, report};
use crate::support::{App, objects};

pub async fn walk(app: &App) {
    let (status, _) = app.event("reconcile-documents", "").await;
    assert_eq!(status, 200);
    // Something is missing.
    for name in app.store.names("documents") {
        std::fs::remove_file(app.store.path(&name)).unwrap();
    }
    app.at("2027-06-01T00:00:00Z");
    let (_, report) = app.event("reconcile-documents", "").await;
    assert!(!report["missing"].as_array().unwrap().is_empty());
}

#[tokio::test]
async fn an_upload_that_nobody_completes_is_given_up_after_a_day() {
    let app = App::start().await;
    let (_, child, practitioner) = family(&app, "2019-09-01").await;
    let opened = open(&practitioner, &report(&child, "text/plain", b"oubli")).await.expect(201);
    let id = opened["document"]["id"].as_str().unwrap();
    assert_eq!(objects::send(&opened["upload"]["whole"], &b"oubli"[..]).await, 200);
    app.later(SignedDuration::from_hours(23));
    app.settle().await;
    assert_eq!(app.store.names("staging").len(), 1);
    app.later(SignedDuration::from_hours(2));
    app.settle().await;
    assert_eq!(app.store.names("staging"), Vec::<String>::new());
    let practitioner = app.staff("practitioner-pentes").await;
    read(&practitioner, id).await.problem(404);
    assert_eq!(
        app.count("select count(*) from audit where event = 'document.abandon' and actor_kind = 'system'").await,
        1
    );
}

#[tokio::test]
async fn documents_are_kept_twenty_years_and_until_the_28th_birthday_and_while_something_is_contested() {
    let app = App::start().await;
    let (mother, child, practitioner) = family(&app, "2019-09-01").await;
    let id = deposit(&app, &practitioner, &report(&child, "text/plain", b"garde"), b"garde").await;
    let purge = async |at: &str| {
        app.at(at);
        assert_eq!(app.event("purge-documents", "").await.0, 204);
        app.count("select count(*) from document where purged_at is null").await
    };
    // The visit is in March 2026: twenty years after it; the 28th birthday is in 2047.
    assert_eq!(purge("2046-04-30T00:00:00Z").await, 1);
    assert_eq!(purge("2047-08-31T00:00:00Z").await, 1);
    let hold = async |held: bool| {
        let operator = app.staff("operator").await;
        operator.post(&format!("/v1/patients/{child}/legal-hold"), &json!({"legal_hold": held})).await.expect(200)
    };
    assert_eq!(hold(true).await, json!({"patient": child, "legal_hold": true}));
    assert_eq!(purge("2060-01-01T00:00:00Z").await, 1);
    let kept = app.count("select count(*) from document_object where state = 'written'").await;
    assert_eq!(i64::try_from(app.store.names("documents").len()), Ok(kept));
    hold(false).await;
    assert_eq!(purge("2060-01-02T00:00:00Z").await, 0);
    assert_eq!(app.store.names("documents"), Vec::<String>::new());
    let mother = mother.clone().bearing(&app.fresh_token(&mother).await);
    read(&mother, &id).await.problem(404);
    assert_eq!(app.sql("select to_jsonb(title) from document").await, [json!("")]);
}

#[tokio::test]
async fn bytes_that_nobody_knows_are_removed_and_documents_without_bytes_are_reported() {
    let app = App::start().await;
    let (mother, child, practitioner) = family(&app, "2019-09-01").await;
    let id = deposit(&app, &practitioner, &report(&child, "text/plain", b"sain"), b"sain").await;
    for orphan in ["documents/orphan", "staging/orphan"] {
        std::fs::create_dir_all(app.store.path(orphan).parent().unwrap()).unwrap();
        std::fs::write(app.store.path(orphan), b"x").unwrap();
    }
    // The store's clock is the real one.
    let (_, report) = app.event("reconcile-documents", "").await;
    assert_eq!((&report["removed"], &report["missing"]), (&json!(0), &json!([])), "they may be on their way");
    app.at("2027-06-01T00:00:00Z");
    let (_, report) = app.event("reconcile-documents", "").await;
    assert_eq!((&report["removed"], &report["missing"]), (&json!(2), &json!([])));
    app.at("2026-03-02T08:05:00Z");
    assert_eq!(bytes_of(&app, &mother, &id).await, b"sain");
    for name in app.store.names("documents") {
        std::fs::remove_file(app.store.path(&name)).unwrap();
    }
    app.at("2027-06-01T00:00:00Z");
    let (_, report) = app.event("reconcile-documents", "").await;
    assert_eq!(report["missing"], json!([id]));
    assert_eq!(
        app.count("select count(*) from audit where event = 'document.bytes-missing' and outcome = 'failed'").await,
        1
    );
}

#[tokio::test]
async fn a_judgement_whose_event_was_given_up_is_told_again() {
    let app = App::start().await;
    let (mother, child, practitioner) = family(&app, "2019-09-01").await;
    let opened = open(&practitioner, &report(&child, "text/plain", b"enfin")).await.expect(201);
    let id = opened["document"]["id"].as_str().unwrap().to_owned();
    assert_eq!(objects::send(&opened["upload"]["whole"], &b"enfin"[..]).await, 200);
    super::complete(&practitioner, &id).await.expect(200);
    sqlx::query("update outbox set fanned_out_at = occurred_at").execute(app.pool()).await.unwrap();
    app.later(SignedDuration::from_hours(50));
    let (_, report) = app.event("reconcile-documents", "").await;
    assert_eq!(report["woken"], 1);
    app.settle().await;
    let mother = mother.clone().bearing(&app.fresh_token(&mother).await);
    assert_eq!(read(&mother, &id).await.expect(200)["state"], "available");
}
