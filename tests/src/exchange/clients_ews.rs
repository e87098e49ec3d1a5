//! A client of Exchange Web Services that nobody here wrote keeps a calendar on the fake: it is not shaped around ours.

use std::process::Stdio;
use std::time::Duration;

use exchange_fakes::ews::{Settings, router};
use exchange_fakes::mailbox::Server;
use serde_json::{Value, json};

use crate::support::python;

const CLIENTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/exchange-fakes/clients");

#[tokio::test(flavor = "multi_thread")]
async fn exchangelib_keeps_a_calendar() {
    let settings = Settings { heartbeat: Duration::from_secs(1), ..Settings::default() };
    let server = Server::new("2026-11-30T08:00:00Z".parse().unwrap());
    server.add_mailbox("dr.martin@clinique.example");
    server.add_mailbox(&settings.user);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let serving = tokio::spawn(async move { axum::serve(listener, router(server, settings)).await });
    let ran = tokio::task::spawn_blocking(move || {
        let mut command = python(&["exchangelib==5.6.0"]);
        command.args([&format!("{CLIENTS}/ews_exchangelib.py"), &address]).stderr(Stdio::inherit()).output().unwrap()
    });
    let ran = ran.await.unwrap();
    serving.abort();
    assert!(ran.status.success(), "ews_exchangelib.py failed");
    let saw: Value = serde_json::from_slice(&ran.stdout).unwrap();
    let expected = json!({
        "conflict": "ErrorIrresolvableConflict",
        "events": ["StatusEvent", "CreatedEvent", "CreatedEvent"],
        "nobody": "ErrorNonExistentMailbox",
        "state": "ErrorInvalidSyncStateData",
        "stranger": "UnauthorizedError",
    });
    assert_eq!(saw, expected);
}
