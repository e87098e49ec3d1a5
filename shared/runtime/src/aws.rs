//! One call of an AWS service, or of one that speaks like it, that takes JSON: plain HTTP with Signature Version 4. The SDK
//! would be most of a function's binary.

use std::time::Duration;

use http::{Request, StatusCode, Uri};
use ring::{digest, hmac};
use serde_json::Value;

use crate::clock::Clock;
use crate::config::AwsKey;
use crate::outbound::Outbound;

const MAX_ANSWER: usize = 1024 * 1024;

/// A service, and who we are to it.
pub struct Service {
    name: &'static str,
    /// What stands before an action in `x-amz-target`.
    target: &'static str,
    /// As in `application/x-amz-json-1.1`.
    version: &'static str,
    region: String,
    endpoint: Uri,
    key: AwsKey,
    client: Outbound,
}

/// How a call failed.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// No answer in time.
    #[error("no answer in time")]
    Away,
    /// Another answer than success.
    #[error("answered {0}: {1}")]
    Refused(StatusCode, String),
}

impl CallError {
    /// Whether it may be otherwise a moment later.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Away => true,
            Self::Refused(status, kind) => status.is_server_error() || kind.ends_with("ThrottlingException"),
        }
    }
}

/// This machine has no root certificates.
#[derive(Debug, thiserror::Error)]
#[error("this machine has no root certificates")]
pub struct NoRoots;

impl Service {
    /// A service of that signing name, its actions' prefix and its protocol's version, where it is.
    ///
    /// # Errors
    /// [`NoRoots`].
    pub fn new(
        [name, target, version]: [&'static str; 3], region: &str, endpoint: Uri, key: AwsKey,
    ) -> Result<Self, NoRoots> {
        let client = Outbound::new().map_err(|_| NoRoots)?;
        Ok(Self { name, target, version, region: region.to_owned(), endpoint, key, client })
    }

    /// One call.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn call(&self, action: &str, body: &Value, patience: Duration) -> Result<Value, CallError> {
        let body = body.to_string().into_bytes();
        let host = self.endpoint.authority().map(ToString::to_string).unwrap_or_default();
        let now = Clock::default().now().strftime("%Y%m%dT%H%M%SZ").to_string();
        let mut headers = vec![
            ("content-type", format!("application/x-amz-json-{}", self.version)),
            ("host", host),
            ("x-amz-date", now.clone()),
            ("x-amz-target", format!("{}.{action}", self.target)),
        ];
        headers.extend(self.key.token.clone().map(|token| ("x-amz-security-token", token)));
        headers.sort_unstable();
        let authorization = self.authorization(&headers, &body, &now);
        let mut request = Request::post(self.endpoint.clone()).header("authorization", authorization);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let unusable = || CallError::Refused(StatusCode::BAD_REQUEST, "not a request".into());
        let request = request.body(body.into()).map_err(|_| unusable())?;
        let answer = self.client.send(request, patience, MAX_ANSWER).await.map_err(|_| CallError::Away)?;
        let (status, body) = (answer.status(), answer.into_body());
        if status.is_server_error() {
            return Err(CallError::Refused(status, String::new()));
        }
        // Some answers of success are empty.
        let answer = if body.is_empty() { Ok(Value::Null) } else { serde_json::from_slice::<Value>(&body) };
        let answer = answer.map_err(|_| CallError::Away)?;
        if status.is_success() {
            return Ok(answer);
        }
        Err(CallError::Refused(status, answer["__type"].as_str().unwrap_or_default().to_owned()))
    }

    /// Signature Version 4 (AWS Signature Version 4 for API requests) of a POST without a query.
    fn authorization(&self, headers: &[(&str, String)], body: &[u8], now: &str) -> String {
        let names: Vec<&str> = headers.iter().map(|(name, _)| *name).collect();
        let names = names.join(";");
        let lines: String = headers.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
        let canonical = format!("POST\n{}\n\n{lines}\n{names}\n{}", self.endpoint.path(), sha256(body));
        let day = &now[..8];
        let scope = format!("{day}/{}/{}/aws4_request", self.region, self.name);
        let text = format!("AWS4-HMAC-SHA256\n{now}\n{scope}\n{}", sha256(canonical.as_bytes()));
        let signature = signature(&self.key.secret, [day, &self.region, self.name], &text);
        format!("AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders={names}, Signature={signature}", self.key.id)
    }
}

fn signature(secret: &str, scope: [&str; 3], text: &str) -> String {
    let step = |key: &[u8], text: &str| hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes());
    let key = scope
        .iter()
        .chain([&"aws4_request"])
        .fold(format!("AWS4{secret}").into_bytes(), |key, part| step(&key, part).as_ref().to_vec());
    hex(step(&key, text).as_ref())
}

fn sha256(bytes: &[u8]) -> String {
    hex(digest::digest(&digest::SHA256, bytes).as_ref())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_signed_as_the_published_example_is() {
        // AWS General Reference, "Signature Version 4 signing process": ListUsers of 30 August 2015.
        let text = "AWS4-HMAC-SHA256\n20150830T123600Z\n20150830/us-east-1/iam/aws4_request\n\
                    f536975d06c0309214f805bb90ccff089219ecd68b2577efef23edd43b7e1a59";
        let signed = signature("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", ["20150830", "us-east-1", "iam"], text);
        assert_eq!(signed, "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7");
    }
}
