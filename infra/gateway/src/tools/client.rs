//! A small JSON client, for the tools that use the gateway as anybody does.

use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use http_body_util::BodyExt as _;
use hyper_util::client::legacy::Client as Hyper;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use runtime::host::StartError;
use serde_json::Value;

/// A client of one gateway, signed in or not.
#[derive(Clone)]
pub struct Client {
    hyper: Hyper<HttpConnector, Body>,
    base: String,
    token: Option<String>,
}

impl Client {
    /// Of the gateway at `base`, for instance `http://127.0.0.1:8080`.
    pub fn new(base: &str) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        Self {
            hyper: Hyper::builder(TokioExecutor::new()).build(connector),
            base: base.trim_end_matches('/').to_owned(),
            token: None,
        }
    }

    /// The same, bearing a token.
    #[must_use]
    pub fn bearing(&self, token: &str) -> Self {
        Self { token: Some(token.to_owned()), ..self.clone() }
    }

    /// One request. An `Idempotency-Key` is sent when given.
    ///
    /// # Errors
    /// When nobody answers, or not in JSON.
    pub async fn send(
        &self, method: Method, path: &str, body: Option<&Value>, key: Option<&str>,
    ) -> Result<(StatusCode, Value), StartError> {
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.base));
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        let request = match body {
            Some(body) => {
                request.header("content-type", "application/json").body(Body::from(serde_json::to_vec(body)?))
            }
            None => request.body(Body::empty()),
        }?;
        let response =
            self.hyper.request(request).await.map_err(|error| format!("{} does not answer: {error}", self.base))?;
        let status = response.status();
        let bytes = response.into_body().collect().await?.to_bytes();
        Ok((status, if bytes.is_empty() { Value::Null } else { serde_json::from_slice(&bytes)? }))
    }
}
