//! `OVHcloud` (API 1.0, `/sms`).

use std::sync::atomic::{AtomicI64, Ordering};

use domain::sms::Alphabet;
use futures_util::future::BoxFuture;
use http::{Request, StatusCode};
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use serde::Deserialize;
use serde_json::{Value, json};

use super::received::name_of;
use super::{Bill, Message, Provider, Settings, SmsError, SmsProvider, SmsUrlError, Taken, Way, no_key, thousandths};
use crate::clock::Clock;

/// Europe.
const URL: &str = "https://eu.api.ovh.com/1.0";
/// How long it tries to reach a telephone, in minutes: a reminder that comes after two days is none.
const VALIDITY_MINUTES: u32 = 2 * 24 * 60;
/// Its codes for a request that it does not believe to be ours, or not to be of now, whatever the status.
const OF_OURS: [&str; 8] = [
    "INVALID_SIGNATURE",
    "QUERY_TIME_OUT",
    "INVALID_KEY",
    "INVALID_CREDENTIAL",
    "NOT_CREDENTIAL",
    "NOT_GRANTED_CALL",
    "HTTP_ERROR",
    "NETWORK_ERROR",
];
/// The same, where it gives words and no code.
const IN_WORDS: [&str; 3] = ["invalid signature", "query out of time", "invalid timestamp"];
/// What stands for a difference of the clocks that is not known yet.
const UNKNOWN: i64 = i64::MIN;

pub(super) struct Ovh {
    /// None: a short number that people can answer to.
    sender: Option<String>,
    service: String,
    application_key: String,
    application_secret: String,
    consumer_key: String,
    url: String,
    /// How many seconds its clock is ahead of ours.
    ahead: AtomicI64,
    way: Way,
}

/// `SmsSendingReport` of its API: to whom it sends, and what that takes.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Report {
    ids: Vec<Value>,
    total_credits_removed: Option<f64>,
    valid_receivers: Option<Vec<String>>,
}

/// Of a refusal. The words are compared and kept nowhere: they may hold a number.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Refusal {
    error_code: Value,
    message: Value,
}

impl Refusal {
    fn of(status: StatusCode, body: &[u8]) -> SmsError {
        let refusal: Self = serde_json::from_slice(body).unwrap_or_default();
        let code = refusal.error_code.as_str().and_then(|code| OF_OURS.iter().find(|ours| **ours == code));
        let message = refusal.message.as_str().unwrap_or_default().to_lowercase();
        match code.or_else(|| IN_WORDS.iter().find(|words| message.starts_with(**words))) {
            Some(said) => SmsError::Away(format!("answered {} ({said})", status.as_u16())),
            None => SmsError::of(status),
        }
    }
}

impl Ovh {
    pub(super) fn new(mut settings: Settings) -> Result<Self, SmsUrlError> {
        let form = "is not ovh:SENDER?service=…&application_key=…&application_secret=…&consumer_key=…";
        // With a name nobody can answer ("Envoyer des SMS permettant la réponse" of its guides).
        let answered = settings.take("replies").is_some();
        let sender = if answered { None } else { Some(settings.word()?) };
        let service = settings.need("service", form)?;
        if !service.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
            return Err(SmsUrlError("service is not letters, digits and dashes"));
        }
        Ok(Self {
            sender,
            service,
            application_key: settings.need("application_key", form)?,
            application_secret: settings.need("application_secret", form)?,
            consumer_key: settings.need("consumer_key", form)?,
            url: settings.url(URL)?.trim_end_matches('/').to_owned(),
            ahead: AtomicI64::new(UNKNOWN),
            way: Way::new()?,
        })
    }

    /// Its time, in seconds: asked once ("First steps with the `OVHcloud` APIs": `GET /auth/time`), since it believes no signature
    /// of another.
    async fn time(&self) -> Result<i64, SmsError> {
        let now = || Clock::default().now().as_second();
        let ahead = self.ahead.load(Ordering::Relaxed);
        if ahead != UNKNOWN {
            return Ok(now().saturating_add(ahead));
        }
        let request = Request::get(format!("{}/auth/time", self.url)).body(Vec::new().into()).map_err(no_key)?;
        let answer = self.way.ask(request).await?;
        let time = std::str::from_utf8(answer.body()).ok().and_then(|text| text.trim().parse::<i64>().ok());
        let time = time.filter(|_| answer.status().is_success());
        let time = time.ok_or_else(|| SmsError::Away("does not tell its time".into()))?;
        self.ahead.store(time.saturating_sub(now()), Ordering::Relaxed);
        Ok(time)
    }

    /// The signature of a request, "$1$" ("First steps with the `OVHcloud` APIs").
    fn signature(&self, method: &str, url: &str, body: &str, time: i64) -> String {
        let time = time.to_string();
        let signed = [self.application_secret.as_str(), &self.consumer_key, method, url, body, &time].join("+");
        let digest = digest(&SHA1_FOR_LEGACY_USE_ONLY, signed.as_bytes());
        digest.as_ref().iter().fold("$1$".to_owned(), |text, byte| format!("{text}{byte:02x}"))
    }

    /// The body of `POST /sms/{serviceName}/jobs` ("API SMS Cookbook"). It is not for sale: no « STOP » is added, and it goes
    /// at any hour.
    fn job(&self, message: &Message<'_>) -> String {
        let coding = if message.segments.alphabet == Alphabet::Gsm7 { "7bit" } else { "8bit" };
        let mut job = json!({
            "charset": "UTF-8", "class": "phoneDisplay", "coding": coding, "message": message.text, "noStopClause": true,
            "priority": "high", "receivers": [message.to], "validityPeriod": VALIDITY_MINUTES,
        });
        match &self.sender {
            Some(sender) => job["sender"] = sender.as_str().into(),
            None => job["senderForResponse"] = true.into(),
        }
        if let Some(tag) = message.tag {
            job["tag"] = tag.into();
        }
        job.to_string()
    }
}

impl SmsProvider for Ovh {
    fn provider(&self) -> Provider {
        Provider::Ovh
    }

    fn send<'a>(&'a self, message: &'a Message<'a>) -> BoxFuture<'a, Result<Taken, SmsError>> {
        Box::pin(async move {
            let time = self.time().await?;
            let (url, body) = (format!("{}/sms/{}/jobs", self.url, self.service), self.job(message));
            let request = Request::post(&url)
                .header("content-type", "application/json;charset=utf-8")
                .header("x-ovh-application", &self.application_key)
                .header("x-ovh-consumer", &self.consumer_key)
                .header("x-ovh-timestamp", time)
                .header("x-ovh-signature", self.signature("POST", &url, &body, time))
                .body(body.into_bytes().into())
                .map_err(no_key)?;
            let answer = self.way.ask(request).await?;
            match answer.status() {
                status if status.is_success() => {}
                // The account of SMS is named by us, and not by the message.
                StatusCode::NOT_FOUND => return Err(SmsError::Away("answered 404".into())),
                status => {
                    // Perhaps a signature of another time: it is asked for again.
                    self.ahead.store(UNKNOWN, Ordering::Relaxed);
                    return Err(Refusal::of(status, answer.body()));
                }
            }
            // It has taken the message, whatever more it says, unless it says that it sends to nobody.
            let report: Report = serde_json::from_slice(answer.body()).unwrap_or_default();
            if report.valid_receivers.is_some_and(|valid| valid.is_empty()) {
                return Err(SmsError::Refused(answer.status().as_u16().into()));
            }
            let credits = report.total_credits_removed.and_then(thousandths);
            Ok(Taken {
                reference: report.ids.first().and_then(name_of),
                segments: None,
                bill: credits.map_or(Bill::Nothing, Bill::Millicredits),
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_signed_as_the_guide_says() {
        let settings =
            "Carnet?service=sms-ab1234-1&application_key=key&application_secret=secret&consumer_key=consumer";
        let ovh = Ovh::new(Settings::read(settings).ok().unwrap()).ok().unwrap();
        let url = "https://eu.api.ovh.com/1.0/sms/sms-ab1234-1/jobs";
        // printf 'secret+consumer+POST+https://eu.api.ovh.com/1.0/sms/sms-ab1234-1/jobs+{}+1772438400' | sha1sum
        assert_eq!(ovh.signature("POST", url, "{}", 1_772_438_400), "$1$4c8f33e2b05ec55ddc33ab47b7a7990f13aa51bf");
    }
}
