//! A device that signed in before is kept out by no stranger, wherever it is.

use serde_json::{Value, json};

use crate::account_life::{OTHER, PHRASE, mailed, opened, verified};
use crate::support::{Answer, App};

const ADA: &str = "ada@famille.example";

async fn attempt(app: &App, from: &str, password: &str, device: Option<&Value>) -> Answer {
    let mut wish = json!({"email": ADA, "password": password});
    if let Some(device) = device {
        wish["device_token"] = device.clone();
    }
    app.nobody().at(from).post("/v1/sessions", &wish).await
}

#[tokio::test]
async fn a_device_that_signed_in_before_gets_in_from_anywhere_whatever_strangers_do() {
    let app = App::start().await;
    verified(&app, ADA).await;
    let device = attempt(&app, "192.0.2.1", PHRASE, None).await.expect(201)["device_token"].clone();
    assert_eq!(device.as_str().unwrap().len(), 96);
    for stranger in 0..10 {
        attempt(&app, &format!("198.51.100.{stranger}"), "une autre phrase", None).await.problem(401);
    }
    assert_eq!(attempt(&app, "203.0.113.9", PHRASE, None).await.problem(429), "too-many-attempts");
    // The same telephone on another network.
    let again = attempt(&app, "203.0.113.9", PHRASE, Some(&device)).await.expect(201);
    assert_ne!(again["device_token"], device);
    // What is not ours, or another account's, helps nobody.
    let other = opened(&app, "ben@famille.example").await;
    let theirs = json!({"email": "ben@famille.example", "password": PHRASE});
    let theirs = app.nobody().post("/v1/sessions", &theirs).await.expect(201)["device_token"].clone();
    drop(other);
    let text = device.as_str().unwrap();
    let mixed = json!(format!("{}{}", &theirs.as_str().unwrap()[..32], &text[32..]));
    for (n, wrong) in [json!(""), json!("é"), json!(&text[..95]), theirs, mixed].iter().enumerate() {
        let refused = attempt(&app, &format!("203.0.113.{}", 20 + n), PHRASE, Some(wrong)).await;
        assert_eq!(refused.problem(429), "too-many-attempts", "{wrong}");
    }
    attempt(&app, "203.0.113.40", PHRASE, Some(&json!("x".repeat(121)))).await.problem(422);
    // Nor is it a way to guess: all devices of an account have ten failures together.
    for guess in 0..10 {
        let device = if guess % 2 == 0 { &device } else { &again["device_token"] };
        attempt(&app, &format!("203.0.113.{}", 60 + guess), "une autre phrase", Some(device)).await.problem(401);
    }
    assert_eq!(attempt(&app, "203.0.113.99", PHRASE, Some(&device)).await.problem(429), "too-many-attempts");
}

#[tokio::test]
async fn a_session_that_was_ended_for_a_reason_tells_nothing_of_who_has_the_device() {
    let app = App::start().await;
    verified(&app, ADA).await;
    let signed_in = attempt(&app, "192.0.2.1", PHRASE, None).await.expect(201);
    let device = &signed_in["device_token"];
    let ended = app.nobody().bearing(signed_in["access_token"].as_str().unwrap());
    ended.post("/v1/sessions/end", &json!({})).await.expect(204);
    let strangers = async || {
        for stranger in 0..10 {
            attempt(&app, &format!("198.51.100.{stranger}"), "une autre phrase", None).await.problem(401);
        }
    };
    strangers().await;
    // Whoever signed out comes back.
    attempt(&app, "203.0.113.9", PHRASE, Some(device)).await.expect(201);
    // A new password by mail ends what was before, and forgets what strangers tried: the new one is good from anywhere.
    app.nobody().post("/v1/accounts/password-reset/request", &json!({"email": ADA})).await.expect(202);
    let reset = json!({"token": mailed(&app, ADA).await, "password": OTHER});
    app.nobody().at("192.0.2.1").post("/v1/accounts/password-reset", &reset).await.expect(204);
    attempt(&app, "203.0.113.10", OTHER, None).await.expect(201);
    strangers().await;
    let other = attempt(&app, "203.0.113.11", OTHER, Some(&signed_in["device_token"])).await;
    assert_eq!(other.status.as_u16(), 201, "signed out before the reset, it is known still");
}
