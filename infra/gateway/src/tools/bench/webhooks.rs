//! Webhooks: a hundred addresses of which ten never answer, and how soon the others have all that is theirs.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use axum::Router;
use axum::http::{Method, StatusCode, Uri};
use domain::ids::WebhookId;
use runtime::clock::Clock;
use runtime::host::StartError;
use runtime::keys::Keys;
use runtime::webhooks::Secret;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use uuid::Uuid;

use super::Bench;
use super::report::Report;
use super::server::Server;
use crate::tools::client::Client;

const DUE: &str = include_str!("../../../sql/bench/webhooks.sql");
const ADDRESSES: usize = 100;
const HANGING: usize = 10;
/// For each address.
const EVENTS: i32 = 100;
const GLANCE: Duration = Duration::from_millis(5);
/// Longest wait for all that is due.
const PATIENCE: Duration = Duration::from_mins(2);

pub(super) async fn measure(bench: &Bench, report: &mut Report) -> Result<(), StartError> {
    let taken = Arc::new(AtomicUsize::new(0));
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let receiver = format!("http://{}", listener.local_addr()?);
    tokio::spawn(axum::serve(listener, programs(taken.clone())).into_future());
    due(bench, &receiver).await?;
    let events = crate::lambda::free_port()?;
    let more = [
        ("WEBHOOK_NETWORKS", "127.0.0.0/8".to_owned()),
        ("EVENTS_PORT", events.to_string()),
        ("RUST_LOG", "warn".to_owned()),
    ];
    let sender = Server::ready_with("send-webhooks", &bench.config, &more)?;
    let client = Client::new(&format!("http://127.0.0.1:{events}"));
    let wanted = (ADDRESSES - HANGING) * usize::try_from(EVENTS)?;
    let began = Instant::now();
    let watched = async {
        while taken.load(Ordering::Relaxed) < wanted && began.elapsed() < PATIENCE {
            tokio::time::sleep(GLANCE).await;
        }
    };
    let runs = async {
        // A run that ends before all is told leaves the rest to the next one.
        while client.send(Method::POST, "/_events/send-webhooks", None, None).await.is_ok() {
            tokio::time::sleep(GLANCE).await;
        }
    };
    tokio::select! {
        () = watched => {}
        () = runs => return Err("send-webhooks does not answer".into()),
    }
    let (taken, took) = (taken.load(Ordering::Relaxed), began.elapsed());
    if taken < wanted {
        return Err(format!("{taken} of {wanted} deliveries after {took:?}").into());
    }
    let what = format!("webhooks: {wanted} deliveries, {HANGING} of {ADDRESSES} addresses hang");
    report.figure(what, super::notices::rate(wanted, took), "/s");
    drop(sender);
    Ok(())
}

/// Programs of partners, as many as there are paths.
fn programs(taken: Arc<AtomicUsize>) -> Router {
    Router::new().fallback(async move |uri: Uri| {
        if uri.path().starts_with("/hangs") {
            std::future::pending::<()>().await;
        }
        taken.fetch_add(1, Ordering::Relaxed);
        StatusCode::NO_CONTENT
    })
}

async fn due(bench: &Bench, receiver: &str) -> Result<(), StartError> {
    // Of an earlier run.
    sqlx::query("delete from webhook").execute(&bench.pool).await?;
    let keys = Keys::of(&bench.config)?;
    let mut webhooks: Vec<Value> = Vec::with_capacity(ADDRESSES);
    for number in 0..ADDRESSES {
        let id = WebhookId::from_uuid(Uuid::now_v7());
        let (key, secret) = Secret::generate()?.sealed(&keys, id).await?;
        let path = if number < HANGING { "hangs" } else { "takes" };
        webhooks.push(json!({"id": id, "url": format!("{receiver}/{path}/{number}"), "key": key, "secret": secret}));
    }
    let written = sqlx::query(DUE).bind(Value::Array(webhooks)).bind(Clock::default().now().to_string()).bind(EVENTS);
    written.execute(&bench.pool).await?;
    Ok(())
}
