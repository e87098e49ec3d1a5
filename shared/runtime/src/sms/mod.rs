//! The way out for SMS, through one of three providers, and what they tell of it afterwards: [`received`].

mod brevo;
mod ovh;
pub mod received;
mod twilio;

use std::collections::HashMap;
use std::str::FromStr;
use std::time::Duration;

use domain::sms::{Segments, segments};
use futures_util::future::BoxFuture;
use http::{StatusCode, Uri};
use uuid::Uuid;

use crate::keys::{KeyError, Keys};
use crate::outbound::{Outbound, OutboundError, Request, Response};
use crate::pace;
use brevo::Brevo;
use ovh::Ovh;
use twilio::Twilio;

/// The route that providers call.
pub const CALLBACK: &str = "/v1/sms/{provider}/{token}";
/// Longest time for one message, connections and answers together.
pub const TIMEOUT: Duration = Duration::from_secs(5);
/// Largest answer of a provider, in bytes.
const MAX_ANSWER: usize = 64 * 1024;
/// Most characters of a sender that is a word.
const LONGEST_SENDER: usize = 11;
/// In millionths.
const EURO: u64 = 1_000_000;

/// Who sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Provider {
    /// Brevo, Paris.
    Brevo,
    /// `OVHcloud`, Roubaix.
    Ovh,
    /// Twilio.
    Twilio,
}

impl Provider {
    /// Every one of them.
    pub const ALL: [Self; 3] = [Self::Brevo, Self::Ovh, Self::Twilio];

    /// As in `SMS_URL` and in the address they call.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Brevo => "brevo",
            Self::Ovh => "ovh",
            Self::Twilio => "twilio",
        }
    }

    /// What the address holds that this provider calls, beside its name: who knows it was told it by us. It is not kept.
    ///
    /// # Errors
    /// [`KeyError::Missing`] without a lookup key.
    pub fn callback_token(self, keys: &Keys) -> Result<String, KeyError> {
        keys.link_token(&self.purpose(), Uuid::nil())
    }

    /// Whether that is what the address has to hold. Compared in constant time.
    ///
    /// # Errors
    /// As [`Provider::callback_token`].
    pub fn is_callback_token(self, keys: &Keys, token: &str) -> Result<bool, KeyError> {
        Ok(keys.link_id(&self.purpose(), token)? == Some(Uuid::nil()))
    }

    fn purpose(self) -> String {
        format!("sms-callback-{}", self.name())
    }
}

/// A word that is no provider's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no provider of SMS")]
pub struct NoProvider;

impl FromStr for Provider {
    type Err = NoProvider;
    fn from_str(name: &str) -> Result<Self, NoProvider> {
        Self::ALL.into_iter().find(|provider| provider.name() == name).ok_or(NoProvider)
    }
}

/// Why a message was not taken. Without the number nor the answer, which may hold it: that is personal data.
#[derive(Debug, thiserror::Error)]
pub enum SmsError {
    /// The provider refuses this message for good: the status of its answer, or its own code.
    #[error("refused ({0})")]
    Refused(u32),
    /// The provider is away, busy, or refuses us: try again.
    #[error("provider unavailable: {0}")]
    Away(String),
}

impl SmsError {
    /// Whether another try can help.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Away(_))
    }

    /// What an answer without success means, where its status says all that is known: what speaks of our account or of the moment
    /// mends, the rest speaks of this message.
    fn of(status: StatusCode) -> Self {
        match status {
            StatusCode::UNAUTHORIZED
            | StatusCode::PAYMENT_REQUIRED
            | StatusCode::FORBIDDEN
            | StatusCode::REQUEST_TIMEOUT
            | StatusCode::TOO_MANY_REQUESTS => Self::Away(format!("answered {}", status.as_u16())),
            status if status.is_client_error() => Self::Refused(status.as_u16().into()),
            status => Self::Away(format!("answered {}", status.as_u16())),
        }
    }
}

/// The variable does not say how SMS are sent.
#[derive(Debug, thiserror::Error)]
#[error("SMS_URL: {0}")]
pub struct SmsUrlError(&'static str);

/// A message that a provider took the responsibility for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// Who took it.
    pub provider: Provider,
    /// What they call it: what they tell of it afterwards names it so.
    pub reference: Option<String>,
    /// How many messages it was.
    pub segments: u32,
    /// What it costs, in millionths of a euro; nothing where neither they nor we know.
    pub cost: Option<u64>,
}

/// A message as a provider is given it.
struct Message<'a> {
    /// As [`domain::person::dialled`] writes it.
    to: &'a str,
    text: &'a str,
    /// What we call it.
    tag: Option<&'a str>,
    /// Where the provider may tell of it, where that is said with each message.
    callback: Option<String>,
    segments: Segments,
}

/// What a provider says when it takes one.
struct Taken {
    reference: Option<String>,
    /// How many messages it says it was.
    segments: Option<u32>,
    bill: Bill,
}

/// What a provider says that it takes for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Bill {
    Nothing,
    Microeuros(u64),
    /// Thousandths of what it counts by.
    Millicredits(u64),
}

/// In what providers differ.
trait SmsProvider: Send + Sync {
    fn provider(&self) -> Provider;

    /// What signs the calls of this provider, where it signs them.
    fn signing(&self) -> Option<&str> {
        None
    }

    /// Hands over one message.
    fn send<'a>(&'a self, message: &'a Message<'a>) -> BoxFuture<'a, Result<Taken, SmsError>>;
}

/// Sends through one provider.
pub struct Sms {
    provider: Option<Box<dyn SmsProvider>>,
    /// What one message costs, or one credit, in millionths of a euro.
    unit_cost: Option<u64>,
    /// Where a provider may call us, where that is said with each message.
    callback: Option<String>,
}

impl Sms {
    /// From `brevo:SENDER?key=…`, `ovh:SENDER?service=…&application_key=…&application_secret=…&consumer_key=…` or
    /// `twilio:SENDER?account=…&token=…`, perhaps with `&url=…`, and from what a message costs. Without a provider every message
    /// waits.
    ///
    /// # Errors
    /// Names the variable, never its value.
    pub fn new(text: Option<&str>, unit_cost: Option<u64>) -> Result<Self, SmsUrlError> {
        let provider = text.map(provider).transpose()?;
        Ok(Self { provider, unit_cost, callback: None })
    }

    /// The same, called back at a site of ours (`PUBLIC_URL`).
    #[must_use]
    pub fn at(mut self, site: Option<&str>, keys: &Keys) -> Self {
        let address = |provider: Provider| callback(site?, provider, keys).ok();
        self.callback = self.provider.as_ref().and_then(|it| address(it.provider()));
        self
    }

    /// Hands one message to the provider. Success means that it took the responsibility for it.
    ///
    /// `to` is a number as [`domain::person::dialled`] writes it; `tag` is what we call the message, at most 36 letters, digits
    /// and dashes. Only a message with one is told of afterwards by those who have to be asked for it.
    ///
    /// # Errors
    /// [`SmsError`]; only [`SmsError::Away`] is worth another try.
    pub async fn send(&self, to: &str, text: &str, tag: Option<&str>) -> Result<Sent, SmsError> {
        let unset = || SmsError::Away("SMS_URL is not set".into());
        let provider = self.provider.as_deref().ok_or_else(unset)?;
        let callback = self.callback.clone().filter(|_| tag.is_some());
        let message = Message { to, text, tag, callback, segments: segments(text) };
        let late = |_| Err(SmsError::Away("took too long".into()));
        let taken = pace::timeout(TIMEOUT, provider.send(&message)).await.unwrap_or_else(late)?;
        let segments = taken.segments.filter(|count| *count > 0).unwrap_or(message.segments.count);
        let cost = match taken.bill {
            Bill::Microeuros(cost) => Some(cost),
            Bill::Millicredits(credits) => self.unit_cost.map(|unit| unit.saturating_mul(credits) / 1000),
            Bill::Nothing => self.unit_cost.map(|unit| unit.saturating_mul(segments.into())),
        };
        Ok(Sent { provider: provider.provider(), reference: taken.reference, segments, cost })
    }

    /// What signs the calls of a provider, where it is the one that is set and signs them.
    fn signing(&self, of: Provider) -> Option<&str> {
        self.provider.as_deref().filter(|set| set.provider() == of)?.signing()
    }
}

/// Where a provider calls us.
///
/// # Errors
/// As [`Provider::callback_token`].
pub fn callback(site: &str, provider: Provider, keys: &Keys) -> Result<String, KeyError> {
    Ok(format!("{site}/v1/sms/{}/{}", provider.name(), provider.callback_token(keys)?))
}

fn provider(text: &str) -> Result<Box<dyn SmsProvider>, SmsUrlError> {
    let form = SmsUrlError("is none of brevo:SENDER?key=…, ovh:SENDER?service=…, twilio:SENDER?account=…");
    let known = text.split_once(':').and_then(|(name, rest)| Some((name.parse().ok()?, rest)));
    let Some((provider, rest)) = known else { return Err(form) };
    match provider {
        Provider::Brevo => Ok(Box::new(Brevo::new(Settings::read(rest)?)?)),
        Provider::Ovh => Ok(Box::new(Ovh::new(Settings::read(rest)?)?)),
        Provider::Twilio => Ok(Box::new(Twilio::new(Settings::read(rest)?)?)),
    }
}

/// Whether what goes out by `SMS_URL` comes from a number that people can answer to: a word as the sender is none. Brevo always has a
/// word; whether it puts a number in its place, it does not say.
pub fn takes_answers(url: Option<&str>) -> bool {
    let named = url.and_then(|url| url.split_once(':')).and_then(|(name, rest)| Some((name.parse().ok()?, rest)));
    match named.and_then(|(provider, rest)| Some((provider, Settings::read(rest).ok()?))) {
        Some((Provider::Ovh, mut settings)) => settings.take("replies").is_some(),
        Some((Provider::Twilio, settings)) => settings.word().is_err(),
        Some((Provider::Brevo, _)) | None => false,
    }
}

/// What stands in the variable after the provider's name.
struct Settings {
    sender: String,
    given: HashMap<String, String>,
}

impl Settings {
    fn read(rest: &str) -> Result<Self, SmsUrlError> {
        let (sender, query) = rest.split_once('?').ok_or(SmsUrlError("is not PROVIDER:SENDER?…"))?;
        let given = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        Ok(Self { sender: sender.to_owned(), given })
    }

    fn take(&mut self, name: &str) -> Option<String> {
        self.given.remove(name).filter(|value| !value.is_empty())
    }

    fn need(&mut self, name: &str, missing: &'static str) -> Result<String, SmsUrlError> {
        self.take(name).ok_or(SmsUrlError(missing))
    }

    /// A sender that is a word.
    fn word(&self) -> Result<String, SmsUrlError> {
        let word = &self.sender;
        let sound = (1..=LONGEST_SENDER).contains(&word.len())
            && word.bytes().all(|byte| byte.is_ascii_alphanumeric())
            && word.bytes().any(|byte| byte.is_ascii_alphabetic());
        if sound {
            Ok(word.clone())
        } else {
            Err(SmsUrlError("the sender is not 1 to 11 letters and digits, a letter among them"))
        }
    }

    /// Where the provider is; `url` is for who stands before it or speaks like it.
    fn url(&mut self, usual: &str) -> Result<String, SmsUrlError> {
        let url = self.take("url").unwrap_or_else(|| usual.to_owned());
        let parsed: Uri = url.parse().map_err(|_| SmsUrlError("url is not a URL"))?;
        // Keys and numbers go nowhere in clear, but to the machine itself.
        let local = ["127.0.0.1", "localhost", "[::1]"].contains(&parsed.host().unwrap_or_default());
        if parsed.scheme_str() == Some("https") || (local && parsed.scheme_str() == Some("http")) {
            Ok(url)
        } else {
            Err(SmsUrlError("url is not https://…"))
        }
    }
}

/// The way to a provider. Nobody is followed elsewhere.
struct Way(Outbound);

impl Way {
    fn new() -> Result<Self, SmsUrlError> {
        Outbound::new().map(Self).map_err(|_| SmsUrlError("this machine has no root certificates"))
    }

    async fn ask(&self, request: Request) -> Result<Response, SmsError> {
        self.0.send(request, TIMEOUT, MAX_ANSWER).await.map_err(|error| match error {
            OutboundError::Late => SmsError::Away("took too long".into()),
            OutboundError::Connection(_) => SmsError::Away("connection failed".into()),
            _ => SmsError::Away("the answer breaks off or is too large".into()),
        })
    }
}

/// A header's value that is none.
fn no_key(_: http::Error) -> SmsError {
    SmsError::Away("the key is not one".into())
}

/// Thousandths of a number as providers write it; none for what is no amount.
fn thousandths(amount: f64) -> Option<u64> {
    let scaled = (amount * 1000.0).round();
    // Below what a float holds exactly.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is in range")]
    (0.0..1e12).contains(&scaled).then_some(scaled as u64)
}

#[cfg(test)]
mod tests;
