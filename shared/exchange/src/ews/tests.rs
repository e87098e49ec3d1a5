//! How answers are read, and what a session is given to send.

use std::collections::BTreeSet;
use std::sync::Mutex;

use futures_executor::block_on;
use futures_util::future::BoxFuture;
use http::{StatusCode, Uri};
use proptest::prelude::*;
use uuid::Uuid;

use super::session::{Basic, Hears, Session};
use super::*;
use crate::{Line, Request, Response, Transport, TransportError, Why};

const SOAP: &str = "xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\" xmlns:m=\"http://schemas.microsoft.com/exchange/services/2006/messages\" \
                    xmlns:t=\"http://schemas.microsoft.com/exchange/services/2006/types\"";

fn answer(status: u16, body: &str) -> Response {
    let mut answer = Response::new(Bytes::from(format!("<s:Envelope {SOAP}><s:Body>{body}</s:Body></s:Envelope>")));
    *answer.status_mut() = StatusCode::from_u16(status).unwrap();
    answer
}

fn fault(status: u16, body: &str) -> Fault {
    answers::body(&answer(status, body)).and_then(answers::message).unwrap_err()
}

/// A busy server as it was recorded: its code in two places, the rest it asks for in a third.
const BUSY: &str = "<s:Fault><faultcode xmlns:a=\"http://schemas.microsoft.com/exchange/services/2006/types\">a:ErrorServerBusy</faultcode>\
    <faultstring xml:lang=\"en-US\">The server cannot service this request right now.</faultstring><detail><e:ResponseCode \
    xmlns:e=\"http://schemas.microsoft.com/exchange/services/2006/errors\">\n  ErrorServerBusy </e:ResponseCode>\
    <t:MessageXml><t:Value Name=\"BackOffMilliseconds\">297749</t:Value></t:MessageXml></detail></s:Fault>";

#[test]
fn a_fault_is_one_whatever_its_status() {
    for status in [200, 400, 500, 503] {
        let busy = fault(status, BUSY);
        assert_eq!((busy.why, busy.code.as_str(), busy.perhaps_done), (Why::Throttled, "ErrorServerBusy", false));
        assert_eq!(busy.retry_after, Some(Duration::from_millis(297_749)));
    }
    assert_eq!(fault(200, "<s:Fault><faultcode>ErrorServerBusy</faultcode></s:Fault>").why, Why::Throttled);
    assert_eq!(fault(500, "<s:Fault><faultcode>s:Client</faultcode></s:Fault>").why, Why::Refused);
    assert_eq!(fault(500, "<s:Fault><faultcode>s:Server</faultcode></s:Fault>").why, Why::Unavailable);
    let inner = "<m:XResponse><m:ResponseMessages><m:X ResponseClass=\"Error\"><m:ResponseCode>ErrorInternalServerError</m:ResponseCode><m:MessageXml>\
                 <t:Value Name=\"InnerErrorResponseCode\">ErrorServerBusy</t:Value></m:MessageXml></m:X></m:ResponseMessages></m:XResponse>";
    assert_eq!((fault(200, inner).why, fault(200, inner).code.as_str()), (Why::Throttled, "ErrorServerBusy"));
}

#[test]
fn nothing_that_a_server_says_is_repeated_but_a_code() {
    let told = fault(500, "<s:Fault><faultcode>Dupont, Marie &lt;marie@example.fr&gt;</faultcode></s:Fault>");
    assert_eq!((told.why, told.code.as_str()), (Why::Refused, "a code that is none"));
    assert_eq!(fault(200, "<m:X><m:ResponseMessages><m:Y/></m:ResponseMessages></m:X>").why, Why::Malformed);
    assert_eq!(fault(200, "<m:X/>").why, Why::Malformed);
    assert_eq!(fault(200, "").why, Why::Malformed);
}

#[test]
fn a_rest_is_in_seconds_and_never_for_ever() {
    let mut resting = answer(429, "");
    for (text, rest) in
        [("7", Some(7)), ("999999999", Some(3_600)), ("Wed, 21 Oct 2026 07:28:00 GMT", None), ("-1", None)]
    {
        resting.headers_mut().insert(http::header::RETRY_AFTER, text.parse().unwrap());
        assert_eq!(answers::body(&resting).unwrap_err().retry_after, rest.map(Duration::from_secs), "{text}");
    }
}

#[test]
fn every_remedy_has_codes_and_what_nobody_knows_is_refused() {
    let codes = [
        "ErrorPasswordExpired",
        "ErrorAccessDenied",
        "ErrorNonExistentMailbox",
        "ErrorInvalidSyncStateData",
        "ErrorIrresolvableConflict",
        "ErrorItemNotFound",
        "ErrorServerBusy",
        "ErrorTimeoutExpired",
        "ErrorSubscriptionNotFound",
        "ErrorSchemaValidation",
    ];
    assert_eq!(codes.iter().map(|code| codes::why(code)).collect::<BTreeSet<_>>().len(), 10);
    assert_eq!(codes::why("ErrorOfTomorrow"), Why::Refused);
    for code in ["ErrorExceededConnectionCount", "ErrorMailboxMoveInProgress"] {
        assert_eq!(codes::why(code), Why::Throttled);
    }
    for code in [
        "ErrorReadEventsFailed",
        "ErrorMissedNotificationEvents",
        "ErrorInvalidWatermark",
        "ErrorExceededSubscriptionCount",
    ] {
        assert_eq!(codes::why(code), Why::NoWatch);
    }
    for code in ["ErrorChangeKeyRequired", "ErrorChangeKeyRequiredForWriteOperations"] {
        assert_eq!(codes::why(code), Why::Conflict);
    }
    assert_eq!(codes::why("ErrorSyncFolderNotFound"), Why::CursorLost);
}

#[test]
fn an_item_is_read_whatever_is_left_out_or_said_twice() {
    let read = |inner: &str| {
        let document = format!("<t:CalendarItem {SOAP}>{inner}</t:CalendarItem>");
        answers::item(&xml::read(document.as_bytes()).unwrap())
    };
    let tag = "<t:ExtendedProperty><t:ExtendedFieldURI PropertySetId=\"9C1C2F0B-6D0B-4A9F-8E6E-2F1D4F6A7B35\" PropertyName=\"appointment\" \
               PropertyType=\"String\"/><t:Value> 00000000-0000-0000-0000-000000000007/3 </t:Value></t:ExtendedProperty>";
    let ours = read(&format!(
        "{tag}{tag}<t:End>2026-12-01T10:30:00.1234567890+0100</t:End><t:Start>2026-12-01T10:00:00+01:00</t:Start><t:Subject>x</t:Subject>\
         <t:Unknown/><t:ItemId ChangeKey=\"k\" Id=\"A+/=\"/><t:Sensitivity>Private</t:Sensitivity>"
    ))
    .unwrap();
    assert_eq!((ours.id.0.as_str(), ours.version.0.as_str(), ours.tag.unwrap().generation), ("A+/=", "k", 3));
    assert_eq!(
        (ours.face.starts_at.to_string(), ours.face.ends_at.to_string()),
        ("2026-12-01T09:00:00Z".into(), "2026-12-01T09:30:00Z".into())
    );
    assert!(ours.face.private && !ours.face.text.is_nil() && !ours.cancelled);
    let theirs = read("<t:ItemId Id=\"B\"/><t:Subject>secret</t:Subject><t:Start>2026-12-01T10:00:00</t:Start><t:End>2026-12-01T10:00:00Z</t:End>").unwrap();
    assert_eq!(
        (theirs.face.text, theirs.face.private, theirs.face.shown),
        (Uuid::nil(), false, domain::sync::Shown::Busy)
    );
    assert_eq!(read("<t:ItemId Id=\"C\"/><t:End>2026-12-01T10:00:00Z</t:End>").unwrap_err().0.0, "C");
    assert_eq!(read("<t:Start>2026-12-01T10:00:00Z</t:Start>").unwrap_err().1, "without a number");
}

#[test]
fn availability_is_read_of_events_or_of_digits() {
    let start: domain::Timestamp = "2026-12-01T00:00:00Z".parse().unwrap();
    let read = |view: &str| {
        let document =
            format!("<m:FreeBusyResponse {SOAP}><m:FreeBusyView>{view}</m:FreeBusyView></m:FreeBusyResponse>");
        answers::busy(&xml::read(document.as_bytes()).unwrap(), start)
    };
    let minutes = |from: i64, to: i64| {
        let at = |minute: i64| start.checked_add(jiff::SignedDuration::from_mins(minute)).unwrap();
        Interval::new(at(from), at(to)).unwrap()
    };
    let digits = "<t:FreeBusyViewType>MergedOnly</t:FreeBusyViewType><t:MergedFreeBusy>0122304502</t:MergedFreeBusy>";
    assert_eq!(read(digits), Ok(vec![minutes(5, 25), minutes(45, 50)]));
    let event = |kind: &str| {
        format!(
            "<t:CalendarEvent><t:StartTime>2026-12-01T00:10:00</t:StartTime><t:EndTime>2026-12-01T00:20:00</t:EndTime><t:BusyType>{kind}</t:BusyType>\
             </t:CalendarEvent>"
        )
    };
    let events = |kind: &str| {
        format!(
            "<t:FreeBusyViewType>FreeBusy</t:FreeBusyViewType><t:CalendarEventArray>{}</t:CalendarEventArray>",
            event(kind)
        )
    };
    for (kind, busy) in [("Busy", 1), ("OOF", 1), ("Tentative", 1), ("Free", 0), ("WorkingElsewhere", 0), ("NoData", 0)]
    {
        assert_eq!(read(&events(kind)).unwrap().len(), busy, "{kind}");
    }
    assert_eq!(read("<t:FreeBusyViewType>FreeBusyMerged</t:FreeBusyViewType>"), Ok(vec![]));
    assert_eq!(read("<t:FreeBusyViewType>None</t:FreeBusyViewType>").unwrap_err().why, Why::Forbidden);
}

proptest! {
    #[test]
    fn an_instant_is_the_same_however_it_is_written(second in -60_000_000_000_i64..200_000_000_000, offset in -14 * 60..=14 * 60_i32, digits in "\\.[0-9]{1,12}|") {
        let at = domain::Timestamp::from_second(second).unwrap();
        let civil = jiff::tz::Offset::from_seconds(offset * 60).unwrap().to_datetime(at).strftime("%Y-%m-%dT%H:%M:%S").to_string();
        prop_assume!(!civil.starts_with('-'));
        let (sign, hours, minutes) = (if offset < 0 { '-' } else { '+' }, offset.abs() / 60, offset.abs() % 60);
        for text in [format!("{civil}{digits}{sign}{hours:02}:{minutes:02}"), format!(" {civil}{digits}{sign}{hours:02}{minutes:02}\n")] {
            prop_assert_eq!(answers::instant(&text), Some(at), "{}", text);
        }
        let plain = jiff::tz::Offset::UTC.to_datetime(at).strftime("%Y-%m-%dT%H:%M:%S").to_string();
        for text in [format!("{plain}{digits}Z"), format!("{plain}{digits}z"), format!("{plain}{digits}")] {
            prop_assert_eq!(answers::instant(&text), Some(at), "{}", text);
        }
    }

    #[test]
    fn what_is_no_instant_is_none(text in "[0-9TZ:+. -]{0,30}|\\PC{0,20}") {
        let _ = answers::instant(&text);
        for none in ["", "T", "2026-12-01T10:00:00+1", "2026-12-01T10:00:00+25:00", "2026-12-01T10:00:00 Paris", "2026-13-01T10:00:00Z", "2026-12-01T1é:00:00Z"] {
            prop_assert_eq!(answers::instant(none), None, "{}", none);
        }
    }
}

/// A transport that answers with a cookie and keeps what it was given.
#[derive(Default)]
struct Kept(Mutex<Vec<Request>>);

impl Transport for Kept {
    fn send(&self, request: Request, _: Duration, _: usize) -> BoxFuture<'_, Result<Response, TransportError>> {
        self.0.lock().unwrap().push(request);
        let mut response = Response::new(Bytes::new());
        response
            .headers_mut()
            .insert(http::header::SET_COOKIE, HeaderValue::from_static("X-BackEndCookie=mbx1; path=/EWS"));
        Box::pin(std::future::ready(Ok(response)))
    }

    fn open<'a>(&'a self, _: &'a Uri, _: Duration) -> BoxFuture<'a, Result<Box<dyn Line>, TransportError>> {
        Box::pin(std::future::ready(Err(TransportError::Unsupported)))
    }
}

fn account() -> Account {
    Account {
        mailbox: "dr.a@clinic.example".into(),
        reach: Reach::Impersonation,
        version: ServerVersion::Exchange2013Sp1,
    }
}

#[test]
fn a_request_says_who_asks_for_whom_and_comes_back_to_the_same_server() {
    let kept = Arc::new(Kept::default());
    let endpoint: Uri = "https://mail.clinic.example/EWS/Exchange.asmx".parse().unwrap();
    let session = Basic::new(kept.clone(), endpoint.clone(), "CLINIC\\svc", "pässword").unwrap();
    let calendar = Ews::new(Arc::new(session), account()).unwrap();
    for _ in 0..2 {
        assert_eq!(block_on(calendar.read(&RemoteId("x".into()))).unwrap_err().why, Why::Malformed);
    }
    let requests = kept.0.lock().unwrap();
    let header =
        |request: &Request, name: &str| request.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
    assert_eq!((requests[0].method().as_str(), requests[0].uri()), ("POST", &endpoint));
    assert_eq!(header(&requests[0], "authorization").unwrap(), "Basic Q0xJTklDXHN2Yzpww6Rzc3dvcmQ=");
    assert_eq!(header(&requests[0], "content-type").unwrap(), "text/xml; charset=utf-8");
    assert_eq!(header(&requests[0], "x-anchormailbox").unwrap(), "dr.a@clinic.example");
    assert_eq!(
        (header(&requests[0], "cookie"), header(&requests[1], "cookie").as_deref()),
        (None, Some("X-BackEndCookie=mbx1"))
    );
    let shown = format!("{:?}", requests[1]);
    assert!(!shown.contains("Q0xJ") && !shown.contains("mbx1"), "{shown}");
    assert!(Basic::new(kept.clone(), endpoint, "a:b", "c").is_err());
}

#[test]
fn exchange_online_and_what_is_in_clear_is_not_spoken_to() {
    struct Nowhere(Uri);
    impl Session for Nowhere {
        fn endpoint(&self) -> &Uri {
            &self.0
        }
        fn post(&self, _: HeaderMap, _: Bytes, _: Duration, _: usize) -> BoxFuture<'_, Result<Response, Fault>> {
            unreachable!()
        }
        fn listen<'a>(
            &'a self, _: HeaderMap, _: Bytes, _: Duration, _: Duration, _: Hears<'a>,
        ) -> BoxFuture<'a, Result<http::Response<()>, Fault>> {
            unreachable!()
        }
    }
    for address in ["https://outlook.office365.com/EWS/Exchange.asmx", "http://mail.clinic.example/EWS/Exchange.asmx"] {
        let refused = Ews::new(Arc::new(Nowhere(address.parse().unwrap())), account()).err().unwrap();
        assert_eq!(refused.why, Why::Refused);
    }
}
