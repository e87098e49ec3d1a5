//! The gateway that speaks TLS itself.

use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, ProtocolVersion, RootCertStore, SupportedProtocolVersion};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::killing::gateway_process;
use crate::support::database;

/// Writes a new certificate for `localhost` with its key.
fn renew(directory: &Path) -> CertificateDer<'static> {
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    std::fs::write(directory.join("key.pem"), signing_key.serialize_pem()).unwrap();
    std::fs::write(directory.join("chain.pem"), cert.pem()).unwrap();
    cert.der().clone()
}

async fn connect(
    port: u16, trusted: &CertificateDer<'static>, version: &'static SupportedProtocolVersion, protocol: &str,
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    let mut config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_protocol_versions(&[version])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![protocol.as_bytes().to_vec()];
    let stream = TcpStream::connect(("127.0.0.1", port)).await?;
    TlsConnector::from(Arc::new(config)).connect(ServerName::try_from("localhost").unwrap(), stream).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_gateway_speaks_tls_1_3_and_nothing_older_and_takes_a_renewed_certificate() {
    let directory = database::scratch().join(format!("tls-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let first = renew(&directory);
    let url = database::fresh().await;
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let (signing, master) = database::keys();
    let mut process = gateway_process()
        .envs([("DATABASE_URL", url.as_str()), ("CARNET_SIGNING_KEY", signing), ("CARNET_MASTER_KEY", master)])
        .envs([("PORT", port.to_string().as_str()), ("BIND", "127.0.0.1"), ("RUST_LOG", "error")])
        .env("TLS_CERTIFICATE", directory.join("chain.pem"))
        .env("TLS_KEY", directory.join("key.pem"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut ready = None;
    for _ in 0..400 {
        ready = connect(port, &first, &TLS13, "http/1.1").await.ok();
        if ready.is_some() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    let mut stream = ready.expect("the gateway answers");
    assert_eq!(stream.get_ref().1.protocol_version(), Some(ProtocolVersion::TLSv1_3));
    stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.contains("strict-transport-security: max-age=63072000"), "{answer}");

    let older = connect(port, &first, &TLS12, "http/1.1").await;
    assert!(older.is_err(), "TLS 1.2 is refused");
    let http2 = connect(port, &first, &TLS13, "h2").await.unwrap();
    assert_eq!(http2.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let mut plain = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    plain.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let mut said = Vec::new();
    let _ = tokio::time::timeout(Duration::from_secs(5), plain.read_to_end(&mut said)).await;
    assert!(!said.starts_with(b"HTTP"), "no plain HTTP on that port");

    // Its own probe speaks what it speaks, whatever name the certificate is for; and so does not take it for another one.
    let files = ["chain.pem", "key.pem"].map(|name| directory.join(name).display().to_string());
    let (number, tls) = (port.to_string(), [("TLS_CERTIFICATE", files[0].as_str()), ("TLS_KEY", &files[1])]);
    let probe = database::config(&[[("PORT", number.as_str())].as_slice(), &tls].concat());
    let plain = database::config(&[("PORT", &number)]);
    let mut healthy = runtime::host::health(&probe).await;
    for _ in 0..200 {
        if healthy.is_ok() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
        healthy = runtime::host::health(&probe).await;
    }
    healthy.unwrap();
    assert!(runtime::host::health(&plain).await.is_err(), "no plain HTTP on that port");

    // A half-written pair is not taken; a whole one is, at the signal.
    let pid = process.id().unwrap().to_string();
    let hang_up = || assert!(std::process::Command::new("kill").args(["-HUP", &pid]).status().unwrap().success());
    std::fs::write(directory.join("key.pem"), "nonsense").unwrap();
    hang_up();
    tokio::time::sleep(Duration::from_millis(300)).await;
    connect(port, &first, &TLS13, "http/1.1").await.expect("the certificate stays");
    runtime::host::health(&probe).await.expect("and is no reason to end the process");
    let second = renew(&directory);
    hang_up();
    let mut taken = false;
    for _ in 0..100 {
        taken = connect(port, &second, &TLS13, "http/1.1").await.is_ok();
        if taken {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(taken, "the renewed certificate is shown");
    assert!(connect(port, &first, &TLS13, "http/1.1").await.is_err());
    process.kill().await.unwrap();
    assert!(runtime::host::health(&probe).await.is_err(), "nobody is there");
    std::fs::remove_dir_all(&directory).unwrap();
}
