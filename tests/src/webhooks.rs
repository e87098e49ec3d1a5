//! Partners' programs are told of what happens in their establishment: signed, in order, at least once, and nowhere else.

mod guard;
mod life;
mod messages;
mod order;
mod places;
mod receiver;
mod speed;
mod standard;
mod stopping;
mod trouble;

use std::collections::BTreeSet;

use axum::body::Body;
use domain::SignedDuration;
use domain::ids::WebhookId;
use serde_json::{Value, json};

use crate::support::app::book;
use crate::support::{App, Client, database};
use receiver::{Manner, Receiver};

pub const ALL: [&str; 4] =
    ["appointment.booked.v1", "appointment.moved.v1", "appointment.cancelled.v1", "document.available.v1"];

/// Whose webhooks go to this machine too.
async fn app() -> App {
    App::on(database::fresh().await, &[("WEBHOOK_NETWORKS", "127.0.0.0/8")]).await
}

/// Carries events to where they are planned, and sends what is due.
async fn tell(app: &App) {
    app.settle().await;
    send(app).await;
}

/// Sends what is due; how much that was.
async fn send(app: &App) -> i64 {
    let (status, answer) = app.event("send-webhooks", Body::empty()).await;
    assert_eq!(status, 200, "{answer}");
    answer["sent"].as_i64().unwrap()
}

/// A webhook as it is answered when it is registered, not verified.
async fn registered(administrator: &Client, url: &str) -> Value {
    administrator.post("/v1/webhooks", &json!({"url": url, "events": ALL})).await.expect(201)
}

fn path(webhook: &Value) -> String {
    format!("/v1/webhooks/{}", webhook["id"].as_str().unwrap())
}

/// A webhook to which events are sent.
async fn open(administrator: &Client, receiver: &Receiver, at: &str) -> Value {
    let webhook = registered(administrator, &format!("{}{at}", receiver.address)).await;
    let verified = administrator.post(&format!("{}/verification", path(&webhook)), &json!({})).await.expect(200);
    assert_eq!(verified["state"], "active");
    webhook
}

/// What is known of its deliveries, the newest first.
async fn deliveries(administrator: &Client, webhook: &Value) -> Vec<Value> {
    let page = administrator.get(&format!("{}/deliveries?limit=200", path(webhook))).await.expect(200);
    page["items"].as_array().unwrap().clone()
}

/// The administrator at the present time: tokens end, clocks move.
async fn administrator(app: &App) -> Client {
    app.staff("administrator-pentes").await
}

/// Somebody who administers another establishment.
async fn administrator_of(app: &App, establishment: &str) -> Client {
    let (account, membership) = (uuid::Uuid::now_v7(), uuid::Uuid::now_v7());
    let (key, _) = app.gateway.ctx.keys.new_owner(account).await.unwrap();
    let sql = "with a as (insert into account (id, wrapped_key, password_hash, created_at) values ($1, $2, '-', '2020-01-01'))
        insert into membership (id, account_id, establishment_id, role, since) values ($3, $1, $4, 'administrator', '2020-01-01')";
    let there = gateway::fixtures::id("establishment", establishment);
    sqlx::query(sql).bind(account).bind(key).bind(membership).bind(there).execute(app.pool()).await.unwrap();
    app.acting(account, "administrator", Some(membership), 2).await
}

async fn change(client: &Client, path: &str, body: &Value) -> crate::support::client::Answer {
    let request = client.request(axum::http::Method::PATCH, path).header("content-type", "application/json");
    client.send(request.body(Body::from(body.to_string())).unwrap()).await
}

/// Every statement of these functions once: what they asked of the database.
pub async fn walk() -> BTreeSet<&'static str> {
    let (app, receiver) = (app().await, Receiver::start().await);
    let administrator = administrator(&app).await;
    let webhook = open(&administrator, &receiver, "/hook").await;
    let path = path(&webhook);
    administrator.get("/v1/webhooks").await.expect(200);
    administrator.get(&path).await.expect(200);
    change(&administrator, &path, &json!({"description": "Agenda"})).await.expect(200);
    administrator.post(&format!("{path}/secret"), &json!({})).await.expect(200);
    administrator.post(&format!("{path}/pause"), &json!({})).await.expect(200);
    administrator.post(&format!("{path}/resume"), &json!({})).await.expect(200);
    book(&app.patient().await, &app.slots_with("etienne-bouvarel").await[0]).await.expect(201);
    tell(&app).await;
    administrator.post(&format!("{path}/test"), &json!({})).await.expect(202);
    let all = json!({"from": "2026-03-01T00:00:00Z", "to": "2026-04-01T00:00:00Z"});
    administrator.post(&format!("{path}/replay"), &all).await.expect(202);
    deliveries(&administrator, &webhook).await;
    receiver.behaves("/hook", Manner::Answers(410));
    tell(&app).await;
    app.settle().await;
    administrator.post(&format!("{path}/removal"), &json!({})).await.expect(204);
    app.db.seen.lock().unwrap().clone()
}

/// The event that tells of a webhook which was paused by itself.
pub async fn told(app: &App) {
    let (id, _) = row(app, "https://9.9.9.9/", "pentes-plateau", "active").await;
    let gone = "with planned as (
            insert into webhook_delivery (id, webhook_id, event_id, kind, subject, ordinal, data, occurred_at, lease,
                                          next_attempt_at, expires_at, planned_at)
            select $1, $1, $1, 'webhook.test', $1, 0, '{}', now(), $1, now(), now(), now())
        select 1";
    sqlx::query(gone).bind(id.as_uuid()).execute(app.pool()).await.unwrap();
    let ended = json!({"webhook": id, "delivery": id, "lease": id, "state": "waiting", "try": {}, "gone": true, "failing_seconds": 1,
                       "failures": 1});
    let settled: Value = sqlx::query_scalar("select settle_webhook_delivery($1, $2)")
        .bind(json!({"at": app.now(), "role": "system"}))
        .bind(ended)
        .fetch_one(app.pool())
        .await
        .unwrap();
    assert_eq!((&settled["settled"], &settled["paused"]), (&json!(true), &json!("gone")));
}

/// A webhook as a row, with what signs to it.
pub async fn row(app: &App, url: &str, establishment: &str, state: &str) -> (WebhookId, String) {
    let id = WebhookId::from_uuid(uuid::Uuid::now_v7());
    let secret = runtime::webhooks::Secret::generate().unwrap();
    let (key, sealed) = secret.sealed(&app.gateway.ctx.keys, id).await.unwrap();
    let sql =
        "insert into webhook (id, establishment_id, url, description, events, state, wrapped_key, secret, created_by,
                                    created_at, since)
               select $1, $2, $3, '', $4, $5, $6, $7, account_id, '2020-01-01', '2020-01-01'
               from membership where role = 'administrator' limit 1";
    sqlx::query(sql)
        .bind(id.as_uuid())
        .bind(gateway::fixtures::id("establishment", establishment))
        .bind(url)
        .bind(ALL.map(str::to_owned).to_vec())
        .bind(state)
        .bind(key)
        .bind(sealed)
        .execute(app.pool())
        .await
        .unwrap();
    (id, secret.shown())
}

/// Later, as an administrator at that time.
async fn later(app: &App, by: SignedDuration) -> Client {
    app.later(by);
    administrator(app).await
}
