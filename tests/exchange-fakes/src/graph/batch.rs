//! Several requests in one (<https://learn.microsoft.com/graph/json-batching>): each is served as if it had come alone, all at the same time,
//! and answered in an order that nobody asked for.

use axum::response::Response;
use futures_util::future::join_all;
use http::{HeaderMap, HeaderName, HeaderValue, Uri};
use http_body_util::BodyExt as _;
use serde_json::{Map, Value, json};

use super::{Call, Graph, answered, error, lost, query, segments, spoiled, throttled, uncapped};
use crate::in_process::Lost;
use crate::mailbox::What;

/// Requests in one.
const MOST: usize = 20;

impl Graph {
    pub(super) async fn batch(&self, call: &Call<'_>) -> Response {
        if !self.lets_in(call) {
            return error(401, "InvalidAuthenticationToken");
        }
        let _guard = self.server.enter("", "batch");
        let what = self.server.state().faults.take("", "batch");
        match what {
            Some(What::Status(status, code)) => return error(status, code),
            Some(What::Throttled(after)) => return throttled(after),
            Some(What::Unreached) => return lost(Lost::Unreached),
            Some(What::Broken) => return lost(Lost::Broken),
            _ => {}
        }
        let all = call.body["requests"].as_array().map(Vec::as_slice).unwrap_or_default();
        if !(1..=MOST).contains(&all.len()) {
            return error(400, "BadRequest");
        }
        let mut answers = join_all(all.iter().map(|one| Box::pin(self.one_of(call, one)))).await;
        answers.reverse();
        if what == Some(What::Shrunk) {
            answers.truncate(answers.len() / 2);
        }
        spoiled(answered(200, &json!({"responses": answers})), what).await
    }

    async fn one_of(&self, batch: &Call<'_>, one: &Value) -> Value {
        let told = |status: u16, body: Value| json!({"id": one["id"], "status": status, "headers": {}, "body": body});
        let refused = || told(400, json!({"error": {"code": "BadRequest", "message": "As told."}}));
        let uri =
            one["url"].as_str().and_then(|url| format!("/v1.0/{}", url.trim_start_matches('/')).parse::<Uri>().ok());
        let method = one["method"].as_str().and_then(|method| method.parse().ok());
        let (Some(uri), Some(method)) = (uri, method) else { return refused() };
        let mut headers = own_headers(&one["headers"]);
        // A body in JSON says that it is one.
        if !one["body"].is_null()
            && headers.get("content-type").is_none_or(|kind| !kind.as_bytes().starts_with(b"application/json"))
        {
            return refused();
        }
        headers.extend(batch.headers.get("authorization").map(|proof| (http::header::AUTHORIZATION, proof.clone())));
        let path = segments(&uri);
        let call = Call {
            method,
            path: path.iter().map(String::as_str).collect(),
            query: query(&uri),
            headers,
            body: uncapped(one["body"].clone()),
            origin: batch.origin.clone(),
        };
        let answer = self.dispatch(&call).await;
        if answer.extensions().get::<Lost>().is_some() {
            return told(504, json!({"error": {"code": "UnknownError", "message": ""}}));
        }
        let (parts, body) = answer.into_parts();
        let Ok(body) = body.collect().await else { return told(504, Value::Null) };
        let body = String::from_utf8_lossy(&body.to_bytes()).into_owned();
        let mut told = told(parts.status.as_u16(), serde_json::from_str(&body).unwrap_or(Value::String(body)));
        let text = |(name, value): (&HeaderName, &HeaderValue)| Some((name.to_string(), json!(value.to_str().ok()?)));
        told["headers"] = Value::Object(parts.headers.iter().filter_map(text).collect::<Map<_, _>>());
        told
    }
}

fn own_headers(all: &Value) -> HeaderMap {
    let pair = |(name, value): (&String, &Value)| {
        Some((HeaderName::try_from(name.as_str()).ok()?, HeaderValue::try_from(value.as_str()?).ok()?))
    };
    all.as_object().into_iter().flatten().filter_map(pair).collect()
}
