//! Events as they come: one answer of HTTP that holds many envelopes one after the other, cut anywhere. They are taken apart byte by byte,
//! so that where it is cut cannot matter.

use bytes::Bytes;

use super::answers;
use super::xml::Element;
use crate::{Fault, Why};

/// The longest envelope, in bytes. One of five hundred events has some 300,000.
const LONGEST_ENVELOPE: usize = 1024 * 1024;

/// What a server says over a connection that stays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Something changed in the calendars of these subscriptions, or of any if none is named: what, is to be read.
    Changed(Vec<String>),
    /// Nothing did, and it is still there.
    Heartbeat,
    /// It has said all it will over this connection; the subscription may live on.
    Closed,
    /// Events may have been missed, or subscriptions are gone, these or all if none is named: to be subscribed again, and read.
    Lost(Fault, Vec<String>),
}

/// Where in a document the last byte was.
#[derive(Clone, Copy, Debug)]
enum At {
    /// In text, or between documents.
    Text,
    /// After `<`, with what began with it: enough to tell tags from comments.
    Open,
    /// In a tag that begins or ends, and in which quotes, and whether the last byte was a slash.
    Tag { ends: bool, quote: u8, slash: bool },
    /// In what goes on until this is met: a comment, `CDATA`, an instruction.
    Until(&'static [u8]),
}

/// Takes the pieces of an answer apart into events.
#[derive(Debug)]
pub struct Splitter {
    at: At,
    depth: usize,
    /// The document so far.
    document: Vec<u8>,
    /// Where in it the last `<` is.
    opened: usize,
    over: bool,
}

impl Default for Splitter {
    fn default() -> Self {
        Self { at: At::Text, depth: 0, document: Vec::new(), opened: 0, over: false }
    }
}

impl Splitter {
    /// The events that end in this piece. After [`Event::Lost`] none comes any more.
    pub fn take(&mut self, piece: &[u8]) -> Vec<Event> {
        let mut events = Vec::new();
        for byte in piece {
            if self.over {
                break;
            }
            match self.next(*byte) {
                Ok(false) => {}
                Ok(true) => events.extend(events_of(&Bytes::from(std::mem::take(&mut self.document)))),
                Err(reason) => events.push(Event::Lost(Fault::new(Why::Malformed, reason), Vec::new())),
            }
            self.over = matches!(events.last(), Some(Event::Lost(..)));
        }
        events
    }

    /// What the end of the answer means.
    pub fn end(&self) -> Option<Event> {
        let broken = !self.over && (self.depth > 0 || !matches!(self.at, At::Text));
        broken.then(|| Event::Lost(Fault::new(Why::Malformed, "broken off"), Vec::new()))
    }

    /// Takes a byte; whether a document ends with it.
    fn next(&mut self, byte: u8) -> Result<bool, &'static str> {
        if self.document.len() >= LONGEST_ENVELOPE {
            return Err("an envelope without an end");
        }
        let between = self.depth == 0 && matches!(self.at, At::Text) && byte != b'<';
        if between {
            // White space, and marks of byte order.
            return if byte.is_ascii_whitespace() || byte >= 0x80 { Ok(false) } else { Err("not an envelope") };
        }
        self.document.push(byte);
        match self.at {
            At::Text if byte == b'<' => {
                self.opened = self.document.len() - 1;
                self.at = At::Open;
            }
            At::Open => self.open(byte)?,
            At::Tag { ends, quote, slash } => return Ok(self.tag(byte, ends, quote, slash)),
            At::Until(end) if self.document.ends_with(end) && self.document.len() - self.opened > end.len() + 1 => {
                self.at = At::Text;
                if self.depth == 0 {
                    self.document.clear();
                }
            }
            At::Text | At::Until(_) => {}
        }
        Ok(false)
    }

    fn open(&mut self, byte: u8) -> Result<(), &'static str> {
        let begun = self.document.get(self.opened + 1..).unwrap_or_default();
        self.at = match begun {
            b"?" => At::Until(b"?>"),
            b"!--" => At::Until(b"-->"),
            b"![CDATA[" => At::Until(b"]]>"),
            _ if b"!--".starts_with(begun) || b"![CDATA[".starts_with(begun) => At::Open,
            _ if begun.starts_with(b"!") => return Err("a document type"),
            _ => At::Tag { ends: byte == b'/', quote: 0, slash: false },
        };
        Ok(())
    }

    fn tag(&mut self, byte: u8, ends: bool, quote: u8, slash: bool) -> bool {
        if byte != b'>' || quote != 0 {
            let quote = match byte {
                b'"' | b'\'' if quote == 0 => byte,
                _ if byte == quote => 0,
                _ => quote,
            };
            self.at = At::Tag { ends, quote, slash: byte == b'/' };
            return false;
        }
        self.at = At::Text;
        match (ends, slash) {
            (true, _) => self.depth = self.depth.saturating_sub(1),
            (false, false) => self.depth += 1,
            (false, true) => {}
        }
        self.depth == 0
    }
}

/// What one envelope says, [`Event::Changed`] at most once.
fn events_of(document: &Bytes) -> Vec<Event> {
    match answers::envelope(document) {
        Ok(fault) if fault.name == "Fault" => vec![lost(answers::soap_fault(&fault), Vec::new())],
        Ok(said) => said_in(&said),
        Err(fault) => vec![lost(fault, Vec::new())],
    }
}

fn lost(mut fault: Fault, subscriptions: Vec<String>) -> Event {
    fault.perhaps_done = false;
    Event::Lost(fault, subscriptions)
}

fn said_in(said: &Element) -> Vec<Event> {
    let mut events = Vec::new();
    let messages = said.child("ResponseMessages").map(|messages| messages.children.as_slice()).unwrap_or_default();
    let tells = |notification: &&Element| {
        notification.children.iter().any(|event| event.name.ends_with("Event") && event.name != "StatusEvent")
    };
    let notifications = messages.iter().filter_map(|message| message.child("Notifications"));
    let telling: Vec<&Element> = notifications.flat_map(|all| &all.children).filter(tells).collect();
    if !telling.is_empty() {
        let named: Option<Vec<String>> =
            telling.iter().map(|one| one.word("SubscriptionId").map(str::to_owned)).collect();
        events.push(Event::Changed(named.unwrap_or_default()));
    }
    if let Some((message, fault)) = messages.iter().find_map(|one| Some((one, answers::succeeded(one).err()?))) {
        events.push(lost(fault, unknown(message)));
    } else if messages.iter().any(|message| message.word("ConnectionStatus") == Some("Closed")) {
        events.push(Event::Closed);
    }
    if events.is_empty() {
        events.push(Event::Heartbeat);
    }
    events
}

/// The subscriptions that a refusal names.
fn unknown(message: &Element) -> Vec<String> {
    let all = message.child("ErrorSubscriptionIds").map(|all| all.children.as_slice()).unwrap_or_default();
    all.iter().map(|one| one.text.trim().to_owned()).filter(|id| !id.is_empty()).collect()
}

#[cfg(test)]
mod tests;
