//! The way out for web push (RFC 8030): a browser's push service is handed a message that only the browser opens (RFC 8291),
//! with a token that says who we are (RFC 8292). Whoever sends asks [`Push::send`]; where browsers are reached is a
//! [`Subscription`]. Nothing is sent from a guest of Spin, where names are looked up by the host: so nobody could judge where
//! an address leads.
#![cfg_attr(target_family = "wasm", allow(dead_code, reason = "nothing is sent there"))]

mod encryption;
mod subscription;
mod vapid;

use std::time::Duration;

use domain::Timestamp;
use http::{HeaderMap, StatusCode};

pub use encryption::LONGEST;
pub use subscription::{BadSubscription, Stored, Subscription};

use crate::config::{Config, ConfigError};
use crate::keys::KeyError;
#[cfg(not(target_family = "wasm"))]
use crate::outbound::OutboundError;
use crate::outbound::Request;
#[cfg(not(target_family = "wasm"))]
use crate::outbound::{Networks, guarded::Guarded};
use vapid::Vapid;

/// Longest time for one message, connection and answer together.
pub const TIMEOUT: Duration = Duration::from_secs(5);
/// Largest answer of a push service, in bytes: only its status and its pause are looked at.
const MAX_ANSWER: usize = 16 * 1024;
/// Longest pause that a push service may ask for, in seconds.
const LONGEST_PAUSE: i64 = 24 * 60 * 60;
/// Longest name of what a message replaces (RFC 8030 §5.4).
const LONGEST_TOPIC: usize = 32;
/// This machine itself, where a developer's push service may be.
const HERE: &str = "127.0.0.0/8,::1/128";

/// How much a message may cost the telephone's battery (RFC 8030 §5.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Urgency {
    /// On power and on Wi-Fi.
    VeryLow,
    /// On either.
    Low,
    /// On neither.
    Normal,
    /// Also on a low battery.
    High,
}

impl Urgency {
    const fn name(self) -> &'static str {
        match self {
            Self::VeryLow => "very-low",
            Self::Low => "low",
            Self::Normal => "normal",
            Self::High => "high",
        }
    }
}

/// What a browser is sent.
#[derive(Debug, Clone, Copy)]
pub struct Message<'a> {
    /// At most [`LONGEST`] bytes: what our own service worker makes a notice of. Nothing of health.
    pub text: &'a [u8],
    /// How long a push service keeps it for a browser that is away, in seconds: 0 is now or never.
    pub ttl_seconds: u32,
    /// How much it is worth.
    pub urgency: Urgency,
    /// What it replaces, where the browser has not seen the former one: at most 32 letters, digits, dashes and underscores.
    pub topic: Option<&'a str>,
}

/// Why a message was not taken. Without the address, which is personal data.
#[derive(Debug, thiserror::Error)]
pub enum PushError {
    /// The browser has no such subscription any more, or it leads nowhere that we go: it is to be forgotten.
    #[error("the subscription is gone")]
    Gone,
    /// It is longer than a push service takes.
    #[error("the message is too large")]
    TooLarge,
    /// The push service refuses it for good: the status of its answer.
    #[error("refused ({0})")]
    Refused(u16),
    /// The push service is away or busy: try again, in so many seconds where it says so.
    #[error("push service unavailable: {why}")]
    Away {
        /// Why, for the log.
        why: String,
        /// When it may be tried again.
        retry_after_seconds: Option<i64>,
    },
    /// The message cannot be written.
    #[error("the message cannot be written: {0}")]
    Unwritten(&'static str),
}

impl PushError {
    /// Whether another try can help.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Away { .. })
    }

    fn away(why: impl Into<String>) -> Self {
        Self::Away { why: why.into(), retry_after_seconds: None }
    }
}

/// Where push services may reach us.
fn contact(config: &Config) -> String {
    config.push_contact.clone().unwrap_or_else(|| format!("mailto:{}", config.mail_address()))
}

/// Sends to browsers, or to none.
pub struct Push(Option<Sender>);

struct Sender {
    vapid: Vapid,
    #[cfg(not(target_family = "wasm"))]
    way: Guarded,
}

impl Push {
    /// From `PUSH_KEY` and `PUSH_CONTACT`. Without a key every message waits. Addresses come from people: only public ones are
    /// gone to, and in development this machine.
    ///
    /// # Errors
    /// Names the variable, never its value.
    pub fn of(config: &Config) -> Result<Self, ConfigError> {
        let Some(key) = config.push_key.as_deref() else { return Ok(Self(None)) };
        let vapid = Vapid::new(key, &contact(config))?;
        #[cfg(not(target_family = "wasm"))]
        let way = {
            let here = if config.is_development() { HERE } else { "" };
            let allowed: Networks = here.parse().map_err(|problem| ConfigError::new("PUSH_KEY", problem))?;
            let rootless = |_| ConfigError::new("PUSH_KEY", "is given, and this machine has no root certificates");
            Guarded::new(allowed).map_err(rootless)?
        };
        Ok(Self(Some(Sender {
            vapid,
            #[cfg(not(target_family = "wasm"))]
            way,
        })))
    }

    /// Whether push services could reach us, where there is a key for them, be it one that is none.
    ///
    /// # Errors
    /// Names `PUSH_CONTACT`.
    pub fn check_contact(config: &Config) -> Result<(), ConfigError> {
        if config.push_key.is_some() { vapid::check_contact(&contact(config)) } else { Ok(()) }
    }

    /// What a browser has to be told to subscribe (`applicationServerKey`); nothing where no push is sent.
    pub fn public_key(&self) -> Option<&str> {
        self.0.as_ref().map(|sender| sender.vapid.public_key())
    }

    /// Hands one message to a browser's push service. Success means that it took the responsibility for it (RFC 8030 §5).
    ///
    /// # Errors
    /// [`PushError`]; only [`PushError::Away`] is worth another try.
    #[cfg(not(target_family = "wasm"))]
    pub async fn send(&self, to: &Subscription, message: Message<'_>, now: Timestamp) -> Result<(), PushError> {
        let sender = self.0.as_ref().ok_or_else(|| PushError::away("PUSH_KEY is not set"))?;
        let request = sender.request(to, message, now)?;
        let answer = sender.way.send(request, TIMEOUT, MAX_ANSWER).await.map_err(|error| match error {
            // It was judged when it came, and the name leads elsewhere by now.
            OutboundError::Forbidden => PushError::Gone,
            OutboundError::Late => PushError::away("took too long"),
            OutboundError::Connection(_) => PushError::away("connection failed"),
            OutboundError::Body => PushError::away("the answer breaks off or is too large"),
        })?;
        judged(answer.status(), answer.headers(), now)
    }
}

impl Sender {
    /// `POST` to the subscription's address (RFC 8030 §5, RFC 8291 §4).
    fn request(&self, to: &Subscription, message: Message<'_>, now: Timestamp) -> Result<Request, PushError> {
        let uri = to.uri().map_err(|_| PushError::Gone)?;
        let body = encryption::encrypt(&to.receiver().map_err(|_| PushError::Gone)?, message.text)?;
        let mut request = http::Request::post(&uri)
            .header("authorization", self.vapid.authorization(&uri, now)?)
            .header("content-encoding", "aes128gcm")
            .header("content-type", "application/octet-stream")
            .header("ttl", message.ttl_seconds)
            .header("urgency", message.urgency.name());
        if let Some(topic) = message.topic {
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
            if topic.is_empty() || topic.len() > LONGEST_TOPIC || !topic.bytes().all(plain) {
                return Err(PushError::Unwritten("its topic is none"));
            }
            request = request.header("topic", topic);
        }
        request.body(body.into()).map_err(|_| PushError::Unwritten("a header is none"))
    }
}

/// What an answer means (RFC 8030 §5 and §7.3, RFC 8291 §4).
fn judged(status: StatusCode, headers: &HeaderMap, now: Timestamp) -> Result<(), PushError> {
    match status.as_u16() {
        200..=299 => Ok(()),
        404 | 410 => Err(PushError::Gone),
        413 => Err(PushError::TooLarge),
        408 | 429 | 300..=399 | 500..=599 => {
            let retry_after_seconds = headers.get("retry-after").and_then(|value| pause(value.to_str().ok()?, now));
            Err(PushError::Away { why: format!("answered {}", status.as_u16()), retry_after_seconds })
        }
        other => Err(PushError::Refused(other)),
    }
}

/// `Retry-After`: seconds, or an instant (RFC 9110 §10.2.3).
fn pause(text: &str, now: Timestamp) -> Option<i64> {
    let at = || jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text).ok();
    let seconds = text.trim().parse().ok().or_else(|| Some(at()?.as_second().saturating_sub(now.as_second())));
    seconds.map(|seconds: i64| seconds.clamp(1, LONGEST_PAUSE))
}

/// A new key, as `PUSH_KEY` wants it. Another one later makes every subscription useless: browsers bind theirs to it.
///
/// # Errors
/// [`KeyError::Failed`] when the system gives no randomness.
pub fn generate_key() -> Result<String, KeyError> {
    vapid::generate()
}

#[cfg(test)]
mod tests;
