//! Every statement: prepared on the migrated schema, with its parameter types on record, one jsonb column, and called.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use domain::SignedDuration;
use runtime::queue::Queue as _;
use serde_json::json;
use sqlx::{Column as _, Either, Executor as _, Statement as _, TypeInfo as _};

use crate::support::App;
use crate::support::app::book;

/// `functions/*/sql/*.sql` and `shared/store/sql/*.sql`, by name.
fn files() -> BTreeMap<String, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut folders: Vec<PathBuf> = vec![root.join("shared/store/sql")];
    folders.extend(std::fs::read_dir(root.join("functions")).unwrap().map(|entry| entry.unwrap().path().join("sql")));
    let mut files = BTreeMap::new();
    for folder in folders {
        for entry in std::fs::read_dir(&folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(root).unwrap().to_string_lossy().into_owned();
            files.insert(name, std::fs::read_to_string(&path).unwrap());
        }
    }
    files
}

#[tokio::test]
async fn each_statement_prepares_and_returns_one_json_document_a_row() {
    let app = App::start().await;
    let mut types = String::new();
    for (name, sql) in files() {
        let prepared = app.pool().prepare(sqlx::SqlSafeStr::into_sql_str(sqlx::AssertSqlSafe(sql.clone()))).await;
        let prepared = prepared.unwrap_or_else(|error| panic!("{name}: {error}"));
        let columns: Vec<&str> = prepared.columns().iter().map(|column| column.type_info().name()).collect();
        assert_eq!(columns, ["JSONB"], "{name}");
        let Some(Either::Left(parameters)) = prepared.parameters() else { panic!("{name}: unknown parameters") };
        let parameters: Vec<&str> = parameters.iter().map(sqlx::TypeInfo::name).collect();
        types.push_str(&format!("{name}: {}\n", parameters.join(", ")));
        assert!(
            !sql.to_lowercase().contains("begin;") && !sql.to_lowercase().contains("commit;"),
            "{name} is one statement"
        );
        assert!(sql.starts_with("-- "), "{name} says what it does");
    }
    insta::assert_snapshot!(types);
}

#[tokio::test]
async fn sql_functions_are_defined_anew_when_their_text_is_another_and_only_then() {
    let app = App::start().await;
    let pg = store::pg::Pg::lazy(&app.url, 2).unwrap();
    let defined = "select count(*) from pg_proc where proname = 'busy_resource'";
    sqlx::query("drop function busy_resource").execute(app.pool()).await.unwrap();
    pg.migrate().await.unwrap();
    assert_eq!(app.count(defined).await, 0, "defined again though nothing changed");
    sqlx::query("update routine set digest = 'of another release'").execute(app.pool()).await.unwrap();
    pg.migrate().await.unwrap();
    assert_eq!(app.count(defined).await, 1);
}

#[tokio::test]
async fn each_statement_is_called_by_a_walk_through_the_product() {
    let app = App::start().await;
    let ada = app.patient().await;
    let slots = app.lyon_slots().await;
    for path in ["/v1/practitioners", "/v1/specialties", "/v1/patients", "/v1/appointments", "/readyz"] {
        ada.get(path).await.expect(200);
    }
    ada.get(&format!("/v1/practitioners/{}", slots[0]["practitioner"].as_str().unwrap())).await.expect(200);
    let child = json!({"given_name": "Noé", "family_name": "Exemple", "birth_date": "2019-09-01"});
    ada.post("/v1/patients", &child).await.expect(201);
    let session = json!({"email": ada.email, "password": "une phrase assez longue"});
    let pair = app.nobody().post("/v1/sessions", &session).await.expect(201);
    app.nobody().post("/v1/sessions/refresh", &json!({"refresh_token": pair["refresh_token"]})).await.expect(200);
    ada.post_with_key("/v1/holds", &json!({"slot": slots[3]["slot"]}), "hold").await.expect(201);
    ada.post_with_key("/v1/appointments", &json!({"slot": "x"}), "none").await.problem(404);
    let appointment = book(&ada, &slots[0]).await.expect(201);
    let path = format!("/v1/appointments/{}", appointment["id"].as_str().unwrap());
    ada.get(&path).await.expect(200);
    ada.post(&format!("{path}/move"), &json!({"slot": slots[1]["slot"]})).await.expect(200);
    for _ in 0..2 {
        ada.post(&format!("{path}/cancellation"), &json!({"reason": "x"})).await.expect(200);
    }
    ada.get("/v1/appointments/00000000-0000-7000-8000-000000000000").await.problem(404);
    ada.post("/v1/sessions/end", &json!({})).await.expect(204);
    app.settle().await;
    let events = crate::support::Client::new(app.gateway.app.events.clone());
    events.get("/_events/deliver-outbox/dead").await.expect(200);
    events.post("/_events/deliver-outbox/dead/1/replay", &json!({})).await.problem(404);
    let queue = runtime::queue::Outbox::new(app.gateway.ctx.db.clone(), app.gateway.ctx.clock.clone());
    queue.renew(&[crate::queues::taken()], SignedDuration::from_secs(60)).await.unwrap();
    app.later(SignedDuration::from_hours(1));
    app.settle().await;
    crate::notices::walk(&app).await;
    crate::limits::walk(&app).await;
    crate::imports::a_small_file(&app).await;
    crate::audit::walk(&app).await;
    crate::guardians::walk(&app).await;
    crate::professionals::walk(&app).await;
    crate::emergency::walk(&app).await;
    crate::members::walk(&app).await;
    crate::feeds::walk(&app).await;
    let elsewhere = [crate::sign_in_with::walk().await, crate::webhooks::walk().await, crate::exchange::walk().await];
    crate::accounts::walk(&app).await;
    crate::account_life::walk(&app).await;
    crate::account_phone::walk(&app).await;
    crate::push::walk(&app).await;
    crate::second_factors::walk(&app).await;
    crate::lost_factors::walk(&app).await;
    crate::passkeys::walk(&app).await;
    // Last: it moves the clock by a year.
    crate::documents::walk(&app).await;

    let mut seen = app.db.seen.lock().unwrap();
    seen.extend(elsewhere.into_iter().flatten());
    let uncalled: Vec<String> =
        files().into_iter().filter(|(_, sql)| !seen.contains(sql.as_str())).map(|(name, _)| name).collect();
    assert_eq!(uncalled, Vec::<String>::new(), "statements that nobody calls");
}
