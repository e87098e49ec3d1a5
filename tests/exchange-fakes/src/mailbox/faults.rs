//! What goes wrong at will, and what was asked.

use super::Server;

/// What becomes of a call instead of what should.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// It is refused, and nothing is done.
    Status(u16, &'static str),
    /// Too many; seconds to wait, if it says so.
    Throttled(Option<u32>),
    /// Nobody is there; nothing is done.
    Unreached,
    /// The connection breaks before anything is done.
    Broken,
    /// It is done, and the connection breaks before the answer.
    LostAnswer,
    /// It is done, and the answer comes after so many seconds.
    Late(u32),
    /// It is done, and half of the answer comes, whole as far as HTTP knows.
    Truncated,
    /// It is done, and the answer is empty.
    Empty,
    /// It is done, and a page for people comes instead of the answer.
    Page,
    /// Of reading changes: half of what there is, without a word about it.
    Shrunk,
    /// Cursors given out are not known any more; when changes are to be told of as they happen, subscriptions are not.
    LoseCursor,
    /// Somebody else changes the item between the call and its doing.
    Raced,
}

/// Something that goes wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// In which operation, as its fake calls it; in any without.
    pub operation: Option<&'static str>,
    /// In whose mailbox (address in lower case); in any without.
    pub mailbox: Option<String>,
    /// So many calls go well before.
    pub skip: u32,
    /// How often.
    pub times: u32,
    /// What.
    pub what: What,
}

impl Fault {
    /// The next call of an operation.
    pub fn once(operation: &'static str, what: What) -> Self {
        Self { operation: Some(operation), mailbox: None, skip: 0, times: 1, what }
    }

    /// The next call of whatever operation.
    pub fn next(what: What) -> Self {
        Self { operation: None, mailbox: None, skip: 0, times: 1, what }
    }
}

/// What goes wrong next.
#[derive(Default)]
pub struct Faults(Vec<Fault>);

impl Faults {
    /// One more.
    pub fn push(&mut self, fault: Fault) {
        self.0.push(fault);
    }

    /// None any more.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// Whether there are none left.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What becomes of this call; each fault counts it.
    pub fn take(&mut self, mailbox: &str, operation: &str) -> Option<What> {
        let fits = |fault: &Fault| {
            fault.operation.is_none_or(|one| one == operation)
                && fault.mailbox.as_ref().is_none_or(|one| one == mailbox)
        };
        let at = self.0.iter().position(fits)?;
        let fault = &mut self.0[at];
        if fault.skip > 0 {
            fault.skip -= 1;
            return None;
        }
        fault.times = fault.times.saturating_sub(1);
        let what = fault.what;
        if fault.times == 0 {
            self.0.remove(at);
        }
        Some(what)
    }
}

/// One call as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// Whose mailbox, by address in lower case; as it was named where there is none.
    pub mailbox: String,
    /// What was asked, as the fake calls it.
    pub operation: &'static str,
    /// How many were under way in that mailbox, this one counted.
    pub in_flight: u32,
}

/// A call that is under way.
pub struct Guard {
    server: Server,
    mailbox: String,
    in_flight: u32,
}

impl Guard {
    pub(crate) fn new(server: Server, mailbox: String, in_flight: u32) -> Self {
        Self { server, mailbox, in_flight }
    }

    /// How many were under way in that mailbox when it came, this one counted.
    pub fn in_flight(&self) -> u32 {
        self.in_flight
    }

    /// Whose mailbox it is about, as [`Call::mailbox`].
    pub fn mailbox(&self) -> &str {
        &self.mailbox
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.server.leave(&self.mailbox);
    }
}
