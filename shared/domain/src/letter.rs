//! Mails about an account: what is still worth sending when the moment of sending comes.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// Life of the link by which somebody shows an address to be theirs.
pub const VERIFY_LIFE: SignedDuration = SignedDuration::from_hours(3 * 24);
/// Life of the link to a new password.
pub const RESET_LIFE: SignedDuration = SignedDuration::from_mins(30);
/// How long the old address may object to a change that the new one has confirmed. Who lost the old mailbox can still
/// move on; whose mailbox it is has a week to refuse what somebody with their password asked for.
pub const OBJECTION: SignedDuration = SignedDuration::from_hours(7 * 24);
/// A change of address that was not completed by then is forgotten.
pub const CHANGE_LIFE: SignedDuration = SignedDuration::from_hours(14 * 24);

/// Life of a code that is sent to a telephone.
pub const CODE_LIFE: SignedDuration = SignedDuration::from_mins(10);

/// What a mailed token is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Purpose {
    /// To show that an address is the account's.
    VerifyEmail,
    /// To choose a new password.
    ResetPassword,
    /// To confirm a new address, from it.
    ChangeEmail,
    /// To confirm or refuse a new address, from the old one.
    LeaveEmail,
}

impl Purpose {
    /// As in the database, in the token and in the path of the page.
    pub const fn name(self) -> &'static str {
        match self {
            Self::VerifyEmail => "verify-email",
            Self::ResetPassword => "reset-password",
            Self::ChangeEmail => "change-email",
            Self::LeaveEmail => "leave-email",
        }
    }
}

/// What a letter is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LetterKind {
    /// Holds a link of [`Purpose::VerifyEmail`].
    VerifyEmail,
    /// Holds a link of [`Purpose::ResetPassword`].
    ResetPassword,
    /// Holds a link of [`Purpose::ChangeEmail`].
    ChangeEmail,
    /// Holds a link of [`Purpose::LeaveEmail`].
    LeaveEmail,
    /// Somebody else claims the address.
    Claimed,
    /// Something that protects the account was changed.
    Secured,
    /// A professional looked at a record in an emergency.
    Emergency,
    /// Events are no longer sent to a partner's address of the establishment.
    WebhookPaused,
}

impl LetterKind {
    /// What its link is for, if it holds one.
    pub const fn purpose(self) -> Option<Purpose> {
        match self {
            Self::VerifyEmail => Some(Purpose::VerifyEmail),
            Self::ResetPassword => Some(Purpose::ResetPassword),
            Self::ChangeEmail => Some(Purpose::ChangeEmail),
            Self::LeaveEmail => Some(Purpose::LeaveEmail),
            Self::Claimed | Self::Secured | Self::Emergency | Self::WebhookPaused => None,
        }
    }

    /// As in the database and in the names of texts.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Claimed => "claimed",
            Self::Secured => "secured",
            Self::Emergency => "emergency",
            Self::WebhookPaused => "webhook-paused",
            Self::VerifyEmail => Purpose::VerifyEmail.name(),
            Self::ResetPassword => Purpose::ResetPassword.name(),
            Self::ChangeEmail => Purpose::ChangeEmail.name(),
            Self::LeaveEmail => Purpose::LeaveEmail.name(),
        }
    }
}

/// What was done to what protects an account: `what` of `account.secured.v1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Secured {
    /// By who knew the old one.
    PasswordChanged,
    /// By who reads the mailbox.
    PasswordReset,
    /// To another address.
    EmailChanged,
    /// From the old mailbox.
    EmailChangeCancelled,
    /// A passkey or an authenticator.
    SecondFactorAdded,
    /// A passkey or an authenticator.
    SecondFactorRemoved,
    /// By an operator, all of them: its holder had lost them.
    SecondFactorsReset,
    /// A sign-in with one of the codes kept for bad days.
    RecoveryCodeUsed,
    /// By new ones.
    RecoveryCodesReplaced,
    /// By an operator, all of them.
    SessionsEnded,
    /// An identity at a provider: another way in.
    IdentityLinked,
    /// An identity at a provider.
    IdentityUnlinked,
    /// To another number, or to none.
    PhoneChanged,
}

impl Secured {
    /// As in events and in the names of texts.
    pub const fn name(self) -> &'static str {
        match self {
            Self::PasswordChanged => "password-changed",
            Self::PasswordReset => "password-reset",
            Self::EmailChanged => "email-changed",
            Self::EmailChangeCancelled => "email-change-cancelled",
            Self::SecondFactorAdded => "second-factor-added",
            Self::SecondFactorRemoved => "second-factor-removed",
            Self::SecondFactorsReset => "second-factors-reset",
            Self::RecoveryCodeUsed => "recovery-code-used",
            Self::RecoveryCodesReplaced => "recovery-codes-replaced",
            Self::SessionsEnded => "sessions-ended",
            Self::IdentityLinked => "identity-linked",
            Self::IdentityUnlinked => "identity-unlinked",
            Self::PhoneChanged => "phone-changed",
        }
    }
}

/// How a link stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct Link {
    /// Whether it did its work.
    pub used: bool,
    /// When it is worth nothing any more.
    pub expires_at: Timestamp,
}

/// Decides again at the moment of sending: why a letter is not worth sending any more, or none when it is.
pub fn overtaken(kind: LetterKind, link: Option<Link>, verified: bool, now: Timestamp) -> Option<&'static str> {
    let purpose = kind.purpose()?;
    match link {
        None => Some("no link"),
        Some(link) if link.used => Some("used"),
        Some(link) if link.expires_at <= now => Some("expired"),
        Some(_) if purpose == Purpose::VerifyEmail && verified => Some("verified"),
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_that_leads_nowhere_is_not_sent() {
        let now: Timestamp = "2026-03-02T08:00:00Z".parse().unwrap();
        let link = Link { used: false, expires_at: now + RESET_LIFE };
        let after = |kind, link, verified| overtaken(kind, link, verified, now);
        assert_eq!(after(LetterKind::ResetPassword, Some(link), true), None);
        assert_eq!(after(LetterKind::ResetPassword, Some(Link { used: true, ..link }), true), Some("used"));
        assert_eq!(after(LetterKind::ResetPassword, Some(Link { expires_at: now, ..link }), true), Some("expired"));
        assert_eq!(after(LetterKind::VerifyEmail, Some(link), false), None);
        assert_eq!(after(LetterKind::VerifyEmail, Some(link), true), Some("verified"));
        assert_eq!(after(LetterKind::ChangeEmail, None, true), Some("no link"));
        assert_eq!(after(LetterKind::Secured, None, false), None);
    }

    #[test]
    fn names_are_those_of_the_wire() {
        for secured in [Secured::PasswordChanged, Secured::EmailChangeCancelled, Secured::RecoveryCodeUsed] {
            assert_eq!(serde_json::to_value(secured).unwrap(), secured.name());
        }
        for kind in [
            LetterKind::VerifyEmail,
            LetterKind::LeaveEmail,
            LetterKind::Claimed,
            LetterKind::Emergency,
            LetterKind::WebhookPaused,
        ] {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.name());
        }
    }
}
