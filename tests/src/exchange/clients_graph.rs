//! Clients of Graph that nobody here wrote keep a calendar on the fake: it is not shaped around ours.

use std::process::Stdio;

use exchange_fakes::mailbox::Server;
use exchange_fakes::served;

use crate::support::python;

const CLIENTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/exchange-fakes/clients");

/// Runs a program against a fake of its own, and answers what it said.
async fn run(program: &'static str) -> String {
    let server = Server::new("2026-11-30T08:00:00Z".parse().unwrap());
    server.add_mailbox("dr.martin@clinique.example");
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let serving = tokio::spawn(async move { axum::serve(listener, served::graph(server)).await });
    let ran = tokio::task::spawn_blocking(move || {
        let mut command = python(&["O365==2.1.10", "msgraph-sdk==1.65.0"]);
        command.args([&format!("{CLIENTS}/{program}"), &address]).stderr(Stdio::inherit()).output().unwrap()
    });
    let ran = ran.await.unwrap();
    serving.abort();
    assert!(ran.status.success(), "{program} failed");
    String::from_utf8(ran.stdout).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn o365_keeps_a_calendar() {
    assert_eq!(run("graph_o365.py").await.trim(), "O365 kept a calendar");
}

#[tokio::test(flavor = "multi_thread")]
async fn microsofts_own_library_keeps_a_calendar() {
    assert_eq!(run("graph_msgraph.py").await.trim(), "msgraph-sdk kept a calendar");
}
