//! Where a mailbox's server is, by Autodiscover in plain XML (POX): addresses to ask, what to ask, and what the answers mean. Who asks is
//! elsewhere. Only https is followed; credentials go to the mailbox's own domain and its `autodiscover` host, and to another host only
//! once one of these, or a host that one of these named, led there, and it answered over TLS.

mod answer;

use std::collections::VecDeque;

use http::{StatusCode, Uri};

use super::hosts;
use super::xml::el;
use crate::{Fault, Why};
use answer::Told;

/// How often one may be sent on: what Microsoft's own clients allow.
const MOST_REDIRECTIONS: usize = 10;
const ASKS: &str = "http://schemas.microsoft.com/exchange/autodiscover/outlook/requestschema/2006";
const ANSWERS: &str = "http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a";

/// One request of the search: `POST` of `text/xml` to an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    /// Where, always https.
    pub address: Uri,
    /// What.
    pub body: Vec<u8>,
    /// Whether credentials may go with it.
    pub proof: bool,
}

/// What came back.
pub enum Reply<'a> {
    /// An answer over TLS: its status, where it leads if it leads anywhere, its body.
    Answer(StatusCode, Option<&'a str>, &'a [u8]),
    /// None.
    Nothing,
}

/// What a reply comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// Ask on, with [`Search::ask`].
    On,
    /// The services are at this address.
    Found(Uri),
    /// They cannot be found this way.
    Failed(Fault),
}

/// A search for one mailbox's server.
#[derive(Debug)]
pub struct Search {
    mailbox: String,
    /// The domain that our credentials are for.
    home: String,
    /// Where to ask, the likeliest first, and whether credentials may go there.
    to_ask: VecDeque<(Uri, bool)>,
    redirections: usize,
    /// The fault that tells the most so far.
    fault: Fault,
}

impl Search {
    /// For the mailbox of an address.
    ///
    /// # Errors
    /// [`Why::NoMailbox`] for what is no address of mail.
    pub fn new(mailbox: &str) -> Result<Self, Fault> {
        let mut search = Self {
            mailbox: mailbox.to_owned(),
            home: domain(mailbox).unwrap_or_default(),
            to_ask: VecDeque::new(),
            redirections: 0,
            fault: Fault::new(Why::NoMailbox, "no server was found"),
        };
        search.begin(mailbox)?;
        Ok(search)
    }

    /// What to ask next.
    pub fn ask(&self) -> Option<Ask> {
        let (address, proof) = self.to_ask.front()?;
        let request = el("Request")
            .with(el("EMailAddress").text(&self.mailbox))
            .with(el("AcceptableResponseSchema").text(ANSWERS));
        let body = el("Autodiscover").attr("xmlns", ASKS).with(request).document();
        Some(Ask { address: address.clone(), body, proof: *proof })
    }

    /// Takes the reply to what [`Search::ask`] gave.
    pub fn heard(&mut self, reply: Reply<'_>) -> Next {
        let Some((address, proven)) = self.to_ask.pop_front() else { return Next::Failed(self.fault.clone()) };
        match self.judged(reply, address, proven) {
            Ok(Some(server)) => return Next::Found(server),
            Ok(None) => {}
            // Whatever one address says, the next may know better: the first is often no more than a web site.
            Err(fault) => self.note(fault),
        }
        if self.to_ask.is_empty() || self.redirections > MOST_REDIRECTIONS {
            Next::Failed(self.fault.clone())
        } else {
            Next::On
        }
    }

    fn judged(&mut self, reply: Reply<'_>, address: Uri, proven: bool) -> Result<Option<Uri>, Fault> {
        let (status, location, body) = match reply {
            Reply::Nothing => return Ok(None),
            Reply::Answer(status, location, body) => (status, location, body),
        };
        if let Some(location) = location.filter(|_| status.is_redirection()) {
            return self.sent_on(location);
        }
        if status == StatusCode::UNAUTHORIZED && !proven {
            // It is who it says it is, was named by who may name it, and asks for proof.
            self.to_ask.push_front((address, true));
            return Ok(None);
        }
        if status != StatusCode::OK {
            return Err(super::codes::of_status(status, &http::HeaderMap::new()));
        }
        match answer::told(body)? {
            Told::Server(server) => hosts::allowed(&server).map(|()| Some(server)),
            Told::Address(mailbox) => self.renamed(&mailbox),
            Told::Url(url) => self.sent_on(&url),
        }
    }

    /// Keeps the fault that tells the most: that the mailbox is elsewhere or we are not let in, rather than that a web site is a web site.
    fn note(&mut self, fault: Fault) {
        let telling = |fault: &Fault| match fault.why {
            Why::Unauthenticated | Why::Forbidden | Why::Refused => 2,
            Why::NoMailbox if fault.code.starts_with("Autodiscover") => 2,
            Why::NoMailbox => 0,
            _ => 1,
        };
        if telling(&fault) > telling(&self.fault) {
            self.fault = Fault { perhaps_done: false, ..fault };
        }
    }

    /// The addresses of a domain, in Microsoft's order; those in clear, by DNS and in the directory are left out.
    fn begin(&mut self, mailbox: &str) -> Result<(), Fault> {
        let domain = domain(mailbox).filter(|_| !mailbox.starts_with('@')).unwrap_or_default();
        let is_name =
            domain.contains('.') && domain.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.' || b == b'-');
        if !is_name {
            return Err(Fault::new(Why::NoMailbox, "not an address of mail"));
        }
        self.to_ask.clear();
        for host in [domain.clone(), format!("autodiscover.{domain}")] {
            let address = format!("https://{host}/autodiscover/autodiscover.xml").parse();
            self.to_ask.push_back((address.map_err(|_| Fault::new(Why::NoMailbox, "not an address of mail"))?, true));
        }
        Ok(())
    }

    fn counted(&mut self) -> Result<(), Fault> {
        self.redirections += 1;
        if self.redirections > MOST_REDIRECTIONS { Err(Fault::new(Why::Refused, "sent on too often")) } else { Ok(()) }
    }

    /// Another address is the mailbox's. What is at its domain gets our credentials at once only if it is the one they are for.
    fn renamed(&mut self, mailbox: &str) -> Result<Option<Uri>, Fault> {
        self.counted()?;
        self.begin(mailbox)?;
        mailbox.clone_into(&mut self.mailbox);
        let stays = domain(mailbox).as_deref() == Some(&self.home);
        self.to_ask.iter_mut().for_each(|(_, proof)| *proof = stays);
        Ok(None)
    }

    fn sent_on(&mut self, url: &str) -> Result<Option<Uri>, Fault> {
        self.counted()?;
        let url: Uri = url.trim().parse().map_err(|_| Fault::new(Why::Refused, "sent on to what is no address"))?;
        hosts::allowed(&url)?;
        if url.scheme_str() != Some("https")
            || url.authority().is_some_and(|authority| authority.as_str().contains('@'))
        {
            return Err(Fault::new(Why::Refused, "sent on to what is not https"));
        }
        let host = url.host().unwrap_or_default().to_ascii_lowercase();
        let own = host == self.home || host == format!("autodiscover.{}", self.home);
        self.to_ask.push_front((url, own));
        Ok(None)
    }
}

fn domain(mailbox: &str) -> Option<String> {
    mailbox.rsplit_once('@').map(|(_, domain)| domain.to_ascii_lowercase())
}

#[cfg(test)]
mod tests;
