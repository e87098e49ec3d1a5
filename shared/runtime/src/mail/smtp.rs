use lettre::Message;
use lettre::message::header::ContentType;
use lettre::message::{Attachment, Mailbox, MultiPart, SinglePart};

use super::relay::Relay;
use super::{CONVERSATION, Mail, MailError, MailerError};

/// Sends through one relay.
pub struct Mailer {
    relay: Option<Relay>,
    from: Mailbox,
}

impl Mailer {
    /// A relay by URL (`smtp://`, `smtps://`, `smtp://…?tls=required`). Without one every mail waits.
    ///
    /// # Errors
    /// Names the variable that is wrong.
    pub fn new(url: Option<&str>, from: &str) -> Result<Self, MailerError> {
        let relay = url.map(|url| Relay::of(url).ok_or(MailerError("SMTP_URL is not an SMTP URL"))).transpose()?;
        Ok(Self { relay, from: from.parse().map_err(|_| MailerError("MAIL_FROM is not an address"))? })
    }

    /// Hands one mail to the relay. Success means that the relay took the responsibility for it.
    ///
    /// # Errors
    /// [`MailError`]; only [`MailError::Relay`] is worth another try.
    pub async fn send(&self, mail: &Mail) -> Result<(), MailError> {
        let message = self.compose(mail)?;
        let relay = self.relay.as_ref().ok_or_else(|| MailError::Relay("SMTP_URL is not set".into()))?;
        let sent = tokio::time::timeout(CONVERSATION, relay.send(&message)).await;
        sent.map_err(|_| MailError::Relay("took too long".into()))?
    }

    fn compose(&self, mail: &Mail) -> Result<Message, MailError> {
        let to: Mailbox = mail.to.parse().map_err(|_| MailError::Unsendable("address"))?;
        let mut alternatives = MultiPart::alternative()
            .singlepart(SinglePart::plain(mail.text.clone()))
            .singlepart(SinglePart::html(mail.html.clone()));
        if let Some((calendar, method)) = &mail.calendar {
            let kind = format!("text/calendar; charset=utf-8; method={}", method.name());
            let kind = ContentType::parse(&kind).map_err(|_| MailError::Unsendable("calendar"))?;
            alternatives = alternatives.singlepart(SinglePart::builder().header(kind.clone()).body(calendar.clone()));
            // Twice, as mail programs want it: as an alternative they act on, and as a file people open.
            let file = Attachment::new("rendez-vous.ics".into()).body(calendar.clone(), kind);
            return self.finish(to, mail, MultiPart::mixed().multipart(alternatives).singlepart(file));
        }
        self.finish(to, mail, alternatives)
    }

    fn finish(&self, to: Mailbox, mail: &Mail, body: MultiPart) -> Result<Message, MailError> {
        Message::builder()
            .from(self.from.clone())
            .to(to)
            .subject(&mail.subject)
            .message_id(Some(mail.message_id.clone()))
            .header(AutoSubmitted)
            .multipart(body)
            .map_err(|_| MailError::Unsendable("message"))
    }
}

/// RFC 3834: asks answering machines to stay silent.
#[derive(Clone)]
struct AutoSubmitted;

impl lettre::message::header::Header for AutoSubmitted {
    fn name() -> lettre::message::header::HeaderName {
        lettre::message::header::HeaderName::new_from_ascii_str("Auto-Submitted")
    }
    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }
    fn display(&self) -> lettre::message::header::HeaderValue {
        lettre::message::header::HeaderValue::new(Self::name(), "auto-generated".into())
    }
}
