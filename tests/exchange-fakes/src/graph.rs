//! Microsoft Graph over [`Server`], as far as calendars go: tokens, events, changes, free and busy times, subscriptions. Behaviour is
//! that of the reference and of what others report of the service, where the two differ.

mod batch;
mod delta;
mod events;
mod lists;
mod recurrence;
mod shape;
mod subscriptions;
mod tokens;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};
use http_body_util::BodyExt as _;
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

use crate::in_process::{Lost, step_aside};
use crate::mailbox::{Access, Event, Refusal, Server, What};

pub use subscriptions::{CallOut, Manner, Subscription, TENANT};
pub use tokens::Straight;

/// Calls that a mailbox bears at once: the fifth is refused
/// (<https://learn.microsoft.com/graph/throttling-limits#outlook-service-limits>).
const AT_ONCE: u32 = 4;

/// Graph over a server. Cloned, it is the same one.
#[derive(Clone)]
pub struct Graph {
    /// What it serves.
    pub server: Server,
    own: Arc<Mutex<Own>>,
}

#[derive(Default)]
struct Own {
    tokens: Vec<String>,
    issued: u64,
    subscriptions: BTreeMap<String, Subscription>,
    call_out: Option<CallOut>,
}

/// An answer: its status and its JSON.
type Answer = Result<(StatusCode, Value), Refused>;

/// A refusal: status, code.
struct Refused(u16, &'static str);

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::NoMailbox | Refusal::NoItem => Self(404, "ErrorItemNotFound"),
            Refusal::Conflict => Self(412, "ErrorIrresolvableConflict"),
            Refusal::TransactionUsed => Self(409, "ErrorDuplicateTransactionId"),
        }
    }
}

/// One request, read.
struct Call<'a> {
    method: Method,
    path: Vec<&'a str>,
    query: BTreeMap<String, String>,
    headers: HeaderMap,
    body: Value,
    origin: String,
}

/// Whose calendar a path leads to: `None` for any of the mailbox.
struct At<'a> {
    user: &'a str,
    calendar: Option<String>,
}

impl Graph {
    /// Graph over a server.
    pub fn new(server: Server) -> Self {
        Self { server, own: Arc::default() }
    }

    /// The same, that calls out by `call_out` when there is something to tell.
    #[must_use]
    pub fn calling(self, call_out: CallOut) -> Self {
        self.own().call_out = Some(call_out);
        self
    }

    fn own(&self) -> MutexGuard<'_, Own> {
        self.own.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A token that is taken, as if somebody had asked for it.
    pub fn token(&self) -> String {
        let mut own = self.own();
        own.issued += 1;
        let token = format!("eyJ0eXAiOiJmYWtlIn0.{:08}", own.issued);
        own.tokens.push(token.clone());
        token
    }

    /// Takes no token any more that was given out.
    pub fn revoke(&self) {
        self.own().tokens.clear();
    }

    /// What serves it.
    pub fn router(&self) -> Router {
        let graph = self.clone();
        Router::new().fallback(move |request: Request| async move { graph.serve(request).await })
    }

    async fn serve(&self, request: Request) -> Response {
        let (parts, body) = request.into_parts();
        let Ok(body) = body.collect().await else { return lost(Lost::Broken) };
        let host = parts.headers.get("host").and_then(|host| host.to_str().ok());
        let host = parts.uri.authority().map(http::uri::Authority::as_str).or(host).unwrap_or_default();
        let path = segments(&parts.uri);
        let call = Call {
            method: parts.method,
            path: path.iter().map(String::as_str).collect(),
            query: query(&parts.uri),
            origin: format!("{}://{host}", parts.uri.scheme_str().unwrap_or("http")),
            body: serde_json::from_slice(&body.to_bytes()).map_or(Value::Null, uncapped),
            headers: parts.headers,
        };
        match call.path.as_slice() {
            [_, "oauth2", "v2.0", "token"] => self.issue(),
            ["v1.0", "$batch"] => self.batch(&call).await,
            _ => self.dispatch(&call).await,
        }
    }

    fn issue(&self) -> Response {
        let what = self.server.state().faults.take("", "token");
        if let Some(What::Status(status, code)) = what {
            return answered(
                status,
                &json!({"error": code, "error_description": "AADSTS7000215: as told.", "error_codes": [7_000_215]}),
            );
        }
        let token =
            json!({"token_type": "Bearer", "expires_in": 3599, "ext_expires_in": 3599, "access_token": self.token()});
        answered(200, &token)
    }

    fn lets_in(&self, call: &Call<'_>) -> bool {
        let bearer = call.header("authorization").and_then(|value| value.strip_prefix("Bearer "));
        bearer.is_some_and(|token| self.own().tokens.iter().any(|one| one == token))
    }

    async fn dispatch(&self, call: &Call<'_>) -> Response {
        if !self.lets_in(call) {
            return error(401, "InvalidAuthenticationToken");
        }
        let (operation, mailbox) = (call.operation(), call.mailbox());
        let guard = self.server.enter(mailbox.unwrap_or_default(), operation);
        step_aside().await;
        let what = self.server.state().faults.take(guard.mailbox(), operation);
        if mailbox.is_some() && guard.in_flight() > AT_ONCE {
            return error(429, "ApplicationThrottled");
        }
        match what {
            Some(What::Status(status, code)) => return error(status, code),
            Some(What::Throttled(after)) => return throttled(after),
            Some(What::Unreached) => return lost(Lost::Unreached),
            Some(What::Broken) => return lost(Lost::Broken),
            Some(What::LoseCursor) => {
                self.server.state().mailboxes.values_mut().for_each(|one| one.generation += 1);
            }
            Some(What::Raced) => {
                if let (Some(mailbox), Some(id)) = (mailbox, call.item()) {
                    self.server.edit(mailbox, &shape::inner_id(id), |event| event.subject.push('!'));
                }
            }
            _ => {}
        }
        let response = match self.answer(call, what == Some(What::Shrunk)).await {
            Ok((status, body)) => answered(status.as_u16(), &body),
            Err(Refused(status, code)) => error(status, code),
        };
        spoiled(response, what).await
    }

    async fn answer(&self, call: &Call<'_>, shrunk: bool) -> Answer {
        let (user, rest) = match call.path.as_slice() {
            ["v1.0", "subscriptions", rest @ ..] => return self.subscriptions(call, rest).await,
            ["v1.0", "users", user, rest @ ..] => (*user, rest),
            _ => return Err(Refused(400, "BadRequest")),
        };
        let default = self.open(user)?;
        let (calendar, rest) = match rest {
            ["calendars"] => return self.calendars(user, call),
            ["calendar", rest @ ..] => (Some(default), rest),
            ["calendars", id, rest @ ..] => (Some((*id).to_owned()), rest),
            rest => (None, rest),
        };
        let at = At { user, calendar };
        if self.server.state().calendar(user, at.calendar.as_deref()).is_none() {
            return Err(Refused(404, "ErrorItemNotFound"));
        }
        let method = call.method.clone();
        let done = match rest {
            [] => self.one_calendar(&at, call),
            ["events"] if method == Method::POST => self.create(&at, call),
            ["events"] => self.list(&at, call),
            ["events", id] if method == Method::GET => self.read(&at, call, id),
            ["events", id] if method == Method::PATCH => self.update(&at, call, id),
            ["events", id] if method == Method::DELETE => self.delete(&at, call, id),
            ["events", id, "instances"] => self.instances(&at, call, id),
            ["calendarView"] => self.view(&at, call),
            ["calendarView", "delta" | "delta()"] => self.delta(&at, call, shrunk),
            ["getSchedule" | "microsoft.graph.getSchedule"] => self.schedule(call),
            _ => Err(Refused(400, "BadRequest")),
        };
        self.server.changed().notify_waiters();
        done
    }

    /// The calendar that a mailbox has, if programs may come.
    fn open(&self, user: &str) -> Result<String, Refused> {
        let state = self.server.state();
        let mailbox = state.mailbox(user).ok_or(Refused(404, "ErrorInvalidUser"))?;
        match mailbox.access {
            Access::Open => Ok(mailbox.default.clone()),
            Access::Forbidden => Err(Refused(403, "ErrorAccessDenied")),
            Access::Elsewhere => Err(Refused(404, "MailboxNotEnabledForRESTAPI")),
        }
    }

    /// The event of that number, in the calendar that is meant.
    fn event(&self, at: &At<'_>, id: &str) -> Result<Event, Refused> {
        let (state, id) = (self.server.state(), shape::inner_id(id));
        let found = match &at.calendar {
            Some(calendar) => state.calendar(at.user, Some(calendar)).and_then(|one| one.item(&id)),
            None => state.item(at.user, &id),
        };
        found.ok_or(Refused(404, "ErrorItemNotFound"))
    }
}

impl Call<'_> {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Whether it prefers that, by a word of the header `Prefer`.
    fn prefers(&self, word: &str) -> bool {
        self.prefer().any(|one| one.eq_ignore_ascii_case(word))
    }

    /// The words of the headers `Prefer`, of which there may be several.
    fn prefer(&self) -> impl Iterator<Item = &str> {
        let all = self.headers.get_all("prefer").into_iter().filter_map(|value| value.to_str().ok());
        all.flat_map(|value| value.split(',')).map(str::trim)
    }

    /// The value it prefers something to have.
    fn preferred(&self, name: &str) -> Option<&str> {
        let pair = self.prefer().filter_map(|one| one.split_once('='));
        pair.filter(|(one, _)| one.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim_matches('"')).next()
    }

    fn mailbox(&self) -> Option<&str> {
        match self.path.as_slice() {
            ["v1.0", "users", user, ..] => Some(user),
            _ => None,
        }
    }

    fn item(&self) -> Option<&str> {
        let at = self.path.iter().position(|one| *one == "events")?;
        self.path.get(at + 1).copied()
    }

    /// What it is in the log, and what faults are for.
    fn operation(&self) -> &'static str {
        let method = self.method.as_str();
        match (self.path.as_slice(), method) {
            (["v1.0", "subscriptions"], "POST") => "subscribe",
            (["v1.0", "subscriptions", _], "PATCH") => "renew",
            (["v1.0", "subscriptions", _], "DELETE") => "unsubscribe",
            (["v1.0", "subscriptions", _, "reauthorize"], _) => "reauthorize",
            ([.., "calendarView", "delta" | "delta()"], _) => "changes",
            ([.., "calendarView"], _) => "view",
            ([.., "instances"], _) => "instances",
            ([.., "getSchedule" | "microsoft.graph.getSchedule"], _) => "busy",
            ([.., "events"], "POST") => "create",
            ([.., "events"], _) => "find",
            ([.., "events", _], "PATCH") => "update",
            ([.., "events", _], "DELETE") => "delete",
            ([.., "events", _], _) => "read",
            _ => "calendar",
        }
    }
}

/// Names of what is posted count in either case: Microsoft's own library writes them as the schema declares actions.
fn uncapped(body: Value) -> Value {
    let Value::Object(all) = body else { return body };
    let lower = |(name, value): (String, Value)| {
        let mut letters = name.chars();
        let first = letters.next().map(|letter| letter.to_ascii_lowercase());
        (first.into_iter().chain(letters).collect::<String>(), value)
    };
    Value::Object(all.into_iter().map(lower).collect())
}

fn segments(uri: &http::Uri) -> Vec<String> {
    uri.path().split('/').skip(1).map(decoded).collect()
}

fn query(uri: &http::Uri) -> BTreeMap<String, String> {
    let pairs = uri.query().unwrap_or_default().split('&').filter_map(|pair| pair.split_once('='));
    pairs.map(|(name, value)| (decoded(name), decoded(&value.replace('+', " ")))).collect()
}

fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

fn answered(status: u16, body: &Value) -> Response {
    let body = if body.is_null() { Body::empty() } else { Body::from(body.to_string()) };
    http::Response::builder()
        .status(status)
        .header(
            "content-type",
            "application/json;odata.metadata=minimal;odata.streaming=true;IEEE754Compatible=false;charset=utf-8",
        )
        .header("request-id", "b9f3b0a4-6d5c-4f0e-9d0e-000000000001")
        .body(body)
        .unwrap()
}

fn error(status: u16, code: &str) -> Response {
    let inner = json!({"date": "2026-12-01T00:00:00", "request-id": "b9f3b0a4-6d5c-4f0e-9d0e-000000000001"});
    answered(status, &json!({"error": {"code": code, "message": "As told.", "innerError": inner}}))
}

fn throttled(after: Option<u32>) -> Response {
    let mut response = error(429, "ApplicationThrottled");
    if let Some(seconds) = after {
        response.headers_mut().insert("retry-after", seconds.into());
    }
    response
}

/// An answer that never comes: over a socket it breaks off, in a process the transport says so.
fn lost(how: Lost) -> Response {
    let broken = futures_util::stream::once(async { Err::<Bytes, _>(std::io::Error::other("as told")) });
    let mut response = http::Response::new(Body::from_stream(broken));
    response.extensions_mut().insert(how);
    response
}

/// What becomes of an answer on its way.
async fn spoiled(response: Response, what: Option<What>) -> Response {
    match what {
        Some(What::LostAnswer) => lost(Lost::Broken),
        Some(What::Late(seconds)) => {
            tokio::time::sleep(Duration::from_secs(seconds.into())).await;
            response
        }
        Some(What::Truncated) => {
            let (parts, body) = response.into_parts();
            let whole = body.collect().await.unwrap().to_bytes();
            http::Response::from_parts(parts, Body::from(whole.slice(..whole.len() / 2)))
        }
        Some(What::Empty) => response.map(|_| Body::empty()),
        Some(What::Page) => response.map(|_| Body::from("<!DOCTYPE html><html><body>Please sign in</body></html>")),
        _ => response,
    }
}
