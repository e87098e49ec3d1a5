//! Connections to a relay, kept while they are used. The transport of `lettre` does the same, but writes a mail and the dot that ends
//! it in two pieces over a socket that holds small pieces back (RFC 896): the second one waits for the relay to acknowledge the first,
//! which takes its time for that, 40 ms a mail on Linux. Here nothing is held back.

use std::borrow::Cow;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use lettre::Message;
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::{AsyncSmtpConnection, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use percent_encoding::percent_decode_str;
use tokio::net::TcpStream;
use tokio::time::timeout;
use url::Url;

use super::MailError;
use crate::pace::Turns;

/// Connections to the relay at most: Postfix allows one client 50 (`smtpd_client_connection_count_limit`).
pub const SMTP_CONNECTIONS: u32 = 16;
/// Longest wait for a connection, and for its encryption.
const SMTP_TIMEOUT: Duration = Duration::from_secs(10);
/// A connection that rested longer is not used again: relays end them after some time, Postfix after 5 minutes at the latest.
const LONGEST_REST: Duration = Duration::from_secs(20);

/// How the way to the relay is encrypted.
enum Encryption {
    None,
    /// Where the relay offers it.
    Opportunistic(TlsParameters),
    Required(TlsParameters),
    /// From the beginning.
    Wrapped(TlsParameters),
}

/// A relay, and the connections to it that rest.
pub(super) struct Relay {
    host: String,
    port: u16,
    encryption: Encryption,
    credentials: Option<Credentials>,
    hello: ClientId,
    resting: Mutex<Vec<(AsyncSmtpConnection, Instant)>>,
    turns: Turns,
}

impl Relay {
    /// `smtp://`, `smtps://`, `smtp://…?tls=required` or `tls=opportunistic`, with a name and a password, and as path the name under
    /// which we greet. None for what is none of these.
    pub(super) fn of(url: &str) -> Option<Self> {
        let url = Url::parse(url).ok()?;
        let host = url.host_str()?.to_owned();
        let tls = url.query_pairs().find(|(name, _)| name == "tls").map(|(_, value)| value.into_owned());
        let parameters = || TlsParameters::new(host.clone()).ok();
        let (encryption, usual_port) = match (url.scheme(), tls.as_deref()) {
            ("smtp", None) => (Encryption::None, 25),
            ("smtp", Some("opportunistic")) => (Encryption::Opportunistic(parameters()?), 587),
            ("smtp", Some("required")) => (Encryption::Required(parameters()?), 587),
            ("smtps", _) => (Encryption::Wrapped(parameters()?), 465),
            _ => return None,
        };
        let decoded = |text: &str| percent_decode_str(text).decode_utf8().map(Cow::into_owned).ok();
        let credentials = match url.password() {
            Some(password) => Some(Credentials::new(decoded(url.username())?, decoded(password)?)),
            None => None,
        };
        let name = url.path().trim_matches('/');
        let hello = if name.is_empty() { ClientId::default() } else { ClientId::Domain(name.to_owned()) };
        let (port, turns) = (url.port().unwrap_or(usual_port), Turns::new(SMTP_CONNECTIONS as usize));
        Some(Self { host, port, encryption, credentials, hello, resting: Mutex::default(), turns })
    }

    /// Hands over one mail, by a connection that rests or a new one. One that a mail failed on is ended with it.
    pub(super) async fn send(&self, message: &Message) -> Result<(), MailError> {
        let _turn = self.turns.turn().await;
        let mut connection = match self.rested().await {
            Some(connection) => connection,
            None => self.connected().await?,
        };
        let sent = connection.send(message.envelope(), &message.formatted()).await;
        if !connection.has_broken() {
            self.resting.lock().unwrap_or_else(PoisonError::into_inner).push((connection, Instant::now()));
        }
        sent.map(drop).map_err(|error| of_smtp(&error))
    }

    /// The one that rested last, if it is still there.
    async fn rested(&self) -> Option<AsyncSmtpConnection> {
        loop {
            let (mut connection, since) = self.resting.lock().unwrap_or_else(PoisonError::into_inner).pop()?;
            if since.elapsed() < LONGEST_REST && connection.test_connected().await {
                return Some(connection);
            }
        }
    }

    async fn connected(&self) -> Result<AsyncSmtpConnection, MailError> {
        let connected = timeout(SMTP_TIMEOUT, self.connect()).await;
        connected.map_err(|_| MailError::Relay("timed out".into()))?
    }

    async fn connect(&self) -> Result<AsyncSmtpConnection, MailError> {
        let failed = |error: Error| of_smtp(&error);
        let place = (self.host.trim_matches(['[', ']']), self.port);
        let mut connection = if let Encryption::Wrapped(parameters) = &self.encryption {
            let parameters = Some(parameters.clone());
            AsyncSmtpConnection::connect_tokio1(place, Some(SMTP_TIMEOUT), &self.hello, parameters, None)
                .await
                .map_err(failed)?
        } else {
            let none = |_| MailError::Relay("connection failed".into());
            let stream = TcpStream::connect(place).await.map_err(none)?;
            stream.set_nodelay(true).map_err(none)?;
            AsyncSmtpConnection::connect_with_transport(Box::new(stream), &self.hello).await.map_err(failed)?
        };
        match &self.encryption {
            Encryption::Opportunistic(parameters) if connection.can_starttls() => {
                connection.starttls(parameters.clone(), &self.hello).await.map_err(failed)?;
            }
            Encryption::Required(parameters) => {
                connection.starttls(parameters.clone(), &self.hello).await.map_err(failed)?;
            }
            _ => {}
        }
        if let Some(credentials) = &self.credentials {
            connection.auth(DEFAULT_MECHANISMS, credentials).await.map_err(failed)?;
        }
        Ok(connection)
    }
}

fn of_smtp(error: &Error) -> MailError {
    match error.status().map(u16::from) {
        // Only what speaks of the mailbox is final: 530, 535 or 554 may be our own set-up, and mend with it.
        Some(code @ (550 | 551 | 553 | 556)) => MailError::Recipient(code),
        Some(code) => MailError::Relay(format!("answered {code}")),
        None if error.is_timeout() => MailError::Relay("timed out".into()),
        None => MailError::Relay("connection failed".into()),
    }
}
