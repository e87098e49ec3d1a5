//! Who we are to a server: access tokens of Entra ID and of AD FS, NTLM over one connection, and which way a server takes.

pub mod assertion;
pub mod bearer;
pub mod ntlm;
pub mod scheme;
pub mod tokens;

use std::sync::Arc;
use std::time::Duration;

use domain::Timestamp;

use crate::{Answer, Fault, Why};

/// What time it is.
pub type Now = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// Access tokens for one server, all of one kind.
pub trait Tokens: Send + Sync {
    /// A token that still lives a while. `refused` is one that the server did not take: it is not given again while another can be had.
    ///
    /// # Errors
    /// [`crate::Why::Unauthenticated`] when who gives tokens does not take our credentials; the others as they come.
    fn get<'a>(&'a self, refused: Option<&'a str>) -> Answer<'a, String>;
}

/// The time that one request may take, where it needs several on the way.
struct Left {
    now: Now,
    begun: Timestamp,
    longest: Duration,
}

impl Left {
    fn of(longest: Duration, now: &Now) -> Self {
        Self { now: now.clone(), begun: now(), longest }
    }

    /// What is left of it. A clock that is set back meanwhile takes nothing away.
    fn now(&self) -> Result<Duration, Fault> {
        let spent = Duration::try_from((self.now)().duration_since(self.begun)).unwrap_or_default();
        let left = self.longest.saturating_sub(spent);
        if left.is_zero() { Err(Fault::new(Why::Unavailable, "no time is left")) } else { Ok(left) }
    }
}
