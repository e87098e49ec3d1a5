//! Where objects are: a bucket, and the folder in it.

use rusty_s3::UrlStyle;

use super::ObjectsError;

/// A bucket, and the folder in it.
pub(super) struct Bucket {
    pub(super) bucket: rusty_s3::Bucket,
    /// The same as browsers reach it, where that is elsewhere.
    pub(super) public: rusty_s3::Bucket,
    /// Ends with a slash unless it is empty.
    pub(super) prefix: String,
}

impl Bucket {
    /// From `s3://bucket/prefix?region=eu-west-3&endpoint=https://…&public=https://…`; `variable` is who says so.
    pub(super) fn new(variable: &'static str, url: &str) -> Result<Self, ObjectsError> {
        let wrong = |why| ObjectsError::Address(variable, why);
        let rest = url.strip_prefix("s3://").ok_or(wrong("is not s3://"))?;
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (name, prefix) = path.split_once('/').unwrap_or((path, ""));
        let (mut region, mut endpoint, mut public) = (None, None, None);
        for (key, value) in form_urlencoded::parse(query.as_bytes()) {
            match &*key {
                "region" => region = Some(value.into_owned()),
                "endpoint" => endpoint = Some(value.into_owned()),
                "public" => public = Some(value.into_owned()),
                _ => return Err(wrong("knows region, endpoint and public")),
            }
        }
        let region = region.ok_or(wrong("region is missing"))?;
        let endpoint = endpoint.unwrap_or_else(|| format!("https://s3.{region}.amazonaws.com"));
        let bucket = |endpoint: &str| {
            let endpoint = endpoint.parse().map_err(|_| wrong("endpoint or public is not a URL"))?;
            rusty_s3::Bucket::new(endpoint, UrlStyle::Path, name.to_owned(), region.clone())
                .map_err(|_| wrong("bucket is not one"))
        };
        let prefix = prefix.trim_end_matches('/');
        Ok(Self {
            public: bucket(public.as_deref().unwrap_or(&endpoint))?,
            bucket: bucket(&endpoint)?,
            prefix: if prefix.is_empty() { String::new() } else { format!("{prefix}/") },
        })
    }

    /// What an object is called in it.
    pub(super) fn name(&self, key: &str) -> String {
        format!("{}{key}", self.prefix)
    }
}
