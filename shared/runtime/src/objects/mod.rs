//! Bytes of documents, in S3 or what speaks like it: the same signed requests natively and in a guest.
//!
//! Bodies travel in pieces of some MiB, each asked for by its range and tried again alone: no file is ever whole in memory,
//! and a connection that breaks costs one piece. What is tried again, how often and how long stands at the constants below.

mod bucket;
mod multipart;
mod sealed;
mod signed;

use std::time::Duration;

use axum::body::Bytes;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use http::{HeaderMap, Method, Request, StatusCode};
use md5::{Digest as _, Md5};
use ring::digest::{SHA256, digest};
use rusty_s3::Credentials;
use rusty_s3::actions::{ListObjectsV2, S3Action};

use crate::config::{AwsKey, Config};
use crate::outbound::{Outbound, OutboundError};
use crate::{Kind, Problem, pace};

use bucket::Bucket;
pub use multipart::Part;
pub use sealed::{read_sealed, write_sealed};
pub use signed::Signed;

/// Length of a piece that is read or written at once, in bytes, before it is sealed: S3 takes no smaller part than 5 MiB.
pub const PIECE: usize = 8 << 20;
/// Longest wait for one answer: a piece at 256 KiB a second.
const TIMEOUT: Duration = Duration::from_secs(32);
/// How often a request is sent at most, where the store says 408, 409, 429 or 5xx, or nothing in time.
const TRIES: u32 = 4;
/// Pause before the second try; doubled before each further one, of which between half and all is waited.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// How long one signed request of ours is good for.
const SIGNED_FOR: Duration = Duration::from_mins(2);
/// How many versions of what came in clear are removed at once; more of one object are nobody's mistake.
const MOST_VERSIONS: usize = 100;

/// The folder of what came in clear, and is not judged yet.
pub const STAGING: &str = "staging";
/// The folder of what is sealed.
pub const SEALED: &str = "documents";

/// Why the store did not do it.
#[derive(Debug, thiserror::Error)]
pub enum ObjectsError {
    /// Its address is not one.
    #[error("{0}: {1}")]
    Address(&'static str, &'static str),
    /// There is no such object.
    #[error("there is no such object")]
    Missing,
    /// It will not, however often it is asked.
    #[error("the store answers {0} to {1}")]
    Refused(StatusCode, &'static str),
    /// It cannot now.
    #[error("the store is away: {0}")]
    Away(String),
    /// It says something else than S3 does.
    #[error("the store is not understood: {0}")]
    NotUnderstood(&'static str),
    /// What it holds is not what was sealed, or the source could not be read.
    #[error("the bytes are not what they should be: {0}")]
    Bytes(String),
}

impl ObjectsError {
    /// Whether it may be otherwise a moment later.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Away(_))
    }
}

impl From<ObjectsError> for Problem {
    fn from(error: ObjectsError) -> Self {
        if error.is_transient() { Self::new(Kind::Unavailable).because(error) } else { Self::internal(error) }
    }
}

impl From<crate::keys::KeyError> for ObjectsError {
    fn from(error: crate::keys::KeyError) -> Self {
        Self::Bytes(error.to_string())
    }
}

/// A listed object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its name, without the store's prefix.
    pub key: String,
    /// When it was written last, RFC 3339.
    pub modified: String,
}

/// The store: a bucket for what is sealed, and perhaps another one for what waits in clear.
pub struct Objects {
    sealed: Bucket,
    /// A bucket that keeps versions, or locks what it holds, is not one for bytes in clear.
    staging: Option<Bucket>,
    credentials: Credentials,
    client: Outbound,
}

impl Objects {
    /// Whether `CARNET_UPLOADS` is understood, where it is used.
    ///
    /// # Errors
    /// What the address lacks.
    pub fn check_uploads(config: &Config) -> Result<(), ObjectsError> {
        let uploads = config.uploads.as_deref().filter(|_| config.documents.is_some());
        uploads.map(|url| Bucket::new("CARNET_UPLOADS", url)).transpose().map(drop)
    }

    /// From `CARNET_DOCUMENTS`, and `CARNET_UPLOADS` for what waits in clear: `s3://bucket/prefix?region=eu-west-3&endpoint=…&public=…`.
    ///
    /// # Errors
    /// What an address lacks.
    pub fn new(documents: &str, uploads: Option<&str>, aws: Option<&AwsKey>) -> Result<Self, ObjectsError> {
        let wrong = |why| ObjectsError::Address("CARNET_DOCUMENTS", why);
        let sealed = Bucket::new("CARNET_DOCUMENTS", documents)?;
        let staging = uploads.map(|url| Bucket::new("CARNET_UPLOADS", url)).transpose()?;
        let key = aws.ok_or(wrong("AWS_ACCESS_KEY_ID or AWS_SECRET_ACCESS_KEY is missing"))?;
        Ok(Self {
            sealed,
            staging,
            credentials: match &key.token {
                Some(token) => Credentials::new_with_token(&key.id, &key.secret, token),
                None => Credentials::new(&key.id, &key.secret),
            },
            client: Outbound::new().map_err(|_| wrong("this machine has no root certificates"))?,
        })
    }

    /// Where an object is, and what it is called there.
    fn at(&self, key: &str) -> (&Bucket, String) {
        let bucket = self.staging.as_ref().filter(|_| in_clear(key)).unwrap_or(&self.sealed);
        (bucket, bucket.name(key))
    }

    /// Writes an object of one piece. Again with the same bytes is the same.
    ///
    /// # Errors
    /// As [`Objects::get`].
    pub async fn put(&self, key: &str, bytes: Bytes) -> Result<(), ObjectsError> {
        let (at, name) = self.at(key);
        let headers = [
            ("content-type", "application/octet-stream".to_owned()),
            ("x-amz-checksum-sha256", BASE64.encode(digest(&SHA256, &bytes))),
            content_md5(&bytes),
        ];
        let action = at.bucket.put_object(Some(&self.credentials), &name);
        self.ask(Method::PUT, action, &headers, bytes, "a write").await.map(drop)
    }

    /// Reads some bytes of an object.
    ///
    /// # Errors
    /// [`ObjectsError::Missing`] without such an object; [`ObjectsError::Refused`] beyond its end or without the right;
    /// [`ObjectsError::Away`] after [`TRIES`].
    pub async fn get(&self, key: &str, from: u64, length: usize) -> Result<Bytes, ObjectsError> {
        let (at, name) = self.at(key);
        let until = from + (length as u64).saturating_sub(1);
        let range = [("range", format!("bytes={from}-{until}"))];
        let action = at.bucket.get_object(Some(&self.credentials), &name);
        let (_, body) = self.ask(Method::GET, action, &range, Bytes::new(), "a read").await?;
        if body.len() > length { Err(ObjectsError::NotUnderstood("it knows no ranges")) } else { Ok(body) }
    }

    /// How long an object is, in bytes, if it is there.
    ///
    /// # Errors
    /// As [`Objects::get`].
    pub async fn size(&self, key: &str) -> Result<Option<u64>, ObjectsError> {
        let (at, name) = self.at(key);
        let Some(headers) = self.look(at, &name).await? else { return Ok(None) };
        let length = headers.get(http::header::CONTENT_LENGTH).and_then(|value| value.to_str().ok());
        let length = length.and_then(|length| length.parse().ok());
        length.map(Some).ok_or(ObjectsError::NotUnderstood("an object without a length"))
    }

    async fn look(&self, at: &Bucket, name: &str) -> Result<Option<HeaderMap>, ObjectsError> {
        let action = at.bucket.head_object(Some(&self.credentials), name);
        match self.ask(Method::HEAD, action, &[], Bytes::new(), "a look").await {
            Ok((headers, _)) => Ok(Some(headers)),
            Err(ObjectsError::Missing) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Removes an object, if it is there. What is in clear goes with every version that its bucket kept of it: it would be
    /// readable still. What is sealed may be kept, by a bucket that keeps versions.
    ///
    /// # Errors
    /// As [`Objects::get`]; [`ObjectsError::Refused`] where the bucket locks what is in clear.
    pub async fn remove(&self, key: &str) -> Result<(), ObjectsError> {
        let (at, name) = self.at(key);
        if !in_clear(key) {
            return self.delete(at, &name, None).await;
        }
        self.erase(at, &name).await?;
        // It may have come before there was a bucket of its own for it.
        if self.staging.is_some() { self.erase(&self.sealed, &self.sealed.name(key)).await } else { Ok(()) }
    }

    async fn erase(&self, at: &Bucket, name: &str) -> Result<(), ObjectsError> {
        for _ in 0..MOST_VERSIONS {
            let Some(headers) = self.look(at, name).await? else { return Ok(()) };
            let version = headers.get("x-amz-version-id").and_then(|version| version.to_str().ok());
            self.delete(at, name, version).await?;
            if version.is_none() {
                return Ok(());
            }
        }
        Err(ObjectsError::NotUnderstood("versions without end"))
    }

    async fn delete(&self, at: &Bucket, name: &str, version: Option<&str>) -> Result<(), ObjectsError> {
        let mut action = at.bucket.delete_object(Some(&self.credentials), name);
        if let Some(version) = version {
            action.query_mut().insert("versionId", version.to_owned());
        }
        match self.ask(Method::DELETE, action, &[], Bytes::new(), "a removal").await {
            Ok(_) | Err(ObjectsError::Missing) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// A page of the objects whose names begin so, after where an earlier page ended; and where the next one goes on.
    ///
    /// # Errors
    /// As [`Objects::get`].
    pub async fn list(&self, begin: &str, after: Option<&str>) -> Result<(Vec<Listed>, Option<String>), ObjectsError> {
        let (at, begin) = self.at(begin);
        let mut action = at.bucket.list_objects_v2(Some(&self.credentials));
        action.with_prefix(begin);
        if let Some(token) = after {
            action.with_continuation_token(token);
        }
        let (_, body) = self.ask(Method::GET, action, &[], Bytes::new(), "a list").await?;
        let page = ListObjectsV2::parse_response(&String::from_utf8_lossy(&body))
            .map_err(|_| ObjectsError::NotUnderstood("its list"))?;
        let listed = page.contents.into_iter().filter_map(|object| {
            let key = object.key.strip_prefix(&at.prefix)?.to_owned();
            Some(Listed { key, modified: object.last_modified? })
        });
        Ok((listed.collect(), page.next_continuation_token))
    }

    /// One request, sent again where that may help.
    async fn ask<'a>(
        &self, method: Method, mut action: impl S3Action<'a>, headers: &[(&'static str, String)], body: Bytes,
        what: &'static str,
    ) -> Result<(HeaderMap, Bytes), ObjectsError> {
        for (name, value) in headers {
            action.headers_mut().insert(*name, value.clone());
        }
        let mut tried = 1;
        loop {
            let mut request = Request::builder().method(method.clone()).uri(action.sign(SIGNED_FOR).as_str());
            for (name, value) in headers {
                request = request.header(*name, value);
            }
            let request = request.body(body.clone()).map_err(|_| ObjectsError::NotUnderstood("its address"))?;
            let failed = match self.client.send(request, TIMEOUT, PIECE).await {
                Ok(answer) if answer.status().is_success() => {
                    let (parts, body) = answer.into_parts();
                    return Ok((parts.headers, body));
                }
                Ok(answer) if answer.status() == StatusCode::NOT_FOUND => return Err(ObjectsError::Missing),
                Ok(answer) if is_passing(answer.status()) => format!("it answers {} to {what}", answer.status()),
                Ok(answer) => return Err(ObjectsError::Refused(answer.status(), what)),
                Err(OutboundError::Connection(_) | OutboundError::Forbidden) => format!("no connection for {what}"),
                Err(OutboundError::Body) => format!("it breaks off {what}"),
                Err(OutboundError::Late) => format!("no answer in time to {what}"),
            };
            if tried == TRIES {
                return Err(ObjectsError::Away(failed));
            }
            pace::sleep(pause(tried, rand::random_range(0..=1000))).await;
            tried += 1;
        }
    }
}

/// A bucket that locks what it holds takes nothing without it (S3 User Guide, "Object Lock considerations").
fn content_md5(bytes: &[u8]) -> (&'static str, String) {
    ("content-md5", BASE64.encode(Md5::digest(bytes)))
}

/// Whether an object of that name is what came, and not what was sealed.
fn in_clear(key: &str) -> bool {
    key.strip_prefix(STAGING).is_some_and(|rest| rest.starts_with('/'))
}

/// Whether a store that answers so may answer otherwise a moment later.
fn is_passing(status: StatusCode) -> bool {
    status.is_server_error()
        || [StatusCode::CONFLICT, StatusCode::TOO_MANY_REQUESTS, StatusCode::REQUEST_TIMEOUT].contains(&status)
}

/// Before try `tried + 1`; `jitter` in `0..=1000`, so that what failed together does not come back together.
fn pause(tried: u32, jitter: u32) -> Duration {
    let full = FIRST_PAUSE * 2_u32.saturating_pow(tried.saturating_sub(1));
    full / 2 + full / 2 * jitter / 1000
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> AwsKey {
        AwsKey { id: "id".into(), secret: "secret".into(), token: None }
    }

    #[test]
    fn an_address_that_is_none_is_told_without_its_secrets() {
        let wrong = |url: &str| Objects::new(url, None, Some(&key())).map(drop).unwrap_err().to_string();
        assert!(wrong("file:///x").contains("s3://"));
        assert!(wrong("s3://bucket").contains("region"));
        assert!(wrong("s3://bucket?region=r&endpoint=x").contains("URL"));
        assert!(wrong("s3://bucket?region=r&days=3").contains("knows"));
        let keyless = Objects::new("s3://bucket?region=r", None, None).map(drop).unwrap_err().to_string();
        assert!(keyless.contains("AWS_ACCESS_KEY_ID"), "{keyless}");
        let uploads = Objects::new("s3://bucket?region=r", Some("s3://x"), Some(&key())).map(drop).unwrap_err();
        assert_eq!(uploads.to_string(), "CARNET_UPLOADS: region is missing");
    }

    #[test]
    fn pauses_double_and_end() {
        assert_eq!(pause(1, 0), Duration::from_millis(50));
        assert_eq!(pause(3, 1000), Duration::from_millis(400));
        let whole: Duration = (1..TRIES).map(|tried| pause(tried, 1000)).sum();
        assert!(whole < Duration::from_secs(1));
    }
}
