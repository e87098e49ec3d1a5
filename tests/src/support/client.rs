//! HTTP as a test writes it.

use std::net::{IpAddr, SocketAddr};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::ConnectInfo;
use axum::http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::BodyExt as _;
use serde_json::Value;
use tower::ServiceExt as _;

/// Somebody who makes requests.
#[derive(Clone)]
pub struct Client {
    router: Router,
    token: Option<String>,
    language: Option<String>,
    place: Option<IpAddr>,
    /// Their address, when they have one.
    pub email: String,
    /// Their own patient, when they have one.
    pub patient: String,
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Value,
    /// The body as it came.
    pub bytes: Bytes,
}

impl Answer {
    /// The body, when the status is the one expected.
    #[track_caller]
    pub fn expect(self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}", self.body);
        self.body
    }

    /// The name of the problem, when it is one with that status.
    #[track_caller]
    pub fn problem(&self, status: u16) -> &str {
        assert_eq!(self.status.as_u16(), status, "{}", self.body);
        assert_eq!(self.headers["content-type"], "application/problem+json");
        assert_eq!(self.body["status"], status);
        self.body["type"].as_str().unwrap().strip_prefix("/problems/").unwrap()
    }
}

impl Client {
    pub fn new(router: Router) -> Self {
        Self { router, token: None, language: None, place: None, email: String::new(), patient: String::new() }
    }

    pub fn bearing(mut self, token: &str) -> Self {
        super::logs::keep_secret(token);
        self.token = Some(token.to_owned());
        self
    }

    pub fn speaking(mut self, language: &str) -> Self {
        self.language = Some(language.to_owned());
        self
    }

    /// The same from a place in the network.
    pub fn at(mut self, place: &str) -> Self {
        self.place = Some(place.parse().unwrap());
        self
    }

    pub fn who(mut self, email: &str, account: &Value) -> Self {
        self.email = email.to_owned();
        self.patient = account["patient"].as_str().unwrap_or_default().to_owned();
        self
    }

    pub fn token(&self) -> &str {
        self.token.as_deref().unwrap_or_default()
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(self.request(Method::GET, path).body(Body::empty()).unwrap()).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        let request = self.request(Method::POST, path).header("content-type", "application/json");
        self.send(request.body(Body::from(body.to_string())).unwrap()).await
    }

    pub async fn post_with_key(&self, path: &str, body: &Value, key: &str) -> Answer {
        let request =
            self.request(Method::POST, path).header("content-type", "application/json").header("idempotency-key", key);
        self.send(request.body(Body::from(body.to_string())).unwrap()).await
    }

    pub fn request(&self, method: Method, path: &str) -> axum::http::request::Builder {
        let mut request = Request::builder().method(method).uri(path);
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        if let Some(language) = &self.language {
            request = request.header("accept-language", language);
        }
        request
    }

    pub async fn send(&self, mut request: Request<Body>) -> Answer {
        if let Some(place) = self.place {
            request.extensions_mut().insert(ConnectInfo(SocketAddr::new(place, 50_000)));
        }
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let body = serde_json::from_slice(&bytes)
            .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&bytes).into_owned()));
        Answer { status: parts.status, headers: parts.headers, body, bytes }
    }
}
