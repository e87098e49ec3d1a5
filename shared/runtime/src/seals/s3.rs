//! Copies in S3 or what speaks like it: locked until a date, and never written twice.

use std::time::Duration;

use axum::body::Bytes;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use futures_util::future::BoxFuture;
use http::{Request, StatusCode};
use jiff::{SignedDuration, Timestamp};
use ring::digest::{SHA256, digest};
use rusty_s3::actions::{ListObjectsV2, S3Action};
use rusty_s3::{Bucket, Credentials, UrlStyle};

use super::{Objects, ObjectsError};
use crate::config::AwsKey;
use crate::outbound::{Outbound, OutboundError};

/// How long one signed request is good for.
const SIGNED_FOR: Duration = Duration::from_mins(1);
/// Longest wait for one answer.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Largest answer: a page of a thousand names.
const MAX_ANSWER: usize = 4 << 20;
/// How long copies are locked when the address does not say: as long as traces may be kept at most, three years.
const DAYS: i64 = 1096;

/// A bucket with object lock, and the folder in it.
pub struct S3 {
    bucket: Bucket,
    credentials: Credentials,
    prefix: String,
    locked: SignedDuration,
    client: Outbound,
}

impl S3 {
    /// From `s3://bucket/prefix?region=eu-west-3&endpoint=https://…&days=1096`.
    ///
    /// # Errors
    /// What the address lacks.
    pub fn new(url: &str, aws: Option<&AwsKey>) -> Result<Self, ObjectsError> {
        let wrong = ObjectsError::Address;
        let rest = url.strip_prefix("s3://").ok_or(wrong("is neither file:// nor s3://"))?;
        let key = aws.ok_or(wrong("AWS_ACCESS_KEY_ID or AWS_SECRET_ACCESS_KEY is missing"))?;
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (name, prefix) = path.split_once('/').unwrap_or((path, ""));
        let (mut region, mut endpoint, mut days) = (None, None, DAYS);
        for (key, value) in form_urlencoded::parse(query.as_bytes()) {
            match &*key {
                "region" => region = Some(value.into_owned()),
                "endpoint" => endpoint = Some(value.into_owned()),
                "days" => {
                    let given = value.parse().ok().filter(|days| (1..=36_500).contains(days));
                    days = given.ok_or(wrong("days is not a number of days"))?;
                }
                _ => return Err(wrong("knows region, endpoint and days")),
            }
        }
        let region = region.ok_or(wrong("region is missing"))?;
        let endpoint = endpoint.unwrap_or_else(|| format!("https://s3.{region}.amazonaws.com"));
        let endpoint = endpoint.parse().map_err(|_| wrong("endpoint is not a URL"))?;
        let bucket = Bucket::new(endpoint, UrlStyle::Path, name.to_owned(), region);
        let prefix = prefix.trim_end_matches('/');
        Ok(Self {
            bucket: bucket.map_err(|_| wrong("bucket is not one"))?,
            credentials: match &key.token {
                Some(token) => Credentials::new_with_token(&key.id, &key.secret, token),
                None => Credentials::new(&key.id, &key.secret),
            },
            prefix: if prefix.is_empty() { String::new() } else { format!("{prefix}/") },
            locked: SignedDuration::from_hours(24 * days),
            client: Outbound::new().map_err(|_| wrong("this machine has no root certificates"))?,
        })
    }

    fn key(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    async fn send(&self, request: http::request::Builder, body: Vec<u8>) -> Result<(StatusCode, Bytes), ObjectsError> {
        let request = request.body(body.into()).map_err(|_| ObjectsError::Store("not a request".into()))?;
        let answer = self.client.send(request, TIMEOUT, MAX_ANSWER).await.map_err(|error| {
            let said = match error {
                OutboundError::Connection(_) | OutboundError::Forbidden => "does not answer",
                OutboundError::Body => "breaks off",
                OutboundError::Late => "takes too long",
            };
            ObjectsError::Store(said.into())
        })?;
        Ok((answer.status(), answer.into_body()))
    }

    async fn write(&self, name: &str, bytes: Vec<u8>, now: Timestamp) -> Result<(), ObjectsError> {
        let until = now + self.locked;
        let headers = [
            ("content-type", "text/plain; charset=utf-8".to_owned()),
            // Somebody else's copy stays.
            ("if-none-match", "*".to_owned()),
            // Asked for with a lock.
            ("x-amz-sdk-checksum-algorithm", "SHA256".to_owned()),
            ("x-amz-checksum-sha256", BASE64.encode(digest(&SHA256, &bytes))),
            ("x-amz-object-lock-mode", "COMPLIANCE".to_owned()),
            ("x-amz-object-lock-retain-until-date", until.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()),
        ];
        let key = self.key(name);
        let mut action = self.bucket.put_object(Some(&self.credentials), &key);
        let mut request = Request::put("/");
        for (header, value) in &headers {
            action.headers_mut().insert(*header, value.clone());
            request = request.header(*header, value);
        }
        let request = request.uri(action.sign(SIGNED_FOR).as_str());
        match self.send(request, bytes.clone()).await? {
            (status, _) if status.is_success() => Ok(()),
            // 412, or 403 of a store that looks at the lock first: perhaps it is there already.
            (status, _) => match self.read(name).await? {
                Some(found) if found == bytes => Ok(()),
                Some(_) => Err(ObjectsError::Another(name.to_owned())),
                None => Err(ObjectsError::Store(format!("answered {status} to a copy"))),
            },
        }
    }

    async fn read(&self, name: &str) -> Result<Option<Vec<u8>>, ObjectsError> {
        let key = self.key(name);
        let url = self.bucket.get_object(Some(&self.credentials), &key).sign(SIGNED_FOR);
        match self.send(Request::get(url.as_str()), Vec::new()).await? {
            (status, body) if status.is_success() => Ok(Some(body.into())),
            (StatusCode::NOT_FOUND, _) => Ok(None),
            (status, _) => Err(ObjectsError::Store(format!("answered {status} to a look"))),
        }
    }

    async fn list(&self) -> Result<Vec<String>, ObjectsError> {
        let mut names = Vec::new();
        let mut token: Option<String> = None;
        loop {
            let mut action = self.bucket.list_objects_v2(Some(&self.credentials));
            action.with_prefix(self.prefix.as_str());
            if let Some(token) = token.take() {
                action.with_continuation_token(token);
            }
            let url = action.sign(SIGNED_FOR);
            let (status, body) = self.send(Request::get(url.as_str()), Vec::new()).await?;
            if !status.is_success() {
                return Err(ObjectsError::Store(format!("answered {status} to a list")));
            }
            let page = ListObjectsV2::parse_response(&String::from_utf8_lossy(&body))
                .map_err(|_| ObjectsError::Store("its list is not understood".into()))?;
            let found =
                page.contents.into_iter().filter_map(|object| Some(object.key.strip_prefix(&self.prefix)?.to_owned()));
            names.extend(found);
            match page.next_continuation_token {
                Some(next) => token = Some(next),
                None => return Ok(names),
            }
        }
    }
}

impl Objects for S3 {
    fn put<'a>(&'a self, name: &'a str, bytes: Vec<u8>, now: Timestamp) -> BoxFuture<'a, Result<(), ObjectsError>> {
        Box::pin(self.write(name, bytes, now))
    }

    fn names(&self) -> BoxFuture<'_, Result<Vec<String>, ObjectsError>> {
        Box::pin(self.list())
    }

    fn get<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Option<Vec<u8>>, ObjectsError>> {
        Box::pin(self.read(name))
    }
}
