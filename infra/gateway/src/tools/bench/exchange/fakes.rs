//! A fake of Exchange as a process of its own, and what is asked of it beside.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use axum::http::Method;
use domain::Timestamp;
use runtime::clock::Clock;
use runtime::host::StartError;
use serde_json::{Value, json};

use crate::tools::client::Client;

/// Ends with the handle.
pub(super) struct Fake {
    child: Child,
    /// `graph` or `ews`.
    pub(super) kind: &'static str,
    /// Where it is.
    pub(super) base: String,
    client: Client,
}

/// What was asked of a fake.
pub(super) struct Asked {
    /// By HTTP.
    pub(super) requests: f64,
    /// In one mailbox at once, at most.
    pub(super) most_in_flight: f64,
    /// What was asked, by the fake's own names.
    pub(super) calls: Value,
}

impl Fake {
    /// The program beside this one, whose answers take so long at least.
    pub(super) fn start(kind: &'static str, pause: u64) -> Result<Self, StartError> {
        let program = std::env::current_exe()?.with_file_name("exchange-fakes");
        let mut child = Command::new(&program)
            .args([kind, "--now", &Clock::default().now().to_string(), "--pause", &pause.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("{} does not start: {error}", program.display()))?;
        let mut line = String::new();
        let out = child.stdout.take().ok_or("a fake without a word")?;
        BufReader::new(out).read_line(&mut line)?;
        let base = line.trim().to_owned();
        let client = Client::new(&base);
        Ok(Self { child, kind, base, client })
    }

    async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> Result<Value, StartError> {
        match self.client.send(method, path, body.as_ref(), None).await? {
            (status, answer) if status.is_success() => Ok(answer),
            (status, answer) => Err(format!("the fake answers {path} with {status}: {answer}").into()),
        }
    }

    /// So many mailboxes with so many events each.
    pub(super) async fn fill(&self, mailboxes: usize, events: usize) -> Result<(), StartError> {
        self.ask(Method::POST, "/fake/fill", Some(json!({"mailboxes": mailboxes, "events": events}))).await.map(drop)
    }

    /// So many events of each mailbox are at another time.
    pub(super) async fn change(&self, events: usize) -> Result<(), StartError> {
        self.ask(Method::POST, "/fake/change", Some(json!({"events": events}))).await.map(drop)
    }

    /// One more event in a mailbox.
    pub(super) async fn add(&self, number: usize, starts_at: Timestamp) -> Result<(), StartError> {
        let body = json!({"mailbox": address(number), "starts_at": starts_at});
        self.ask(Method::POST, "/fake/add", Some(body)).await.map(drop)
    }

    /// Whether a mailbox has an item with this tag.
    pub(super) async fn has(&self, number: usize, tag: &str) -> Result<bool, StartError> {
        let tag = tag.replace('/', "%2F");
        let answer =
            self.ask(Method::GET, &format!("/fake/tagged?mailbox={}&tag={tag}", address(number)), None).await?;
        Ok(answer["count"] == 1)
    }

    /// What was asked since it was forgotten.
    pub(super) async fn asked(&self) -> Result<Asked, StartError> {
        let log = self.ask(Method::GET, "/fake/log", None).await?;
        let number = |name: &str| log[name].as_f64().unwrap_or_default();
        Ok(Asked {
            requests: number("requests"),
            most_in_flight: number("most_in_flight"),
            calls: log["calls"].clone(),
        })
    }

    pub(super) async fn forget(&self) -> Result<(), StartError> {
        self.ask(Method::DELETE, "/fake/log", None).await.map(drop)
    }
}

/// The address of a mailbox, as the fakes fill them.
pub(super) fn address(number: usize) -> String {
    format!("m{number}@mesure.example")
}

impl Drop for Fake {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
