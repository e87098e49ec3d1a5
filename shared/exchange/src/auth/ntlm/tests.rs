use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine as _;
use domain::Timestamp;
use futures_executor::block_on;
use futures_util::stream::{self, BoxStream, StreamExt as _};
use http::header::WWW_AUTHENTICATE;

use super::*;
use crate::TransportError;

const SECONDS: Duration = Duration::from_secs(5);
/// A second message as the specification's example has it, in base64.
const CHALLENGED: &str = "TlRMTVNTUAACAAAADAAMADgAAAAzgoriASNFZ4mrze8AAAAAAAAAACQAJABEAAAABgBwFwAAAA9TAGUAcgB2AGUAcgACAAwARABvAG0AYQBpAG4AAQAMAFMAZQByAHYAZQByAAAAAAA=";

/// What a server does with each request, in order.
#[derive(Clone, Debug)]
enum Does {
    /// Takes the first message and says the second.
    Challenge,
    /// Asks for proof and says nothing more.
    Ask,
    /// Asks for proof, and closes.
    AskAndClose,
    Answer(u16),
    Break,
    Unreached,
}

#[derive(Default)]
struct Server {
    script: Mutex<Vec<Does>>,
    opened: AtomicUsize,
    /// Connection, kind of the message, length of the body.
    seen: Mutex<Vec<(usize, &'static str, usize)>>,
    over: Arc<Mutex<Vec<usize>>>,
}

struct Wire(Arc<Server>, usize);

impl Server {
    fn with(script: &[Does]) -> Arc<Self> {
        Arc::new(Self { script: Mutex::new(script.to_vec()), ..Self::default() })
    }

    fn next(&self, wire: usize, request: &Request) -> Result<Response, TransportError> {
        let said = request.headers().get(AUTHORIZATION).map(|value| value.to_str().unwrap().to_owned());
        let kind = match said
            .as_deref()
            .and_then(|said| said.strip_prefix("NTLM "))
            .map(|said| STANDARD.decode(said).unwrap())
        {
            None => "bare",
            Some(message) if message[8] == 1 => "first",
            Some(_) => "third",
        };
        self.seen.lock().unwrap().push((wire, kind, request.body().len()));
        let (status, header) = match self.script.lock().unwrap().remove(0) {
            Does::Challenge => (401, Some(format!("NTLM {CHALLENGED}"))),
            Does::Ask => (401, Some("NTLM".into())),
            Does::AskAndClose => {
                self.over.lock().unwrap().push(wire);
                (401, Some("NTLM".into()))
            }
            Does::Answer(status) => (status, None),
            Does::Break => return Err(TransportError::Broken("x".into())),
            Does::Unreached => return Err(TransportError::Unreached("x".into())),
        };
        let mut answer = http::Response::new(Bytes::from_static(b"<x/>"));
        *answer.status_mut() = StatusCode::from_u16(status).unwrap();
        if let Some(header) = header {
            answer.headers_mut().insert(WWW_AUTHENTICATE, header.parse().unwrap());
        }
        Ok(answer)
    }
}

impl Line for Wire {
    fn send(&mut self, request: Request, _: Duration, _: usize) -> BoxFuture<'_, Result<Response, TransportError>> {
        Box::pin(async move { self.0.next(self.1, &request) })
    }

    fn stream(
        &mut self, request: Request, _: Duration, _: Duration,
    ) -> BoxFuture<'_, Result<http::Response<BoxStream<'_, Result<Bytes, TransportError>>>, TransportError>> {
        let answer = self.0.next(self.1, &request);
        Box::pin(
            async move { answer.map(|answer| answer.map(|body| stream::iter([Ok(body.clone()), Ok(body)]).boxed())) },
        )
    }

    fn certificate(&self) -> Option<&[u8]> {
        None
    }

    fn is_over(&self) -> bool {
        self.0.over.lock().unwrap().contains(&self.1)
    }
}

struct Way(Arc<Server>);

impl Transport for Way {
    fn send(&self, _: Request, _: Duration, _: usize) -> BoxFuture<'_, Result<Response, TransportError>> {
        Box::pin(async { Err(TransportError::Unsupported) })
    }

    fn open<'a>(&'a self, _: &'a Uri, _: Duration) -> BoxFuture<'a, Result<Box<dyn Line>, TransportError>> {
        let wire = self.0.opened.fetch_add(1, Ordering::SeqCst);
        Box::pin(async move { Ok(Box::new(Wire(self.0.clone(), wire)) as Box<dyn Line>) })
    }
}

fn session(server: &Arc<Server>, now: Now) -> Ntlm {
    let endpoint = Uri::from_static("https://mail.example/EWS/Exchange.asmx");
    Ntlm::new(Arc::new(Way(server.clone())), endpoint, Account::new("D\\u", "p"), Scheme::Ntlm, now)
}

fn still() -> Now {
    Arc::new(|| Timestamp::UNIX_EPOCH)
}

fn post(session: &Ntlm) -> Result<u16, Fault> {
    let answer = block_on(session.post(HeaderMap::new(), Bytes::from_static(b"<ask/>"), SECONDS, 1024));
    answer.map(|answer| answer.status().as_u16())
}

#[test]
fn the_request_goes_with_the_third_message_and_the_next_without_any() {
    let server = Server::with(&[Does::Challenge, Does::Answer(200), Does::Answer(500), Does::Answer(200)]);
    let session = session(&server, still());
    assert_eq!((post(&session), post(&session), post(&session)), (Ok(200), Ok(500), Ok(200)));
    let seen = server.seen.lock().unwrap().clone();
    assert_eq!(seen, [(0, "first", 0), (0, "third", 6), (0, "bare", 6), (0, "bare", 6)]);
}

#[test]
fn a_server_that_asks_anew_is_answered_anew_on_the_same_connection() {
    let server = Server::with(&[Does::Challenge, Does::Answer(200), Does::Ask, Does::Challenge, Does::Answer(200)]);
    let session = session(&server, still());
    assert_eq!((post(&session), post(&session)), (Ok(200), Ok(200)));
    let seen = server.seen.lock().unwrap()[2..].to_vec();
    assert_eq!(seen, [(0, "bare", 6), (0, "first", 0), (0, "third", 6)]);
}

#[test]
fn a_connection_that_is_over_is_replaced() {
    let again = [Does::Challenge, Does::Answer(200)];
    for between in [vec![Does::AskAndClose], vec![Does::Unreached]] {
        let server = Server::with(&[&again[..], &between[..], &again[..]].concat());
        let session = session(&server, still());
        assert_eq!((post(&session), post(&session)), (Ok(200), Ok(200)), "{between:?}");
        assert_eq!(server.opened.load(Ordering::SeqCst), 2);
    }
    let server = Server::with(&[&again[..], &again[..]].concat());
    let session = session(&server, still());
    assert_eq!(post(&session), Ok(200));
    server.over.lock().unwrap().push(0);
    assert_eq!((post(&session), server.opened.load(Ordering::SeqCst)), (Ok(200), 2));
}

#[test]
fn a_wrong_password_is_tried_once() {
    let server = Server::with(&[Does::Challenge, Does::Ask]);
    assert_eq!(post(&session(&server, still())), Ok(401));
    assert_eq!(server.seen.lock().unwrap().len(), 2);
}

#[test]
fn only_what_was_asked_for_may_have_been_done() {
    let perhaps = |script: &[Does]| {
        let fault = post(&session(&Server::with(script), still())).unwrap_err();
        (fault.why, fault.perhaps_done)
    };
    assert_eq!(perhaps(&[Does::Break]), (Why::Unavailable, false));
    assert_eq!(perhaps(&[Does::Challenge, Does::Break]), (Why::Unavailable, true));
    assert_eq!(perhaps(&[Does::AskAndClose]), (Why::Unauthenticated, false));
    let server = Server::with(&[Does::Challenge, Does::Answer(200), Does::Break]);
    let session = session(&server, still());
    post(&session).unwrap();
    assert!(post(&session).unwrap_err().perhaps_done);
}

#[test]
fn a_server_that_is_too_busy_to_ask_for_proof_is_heard() {
    let server = Server::with(&[Does::Answer(503)]);
    assert_eq!(post(&session(&server, still())), Ok(503));
    let odd = post(&session(&Server::with(&[Does::Answer(200)]), still())).unwrap_err();
    assert_eq!(odd.why, Why::Malformed);
    let other = post(&session(&Server::with(&[Does::Ask]), still())).unwrap_err();
    assert_eq!((other.why, &other.code[..]), (Why::Unauthenticated, "the server does not take NTLM"));
}

#[test]
fn all_messages_together_take_no_longer_than_one_request_may() {
    let server = Server::with(&[Does::Challenge, Does::Answer(200)]);
    let seconds = AtomicUsize::new(0);
    // Each look takes two seconds: the third step would end after the fifth.
    let now: Now = Arc::new(move || {
        Timestamp::from_second(i64::try_from(seconds.fetch_add(2, Ordering::SeqCst)).unwrap()).unwrap()
    });
    let fault = post(&session(&server, now)).unwrap_err();
    assert_eq!((&fault.code[..], fault.perhaps_done), ("no time is left", false));
    assert_eq!(server.seen.lock().unwrap().len(), 1);
}

#[test]
fn what_does_not_end_is_heard_over_a_connection_of_its_own() {
    let server = Server::with(&[
        Does::Challenge,
        Does::Answer(200),
        Does::Challenge,
        Does::Answer(200),
        Does::Challenge,
        Does::Ask,
    ]);
    let session = session(&server, still());
    post(&session).unwrap();
    let listen = || {
        let mut pieces = 0;
        let mut hears = |_| {
            pieces += 1;
            std::ops::ControlFlow::Continue(())
        };
        let answer =
            block_on(session.listen(HeaderMap::new(), Bytes::from_static(b"<ask/>"), SECONDS, SECONDS, &mut hears));
        (answer.unwrap().status().as_u16(), pieces)
    };
    assert_eq!(listen(), (200, 2));
    assert_eq!(listen(), (401, 0));
    assert_eq!(server.opened.load(Ordering::SeqCst), 3);
}
