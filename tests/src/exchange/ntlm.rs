//! Our NTLM before a server nobody here wrote: pyspnego, which wants the second version of it, whole, and bound to the connection.

use std::io::{BufRead as _, BufReader};
use std::ops::ControlFlow;
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::http::{HeaderMap, Uri};
use domain::Timestamp;
use exchange::auth::scheme::{self, Wanted};
use exchange::ews::session::Session;
use exchange::{Fault, Why};
use runtime::exchange::{Settings, Way};
use serde_json::Value;

use crate::support::python;

const PATIENCE: Duration = Duration::from_secs(10);
const MOST: usize = 64 * 1024;
const ACCOUNT: (&str, &str) = ("CLINIQUE\\zoé", "mot de passe é€");

/// The server, which ends with the test.
struct Server {
    child: Child,
    told: Value,
}

impl Server {
    fn start() -> Self {
        let folder = env!("CARGO_MANIFEST_DIR");
        let mut command = python(&["pyspnego==0.12.4"]);
        command.arg(format!("{folder}/exchange-fakes/clients/ntlm_server.py"));
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Self { child, told: serde_json::from_str(&line).unwrap() }
    }

    /// A session of an account with what is at that port and path, by the way that the server offers.
    async fn session(&self, port: &str, path: &str, account: (&str, &str)) -> Result<Box<dyn Session>, Fault> {
        let authorities = Some(self.told["certificates"].as_str().unwrap().to_owned());
        let settings = Settings { networks: "127.0.0.0/8,::1".parse().unwrap(), authorities };
        let way = Arc::new(Way::new(&settings).unwrap());
        let endpoint: Uri = format!("https://localhost:{}{path}", self.told[port]).parse().unwrap();
        scheme::session(way, endpoint, Wanted::Auto, account, Arc::new(now), PATIENCE).await
    }

    /// The answers to so many requests in one session, with a pause before each.
    async fn asked(&self, port: &str, path: &str, account: (&str, &str), times: usize) -> Vec<(u16, Value)> {
        let session = self.session(port, path, account).await.unwrap();
        let mut answers = Vec::new();
        for _ in 0..times {
            // What a server does after an answer has happened then.
            tokio::time::sleep(Duration::from_millis(200)).await;
            let answer = session.post(HeaderMap::new(), Bytes::from_static(b"<ask/>"), PATIENCE, MOST).await.unwrap();
            answers.push((answer.status().as_u16(), serde_json::from_slice(answer.body()).unwrap()));
        }
        answers
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The server says its own time: ours counts for nothing.
fn now() -> Timestamp {
    Timestamp::UNIX_EPOCH
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proof_stands_for_all_that_follows_on_its_connection() {
    let server = Server::start();
    for (port, path) in [("port", "/"), ("rsa", "/"), ("port", "/negotiate")] {
        let answers = server.asked(port, path, ACCOUNT, 3).await;
        let connection = &answers[0].1["connection"];
        for (at, (status, told)) in answers.iter().enumerate() {
            assert_eq!((*status, &told["user"], &told["body"]), (200, &ACCOUNT.0.into(), &"<ask/>".into()), "{path}");
            assert_eq!(
                (&told["connection"], &told["proven"], &told["took"]),
                (connection, &1.into(), &(at + 1).into())
            );
        }
    }
    // Whoever signs in with another case is the same to the server.
    let answers = server.asked("port", "/", ("CLINIQUE\\ZOÉ", ACCOUNT.1), 1).await;
    assert_eq!(answers[0].0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn neither_another_password_nor_somebody_between_is_taken() {
    let server = Server::start();
    for account in [("CLINIQUE\\zoé", "mot de passe"), ("CLINIC\\zoé", ACCOUNT.1), ("CLINIQUE\\zoe", ACCOUNT.1)] {
        let answers = server.asked("port", "/", account, 2).await;
        assert_eq!(answers.iter().map(|(status, _)| *status).collect::<Vec<_>>(), [401, 401], "{account:?}");
    }
    let (status, told) = &server.asked("between", "/", ACCOUNT, 1).await[0];
    assert!(*status == 401 && told["why"].as_str().unwrap().contains("channel bindings"), "{status} {told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_may_close_a_connection_and_may_ask_anew() {
    let server = Server::start();
    let closing = server.asked("port", "/close", ACCOUNT, 3).await;
    let connections: Vec<_> = closing.iter().map(|(_, told)| told["connection"].as_u64().unwrap()).collect();
    assert!(closing.iter().all(|(status, _)| *status == 200) && connections.is_sorted_by(|one, next| one < next));
    let again = server.asked("port", "/again", ACCOUNT, 5).await;
    let told = |at: usize, name: &str| again[at].1[name].as_u64().unwrap();
    assert!((0..5).all(|at| told(at, "connection") == told(0, "connection")));
    assert_eq!([0, 1, 2, 3, 4].map(|at| told(at, "proven")), [1, 1, 2, 2, 3]);
    // Where each answer is the last of its connection there is no NTLM; nothing was asked, so nothing was done.
    let session = server.session("port", "/last", ACCOUNT).await.unwrap();
    let fault = session.post(HeaderMap::new(), Bytes::new(), PATIENCE, MOST).await.unwrap_err();
    assert_eq!((fault.why, fault.perhaps_done), (Why::Unavailable, false));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_is_heard_as_it_comes() {
    let server = Server::start();
    let session = server.session("port", "/stream", ACCOUNT).await.unwrap();
    let mut pieces = Vec::new();
    let mut hears = |piece: Bytes| {
        pieces.push(piece);
        if pieces.len() == 2 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let listened = session.listen(HeaderMap::new(), Bytes::from_static(b"<ask/>"), PATIENCE, PATIENCE, &mut hears);
    assert_eq!(listened.await.unwrap().status(), 200);
    assert_eq!(pieces.len(), 2);
    assert_eq!(serde_json::from_slice::<Value>(&pieces[0]).unwrap()["body"], "<ask/>");
}
