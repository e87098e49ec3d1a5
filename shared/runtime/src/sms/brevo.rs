//! Brevo (API v3).

use domain::sms::Alphabet;
use futures_util::future::BoxFuture;
use http::{Request, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use super::received::name_of;
use super::{Bill, Message, Provider, Settings, SmsError, SmsProvider, SmsUrlError, Taken, Way, no_key, thousandths};

/// "Send SMS message to a mobile number" of its API reference.
const URL: &str = "https://api.brevo.com/v3/transactionalSMS/send";

/// Its codes for what is wrong with our account or our key, whatever the status ("Error codes" of its API reference).
const OF_OURS: [&str; 7] = [
    "unauthorized",
    "account_under_validation",
    "not_enough_credits",
    "permission_denied",
    "reseller_permission_denied",
    "unauthorized_access",
    "too_many_requests",
];

pub(super) struct Brevo {
    sender: String,
    key: String,
    url: String,
    way: Way,
}

/// What it answers to a message that it takes (schema `SendSms` of its API reference): `usedCredits` are its own.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Answer {
    message_id: Value,
    sms_count: Option<u32>,
    used_credits: Option<f64>,
}

/// Of a refusal.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Refusal {
    code: Value,
}

impl Refusal {
    fn of(status: StatusCode, body: &[u8]) -> SmsError {
        let refusal: Self = serde_json::from_slice(body).unwrap_or_default();
        let ours = refusal.code.as_str().and_then(|code| OF_OURS.iter().find(|ours| **ours == code));
        match ours {
            Some(code) => SmsError::Away(format!("answered {} ({code})", status.as_u16())),
            // The address is ours, and not the message's.
            None if [StatusCode::NOT_FOUND, StatusCode::METHOD_NOT_ALLOWED].contains(&status) => {
                SmsError::Away(format!("answered {}", status.as_u16()))
            }
            None => SmsError::of(status),
        }
    }
}

impl Brevo {
    pub(super) fn new(mut settings: Settings) -> Result<Self, SmsUrlError> {
        let sender = settings.word()?;
        let key = settings.need("key", "is not brevo:SENDER?key=…")?;
        Ok(Self { sender, key, url: settings.url(URL)?, way: Way::new()? })
    }
}

impl SmsProvider for Brevo {
    fn provider(&self) -> Provider {
        Provider::Brevo
    }

    fn send<'a>(&'a self, message: &'a Message<'a>) -> BoxFuture<'a, Result<Taken, SmsError>> {
        Box::pin(async move {
            let mut wish = json!({
                "sender": self.sender, "recipient": message.to.trim_start_matches('+'), "content": message.text,
                "type": "transactional", "unicodeEnabled": message.segments.alphabet == Alphabet::Ucs2,
            });
            if let Some(tag) = message.tag {
                wish["tag"] = tag.into();
            }
            let request = Request::post(&self.url)
                .header("api-key", &self.key)
                .header("content-type", "application/json")
                .header("accept", "application/json")
                .body(wish.to_string().into())
                .map_err(no_key)?;
            let answer = self.way.ask(request).await?;
            if !answer.status().is_success() {
                return Err(Refusal::of(answer.status(), answer.body()));
            }
            // It has taken the message, whatever more it says.
            let told: Answer = serde_json::from_slice(answer.body()).unwrap_or_default();
            let credits = told.used_credits.and_then(thousandths);
            Ok(Taken {
                reference: name_of(&told.message_id),
                segments: told.sms_count,
                bill: credits.map_or(Bill::Nothing, Bill::Millicredits),
            })
        })
    }
}
