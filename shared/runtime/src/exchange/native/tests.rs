use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::response::Redirect;
use axum::routing::post;
use rcgen::{CertificateParams, KeyPair};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::outbound::guarded::tests::acceptor;

const PATIENCE: Duration = Duration::from_secs(5);
const MOST: usize = 64 * 1024;

fn way(networks: &str, authorities: Option<&str>) -> Way {
    let authorities = authorities.map(str::to_owned);
    Way::new(&Settings { networks: networks.parse().unwrap(), authorities }).unwrap()
}

fn request(uri: &str) -> Request {
    http::Request::post(uri).body(Bytes::from_static(b"<ask/>")).unwrap()
}

/// A server that counts its connections, and of each says how many requests came by it.
async fn counting(answer: fn(usize, usize) -> String) -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let connections = Arc::new(AtomicUsize::new(0));
    let counted = connections.clone();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let number = counted.fetch_add(1, Ordering::SeqCst) + 1;
            tokio::spawn(serve(stream, number, answer));
        }
    });
    (port, connections)
}

/// An empty answer: it closes without one; one that ends in `!`: after it.
async fn serve(mut stream: TcpStream, number: usize, answer: fn(usize, usize) -> String) {
    let mut read = [0; 4096];
    for time in 1.. {
        match stream.read(&mut read).await {
            Ok(length) if length > 0 => {}
            _ => return,
        }
        let text = answer(number, time);
        let _ = stream.write_all(text.as_bytes()).await;
        if text.is_empty() || text.ends_with('!') {
            return;
        }
    }
}

fn ok(text: &str) -> String {
    format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{text}", text.len())
}

async fn asked(way: &Way, port: u16) -> Result<String, TransportError> {
    let answer = way.send(request(&format!("http://127.0.0.1:{port}/")), PATIENCE, MOST).await?;
    Ok(String::from_utf8(answer.body().to_vec()).unwrap())
}

#[tokio::test]
async fn a_connection_is_used_again_and_no_two_requests_share_one() {
    let (port, connections) = counting(|number, time| ok(&format!("{number}.{time}"))).await;
    let way = way("127.0.0.0/8", None);
    assert_eq!(asked(&way, port).await, Ok("1.1".into()));
    assert_eq!(asked(&way, port).await, Ok("1.2".into()));
    let all = futures_util::future::join_all((0..12).map(|_| asked(&way, port))).await;
    assert!(all.iter().all(Result::is_ok));
    // All but one opened their own; of them eight rest.
    assert_eq!(connections.load(Ordering::SeqCst), 12);
    futures_util::future::join_all((0..9).map(|_| asked(&way, port))).await;
    assert_eq!(connections.load(Ordering::SeqCst), 13);
}

#[tokio::test]
async fn a_connection_that_was_closed_is_replaced_and_one_that_breaks_is_told() {
    let (port, connections) =
        counting(|number, time| if time == 1 { ok(&format!("{number}!")) } else { String::new() }).await;
    let way = way("127.0.0.0/8", None);
    for number in 1..=3 {
        assert_eq!(asked(&way, port).await, Ok(format!("{number}!")));
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(connections.load(Ordering::SeqCst), 3);
    // It took the request and said nothing: what was asked may have been done, and is not asked again.
    let (port, connections) = counting(|_, _| String::new()).await;
    assert!(matches!(asked(&way, port).await, Err(TransportError::Broken(_))));
    assert_eq!(connections.load(Ordering::SeqCst), 1);
    let (port, _) = counting(|_, _| "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf!".into()).await;
    assert!(matches!(asked(&way, port).await, Err(TransportError::Broken(_))));
}

#[tokio::test]
async fn an_answer_that_was_not_waited_for_reaches_nobody_else() {
    let (port, connections) = counting(|number, time| ok(&format!("{number}.{time}"))).await;
    let way = way("127.0.0.0/8", None);
    assert_eq!(asked(&way, port).await, Ok("1.1".into()));
    // Cut after the request went out, as soon as the answer is not there first: a timer ticks by the millisecond.
    let mut tries = 0;
    while tokio::time::timeout(Duration::from_nanos(1), asked(&way, port)).await.is_ok() {
        tries += 1;
        assert!(tries < 1000, "every answer was there before the first tick");
    }
    let fresh = |connections: usize| Ok(format!("{connections}.1"));
    let after = asked(&way, port).await;
    assert_eq!(after, fresh(connections.load(Ordering::SeqCst)));
    let too_large = way.send(request(&format!("http://127.0.0.1:{port}/")), PATIENCE, 2).await;
    assert!(matches!(too_large, Err(TransportError::Broken(_))));
    let after = asked(&way, port).await;
    assert_eq!(after, fresh(connections.load(Ordering::SeqCst)));
}

#[tokio::test]
async fn it_leads_to_where_the_operator_lets_it_and_says_what_did_not_arrive() {
    let (port, connections) = counting(|_, _| ok("x")).await;
    let unsent = |outcome: Result<String, TransportError>| outcome.unwrap_err();
    assert_eq!(unsent(asked(&way("", None), port).await), TransportError::Forbidden);
    assert_eq!(unsent(asked(&way("10.0.0.0/8", None), port).await), TransportError::Forbidden);
    let forbidden = format!("http://127.0.0.1:{port}/").parse().unwrap();
    assert!(matches!(way("", None).open(&forbidden, PATIENCE).await, Err(TransportError::Forbidden)));
    assert_eq!(connections.load(Ordering::SeqCst), 0);
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = nobody.local_addr().unwrap().port();
    drop(nobody);
    let way = way("127.0.0.0/8", None);
    assert!(matches!(unsent(asked(&way, port).await), TransportError::Unreached(_)));
    assert!(matches!(unsent(asked(&way, port).await), TransportError::Unreached(_)));
}

#[tokio::test]
async fn nobody_is_followed_and_silence_ends() {
    let router = Router::new()
        .route("/away", post(async |State(()): State<()>| Redirect::temporary("http://169.254.169.254/")))
        .route("/never", post(async || std::future::pending::<()>().await));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move { axum::serve(listener, router).await });
    let way = way("127.0.0.0/8", None);
    let answer = way.send(request(&format!("http://127.0.0.1:{port}/away")), PATIENCE, MOST).await.unwrap();
    assert_eq!(answer.status(), 307);
    let moment = Duration::from_millis(100);
    let never = way.send(request(&format!("http://127.0.0.1:{port}/never")), moment, MOST).await;
    assert!(matches!(never, Err(TransportError::Broken(_))));
}

#[tokio::test]
async fn what_does_not_end_comes_piece_by_piece_until_it_is_silent() {
    let pieces = async || {
        let pieces = futures_util::stream::unfold(0, async |at| {
            if at == 2 {
                std::future::pending::<()>().await;
            }
            Some((Ok::<_, std::convert::Infallible>(format!("piece {at}")), at + 1))
        });
        Body::from_stream(pieces)
    };
    let router = Router::new().route("/", post(pieces));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let uri = format!("http://127.0.0.1:{}/", listener.local_addr().unwrap().port());
    tokio::spawn(async move { axum::serve(listener, router).await });
    let way = way("127.0.0.0/8", None);
    let mut line = way.open(&uri.parse().unwrap(), PATIENCE).await.unwrap();
    assert_eq!((line.certificate(), line.is_over()), (None, false));
    let answer = line.stream(request(&uri), PATIENCE, Duration::from_millis(300)).await.unwrap();
    let heard: Vec<_> = answer.into_body().collect().await;
    let heard: Vec<_> = heard.iter().map(|piece| piece.as_ref().map(|piece| &piece[..])).collect();
    assert_eq!(heard[..2], [Ok(&b"piece 0"[..]), Ok(b"piece 1")]);
    assert!(matches!(heard[2..], [Err(TransportError::Broken(_))]));
    assert!(line.is_over());
}

/// A server that says one word over TLS, and its certificate, which signs itself, in PEM and DER.
async fn encrypted() -> (u16, String, Vec<u8>) {
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec!["localhost".to_owned()]).unwrap().self_signed(&key).unwrap();
    let acceptor = acceptor(certificate.der().clone(), &key);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(mut stream) = acceptor.accept(stream).await else { return };
                let mut read = [0; 4096];
                let _ = stream.read(&mut read).await;
                let _ = stream.write_all(ok("word").as_bytes()).await;
            });
        }
    });
    (port, certificate.pem(), certificate.der().to_vec())
}

#[tokio::test]
async fn authorities_that_are_given_are_believed_and_the_certificate_is_told() {
    let (port, pem, der) = encrypted().await;
    let uri = format!("https://localhost:{port}/");
    let networks = "127.0.0.0/8,::1";
    let known = way(networks, Some(&pem));
    assert_eq!(&known.send(request(&uri), PATIENCE, MOST).await.unwrap().body()[..], b"word");
    let line = known.open(&uri.parse().unwrap(), PATIENCE).await.unwrap();
    assert_eq!(line.certificate(), Some(&der[..]));
    let stranger = way(networks, None).send(request(&uri), PATIENCE, MOST).await;
    assert!(matches!(&stranger, Err(TransportError::Unreached(why)) if why.contains("TLS")), "{stranger:?}");
    let settings = |pem: &str| Settings { authorities: Some(pem.to_owned()), ..Settings::default() };
    assert!(matches!(Way::new(&settings("x")), Err(NoWay::Authorities)));
    assert!(matches!(Way::new(&settings("")), Err(NoWay::Authorities)));
}
