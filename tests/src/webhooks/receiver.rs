//! Programs of partners, as many as there are paths on one server: each does what it is told to.

use std::collections::HashMap;
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, Uri};
use axum::response::{IntoResponse as _, Response};
use gateway::tools::client::Client as Http;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::support::python;

/// What a program answers to an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Manner {
    /// It takes everything.
    Takes,
    /// It answers that status, and a challenge with the wrong words.
    Answers(u16),
    /// It answers nothing.
    Hangs,
    /// It sends elsewhere.
    Sends(String),
    /// It takes all but what tells of one thing.
    Minds(String),
    /// It takes its time, then answers that status.
    Late(Duration, u16),
}

/// What came.
#[derive(Debug, Clone)]
pub struct Received {
    pub path: String,
    pub id: String,
    pub signatures: usize,
    pub body: Value,
    /// Whether it was taken.
    pub taken: bool,
}

impl Received {
    pub fn subject(&self) -> String {
        let data = &self.body["data"];
        data["appointment"].as_str().or(data["document"].as_str()).unwrap_or_default().to_owned()
    }

    /// What happened, in a word.
    pub fn kind(&self) -> &str {
        self.body["type"].as_str().unwrap()
    }
}

#[derive(Default)]
struct Shared {
    manners: Mutex<HashMap<String, Manner>>,
    received: Mutex<Vec<Received>>,
    /// What came and was not as it is described.
    faults: Mutex<Vec<String>>,
}

/// A server on this machine.
#[derive(Clone)]
pub struct Receiver {
    pub address: String,
    shared: Arc<Shared>,
}

/// Whatever a test is about, partners were sent what is described to them.
impl Drop for Receiver {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            assert_eq!(*self.shared.faults.lock().unwrap(), Vec::<String>::new());
        }
    }
}

impl Receiver {
    pub async fn start() -> Self {
        let shared = Arc::<Shared>::default();
        let router = Router::new().fallback(take).with_state(shared.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { address, shared }
    }

    /// From now on, the program of a path behaves so.
    pub fn behaves(&self, path: &str, manner: Manner) {
        self.shared.manners.lock().unwrap().insert(path.to_owned(), manner);
    }

    /// Everything but challenges that came to a path, in the order in which it came.
    pub fn received(&self, path: &str) -> Vec<Received> {
        let all = self.shared.received.lock().unwrap();
        all.iter().filter(|it| it.path == path && it.kind() != "webhook.verification").cloned().collect()
    }

    /// What was taken at a path: its kind and whom it tells of.
    pub fn taken(&self, path: &str) -> Vec<(String, String)> {
        let all = self.received(path).into_iter().filter(|it| it.taken);
        all.map(|it| (it.kind().to_owned(), it.subject())).collect()
    }

    /// How much was taken in all.
    pub fn count(&self) -> usize {
        self.shared.received.lock().unwrap().iter().filter(|it| it.taken && it.kind() != "webhook.verification").count()
    }
}

async fn take(State(shared): State<Arc<Shared>>, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    shared.faults.lock().unwrap().extend(super::messages::faults(&body));
    let manner = shared.manners.lock().unwrap().get(uri.path()).cloned().unwrap_or(Manner::Takes);
    let mut received = Received {
        path: uri.path().to_owned(),
        id: headers["webhook-id"].to_str().unwrap().to_owned(),
        signatures: headers["webhook-signature"].to_str().unwrap().split(' ').count(),
        body,
        taken: false,
    };
    received.taken = match &manner {
        Manner::Takes => true,
        Manner::Late(_, status) => (200..300).contains(status),
        Manner::Minds(subject) => received.subject() != *subject,
        _ => false,
    };
    let (taken, challenge) = (received.taken, received.body["data"]["challenge"].clone());
    shared.received.lock().unwrap().push(received);
    match manner {
        Manner::Hangs => std::future::pending().await,
        Manner::Late(time, status) => {
            tokio::time::sleep(time).await;
            axum::http::StatusCode::from_u16(status).unwrap().into_response()
        }
        Manner::Sends(to) => (axum::http::StatusCode::FOUND, [("location", to)]).into_response(),
        Manner::Answers(status) => {
            let status = axum::http::StatusCode::from_u16(status).unwrap();
            (status, axum::Json(json!({"challenge": "something else"}))).into_response()
        }
        _ if taken => axum::Json(json!({"challenge": challenge})).into_response(),
        _ => axum::http::StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// A program in another language, which asks the reference library whether to believe what comes.
pub struct Partner {
    child: Child,
    pub address: String,
    http: Http,
}

impl Drop for Partner {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Partner {
    pub async fn start() -> Self {
        let (child, port) = tokio::task::spawn_blocking(spawn).await.unwrap();
        let address = format!("http://127.0.0.1:{port}");
        let partner = Self { child, http: Http::new(&address), address };
        for _ in 0..100 {
            if partner.http.send(Method::GET, "/log", None, None).await.is_ok() {
                return partner;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("the partner's program does not answer");
    }

    /// Verifies with that secret from now on.
    pub async fn knows(&self, secret: &Value) {
        self.http.send(Method::POST, "/control", Some(&json!({"secret": secret})), None).await.unwrap();
    }

    pub async fn log(&self) -> Vec<Value> {
        let (_, log) = self.http.send(Method::GET, "/log", None, None).await.unwrap();
        log.as_array().unwrap().clone()
    }
}

/// The reference library (<https://www.standardwebhooks.com>): an independent judge of what we sign.
const JUDGE: &str = "standardwebhooks==1.1.0";

fn spawn() -> (Child, String) {
    use std::io::BufRead as _;
    let program = concat!(env!("CARGO_MANIFEST_DIR"), "/src/webhooks/receiver.py");
    let mut child = python(&[JUDGE]).arg(program).stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
    let mut port = String::new();
    std::io::BufReader::new(child.stdout.take().unwrap()).read_line(&mut port).unwrap();
    (child, port.trim().to_owned())
}
