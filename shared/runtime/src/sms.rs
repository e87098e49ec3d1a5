//! The way out for SMS: one provider, Brevo.

use std::collections::HashMap;
use std::time::Duration;

use http::{Request, StatusCode, Uri};
use serde_json::json;

use crate::outbound::{Outbound, OutboundError};

/// Longest time for one message, connection and answer together.
pub const TIMEOUT: Duration = Duration::from_secs(5);
/// Most characters of one message in the alphabet of GSM 03.38: one more is two messages.
pub const LONGEST: usize = 160;
/// How the variable begins: `brevo:SENDER?key=…`.
const SCHEME: &str = "brevo:";
const BREVO: &str = "https://api.brevo.com/v3/transactionalSMS/send";
/// Most characters of a sender that is a word.
const LONGEST_SENDER: usize = 11;

/// Why a message was not taken. Without the number nor the answer, which may hold it: that is personal data.
#[derive(Debug, thiserror::Error)]
pub enum SmsError {
    /// The provider refuses this message for good.
    #[error("refused ({0})")]
    Refused(u16),
    /// The provider is away, busy, or refuses us: try again.
    #[error("provider unavailable: {0}")]
    Away(String),
}

impl SmsError {
    /// Whether another try can help.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Away(_))
    }
}

/// The variable does not say how SMS are sent.
#[derive(Debug, thiserror::Error)]
#[error("SMS_URL: {0}")]
pub struct SmsUrlError(&'static str);

/// Sends through one provider.
pub struct Sms(Option<Brevo>);

struct Brevo {
    sender: String,
    key: String,
    url: Uri,
    client: Outbound,
}

impl Sms {
    /// From `brevo:SENDER?key=…`, perhaps with `&url=…`. Without a provider every message waits.
    ///
    /// # Errors
    /// Names the variable, never its value.
    pub fn new(text: Option<&str>) -> Result<Self, SmsUrlError> {
        text.map(Brevo::new).transpose().map(Self)
    }

    /// Hands one message to the provider. Success means that it took the responsibility for it.
    ///
    /// `to` is a number as [`domain::person::dialled`] writes it.
    ///
    /// # Errors
    /// [`SmsError`]; only [`SmsError::Away`] is worth another try.
    pub async fn send(&self, to: &str, text: &str) -> Result<(), SmsError> {
        let brevo = self.0.as_ref().ok_or_else(|| SmsError::Away("SMS_URL is not set".into()))?;
        brevo.send(to, text).await
    }
}

impl Brevo {
    fn new(text: &str) -> Result<Self, SmsUrlError> {
        let form = SmsUrlError("is not brevo:SENDER?key=…");
        let Some((sender, query)) = text.strip_prefix(SCHEME).and_then(|rest| rest.split_once('?')) else {
            return Err(form);
        };
        let is_sender = (1..=LONGEST_SENDER).contains(&sender.len())
            && sender.bytes().all(|byte| byte.is_ascii_alphanumeric())
            && sender.bytes().any(|byte| byte.is_ascii_alphabetic());
        if !is_sender {
            return Err(SmsUrlError("the sender is not 1 to 11 letters and digits, a letter among them"));
        }
        let mut given: HashMap<_, _> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let key = given.remove("key").filter(|key| !key.is_empty()).ok_or(form)?;
        let url = given.remove("url").unwrap_or_else(|| BREVO.to_owned());
        let url: Uri = url.parse().map_err(|_| SmsUrlError("url is not a URL"))?;
        // The key and the numbers go nowhere in clear, but to the machine itself.
        let local = ["127.0.0.1", "localhost", "[::1]"].contains(&url.host().unwrap_or_default());
        if url.scheme_str() != Some("https") && !(local && url.scheme_str() == Some("http")) {
            return Err(SmsUrlError("url is not https://…"));
        }
        let client = Outbound::new().map_err(|_| SmsUrlError("this machine has no root certificates"))?;
        Ok(Self { sender: sender.to_owned(), key, url, client })
    }

    /// One call (Brevo API v3, "Send SMS message to a mobile number"). Nobody is followed elsewhere.
    async fn send(&self, to: &str, text: &str) -> Result<(), SmsError> {
        let wish = json!({
            "sender": self.sender, "recipient": to.trim_start_matches('+'), "content": text,
            "type": "transactional", "unicodeEnabled": false,
        });
        let request = Request::post(self.url.clone())
            .header("api-key", &self.key)
            .header("content-type", "application/json")
            .header("accept", "application/json")
            .body(wish.to_string().into())
            .map_err(|_| SmsError::Away("the key is not one".into()))?;
        let answer = self.client.status(request, TIMEOUT).await.map_err(|error| match error {
            OutboundError::Late => SmsError::Away("took too long".into()),
            _ => SmsError::Away("connection failed".into()),
        });
        match answer? {
            status if status.is_success() => Ok(()),
            // What speaks of our account or of the moment mends; the rest speaks of this message.
            status @ (StatusCode::UNAUTHORIZED
            | StatusCode::PAYMENT_REQUIRED
            | StatusCode::REQUEST_TIMEOUT
            | StatusCode::TOO_MANY_REQUESTS) => Err(SmsError::Away(format!("answered {}", status.as_u16()))),
            status if status.is_client_error() => Err(SmsError::Refused(status.as_u16())),
            status => Err(SmsError::Away(format!("answered {}", status.as_u16()))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Lang, texts};

    /// What one message of 160 characters can hold (GSM 03.38, the basic alphabet).
    const GSM: &str = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿\
                       abcdefghijklmnopqrstuvwxyzäöñüà";

    #[test]
    fn each_text_is_one_message() {
        for (lang, whole) in [
            (Lang::Fr, "Carnet : votre code est 123 456. Il est valable 10 minutes."),
            (Lang::En, "Carnet: your code is 123 456. It is good for 10 minutes."),
        ] {
            let text = texts::text(lang, "sms-phone-code", &[("code", "123 456")]);
            assert_eq!(text, whole);
            assert!(text.chars().count() <= LONGEST && text.chars().all(|char| GSM.contains(char)), "{text}");
        }
    }

    #[test]
    fn what_is_not_understood_is_refused_without_its_value() {
        assert!(Sms::new(None).is_ok());
        for sound in ["brevo:Carnet?key=s3cret", "brevo:Carnet2026?key=s3cret&url=http://127.0.0.1:8025/send"] {
            assert!(Sms::new(Some(sound)).is_ok(), "{sound}");
        }
        for wrong in [
            "",
            "s3cret",
            "brevo:Carnet",
            "brevo:Carnet?",
            "brevo:Carnet?key=",
            "brevo:?key=s3cret",
            "brevo:Carnet-sante?key=s3cret",
            "brevo:CarnetDeSante?key=s3cret",
            "brevo:0123456?key=s3cret",
            "brevo:Carnet?key=s3cret&url=http://ailleurs.example/",
            "brevo:Carnet?key=s3cret&url=nowhere",
            "smtp:Carnet?key=s3cret",
        ] {
            let error = Sms::new(Some(wrong)).err().map(|error| error.to_string()).unwrap_or_default();
            assert!(error.starts_with("SMS_URL: ") && !error.contains("s3cret"), "{wrong}: {error}");
        }
    }
}
