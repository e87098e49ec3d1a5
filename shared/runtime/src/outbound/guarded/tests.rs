use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::body::Bytes;
use axum::http::HeaderMap;
use axum::response::Redirect;
use axum::routing::{get, post};
use axum::{Router, extract::State};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::*;

const PATIENCE: Duration = Duration::from_secs(5);

/// Names whose addresses change with each look: the last answer stays.
struct Changing(Mutex<Vec<Vec<&'static str>>>, AtomicUsize);

impl Changing {
    fn to(answers: &[&[&'static str]]) -> Arc<Self> {
        let answers = answers.iter().rev().map(|answer| answer.to_vec()).collect();
        Arc::new(Self(Mutex::new(answers), AtomicUsize::new(0)))
    }
}

impl Resolve for Changing {
    fn resolve<'a>(&'a self, _: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>> {
        self.1.fetch_add(1, Ordering::Relaxed);
        let mut answers = self.0.lock().unwrap();
        let answer = if answers.len() > 1 { answers.pop() } else { answers.last().cloned() };
        Box::pin(async move { Ok(answer.unwrap_or_default().iter().map(|address| address.parse().unwrap()).collect()) })
    }
}

fn guarded(allowed: &str, resolver: Arc<dyn Resolve>) -> Guarded {
    Guarded::with(allowed.parse().unwrap(), resolver, Trust::default()).unwrap()
}

fn request(uri: &str) -> Request {
    http::Request::post(uri).body(Bytes::from_static(b"{}")).unwrap()
}

/// A server here that counts who came.
async fn receiver() -> (u16, Arc<AtomicUsize>) {
    let came = Arc::new(AtomicUsize::new(0));
    let hook = async |State(came): State<Arc<AtomicUsize>>, headers: HeaderMap| {
        came.fetch_add(1, Ordering::Relaxed);
        headers["host"].to_str().unwrap().to_owned()
    };
    let router = Router::new()
        .route("/hook", post(hook))
        .route("/away", post(async || Redirect::temporary("/hook")))
        .route("/metadata", post(async || Redirect::temporary("http://169.254.169.254/latest/meta-data/")))
        .route("/long", post(async || "x".repeat(64 * 1024)))
        .route("/head", post(async || ([("x-long", "x".repeat(60 * 1024))], "")))
        .route("/never", post(async || std::future::pending::<()>().await))
        .route("/", get(async || "other"))
        .with_state(came.clone());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move { axum::serve(listener, router).await });
    (port, came)
}

fn is_forbidden<T>(outcome: &Result<T, OutboundError>) -> bool {
    matches!(outcome, Err(OutboundError::Forbidden))
}

#[tokio::test]
async fn nothing_goes_to_an_address_that_is_not_public_however_it_is_written() {
    let (port, came) = receiver().await;
    let guarded = Guarded::new(Networks::default()).unwrap();
    for host in [
        "127.0.0.1",
        "localhost",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "2130706433",
        "0x7f000001",
        "0x7f.1",
        "017700000001",
        "127.1",
        "0",
        "169.254.169.254",
        "10.0.0.1",
    ] {
        for scheme in ["http", "https"] {
            let outcome = guarded.send(request(&format!("{scheme}://{host}:{port}/hook")), PATIENCE, 1024).await;
            // Where a system does not know the odd ways to write it, the name has no address.
            assert!(
                is_forbidden(&outcome) || matches!(outcome, Err(OutboundError::Connection(_))),
                "{host}: {outcome:?}"
            );
        }
    }
    for uri in [
        "https://user@example.fr/",
        "https://user:word@example.fr/",
        "ftp://example.fr/",
        "/hook",
        "http://8.8.8.8/",
        "https://8.8.8.8:22/",
        "https://8.8.8.8:25/",
        "https://8.8.8.8:80/",
        "https://8.8.8.8:1023/",
    ] {
        let outcome = guarded.send(request(uri), PATIENCE, 1024).await;
        assert!(is_forbidden(&outcome), "{uri}: {outcome:?}");
    }
    assert_eq!(came.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn a_name_is_refused_when_one_of_its_addresses_is_not_public() {
    for answer in [&["8.8.8.8", "10.0.0.7"][..], &["127.0.0.1"], &["2001:4860:4860::8888", "::1"], &["169.254.169.254"]]
    {
        let outcome =
            guarded("", Changing::to(&[answer])).check(&Uri::from_static("https://hook.example/"), PATIENCE).await;
        assert!(is_forbidden(&outcome), "{answer:?}: {outcome:?}");
    }
    let sound = guarded("10.0.0.0/8", Changing::to(&[&["8.8.8.8", "10.0.0.7"]]));
    sound.check(&Uri::from_static("https://hook.example/"), PATIENCE).await.unwrap();
    // In clear only where all of it is within what is allowed.
    assert!(is_forbidden(&sound.check(&Uri::from_static("http://hook.example/"), PATIENCE).await));
    let nowhere = guarded("", Changing::to(&[&[]])).check(&Uri::from_static("https://hook.example/"), PATIENCE).await;
    assert!(matches!(nowhere, Err(OutboundError::Connection(_))));
}

#[tokio::test]
async fn a_name_that_changes_its_address_after_it_was_checked_leads_nowhere() {
    let (port, came) = receiver().await;
    let names = Changing::to(&[&["8.8.8.8"], &["127.0.0.1"]]);
    let guarded = guarded("", names.clone());
    let uri = format!("https://hook.example:{port}/hook");
    guarded.check(&uri.parse().unwrap(), PATIENCE).await.unwrap();
    assert!(is_forbidden(&guarded.send(request(&uri), PATIENCE, 1024).await));
    assert_eq!(came.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn a_name_is_looked_up_once_for_a_request() {
    let (port, came) = receiver().await;
    // Were it looked up again to connect, the second answer would refuse the connection.
    let names = Changing::to(&[&["127.0.0.1"], &["10.255.255.1"]]);
    let guarded = guarded("127.0.0.0/8", names.clone());
    let answer = guarded.send(request(&format!("http://hook.example:{port}/hook")), PATIENCE, 1024).await.unwrap();
    assert_eq!((answer.status(), &answer.body()[..]), (StatusCode::OK, format!("hook.example:{port}").as_bytes()));
    assert_eq!((came.load(Ordering::Relaxed), names.1.load(Ordering::Relaxed)), (1, 1));
}

#[tokio::test]
async fn nobody_is_followed_elsewhere_and_answers_are_bounded() {
    let (port, came) = receiver().await;
    let guarded = Guarded::new("127.0.0.0/8".parse().unwrap()).unwrap();
    let to = |path: &str| request(&format!("http://127.0.0.1:{port}{path}"));
    for path in ["/away", "/metadata"] {
        assert_eq!(guarded.send(to(path), PATIENCE, 1024).await.unwrap().status(), StatusCode::TEMPORARY_REDIRECT);
        assert_eq!(guarded.status(to(path), PATIENCE, 1024).await.unwrap(), StatusCode::TEMPORARY_REDIRECT);
    }
    assert_eq!(came.load(Ordering::Relaxed), 0);
    assert!(matches!(guarded.send(to("/long"), PATIENCE, 16 * 1024).await, Err(OutboundError::Body)));
    assert_eq!(guarded.status(to("/long"), PATIENCE, 16 * 1024).await.unwrap(), StatusCode::OK);
    assert!(matches!(guarded.send(to("/head"), PATIENCE, 1024).await, Err(OutboundError::Connection(_))));
    let moment = Duration::from_millis(200);
    assert!(matches!(guarded.send(to("/never"), moment, 1024).await, Err(OutboundError::Late)));
    assert!(matches!(guarded.status(to("/never"), moment, 1024).await, Err(OutboundError::Late)));
}

#[tokio::test]
async fn an_address_that_does_not_answer_leaves_its_turn_to_the_next() {
    let (port, _) = receiver().await;
    // Nobody listens at the first.
    let guarded = guarded("127.0.0.0/8,::1", Changing::to(&[&["127.9.9.9", "127.0.0.1"]]));
    let nobody = TcpListener::bind(("127.9.9.9", port)).await.unwrap();
    drop(nobody);
    let uri = format!("http://hook.example:{port}/hook");
    assert_eq!(guarded.send(request(&uri), PATIENCE, 1024).await.unwrap().status(), StatusCode::OK);
}

/// What speaks TLS with a certificate and its key.
pub(crate) fn acceptor(certificate: CertificateDer<'static>, key: &KeyPair) -> TlsAcceptor {
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()));
    let config = config.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    TlsAcceptor::from(Arc::new(config.with_single_cert(vec![certificate], key).unwrap()))
}

/// A server with a certificate for `hook.example`, and the PEM of who signed it. It answers the name that was asked for in TLS.
async fn encrypted() -> (u16, String) {
    let mut authority = CertificateParams::new(vec![]).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec!["hook.example".to_owned()]).unwrap();
    let certificate = certificate.signed_by(&key, &authority).unwrap();
    let acceptor = acceptor(certificate.der().clone(), &key);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let name = stream.get_ref().1.server_name().unwrap_or("none").to_owned();
            let mut read = [0; 4096];
            let _ = stream.read(&mut read).await;
            let answer =
                format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{name}", name.len());
            let _ = stream.write_all(answer.as_bytes()).await;
            let _ = stream.shutdown().await;
        }
    });
    (port, authority.pem())
}

#[tokio::test]
async fn whom_a_name_leads_to_shows_a_certificate_for_that_name() {
    let (port, root) = encrypted().await;
    let guarded = |root: Option<&str>| {
        let trust = Trust::from_pem(root, None).unwrap();
        Guarded::with("127.0.0.0/8".parse().unwrap(), Changing::to(&[&["127.0.0.1"]]), trust).unwrap()
    };
    let known = guarded(Some(&root));
    let answer = known.send(request(&format!("https://hook.example:{port}/")), PATIENCE, 1024).await.unwrap();
    assert_eq!(&answer.body()[..], b"hook.example");
    for (guarded, name) in [(&known, "other.example"), (&guarded(None), "hook.example")] {
        let refused = guarded.send(request(&format!("https://{name}:{port}/")), PATIENCE, 1024).await;
        assert!(
            matches!(&refused, Err(OutboundError::Connection(why)) if why.starts_with("TLS")),
            "{name}: {refused:?}"
        );
    }
}
