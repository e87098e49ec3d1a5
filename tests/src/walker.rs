//! Every route, as nobody and as somebody else. A route that is missing here fails the test.

use axum::body::Body;
use axum::http::Method;
use gateway::registry::FUNCTIONS;
use serde_json::{Value, json};

use crate::support::app::book;
use crate::support::{App, Client};

/// A body with which the route gets past parsing.
fn body(path: &str) -> Value {
    match path {
        "/v1/appointments" | "/v1/holds" | "/v1/appointments/{id}/move" => json!({"slot": "x"}),
        "/v1/appointments/{id}/cancellation" => json!({"reason": "x"}),
        "/v1/patients" => json!({"given_name": "A", "family_name": "B", "birth_date": "2019-01-01"}),
        path if path.ends_with("/choice") => json!({"membership": "00000000-0000-7000-8000-000000000000"}),
        "/v1/sign-in-with/{provider}/link" | "/v1/holds/{id}" => json!({}),
        "/v1/appointments/{id}/secrecy" => json!({"secret": true}),
        // Who is nobody is told so before anything is parsed; `access.rs` walks these with all that they take.
        path if path.starts_with("/v1/documents") || path.starts_with("/v1/webhooks") => json!({}),
        path if path.starts_with("/v1/exchange-") => json!({}),
        path if path.starts_with("/v1/push-subscriptions") || path.starts_with("/v1/calendar-feeds") => json!({}),
        path if path.starts_with("/v1/guardianships") || path.starts_with("/v1/members") => json!({}),
        "/v1/patients/{id}/guardians"
        | "/v1/patients/{id}/blocks"
        | "/v1/patients/{id}/blocks/lift"
        | "/v1/patients/{id}/attending-physician"
        | "/v1/patients/{id}/legal-hold"
        | "/v1/patients/{id}/emergency-access"
        | "/v1/memberships"
        | "/v1/establishments/{id}/administrators"
        | "/v1/sessions/capacity"
        | "/v1/professionals"
        | "/v1/professionals/{id}/decision" => json!({}),
        "/v1/sessions/end"
        | "/v1/sessions/end-all"
        | "/v1/sessions/{id}"
        | "/v1/accounts/email-verification/request"
        | "/v1/accounts/phone-verification/request" => json!({}),
        path if path.starts_with("/v1/notice-templates")
            || path.ends_with("/notice-preferences")
            || path.ends_with("/read")
            || path.ends_with("/printed") =>
        {
            json!({})
        }
        "/v1/accounts/phone" => json!({"phone": null, "password": "x"}),
        "/v1/accounts/phone-verification" => json!({"code": "123456"}),
        "/v1/second-factors/reset" => json!({"email": "nobody@famille.example", "evidence": "identity-document"}),
        "/v1/sessions/revocation" => json!({"everybody": true, "reason": "incident"}),
        "/v1/sessions/second-factor" => json!({"otp": "123456"}),
        "/v1/accounts/email-verification" | "/v1/accounts/email-change/confirmation" => json!({"token": "x"}),
        "/v1/accounts/password" => json!({"current_password": "x", "password": "une autre phrase longue"}),
        "/v1/accounts/email-change" => json!({"email": "x@famille.example", "password": "x"}),
        "/v1/accounts/closure" => json!({"password": "x"}),
        "/v1/second-factors/totp" | "/v1/second-factors/recovery-codes" | "/v1/second-factors/passkeys/options" => {
            json!({})
        }
        "/v1/second-factors/totp/confirmation" => json!({"code": "123456"}),
        "/v1/second-factors/passkeys" => json!({"ceremony": "00000000-0000-7000-8000-000000000000", "credential": {}}),
        "/v1/second-factors/{id}/removal" => json!({"password": "x", "otp": "123456"}),
        other => panic!("say what to send to {other}"),
    }
}

async fn call(client: &Client, method: &str, path: &str, template: &str) -> u16 {
    let request = client.request(method.parse::<Method>().unwrap(), path).header("idempotency-key", "walk");
    let request = if method == "GET" {
        request.body(Body::empty())
    } else {
        request.header("content-type", "application/json").body(Body::from(body(template).to_string()))
    };
    client.send(request.unwrap()).await.status.as_u16()
}

#[tokio::test]
async fn nobody_gets_anywhere_that_is_not_public() {
    let app = App::start().await;
    let mut walked = 0;
    for route in app.gateway.app.manifests.iter().flat_map(|manifest| &manifest.routes).filter(|route| !route.public) {
        let path = route.path.replace("{id}", "00000000-0000-7000-8000-000000000000").replace("{provider}", "psc");
        for client in [app.nobody(), app.nobody().bearing("a.b.c")] {
            assert_eq!(call(&client, &route.method, &path, &route.path).await, 401, "{} {}", route.method, route.path);
        }
        walked += 1;
    }
    assert!(walked >= 9, "{walked} routes");
}

#[tokio::test]
async fn what_belongs_to_another_patient_does_not_exist() {
    let app = App::start().await;
    let (ada, ben) = (app.patient().await, app.patient().await);
    let slots = app.lyon_slots().await;
    let hers = book(&ada, &slots[0]).await.expect(201);
    let id = hers["id"].as_str().unwrap();
    let mut walked = 0;
    for route in app.gateway.app.manifests.iter().flat_map(|manifest| &manifest.routes) {
        if route.public || !route.path.starts_with("/v1/appointments/{id}") {
            continue;
        }
        let path = route.path.replace("{id}", id);
        assert_eq!(call(&ben, &route.method, &path, &route.path).await, 404, "{} {}", route.method, route.path);
        walked += 1;
    }
    assert_eq!(walked, 5, "routes on an appointment");
    // Routes where the other's patient is named in the body or the query.
    for path in ["/v1/appointments", "/v1/holds"] {
        let wish = json!({"slot": slots[1]["slot"], "patient": ada.patient});
        let refused = ben.post_with_key(path, &wish, "k").await;
        assert_eq!((refused.problem(404), &refused.body["field"]), ("not-found", &json!("patient")));
    }
    let list = ben.get(&format!("/v1/appointments?patient={}", ada.patient)).await.expect(200);
    assert_eq!(list["items"], json!([]));
    assert_eq!(ada.get(&format!("/v1/appointments/{id}")).await.expect(200)["status"], "booked", "nothing was changed");
}

#[tokio::test]
async fn manifests_routers_and_the_api_description_agree() {
    let app = App::start().await;
    let mut described: Vec<(String, String, bool)> = Vec::new();
    for (path, item) in app.gateway.app.openapi["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            described.push((method.to_uppercase(), path.clone(), operation.get("security").is_none()));
        }
    }
    let mut declared: Vec<(String, String, bool)> =
        vec![("GET".into(), "/healthz".into(), true), ("GET".into(), "/readyz".into(), true)];
    for (function, manifest) in FUNCTIONS.iter().zip(&app.gateway.app.manifests) {
        assert_eq!(function.name, manifest.name);
        declared.extend(manifest.routes.iter().map(|route| (route.method.clone(), route.path.clone(), route.public)));
        let triggered = manifest.schedule.is_some() || !manifest.topics.is_empty();
        assert!(function.events.is_some() || !triggered, "{} has a trigger and no handler for it", manifest.name);
        let consumes =
            FUNCTIONS.iter().any(|f| f.manifest().unwrap().topics.iter().any(|topic| manifest.topics.contains(topic)));
        assert!(manifest.topics.is_empty() || consumes);
    }
    described.sort();
    declared.sort();
    assert_eq!(described, declared);
    // Each described route is routed: nothing of ours answers 404 or 405 to its own method without an identifier.
    for (method, path, _) in declared.iter().filter(|(_, path, _)| !path.contains('{')) {
        let request = app.nobody().request(method.parse().unwrap(), path).body(Body::empty()).unwrap();
        let status = app.nobody().send(request).await.status.as_u16();
        assert!(![404, 405].contains(&status), "{method} {path}: {status}");
    }
}

#[tokio::test]
async fn development_routes_exist_in_development_only() {
    let development = App::start().await;
    let production = App::on(development.url.clone(), &[("CARNET_ENV", "production")]).await;
    for path in ["/dev/mail", "/dev/clock"] {
        development.nobody().get(path).await.expect(200);
        assert_eq!(production.nobody().get(path).await.problem(404), "not-found");
        for method in [Method::PUT, Method::DELETE, Method::POST] {
            let request = production.nobody().request(method, path).body(Body::from("{}")).unwrap();
            assert_eq!(production.nobody().send(request).await.status, 404);
        }
    }
}

#[tokio::test]
async fn moving_the_clock_lets_due_work_run_and_refuses_absurd_times() {
    let app = App::start().await;
    let ada = app.patient().await;
    let slot = &app.lyon_slots().await[0];
    let appointment = book(&ada, slot).await.expect(201);
    let put = async |now: &str| {
        let request = app.nobody().request(Method::PUT, "/dev/clock").header("content-type", "application/json");
        app.nobody().send(request.body(Body::from(json!({"now": now}).to_string())).unwrap()).await
    };
    let starts: domain::Timestamp = appointment["starts_at"].as_str().unwrap().parse().unwrap();
    put(&(starts - domain::SignedDuration::from_hours(20)).to_string()).await.expect(200);
    let mails = app.nobody().get(&format!("/dev/mail?to={}", ada.email)).await.expect(200);
    let subjects: Vec<&str> =
        mails["items"].as_array().unwrap().iter().map(|mail| mail["subject"].as_str().unwrap()).collect();
    assert!(subjects.contains(&"Rappel de votre rendez-vous"), "{subjects:?}");
    for absurd in ["9999-12-31T00:00:00Z", "-009998-01-01T00:00:00Z", "demain", ""] {
        assert_eq!(put(absurd).await.problem(422), "field-invalid");
    }
}

#[tokio::test]
async fn pages_say_what_runs_and_what_problems_mean() {
    let app = App::start().await;
    let home = app.nobody().get("/").await.expect(200);
    for wanted in ["/openapi.json", "/docs/", "/dev/mail", "expire-holds", "lang=\"fr\""] {
        assert!(home.as_str().unwrap().contains(wanted), "{wanted}");
    }
    assert!(app.nobody().get("/docs/").await.expect(200).as_str().unwrap().contains("swagger"));
    assert_eq!(app.nobody().get("/openapi.json").await.expect(200)["openapi"], "3.1.0");
    for kind in runtime::Kind::ALL {
        let page = app.nobody().get(&format!("/problems/{}", kind.slug())).await.expect(200);
        assert_eq!(page["status"], kind.status().as_u16());
    }
    app.nobody().get("/problems/none").await.problem(404);
    app.nobody().get("/healthz").await.expect(200);
    app.nobody().get("/readyz").await.expect(200);
}
