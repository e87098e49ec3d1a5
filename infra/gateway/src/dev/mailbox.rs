//! A mail server that delivers nowhere: it speaks SMTP (RFC 5321) like a relay and keeps what it is given, to be read.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use domain::Timestamp;
use mail_parser::{MessageParser, MimeHeaders as _};
use serde::Serialize;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// Mails kept; older ones are forgotten.
const KEPT: usize = 2000;
/// Largest mail, in bytes.
const LARGEST: usize = 10 * 1024 * 1024;
/// Longest command line, in bytes (RFC 5321 §4.5.3.1.4 asks for 512).
const LONGEST_LINE: u64 = 4096;

/// A mail as it arrived.
#[derive(Debug, Clone, Serialize)]
pub struct Received {
    /// The envelope's recipient, or the number of an SMS.
    pub to: String,
    /// Decoded; an SMS has none.
    pub subject: String,
    /// The plain part.
    pub text: String,
    /// The HTML part.
    pub html: String,
    /// Files.
    pub attachments: Vec<Attachment>,
    /// When it arrived, by the gateway's clock.
    pub sent_at: Timestamp,
    /// The `Message-ID` header.
    pub message_id: String,
}

/// A file in a mail.
#[derive(Debug, Clone, Serialize)]
pub struct Attachment {
    /// File name.
    pub name: String,
    /// Media type.
    pub r#type: String,
    /// Content.
    pub body_base64: String,
}

/// How a server that is not well answers, for tests of what is done about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mood {
    /// Takes everything.
    Well,
    /// Answers every recipient with this code.
    Refuses(u16),
    /// Hangs up after the mail was sent, without an answer.
    HangsUp,
    /// Takes everything, each mail after that long.
    Slow(Duration),
}

/// What arrived, and how to behave.
pub struct Mailbox {
    received: Mutex<VecDeque<Received>>,
    mood: Mutex<Mood>,
    now: Box<dyn Fn() -> Timestamp + Send + Sync>,
}

impl Mailbox {
    /// An empty box, with the clock that stamps what arrives.
    pub fn new(now: impl Fn() -> Timestamp + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self { received: Mutex::default(), mood: Mutex::new(Mood::Well), now: Box::new(now) })
    }

    /// What arrived, oldest first; for one recipient, or for all.
    pub fn received(&self, to: Option<&str>) -> Vec<Received> {
        let all = self.received.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter().filter(|mail| to.is_none_or(|to| mail.to.eq_ignore_ascii_case(to))).cloned().collect()
    }

    /// Changes how the server behaves from the next recipient on.
    pub fn set_mood(&self, mood: Mood) {
        *self.mood.lock().unwrap_or_else(PoisonError::into_inner) = mood;
    }

    fn mood(&self) -> Mood {
        *self.mood.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Serves until the listener's task is dropped.
    pub async fn serve(self: Arc<Self>, listener: TcpListener) {
        while let Ok((stream, _)) = listener.accept().await {
            let mailbox = self.clone();
            tokio::spawn(async move {
                // A client that breaks the conversation off is its own affair.
                let _ = mailbox.converse(stream).await;
            });
        }
    }

    async fn converse(&self, stream: TcpStream) -> std::io::Result<()> {
        let mut stream = BufReader::new(stream);
        stream.write_all(b"220 carnet.example ESMTP\r\n").await?;
        let mut recipients: Vec<String> = Vec::new();
        loop {
            let mut line = String::new();
            if (&mut stream).take(LONGEST_LINE).read_line(&mut line).await? == 0 {
                return Ok(());
            }
            let command = line.trim_end();
            let verb = command.split([' ', ':']).next().unwrap_or_default().to_ascii_uppercase();
            let answer: &[u8] = match verb.as_str() {
                "EHLO" => b"250-carnet.example\r\n250-8BITMIME\r\n250 SIZE 10485760\r\n",
                "HELO" | "NOOP" => b"250 OK\r\n",
                "MAIL" | "RSET" => {
                    recipients.clear();
                    b"250 OK\r\n"
                }
                "RCPT" => {
                    if let Mood::Refuses(code) = self.mood() {
                        stream.write_all(format!("{code} not today\r\n").as_bytes()).await?;
                        continue;
                    }
                    recipients.extend(address(command));
                    b"250 OK\r\n"
                }
                "DATA" if recipients.is_empty() => b"503 no recipient\r\n",
                "DATA" => {
                    stream.write_all(b"354 go on\r\n").await?;
                    let message = read_message(&mut stream).await?;
                    match self.mood() {
                        Mood::HangsUp => return Ok(()),
                        Mood::Slow(pause) => tokio::time::sleep(pause).await,
                        Mood::Well | Mood::Refuses(_) => {}
                    }
                    match message {
                        Some(message) => {
                            self.keep(&recipients, &message);
                            b"250 OK\r\n"
                        }
                        None => b"552 too large\r\n",
                    }
                }
                "QUIT" => {
                    stream.write_all(b"221 bye\r\n").await?;
                    return Ok(());
                }
                _ => b"502 not known here\r\n",
            };
            stream.write_all(answer).await?;
        }
    }

    /// Keeps an SMS like a mail that is nothing but its text.
    pub(super) fn keep_sms(&self, to: &str, text: &str) {
        let (to, text) = (to.to_owned(), text.to_owned());
        let (subject, html, message_id) = <(String, String, String)>::default();
        let sent_at = (self.now)();
        self.push([Received { to, subject, text, html, attachments: Vec::new(), sent_at, message_id }]);
    }

    fn push(&self, arrived: impl IntoIterator<Item = Received>) {
        let mut all = self.received.lock().unwrap_or_else(PoisonError::into_inner);
        for one in arrived {
            all.push_back(one);
            if all.len() > KEPT {
                all.pop_front();
            }
        }
    }

    fn keep(&self, recipients: &[String], message: &[u8]) {
        let sent_at = (self.now)();
        self.push(recipients.iter().map(|to| parse(to.clone(), message, sent_at)));
    }
}

/// The address between angle brackets.
fn address(command: &str) -> Option<String> {
    let (_, rest) = command.split_once('<')?;
    rest.split_once('>').map(|(address, _)| address.to_owned())
}

/// Up to the lone dot, with doubled dots undone; none when it is too large.
async fn read_message(stream: &mut BufReader<TcpStream>) -> std::io::Result<Option<Vec<u8>>> {
    let mut message = Vec::new();
    let mut too_large = false;
    loop {
        let mut line = Vec::new();
        if (&mut *stream).take(LARGEST as u64).read_until(b'\n', &mut line).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        if line == b".\r\n" || line == b".\n" {
            return Ok((!too_large).then_some(message));
        }
        too_large |= message.len() + line.len() > LARGEST;
        if !too_large {
            message.extend_from_slice(line.strip_prefix(b".").unwrap_or(&line));
        }
    }
}

fn parse(to: String, message: &[u8], sent_at: Timestamp) -> Received {
    let parsed = MessageParser::default().parse(message).unwrap_or_default();
    let attachments = parsed.attachments().filter(|part| part.attachment_name().is_some()).map(|part| Attachment {
        name: part.attachment_name().unwrap_or_default().to_owned(),
        r#type: part.content_type().map_or_else(String::new, |kind| match kind.subtype() {
            Some(subtype) => format!("{}/{subtype}", kind.ctype()),
            None => kind.ctype().to_owned(),
        }),
        body_base64: BASE64.encode(part.contents()),
    });
    Received {
        to,
        subject: parsed.subject().unwrap_or_default().to_owned(),
        text: parsed.body_text(0).unwrap_or_default().into_owned(),
        html: parsed.body_html(0).unwrap_or_default().into_owned(),
        attachments: attachments.collect(),
        sent_at,
        message_id: parsed.message_id().unwrap_or_default().to_owned(),
    }
}
