//! Which of the ways that a server offers is taken to prove who we are.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::WWW_AUTHENTICATE;
use http::{HeaderMap, Method, StatusCode, Uri};

use super::Now;
use super::ntlm::{Account, Ntlm};
use crate::ews::session::{Basic, Session, unanswered};
use crate::{Fault, Transport, Why};

/// Most bytes of a page that says that proof is wanted: it is not looked at.
const PAGE: usize = 256 * 1024;

/// What a mailbox is set to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// The best that is offered.
    Auto,
    /// NTLM, under either of its names.
    Ntlm,
    /// The password itself, over TLS.
    Basic,
}

/// A way to prove with name and password who we are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// `NTLM`.
    Ntlm,
    /// `Negotiate`, in which servers take the messages of NTLM as they are.
    Negotiate,
    /// `Basic`.
    Basic,
}

impl Scheme {
    /// As headers have it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ntlm => "NTLM",
            Self::Negotiate => "Negotiate",
            Self::Basic => "Basic",
        }
    }
}

impl std::fmt::Display for Scheme {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// The way to take of those that an answer with status 401 offers. What shows no password comes first, the name that means nothing
/// but NTLM before the one that may mean Kerberos; the password itself goes through TLS only.
///
/// # Errors
/// [`Why::Unauthenticated`] when nothing that is wanted is offered.
pub fn choose(wanted: Wanted, headers: &HeaderMap, encrypted: bool) -> Result<Scheme, Fault> {
    let wants: &[Scheme] = match wanted {
        Wanted::Auto => &[Scheme::Ntlm, Scheme::Negotiate, Scheme::Basic],
        Wanted::Ntlm => &[Scheme::Ntlm, Scheme::Negotiate],
        Wanted::Basic => &[Scheme::Basic],
    };
    let offered = |scheme: Scheme| offers(headers).any(|offer| offer.scheme.eq_ignore_ascii_case(scheme.name()));
    match wants.iter().find(|scheme| offered(**scheme) && (encrypted || **scheme != Scheme::Basic)) {
        Some(scheme) => Ok(*scheme),
        None if offered(Scheme::Basic) && wanted != Wanted::Ntlm => {
            Err(Fault::new(Why::Unauthenticated, "no password goes in clear"))
        }
        None => Err(Fault::new(Why::Unauthenticated, "the server offers no way that is wanted")),
    }
}

/// What a server says under a scheme, in base64.
pub(super) fn token(headers: &HeaderMap, scheme: Scheme) -> Option<&str> {
    let said = offers(headers).find(|offer| offer.scheme.eq_ignore_ascii_case(scheme.name()) && !offer.rest.is_empty());
    said.map(|offer| offer.rest)
}

struct Offer<'a> {
    scheme: &'a str,
    rest: &'a str,
}

/// Every challenge of every `WWW-Authenticate` (RFC 9110 §11.6.1): a comma may stand between two, between parameters of one, and
/// within quotes.
fn offers(headers: &HeaderMap) -> impl Iterator<Item = Offer<'_>> {
    let lines = headers.get_all(WWW_AUTHENTICATE).iter().filter_map(|value| value.to_str().ok());
    let pieces = lines.flat_map(|line| {
        let mut quoted = false;
        line.split(move |letter| {
            quoted ^= letter == '"';
            letter == ',' && !quoted
        })
    });
    pieces.filter_map(|piece| {
        let (scheme, rest) = piece.trim().split_once(' ').unwrap_or((piece.trim(), ""));
        // `realm=…` is a parameter of what came before.
        (!scheme.is_empty() && !scheme.contains('=')).then(|| Offer { scheme, rest: rest.trim() })
    })
}

/// A session of an account, by the best way that the server offers and the mailbox is set to. One request without proof asks for it.
///
/// # Errors
/// As [`choose`]; [`Why::Unavailable`] without an answer, [`Why::Refused`] when the server asks for no proof at all, which Exchange
/// does nowhere.
pub async fn session(
    transport: Arc<dyn Transport>, endpoint: Uri, wanted: Wanted, (user, password): (&str, &str), now: Now,
    longest: Duration,
) -> Result<Box<dyn Session>, Fault> {
    let mut request = http::Request::new(Bytes::new());
    *request.method_mut() = Method::GET;
    *request.uri_mut() = endpoint.clone();
    let answer = transport.send(request, longest, PAGE).await;
    let answer = answer.map_err(|error| Fault { perhaps_done: false, ..unanswered(&error) })?;
    let code = || format!("HTTP {}", answer.status().as_u16());
    match answer.status() {
        StatusCode::UNAUTHORIZED => {}
        StatusCode::TOO_MANY_REQUESTS => return Err(Fault::new(Why::Throttled, code())),
        status if status.is_server_error() => return Err(Fault::new(Why::Unavailable, code())),
        _ => return Err(Fault::new(Why::Refused, code())),
    }
    let encrypted = endpoint.scheme() == Some(&http::uri::Scheme::HTTPS);
    match choose(wanted, answer.headers(), encrypted)? {
        Scheme::Basic => Ok(Box::new(Basic::new(transport, endpoint, user, password)?)),
        scheme => Ok(Box::new(Ntlm::new(transport, endpoint, Account::new(user, password), scheme, now))),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn offering(lines: &[&str]) -> HeaderMap {
        lines.iter().map(|line| (WWW_AUTHENTICATE, line.parse().unwrap())).collect()
    }

    #[test]
    fn the_best_that_is_offered_is_taken() {
        let of = |wanted, lines: &[&str]| choose(wanted, &offering(lines), true).ok();
        let exchange = ["Negotiate", "NTLM", "Basic realm=\"mail.example\""];
        assert_eq!(of(Wanted::Auto, &exchange), Some(Scheme::Ntlm));
        assert_eq!(of(Wanted::Basic, &exchange), Some(Scheme::Basic));
        assert_eq!(of(Wanted::Auto, &["Negotiate, Basic realm=\"a, NTLM\""]), Some(Scheme::Negotiate));
        assert_eq!(of(Wanted::Ntlm, &["Basic realm=\"a, NTLM\", charset=\"UTF-8\""]), None);
        assert_eq!(of(Wanted::Auto, &["basic realm=a"]), Some(Scheme::Basic));
        let hybrid = [
            "Bearer client_id=\"00000002-0000-0ff1-ce00-000000000000\", trusted_issuers=\"a@b\", token_types=\"app\"",
            "ntlm",
        ];
        assert_eq!(of(Wanted::Auto, &hybrid), Some(Scheme::Ntlm));
        assert_eq!(of(Wanted::Auto, &hybrid[..1]), None);
        assert_eq!(of(Wanted::Auto, &[]), None);
    }

    #[test]
    fn a_password_goes_through_tls_only() {
        let offered = offering(&["Basic realm=a"]);
        for wanted in [Wanted::Auto, Wanted::Basic] {
            let fault = choose(wanted, &offered, false).unwrap_err();
            assert_eq!((fault.why, &fault.code[..]), (Why::Unauthenticated, "no password goes in clear"));
        }
        assert_eq!(choose(Wanted::Auto, &offering(&["Basic realm=a, NTLM"]), false), Ok(Scheme::Ntlm));
    }

    #[test]
    fn what_a_server_says_under_its_scheme_is_found() {
        let said = offering(&["Negotiate", "NTLM TlRMTVNTUAACAAAA==", "Basic realm=\"x\""]);
        assert_eq!(token(&said, Scheme::Ntlm), Some("TlRMTVNTUAACAAAA=="));
        assert_eq!(token(&said, Scheme::Negotiate), None);
    }

    proptest! {
        #[test]
        fn whatever_is_in_quotes_is_offered_by_nobody(inside in "[a-zA-Z ,=]{0,40}") {
            let offered = offering(&[&format!("Digest realm=\"{inside}, NTLM, Negotiate x\", qop=\"auth\"")]);
            prop_assert!(choose(Wanted::Ntlm, &offered, true).is_err());
        }
    }
}
