use std::ops::ControlFlow;
use std::sync::Mutex;

use futures_executor::block_on;
use futures_util::stream::{self, BoxStream, StreamExt as _};
use http::header::WWW_AUTHENTICATE;

use super::super::scheme::{self, Wanted};
use super::*;
use crate::{Answer, Line, TransportError};

const SECONDS: Duration = Duration::from_secs(5);
const ENDPOINT: &str = "https://mail.example/EWS/Exchange.asmx";

/// A server that takes one proof, and what it was shown.
#[derive(Clone, Default)]
struct Server {
    takes: &'static str,
    offers: &'static str,
    status: u16,
    shown: Arc<Mutex<Vec<String>>>,
}

impl Server {
    fn taking(takes: &'static str) -> Arc<Self> {
        Arc::new(Self { takes, ..Self::default() })
    }

    fn answer(&self, request: &Request) -> Response {
        let said = request.headers().get(AUTHORIZATION).map(|value| {
            assert!(value.is_sensitive(), "it would be printed");
            value.to_str().unwrap().to_owned()
        });
        let said = said.unwrap_or_default();
        let status = if said == format!("Bearer {}", self.takes) { 200 } else { self.status.max(401) };
        self.shown.lock().unwrap().push(said);
        let answer = http::Response::builder().status(status).header(WWW_AUTHENTICATE, self.offers);
        answer.body(Bytes::from_static(b"<x/>")).unwrap()
    }
}

impl Transport for Server {
    fn send(&self, request: Request, _: Duration, _: usize) -> BoxFuture<'_, Result<Response, TransportError>> {
        Box::pin(async move { Ok(self.answer(&request)) })
    }

    fn open<'a>(&'a self, _: &'a Uri, _: Duration) -> BoxFuture<'a, Result<Box<dyn Line>, TransportError>> {
        Box::pin(async { Ok(Box::new(self.clone()) as Box<dyn Line>) })
    }
}

impl Line for Server {
    fn send(&mut self, request: Request, _: Duration, _: usize) -> BoxFuture<'_, Result<Response, TransportError>> {
        Box::pin(async move { Ok(self.answer(&request)) })
    }

    fn stream(
        &mut self, request: Request, _: Duration, _: Duration,
    ) -> BoxFuture<'_, Result<http::Response<BoxStream<'_, Result<Bytes, TransportError>>>, TransportError>> {
        let answer = self.answer(&request).map(|body| stream::iter([Ok(body)]).boxed());
        Box::pin(async { Ok(answer) })
    }

    fn certificate(&self) -> Option<&[u8]> {
        None
    }

    fn is_over(&self) -> bool {
        false
    }
}

/// `old` until it is refused, `new` afterwards.
struct Two;

impl Tokens for Two {
    fn get<'a>(&'a self, refused: Option<&'a str>) -> Answer<'a, String> {
        Box::pin(async move { Ok(if refused == Some("old") { "new".into() } else { "old".into() }) })
    }
}

fn asked(server: &Arc<Server>) -> (u16, u16, usize) {
    let session = Bearer::new(server.clone(), Uri::from_static(ENDPOINT), Arc::new(Two));
    let answer = block_on(session.post(HeaderMap::new(), Bytes::new(), SECONDS, 1024)).unwrap();
    let mut pieces = 0;
    let mut hears = |_| {
        pieces += 1;
        ControlFlow::Continue(())
    };
    let told = block_on(session.listen(HeaderMap::new(), Bytes::new(), SECONDS, SECONDS, &mut hears)).unwrap();
    (answer.status().as_u16(), told.status().as_u16(), pieces)
}

#[test]
fn a_refused_token_is_replaced_once() {
    for (takes, statuses, shown) in [
        ("old", (200, 200, 1), &["Bearer old"; 2][..]),
        ("new", (200, 200, 1), &["Bearer old", "Bearer new", "Bearer old", "Bearer new"]),
        ("other", (401, 401, 0), &["Bearer old", "Bearer new", "Bearer old", "Bearer new"]),
    ] {
        let server = Server::taking(takes);
        assert_eq!(
            (asked(&server), &server.shown.lock().unwrap()[..]),
            (statuses, &shown.iter().map(ToString::to_string).collect::<Vec<_>>()[..])
        );
    }
}

#[test]
fn what_a_server_offers_is_asked_for_without_proof() {
    let session = |offers: &'static str, status: u16, endpoint: &'static str| {
        let server = Arc::new(Server { takes: "none", offers, status, ..Server::default() });
        let now: super::super::Now = Arc::new(|| domain::Timestamp::UNIX_EPOCH);
        let session = block_on(scheme::session(
            server.clone(),
            endpoint.parse().unwrap(),
            Wanted::Auto,
            ("D\\u", "p"),
            now,
            SECONDS,
        ));
        assert_eq!(*server.shown.lock().unwrap(), [""]);
        session.map(|session| {
            let _ = block_on(session.post(HeaderMap::new(), Bytes::new(), SECONDS, 1024));
            server.shown.lock().unwrap().last().map(|said| said[..6].to_owned()).unwrap()
        })
    };
    let why = |outcome: Result<String, Fault>| outcome.map_err(|fault| fault.why);
    let plain = "http://mail.example/EWS/Exchange.asmx";
    assert_eq!(why(session("NTLM, Basic realm=x", 401, ENDPOINT)), Ok("NTLM T".into()));
    assert_eq!(why(session("Negotiate", 401, ENDPOINT)), Ok("Negoti".into()));
    assert_eq!(why(session("Basic realm=x", 401, ENDPOINT)), Ok("Basic ".into()));
    assert_eq!(why(session("Basic realm=x", 401, plain)), Err(Why::Unauthenticated));
    assert_eq!(why(session("NTLM", 503, ENDPOINT)), Err(Why::Unavailable));
    assert_eq!(why(session("NTLM", 429, ENDPOINT)), Err(Why::Throttled));
    assert_eq!(why(session("NTLM", 404, ENDPOINT)), Err(Why::Refused));
}
