//! A store of objects for the whole run, on a thread of its own, and its moods.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Mutex, OnceLock};
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::Request;
use axum::http::{Method, StatusCode};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse as _, Response};
use gateway::dev::objects;
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use runtime::config::AwsKey;
use serde_json::Value;

use super::database::scratch;

/// How a store that is not well answers, from then on or so many times.
#[derive(Debug, Clone, Copy)]
pub enum Mood {
    /// That status, so many times.
    Answers(StatusCode, usize),
    /// After so long.
    Slow(Duration),
}

/// What a store does that ends after so many requests more, whatever they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ends {
    /// It says that it is away.
    Away,
    /// It says nothing any more.
    Silent,
}

#[derive(Default)]
struct Moods {
    by_method: HashMap<(String, Method), Mood>,
    ends: HashMap<String, (usize, Ends)>,
}

fn moods() -> &'static Mutex<Moods> {
    static MOODS: OnceLock<Mutex<Moods>> = OnceLock::new();
    MOODS.get_or_init(Mutex::default)
}

/// A folder of the store, of one test.
#[derive(Debug, Clone)]
pub struct Store {
    folder: String,
}

impl Store {
    pub fn new() -> Self {
        Self { folder: uuid::Uuid::now_v7().to_string() }
    }

    /// `CARNET_DOCUMENTS`.
    pub fn url(&self) -> String {
        objects::url(server(), &self.folder)
    }

    /// Its key.
    pub fn key() -> AwsKey {
        AwsKey { id: "test".into(), secret: "a secret of the tests alone".into(), token: None }
    }

    /// Changes how it answers to a method.
    pub fn set_mood(&self, method: Method, mood: Option<Mood>) {
        let key = (self.folder.clone(), method);
        let mut moods = moods().lock().unwrap();
        match mood {
            Some(mood) => moods.by_method.insert(key, mood),
            None => moods.by_method.remove(&key),
        };
    }

    /// It ends after so many requests more; with none it is well again.
    pub fn end_after(&self, requests: Option<(usize, Ends)>) {
        let ends = &mut moods().lock().unwrap().ends;
        match requests {
            Some(end) => ends.insert(self.folder.clone(), end),
            None => ends.remove(&self.folder),
        };
    }

    /// Whether it has ended.
    pub fn has_ended(&self) -> bool {
        moods().lock().unwrap().ends.get(&self.folder).is_some_and(|(left, _)| *left == 0)
    }

    fn directory(&self) -> PathBuf {
        directory().join(objects::BUCKET).join(&self.folder)
    }

    /// The names of all there is in a folder of it.
    pub fn names(&self, folder: &str) -> Vec<String> {
        let entries = std::fs::read_dir(self.directory().join(folder)).into_iter().flatten();
        let mut names: Vec<String> =
            entries.map(|it| format!("{folder}/{}", it.unwrap().file_name().display())).collect();
        names.sort();
        names
    }

    /// The bytes of one, wherever they are.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory().join(name)
    }
}

fn directory() -> PathBuf {
    scratch().join("objects")
}

/// Its address.
fn server() -> &'static str {
    static ADDRESS: OnceLock<String> = OnceLock::new();
    ADDRESS.get_or_init(|| {
        let _ = std::fs::remove_dir_all(directory());
        let router = objects::router(&directory(), &Store::key()).unwrap().layer(from_fn(moody));
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap().to_string();
        // Each test has a runtime of its own, which ends with it.
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async move {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                axum::serve(listener, router).await.unwrap();
            });
        });
        address
    })
}

async fn moody(request: Request, next: Next) -> Response {
    let folder = request.uri().path().split('/').nth(2).unwrap_or_default().to_owned();
    let end = {
        let mut moods = moods().lock().unwrap();
        match moods.ends.get_mut(&folder) {
            // The request that finds it so is the first that it does not serve.
            Some((0, end)) => Some(*end),
            Some((left, _)) => {
                *left -= 1;
                None
            }
            None => None,
        }
    };
    match end {
        Some(Ends::Away) => return StatusCode::SERVICE_UNAVAILABLE.into_response(),
        Some(Ends::Silent) => std::future::pending().await,
        None => {}
    }
    let mood = {
        let mut moods = moods().lock().unwrap();
        let mood = moods.by_method.get_mut(&(folder, request.method().clone()));
        match mood {
            Some(Mood::Answers(_, 0)) | None => None,
            Some(Mood::Answers(status, left)) => {
                *left -= 1;
                Some(Mood::Answers(*status, *left))
            }
            Some(slow) => Some(*slow),
        }
    };
    match mood {
        Some(Mood::Answers(status, _)) => status.into_response(),
        Some(Mood::Slow(pause)) => {
            tokio::time::sleep(pause).await;
            next.run(request).await
        }
        None => next.run(request).await,
    }
}

/// Sends a request that was signed, with those bytes.
pub async fn send(signed: &Value, bytes: impl Into<Bytes>) -> StatusCode {
    let client = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
    let bytes = bytes.into();
    let mut request =
        Request::builder().method(signed["method"].as_str().unwrap()).uri(signed["url"].as_str().unwrap());
    // As many as there are, as every client says by itself: else the store would wait for the rest.
    for (name, value) in signed["headers"].as_object().unwrap().iter().filter(|(name, _)| *name != "content-length") {
        request = request.header(name, value.as_str().unwrap());
    }
    match client.request(request.body(Full::new(bytes)).unwrap()).await {
        Ok(answer) => {
            let (parts, body) = answer.into_parts();
            let said = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
            if !parts.status.is_success() {
                eprintln!("the store: {}", String::from_utf8_lossy(&said));
            }
            parts.status
        }
        // Refused before all was sent.
        Err(_) => StatusCode::BAD_REQUEST,
    }
}
