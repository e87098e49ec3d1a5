//! Events between functions: CloudEvents 1.0 in, [`Outcome`] out.

use axum::response::{IntoResponse, Response};
use http::StatusCode;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::{Kind, Problem};

/// A past fact (CloudEvents 1.0, structured JSON). Ids only, never personal data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Always `1.0`.
    pub specversion: String,
    /// Names this fact: consumers do nothing twice for one id.
    pub id: Uuid,
    /// `/carnet`.
    pub source: String,
    /// For instance `appointment.booked.v1`.
    pub r#type: String,
    /// The thing it happened to.
    pub subject: Uuid,
    /// When.
    pub time: Timestamp,
    /// `application/json`.
    pub datacontenttype: String,
    /// Ids.
    pub data: Value,
}

/// What a consumer did with an event.
#[derive(Debug)]
pub enum Outcome {
    /// Done, now or before.
    Done,
    /// Not now: send it again later.
    Retry(Problem),
    /// Never: put it where an operator sees it.
    Reject(Problem),
}

impl IntoResponse for Outcome {
    fn into_response(self) -> Response {
        match self {
            Self::Done => StatusCode::NO_CONTENT.into_response(),
            Self::Retry(problem) => problem.into_response(),
            Self::Reject(problem) => problem.as_kind(Kind::EventRejected).into_response(),
        }
    }
}

/// How a deliverer reads an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// 2xx.
    Done,
    /// 5xx, 408, 429, no answer, or 401: a secret that is being changed.
    Retry,
    /// Any other 4xx.
    Reject,
}

impl From<StatusCode> for Verdict {
    fn from(status: StatusCode) -> Self {
        match status {
            status if status.is_success() => Self::Done,
            StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS | StatusCode::UNAUTHORIZED => Self::Retry,
            status if status.is_client_error() => Self::Reject,
            _ => Self::Retry,
        }
    }
}
