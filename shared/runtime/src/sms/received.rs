//! What providers tell of messages afterwards, and what people answered: read from the call of an address of ours,
//! `/v1/sms/{provider}/{token}`, once it is sure whose call it is. The token says that the caller was told the address by us;
//! who signs is believed by the signature alone.
//!
//! Calls come twice, late and in any order: whoever takes them keeps the furthest state, and answers each reply once
//! ([`Reply::id`]).

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use domain::person::dialled;
use http::{HeaderMap, Uri};
use ring::hmac;
use serde_json::Value;

use super::{Provider, Sms};
use crate::keys::{KeyError, Keys};

/// Largest call, in bytes: a batch of Brevo's has some hundred events.
pub const MAX_CALL: usize = 64 * 1024;
/// Longest word of theirs that is kept, in characters.
const MAX_WORD: usize = 100;
/// Longest answer of somebody that is kept, in characters: ten messages.
const MAX_TEXT: usize = 1600;
/// Most events of one call.
const MAX_EVENTS: usize = 500;

/// How far a message came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// On its way to the telephone.
    Sent,
    /// It will not come there.
    Failed,
    /// On the telephone.
    Delivered,
}

/// What became of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// What the provider calls the message: [`super::Sent::reference`].
    pub reference: String,
    /// What we call it, where the provider tells it.
    pub tag: Option<String>,
    /// How far it came.
    pub state: State,
    /// The provider's word or code for why not. Never a number nor a text.
    pub why: Option<String>,
}

/// What somebody answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// What the provider calls the answer, where it does: the same one twice is one.
    pub id: Option<String>,
    /// Whose telephone, as [`domain::person::dialled`] writes it.
    pub from: String,
    /// Their words, for [`domain::sms::Reply::of`].
    pub text: String,
    /// What the provider calls the message that is answered, where it tells it.
    pub reference: Option<String>,
    /// What we call that message, where the provider tells it.
    pub tag: Option<String>,
}

/// One thing that a provider tells.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "they say it themselves")]
pub enum Received {
    Receipt(Receipt),
    Reply(Reply),
}

/// Why nothing is read from a call.
#[derive(Debug, thiserror::Error)]
pub enum ReceivedError {
    /// It is not the provider's: for the caller, there is nothing here.
    #[error("the call is not of a provider of ours")]
    NotTheirs,
    /// It is larger than what they send.
    #[error("the call is too large")]
    TooLarge,
    /// It is theirs, and not what their documentation says: they need not send it again.
    #[error("the call of {0} is not understood")]
    NotUnderstood(&'static str),
    /// Nobody can be recognised without the lookup key.
    #[error(transparent)]
    Key(#[from] KeyError),
}

impl Sms {
    /// What a provider tells by a call of its address: the last two segments, the headers, the whole address as it was
    /// called, and the body.
    ///
    /// # Errors
    /// [`ReceivedError`].
    pub fn received(
        &self, keys: &Keys, [provider, token]: [&str; 2], headers: &HeaderMap, url: &str, body: &[u8],
    ) -> Result<Vec<Received>, ReceivedError> {
        let provider: Provider = provider.parse().map_err(|_| ReceivedError::NotTheirs)?;
        if !provider.is_callback_token(keys, token)? {
            return Err(ReceivedError::NotTheirs);
        }
        receipts(provider, self.signing(provider), headers, url, body)
    }
}

/// Reads a call. `signing` is what signs the calls of a provider that signs them; of such a one nothing is believed without.
///
/// # Errors
/// [`ReceivedError`].
pub fn receipts(
    provider: Provider, signing: Option<&str>, headers: &HeaderMap, url: &str, body: &[u8],
) -> Result<Vec<Received>, ReceivedError> {
    if body.len() > MAX_CALL || url.len() > MAX_CALL {
        return Err(ReceivedError::TooLarge);
    }
    let unread = || ReceivedError::NotUnderstood(provider.name());
    match provider {
        Provider::Brevo => brevo(body).ok_or_else(unread),
        Provider::Ovh => ovh(url, body).map(|one| vec![one]).ok_or_else(unread),
        Provider::Twilio => {
            let token = signing.ok_or(ReceivedError::NotTheirs)?;
            if !is_signed(token, headers, url, body) {
                return Err(ReceivedError::NotTheirs);
            }
            twilio(url, body).map(|one| vec![one]).ok_or_else(unread)
        }
    }
}

/// Brevo ("Transactional webhooks", part "Transactional SMS"; "Batched webhooks" sends a list of the same). An event that is new to
/// us is left out, and of a list what is not one: a list that is refused is never sent again.
fn brevo(body: &[u8]) -> Option<Vec<Received>> {
    let told: Value = serde_json::from_slice(body).ok()?;
    match told {
        Value::Array(events) if events.len() <= MAX_EVENTS => {
            let known: Vec<_> = events.iter().filter_map(brevo_event).collect();
            (events.is_empty() || !known.is_empty()).then(|| known.into_iter().flatten().collect())
        }
        Value::Object(_) => brevo_event(&told).map(|one| one.into_iter().collect()),
        _ => None,
    }
}

/// `msg_status`, `messageId`, `to`, `tag`, `reply`, `error_code`. Nothing inside for what is new to us, none for what is not
/// one of its events.
#[allow(clippy::option_option, reason = "not understood, left out, or something")]
fn brevo_event(event: &Value) -> Option<Option<Received>> {
    let status = event["msg_status"].as_str().or_else(|| event["event"].as_str())?;
    let reference = name_of(&event["messageId"]);
    let tag = match &event["tag"] {
        Value::Array(tags) => tags.first().and_then(name_of),
        tag => name_of(tag),
    };
    // One page writes soft_bounce, another softBounce, a third softBounces.
    let kind: String = status.chars().filter(char::is_ascii_alphabetic).map(|it| it.to_ascii_lowercase()).collect();
    let answer = |text: &str| {
        let from = telephone(event["to"].as_str()?)?;
        let reply = Reply { id: None, from, text: cut(text, MAX_TEXT), reference: reference.clone(), tag: tag.clone() };
        Some(Some(Received::Reply(reply)))
    };
    let state = match kind.as_str() {
        "sent" | "accepted" => State::Sent,
        "delivered" => State::Delivered,
        "softbounce" | "softbounces" | "hardbounce" | "hardbounces" | "rejected" | "blacklisted" | "skip"
        | "skipped" => State::Failed,
        "replied" | "reply" | "replies" => return answer(event["reply"].as_str()?),
        // It heard STOP by itself.
        "unsubscribe" | "unsubscribed" | "unsubscription" => return answer("STOP"),
        _ => return Some(None),
    };
    let code = name_of(&event["error_code"]).map(|code| format!(" {code}")).unwrap_or_default();
    let why = (state == State::Failed).then(|| cut(&format!("{kind}{code}"), MAX_WORD));
    Some(Some(Received::Receipt(Receipt { reference: reference?, tag, state, why })))
}

/// `OVHcloud`: the address `callBack` of an account of SMS is called with `id`, `ptt` and `dlr`, the address `cgiUrl` of its
/// answers with `id`, `senderid`, `message`, `tag` (API, `PUT /sms/{serviceName}`); by GET or as a form.
fn ovh(url: &str, body: &[u8]) -> Option<Received> {
    let told = fields(url, body);
    let field = |name: &str| told.get(name).map(String::as_str).filter(|value| !value.is_empty());
    let tag = field("tag").and_then(word);
    let is_receipt = ["dlr", "ptt"].iter().any(|name| told.contains_key(*name));
    if let (Some(text), Some(from), false) = (told.get("message"), field("senderid"), is_receipt) {
        let (from, text) = (telephone(from)?, cut(text.trim(), MAX_TEXT));
        return Some(Received::Reply(Reply { id: field("id").and_then(word), from, text, reference: None, tag }));
    }
    let reference = field("id").and_then(word)?;
    // As gateways of SMS count: 1 delivered, 2 not, 4 waiting, 8 with the network, 16 refused by it.
    let state = match field("dlr").or_else(|| field("status")).map(str::parse) {
        Some(Ok(1_u32)) => State::Delivered,
        Some(Ok(2 | 16)) => State::Failed,
        Some(Ok(_)) => State::Sent,
        Some(Err(_)) => return None,
        // What a code of its own (`GET /sms/ptts`) means for the message is for people to look up.
        None => field("ptt").map(|_| State::Sent)?,
    };
    let why = field("ptt").and_then(word).filter(|_| state != State::Delivered).map(|code| format!("ptt {code}"));
    Some(Received::Receipt(Receipt { reference, tag, state, why }))
}

/// Twilio ("Outbound Message Status in Status Callbacks", "Twilio's Request to your Webhook URL"): `MessageStatus` and `ErrorCode` of
/// `MessageSid`, or `From` and `Body`. Our name for the message stands in the address that it was told.
fn twilio(url: &str, body: &[u8]) -> Option<Received> {
    let told = fields("", body);
    let field = |name: &str| told.get(name).map(String::as_str).filter(|value| !value.is_empty());
    let sid = field("MessageSid").or_else(|| field("SmsSid")).and_then(word)?;
    let tag = fields(url, &[]).get("tag").and_then(word);
    let Some(status) = field("MessageStatus") else {
        let (from, text) = (telephone(field("From")?)?, cut(told.get("Body")?.trim(), MAX_TEXT));
        return Some(Received::Reply(Reply { id: Some(sid), from, text, reference: None, tag: None }));
    };
    let state = match status {
        "delivered" | "read" => State::Delivered,
        "failed" | "undelivered" | "canceled" => State::Failed,
        _ => State::Sent,
    };
    let code = field("ErrorCode").and_then(word);
    let why = (state == State::Failed).then(|| code.unwrap_or_else(|| cut(status, MAX_WORD)));
    Some(Received::Receipt(Receipt { reference: sid, tag, state, why }))
}

/// Whether Twilio signed it ("Webhooks security"): HMAC-SHA-1 of the address and of all fields of the form, sorted, under the
/// account's token. Whether the address names its usual port is not said: both are tried.
fn is_signed(token: &str, headers: &HeaderMap, url: &str, body: &[u8]) -> bool {
    let mut given = headers.get_all("x-twilio-signature").iter();
    let signature = given.next().filter(|_| given.next().is_none()).and_then(|value| BASE64.decode(value).ok());
    let Some(signature) = signature else { return false };
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, token.as_bytes());
    let mut pairs: Vec<_> = form_urlencoded::parse(body).into_owned().collect();
    pairs.sort();
    let form: String = pairs.iter().flat_map(|(name, value)| [name.as_str(), value.as_str()]).collect();
    let written = [Some(url.to_owned()), with_port(url)];
    written.iter().flatten().any(|url| hmac::verify(&key, format!("{url}{form}").as_bytes(), &signature).is_ok())
}

/// The same address with the port that is usual for it, where it names none.
fn with_port(url: &str) -> Option<String> {
    let parsed: Uri = url.parse().ok()?;
    let (scheme, authority) = (parsed.scheme_str()?, parsed.authority()?);
    let port = if scheme == "https" { 443 } else { 80 };
    let rest = url.get(scheme.len() + 3 + authority.as_str().len()..)?;
    authority.port().is_none().then(|| format!("{scheme}://{authority}:{port}{rest}"))
}

/// What stands in the query and in a form. What is said twice is said by neither: nothing tells which was meant.
fn fields(url: &str, body: &[u8]) -> BTreeMap<String, String> {
    let query = url.split_once('?').map(|(_, query)| query.split('#').next().unwrap_or_default()).unwrap_or_default();
    let mut fields = BTreeMap::new();
    let mut twice = Vec::new();
    for (name, value) in form_urlencoded::parse(query.as_bytes()).chain(form_urlencoded::parse(body)) {
        if fields.insert(name.to_string(), value.into_owned()).is_some() {
            twice.push(name.into_owned());
        }
    }
    for name in &twice {
        fields.remove(name);
    }
    fields
}

/// A number of a telephone, as providers write it: perhaps without its `+`.
fn telephone(written: &str) -> Option<String> {
    let digits: String = written.chars().filter(|it| !it.is_whitespace()).take(MAX_WORD).collect();
    if digits.starts_with(['+', '0']) { dialled(&digits) } else { dialled(&format!("+{digits}")) }
}

/// What a provider calls something: a text or a number, also one that some of them write as a float.
pub(super) fn name_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => word(text),
        Value::Number(number) => match (number.as_u64(), number.as_f64()) {
            (Some(whole), _) => Some(whole.to_string()),
            (None, Some(float)) if float >= 0.0 && float.fract() == 0.0 && float < 9e15 => Some(format!("{float:.0}")),
            _ => None,
        },
        _ => None,
    }
}

/// A name of theirs, as it may be kept: visible, and not long.
fn word(text: impl AsRef<str>) -> Option<String> {
    let text = text.as_ref().trim();
    let sound = (1..=MAX_WORD).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
    sound.then(|| text.to_owned())
}

/// The beginning of a text. PostgreSQL stores no NUL.
fn cut(text: &str, most: usize) -> String {
    text.chars().filter(|character| *character != '\0').take(most).collect()
}

#[cfg(test)]
mod tests;
