//! A master key that never leaves AWS KMS: it wraps and unwraps the keys of persons there, bound to their owner by the
//! encryption context. Plain HTTP with Signature Version 4: the SDK would be most of a function's binary.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::body::Bytes;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use futures_util::future::BoxFuture;
use http::{Request, Uri};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use ring::{digest, hmac};
use serde_json::{Value, json};
use uuid::Uuid;

use super::KeyError;
use super::sealing::{KEY, LocalMaster, MasterKey};
use crate::clock::Clock;
use crate::config::AwsKey;

/// How the variable begins: `aws-kms:KEY?region=eu-west-3`.
pub(super) const SCHEME: &str = "aws-kms:";
/// Begins every key that KMS wrapped. Which of its keys did, KMS knows from the wrapped key itself.
const NAME: &str = "kms";
/// Longest wait for one answer.
const TIMEOUT: Duration = Duration::from_secs(3);
const MAX_ANSWER: usize = 64 * 1024;
/// Unwrapped keys are kept so long, and so many: reading a list of visits must not ask KMS for each.
const KEPT_FOR: Duration = Duration::from_mins(5);
const KEPT: usize = 1_000;

/// A key of AWS KMS, and local ones from before that still unwrap.
pub(super) struct Kms {
    key: String,
    region: String,
    endpoint: Uri,
    aws: AwsKey,
    before: Option<LocalMaster>,
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    kept: Mutex<HashMap<String, ([u8; KEY], Instant)>>,
}

impl Kms {
    /// From what follows [`SCHEME`]: `KEY?region=…`, perhaps with `&endpoint=…`.
    pub(super) fn new(text: &str, aws: Option<&AwsKey>, before: Option<LocalMaster>) -> Result<Self, KeyError> {
        let unusable = || KeyError::Unusable("CARNET_MASTER_KEY");
        let (key, query) = text.split_once('?').ok_or_else(unusable)?;
        let given: HashMap<_, _> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let region = given.get("region").cloned().ok_or_else(unusable)?;
        let endpoint = given.get("endpoint").cloned().unwrap_or_else(|| format!("https://kms.{region}.amazonaws.com/"));
        let https = hyper_rustls::HttpsConnectorBuilder::new()
            .with_native_roots()
            .map_err(|_| KeyError::Failed("this machine has no root certificates"))?
            .https_or_http()
            .enable_http1()
            .build();
        Ok(Self {
            key: key.to_owned(),
            region,
            endpoint: endpoint.parse().map_err(|_| unusable())?,
            aws: aws.cloned().ok_or(KeyError::Unusable("AWS_ACCESS_KEY_ID"))?,
            before,
            client: Client::builder(TokioExecutor::new()).build(https),
            kept: Mutex::default(),
        })
    }

    /// One call (AWS KMS API reference, JSON 1.1).
    async fn call(&self, action: &str, body: Value) -> Result<Value, KeyError> {
        let body = body.to_string().into_bytes();
        let host = self.endpoint.authority().map(ToString::to_string).unwrap_or_default();
        let now = Clock::default().now().strftime("%Y%m%dT%H%M%SZ").to_string();
        let mut headers = vec![
            ("content-type", "application/x-amz-json-1.1".to_owned()),
            ("host", host),
            ("x-amz-date", now.clone()),
            ("x-amz-target", format!("TrentService.{action}")),
        ];
        headers.extend(self.aws.token.clone().map(|token| ("x-amz-security-token", token)));
        headers.sort_unstable();
        let authorization = self.authorization(&headers, &body, &now);
        let mut request = Request::post(self.endpoint.clone()).header("authorization", authorization);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let request = request.body(Full::from(body)).map_err(|_| KeyError::Failed("kms request"))?;
        let answer = async {
            let response = self.client.request(request).await.ok()?;
            let status = response.status();
            let body = Limited::new(response.into_body(), MAX_ANSWER).collect().await.ok()?.to_bytes();
            Some((status, serde_json::from_slice::<Value>(&body).ok()?))
        };
        let answer = tokio::time::timeout(TIMEOUT, answer).await.ok().flatten();
        let (status, answer) = answer.ok_or(KeyError::Away)?;
        if status.is_success() {
            return Ok(answer);
        }
        match answer["__type"].as_str().unwrap_or_default() {
            // What KMS says of a wrapped key that is not for this owner, or changed.
            kind if kind.ends_with("InvalidCiphertextException") => Err(KeyError::DoesNotOpen),
            kind if kind.ends_with("ThrottlingException") || status.is_server_error() => Err(KeyError::Away),
            _ => Err(KeyError::Failed("kms refuses")),
        }
    }

    /// Signature Version 4 (AWS Signature Version 4 for API requests) of a POST to `/`.
    fn authorization(&self, headers: &[(&str, String)], body: &[u8], now: &str) -> String {
        let names: Vec<&str> = headers.iter().map(|(name, _)| *name).collect();
        let names = names.join(";");
        let lines: String = headers.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
        let canonical = format!("POST\n/\n\n{lines}\n{names}\n{}", sha256(body));
        let day = &now[..8];
        let scope = format!("{day}/{}/kms/aws4_request", self.region);
        let text = format!("AWS4-HMAC-SHA256\n{now}\n{scope}\n{}", sha256(canonical.as_bytes()));
        let signature = signature(&self.aws.secret, [day, &self.region, "kms"], &text);
        format!("AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders={names}, Signature={signature}", self.aws.id)
    }

    fn context(owner: Uuid) -> Value {
        json!({"carnet-owner": owner})
    }

    fn kept(&self, place: &str) -> Option<[u8; KEY]> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.get(place).filter(|(_, since)| since.elapsed() < KEPT_FOR).map(|(key, _)| *key)
    }

    fn keep(&self, place: String, key: [u8; KEY]) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= KEPT {
            kept.clear();
        }
        kept.insert(place, (key, Instant::now()));
    }
}

impl MasterKey for Kms {
    fn id(&self) -> &'static str {
        NAME
    }

    fn wrap<'a>(&'a self, key: &'a [u8; KEY], owner: Uuid) -> BoxFuture<'a, Result<String, KeyError>> {
        Box::pin(async move {
            let wish =
                json!({"KeyId": self.key, "Plaintext": BASE64.encode(key), "EncryptionContext": Self::context(owner)});
            let answer = self.call("Encrypt", wish).await?;
            let wrapped = answer["CiphertextBlob"].as_str().ok_or(KeyError::Failed("kms answer"))?;
            Ok(format!("{NAME}.{wrapped}"))
        })
    }

    fn unwrap<'a>(&'a self, wrapped: &'a str, owner: Uuid) -> BoxFuture<'a, Result<[u8; KEY], KeyError>> {
        Box::pin(async move {
            let Some(blob) = wrapped.strip_prefix(NAME).and_then(|rest| rest.strip_prefix('.')) else {
                let before = self.before.as_ref().ok_or(KeyError::DoesNotOpen)?;
                return before.unwrap(wrapped, owner).await;
            };
            let place = format!("{owner}.{blob}");
            if let Some(key) = self.kept(&place) {
                return Ok(key);
            }
            let wish = json!({"KeyId": self.key, "CiphertextBlob": blob, "EncryptionContext": Self::context(owner)});
            let answer = self.call("Decrypt", wish).await?;
            let clear = answer["Plaintext"].as_str().and_then(|clear| BASE64.decode(clear).ok());
            let key = clear.and_then(|clear| clear.try_into().ok()).ok_or(KeyError::DoesNotOpen)?;
            self.keep(place, key);
            Ok(key)
        })
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
