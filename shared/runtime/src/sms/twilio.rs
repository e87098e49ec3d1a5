//! Twilio (API 2010-04-01, Programmable Messaging).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use domain::person::dialled;
use form_urlencoded::Serializer;
use futures_util::future::BoxFuture;
use http::{Request, StatusCode};
use serde::Deserialize;

use super::{
    Bill, EURO, Message, Provider, Settings, SmsError, SmsProvider, SmsUrlError, Taken, Way, no_key, thousandths,
};

const URL: &str = "https://api.twilio.com";
/// How the name of an account and of a service of messages begin ("What is a String Identifier (SID)?").
const ACCOUNT: &str = "AC";
const SERVICE: &str = "MG";
/// Its codes for a message that is refused because of our account, our sender, our address or a queue that is full, not of the number
/// ("Error and warning dictionary").
const OF_OURS: [u32; 15] =
    [10001, 20003, 20005, 20429, 21212, 21603, 21606, 21609, 21611, 21659, 21660, 21701, 21703, 21704, 21705];

pub(super) struct Twilio {
    /// `From`, or `MessagingServiceSid`, and who.
    sender: (&'static str, String),
    account: String,
    token: String,
    url: String,
    way: Way,
}

/// The `Message` resource. The price is not known yet when a message is taken, but for some accounts.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Answer {
    sid: Option<String>,
    num_segments: Option<String>,
    price: Option<String>,
    price_unit: Option<String>,
    /// Of a refusal.
    code: Option<u32>,
}

impl Twilio {
    pub(super) fn new(mut settings: Settings) -> Result<Self, SmsUrlError> {
        let form = "is not twilio:SENDER?account=…&token=…";
        let sender = settings.sender.clone();
        let sender = match sender.strip_prefix(SERVICE).filter(|rest| is_hexadecimal(rest)) {
            Some(_) => ("MessagingServiceSid", sender),
            None if sender.starts_with('+') && dialled(&sender).as_ref() == Some(&sender) => ("From", sender),
            None => ("From", settings.word()?),
        };
        let account = settings.need("account", form)?;
        if account.strip_prefix(ACCOUNT).is_none_or(|rest| !is_hexadecimal(rest)) {
            return Err(SmsUrlError("account is not AC and 32 hexadecimal digits"));
        }
        let token = settings.need("token", form)?;
        let url = settings.url(URL)?.trim_end_matches('/').to_owned();
        Ok(Self { sender, account, token, url, way: Way::new()? })
    }

    /// The fields of "Create a Message".
    fn form(&self, message: &Message<'_>) -> String {
        let mut form = Serializer::new(String::new());
        form.append_pair("To", message.to).append_pair(self.sender.0, &self.sender.1).append_pair("Body", message.text);
        if let (Some(callback), Some(tag)) = (&message.callback, message.tag) {
            // It signs the whole address, what we call the message with it.
            form.append_pair("StatusCallback", &format!("{callback}?tag={tag}"));
        }
        form.finish()
    }
}

fn is_hexadecimal(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

impl Answer {
    /// What it says that it takes, where that is in euros: a negative amount, as text.
    fn bill(&self) -> Bill {
        let euros = self.price.as_deref().filter(|_| self.price_unit.as_deref() == Some("EUR"));
        let euros = euros.and_then(|price| price.trim_start_matches('-').parse().ok());
        let millionths = euros.and_then(|euros: f64| thousandths(euros * 1000.0)).filter(|cost| *cost <= 1000 * EURO);
        millionths.map_or(Bill::Nothing, Bill::Microeuros)
    }
}

impl SmsProvider for Twilio {
    fn provider(&self) -> Provider {
        Provider::Twilio
    }

    fn signing(&self) -> Option<&str> {
        Some(&self.token)
    }

    fn send<'a>(&'a self, message: &'a Message<'a>) -> BoxFuture<'a, Result<Taken, SmsError>> {
        Box::pin(async move {
            let us = BASE64.encode(format!("{}:{}", self.account, self.token));
            let request = Request::post(format!("{}/2010-04-01/Accounts/{}/Messages.json", self.url, self.account))
                .header("authorization", format!("Basic {us}"))
                .header("content-type", "application/x-www-form-urlencoded")
                .header("accept", "application/json")
                .body(self.form(message).into_bytes().into())
                .map_err(no_key)?;
            let answer = self.way.ask(request).await?;
            let told: Answer = serde_json::from_slice(answer.body()).unwrap_or_default();
            match answer.status() {
                status if status.is_success() => Ok(Taken {
                    segments: told.num_segments.as_deref().and_then(|count| count.parse().ok()),
                    bill: told.bill(),
                    reference: told.sid,
                }),
                // Its code says more than the status.
                StatusCode::BAD_REQUEST => Err(match told.code {
                    Some(code) if OF_OURS.contains(&code) => SmsError::Away(format!("answered 400 ({code})")),
                    Some(code) => SmsError::Refused(code),
                    None => SmsError::of(StatusCode::BAD_REQUEST),
                }),
                // The account is named by us, and not by the message.
                StatusCode::NOT_FOUND => Err(SmsError::Away("answered 404".into())),
                status => Err(SmsError::of(status)),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_it_takes_is_known_where_it_is_in_euros() {
        let bill = |price: &str, unit: &str| {
            Answer { price: Some(price.into()), price_unit: Some(unit.into()), ..Answer::default() }.bill()
        };
        assert_eq!(bill("-0.07500", "EUR"), Bill::Microeuros(75_000));
        assert_eq!(bill("-0.00001", "EUR"), Bill::Microeuros(10));
        for (price, unit) in [("-0.075", "USD"), ("", "EUR"), ("NaN", "EUR"), ("1e300", "EUR"), ("-1000.1", "EUR")] {
            assert_eq!(bill(price, unit), Bill::Nothing, "{price} {unit}");
        }
        assert_eq!(Answer::default().bill(), Bill::Nothing);
    }
}
