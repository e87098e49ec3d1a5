//! NTLM, in its second version, over HTTP (MS-NTHT): three messages on one connection, which stands for the account from then on. It is kept while it lives;
//! a server that asks anew is answered anew.

pub mod binding;
pub mod message;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use http::{StatusCode, Uri};
use ring::rand::{SecureRandom as _, SystemRandom};

pub use message::Account;
use message::{Challenge, Proof};

use super::scheme::Scheme;
use super::{Left, Now, scheme};
use crate::ews::session::{Hears, Session, hear, request, unanswered};
use crate::{Fault, Line, Request, Response, Transport, Why};

/// How many connections are kept: one for reading and writing, one for who asks for free and busy times beside it.
const LINES: usize = 2;
/// Most bytes of an answer that asks for proof: they are not looked at.
const CHALLENGE: usize = 256 * 1024;

/// A session of an account of a Windows domain.
///
/// A password that is refused is refused by the domain, which locks an account after some tries: who gets a 401 should not ask again
/// before somebody has looked.
pub struct Ntlm {
    transport: Arc<dyn Transport>,
    endpoint: Uri,
    account: Account,
    scheme: Scheme,
    now: Now,
    lines: Mutex<Vec<Box<dyn Line>>>,
}

/// What comes of the first two messages.
enum Step {
    /// The third.
    Proof(HeaderValue),
    /// The server does not ask for proof now: it is too busy, or fails.
    Answer(Response),
}

impl Ntlm {
    /// A session that says it under the name `NTLM`, or under that of `Negotiate`, for servers that offer nothing else.
    pub fn new(transport: Arc<dyn Transport>, endpoint: Uri, account: Account, scheme: Scheme, now: Now) -> Self {
        Self { transport, endpoint, account, scheme, now, lines: Mutex::default() }
    }

    /// A connection that has proven itself before, if one still lives.
    fn kept(&self) -> Option<Box<dyn Line>> {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.retain(|line| !line.is_over());
        lines.pop()
    }

    fn keep(&self, line: Box<dyn Line>) {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() < LINES && !line.is_over() {
            lines.push(line);
        }
    }

    async fn ask(&self, headers: HeaderMap, body: Bytes, left: Left, most: usize) -> Result<Response, Fault> {
        if let Some(mut line) = self.kept() {
            let answer = line.send(request(&self.endpoint, headers.clone(), body.clone()), left.now()?, most).await;
            match answer {
                Ok(answer) if answer.status() != StatusCode::UNAUTHORIZED => {
                    self.keep(line);
                    return Ok(answer);
                }
                // It asks anew: on the same connection, unless it was the last word there.
                Ok(_) if !line.is_over() => return self.prove(line, headers, body, &left, most).await,
                Ok(_) | Err(crate::TransportError::Unreached(_)) => {}
                Err(error) => return Err(unanswered(&error)),
            }
        }
        let line = self.open(&left).await?;
        self.prove(line, headers, body, &left, most).await
    }

    async fn open(&self, left: &Left) -> Result<Box<dyn Line>, Fault> {
        self.transport.open(&self.endpoint, left.now()?).await.map_err(|error| unanswered(&error))
    }

    /// All three messages and the request with the last of them.
    async fn prove(
        &self, mut line: Box<dyn Line>, headers: HeaderMap, body: Bytes, left: &Left, most: usize,
    ) -> Result<Response, Fault> {
        let proof = match self.introduce(line.as_mut(), &headers, left).await? {
            Step::Proof(proof) => proof,
            Step::Answer(answer) => return Ok(answer),
        };
        let answer = line.send(self.proven(headers, body, proof), left.now()?, most).await;
        let answer = answer.map_err(|error| unanswered(&error))?;
        if answer.status() != StatusCode::UNAUTHORIZED {
            self.keep(line);
        }
        Ok(answer)
    }

    /// The first two messages. Nothing is asked for with them, so nothing can have been done.
    async fn introduce(&self, line: &mut dyn Line, headers: &HeaderMap, left: &Left) -> Result<Step, Fault> {
        let binding = line.certificate().and_then(binding::of);
        let negotiate = message::negotiate();
        let first = self.proven(headers.clone(), Bytes::new(), self.value(&negotiate)?);
        let answer = line.send(first, left.now()?, CHALLENGE).await;
        let answer = answer.map_err(|error| Fault { perhaps_done: false, ..unanswered(&error) })?;
        if answer.status() != StatusCode::UNAUTHORIZED {
            return if answer.status().is_success() {
                Err(odd("not asked for proof"))
            } else {
                Ok(Step::Answer(answer))
            };
        }
        let Some(challenge) = scheme::token(answer.headers(), self.scheme) else {
            return Err(Fault::new(Why::Unauthenticated, format!("the server does not take {}", self.scheme)));
        };
        if line.is_over() {
            return Err(Fault::new(Why::Unavailable, "the connection ends amid the messages of NTLM"));
        }
        let challenge = STANDARD.decode(challenge).map_err(|_| odd("not a challenge of NTLM"))?;
        let challenge = Challenge::read(&challenge).map_err(|_| odd("not a challenge of NTLM"))?;
        let mut nonce = [0; 8];
        SystemRandom::new().fill(&mut nonce).map_err(|_| Fault::new(Why::Unavailable, "no randomness"))?;
        let host = self.endpoint.host().unwrap_or_default();
        let proof = Proof { negotiate: &negotiate, host, binding, nonce, now: (self.now)() };
        Ok(Step::Proof(self.value(&challenge.answer(&self.account, &proof))?))
    }

    fn value(&self, message: &[u8]) -> Result<HeaderValue, Fault> {
        let value = HeaderValue::try_from(format!("{} {}", self.scheme, STANDARD.encode(message)));
        let mut value = value.map_err(|_| odd("not a header"))?;
        value.set_sensitive(true);
        Ok(value)
    }

    fn proven(&self, headers: HeaderMap, body: Bytes, proof: HeaderValue) -> Request {
        let mut request = request(&self.endpoint, headers, body);
        request.headers_mut().insert(AUTHORIZATION, proof);
        request
    }
}

impl Session for Ntlm {
    fn endpoint(&self) -> &Uri {
        &self.endpoint
    }

    fn post(
        &self, headers: HeaderMap, body: Bytes, longest: Duration, most: usize,
    ) -> BoxFuture<'_, Result<Response, Fault>> {
        Box::pin(self.ask(headers, body, Left::of(longest, &self.now), most))
    }

    fn listen<'a>(
        &'a self, headers: HeaderMap, body: Bytes, longest: Duration, between: Duration, hears: Hears<'a>,
    ) -> BoxFuture<'a, Result<http::Response<()>, Fault>> {
        Box::pin(async move {
            let left = Left::of(longest, &self.now);
            let mut line = self.open(&left).await?;
            let proof = match self.introduce(line.as_mut(), &headers, &left).await? {
                Step::Proof(proof) => proof,
                Step::Answer(answer) => return Ok(answer.map(drop)),
            };
            let answer = line.stream(self.proven(headers, body, proof), left.now()?, between).await;
            hear(answer.map_err(|error| unanswered(&error))?, hears).await
        })
    }
}

fn odd(what: &str) -> Fault {
    Fault::new(Why::Malformed, what)
}

#[cfg(test)]
mod tests;
