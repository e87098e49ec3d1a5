//! Requests that somebody else sends: signed for exactly what they may do, for a while.

use std::collections::BTreeMap;
use std::time::Duration;

use rusty_s3::actions::S3Action;
use serde::Serialize;
use utoipa::ToSchema;

use super::Objects;

/// A request to send as it is, to nobody but the store.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Signed {
    /// `PUT`
    #[schema(value_type = String)]
    pub method: &'static str,
    /// Where to, signature included: whoever has it can send the bytes.
    pub url: String,
    /// Headers that are signed with it. A browser adds `content-length` by itself.
    pub headers: BTreeMap<&'static str, String>,
}

impl Objects {
    /// Signs the writing of one object of that type, length (bytes) and SHA-256 (base64), and of no other.
    pub fn sign_put(&self, key: &str, media_type: &str, length: u64, sha256: &str, good_for: Duration) -> Signed {
        let (at, name) = self.at(key);
        let action = at.public.put_object(Some(&self.credentials), &name);
        let headers = [
            ("content-type", media_type.to_owned()),
            ("content-length", length.to_string()),
            ("x-amz-checksum-sha256", sha256.to_owned()),
        ];
        signed(action, headers, good_for)
    }

    /// Signs the writing of one part of an object, of that length (bytes).
    pub fn sign_part(&self, key: &str, upload: &str, number: u16, length: u64, good_for: Duration) -> Signed {
        let (at, name) = self.at(key);
        let action = at.public.upload_part(Some(&self.credentials), &name, number, upload);
        signed(action, [("content-length", length.to_string())], good_for)
    }
}

fn signed<'a>(
    mut action: impl S3Action<'a>, headers: impl IntoIterator<Item = (&'static str, String)>, good_for: Duration,
) -> Signed {
    let headers: BTreeMap<_, _> = headers.into_iter().collect();
    for (name, value) in &headers {
        action.headers_mut().insert(*name, value.clone());
    }
    Signed { method: "PUT", url: action.sign(good_for).to_string(), headers }
}
