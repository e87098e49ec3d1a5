//! The platform's side of the Lambda Runtime API: gives invocations, takes answers, and ends processes as it likes.

use std::collections::VecDeque;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::process::Child;

use super::database;
use crate::killing::gateway_process;

#[derive(Clone, Default)]
struct Table {
    waiting: Arc<Mutex<VecDeque<Value>>>,
    answers: Arc<Mutex<Vec<(String, Value)>>>,
}

/// A platform that gives each event once, the oldest first.
pub struct Platform {
    table: Table,
    address: String,
}

async fn next(State(table): State<Table>) -> impl IntoResponse {
    loop {
        let next = table.waiting.lock().unwrap().pop_front();
        if let Some(event) = next {
            let mut headers = HeaderMap::new();
            headers.insert("lambda-runtime-aws-request-id", "8476a536-e9f4-11e8-9739-2dfe598c3fcd".parse().unwrap());
            headers.insert("lambda-runtime-deadline-ms", "9999999999999".parse().unwrap());
            headers.insert(
                "lambda-runtime-invoked-function-arn",
                "arn:aws:lambda:eu-west-3:1:function:search".parse().unwrap(),
            );
            return (headers, Json(event));
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn answered(
    State(table): State<Table>, Path((_, kind)): Path<(String, String)>, body: axum::body::Bytes,
) -> StatusCode {
    table.answers.lock().unwrap().push((kind, serde_json::from_slice(&body).unwrap()));
    StatusCode::ACCEPTED
}

impl Platform {
    pub async fn start() -> Self {
        let table = Table::default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let router = Router::new()
            .route("/2018-06-01/runtime/invocation/next", get(next))
            .route("/2018-06-01/runtime/invocation/{id}/{kind}", post(answered))
            .with_state(table.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { table, address }
    }

    /// Gives an event to whoever asks next.
    pub fn give(&self, event: Value) {
        self.table.waiting.lock().unwrap().push_back(event);
    }

    /// An execution environment of a function; it ends with the handle.
    pub fn environment(&self, function: &str, url: &str, variables: &[(&str, &str)]) -> Child {
        let (_, master) = database::keys();
        let (name, verifying) = (function.to_owned(), database::verifying());
        gateway_process()
            .envs([("FUNCTION", function), ("DATABASE_URL", url), ("CARNET_LOOKUP_KEY", master)])
            .envs([("CARNET_MASTER_KEY", master), ("CARNET_VERIFYING_KEYS", &verifying)])
            .envs([("AWS_LAMBDA_RUNTIME_API", &self.address), ("AWS_LAMBDA_FUNCTION_NAME", &name)])
            .envs([("AWS_LAMBDA_FUNCTION_VERSION", "1"), ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256")])
            .envs([("AWS_LAMBDA_LOG_STREAM_NAME", "x"), ("AWS_LAMBDA_LOG_GROUP_NAME", "x")])
            .envs(variables.iter().copied())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap()
    }

    /// So many answers, of which kind and what they say, once they are there.
    pub async fn answers(&self, count: usize) -> Vec<(String, Value)> {
        for _ in 0..400 {
            if self.table.answers.lock().unwrap().len() >= count {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let answers = self.table.answers.lock().unwrap().clone();
        assert_eq!(answers.len(), count, "{answers:?}");
        answers
    }
}
