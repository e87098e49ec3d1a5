use std::sync::{Arc, Mutex};
use std::time::Duration;

use domain::sync::RemoteId;
use exchange::auth::Tokens;
use exchange::graph::{Graph, Place};
use exchange::{Answer, Calendar as _, Fault, Line, Request, Response, Transport, TransportError, Why};
use exchange_fakes::mailbox::What;
use futures_util::future::BoxFuture;

use crate::world::{World, mirror, window};

#[tokio::test]
async fn a_token_that_is_not_taken_any_more_is_asked_for_once() {
    let world = World::new();
    world.changes(None, window()).await.unwrap();
    world.fake.revoke();
    world.changes(None, window()).await.unwrap();
    world.server.state().faults.push(exchange_fakes::mailbox::Fault {
        times: 2,
        ..exchange_fakes::mailbox::Fault::once("changes", What::Status(401, "InvalidAuthenticationToken"))
    });
    assert_eq!(world.changes(None, window()).await.unwrap_err().why, Why::Unauthenticated);
}

#[tokio::test]
async fn each_refusal_comes_to_what_it_means() {
    let world = World::new();
    let made = world.create(&mirror(1, "2026-12-01T09:00:00Z", "2026-12-01T09:30:00Z")).await.unwrap();
    for (status, code, why) in [
        (404, "ErrorItemNotFound", Why::Gone),
        (404, "ResourceNotFound", Why::NoMailbox),
        (404, "MailboxNotEnabledForRESTAPI", Why::NoMailbox),
        (404, "ErrorInvalidUser", Why::NoMailbox),
        // A word that is not known says nothing of the item.
        (404, "UnknownError", Why::Unavailable),
        (403, "ErrorAccessDenied", Why::Forbidden),
        (409, "ErrorIrresolvableConflict", Why::Conflict),
        (412, "ErrorIrresolvableConflict", Why::Conflict),
        (410, "ErrorItemNotFound", Why::Gone),
        (429, "ApplicationThrottled", Why::Throttled),
        (503, "ErrorServerBusy", Why::Throttled),
        (503, "ServiceUnavailable", Why::Unavailable),
        (400, "ErrorOccurrenceCrossingBoundary", Why::Refused),
        (302, "x", Why::Malformed),
    ] {
        world.goes_wrong("delete", What::Status(status, code));
        let fault = world.delete(&made.id, &made.version).await.unwrap_err();
        assert_eq!((fault.why, fault.code.as_str()), (why, code), "{status} {code}");
    }
    world.goes_wrong("delete", What::Throttled(Some(17)));
    let fault = world.delete(&made.id, &made.version).await.unwrap_err();
    assert_eq!((fault.why, fault.retry_after), (Why::Throttled, Some(Duration::from_secs(17))));
    world.goes_wrong("delete", What::Throttled(None));
    assert_eq!(world.delete(&made.id, &made.version).await.unwrap_err().retry_after, None);
    world.goes_wrong("delete", What::LostAnswer);
    assert!(world.delete(&made.id, &made.version).await.unwrap_err().perhaps_done);
    world.goes_wrong("update", What::Raced);
    assert_eq!(world.delete(&made.id, &made.version).await.unwrap_err().why, Why::Gone);
}

#[tokio::test]
async fn a_change_between_reading_and_writing_is_a_conflict() {
    let world = World::new();
    let event = mirror(1, "2026-12-01T09:00:00Z", "2026-12-01T09:30:00Z");
    let made = world.create(&event).await.unwrap();
    world.goes_wrong("update", What::Raced);
    assert_eq!(world.update(&made.id, &made.version, &event).await.unwrap_err().why, Why::Conflict);
    let read = world.read(&made.id).await.unwrap().unwrap();
    world.update(&made.id, &read.version, &event).await.unwrap();
}

/// What answers the same to whatever comes, and remembers where to.
struct Same(u16, String, Mutex<Vec<String>>);

impl Transport for Same {
    fn send(&self, request: Request, _: Duration, _: usize) -> BoxFuture<'_, Result<Response, TransportError>> {
        self.2.lock().unwrap().push(request.uri().to_string());
        let answer = http::Response::builder().status(self.0).body(self.1.clone().into_bytes().into()).unwrap();
        Box::pin(async { Ok(answer) })
    }
    fn open<'a>(&'a self, _: &'a http::Uri, _: Duration) -> BoxFuture<'a, Result<Box<dyn Line>, TransportError>> {
        Box::pin(async { Err(TransportError::Unsupported) })
    }
}

struct One;

impl Tokens for One {
    fn get<'a>(&'a self, _: Option<&'a str>) -> Answer<'a, String> {
        Box::pin(async { Ok("secret-token".to_owned()) })
    }
}

fn answering(status: u16, body: &str) -> (Graph, Arc<Same>) {
    let transport = Arc::new(Same(status, body.to_owned(), Mutex::default()));
    let place = Place {
        base: "https://graph.microsoft.com/v1.0".into(),
        user: "dr martin/../x@clinique.example".into(),
        address: String::new(),
        calendar: None,
        time_zone: "Europe/Paris".into(),
    };
    (Graph::new(transport.clone(), Arc::new(One), place).unwrap(), transport)
}

#[tokio::test]
async fn the_token_goes_to_no_other_server() {
    for link in [
        "https://graph.microsoft.com.evil.example/v1.0/x",
        "http://graph.microsoft.com/v1.0/x",
        "https://graph.microsoft.com:444/v1.0/x",
        "https://graph.microsoft.com@evil.example/x",
        "https://user@graph.microsoft.com/x",
        "//evil.example/x",
        "/v1.0/x",
        "",
    ] {
        for name in ["@odata.nextLink", "@odata.deltaLink"] {
            let (graph, asked) = answering(200, &format!(r#"{{"value":[],"{name}":"{link}"}}"#));
            assert_eq!(graph.changes(None, window()).await.unwrap_err().why, Why::Malformed, "{link}");
            assert_eq!(asked.2.lock().unwrap().len(), 1, "{link}");
        }
        // Neither when it is a cursor that was kept.
        let (graph, asked) = answering(200, r#"{"value":[]}"#);
        let cursor = serde_json::json!({"from": window().start(), "to": window().end(), "link": link}).to_string();
        graph.changes(Some(&exchange::Cursor(cursor)), window()).await.unwrap_err();
        assert_eq!(asked.2.lock().unwrap().len(), 0, "{link}");
    }
    let (graph, asked) = answering(200, r#"{"value":[],"@odata.deltaLink":"https://GRAPH.microsoft.com:443/v1.0/x"}"#);
    graph.changes(None, window()).await.unwrap();
    let asked = asked.2.lock().unwrap()[0].clone();
    assert!(
        asked.starts_with("https://graph.microsoft.com/v1.0/users/dr%20martin%2F..%2Fx%40clinique.example/calendar/"),
        "{asked}"
    );
}

#[tokio::test]
async fn pages_without_an_end_end() {
    let (graph, asked) = answering(200, r#"{"value":[],"@odata.nextLink":"https://graph.microsoft.com/v1.0/x"}"#);
    assert_eq!(graph.changes(None, window()).await.unwrap_err().why, Why::Malformed);
    assert_eq!(asked.2.lock().unwrap().len(), 2);
    for body in ["", "{}", "[]", "null", r#"{"value":7}"#, r#"{"value":[]}"#, "<html>", r#"{"error":{}}"#] {
        let (graph, _) = answering(200, body);
        assert_eq!(graph.changes(None, window()).await.unwrap_err().why, Why::Malformed, "{body}");
    }
}

#[tokio::test]
async fn a_page_of_a_proxy_says_nothing_of_an_item() {
    for body in
        ["", "<html>Not found</html>", "{}", r#"{"error":{"code":"<b>Jean Dupont</b>","message":"Jean Dupont"}}"#]
    {
        let (graph, _) = answering(404, body);
        let fault = graph.read(&RemoteId("x".into())).await.unwrap_err();
        assert_eq!((fault.why, fault.code.as_str()), (Why::Malformed, "status 404"), "{body}");
    }
    let (graph, _) = answering(
        403,
        r#"{"error":{"code":"ErrorAccessDenied","message":"Jean Dupont","innerError":{"innererror":{}}}}"#,
    );
    let fault: Fault = graph.read(&RemoteId("x".into())).await.unwrap_err();
    assert_eq!(format!("{fault} {fault:?}").matches("Dupont").count(), 0);
}

#[tokio::test]
async fn rows_that_are_not_understood_stop_no_other() {
    let good = r#"{"id":"good","@odata.etag":"W/\"1\"","start":{"dateTime":"2026-12-01T10:00:00.0000000","timeZone":"UTC"},
        "end":{"dateTime":"2026-12-01T11:00:00.0000000","timeZone":"UTC"},"isAllDay":false,"showAs":"busy","sensitivity":"normal",
        "type":"singleInstance","somethingNew":{"a":[1]}}"#;
    let strange = good.replace("good", "strange").replace("\"busy\"", "\"somethingNew\"");
    let wrong = good.replace("good", "wrong").replace("\"dateTime\":\"2026-12-01T11", "\"dateTime\":\"2026-13-41T11");
    let backwards = good.replace("good", "backwards").replace("01T11", "01T09");
    let kind = r#"{"id":"kind","start":7}"#;
    let body = format!(
        r#"{{"value":[7,null,{{}},{strange},{wrong},{backwards},{kind},{good}],"@odata.deltaLink":"https://graph.microsoft.com/x"}}"#
    );
    let (graph, _) = answering(200, &body);
    let changes = graph.changes(None, window()).await.unwrap();
    assert_eq!(changes.items.iter().map(|item| item.id.0.as_str()).collect::<Vec<_>>(), ["good"]);
    let unread: Vec<&str> = changes.unread.iter().map(|(id, _)| id.0.as_str()).collect();
    assert_eq!(unread, ["", "backwards", "kind", "strange", "wrong"]);
}
