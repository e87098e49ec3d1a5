use http::Uri;

use crate::ews::{codes, xml};
use crate::{Fault, Why};

/// What an answer says.
#[derive(Debug, PartialEq, Eq)]
pub enum Told {
    /// The services are there.
    Server(Uri),
    /// The mailbox has another address.
    Address(String),
    /// Ask there.
    Url(String),
}

/// What an answer says.
///
/// # Errors
/// [`Why::NoMailbox`] when there is none; [`Why::Malformed`] when it is not understood.
pub fn told(body: &[u8]) -> Result<Told, Fault> {
    let malformed = |reason: &str| Fault::new(Why::Malformed, reason);
    let root = xml::read(body).map_err(|error| malformed(&error.to_string()))?;
    let response = root.child("Response").ok_or_else(|| malformed("not an answer of Autodiscover"))?;
    if let Some(error) = response.child("Error") {
        let code = error.word("ErrorCode").unwrap_or_default();
        // 500: the address is not known; 600 and 601: it was not understood.
        let why = if code == "500" { Why::NoMailbox } else { Why::Refused };
        return Err(Fault::new(why, format!("Autodiscover {}", codes::word(code))));
    }
    let account = response.child("Account").ok_or_else(|| malformed("no account"))?;
    if let Some(address) = account.word("RedirectAddr").filter(|address| !address.is_empty()) {
        return Ok(Told::Address(address.to_owned()));
    }
    if let Some(url) = account.word("RedirectUrl").filter(|url| !url.is_empty()) {
        return Ok(Told::Url(url.to_owned()));
    }
    // What is meant for outside comes first: it is reached from inside too.
    let protocols = |kind: &'static str| {
        account.children.iter().filter(move |p| p.name == "Protocol" && p.word("Type") == Some(kind))
    };
    let addresses =
        ["EXPR", "EXHTTP", "EXCH"].into_iter().flat_map(protocols).filter_map(|protocol| protocol.word("EwsUrl"));
    let server = addresses
        .filter_map(|address| address.parse::<Uri>().ok())
        .find(|address| address.scheme_str() == Some("https"));
    server.map(Told::Server).ok_or_else(|| Fault::new(Why::Refused, "no address of the services"))
}
