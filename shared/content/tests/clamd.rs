//! The scanner: a real clamd, and some that are none.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

use std::time::Duration;

use content::clamd::own::{EICAR_SIGNATURE, OwnClamd, eicar};
use content::clamd::{Address, Freshness, Outcome, ScanError, Scanner, Timeouts, Version};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

#[tokio::test]
async fn a_real_scanner_finds_eicar_plain_and_after_megabytes_and_nothing_in_a_letter() {
    let clamd = OwnClamd::start().unwrap();
    let scanner = clamd.scanner();
    scanner.ping().await.unwrap();
    let found = Outcome::Infected { signature: EICAR_SIGNATURE.into() };
    assert_eq!(scanner.scan(&eicar()[..]).await.unwrap(), found);
    assert_eq!(scanner.scan(&b"Cher confrere, merci."[..]).await.unwrap(), Outcome::Clean);
    assert_eq!(scanner.scan(&b""[..]).await.unwrap(), Outcome::Clean);
    let mut late = vec![b'a'; 3 << 20];
    late.extend(eicar());
    assert_eq!(scanner.scan(&late[..]).await.unwrap(), found);
    late.truncate(3 << 20);
    assert_eq!(scanner.scan(&late[..]).await.unwrap(), Outcome::Clean);
}

#[tokio::test]
async fn a_scanner_without_official_signatures_says_so() {
    let clamd = OwnClamd::start().unwrap();
    let version = clamd.scanner().version().await.unwrap();
    assert!(version.engine.starts_with("ClamAV "), "{version:?}");
    assert_eq!(version.freshness("2026-11-24T12:00:00Z".parse().unwrap(), 3), Freshness::Unknown);
}

#[tokio::test]
async fn a_file_larger_than_the_scanner_takes_is_not_clean() {
    let clamd = OwnClamd::start_taking("1M").unwrap();
    let error = clamd.scanner().scan(&vec![b'a'; 8 << 20][..]).await.unwrap_err();
    assert!(matches!(error, ScanError::TooLarge), "{error:?}");
}

#[tokio::test]
async fn a_file_that_the_scanner_does_not_look_at_to_the_end_is_neither_clean_nor_infected() {
    let clamd = OwnClamd::start_scanning("1M").unwrap();
    let mut late = vec![b'a'; 3 << 20];
    for with in [b"".to_vec(), eicar()] {
        late.extend(with);
        let error = clamd.scanner().scan(&late[..]).await.unwrap_err();
        assert!(matches!(&error, ScanError::Unfinished(limit) if limit.starts_with("Heuristics.Limits")), "{error:?}");
    }
    assert_eq!(clamd.scanner().scan(&b"Cher confrere, merci."[..]).await.unwrap(), Outcome::Clean);
    for name in ["Heuristics.Limits.Exceeded", "Heuristics.Limits.Exceeded.MaxScanSize.UNOFFICIAL"] {
        let answer = format!("stream: {name} FOUND\0").into_bytes().leak();
        let error = false_scanner(Some(answer), true).await.scan(&b"x"[..]).await.unwrap_err();
        assert!(matches!(&error, ScanError::Unfinished(limit) if limit == name), "{error:?}");
    }
}

#[tokio::test]
async fn a_scanner_that_is_not_there_or_has_ended_is_away() {
    let clamd = OwnClamd::start().unwrap();
    let scanner = clamd.scanner();
    drop(clamd);
    assert!(matches!(scanner.scan(&b"x"[..]).await, Err(ScanError::Away(_))));
    assert!(matches!(scanner.ping().await, Err(ScanError::Away(_))));
}

/// A server that takes what comes until the end of a question, answers this, and closes, or does not.
async fn false_scanner(answer: Option<&'static [u8]>, closes: bool) -> Scanner {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        let mut open = Vec::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut bytes = [0; 4096];
            let _ = stream.read(&mut bytes).await;
            if let Some(answer) = answer {
                // The chunks come after the question, and what is unread when it closes would reset the connection.
                tokio::time::sleep(Duration::from_millis(30)).await;
                while tokio::time::timeout(Duration::from_millis(30), stream.read(&mut bytes)).await.is_ok() {}
                let _ = stream.write_all(answer).await;
            }
            if !closes {
                open.push(stream);
            }
        }
    });
    let short = Duration::from_millis(300);
    let timeouts = Timeouts { connect: short, chunk: short, answer: short };
    Scanner { address: address.parse().unwrap(), timeouts }
}

#[tokio::test]
async fn a_scanner_that_hangs_is_not_waited_for_without_end() {
    let scanner = false_scanner(None, false).await;
    assert!(matches!(scanner.scan(&b"x"[..]).await, Err(ScanError::TimedOut)));
    assert!(matches!(scanner.version().await, Err(ScanError::TimedOut)));
    // It takes nothing of a file that no buffer of the system holds.
    assert!(matches!(scanner.scan(&vec![0; 64 << 20][..]).await, Err(ScanError::TimedOut)));
    // It answers, but never ends.
    let scanner = false_scanner(Some(b"stream: OK"), false).await;
    assert!(matches!(scanner.scan(&b"x"[..]).await, Err(ScanError::TimedOut)));
}

#[tokio::test]
async fn a_scanner_that_closes_is_away() {
    let scanner = false_scanner(None, true).await;
    assert!(matches!(scanner.scan(&b"x"[..]).await, Err(ScanError::Away(_))));
    let scanner = false_scanner(Some(b""), true).await;
    assert!(matches!(scanner.scan(&b"x"[..]).await, Err(ScanError::Away(_))));
}

#[tokio::test]
async fn nothing_but_the_very_words_is_clean() {
    let nonsense: [&[u8]; 11] = [
        b"stream: OK",
        b"stream: OK\n",
        b"stream: OK \0",
        b"stream: OK\0stream: OK\0",
        b"stream: ok\0",
        b"OK\0",
        b"\0",
        b"stream: FOUND\0",
        b"stream:  FOUND\0",
        b"Can't allocate memory ERROR\0",
        b"HTTP/1.1 200 OK\r\n\r\nstream: OK",
    ];
    for answer in nonsense {
        let error = false_scanner(Some(answer), true).await.scan(&b"x"[..]).await.unwrap_err();
        assert!(matches!(error, ScanError::Protocol(_)), "{answer:?}: {error:?}");
    }
    let clean = false_scanner(Some(b"stream: OK\0"), true).await.scan(&b"x"[..]).await.unwrap();
    assert_eq!(clean, Outcome::Clean);
    let limit = false_scanner(Some(b"INSTREAM size limit exceeded. ERROR\0"), true).await;
    assert!(matches!(limit.scan(&b"x"[..]).await, Err(ScanError::TooLarge)));
}

#[tokio::test]
async fn a_file_that_cannot_be_read_is_not_the_scanners_fault() {
    struct Broken;
    impl tokio::io::AsyncRead for Broken {
        fn poll_read(
            self: std::pin::Pin<&mut Self>, _: &mut std::task::Context<'_>, _: &mut tokio::io::ReadBuf<'_>,
        ) -> std::task::Poll<std::io::Result<()>> {
            std::task::Poll::Ready(Err(std::io::Error::other("gone")))
        }
    }
    let scanner = false_scanner(Some(b"stream: OK\0"), true).await;
    assert!(matches!(scanner.scan(Broken).await, Err(ScanError::Source(_))));
}

#[tokio::test]
async fn stale_signatures_are_told_by_their_days() {
    let scanner = false_scanner(Some(b"ClamAV 1.4.3/27812/Mon Nov  2 09:45:12 2026\0"), true).await;
    let version: Version = scanner.version().await.unwrap();
    assert_eq!(version.engine, "ClamAV 1.4.3");
    assert_eq!(version.database.unwrap().number, 27812);
    let at = |text: &str| text.parse().unwrap();
    assert_eq!(version.freshness(at("2026-11-04T09:00:00Z"), 3), Freshness::Fresh);
    assert_eq!(version.freshness(at("2026-11-24T12:00:00Z"), 3), Freshness::Stale { days: 22 });
    for odd in [&b"ClamAV 1.4.3/0/\0"[..], b"ClamAV 1.4.3\0", b"ClamAV 1.4.3/27812/yesterday\0"] {
        let version = false_scanner(Some(odd), true).await.version().await.unwrap();
        assert_eq!(version.freshness(at("2026-11-24T12:00:00Z"), 3), Freshness::Unknown);
    }
    let error = false_scanner(Some(b"UNKNOWN COMMAND\0"), true).await.version().await.unwrap_err();
    assert!(matches!(error, ScanError::Protocol(_)));
}

#[test]
fn addresses_are_of_a_socket_or_of_a_host_with_its_port() {
    assert_eq!("unix:/run/clamd.ctl".parse(), Ok(Address::Unix("/run/clamd.ctl".into())));
    for tcp in ["clamav:3310", "tcp:clamav:3310", "tcp://clamav:3310"] {
        assert_eq!(tcp.parse(), Ok(Address::Tcp("clamav:3310".into())));
    }
    for wrong in ["", "unix:", "unix:clamd.ctl", "clamav", "clamav:", ":3310", "clamav:99999", "http://clamav:3310"] {
        assert!(wrong.parse::<Address>().is_err(), "{wrong}");
    }
}
