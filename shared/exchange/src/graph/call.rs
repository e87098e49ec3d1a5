//! One request to Graph and its answer, and lists that come in pages.

use std::time::Duration;

use bytes::Bytes;
use domain::sync::Version;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue, IF_MATCH};
use http::{Method, StatusCode, Uri};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use super::Graph;
use super::faults::{self, About};
use crate::{Fault, MOST, Request, Response, TIMEOUT, TransportError, Why};

/// Rows of a page that are asked for; Graph gives fewer as it likes. Rows of changes come with the whole text of each event, and
/// fifty of 160 KiB fit into [`MOST`].
const PAGE: usize = 50;
/// Pages of one list at most: fifty thousand rows, five times the largest calendar that is to be read.
const MOST_PAGES: usize = 1_000;

/// Unreserved characters of RFC 3986, section 2.3, stay as they are.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// What is asked.
pub(super) struct Ask<'a> {
    method: Method,
    url: String,
    about: About,
    body: Option<Value>,
    version: Option<&'a Version>,
    longest: Duration,
    again: bool,
}

impl<'a> Ask<'a> {
    pub(super) fn new(method: Method, url: String, about: About) -> Self {
        Self { method, url, about, body: None, version: None, longest: TIMEOUT, again: true }
    }

    pub(super) fn get(url: String, about: About) -> Self {
        Self::new(Method::GET, url, about)
    }

    pub(super) fn body(mut self, body: Value) -> Self {
        self.body = Some(body);
        self
    }

    /// Only if it is still in that state.
    pub(super) fn at(mut self, version: &'a Version) -> Self {
        self.version = Some(version);
        self
    }

    /// Once, within that time: no other token is tried.
    pub(super) fn once_within(mut self, longest: Duration) -> Self {
        (self.longest, self.again) = (longest, false);
        self
    }

    /// As one of several in a request. It has headers of its own there: those around it say nothing of it.
    pub(super) fn in_batch(self, id: &str, base: &str) -> Value {
        let url = self.url.strip_prefix(base).unwrap_or(&self.url);
        let headers = json!({"content-type": "application/json", "prefer": preferences()});
        json!({"id": id, "method": self.method.as_str(), "url": url, "headers": headers, "body": self.body})
    }

    fn writes(&self) -> bool {
        matches!(self.method, Method::PATCH | Method::DELETE) || (self.method == Method::POST && self.about.keeps())
    }
}

/// One segment of a path, or one value of a query.
pub(super) fn plain(text: &str) -> String {
    utf8_percent_encode(text, PLAIN).to_string()
}

impl Graph {
    /// Where Graph is.
    pub(super) fn base(&self) -> &str {
        &self.place.base
    }

    /// The address of the calendar.
    pub(super) fn calendar_url(&self) -> String {
        let user = plain(&self.place.user);
        match &self.place.calendar {
            Some(id) => format!("{}/users/{user}/calendars/{}", self.place.base, plain(id)),
            None => format!("{}/users/{user}/calendar", self.place.base),
        }
    }

    /// The address of an item in the calendar. Immutable numbers follow an item into the deleted ones, so it is asked for here only.
    pub(super) fn item_url(&self, id: &str) -> String {
        format!("{}/events/{}", self.calendar_url(), plain(id))
    }

    /// What is answered, as JSON.
    pub(super) async fn json(&self, ask: Ask<'_>) -> Result<Value, Fault> {
        let response = self.answered(&ask).await?;
        serde_json::from_slice(response.body()).map_err(|_| {
            let fault = Fault::new(Why::Malformed, "not JSON");
            if ask.writes() { fault.perhaps_done() } else { fault }
        })
    }

    /// The answer, if it is one of success.
    pub(super) async fn answered(&self, ask: &Ask<'_>) -> Result<Response, Fault> {
        let token = self.tokens.get(None).await?;
        let mut response = self.sent(ask, &token).await?;
        if response.status() == StatusCode::UNAUTHORIZED && ask.again {
            let another = self.tokens.get(Some(&token)).await?;
            if another != token {
                response = self.sent(ask, &another).await?;
            }
        }
        if response.body().len() > MOST {
            let fault = Fault::new(Why::Malformed, "too long");
            return Err(if ask.writes() { fault.perhaps_done() } else { fault });
        }
        if response.status().is_success() { Ok(response) } else { Err(faults::of(&response, ask.about, ask.writes())) }
    }

    async fn sent(&self, ask: &Ask<'_>, token: &str) -> Result<Response, Fault> {
        let request = request(ask, token).ok_or_else(|| Fault::new(Why::Refused, "not a request"))?;
        self.transport.send(request, ask.longest, MOST).await.map_err(|error| match error {
            TransportError::Broken(_) if ask.writes() => Fault::new(Why::Unavailable, "no answer").perhaps_done(),
            TransportError::Broken(_) => Fault::new(Why::Unavailable, "no answer"),
            TransportError::Unreached(_) => Fault::new(Why::Unavailable, "not reached"),
            TransportError::Forbidden => Fault::new(Why::Refused, "not an address for us"),
            TransportError::Unsupported => Fault::new(Why::Refused, "not on this platform"),
        })
    }

    /// All rows of a list, and the link that ends it, if it is one of changes. Each page leads to the next by a link that is followed
    /// as it is, but never to another server: the token would go along.
    pub(super) async fn pages(&self, first: String, about: About) -> Result<(Vec<Value>, Option<String>), Fault> {
        let (mut rows, mut url) = (Vec::new(), first);
        for _ in 0..MOST_PAGES {
            self.ours(&url)?;
            let mut page = self.json(Ask::get(url.clone(), about)).await?;
            let Some(Value::Array(more)) = page.get_mut("value").map(Value::take) else {
                return Err(Fault::new(Why::Malformed, "no rows"));
            };
            rows.extend(more);
            let link = |name: &str| page.get(name).and_then(Value::as_str).map(str::to_owned);
            match link("@odata.nextLink") {
                Some(next) if next == url => return Err(Fault::new(Why::Malformed, "a page that follows itself")),
                Some(next) => url = next,
                None => return Ok((rows, link("@odata.deltaLink"))),
            }
        }
        Err(Fault::new(Why::Malformed, "too many pages"))
    }

    /// Whether a link leads to where the base is.
    pub(super) fn ours(&self, link: &str) -> Result<(), Fault> {
        let same = link.parse::<Uri>().is_ok_and(|uri| {
            let host = |uri: &Uri| uri.host().map(str::to_ascii_lowercase);
            let port = |uri: &Uri| uri.port_u16().or((uri.scheme_str() == Some("https")).then_some(443)).unwrap_or(80);
            let bare = uri.authority().is_some_and(|authority| !authority.as_str().contains('@'));
            bare && uri.scheme() == self.base.scheme()
                && host(&uri) == host(&self.base)
                && port(&uri) == port(&self.base)
        });
        if same { Ok(()) } else { Err(Fault::new(Why::Malformed, "a link to elsewhere")) }
    }
}

fn preferences() -> String {
    format!(
        r#"IdType="ImmutableId", outlook.timezone="UTC", outlook.body-content-type="text", odata.maxpagesize={PAGE}"#
    )
}

fn request(ask: &Ask<'_>, token: &str) -> Option<Request> {
    let mut bearer = HeaderValue::try_from(format!("Bearer {token}")).ok()?;
    bearer.set_sensitive(true);
    let mut request = http::Request::builder()
        .method(ask.method.clone())
        .uri(&ask.url)
        .header(AUTHORIZATION, bearer)
        .header(ACCEPT, "application/json")
        // By which Microsoft finds a request; nothing of ours is called so.
        .header("client-request-id", uuid::Uuid::now_v7().to_string())
        .header("prefer", preferences());
    if let Some(version) = ask.version {
        request = request.header(IF_MATCH, &version.0);
    }
    let body = match &ask.body {
        Some(body) => {
            request = request.header(CONTENT_TYPE, "application/json");
            Bytes::from(body.to_string())
        }
        None => Bytes::new(),
    };
    request.body(body).ok()
}
