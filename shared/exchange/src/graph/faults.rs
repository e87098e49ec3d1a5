//! What an answer that is no success comes to. Codes are those of
//! <https://learn.microsoft.com/graph/errors> and of Outlook's own, as they are met.

use std::time::Duration;

use http::StatusCode;
use http::header::RETRY_AFTER;
use serde_json::Value;

use crate::{Fault, Response, Why};

/// What was asked about: the same status means another thing to each.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum About {
    /// What changed since the beginning.
    Changes,
    /// What changed since a cursor.
    Cursor,
    /// The calendar: whether it is there, what is in it.
    Calendar,
    /// One item that is to be made.
    NewItem,
    /// One item.
    Item,
    /// A watch.
    Watch,
    /// Free and busy times.
    Busy,
}

impl About {
    /// Whether to post there leaves something behind.
    pub(super) fn keeps(self) -> bool {
        !matches!(self, Self::Busy)
    }
}

/// The mailbox is not there, or kept by a server of the house's own, whatever was asked.
const NO_MAILBOX: &[&str] = &[
    "MailboxNotEnabledForRESTAPI",
    "MailboxNotSupportedForRESTAPI",
    "ErrorInvalidUser",
    "ErrorInvalidMailbox",
    "ErrorNonExistentMailbox",
    "ErrorMailRecipientNotFound",
    "ResourceNotFound",
    "Request_ResourceNotFound",
];
/// The cursor is of no more use: a new round is due.
const LOST: &[&str] = &[
    "SyncStateNotFound",
    "SyncStateInvalid",
    "resyncRequired",
    "ResyncRequired",
    "fullSyncRequired",
    "ErrorInvalidSyncStateData",
];
/// What is asked for by its number is not there.
const NOT_FOUND: &[&str] = &["ErrorItemNotFound", "ErrorFolderNotFound", "itemNotFound"];
/// Too much at once, with whatever status.
const TOO_MUCH: &[&str] = &["ApplicationThrottled", "TooManyRequests", "activityLimitReached", "ErrorServerBusy"];
/// Item in another state, with whatever status.
const CHANGED: &[&str] = &["ErrorIrresolvableConflict", "ErrorChangeKeyRequiredForWriteOperations"];

/// The server's word for what is wrong, of letters, digits and underscores: what else there is may say more than a code should.
pub(super) fn word(body: &Value) -> Option<String> {
    let code = body.pointer("/error/code").or_else(|| body.pointer("/responseCode"))?.as_str()?;
    let fits =
        !code.is_empty() && code.len() <= 64 && code.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    fits.then(|| code.to_owned())
}

pub(super) fn of(response: &Response, about: About, writes: bool) -> Fault {
    let status = response.status();
    let code = serde_json::from_slice(response.body()).ok().and_then(|body| word(&body));
    let why = why(status, code.as_deref(), about);
    let fault = Fault::new(why, code.unwrap_or_else(|| format!("status {}", status.as_u16()))).after(wait(response));
    // A gateway that gives up says nothing of what was behind it.
    if writes && status.is_server_error() { fault.perhaps_done() } else { fault }
}

fn why(status: StatusCode, code: Option<&str>, about: About) -> Why {
    let is = |codes: &[&str]| code.is_some_and(|code| codes.contains(&code));
    if is(NO_MAILBOX) && about != About::Watch {
        return Why::NoMailbox;
    }
    if about == About::Cursor && (is(LOST) || matches!(status.as_u16(), 400 | 410)) {
        return Why::CursorLost;
    }
    if is(CHANGED) {
        return Why::Conflict;
    }
    if is(TOO_MUCH) {
        return Why::Throttled;
    }
    match status.as_u16() {
        401 => Why::Unauthenticated,
        // Some mailboxes are read and not watched.
        _ if about == About::Watch && is(&["ExtensionError"]) => Why::NoWatch,
        403 => Why::Forbidden,
        404 => missing(is(NOT_FOUND), code, about),
        410 if about == About::Item => Why::Gone,
        410 if about == About::Watch => Why::NoWatch,
        409 | 412 if about == About::Item => Why::Conflict,
        429 => Why::Throttled,
        408 | 500.. => Why::Unavailable,
        400..=499 => Why::Refused,
        _ => Why::Malformed,
    }
}

/// A 404 says something only in the server's own words: what stands between answers so, too.
fn missing(found_not: bool, code: Option<&str>, about: About) -> Why {
    match about {
        About::Item if found_not => Why::Gone,
        About::Watch if code.is_some() => Why::NoWatch,
        About::Changes | About::Cursor | About::Calendar | About::NewItem | About::Busy if found_not => Why::NoMailbox,
        _ if code.is_some() => Why::Unavailable,
        _ => Why::Malformed,
    }
}

/// In seconds. A date would need a clock, and Graph sends none.
fn wait(response: &Response) -> Option<Duration> {
    let text = response.headers().get(RETRY_AFTER)?.to_str().ok()?;
    text.trim().parse::<u32>().ok().map(|seconds| Duration::from_secs(seconds.into()))
}
