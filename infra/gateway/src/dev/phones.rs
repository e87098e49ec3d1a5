//! A provider of SMS that delivers nowhere: it speaks Brevo's API and puts what it is given into the mailbox, to be read.

use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use axum::{Json, Router};
use serde::Serialize;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::mailbox::Mailbox;

/// Where messages are posted.
const PATH: &str = "/v3/transactionalSMS/send";

/// What was posted.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Posted {
    /// The `api-key` header.
    pub key: String,
    /// The message.
    pub message: Value,
}

/// How a provider that is not well answers, for tests of what is done about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mood {
    /// Takes everything.
    Well,
    /// Answers this status.
    Answers(StatusCode),
    /// Takes what it is given and never answers.
    Hangs,
}

/// What was posted, and how to behave.
pub struct Phones {
    mailbox: Arc<Mailbox>,
    posted: Mutex<Vec<Posted>>,
    mood: Mutex<Mood>,
}

impl Phones {
    /// One whose messages arrive in a mailbox, at the number with its `+`.
    pub fn new(mailbox: Arc<Mailbox>) -> Arc<Self> {
        Arc::new(Self { mailbox, posted: Mutex::default(), mood: Mutex::new(Mood::Well) })
    }

    /// All that was posted, oldest first, taken or not.
    pub fn posted(&self) -> Vec<Posted> {
        self.posted.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Changes how it behaves from the next message on.
    pub fn set_mood(&self, mood: Mood) {
        *self.mood.lock().unwrap_or_else(PoisonError::into_inner) = mood;
    }

    /// Serves on a port of this machine that the system chooses, for as long as the process lives.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn serve(self: Arc<Self>) -> std::io::Result<String> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let url = format!("brevo:Carnet?key=development&url=http://{}{PATH}", listener.local_addr()?);
        let router = Router::new().route(PATH, post(take)).with_state(self);
        tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(url)
    }

    /// How to behave, and how many were posted by then.
    fn keep(&self, posted: Posted) -> (Mood, usize) {
        let mood = *self.mood.lock().unwrap_or_else(PoisonError::into_inner);
        if mood == Mood::Well {
            let of = |field: &str| posted.message[field].as_str().unwrap_or_default();
            self.mailbox.keep_sms(&format!("+{}", of("recipient")), of("content"));
        }
        let mut all = self.posted.lock().unwrap_or_else(PoisonError::into_inner);
        all.push(posted);
        (mood, all.len())
    }
}

async fn take(
    State(phones): State<Arc<Phones>>, headers: HeaderMap, Json(message): Json<Value>,
) -> (StatusCode, Json<Value>) {
    let key = headers.get("api-key").and_then(|key| key.to_str().ok()).unwrap_or_default().to_owned();
    let (mood, number) = phones.keep(Posted { key, message });
    match mood {
        Mood::Well => (StatusCode::CREATED, Json(json!({"reference": "carnet", "messageId": number}))),
        Mood::Answers(status) => (status, Json(json!({"code": "not_today", "message": "not today"}))),
        Mood::Hangs => std::future::pending().await,
    }
}
