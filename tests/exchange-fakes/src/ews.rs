//! Exchange Web Services over the model: the operations of calendars, streaming, availability and Autodiscover, as Exchange Server answers
//! them, or as servers do that only speak like it ([`Manner::Loose`]).

mod answer;
mod asked;
mod autodiscover;
mod availability;
mod changes;
mod fields;
mod folders;
mod items;
mod recurrence;
pub mod schema;
mod streaming;
#[cfg(test)]
mod tests;
mod views;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::State as Of;
use axum::response::Response;
use axum::routing::post;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use exchange::ews::xml::Node;
use http::header::{AUTHORIZATION, SET_COOKIE, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, StatusCode};

use crate::in_process::{Lost, step_aside};
use crate::mailbox::{Access, Server, What};
use answer::Failure;
use asked::Asked;

/// Where the services are.
pub const PATH: &str = "/EWS/Exchange.asmx";

/// Whose ways it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// Exchange Server's.
    Exchange,
    /// Of a server that speaks like it: a series is one item of a view, nobody looks at change keys, faults come with 200 and a bare code,
    /// properties twice, offsets without a colon, numbers of folders in two ways, a cursor that is not known is a beginning.
    Loose,
}

/// How it is set up.
#[derive(Clone)]
pub struct Settings {
    /// The account that may do everything.
    pub user: String,
    /// Its password.
    pub password: String,
    /// How many items of a view or a search are given at most, without a word.
    pub cut: usize,
    /// How often it says that it is still there.
    pub heartbeat: Duration,
    /// How many connections over which it tells of changes may be open.
    pub hanging: usize,
    /// How many servers it is: a subscription is known to one of them.
    pub back_ends: usize,
    /// Whose ways it has.
    pub manner: Manner,
    /// Where it is reached, as Autodiscover tells: `https://mail.clinic.example`.
    pub address: String,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            user: "sync@clinic.example".into(),
            password: "open sesame".into(),
            cut: 1_000,
            heartbeat: Duration::from_secs(45),
            // As of 2016.
            hanging: 10,
            back_ends: 2,
            manner: Manner::Exchange,
            address: "https://mail.clinic.example".into(),
        }
    }
}

/// The services over a model.
#[derive(Clone)]
struct Ews {
    server: Server,
    settings: Settings,
    subscriptions: Arc<Mutex<HashMap<String, Subscription>>>,
}

/// Who wants to be told of what.
#[derive(Clone)]
struct Subscription {
    mailbox: String,
    /// What was told already.
    serial: u64,
    /// Which of the servers knows it.
    back_end: usize,
}

/// Every address of the services.
pub fn router(server: Server, settings: Settings) -> Router {
    let ews = Ews { server, settings, subscriptions: Arc::default() };
    Router::new()
        .route(PATH, post(serve))
        .route("/autodiscover/autodiscover.xml", post(autodiscover::serve))
        .with_state(ews)
}

impl Ews {
    fn subscriptions(&self) -> MutexGuard<'_, HashMap<String, Subscription>> {
        self.subscriptions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lets_in(&self, headers: &HeaderMap) -> bool {
        let expected =
            format!("Basic {}", STANDARD.encode(format!("{}:{}", self.settings.user, self.settings.password)));
        headers.get(AUTHORIZATION).is_some_and(|proof| proof.as_bytes() == expected.as_bytes())
    }

    fn stranger() -> Response {
        let mut response = answer::page(StatusCode::UNAUTHORIZED, "Access is denied.");
        for way in ["Negotiate", "NTLM", "Basic realm=\"mail.clinic.example\""] {
            response.headers_mut().append(WWW_AUTHENTICATE, HeaderValue::from_static(way));
        }
        response
    }

    /// Whether the mailbox can be reached; the reasons are faults of the whole request to who impersonates, messages to others.
    fn reached(&self, asked: &Asked) -> Result<(), Failure> {
        let state = self.server.state();
        let code = match state.mailbox(&asked.mailbox).map(|mailbox| mailbox.access) {
            Some(Access::Open) => return Ok(()),
            Some(Access::Forbidden) if asked.impersonated => "ErrorImpersonateUserDenied",
            Some(Access::Forbidden) => "ErrorAccessDenied",
            Some(Access::Elsewhere) | None => "ErrorNonExistentMailbox",
        };
        Err(if asked.impersonated { Failure::Fault(code) } else { Failure::Message(code) })
    }

    fn does(&self, asked: &Asked) -> Result<Vec<Node>, Failure> {
        self.reached(asked)?;
        match asked.operation {
            "SyncFolderItems" => changes::sync(self, asked),
            "FindItem" => views::find(self, asked),
            "GetItem" => items::get(self, asked),
            "CreateItem" => items::create(self, asked),
            "UpdateItem" => items::update(self, asked),
            "DeleteItem" => items::delete(self, asked),
            "GetFolder" => folders::get(self, asked),
            "Subscribe" => streaming::subscribe(self, asked),
            "Unsubscribe" => streaming::unsubscribe(self, asked),
            "GetUserAvailability" => availability::get(self, asked),
            _ => Err(Failure::Fault("ErrorInvalidRequest")),
        }
    }
}

async fn serve(Of(ews): Of<Ews>, headers: HeaderMap, body: Bytes) -> Response {
    if !ews.lets_in(&headers) {
        return Ews::stranger();
    }
    let Some(asked) = Asked::read(&ews, &headers, &body) else {
        return answer::fault(&ews.settings, "ErrorSchemaValidation", None);
    };
    let guard = ews.server.enter(&asked.mailbox, asked.operation);
    step_aside().await;
    let what = ews.server.state().faults.take(guard.mailbox(), asked.operation);
    if let Some(response) = what.and_then(|what| before(&ews, &asked, what)) {
        return response;
    }
    if asked.operation == "GetStreamingEvents" {
        return streaming::listen(&ews, &asked);
    }
    let changes = matches!(asked.operation, "CreateItem" | "UpdateItem" | "DeleteItem");
    let mut response = match ews.does(&asked) {
        Ok(messages) => answer::messages(&asked, messages),
        Err(Failure::Message(code)) => answer::messages(&asked, vec![answer::error(asked.operation, code)]),
        Err(Failure::Fault(code)) => answer::fault(&ews.settings, code, None),
    };
    if changes {
        ews.server.changed().notify_waiters();
    }
    let cookie = format!("X-BackEndOverrideCookie={}; path=/EWS; secure; HttpOnly", asked.back_end);
    for cookie in [HeaderValue::try_from(cookie).unwrap(), HeaderValue::from_static("X-BackEndCookie=mbx1; path=/EWS")]
    {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
    drop(guard);
    match what {
        Some(what) => after(what, response).await,
        None => response,
    }
}

/// What becomes of a request before it is looked at.
fn before(ews: &Ews, asked: &Asked, what: What) -> Option<Response> {
    match what {
        What::Status(200, code) => Some(answer::messages(asked, vec![answer::error(asked.operation, code)])),
        What::Status(500, code) if code.starts_with("Error") => Some(answer::fault(&ews.settings, code, None)),
        What::Status(status, text) => {
            Some(answer::page(StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), text))
        }
        What::Throttled(seconds) => {
            Some(answer::fault(&ews.settings, "ErrorServerBusy", seconds.map(|seconds| u64::from(seconds) * 1000)))
        }
        What::Unreached => Some(lost(Lost::Unreached)),
        What::Broken => Some(lost(Lost::Broken)),
        What::LoseCursor if asked.operation == "GetStreamingEvents" => {
            ews.subscriptions().clear();
            None
        }
        What::LoseCursor => {
            ews.server.state().mailbox_mut(&asked.mailbox)?.generation += 1;
            None
        }
        What::Raced => {
            let id = asked.body.find("ItemId").and_then(|id| id.attr("Id"))?.to_owned();
            ews.server.edit(&asked.mailbox, &id, |event| event.body.push('.'));
            None
        }
        What::Shrunk => {
            *asked.shrunk.lock().unwrap_or_else(PoisonError::into_inner) = true;
            None
        }
        What::LostAnswer | What::Late(_) | What::Truncated | What::Empty | What::Page => None,
    }
}

fn lost(how: Lost) -> Response {
    let mut response = answer::page(StatusCode::BAD_GATEWAY, "as told");
    response.extensions_mut().insert(how);
    response
}

/// What becomes of an answer.
async fn after(what: What, response: Response) -> Response {
    match what {
        What::LostAnswer => lost(Lost::Broken),
        What::Late(seconds) => {
            tokio::time::sleep(Duration::from_secs(seconds.into())).await;
            response
        }
        What::Truncated => {
            let (parts, body) = response.into_parts();
            let whole = axum::body::to_bytes(body, usize::MAX).await.unwrap_or_default();
            Response::from_parts(parts, Body::from(whole.slice(..whole.len() / 2)))
        }
        What::Empty => Response::new(Body::empty()),
        What::Page => answer::page(StatusCode::OK, "Outlook"),
        _ => response,
    }
}
