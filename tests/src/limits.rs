//! How much one may ask for, and what is kept no longer.

use std::net::SocketAddr;

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::Method;
use domain::SignedDuration;
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::app::book;
use crate::support::client::Answer;
use crate::support::{App, Client, database};

/// For the walk through all statements.
pub async fn walk(app: &App) {
    let slots = app.lyon_slots().await;
    let eve = app.patient().await;
    let held = eve.post_with_key("/v1/holds", &json!({"slot": slots[9]["slot"]}), "hold").await.expect(201);
    delete(&eve, &format!("/v1/holds/{}", held["id"].as_str().unwrap())).await.expect(204);
    let limited = App::on(app.url.clone(), &[("RATE_LIMIT_ACCOUNT_PER_MINUTE", "600")]).await;
    limited.gateway.ctx.clock.set(app.now());
    limited.nobody().bearing(eve.token()).get("/v1/patients").await.expect(200);
    app.db.seen.lock().unwrap().extend(limited.db.seen.lock().unwrap().iter());
}

async fn delete(client: &Client, path: &str) -> Answer {
    client.send(client.request(Method::DELETE, path).body(Body::empty()).unwrap()).await
}

/// A request from an address, perhaps with headers.
async fn from(app: &App, peer: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
    let client = app.nobody();
    let peer: SocketAddr = peer.parse().unwrap();
    let mut request = client.request(Method::GET, path).extension(ConnectInfo(peer));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    client.send(request.body(Body::empty()).unwrap()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_gets_its_share_of_a_minute_over_all_instances() {
    let variables = [("RATE_LIMIT_ADDRESS_PER_MINUTE", "100"), ("TRUSTED_PROXIES", "10.0.0.0/8")];
    let url = database::fresh().await;
    let (one, other) = (App::on(url.clone(), &variables).await, App::on(url, &variables).await);
    // At the beginning of a minute, so that none ends in the middle.
    for app in [&one, &other] {
        app.at("2026-03-02T08:00:00Z");
    }
    let requests = (0..300).map(|turn| {
        let app = if turn % 2 == 0 { &one } else { &other };
        async move { from(app, "192.0.2.1:4711", "/v1/specialties", &[]).await }
    });
    let answers = join_all(requests).await;
    let allowed = answers.iter().filter(|answer| answer.status == 200).count();
    assert_eq!(allowed, 100, "all is leased, nothing twice");
    let leases = one.db.count.load(std::sync::atomic::Ordering::Relaxed)
        + other.db.count.load(std::sync::atomic::Ordering::Relaxed);
    assert!(leases - allowed <= 14, "{} statements beside {allowed} answers", leases - allowed);

    let refused = from(&one, "192.0.2.1:4712", "/v1/specialties", &[]).await;
    assert_eq!((refused.problem(429), &refused.body["limit"]), ("too-many-requests", &json!("address")));
    let traces = "select count(*) from audit where event = 'request' and outcome = 'refused'";
    assert_eq!(one.count(traces).await, 2, "one of each instance, and not one of each request");
    let after: u32 = refused.headers["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=60).contains(&after), "{after}");
    assert_eq!(refused.headers["ratelimit-policy"], "\"address\";q=100;w=60");
    assert!(refused.headers["ratelimit"].to_str().unwrap().starts_with("\"address\";r=0;t="));
    // Others, and what watches the process, are not concerned.
    for path in ["/healthz", "/readyz"] {
        from(&one, "192.0.2.1:4713", path, &[]).await.expect(200);
    }
    let fine = from(&one, "192.0.2.2:1", "/v1/specialties", &[]).await;
    assert!(fine.headers["ratelimit"].to_str().unwrap().starts_with("\"address\";r=99;t="), "{:?}", fine.headers);
    fine.expect(200);
    // Behind a proxy of ours the client counts, and cannot name another.
    let behind = [("x-forwarded-for", "6.6.6.6, 192.0.2.1")];
    assert_eq!(from(&one, "10.1.1.1:1", "/v1/specialties", &behind).await.problem(429), "too-many-requests");
    assert_eq!(
        from(&one, "192.0.2.1:1", "/v1/specialties", &[("x-forwarded-for", "6.6.6.6")]).await.problem(429),
        "too-many-requests"
    );
    // Of IPv6, a whole /64 is one household.
    for host in 0..100 {
        from(&one, &format!("[2001:db8::{host:x}]:1"), "/v1/specialties", &[]).await.expect(200);
    }
    assert_eq!(from(&one, "[2001:db8::ffff:1]:1", "/v1/specialties", &[]).await.problem(429), "too-many-requests");
    from(&one, "[2001:db8:0:1::1]:1", "/v1/specialties", &[]).await.expect(200);

    one.later(SignedDuration::from_mins(1));
    from(&one, "192.0.2.1:4711", "/v1/specialties", &[]).await.expect(200);
    let kept = one.sql("select to_jsonb(rate_window) from rate_window").await;
    assert!(kept.iter().all(|row| !row.to_string().contains("192.0.2")), "no address in clear: {kept:?}");
    one.later(SignedDuration::from_hours(1));
    one.settle().await;
    assert_eq!(one.count("select count(*) from rate_window").await, 0, "what is past is swept");
}

#[tokio::test]
async fn on_lambda_the_address_is_the_one_that_the_platform_tells() {
    let app = App::on(database::fresh().await, &[("RATE_LIMIT_ADDRESS_PER_MINUTE", "1")]).await;
    app.at("2026-03-02T08:00:00Z");
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../events/lambda-http-api-v2.json");
    let mut event: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let mut ask = async |address: &str, said: &str| {
        event["requestContext"]["http"]["sourceIp"] = json!(address);
        event["headers"]["x-forwarded-for"] = json!(said);
        let answer = runtime::host::lambda::handle("search", &app.gateway.app, event.clone()).await.unwrap();
        answer["statusCode"].as_u64().unwrap()
    };
    assert_eq!(ask("192.0.2.1", "6.6.6.1").await, 200);
    assert_eq!(ask("192.0.2.1", "6.6.6.2").await, 429, "what a client says of itself moves nothing");
    assert_eq!(ask("192.0.2.2", "6.6.6.2").await, 200);
}

#[tokio::test]
async fn an_account_gets_its_share_wherever_it_asks_from() {
    let app = App::on(database::fresh().await, &[("RATE_LIMIT_ACCOUNT_PER_MINUTE", "10")]).await;
    app.at("2026-03-02T08:00:00Z");
    let (ada, ben) = (app.patient().await, app.patient().await);
    for left in (0..10).rev() {
        let answer = ada.get("/v1/patients").await;
        assert!(answer.headers["ratelimit"].to_str().unwrap().starts_with(&format!("\"account\";r={left};t=")));
        answer.expect(200);
    }
    let refused = ada.get("/v1/patients").await;
    assert_eq!((refused.problem(429), &refused.body["limit"]), ("too-many-requests", &json!("account")));
    ben.get("/v1/patients").await.expect(200);
    ada.get("/v1/specialties").await.expect(200);
}

#[tokio::test]
async fn without_a_database_nobody_is_counted() {
    let app = App::on(database::fresh().await, &[("RATE_LIMIT_ADDRESS_PER_MINUTE", "1")]).await;
    app.close_database().await;
    for _ in 0..3 {
        assert_eq!(from(&app, "192.0.2.1:1", "/v1/specialties", &[]).await.problem(503), "unavailable");
        from(&app, "192.0.2.1:1", "/", &[]).await.expect(200);
    }
}

async fn hold(client: &Client, slot: &Value, key: &str) -> Answer {
    client.post_with_key("/v1/holds", &json!({"slot": slot["slot"]}), key).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_holds_five_slots_at_most_however_many_it_asks_for_at_once() {
    let app = App::start().await;
    let ada = app.patient().await;
    let slots = app.lyon_slots().await;
    let keys: Vec<String> = (0..40).map(|turn| turn.to_string()).collect();
    let answers = join_all(keys.iter().zip(&slots).map(|(key, slot)| hold(&ada, slot, key))).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 5);
    for answer in answers.iter().filter(|answer| answer.status != 201) {
        assert_eq!((answer.problem(409), &answer.body["most"]), ("too-many-holds", &json!(5)));
    }
    // One that is booked, let go or past makes room; a held time held again is the same one.
    let held: Vec<usize> = (0..40).filter(|turn| answers[*turn].status == 201).collect();
    hold(&ada, &slots[held[0]], "again").await.expect(201);
    assert_eq!(hold(&ada, &slots[41], "more").await.problem(409), "too-many-holds");
    book(&ada, &slots[held[0]]).await.expect(201);
    hold(&ada, &slots[41], "more").await.expect(201);
    assert_eq!(hold(&ada, &slots[42], "one-more").await.problem(409), "too-many-holds");
    app.later(SignedDuration::from_secs(301));
    hold(&ada, &slots[42], "one-more").await.expect(201);
    crate::races::consistent(&app).await;
}

#[tokio::test]
async fn a_hold_is_let_go_by_whoever_made_it() {
    let app = App::start().await;
    let (ada, ben) = (app.patient().await, app.patient().await);
    let slots = app.lyon_slots().await;
    let held = hold(&ada, &slots[0], "h").await.expect(201);
    let path = format!("/v1/holds/{}", held["id"].as_str().unwrap());
    assert_eq!(delete(&ben, &path).await.problem(404), "not-found");
    assert_eq!(book(&ben, &slots[0]).await.problem(409), "slot-taken");
    for _ in 0..2 {
        delete(&ada, &path).await.expect(204);
    }
    let booked = book(&ben, &slots[0]).await.expect(201);
    let path = format!("/v1/holds/{}", booked["id"].as_str().unwrap());
    assert_eq!(delete(&ben, &path).await.problem(404), "not-found", "an appointment is cancelled, not let go");
    let told = "select count(*) from audit where event = 'appointment.hold.release'";
    assert_eq!(app.count(told).await, 1);
    crate::races::consistent(&app).await;
}

#[tokio::test]
async fn a_late_move_is_had_and_remembered() {
    let app = App::start().await;
    let ada = app.patient().await;
    let slots = app.lyon_slots().await;
    let appointment = book(&ada, &slots[0]).await.expect(201);
    assert_eq!(appointment["late"], json!(null));
    let path = format!("/v1/appointments/{}", appointment["id"].as_str().unwrap());
    let move_to = async |client: &Client, slot: &Value| {
        client.post(&format!("{path}/move"), &json!({"slot": slot["slot"]})).await
    };
    assert_eq!(move_to(&ada, &slots[1]).await.expect(200)["late"], false);
    let starts: domain::Timestamp = slots[1]["starts_at"].as_str().unwrap().parse().unwrap();
    app.at(&(starts - SignedDuration::from_mins(30)).to_string());
    let ada = ada.clone().bearing(&app.fresh_token(&ada).await);
    let far = slots.iter().find(|slot| slot["starts_at"].as_str().unwrap().starts_with("2026-03-2")).unwrap();
    assert_eq!(move_to(&ada, far).await.expect(200)["late"], true);
    assert_eq!(ada.get(&path).await.expect(200)["late"], true);
    assert_eq!(app.count("select count(*) from audit where event = 'appointment.move.late'").await, 1);
    let cancelled = ada.post(&format!("{path}/cancellation"), &json!({"reason": "x"})).await.expect(200);
    assert_eq!(cancelled["late"], false, "the cancellation itself came in time");
}

#[tokio::test]
async fn what_is_kept_no_longer_is_deleted() {
    let app = App::start().await;
    let ada = app.patient().await;
    let slots = app.lyon_slots().await;
    book(&ada, &slots[0]).await.expect(201);
    // Begun by a signed-in person, and never ended.
    let attempt = "insert into openid_attempt (ticket, provider, account_id, session_id, started_at, expires_at)
                   select 'x', 'y', account_id, id, created_at, created_at + interval '10 minutes' from session";
    sqlx::query(attempt).execute(app.pool()).await.unwrap();
    let kept = async || {
        let sql = "select jsonb_build_array((select count(*) from idempotency), (select count(*) from session),
                          (select count(*) from refresh_token), (select count(*) from openid_attempt))";
        app.sql(sql).await.remove(0)
    };
    assert_eq!(kept().await, json!([1, 1, 1, 1]));
    app.later(SignedDuration::from_hours(29 * 24));
    app.settle().await;
    assert_eq!(kept().await, json!([1, 1, 1, 0]));
    app.later(SignedDuration::from_hours(2 * 24));
    app.settle().await;
    assert_eq!(kept().await, json!([0, 1, 1, 0]));
    // A session lives thirty days, and is kept for ninety after.
    app.later(SignedDuration::from_hours(88 * 24));
    app.settle().await;
    assert_eq!(kept().await, json!([0, 1, 1, 0]));
    app.later(SignedDuration::from_hours(2 * 24));
    app.settle().await;
    assert_eq!(kept().await, json!([0, 0, 0, 0]));
    let audited = app.count("select count(*) from audit where event = 'session.open'").await;
    assert_eq!(audited, 1, "what was done in it stays");
}
