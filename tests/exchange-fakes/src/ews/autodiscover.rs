//! Where mailboxes are, in plain XML.

use axum::body::Body;
use axum::extract::State as Of;
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use exchange::ews::xml::{self, Node, el};
use http::HeaderMap;
use http::header::CONTENT_TYPE;

use super::{Ews, PATH};

const OUTER: &str = "http://schemas.microsoft.com/exchange/autodiscover/responseschema/2006";
const INNER: &str = "http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a";

/// Answers with the address of the services, or that nobody knows the mailbox.
pub async fn serve(Of(ews): Of<Ews>, headers: HeaderMap, body: Bytes) -> Response {
    if !ews.lets_in(&headers) {
        return Ews::stranger();
    }
    let asked = xml::read(&body).ok();
    let mailbox = asked
        .as_ref()
        .and_then(|root| root.at(&["Request", "EMailAddress"]))
        .map(|address| address.text.trim().to_lowercase());
    let known = mailbox.is_some_and(|mailbox| ews.server.state().mailbox(&mailbox).is_some());
    let response = if known { found(&ews) } else { unknown() };
    let document = el("Autodiscover").attr("xmlns", OUTER).with(response).document();
    ([(CONTENT_TYPE, "text/xml; charset=utf-8")], Body::from(document)).into_response()
}

fn found(ews: &Ews) -> Node {
    let address = format!("{}{PATH}", ews.settings.address);
    let protocol = |kind: &str| el("Protocol").with(el("Type").text(kind)).with(el("EwsUrl").text(&address));
    let account = el("Account")
        .with(el("AccountType").text("email"))
        .with(el("Action").text("settings"))
        .with(protocol("EXCH"))
        .with(protocol("EXPR"));
    el("Response").attr("xmlns", INNER).with(el("User").with(el("DisplayName").text("Somebody"))).with(account)
}

fn unknown() -> Node {
    let error = el("Error").attr("Time", "09:00:00.0000000").attr("Id", "1");
    let error = error
        .with(el("ErrorCode").text("500"))
        .with(el("Message").text("The e-mail address cannot be found."))
        .with(el("DebugData"));
    el("Response").with(error)
}
