//! Access tokens by client credentials (RFC 6749 §4.4): from Entra ID for Exchange Online and for hybrid modern authentication, and
//! from an AD FS on premises. One is asked for at a time, however many wait for it, and kept until shortly before it ends.

mod answer;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use domain::Timestamp;
use futures_util::lock::Mutex;
use http::header::{ACCEPT, CONTENT_TYPE, HeaderValue};
use http::{Method, Uri};
use jiff::SignedDuration;

use super::assertion::{Certificate, Signing};
use super::{Now, Tokens};
use crate::{Answer, Fault, Request, Transport, TransportError, Why};
use answer::{Granted, read};

/// Where Entra ID gives tokens, for all the world but the clouds of some states.
pub const ENTRA: &str = "https://login.microsoftonline.com";
/// What a token for Microsoft Graph is asked for.
pub const GRAPH: &str = "https://graph.microsoft.com/.default";
/// Longest time for one answer: mailboxes wait for it.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Largest answer, in bytes: a token has some thousands.
const MOST: usize = 64 * 1024;
/// How long before its end a token is asked for anew: a first reading of a mailbox may take minutes.
const EARLY: SignedDuration = SignedDuration::from_mins(5);
/// How long nobody is asked again after a failure: who waits gets the same answer, and who gives tokens is left alone.
const PAUSE: SignedDuration = SignedDuration::from_secs(5);
/// A token that replaced a refused one and is refused as soon is not the token's fault.
const TWICE: SignedDuration = SignedDuration::from_secs(60);

/// Who gives tokens, and for what.
pub struct Authority {
    endpoint: Uri,
    signing: Signing,
    /// The parameter that says what the token is for: its name and value.
    target: (&'static str, String),
}

impl Authority {
    /// Entra ID at `base` ([`ENTRA`], or that of a state's cloud) for a tenant, by its number or one of its domains. `scope` is
    /// [`GRAPH`], or for hybrid modern authentication the address of the server and `/.default`.
    ///
    /// # Errors
    /// [`Why::Refused`] for what is no tenant or no address.
    pub fn entra(base: &str, tenant: &str, scope: impl Into<String>) -> Result<Self, Fault> {
        // A name of another shape would lead to another path.
        let named = |it: char| it.is_ascii_alphanumeric() || matches!(it, '.' | '-');
        if tenant.is_empty() || tenant.starts_with('.') || !tenant.chars().all(named) {
            return Err(Fault::new(Why::Refused, "not a tenant"));
        }
        let endpoint = address(&format!("{}/{tenant}/oauth2/v2.0/token", base.trim_end_matches('/')))?;
        Ok(Self { endpoint, signing: Signing::Ps256, target: ("scope", scope.into()) })
    }

    /// AD FS at `base` (`https://sts.example.fr`), for a server as it is registered there (`https://mail.example.fr/`).
    ///
    /// # Errors
    /// [`Why::Refused`] for what is no address.
    pub fn adfs(base: &str, resource: impl Into<String>) -> Result<Self, Fault> {
        let endpoint = address(&format!("{}/adfs/oauth2/token", base.trim_end_matches('/')))?;
        Ok(Self { endpoint, signing: Signing::Rs256, target: ("resource", resource.into()) })
    }
}

fn address(text: &str) -> Result<Uri, Fault> {
    let uri = text.parse::<Uri>().ok().filter(|uri| uri.host().is_some() && uri.query().is_none());
    uri.ok_or_else(|| Fault::new(Why::Refused, "not an address"))
}

/// What shows who we are.
pub enum Credential {
    /// A secret of the application.
    Secret(String),
    /// A certificate of the application, which is better: what is sent cannot be used again.
    Certificate(Box<Certificate>),
}

/// The tokens of one application for one server.
pub struct ClientCredentials {
    transport: Arc<dyn Transport>,
    authority: Authority,
    client: String,
    credential: Credential,
    now: Now,
    // Held while one is asked for: the others wait, and find what came.
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    token: Option<Token>,
    failed: Option<(Fault, Timestamp)>,
}

struct Token {
    text: String,
    asked: Timestamp,
    ends: Timestamp,
    /// Whether it came in the place of one that was refused.
    replaces: bool,
}

impl Token {
    /// Whether it is good for something now. One from the future was asked for before the clock was set: it may have ended.
    fn lives(&self, now: Timestamp) -> bool {
        self.asked <= now && now < self.ends
    }

    fn is_young(&self, now: Timestamp) -> bool {
        let early = EARLY.min(self.ends.duration_since(self.asked) / 2);
        self.lives(now) && self.ends.duration_since(now) > early
    }
}

impl ClientCredentials {
    /// For an application, by its number as the authority has it.
    pub fn new(
        transport: Arc<dyn Transport>, authority: Authority, client: impl Into<String>, credential: Credential,
        now: Now,
    ) -> Self {
        Self { transport, authority, client: client.into(), credential, now, kept: Mutex::default() }
    }

    async fn token(&self, refused: Option<&str>) -> Result<String, Fault> {
        let mut kept = self.kept.lock().await;
        let now = (self.now)();
        let waits = kept.waits(now);
        let replaces = match &kept.token {
            Some(token) if refused == Some(&token.text) => {
                if token.replaces && token.lives(now) && now.duration_since(token.asked) < TWICE {
                    return Err(Fault::new(Why::Unauthenticated, "the server takes no token"));
                }
                true
            }
            Some(token) if token.is_young(now) || (waits.is_some() && token.lives(now)) => {
                return Ok(token.text.clone());
            }
            _ => false,
        };
        if let Some(fault) = waits {
            return Err(fault);
        }
        match self.asked(now).await {
            Ok(Granted { token: text, lives }) => {
                kept.failed = None;
                let token = Token { text, asked: now, ends: now.saturating_add(lives).unwrap_or(now), replaces };
                Ok(kept.token.insert(token).text.clone())
            }
            Err(fault) => {
                kept.failed = Some((fault.clone(), now));
                // One that ends soon still does until then.
                let still = kept.token.as_ref().filter(|token| !replaces && token.lives(now));
                still.map(|token| token.text.clone()).ok_or(fault)
            }
        }
    }

    async fn asked(&self, now: Timestamp) -> Result<Granted, Fault> {
        let answer = self.transport.send(self.request(now)?, TIMEOUT, MOST).await.map_err(|error| match error {
            TransportError::Forbidden => {
                Fault::new(Why::Refused, "the address of the authority leads to where nothing goes")
            }
            _ => Fault::new(Why::Unavailable, "the authority does not answer"),
        })?;
        read(&answer)
    }

    fn request(&self, now: Timestamp) -> Result<Request, Fault> {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("grant_type", "client_credentials").append_pair("client_id", &self.client);
        form.append_pair(self.authority.target.0, &self.authority.target.1);
        match &self.credential {
            Credential::Secret(secret) => form.append_pair("client_secret", secret),
            Credential::Certificate(certificate) => {
                let audience = self.authority.endpoint.to_string();
                let statement = certificate.statement(&self.client, &audience, self.authority.signing, now)?;
                form.append_pair("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
                form.append_pair("client_assertion", &statement)
            }
        };
        let mut request = http::Request::new(Bytes::from(form.finish()));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.authority.endpoint.clone();
        let form = HeaderValue::from_static("application/x-www-form-urlencoded");
        request.headers_mut().insert(CONTENT_TYPE, form);
        request.headers_mut().insert(ACCEPT, HeaderValue::from_static("application/json"));
        Ok(request)
    }
}

impl Kept {
    /// The failure that nobody is asked again after, yet.
    fn waits(&self, now: Timestamp) -> Option<Fault> {
        let (fault, at) = self.failed.as_ref()?;
        let pause = fault.retry_after.unwrap_or_default().max(PAUSE.unsigned_abs());
        let since = now.duration_since(*at);
        // A clock that is set back ends the pause.
        (!since.is_negative() && since.unsigned_abs() < pause).then(|| fault.clone())
    }
}

impl Tokens for ClientCredentials {
    fn get<'a>(&'a self, refused: Option<&'a str>) -> Answer<'a, String> {
        Box::pin(self.token(refused))
    }
}

#[cfg(test)]
mod tests;
