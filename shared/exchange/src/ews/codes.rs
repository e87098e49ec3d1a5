//! What the words of Exchange come to. Its codes are those of `ResponseCodeType` in `Messages.xsd`; what each means is told in
//! <https://learn.microsoft.com/exchange/client-developer/web-service-reference/responsecode>.

use std::time::Duration;

use http::{HeaderMap, StatusCode};

use super::xml::Element;
use crate::{Fault, Why};

/// The longest word of a server that is repeated. The longest of Exchange has 56 letters.
const LONGEST_CODE: usize = 64;
/// The longest rest that is believed: a server that asks for more is asked again then all the same.
const LONGEST_REST: Duration = Duration::from_hours(1);

/// Codes by what they come to.
const CODES: [(Why, &[&str]); 9] = [
    (
        Why::Unauthenticated,
        &[
            "ErrorAccountDisabled",
            "ErrorMailboxLogonFailed",
            "ErrorPasswordChangeRequired",
            "ErrorPasswordExpired",
            "ErrorTokenSerializationDenied",
            "ErrorInvalidClientAccessTokenRequest",
            "ErrorInvalidSerializedAccessToken",
            "ErrorProxyTokenExpired",
            "ErrorLogonAsNetworkServiceFailed",
            "FailedAuthentication",
        ],
    ),
    (
        Why::Forbidden,
        &[
            "ErrorAccessDenied",
            "ErrorCreateItemAccessDenied",
            "ErrorCannotDeleteObject",
            "ErrorNotDelegate",
            "ErrorDelegateNoUser",
            "ErrorDelegateMissingConfiguration",
            "ErrorImpersonateUserDenied",
            "ErrorImpersonationDenied",
            "ErrorImpersonationFailed",
            "ErrorInvalidExchangeImpersonationHeaderData",
            "ErrorNoFreeBusyAccess",
            "ErrorUserNotAllowedByPolicy",
            "ErrorPermissionNotAllowedByPolicy",
            "ErrorCallerIsInvalidADAccount",
            "ErrorOrganizationAccessBlocked",
            "ErrorUnauthorizedClientAccessTokenRequest",
            "ErrorProxyRequestNotAllowed",
            "ErrorInvalidLicense",
        ],
    ),
    (
        Why::NoMailbox,
        &[
            "ErrorNonExistentMailbox",
            "ErrorMailRecipientNotFound",
            "ErrorRecipientNotFound",
            "ErrorCannotFindUser",
            "ErrorInvalidSmtpAddress",
            "ErrorNonPrimarySmtpAddress",
            "ErrorInvalidMailbox",
            "ErrorNoCalendar",
            "ErrorFolderNotFound",
            "ErrorSavedItemFolderNotFound",
            "ErrorParentFolderNotFound",
            "ErrorNameResolutionNoMailbox",
            "ErrorNameResolutionNoResults",
            "ErrorMissingExchangePrincipal",
            "ErrorMissingEmailAddress",
            "ErrorMailboxConfiguration",
            "ErrorWrongServerVersionDelegate",
        ],
    ),
    (Why::CursorLost, &["ErrorInvalidSyncStateData", "ErrorSyncFolderNotFound"]),
    (
        Why::Conflict,
        &[
            "ErrorIrresolvableConflict",
            "ErrorStaleObject",
            "ErrorInvalidChangeKey",
            "ErrorChangeKeyRequired",
            "ErrorChangeKeyRequiredForWriteOperations",
            "ErrorObjectTypeChanged",
        ],
    ),
    (
        Why::Gone,
        &[
            "ErrorItemNotFound",
            "ErrorCalendarCannotUpdateDeletedItem",
            "ErrorCalendarOccurrenceIsDeletedFromRecurrence",
            "ErrorInvalidId",
            "ErrorInvalidIdMalformed",
            "ErrorInvalidIdMalformedEwsLegacyIdFormat",
            "ErrorInvalidIdXml",
        ],
    ),
    (
        Why::Throttled,
        &[
            "ErrorServerBusy",
            "ErrorExceededConnectionCount",
            "ErrorExceededFindCountLimit",
            "ErrorTooManyObjectsOpened",
            "ErrorInsufficientResources",
            "ErrorNotEnoughMemory",
            "ErrorMailboxMoveInProgress",
            "ErrorExceededMessageLimit",
        ],
    ),
    (
        Why::NoWatch,
        &[
            "ErrorSubscriptionNotFound",
            "ErrorInvalidSubscription",
            "ErrorExpiredSubscription",
            "ErrorSubscriptionUnsubscribed",
            "ErrorSubscriptionAccessDenied",
            "ErrorSubscriptionDelegateAccessNotSupported",
            "ErrorExceededSubscriptionCount",
            "ErrorReadEventsFailed",
            "ErrorMissedNotificationEvents",
            "ErrorInvalidWatermark",
            "ErrorEventNotFound",
            "ErrorInvalidSubscriptionRequest",
            "ErrorNewEventStreamConnectionOpened",
            "ErrorProxiedSubscriptionCallFailure",
        ],
    ),
    (
        Why::Unavailable,
        &[
            "ErrorInternalServerError",
            "ErrorInternalServerTransientError",
            "ErrorADUnavailable",
            "ErrorADOperation",
            "ErrorADSessionFilter",
            "ErrorServiceUnavailable",
            "ErrorConnectionFailed",
            "ErrorTimeoutExpired",
            "ErrorRequestAborted",
            "ErrorMailboxStoreUnavailable",
            "ErrorMailboxFailover",
            "ErrorBatchProcessingStopped",
            "ErrorCrossSiteRequest",
            "ErrorClientDisconnected",
            "ErrorDataSourceOperation",
            "ErrorLocalServerObjectNotFound",
            "ErrorFreeBusyGenerationFailed",
            "ErrorProxyCallFailed",
            "ErrorProxyRequestProcessingFailed",
            "ErrorProxyServiceDiscoveryFailed",
            "ErrorServiceDiscoveryFailed",
            "ErrorAutoDiscoverFailed",
            "ErrorAvailabilityConfigNotFound",
            "ErrorNoApplicableProxyCASServersAvailable",
            "ErrorNoDestinationCASDueToKerberosRequirements",
            "ErrorNoDestinationCASDueToSSLRequirements",
            "ErrorNoDestinationCASDueToVersionMismatch",
            "ErrorNoRespondingCASInDestinationSite",
            "ErrorProxySoapException",
            "ErrorNoOAuthServerAvailableForRequest",
            "ErrorWebRequestInInvalidState",
            "ErrorWin32InteropError",
            "Server",
            "Receiver",
        ],
    ),
];

/// What a code of an answer comes to. One that nobody knows refuses.
pub fn why(code: &str) -> Why {
    CODES.iter().find(|(_, codes)| codes.contains(&code)).map_or(Why::Refused, |(why, _)| *why)
}

/// Whether a code tells of a state of the server that passes.
fn passing(code: &str) -> bool {
    why(code) == Why::Unavailable
}

/// A word of a server, if it is one: what could hold anything else is not repeated.
pub fn word(code: &str) -> String {
    let code = code.trim().rsplit(':').next().unwrap_or_default();
    let is_word = !code.is_empty()
        && code.len() <= LONGEST_CODE
        && code.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'.');
    if is_word { code.to_owned() } else { "a code that is none".to_owned() }
}

/// The fault that a code stands for; `told` is where the server told more of it.
pub fn fault(code: &str, told: &Element) -> Fault {
    let mut code = word(code);
    // Of a fault of its own, the server tells the reason in the second place.
    if passing(&code)
        && let Some(inner) = value(told, "InnerErrorResponseCode")
    {
        code = word(inner);
    }
    let rest = value(told, "BackOffMilliseconds").and_then(|text| text.parse().ok()).map(Duration::from_millis);
    let fault = Fault::new(why(&code), code.clone()).after(rest.map(|rest| rest.min(LONGEST_REST)));
    // A server that is too busy says so before it begins; one that fails may have begun.
    if passing(&code) { fault.perhaps_done() } else { fault }
}

/// A named value in what a server told.
fn value<'a>(told: &'a Element, name: &str) -> Option<&'a str> {
    let own = (told.name == "Value" && told.attr("Name") == Some(name)).then(|| told.text.trim());
    own.or_else(|| told.children.iter().find_map(|child| value(child, name)))
}

/// The fault that a status alone stands for.
pub fn of_status(status: StatusCode, headers: &HeaderMap) -> Fault {
    let code = format!("HTTP {}", status.as_u16());
    match status.as_u16() {
        // 440 is what IIS says when a form of Outlook on the web should be filled in again.
        401 | 440 => Fault::new(Why::Unauthenticated, code),
        403 => Fault::new(Why::Forbidden, code),
        404 | 410 => Fault::new(Why::NoMailbox, code),
        408 => Fault::new(Why::Unavailable, code).perhaps_done(),
        429 => Fault::new(Why::Throttled, code).after(retry_after(headers)),
        500..=599 => Fault::new(Why::Unavailable, code).after(retry_after(headers)).perhaps_done(),
        200..=299 => Fault::new(Why::Malformed, code).perhaps_done(),
        _ => Fault::new(Why::Refused, code),
    }
}

/// The rest that an answer asks for, in seconds; a date is not understood, since nothing here knows what time it is.
pub fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds: u64 = headers.get(http::header::RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds).min(LONGEST_REST))
}
