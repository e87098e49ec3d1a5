use std::time::Duration;

/// Why the other side did not do what was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{why}: {code}")]
pub struct Fault {
    /// What it comes to.
    pub why: Why,
    /// What the server called it: its own code, a status, or a few words of ours. Never a name, a title or a secret.
    pub code: String,
    /// How long the server wants to be left alone.
    pub retry_after: Option<Duration>,
    /// Whether what was asked may have been done all the same.
    pub perhaps_done: bool,
}

/// What a fault comes to, each with a remedy of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Why {
    /// Our credentials are not taken: wrong, expired, or of a kind the server does not take.
    Unauthenticated,
    /// We are known, and may not.
    Forbidden,
    /// There is no such mailbox, or it is kept by a server of the other kind.
    NoMailbox,
    /// The cursor is not known any more.
    CursorLost,
    /// The item has changed meanwhile.
    Conflict,
    /// There is no such item any more.
    Gone,
    /// Too much is asked for; later.
    Throttled,
    /// It does not answer, or fails.
    Unavailable,
    /// The watch is not known any more, or cannot be had for this mailbox.
    NoWatch,
    /// What was asked is refused for itself, and would be again.
    Refused,
    /// The answer is not one.
    Malformed,
}

impl std::fmt::Display for Why {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Unauthenticated => "credentials are not taken",
            Self::Forbidden => "not allowed",
            Self::NoMailbox => "no such mailbox",
            Self::CursorLost => "the cursor is not known any more",
            Self::Conflict => "changed meanwhile",
            Self::Gone => "no such item",
            Self::Throttled => "too many requests",
            Self::Unavailable => "no answer",
            Self::NoWatch => "no watch",
            Self::Refused => "refused",
            Self::Malformed => "not understood",
        })
    }
}

impl Fault {
    /// Of a kind, with the server's own word for it.
    pub fn new(why: Why, code: impl Into<String>) -> Self {
        Self { why, code: code.into(), retry_after: None, perhaps_done: false }
    }

    /// The same, when it may have been done all the same.
    #[must_use]
    pub fn perhaps_done(mut self) -> Self {
        self.perhaps_done = true;
        self
    }

    /// The same, with the time the server wants to be left alone.
    #[must_use]
    pub fn after(mut self, wait: Option<Duration>) -> Self {
        self.retry_after = wait;
        self
    }
}
