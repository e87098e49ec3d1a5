//! What guests send out, and where they may not go; and guests that are told nonsense.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Path, State};
use axum::routing::post;
use gateway::tools::client::Client as Json;
use http::{Method, StatusCode};
use runtime::config::Config;
use runtime::keys::Keys;
use runtime::seals::SealKey;
use serde_json::Value;
use sqlx::{Connection as _, Executor as _, PgConnection};
use tokio::net::TcpListener;

use crate::product::{SECRET, application, post_to};
use crate::world::{Database, Running, block_on, up, variables};

type Received = Arc<Mutex<Vec<(String, Value)>>>;

/// A consumer that keeps what it is sent; its address.
async fn consumer(received: &Received) -> String {
    let keep = async |State(received): State<Received>,
                      Path((name, _)): Path<(String, String)>,
                      axum::Json(event): axum::Json<Value>| {
        received.lock().unwrap().push((name, event));
        StatusCode::NO_CONTENT
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let place = listener.local_addr().unwrap().to_string();
    let router = Router::new().route("/for/{consumer}/_events/{name}", post(keep)).with_state(received.clone());
    tokio::spawn(async move { axum::serve(listener, router).await });
    place
}

/// Guests that deliver to `url`, and may go to `host`.
async fn deliverer(database: &Database, (signing, master): &(String, String), url: &str, host: &str) -> Running {
    let seal = SealKey::generate().unwrap();
    let config = Config::read(|name| (name == "CARNET_SIGNING_KEY").then(|| signing.clone())).unwrap();
    let verifying = Keys::those(&config, &|name| name == "CARNET_SIGNING_KEY").unwrap().public()[0].x.clone();
    let given = variables([
        ("database_url", database.tcp.as_str()),
        ("database_host", &database.host),
        ("carnet_verifying_keys", &verifying),
        ("carnet_signing_key", signing),
        ("carnet_master_key", master),
        ("carnet_lookup_key", master),
        ("carnet_seal_key", &seal),
        ("events_secret", SECRET),
        ("subscriptions", "appointment.booked.v1=recorder"),
        ("consumer_url", url),
        ("consumer_host", host),
    ]);
    up("outward", application(), given).await
}

#[test]
fn events_are_posted_to_whom_the_manifest_names_and_to_nobody_else() {
    block_on(async {
        let database = Database::migrated("outward").await;
        let mut postgres = PgConnection::connect(&database.owner).await.unwrap();
        let event = "insert into outbox (kind, subject, data, occurred_at)
                     values ('appointment.booked.v1', gen_random_uuid(), '{\"n\": 1}', now())";
        postgres.execute(event).await.unwrap();
        let received = Received::default();
        let place = consumer(&received).await;
        let url = format!("http://{place}/for/{{consumer}}");
        let keys = Keys::generate().unwrap();
        let deliver = async |host: &str| {
            let guests = deliverer(&database, &keys, &url, host).await;
            let bearing = format!("Bearer {SECRET}");
            let headers = [("authorization", &*bearing)];
            post_to(&guests.address, "/_events/deliver-outbox", &headers).await
        };
        // It may not go there: nothing comes, and nothing is lost.
        let status = deliver("127.0.0.1:9").await;
        assert!(status.is_success(), "{status}");
        assert_eq!(received.lock().unwrap().len(), 0);
        let waiting = "select count(*) from delivery where state = 'waiting'";
        assert_eq!(database.number(waiting).await, 1);
        postgres.execute("update delivery set next_attempt_at = now()").await.unwrap();
        let status = deliver(&place).await;
        assert!(status.is_success(), "{status}");
        let received = received.lock().unwrap().clone();
        let row: String =
            sqlx::query_scalar("select delivery::text from delivery").fetch_one(&mut postgres).await.unwrap();
        assert_eq!(received.len(), 1, "{row}");
        assert_eq!(received.len(), 1, "{received:?}");
        let (name, event) = &received[0];
        assert_eq!(
            (name.as_str(), &event["type"], &event["data"]["n"]),
            ("recorder", &"appointment.booked.v1".into(), &1.into())
        );
        assert_eq!(database.number(waiting).await, 0);
    });
}

/// Nobody is left without an answer, and the answer tells nothing of what was wrong.
#[test]
fn a_guest_that_is_told_nonsense_says_that_it_cannot() {
    block_on(async {
        let database = Database::empty("nonsense").await;
        let given = variables([
            ("database_url", "nonsense"),
            ("database_host", &database.host),
            ("carnet_verifying_keys", "secret-nonsense"),
            ("carnet_signing_key", "secret-nonsense"),
            ("carnet_master_key", "secret-nonsense"),
            ("carnet_lookup_key", "secret-nonsense"),
            ("carnet_seal_key", "secret-nonsense"),
        ]);
        let guests = up("nonsense", application(), given).await;
        for path in ["/v1/specialties", "/readyz"] {
            let (status, answer) = Json::new(&guests.address).send(Method::GET, path, None, None).await.unwrap();
            assert!(status.is_server_error(), "{path}: {status}");
            assert_eq!(answer["status"], status.as_u16(), "{answer}");
            assert!(!answer.to_string().contains("nonsense"), "{answer}");
        }
    });
}
