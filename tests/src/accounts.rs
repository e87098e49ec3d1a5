//! Signing up, in, on and out.

use domain::SignedDuration;
use serde_json::json;

use crate::account_life::signed_in;
use crate::support::{App, Client};

#[tokio::test]
async fn a_sign_up_does_not_tell_whether_the_address_is_somebodys() {
    let app = App::start().await;
    // Of the fixtures: an account that has shown the address to be its own.
    let taken = "camille.martin@famille.example";
    let mut answers = Vec::new();
    for (email, password) in [("personne@famille.example", "une première phrase"), (taken, "une autre phrase à moi")]
    {
        let account = json!({"email": email, "password": password, "given_name": "Ada", "family_name": "Autre",
                             "birth_date": "1990-01-01"});
        let opened = app.nobody().post("/v1/accounts", &account).await.expect(201);
        // Nor does the sign-in that follows.
        let session = json!({"email": email.to_uppercase(), "password": password});
        let session = app.nobody().post("/v1/sessions", &session).await.expect(201);
        let me = app.nobody().bearing(session["access_token"].as_str().unwrap());
        let mine = me.get("/v1/patients").await.expect(200);
        assert_eq!(mine["items"].as_array().unwrap().len(), 1);
        assert_eq!(mine["items"][0]["id"], opened["patient"], "their own file and nobody else's");
        answers.push(opened.as_object().unwrap().keys().cloned().collect::<Vec<_>>());
    }
    assert_eq!(answers[0], answers[1]);
    let owner = json!({"email": taken, "password": "carnet-demo-2026"});
    let owner = app.nobody().post("/v1/sessions", &owner).await.expect(201);
    let theirs = app.nobody().bearing(owner["access_token"].as_str().unwrap()).get("/v1/patients").await.expect(200);
    assert_eq!(theirs["items"].as_array().unwrap().len(), 3, "the owner keeps the account");
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_address_are_told_alike() {
    let app = App::start().await;
    let ada = app.patient().await;
    let wrong = app.nobody().post("/v1/sessions", &json!({"email": ada.email, "password": "pas celle-là"})).await;
    let unknown = app.nobody().post("/v1/sessions", &json!({"email": "x@y.example", "password": "pas celle-là"})).await;
    assert_eq!(wrong.problem(401), "sign-in-failed");
    assert_eq!(wrong.body, unknown.body);
}

#[tokio::test]
async fn an_access_token_lives_ten_minutes_and_a_refresh_token_is_good_once() {
    let app = App::start().await;
    let ada = app.patient().await;
    let session = json!({"email": ada.email, "password": "une phrase assez longue"});
    let first = app.nobody().post("/v1/sessions", &session).await.expect(201);
    assert_eq!(first["expires_in"], 600);
    app.later(SignedDuration::from_mins(11));
    let bearing = |pair: &serde_json::Value| app.nobody().bearing(pair["access_token"].as_str().unwrap());
    assert_eq!(bearing(&first).get("/v1/patients").await.problem(401), "unauthenticated");
    let refresh = |pair: &serde_json::Value| json!({"refresh_token": pair["refresh_token"]});
    let second = app.nobody().post("/v1/sessions/refresh", &refresh(&first)).await.expect(200);
    bearing(&second).get("/v1/patients").await.expect(200);
    // The first again: a thief or a lost answer. The whole session ends.
    let reused = app.nobody().post("/v1/sessions/refresh", &refresh(&first)).await;
    assert_eq!(reused.problem(401), "session-ended");
    let dead = app.nobody().post("/v1/sessions/refresh", &refresh(&second)).await;
    assert_eq!(dead.problem(401), "session-ended");
    assert_eq!(app.count("select count(*) from audit where event = 'session.end.reuse'").await, 1);
}

#[tokio::test]
async fn signing_out_ends_the_session() {
    let app = App::start().await;
    let ada = app.patient().await;
    let session = json!({"email": ada.email, "password": "une phrase assez longue"});
    let pair = app.nobody().post("/v1/sessions", &session).await.expect(201);
    let me = app.nobody().bearing(pair["access_token"].as_str().unwrap());
    me.post("/v1/sessions/end", &json!({})).await.expect(204);
    let refused = app.nobody().post("/v1/sessions/refresh", &json!({"refresh_token": pair["refresh_token"]})).await;
    assert_eq!(refused.problem(401), "session-ended");
}

#[tokio::test]
async fn secrets_are_not_kept_in_clear() {
    let app = App::start().await;
    let ada = app.patient().await;
    let pair = app
        .nobody()
        .post("/v1/sessions", &json!({"email": ada.email, "password": "une phrase assez longue"}))
        .await
        .expect(201);
    let hashes = app.sql("select to_jsonb(password_hash) from account").await;
    assert!(
        hashes.iter().all(|hash| hash.as_str().unwrap().starts_with("$argon2id$v=19$m=19456,t=2,p=1$")),
        "{hashes:?}"
    );
    let tokens = app.sql("select to_jsonb(hash) from refresh_token").await;
    assert!(!tokens.contains(&pair["refresh_token"]));
}

#[tokio::test]
async fn a_child_added_twice_is_one_child() {
    let app = App::start().await;
    let ada = app.patient().await;
    let child = json!({"given_name": "Zoé", "family_name": "Exemple", "birth_date": "2020-02-29"});
    let one = ada.post("/v1/patients", &child).await.expect(201);
    let two = ada
        .post("/v1/patients", &json!({"given_name": "zoe", "family_name": "EXEMPLE", "birth_date": "2020-02-29"}))
        .await
        .expect(201);
    assert_eq!(one["id"], two["id"]);
    let list = ada.get("/v1/patients").await.expect(200);
    let relations: Vec<_> =
        list["items"].as_array().unwrap().iter().map(|patient| patient["relation"].clone()).collect();
    assert_eq!(relations, ["self", "parent"]);
    let grown = json!({"given_name": "Zoé", "family_name": "Exemple", "birth_date": "2008-03-02"});
    let refused = ada.post("/v1/patients", &grown).await;
    assert_eq!((refused.problem(422), &refused.body["field"]), ("field-invalid", &json!("birth_date")), "of age today");
    let unborn = json!({"given_name": "Zoé", "family_name": "Exemple", "birth_date": "2030-01-01"});
    let refused = ada.post("/v1/patients", &unborn).await;
    assert_eq!((refused.problem(422), &refused.body["field"]), ("field-invalid", &json!("birth_date")));
}

#[tokio::test]
async fn an_account_is_for_those_of_15_and_a_child_is_added_by_an_adult() {
    let app = App::start().await;
    let account = |birth_date: &str| {
        json!({"email": "noe@famille.example", "password": "une phrase assez longue", "given_name": "Noé",
               "family_name": "Exemple", "birth_date": birth_date})
    };
    let refused = app.nobody().post("/v1/accounts", &account("2011-03-03")).await;
    assert_eq!((refused.problem(422), &refused.body["field"]), ("field-invalid", &json!("birth_date")));
    assert!(refused.body["detail"].as_str().unwrap().contains("15 ans"), "{}", refused.body);
    app.nobody().post("/v1/accounts", &account("2011-03-02")).await.expect(201);
    let session = json!({"email": "noe@famille.example", "password": "une phrase assez longue"});
    let session = app.nobody().post("/v1/sessions", &session).await.expect(201);
    let noe = app.nobody().bearing(session["access_token"].as_str().unwrap());
    let child = json!({"given_name": "Zoé", "family_name": "Exemple", "birth_date": "2020-02-29"});
    assert_eq!(noe.post("/v1/patients", &child).await.problem(409), "adult-needed");
}

/// "une phrase assez longue", with 9.5 MiB and one pass.
const FORMER: &str = "$argon2id$v=19$m=9728,t=1,p=1$c2VsIGQtZXNzYWkgMTIzNA$RUL958OZEWbNLrSsMulQuZYUIe22vEL/6b1iHcHThHo";

/// Somebody whose password was hashed with former parameters signs in.
pub async fn walk(app: &App) -> Client {
    let ada = app.patient().await;
    let former = "update account set password_hash = $1 where email_lookup = $2";
    sqlx::query(former).bind(FORMER).bind(app.email_lookup(&ada.email)).execute(app.pool()).await.unwrap();
    signed_in(app, &ada.email, "une phrase assez longue").await;
    ada
}

#[tokio::test]
async fn a_password_hashed_with_former_parameters_is_hashed_anew_at_the_next_sign_in() {
    let app = App::start().await;
    let ada = walk(&app).await;
    let stored = async || {
        let hash = "select password_hash from account where email_lookup = $1";
        let hash = sqlx::query_scalar(hash).bind(app.email_lookup(&ada.email)).fetch_one(app.pool());
        hash.await.map(|hash: String| hash).unwrap()
    };
    let now = stored().await;
    assert!(now.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{now}");
    assert_eq!(app.count("select count(*) from audit where event = 'account.password.rehash'").await, 1);
    // It is the same password, and the hash stays.
    signed_in(&app, &ada.email, "une phrase assez longue").await;
    assert_eq!(stored().await, now);
    let wrong = json!({"email": ada.email, "password": "une phrase assez courte"});
    app.nobody().post("/v1/sessions", &wrong).await.problem(401);
}
