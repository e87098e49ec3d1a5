//! Answers as Exchange words them, exact to its schemas.

use axum::body::Body;
use axum::response::Response;
use exchange::ews::xml::{Node, el};
use http::header::CONTENT_TYPE;
use http::{HeaderValue, StatusCode};

use super::asked::Asked;
use super::{Manner, Settings};

const SOAP: &str = "http://schemas.xmlsoap.org/soap/envelope/";
const MESSAGES: &str = "http://schemas.microsoft.com/exchange/services/2006/messages";
const TYPES: &str = "http://schemas.microsoft.com/exchange/services/2006/types";

/// Why it is not done.
#[derive(Clone, Copy, Debug)]
pub enum Failure {
    /// In the place of a message.
    Message(&'static str),
    /// Of the whole request.
    Fault(&'static str),
}

fn xml(status: StatusCode, document: Vec<u8>) -> Response {
    let mut response = Response::new(Body::from(document));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/xml; charset=utf-8"));
    response
}

/// A page for people.
pub fn page(status: StatusCode, text: &str) -> Response {
    let mut response = Response::new(Body::from(format!("<!DOCTYPE html><html><body><p>{text}<br></body></html>")));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/html"));
    response
}

/// An envelope around what is said.
pub fn envelope(said: Node) -> Vec<u8> {
    let version = el("t:ServerVersionInfo")
        .attr("MajorVersion", "15")
        .attr("MinorVersion", "2")
        .attr("MajorBuildNumber", "2562")
        .attr("MinorBuildNumber", "17")
        .attr("Version", "V2017_07_11");
    el("s:Envelope")
        .attr("xmlns:s", SOAP)
        .attr("xmlns:m", MESSAGES)
        .attr("xmlns:t", TYPES)
        .with(el("s:Header").with(version))
        .with(el("s:Body").with(said))
        .document()
}

/// A fault of the whole request; with a rest, in milliseconds, where the server names one.
pub fn fault(settings: &Settings, code: &str, rest: Option<u64>) -> Response {
    let mut detail = el("detail").with(el("e:ResponseCode").attr("xmlns:e", ERRORS).text(code));
    detail = detail.with(el("e:Message").attr("xmlns:e", ERRORS).text("The server cannot service this request."));
    if let Some(rest) = rest {
        detail = detail
            .with(el("t:MessageXml").with(el("t:Value").attr("Name", "BackOffMilliseconds").text(rest.to_string())));
    }
    let fault = el("s:Fault");
    let (status, fault) = match settings.manner {
        Manner::Exchange => {
            let fault = fault
                .with(el("faultcode").text(format!("t:{code}")))
                .with(el("faultstring").text("It cannot be done."));
            (StatusCode::INTERNAL_SERVER_ERROR, fault.with(detail))
        }
        Manner::Loose => (StatusCode::OK, fault.with(el("faultcode").text(code)).with(el("faultstring").text("no"))),
    };
    xml(status, envelope(fault))
}

const ERRORS: &str = "http://schemas.microsoft.com/exchange/services/2006/errors";

/// The name of the message of an operation.
fn message_of(operation: &str) -> &'static str {
    match operation {
        "SyncFolderItems" => "m:SyncFolderItemsResponseMessage",
        "FindItem" => "m:FindItemResponseMessage",
        "GetItem" => "m:GetItemResponseMessage",
        "CreateItem" => "m:CreateItemResponseMessage",
        "UpdateItem" => "m:UpdateItemResponseMessage",
        "DeleteItem" => "m:DeleteItemResponseMessage",
        "GetFolder" => "m:GetFolderResponseMessage",
        "Subscribe" => "m:SubscribeResponseMessage",
        "Unsubscribe" => "m:UnsubscribeResponseMessage",
        "GetUserAvailability" => "m:FreeBusyResponse",
        _ => "m:GetStreamingEventsResponseMessage",
    }
}

/// A message of success, to be filled.
pub fn success(operation: &str) -> Node {
    el(message_of(operation)).attr("ResponseClass", "Success").with(el("m:ResponseCode").text("NoError"))
}

/// A message of failure.
pub fn error(operation: &str, code: &str) -> Node {
    let told = |node: Node| {
        node.attr("ResponseClass", "Error")
            .with(el("m:MessageText").text("It cannot be done."))
            .with(el("m:ResponseCode").text(code))
            .with(el("m:DescriptiveLinkKey").text("0"))
    };
    let message = el(message_of(operation));
    match operation {
        "GetUserAvailability" => message.with(told(el("m:ResponseMessage"))),
        "GetItem" | "CreateItem" | "UpdateItem" => told(message).with(el("m:Items")),
        "GetFolder" => told(message).with(el("m:Folders")),
        "SyncFolderItems" => told(message).with(el("m:SyncState")).with(el("m:IncludesLastItemInRange").text("true")),
        _ => told(message),
    }
}

/// The answer of an operation with its messages.
pub fn said(operation: &str, messages: Vec<Node>) -> Node {
    let list = |name| el(name).with_all(messages.clone());
    let of = |name| el(name).with(list("m:ResponseMessages"));
    match operation {
        "SyncFolderItems" => of("m:SyncFolderItemsResponse"),
        "FindItem" => of("m:FindItemResponse"),
        "GetItem" => of("m:GetItemResponse"),
        "CreateItem" => of("m:CreateItemResponse"),
        "UpdateItem" => of("m:UpdateItemResponse"),
        "DeleteItem" => of("m:DeleteItemResponse"),
        "GetFolder" => of("m:GetFolderResponse"),
        "Subscribe" => of("m:SubscribeResponse"),
        "Unsubscribe" => of("m:UnsubscribeResponse"),
        "GetUserAvailability" => el("m:GetUserAvailabilityResponse").with(list("m:FreeBusyResponseArray")),
        _ => of("m:GetStreamingEventsResponse"),
    }
}

/// The whole answer.
pub fn messages(asked: &Asked, messages: Vec<Node>) -> Response {
    xml(StatusCode::OK, envelope(said(asked.operation, messages)))
}
