//! Several items made by one request (<https://learn.microsoft.com/graph/json-batching>). Each has an answer of its own, in whatever order.

use std::collections::HashMap;

use bytes::Bytes;
use domain::sync::Mirror;
use http::{HeaderName, HeaderValue, Method, StatusCode};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::Graph;
use super::call::Ask;
use super::faults::{self, About};
use crate::{Fault, Response, Why, Written};

/// How many items: Outlook does as many of one mailbox at the same time, and refuses those beyond
/// (<https://learn.microsoft.com/graph/throttling-limits#outlook-service-limits>).
pub(super) const AT_ONCE: usize = 4;

#[derive(Deserialize)]
struct Answers {
    responses: Vec<One>,
}

#[derive(Deserialize)]
struct One {
    id: String,
    status: u16,
    #[serde(default)]
    headers: Map<String, Value>,
    #[serde(default)]
    body: Value,
}

impl Graph {
    pub(super) async fn create_items(&self, events: &[Mirror]) -> Vec<Result<Written, Fault>> {
        let mut all = Vec::with_capacity(events.len());
        for events in events.chunks(AT_ONCE) {
            match events {
                [event] => all.push(self.create_item(event).await),
                events => all.extend(self.created_together(events).await),
            }
        }
        all
    }

    async fn created_together(&self, events: &[Mirror]) -> Vec<Result<Written, Fault>> {
        let asked =
            events.iter().enumerate().map(|(at, event)| self.to_create(event).in_batch(&at.to_string(), self.base()));
        let asked = json!({"requests": asked.collect::<Vec<_>>()});
        let ask = Ask::new(Method::POST, format!("{}/$batch", self.base()), About::NewItem).body(asked);
        let answers = self.json(ask).await.and_then(|answer| {
            serde_json::from_value::<Answers>(answer)
                .map_err(|_| Fault::new(Why::Malformed, "not answers").perhaps_done())
        });
        let mut answers: HashMap<String, One> = match answers {
            Ok(answers) => answers.responses.into_iter().map(|one| (one.id.clone(), one)).collect(),
            Err(fault) => return events.iter().map(|_| Err(fault.clone())).collect(),
        };
        let mut all = Vec::with_capacity(events.len());
        for (at, event) in events.iter().enumerate() {
            let untold = || Fault::new(Why::Malformed, "no answer among several").perhaps_done();
            let answer = answers.remove(&at.to_string()).ok_or_else(untold).and_then(One::judged);
            all.push(self.created(answer, event).await);
        }
        all
    }
}

impl One {
    /// The body, if it is an answer of success; else what a single answer like it comes to.
    fn judged(self) -> Result<Value, Fault> {
        let none = || Fault::new(Why::Malformed, "not an answer among several").perhaps_done();
        let status = StatusCode::from_u16(self.status).map_err(|_| none())?;
        if status.is_success() {
            return Ok(self.body);
        }
        let mut response = Response::new(Bytes::from(self.body.to_string()));
        *response.status_mut() = status;
        for (name, value) in &self.headers {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            if let (Ok(name), Ok(value)) = (HeaderName::try_from(name.as_str()), HeaderValue::try_from(text)) {
                response.headers_mut().insert(name, value);
            }
        }
        Err(faults::of(&response, About::NewItem, true))
    }
}
