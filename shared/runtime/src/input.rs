//! Parse at the edge: bodies, query strings, path segments and headers become types, or a problem that names the field.

use std::str::FromStr;
use std::time::Duration;

use axum::body::{Body, HttpBody as _};
use axum::extract::{FromRequest, FromRequestParts, RawPathParams, Request};
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::de::{DeserializeOwned, IgnoredAny};

use crate::{Kind, Problem};

/// Largest JSON body, in bytes.
pub const MAX_BODY_BYTES: usize = 64 * 1024;
/// Deepest nesting of a JSON body.
pub const MAX_DEPTH: usize = 16;
/// Longest wait for a body. Shorter than the deadline of the whole answer: a slow sender is not our failure.
pub const BODY_DEADLINE: Duration = Duration::from_secs(8);
/// Longest name of a field that is told back, in characters.
const MAX_FIELD: usize = 100;

/// A JSON body.
#[derive(Debug)]
pub struct Input<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Input<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let json = request
            .headers()
            .get(CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.split(';').next())
            .is_some_and(|kind| {
                let kind = kind.trim().to_ascii_lowercase();
                kind == "application/json" || (kind.starts_with("application/") && kind.ends_with("+json"))
            });
        if !json {
            return Err(Problem::new(Kind::UnsupportedMediaType));
        }
        let bytes = read_body(request.into_body()).await?;
        parse_json(&bytes).map(Self)
    }
}

async fn read_body(body: Body) -> Result<Vec<u8>, Problem> {
    // What announces itself as too large is refused before it is sent.
    if body.size_hint().lower() > MAX_BODY_BYTES as u64 {
        return Err(Problem::new(Kind::BodyTooLarge));
    }
    match crate::pace::timeout(BODY_DEADLINE, Limited::new(body, MAX_BODY_BYTES).collect()).await {
        Ok(Ok(whole)) => Ok(whole.to_bytes().into()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Problem::new(Kind::BodyTooLarge)),
        Ok(Err(_)) | Err(_) => Err(Problem::new(Kind::BodyUnreadable)),
    }
}

/// Parses a body, naming the field at fault.
///
/// # Errors
/// `json-malformed`, `json-too-deep`, `json-not-object`, `field-missing`, `field-unknown`, `field-invalid`.
pub fn parse_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    if depth(bytes) > MAX_DEPTH {
        return Err(Problem::new(Kind::JsonTooDeep));
    }
    // serde would also read the fields from an array, in their order.
    if bytes.iter().find(|byte| !byte.is_ascii_whitespace()) != Some(&b'{') {
        let json = serde_json::from_slice::<IgnoredAny>(bytes).is_ok();
        return Err(Problem::new(if json { Kind::JsonNotObject } else { Kind::JsonMalformed }));
    }
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let path = error.path().to_string();
        let inner = error.into_inner();
        if inner.is_data() { field_problem(&path, &inner.to_string()) } else { Problem::new(Kind::JsonMalformed) }
    })?;
    json.end().map_err(|_| Problem::new(Kind::JsonMalformed))?;
    Ok(value)
}

/// How deep brackets nest, outside of strings.
fn depth(bytes: &[u8]) -> usize {
    let (mut depth, mut deepest, mut quoted, mut escaped) = (0_usize, 0, false, false);
    for byte in bytes {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'{' | b'[' if !quoted => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' if !quoted => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// serde says which field is unknown or missing only in its message; our own types say why by a code.
fn field_problem(path: &str, message: &str) -> Problem {
    let path: String = if path == "." { String::new() } else { path.chars().take(MAX_FIELD).collect() };
    let named = |prefix: &str| message.strip_prefix(prefix).and_then(|rest| rest.split('`').nth(1));
    let within = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    // The path ends with the name of an unknown field, but not with that of a missing one or of one given twice.
    if message.starts_with("unknown field") {
        return Problem::new(Kind::FieldUnknown).field(path);
    }
    if let Some(name) = named("missing field") {
        return Problem::new(Kind::FieldMissing).field(within(name));
    }
    if let Some(name) = named("duplicate field") {
        let field = if path.ends_with(name) { path } else { within(name) };
        return Problem::new(Kind::FieldInvalid).field(field).hint("twice");
    }
    let code = message.split(" at line ").next().unwrap_or(message);
    let problem = Problem::new(Kind::FieldInvalid).field(path);
    if code.chars().all(|c| c.is_ascii_lowercase() || c == '-') { problem.hint(code) } else { problem }
}

/// A query string. Unknown parameters are refused: a misspelt filter must not silently filter nothing.
#[derive(Debug)]
pub struct Params<T>(pub T);

impl<S: Sync, T: DeserializeOwned> FromRequestParts<S> for Params<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        parse_query(parts.uri.query().unwrap_or_default()).map(Self)
    }
}

/// Parses a query string, naming the parameter at fault.
///
/// # Errors
/// `field-missing`, `field-unknown`, `field-invalid`.
pub fn parse_query<T: DeserializeOwned>(query: &str) -> Result<T, Problem> {
    let pairs = serde_html_form::Deserializer::new(form_urlencoded::parse(query.as_bytes()));
    serde_path_to_error::deserialize(pairs).map_err(|error| {
        let path = error.path().to_string();
        field_problem(&path, &error.into_inner().to_string())
    })
}

/// The first parameter of a query, as it may be told back.
pub(crate) fn first_parameter(query: &str) -> Option<String> {
    let (name, _) = form_urlencoded::parse(query.as_bytes()).next()?;
    Some(name.chars().take(MAX_FIELD).collect())
}

/// The `{id}` of a path. What cannot be an identifier names nothing: 404.
#[derive(Debug, Clone, Copy)]
pub struct Segment<T>(pub T);

impl<S: Send + Sync, T: FromStr> FromRequestParts<S> for Segment<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let params = RawPathParams::from_request_parts(parts, state).await.map_err(|_| Problem::new(Kind::NotFound))?;
        params
            .iter()
            .next()
            .and_then(|(_, value)| value.parse().ok())
            .map(Self)
            .ok_or_else(|| Problem::new(Kind::NotFound))
    }
}

/// The client's name for one intention: the same key gives the same answer, however often it is sent
/// (draft-ietf-httpapi-idempotency-key-header).
#[derive(Debug, Clone)]
pub struct IdempotencyKey(String);

impl IdempotencyKey {
    /// Longest key, in characters.
    pub const MAX_LENGTH: usize = 128;

    /// The key as sent.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<S: Sync> FromRequestParts<S> for IdempotencyKey {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let mut values = parts.headers.get_all("idempotency-key").iter();
        let problem = |kind| Problem::new(kind).field("Idempotency-Key");
        let first = values.next().ok_or_else(|| problem(Kind::IdempotencyKeyMissing))?;
        let key = first.to_str().unwrap_or_default();
        let sound = (1..=Self::MAX_LENGTH).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic());
        if !sound || values.next().is_some() {
            return Err(problem(Kind::IdempotencyKeyInvalid));
        }
        Ok(Self(key.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code)]
    struct Wish {
        slot: String,
        count: Option<u8>,
        inner: Option<Inner>,
    }
    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code)]
    struct Inner {
        a: u8,
    }

    fn refused(body: &str) -> (Kind, String) {
        let problem = parse_json::<Wish>(body.as_bytes()).unwrap_err();
        let text = format!("{problem:?}");
        let field = text.split("field: Some(\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap_or_default();
        (problem.kind, field.to_owned())
    }

    #[test]
    fn a_bad_body_is_told_by_kind_and_field() {
        assert_eq!(refused("{"), (Kind::JsonMalformed, String::new()));
        assert_eq!(refused(""), (Kind::JsonMalformed, String::new()));
        assert_eq!(refused(r#"{"slot":"a"} x"#), (Kind::JsonMalformed, String::new()));
        assert_eq!(refused(r"{}"), (Kind::FieldMissing, "slot".into()));
        assert_eq!(refused(r#"{"slot":"a","colour":1}"#), (Kind::FieldUnknown, "colour".into()));
        assert_eq!(refused(r#"{"slot":1}"#), (Kind::FieldInvalid, "slot".into()));
        assert_eq!(refused(r#"{"slot":"a","count":300}"#), (Kind::FieldInvalid, "count".into()));
        assert_eq!(refused(r#"{"slot":"a","inner":{}}"#), (Kind::FieldMissing, "inner.a".into()));
        assert_eq!(refused(&format!("{}1{}", "[".repeat(17), "]".repeat(17))), (Kind::JsonTooDeep, String::new()));
        assert_eq!(refused(r#"{"slot":"a","slot":"b"}"#), (Kind::FieldInvalid, "slot".into()));
        assert_eq!(refused("{\"slot\":\"a\",\"`a\\u0000`\":1}"), (Kind::FieldUnknown, "`a\\0`".into()));
        assert_eq!(refused(&format!(r#"{{"{}":1}}"#, "é".repeat(9000))), (Kind::FieldUnknown, "é".repeat(MAX_FIELD)));
        for other in ["[]", r#" ["a",1,null]"#, "null", "1e9", r#""slot""#] {
            assert_eq!(refused(other), (Kind::JsonNotObject, String::new()), "{other}");
        }
        assert_eq!(refused("[1"), (Kind::JsonMalformed, String::new()));
        assert_eq!(refused(&"[".repeat(60_000)), (Kind::JsonTooDeep, String::new()));
    }

    #[test]
    fn a_misspelt_query_parameter_is_refused() {
        #[derive(Debug, Deserialize)]
        #[serde(deny_unknown_fields)]
        #[allow(dead_code)]
        struct Search {
            limit: Option<u32>,
        }
        assert!(parse_query::<Search>("limit=3").is_ok());
        assert_eq!(parse_query::<Search>("limt=3").unwrap_err().kind, Kind::FieldUnknown);
        assert_eq!(parse_query::<Search>("limit=many").unwrap_err().kind, Kind::FieldInvalid);
    }
}
