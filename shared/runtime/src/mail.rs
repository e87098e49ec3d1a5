//! The way out for e-mail: SMTP.

#[cfg(not(target_family = "wasm"))]
mod relay;
#[cfg(not(target_family = "wasm"))]
mod smtp;

use std::time::Duration;

#[cfg(not(target_family = "wasm"))]
pub use relay::SMTP_CONNECTIONS;
#[cfg(not(target_family = "wasm"))]
pub use smtp::Mailer;

/// Longest time for one mail, all steps together: a delivery has 30 s.
pub const CONVERSATION: Duration = Duration::from_secs(25);

/// A message to one person, rendered.
#[derive(Debug, Clone)]
pub struct Mail {
    /// The address.
    pub to: String,
    /// Never personal nor health data.
    pub subject: String,
    /// Plain part.
    pub text: String,
    /// HTML part.
    pub html: String,
    /// Calendar part, with its iTIP method.
    pub calendar: Option<(String, CalendarMethod)>,
    /// Same for every attempt at the same notice, so that a mail sent twice is shown once.
    pub message_id: String,
}

/// What a calendar part asks for (RFC 5546).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CalendarMethod {
    /// Add or update.
    Publish,
    /// Take out.
    Cancel,
}

impl CalendarMethod {
    /// As in the `METHOD` property.
    pub fn name(self) -> &'static str {
        match self {
            Self::Publish => "PUBLISH",
            Self::Cancel => "CANCEL",
        }
    }
}

/// Why a mail was not accepted by the relay. Without the address: that is personal data.
#[derive(Debug, thiserror::Error)]
pub enum MailError {
    /// The relay refuses this recipient for good.
    #[error("recipient refused ({0})")]
    Recipient(u16),
    /// The address or the message is not one.
    #[error("not sendable: {0}")]
    Unsendable(&'static str),
    /// The relay is away, busy, or refuses us: try again.
    #[error("relay unavailable: {0}")]
    Relay(String),
}

impl MailError {
    /// Whether another try can help.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Relay(_))
    }
}

/// The relay's address or the sender is not one.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct MailerError(&'static str);

/// A guest has no way to a relay: every mail waits. The functions that send some do not run there (`function.yaml`).
#[cfg(target_family = "wasm")]
pub struct Mailer;

#[cfg(target_family = "wasm")]
impl Mailer {
    /// None, whatever the relay is.
    ///
    /// # Errors
    /// Never.
    pub fn new(_: Option<&str>, _: &str) -> Result<Self, MailerError> {
        Ok(Self)
    }

    /// Sends nothing.
    ///
    /// # Errors
    /// [`MailError::Relay`].
    #[expect(clippy::unused_async, reason = "as where there is a relay")]
    pub async fn send(&self, _: &Mail) -> Result<(), MailError> {
        Err(MailError::Relay("there is no way to a relay".into()))
    }
}
