//! What is not right is told: the kind, the field, in the caller's language; never a 500, nothing half-written.

use axum::body::Body;
use axum::http::Method;
use serde_json::json;

use crate::support::App;

#[tokio::test]
async fn a_body_that_is_not_right_is_told_what_is_wrong() {
    let app = App::start().await;
    let ada = app.patient().await;
    let send = async |kind: &str, body: Vec<u8>| {
        let request =
            ada.request(Method::POST, "/v1/appointments").header("content-type", kind).header("idempotency-key", "k");
        let answer = ada.send(request.body(Body::from(body)).unwrap()).await;
        let name = answer.body["type"].as_str().unwrap_or_default().replace("/problems/", "");
        (answer.status.as_u16(), name, answer.body["field"].as_str().unwrap_or_default().to_owned())
    };
    let json = "application/json";
    let told = |status: u16, name: &str, field: &str| (status, name.to_owned(), field.to_owned());
    assert_eq!(send(json, b"{".to_vec()).await, told(400, "json-malformed", ""));
    assert_eq!(send(json, vec![]).await, told(400, "json-malformed", ""));
    assert_eq!(send(json, vec![0xff, 0xfe]).await, told(400, "json-malformed", ""));
    assert_eq!(send(json, "[".repeat(1000).into_bytes()).await, told(400, "json-too-deep", ""));
    assert_eq!(send(json, vec![b' '; 70_000]).await, told(413, "body-too-large", ""));
    assert_eq!(send("text/plain", b"{}".to_vec()).await, told(415, "unsupported-media-type", ""));
    assert_eq!(send(json, b"{}".to_vec()).await, told(422, "field-missing", "slot"));
    assert_eq!(send(json, br#"{"slot": 7}"#.to_vec()).await, told(422, "field-invalid", "slot"));
    assert_eq!(send(json, br#"{"slot": "x", "patient": "moi"}"#.to_vec()).await, told(422, "field-invalid", "patient"));
    assert_eq!(send(json, br#"{"slot": "x", "colour": 1}"#.to_vec()).await, told(422, "field-unknown", "colour"));
    assert_eq!(send(json, b"[]".to_vec()).await.0, 422);
    let long = json!({"slot": "x", "note": "é".repeat(1001)}).to_string();
    assert_eq!(send(json, long.into_bytes()).await, told(422, "field-invalid", "note"));
    assert_eq!(
        app.count("select count(*) from appointment").await + app.count("select count(*) from idempotency").await,
        0
    );
}

#[tokio::test]
async fn an_idempotency_key_is_required_and_sound() {
    let app = App::start().await;
    let ada = app.patient().await;
    let wish = json!({"slot": "x"});
    let missing = ada.post("/v1/appointments", &wish).await;
    assert_eq!((missing.problem(400), &missing.body["field"]), ("idempotency-key-missing", &json!("Idempotency-Key")));
    for bad in ["", " ", "a b", "é", &"x".repeat(129)] {
        let request = ada.request(Method::POST, "/v1/appointments").header("content-type", "application/json");
        let request = request.header("idempotency-key", bad.as_bytes()).body(Body::from(wish.to_string())).unwrap();
        assert_eq!(ada.send(request).await.problem(400), "idempotency-key-invalid", "{bad:?}");
    }
}

#[tokio::test]
async fn titles_are_in_french_unless_english_is_asked_for() {
    let app = App::start().await;
    let french = app.nobody().get("/v1/appointments").await;
    assert_eq!(french.problem(401), "unauthenticated");
    assert_eq!(french.body["title"], "Vous devez être connecté.");
    assert_eq!(french.headers["content-language"], "fr");
    assert_eq!(french.headers["www-authenticate"], "Bearer");
    let english = app.nobody().speaking("en-US,en;q=0.7").get("/v1/appointments").await;
    assert_eq!(
        (&english.body["title"], &english.body["type"]),
        (&json!("You must be signed in."), &french.body["type"])
    );
}

#[tokio::test]
async fn what_does_not_exist_is_a_problem_too() {
    let app = App::start().await;
    assert_eq!(app.nobody().get("/v1/nothing").await.problem(404), "not-found");
    let answer =
        app.nobody().send(app.nobody().request(Method::DELETE, "/v1/slots").body(Body::empty()).unwrap()).await;
    assert_eq!(answer.problem(405), "method-not-allowed");
    assert!(answer.headers.contains_key("allow"));
    assert_eq!(app.nobody().get("/_events/notify").await.problem(404), "not-found");
    let posted = app.nobody().post("/_events/expire-holds", &json!({})).await;
    assert_eq!(posted.problem(404), "not-found", "triggers are not public");
}

#[tokio::test]
async fn every_answer_is_private_and_named() {
    let app = App::start().await;
    let answer = app.nobody().get("/v1/specialties").await;
    assert_eq!(answer.headers["cache-control"], "no-store");
    assert_eq!(answer.headers["x-content-type-options"], "nosniff");
    let id = answer.headers["x-request-id"].to_str().unwrap().to_owned();
    assert!(id.parse::<uuid::Uuid>().is_ok());
    let spoofed = app
        .nobody()
        .request(Method::GET, "/v1/specialties")
        .header("x-request-id", "mine")
        .body(Body::empty())
        .unwrap();
    assert_ne!(app.nobody().send(spoofed).await.headers["x-request-id"], "mine");
}

#[tokio::test]
async fn odd_texts_harm_nobody() {
    let app = App::start().await;
    for odd in ["%00", "%25%5F", "%27%3B--", "%5C", "%F0%9F%98%80", "%E2%80%8B", "%FF", "a%00b", &"x".repeat(5000)] {
        for parameter in ["q", "place", "specialty"] {
            let answer = app.nobody().get(&format!("/v1/practitioners?{parameter}={odd}")).await;
            assert!(!answer.status.is_server_error(), "{parameter}={odd}: {}", answer.body);
            let answer = app.nobody().get(&format!("/v1/slots?place=Lyon&limit=1&{parameter}={odd}")).await;
            assert!(!answer.status.is_server_error(), "{parameter}={odd}: {}", answer.body);
        }
    }
    let ada = app.patient().await;
    for field in ["given_name", "family_name"] {
        let mut child = json!({"given_name": "Noé", "family_name": "Exemple", "birth_date": "2019-09-01"});
        child[field] = json!("a\u{0}b");
        assert_eq!(ada.post("/v1/patients", &child).await.problem(422), "field-invalid");
    }
    let session = json!({"email": "a\u{0}@x.example", "password": "\u{0}"});
    assert_eq!(app.nobody().post("/v1/sessions", &session).await.problem(422), "field-invalid");
}
