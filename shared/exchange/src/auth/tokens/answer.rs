//! What who gives tokens answers, and what it comes to.

use std::time::Duration;

use http::StatusCode;
use http::header::RETRY_AFTER;
use jiff::SignedDuration;
use serde::Deserialize;
use serde_json::Value;

use crate::{Fault, Response, Why};

/// Longest token, in bytes: more does not go through the headers of servers.
const LONGEST: usize = 16 * 1024;
/// Most seconds that a token lives, whatever is said: a day.
const MOST_SECONDS: i64 = 86_400;

/// A token that was given.
#[derive(Debug)]
pub(super) struct Granted {
    pub token: String,
    pub lives: SignedDuration,
}

#[derive(Deserialize)]
struct Good {
    access_token: String,
    token_type: String,
    /// A number, or, from older servers, digits.
    expires_in: Value,
}

#[derive(Deserialize)]
struct Bad {
    error: String,
    #[serde(default)]
    error_description: String,
    #[serde(default)]
    error_codes: Vec<u64>,
}

/// Reads one.
pub(super) fn read(answer: &Response) -> Result<Granted, Fault> {
    if answer.status() != StatusCode::OK {
        return Err(refused(answer));
    }
    let odd = || Fault::new(Why::Malformed, "not an answer with a token");
    let good: Good = serde_json::from_slice(answer.body()).map_err(|_| odd())?;
    let seconds = good.expires_in.as_i64().or_else(|| good.expires_in.as_str()?.parse().ok()).ok_or_else(odd)?;
    let token = good.access_token;
    // What may stand in the header (RFC 6750 §2.1).
    let sound = |it: u8| it.is_ascii_alphanumeric() || b"-._~+/=".contains(&it);
    let bearer = good.token_type.eq_ignore_ascii_case("bearer");
    if !bearer || token.is_empty() || token.len() > LONGEST || !token.bytes().all(sound) || seconds <= 0 {
        return Err(odd());
    }
    Ok(Granted { token, lives: SignedDuration::from_secs(seconds.min(MOST_SECONDS)) })
}

fn refused(answer: &Response) -> Fault {
    let status = answer.status();
    let wait = answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse().ok());
    let wait = wait.map(Duration::from_secs);
    let bad = serde_json::from_slice::<Bad>(answer.body()).ok();
    let code = bad.as_ref().and_then(code).unwrap_or_else(|| format!("HTTP {}", status.as_u16()));
    let why = match (status, bad.as_ref().map(|bad| &bad.error[..])) {
        (StatusCode::TOO_MANY_REQUESTS, _) => Why::Throttled,
        (status, _) if status.is_server_error() => Why::Unavailable,
        // RFC 6749 §5.2. An application that the tenant does not know is `unauthorized_client` to Entra ID.
        (_, Some("invalid_client" | "unauthorized_client" | "invalid_grant")) => Why::Unauthenticated,
        (_, Some("access_denied" | "interaction_required" | "consent_required")) => Why::Forbidden,
        (_, Some("temporarily_unavailable" | "server_error")) => Why::Unavailable,
        (_, Some(_)) => Why::Refused,
        (_, None) => Why::Malformed,
    };
    Fault::new(why, code).after(wait)
}

/// The number of the failure, `AADSTS…` of Entra ID or `MSIS…` of AD FS; else the word for it. What a description says beside it may
/// hold names.
fn code(bad: &Bad) -> Option<String> {
    if let Some(number) = bad.error_codes.first() {
        return Some(format!("AADSTS{number}"));
    }
    let numbered = |prefix: &str| {
        let rest = bad.error_description.trim_start().strip_prefix(prefix)?;
        let digits: String = rest.chars().take_while(char::is_ascii_digit).take(12).collect();
        (!digits.is_empty()).then(|| format!("{prefix}{digits}"))
    };
    let word = |it: u8| it.is_ascii_lowercase() || it == b'_';
    let error = Some(&bad.error).filter(|error| error.len() <= 40 && error.bytes().all(word));
    numbered("AADSTS").or_else(|| numbered("MSIS")).or_else(|| error.cloned())
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use serde_json::json;

    use super::*;

    fn answer(status: u16, body: &str) -> Response {
        http::Response::builder().status(status).body(Bytes::from(body.to_owned())).unwrap()
    }

    fn fault(status: u16, body: &str) -> (Why, String) {
        let fault = read(&answer(status, body)).unwrap_err();
        (fault.why, fault.code)
    }

    #[test]
    fn a_token_is_one_that_can_be_shown() {
        let good = |token: &str, kind: &str, seconds: Value| {
            read(&answer(
                200,
                &json!({"access_token": token, "token_type": kind, "expires_in": seconds, "x": 1}).to_string(),
            ))
        };
        let granted = good("eyJ0.e-_1.s", "Bearer", json!(3599)).unwrap();
        assert_eq!((&granted.token[..], granted.lives.as_secs()), ("eyJ0.e-_1.s", 3599));
        assert_eq!(good("a", "bearer", json!("3599")).unwrap().lives.as_secs(), 3599);
        assert_eq!(good("a", "bearer", json!(i64::MAX)).unwrap().lives.as_secs(), MOST_SECONDS);
        for (token, kind, seconds) in [
            ("", "Bearer", json!(1)),
            ("a\r\nb", "Bearer", json!(1)),
            ("a", "pop", json!(1)),
            ("a", "Bearer", json!(0)),
            ("a", "Bearer", json!("soon")),
        ] {
            assert_eq!(good(token, kind, seconds).unwrap_err().why, Why::Malformed);
        }
        assert_eq!(good(&"a".repeat(LONGEST + 1), "Bearer", json!(1)).unwrap_err().why, Why::Malformed);
        assert_eq!(fault(200, "<html>"), (Why::Malformed, "not an answer with a token".into()));
    }

    #[test]
    fn what_is_refused_says_why_and_nothing_of_whom() {
        let entra = r#"{"error":"invalid_client","error_description":"AADSTS7000215: Invalid client secret provided for app 'Dr House'.","error_codes":[7000215],"trace_id":"x"}"#;
        assert_eq!(fault(401, entra), (Why::Unauthenticated, "AADSTS7000215".into()));
        let unknown = r#"{"error":"unauthorized_client","error_description":"AADSTS700016: Application 'x' was not found","error_codes":[700016]}"#;
        assert_eq!(fault(400, unknown), (Why::Unauthenticated, "AADSTS700016".into()));
        let adfs = r#"{"error":"invalid_request","error_description":"MSIS9602: The received 'resource' parameter is invalid."}"#;
        assert_eq!(fault(400, adfs), (Why::Refused, "MSIS9602".into()));
        assert_eq!(fault(400, r#"{"error":"invalid_scope"}"#), (Why::Refused, "invalid_scope".into()));
        assert_eq!(fault(400, r#"{"error":"Dr House, 12 rue"}"#), (Why::Refused, "HTTP 400".into()));
        assert_eq!(fault(403, "no"), (Why::Malformed, "HTTP 403".into()));
        assert_eq!(fault(302, ""), (Why::Malformed, "HTTP 302".into()));
        assert_eq!(fault(503, "<html>"), (Why::Unavailable, "HTTP 503".into()));
        let mut busy = answer(429, "");
        busy.headers_mut().insert(RETRY_AFTER, "17".parse().unwrap());
        let fault = read(&busy).unwrap_err();
        assert_eq!((fault.why, fault.retry_after), (Why::Throttled, Some(Duration::from_secs(17))));
    }
}
