//! Objects that come in parts.

use axum::body::Bytes;
use http::Method;
use rusty_s3::actions::CreateMultipartUpload;

use super::{Objects, ObjectsError, content_md5};

/// A part that the store has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// From 1 on.
    pub number: u16,
    /// In bytes.
    pub size: u64,
    /// What the store calls it.
    pub tag: String,
}

impl Objects {
    /// Begins an object in parts: what the store calls that upload.
    ///
    /// # Errors
    /// As [`Objects::get`].
    pub async fn begin(&self, key: &str) -> Result<String, ObjectsError> {
        let (at, name) = self.at(key);
        let action = at.bucket.create_multipart_upload(Some(&self.credentials), &name);
        let (_, body) = self.ask(Method::POST, action, &[], Bytes::new(), "the beginning of an upload").await?;
        CreateMultipartUpload::parse_response(&String::from_utf8_lossy(&body))
            .map(|begun| begun.upload_id().to_owned())
            .map_err(|_| ObjectsError::NotUnderstood("the name of an upload"))
    }

    /// Writes one part; what the store calls it.
    ///
    /// # Errors
    /// As [`Objects::get`].
    pub async fn put_part(&self, key: &str, upload: &str, number: u16, bytes: Bytes) -> Result<String, ObjectsError> {
        let (at, name) = self.at(key);
        let action = at.bucket.upload_part(Some(&self.credentials), &name, number, upload);
        let digest = [content_md5(&bytes)];
        let (headers, _) = self.ask(Method::PUT, action, &digest, bytes, "a part").await?;
        let tag = headers.get(http::header::ETAG).and_then(|tag| tag.to_str().ok());
        tag.map(str::to_owned).ok_or(ObjectsError::NotUnderstood("a part without a tag"))
    }

    /// The parts that the store has, in order; none when it does not know that upload, or no longer.
    ///
    /// # Errors
    /// As [`Objects::get`].
    pub async fn parts(&self, key: &str, upload: &str) -> Result<Option<Vec<Part>>, ObjectsError> {
        let (at, name) = self.at(key);
        let action = at.bucket.list_parts(Some(&self.credentials), &name, upload);
        match self.ask(Method::GET, action, &[], Bytes::new(), "a list of parts").await {
            Ok((_, body)) => parse_parts(&String::from_utf8_lossy(&body)).map(Some),
            Err(ObjectsError::Missing) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Makes one object of the parts with those tags, numbered from 1 on.
    ///
    /// # Errors
    /// As [`Objects::get`]; [`ObjectsError::Missing`] when the store does not know that upload, or no longer.
    pub async fn finish(&self, key: &str, upload: &str, tags: &[String]) -> Result<(), ObjectsError> {
        let (at, name) = self.at(key);
        let tags = || tags.iter().map(String::as_str);
        let action = || at.bucket.complete_multipart_upload(Some(&self.credentials), &name, upload, tags());
        let body = Bytes::from(action().body());
        let (_, said) = self.ask(Method::POST, action(), &[], body, "the end of an upload").await?;
        // A store may say 200 before it knows (CompleteMultipartUpload, AWS API Reference).
        if String::from_utf8_lossy(&said).contains("<Error>") {
            return Err(ObjectsError::Away("an upload did not come to its end".into()));
        }
        Ok(())
    }

    /// Gives an upload up, if the store still knows it.
    ///
    /// # Errors
    /// As [`Objects::get`].
    pub async fn abandon(&self, key: &str, upload: &str) -> Result<(), ObjectsError> {
        let (at, name) = self.at(key);
        let action = at.bucket.abort_multipart_upload(Some(&self.credentials), &name, upload);
        match self.ask(Method::DELETE, action, &[], Bytes::new(), "the end of an upload").await {
            Ok(_) | Err(ObjectsError::Missing) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// Reads a list of parts. By hand, since not every store says all that AWS's does: s3s-fs leaves out tags and the order.
fn parse_parts(xml: &str) -> Result<Vec<Part>, ObjectsError> {
    let wrong = || ObjectsError::NotUnderstood("its list of parts");
    // Parts of ours are at most a few dozen, and a page holds a thousand.
    if !xml.contains("ListPartsResult") || field(xml, "IsTruncated") == Some("true") {
        return Err(wrong());
    }
    let mut parts = Vec::new();
    for part in xml.split("<Part>").skip(1) {
        let number = |name| field(part, name).and_then(|text| text.parse::<u64>().ok()).ok_or_else(wrong);
        parts.push(Part {
            number: number("PartNumber")?.try_into().map_err(|_| wrong())?,
            size: number("Size")?,
            tag: field(part, "ETag").unwrap_or_default().replace("&quot;", "\""),
        });
    }
    parts.sort_unstable_by_key(|part| part.number);
    Ok(parts)
}

fn field<'a>(xml: &'a str, name: &str) -> Option<&'a str> {
    let rest = xml.split_once(&format!("<{name}>"))?.1;
    Some(rest.split_once('<')?.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_read_as_aws_and_as_others_write_them() {
        let aws = "<?xml version=\"1.0\"?><ListPartsResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><MaxParts>1000</MaxParts>\
            <IsTruncated>false</IsTruncated><Part><PartNumber>2</PartNumber><ETag>&quot;b&quot;</ETag><Size>7</Size></Part>\
            <Part><PartNumber>1</PartNumber><ETag>\"a\"</ETag><Size>8388608</Size></Part></ListPartsResult>";
        let part = |number, size, tag: &str| Part { number, size, tag: tag.into() };
        assert_eq!(parse_parts(aws).unwrap(), [part(1, 8 << 20, "\"a\""), part(2, 7, "\"b\"")]);
        let bare = "<ListPartsResult><Part><PartNumber>1</PartNumber><Size>5</Size></Part></ListPartsResult>";
        assert_eq!(parse_parts(bare).unwrap(), [part(1, 5, "")]);
        assert_eq!(parse_parts("<ListPartsResult></ListPartsResult>").unwrap(), []);
        for wrong in ["", "<Error/>", "<ListPartsResult><Part></Part></ListPartsResult>"] {
            assert!(parse_parts(wrong).is_err(), "{wrong}");
        }
    }
}
