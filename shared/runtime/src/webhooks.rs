//! Events for programs of partners, as the Standard Webhooks specification has it (version 1.0.0,
//! <https://github.com/standard-webhooks/standard-webhooks>): what signs, what is sent, and the way out.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD as BASE64, URL_SAFE_NO_PAD as BASE64_URL};
use domain::Timestamp;
use domain::ids::WebhookId;
use http::header::{CONTENT_TYPE, USER_AGENT};
use http::{Request, StatusCode, Uri};
use ring::hmac;
use ring::rand::{SecureRandom as _, SystemRandom};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::keys::{KeyError, Keys};
use crate::outbound::guarded::Guarded;
use crate::outbound::{self, Networks, OutboundError};
use crate::{Kind, Problem};

/// Longest time for one delivery, connection and answer together.
pub const TIMEOUT: Duration = Duration::from_secs(10);
/// Longest time for a challenge: somebody waits for it, whose own request ends after ten seconds.
pub const CHALLENGE_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest time for looking up a name that somebody registers.
const LOOK_UP_TIMEOUT: Duration = Duration::from_secs(3);
/// Most bytes of an answer that are read. Of a delivery's none is kept.
const MOST_ANSWER: usize = 16 * 1024;
/// Longest address, in characters.
const LONGEST_URL: usize = 1000;
/// Bytes of a secret: as many as its signature has (24 to 64, says the specification).
const SECRET_BYTES: usize = 32;
const SECRET: &str = "webhook.secret";

/// Where a partner's program is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct WebhookUrl(String);

impl TryFrom<String> for WebhookUrl {
    type Error = &'static str;

    /// `https://…` in its normal form: with names of other scripts in letters of ours, and numbers written otherwise as the
    /// addresses that they are. No user, no password, nothing after a `#`.
    fn try_from(text: String) -> Result<Self, Self::Error> {
        let wrong = "webhook-url";
        let url = url::Url::parse(&text).map_err(|_| wrong)?;
        let bare = url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
        let sound = matches!(url.scheme(), "https" | "http") && url.has_host() && bare;
        let normal = String::from(url);
        // What our client does not take for an address is none.
        if !sound || normal.len() > LONGEST_URL || normal.parse::<Uri>().is_err() {
            return Err(wrong);
        }
        Ok(Self(normal))
    }
}

impl From<WebhookUrl> for String {
    fn from(url: WebhookUrl) -> Self {
        url.0
    }
}

impl WebhookUrl {
    /// As it is kept.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What signs to one webhook. Kept sealed, under a key of its row.
pub struct Secret(Vec<u8>);

impl Secret {
    /// A new one.
    ///
    /// # Errors
    /// When the system gives no randomness.
    pub fn generate() -> Result<Self, KeyError> {
        let mut bytes = vec![0; SECRET_BYTES];
        SystemRandom::new().fill(&mut bytes).map_err(|_| KeyError::Failed("random"))?;
        Ok(Self(bytes))
    }

    /// As it is shown, once: `whsec_` and base64.
    pub fn shown(&self) -> String {
        format!("whsec_{}", BASE64.encode(&self.0))
    }

    /// Sealed for a new webhook: the row's wrapped key, and the text.
    ///
    /// # Errors
    /// As [`Keys::new_owner`].
    pub async fn sealed(&self, keys: &Keys, webhook: WebhookId) -> Result<(String, String), KeyError> {
        let (wrapped, key) = keys.new_owner(webhook).await?;
        Ok((wrapped, key.seal(SECRET, webhook.as_uuid(), &BASE64.encode(&self.0))?))
    }

    /// Sealed for a webhook that has its key.
    ///
    /// # Errors
    /// As [`Keys::owner`].
    pub async fn resealed(&self, keys: &Keys, webhook: WebhookId, wrapped: &str) -> Result<String, KeyError> {
        let key = keys.owner(webhook, Some(wrapped)).await?;
        key.seal(SECRET, webhook.as_uuid(), &BASE64.encode(&self.0))
    }

    /// `v1,` and base64 of the HMAC over id, instant and body.
    fn sign(&self, id: &str, at: i64, body: &str) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &self.0);
        let signature = hmac::sign(&key, format!("{id}.{at}.{body}").as_bytes());
        format!("v1,{}", BASE64.encode(signature))
    }
}

/// A webhook as a statement tells it to who speaks to it: where, and what signs, still sealed.
#[derive(Debug, Deserialize)]
pub struct Sealed {
    /// Which.
    pub id: WebhookId,
    /// Where.
    pub url: String,
    /// The row's key.
    pub wrapped_key: String,
    /// The present secret.
    pub secret: String,
    /// Those before that still sign, the newest first.
    pub former_secrets: Vec<Former>,
}

/// A secret before the present one, still sealed.
#[derive(Debug, Deserialize)]
pub struct Former {
    secret: String,
}

/// What is said to a webhook, signed.
pub struct Peer {
    id: WebhookId,
    url: String,
    secrets: Vec<Secret>,
}

impl Peer {
    /// With its secrets opened, the present one first.
    ///
    /// # Errors
    /// As [`Keys::owner`].
    pub async fn open(keys: &Keys, sealed: &Sealed) -> Result<Self, KeyError> {
        let key = keys.owner(sealed.id, Some(&sealed.wrapped_key)).await?;
        let open = |text: &String| {
            let text = key.open(SECRET, sealed.id.as_uuid(), text)?;
            BASE64.decode(text).map(Secret).map_err(|_| KeyError::DoesNotOpen)
        };
        let former = sealed.former_secrets.iter().map(|former| &former.secret);
        let secrets = std::iter::once(&sealed.secret).chain(former).map(open);
        Ok(Self { id: sealed.id, url: sealed.url.clone(), secrets: secrets.collect::<Result<_, _>>()? })
    }

    /// Why nothing came back. That an address leads to where we do not go is for our own log alone: see [`WebhookError::told`].
    fn noted(&self, error: OutboundError) -> WebhookError {
        let error = WebhookError::from(error);
        if matches!(error, WebhookError::Forbidden) {
            tracing::warn!(webhook = %self.id, "the address of a webhook leads to where we do not go");
        }
        error
    }

    fn request(&self, message: &Message<'_>, now: Timestamp) -> Result<outbound::Request, WebhookError> {
        let body = serde_json::to_string(&message.body).map_err(|_| WebhookError::Request)?;
        let at = now.as_second();
        let signatures: Vec<_> = self.secrets.iter().map(|secret| secret.sign(message.id, at, &body)).collect();
        Request::post(&self.url)
            .header(CONTENT_TYPE, "application/json")
            .header(USER_AGENT, "carnet-webhooks/1")
            .header("webhook-id", message.id)
            .header("webhook-timestamp", at)
            .header("webhook-signature", signatures.join(" "))
            .body(body.into())
            .map_err(|_| WebhookError::Request)
    }
}

/// One message: the same at each try.
pub struct Message<'a> {
    /// What the receiver knows it by.
    pub id: &'a str,
    /// What it says.
    pub body: Body<'a>,
}

/// What a message says: ids only.
#[derive(Debug, Serialize)]
pub struct Body<'a> {
    /// What happened.
    pub r#type: &'a str,
    /// When it happened.
    pub timestamp: Timestamp,
    /// To what.
    pub data: &'a Value,
}

/// Why a message was not taken. Names nobody, and not the address.
#[derive(Debug, thiserror::Error)]
pub enum WebhookError {
    /// No answer in time.
    #[error("timeout")]
    Late,
    /// No way there: no such name, nobody listens, a certificate that is not theirs.
    #[error("connection")]
    Connection,
    /// The address is not one we go to.
    #[error("address-refused")]
    Forbidden,
    /// The answer breaks off, or is too large.
    #[error("answer")]
    Answer,
    /// Another answer than 2xx.
    #[error("status")]
    Status(StatusCode),
    /// The answer to a challenge is another than the challenge.
    #[error("challenge")]
    Challenge,
    /// The message cannot be written.
    #[error("request")]
    Request,
    /// This machine cannot speak TLS.
    #[error("no-roots")]
    Unready,
}

impl From<OutboundError> for WebhookError {
    fn from(error: OutboundError) -> Self {
        match error {
            OutboundError::Late => Self::Late,
            OutboundError::Connection(_) => Self::Connection,
            OutboundError::Body => Self::Answer,
            OutboundError::Forbidden => Self::Forbidden,
        }
    }
}

impl WebhookError {
    /// What was answered, if anything was.
    pub fn status(&self) -> Option<u16> {
        if let Self::Status(status) = self { Some(status.as_u16()) } else { None }
    }

    /// What is told outside: a name that leads to where we do not go is told as one that leads nowhere, or whoever registers an
    /// address would learn which names there are inside.
    pub fn told(&self) -> String {
        if matches!(self, Self::Forbidden) { Self::Connection.to_string() } else { self.to_string() }
    }

    /// The owner says that nobody is there any more, for good.
    pub fn is_gone(&self) -> bool {
        matches!(self, Self::Status(StatusCode::GONE))
    }
}

/// The way out to partners' programs.
pub struct Webhooks {
    allowed: Networks,
    /// Made when it is first needed: most processes send none.
    guarded: OnceLock<Arc<Guarded>>,
}

impl Webhooks {
    /// To the public internet, and to networks that are allowed.
    pub fn new(allowed: Networks) -> Self {
        Self { allowed, guarded: OnceLock::new() }
    }

    fn guarded(&self) -> Result<Arc<Guarded>, WebhookError> {
        if let Some(guarded) = self.guarded.get() {
            return Ok(guarded.clone());
        }
        let made = Guarded::new(self.allowed.clone()).map_err(|_| WebhookError::Unready)?;
        Ok(self.guarded.get_or_init(|| Arc::new(made)).clone())
    }

    /// Whether an address may be registered. A name that leads nowhere and one that leads to where we do not go are told alike:
    /// which names there are inside is not for strangers to learn.
    ///
    /// # Errors
    /// `field-invalid` of `url`.
    pub async fn check(&self, url: &WebhookUrl) -> Result<(), Problem> {
        let refused = || Problem::new(Kind::FieldInvalid).field("url").hint("webhook-address");
        let uri: Uri = url.as_str().parse().map_err(|_| refused())?;
        let guarded = self.guarded().map_err(|error| Problem::new(Kind::Unavailable).because(error))?;
        guarded.check(&uri, LOOK_UP_TIMEOUT).await.map_err(|error| refused().because(error))
    }

    /// Delivers a message: 2xx is the only answer that says it is taken. Nobody is followed elsewhere.
    ///
    /// # Errors
    /// [`WebhookError`].
    pub async fn deliver(
        &self, peer: &Peer, message: &Message<'_>, now: Timestamp,
    ) -> Result<StatusCode, WebhookError> {
        let request = peer.request(message, now)?;
        let status = self.guarded()?.status(request, TIMEOUT, MOST_ANSWER).await;
        let status = status.map_err(|error| peer.noted(error))?;
        if status.is_success() { Ok(status) } else { Err(WebhookError::Status(status)) }
    }

    /// Asks whether the owner of an address wants what will be sent there: the answer has to say the challenge, and who only
    /// takes everything does not.
    ///
    /// # Errors
    /// [`WebhookError`].
    pub async fn challenge(&self, peer: &Peer, now: Timestamp) -> Result<(), WebhookError> {
        #[derive(Deserialize)]
        struct Answer {
            challenge: String,
        }
        let bytes = Secret::generate().map_err(|_| WebhookError::Request)?.0;
        let challenge = BASE64_URL.encode(bytes);
        let data = serde_json::json!({"webhook": peer.id, "challenge": challenge});
        let id = uuid::Uuid::now_v7().to_string();
        let body = Body { r#type: "webhook.verification", timestamp: now, data: &data };
        let request = peer.request(&Message { id: &id, body }, now)?;
        let answer = self.guarded()?.send(request, CHALLENGE_TIMEOUT, MOST_ANSWER).await;
        let answer = answer.map_err(|error| peer.noted(error))?;
        if !answer.status().is_success() {
            return Err(WebhookError::Status(answer.status()));
        }
        let said = serde_json::from_slice(answer.body()).map(|answer: Answer| answer.challenge);
        if said.is_ok_and(|said| said == challenge) { Ok(()) } else { Err(WebhookError::Challenge) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_that_of_the_specification() {
        // The example of the specification's own libraries.
        let secret = Secret(BASE64.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap());
        let signature = secret.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, r#"{"test": 2432232314}"#);
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        assert_eq!(secret.shown(), "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        assert_eq!(Secret::generate().unwrap().0.len(), SECRET_BYTES);
    }

    #[tokio::test]
    async fn a_secret_opens_for_its_webhook_only() {
        let keys = Keys::any();
        let [one, other] = [1, 2].map(|id| WebhookId::from_uuid(uuid::Uuid::from_u128(id)));
        let secret = Secret::generate().unwrap();
        let (wrapped_key, text) = secret.sealed(&keys, one).await.unwrap();
        let again = Secret::generate().unwrap().resealed(&keys, one, &wrapped_key).await.unwrap();
        let sealed = |id| Sealed {
            id,
            url: "https://hook.example/".into(),
            wrapped_key: wrapped_key.clone(),
            secret: again.clone(),
            former_secrets: vec![Former { secret: text.clone() }],
        };
        let peer = Peer::open(&keys, &sealed(one)).await.unwrap();
        assert_eq!(peer.secrets[1].0, secret.0);
        assert!(Peer::open(&keys, &sealed(other)).await.is_err());
        let body = Body { r#type: "webhook.test", timestamp: Timestamp::UNIX_EPOCH, data: &Value::Null };
        let request = peer.request(&Message { id: "one", body }, Timestamp::UNIX_EPOCH).unwrap();
        let signatures = request.headers()["webhook-signature"].to_str().unwrap().to_owned();
        assert_eq!(signatures.split(' ').filter(|signature| signature.starts_with("v1,")).count(), 2);
    }

    #[test]
    fn an_address_is_kept_in_its_normal_form_or_refused() {
        for (given, kept) in [
            ("https://hook.example", "https://hook.example/"),
            ("https://HOOK.example:443/a?b=c", "https://hook.example/a?b=c"),
            ("https://hôpital.example/é", "https://xn--hpital-ixa.example/%C3%A9"),
            ("https://2130706433/", "https://127.0.0.1/"),
            ("https://0x7f.1:8443/", "https://127.0.0.1:8443/"),
            ("https://[::FFFF:10.0.0.1]/", "https://[::ffff:a00:1]/"),
        ] {
            assert_eq!(WebhookUrl::try_from(given.to_owned()).unwrap().as_str(), kept, "{given}");
        }
        for wrong in [
            "",
            "hook.example",
            "//hook.example/",
            "ftp://hook.example/",
            "file:///etc/passwd",
            "https://",
            "https://user@hook.example/",
            "https://user:word@hook.example/",
            "https://:word@hook.example/",
            "https://hook.example/#part",
            "https://exa mple/",
            "javascript:alert(1)",
        ] {
            assert!(WebhookUrl::try_from(wrong.to_owned()).is_err(), "{wrong}");
        }
        assert!(WebhookUrl::try_from(format!("https://hook.example/{}", "a".repeat(LONGEST_URL))).is_err());
    }
}
