//! Connections that are kept from one request to the next: a server of mailboxes is asked many times, and TLS costs more than a
//! question.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use http::Uri;
use tokio::time::Instant;

use super::open::{Failure, Open};
use super::{Guarded, before};
use crate::outbound::{Request, Response};

/// Most connections that rest to one server: all of Exchange Online is one, and eight mailboxes are worked on at once in a process, each by one
/// request at a time.
const OF_ONE: usize = 8;
/// Most connections that rest in all.
const OF_ALL: usize = 64;

/// A guarded client that keeps connections.
pub struct Kept {
    guarded: Guarded,
    // Those that rest, the newest last.
    resting: Mutex<Vec<(String, Open)>>,
}

impl Kept {
    /// By this client.
    pub fn new(guarded: Guarded) -> Self {
        Self { guarded, resting: Mutex::default() }
    }

    /// The answer, of at most `most` bytes, within `longest`.
    ///
    /// # Errors
    /// [`Failure`].
    pub async fn send(&self, request: Request, longest: Duration, most: usize) -> Result<Response, Failure> {
        let end = Instant::now() + longest;
        let origin = origin(request.uri());
        while let Some(mut open) = self.resting(&origin) {
            match open.send(request.clone(), end, most).await {
                // It was closed at that moment: the request is whole.
                Err(failure) if !failure.sent && Instant::now() < end => {}
                outcome => return outcome.inspect(|_| self.rests(origin, open)),
            }
        }
        let mut open = self.open(request.uri(), end).await?;
        open.send(request, end, most).await.inspect(|_| self.rests(origin, open))
    }

    /// A connection that is nobody else's.
    ///
    /// # Errors
    /// [`Failure`], with nothing sent.
    pub async fn open(&self, uri: &Uri, end: Instant) -> Result<Open, Failure> {
        before(end, self.guarded.open(uri)).await.map_err(|error| Failure { error, sent: false })
    }

    fn resting(&self, origin: &str) -> Option<Open> {
        let mut resting = self.resting.lock().unwrap_or_else(PoisonError::into_inner);
        resting.retain(|(_, open)| !open.is_over());
        let at = resting.iter().rposition(|(of, _)| of == origin)?;
        Some(resting.remove(at).1)
    }

    fn rests(&self, origin: String, open: Open) {
        let mut resting = self.resting.lock().unwrap_or_else(PoisonError::into_inner);
        resting.retain(|(_, open)| !open.is_over());
        if open.is_over() || resting.iter().filter(|(of, _)| *of == origin).count() >= OF_ONE {
            return;
        }
        if resting.len() >= OF_ALL {
            resting.remove(0);
        }
        resting.push((origin, open));
    }
}

/// Scheme, name and port, as they are written: what is judged is judged again when it is written otherwise.
fn origin(uri: &Uri) -> String {
    format!("{}://{}", uri.scheme_str().unwrap_or_default(), uri.authority().map_or("", |authority| authority.as_str()))
}
