//! What every answer carries, and which pages of other sites may ask.

use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, CACHE_CONTROL,
    CONTENT_SECURITY_POLICY, ORIGIN, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY, VARY, X_CONTENT_TYPE_OPTIONS,
    X_FRAME_OPTIONS,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode};

/// For answers that are data. A page brings one of its own.
const NOTHING: HeaderValue =
    HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'");
/// Nothing here asks for a device or a position.
const NO_DEVICES: HeaderValue = HeaderValue::from_static(
    "accelerometer=(), autoplay=(), browsing-topics=(), camera=(), display-capture=(), fullscreen=(), geolocation=(), \
     gyroscope=(), magnetometer=(), microphone=(), midi=(), payment=(), publickey-credentials-get=(self), \
     screen-wake-lock=(), usb=(), xr-spatial-tracking=()",
);
/// Two years, as browsers' preload lists ask.
const ALWAYS_TLS: HeaderValue = HeaderValue::from_static("max-age=63072000; includeSubDomains");
/// What a page of an allowed site may send beside what is always allowed, and what it may read of an answer.
const SENT: HeaderValue =
    HeaderValue::from_static("accept-language, authorization, content-type, idempotency-key, if-match, if-none-match");
const READ: HeaderValue = HeaderValue::from_static(
    "content-disposition, content-language, etag, location, ratelimit, ratelimit-policy, retry-after, www-authenticate, \
     x-request-id",
);
/// How long a browser may remember what it may send, in seconds.
const REMEMBERED: HeaderValue = HeaderValue::from_static("600");

/// Puts on every answer what is the same for all. What a handler has chosen for its page stays.
pub(super) fn dress(headers: &mut HeaderMap, https: bool) {
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    headers.entry(CONTENT_SECURITY_POLICY).or_insert(NOTHING);
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(HeaderName::from_static("permissions-policy"), NO_DEVICES);
    headers.insert(HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin"));
    headers.insert(HeaderName::from_static("cross-origin-embedder-policy"), HeaderValue::from_static("require-corp"));
    headers.insert(HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin"));
    if https {
        headers.insert(STRICT_TRANSPORT_SECURITY, ALWAYS_TLS);
    }
}

/// From which site a request comes, as its browser says; programs say nothing.
pub(super) struct Site {
    /// The origin, when the configuration allows it.
    allowed: Option<HeaderValue>,
    cross_site: bool,
    /// The method a browser asks about before it sends it.
    preflight: Option<Method>,
}

impl Site {
    pub(super) fn of(method: &Method, headers: &HeaderMap, allowed: &[HeaderValue]) -> Self {
        let origin = headers.get(ORIGIN);
        let asked =
            headers.get(ACCESS_CONTROL_REQUEST_METHOD).filter(|_| method == Method::OPTIONS && origin.is_some());
        Self {
            allowed: origin.filter(|origin| allowed.contains(origin)).cloned(),
            cross_site: headers.get("sec-fetch-site").is_some_and(|site| site == "cross-site"),
            preflight: asked.and_then(|asked| Method::from_bytes(asked.as_bytes()).ok()),
        }
    }

    /// Whether it is a change that a page of a foreign site asks for. There is no cookie that it could ride on; should there
    /// ever be one, it is refused all the same.
    pub(super) fn is_forged(&self, method: &Method) -> bool {
        self.cross_site && self.allowed.is_none() && !method.is_safe()
    }

    /// Tells the browser whether the page may read the answer. A preflight is answered by what the path knows.
    pub(super) fn answer<B: Default>(&self, response: Response<B>, methods: Option<&String>) -> Response<B> {
        let mut response = match (&self.allowed, &self.preflight, methods) {
            (Some(_), Some(asked), Some(methods)) if response.status() == StatusCode::METHOD_NOT_ALLOWED => {
                preflight(asked, methods).unwrap_or(response)
            }
            _ => response,
        };
        let headers = response.headers_mut();
        headers.append(VARY, HeaderValue::from_static("origin"));
        if let Some(origin) = &self.allowed {
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
            headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, READ);
        }
        response
    }
}

/// No route knows OPTIONS: without this the router answers 405, or 404 where there is nothing.
fn preflight<B: Default>(asked: &Method, methods: &str) -> Option<Response<B>> {
    let known = methods.split(", ").any(|method| method == asked.as_str());
    let methods = HeaderValue::from_str(methods).ok().filter(|_| known)?;
    let mut answer = Response::new(B::default());
    *answer.status_mut() = StatusCode::NO_CONTENT;
    answer.headers_mut().insert(ACCESS_CONTROL_ALLOW_METHODS, methods);
    answer.headers_mut().insert(ACCESS_CONTROL_ALLOW_HEADERS, SENT);
    answer.headers_mut().insert(ACCESS_CONTROL_MAX_AGE, REMEMBERED);
    Some(answer)
}
