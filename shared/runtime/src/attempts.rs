//! What may be tried a few times only: passwords, codes, links.

use std::time::Duration;

use serde::Deserialize;
use store::shared::{ATTEMPT, FORGET};
use store::{DbError, Query as _, params};

use crate::{Ctx, Kind, Problem};

/// Whether one more attempt may be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attempt {
    /// Counted; so many are left.
    Allowed {
        /// After this one.
        left: u32,
    },
    /// Not before that time has passed.
    Refused {
        /// When to try again.
        retry_after: Duration,
    },
}

impl Attempt {
    /// Goes on, or answers `too-many-requests`.
    ///
    /// # Errors
    /// When it was refused.
    pub fn or_refuse(self) -> Result<(), Problem> {
        match self {
            Self::Allowed { .. } => Ok(()),
            Self::Refused { retry_after } => {
                let seconds = i64::try_from(retry_after.as_secs()).unwrap_or(i64::MAX);
                Err(Problem::new(Kind::TooManyRequests).retry_after(seconds))
            }
        }
    }
}

#[derive(Debug, Deserialize)]
struct Counted {
    allowed: bool,
    left: Option<u32>,
    retry_after: Option<u64>,
}

/// Counts an attempt at `what` (`sign-in`) by or on `whom` (an e-mail address, an IP address, an account), of which only a
/// keyed hash is kept. At most `limit` are allowed within `window` of the first: exactly that many, of any number at once
/// and over all instances. One statement.
///
/// # Errors
/// As the database; nothing was counted then, and nothing may be tried.
pub async fn attempt(ctx: &Ctx, what: &str, whom: &str, limit: u32, window: Duration) -> Result<Attempt, DbError> {
    let seconds = i64::try_from(window.as_secs()).unwrap_or(i64::MAX);
    let counted = ctx.db.one(&ATTEMPT, params![key(ctx, what, whom), i64::from(limit), seconds, ctx.now()]).await?;
    let counted: Counted = serde_json::from_value(counted).map_err(|_| DbError::Bug("row of attempt".into()))?;
    if counted.allowed {
        return Ok(Attempt::Allowed { left: counted.left.unwrap_or_default() });
    }
    Ok(Attempt::Refused { retry_after: Duration::from_secs(counted.retry_after.unwrap_or(1)) })
}

/// Forgets the attempts at `what` by or on `whom`: the right one was among them. One statement.
///
/// # Errors
/// As the database.
pub async fn forget(ctx: &Ctx, what: &str, whom: &str) -> Result<(), DbError> {
    ctx.db.one(&FORGET, params![key(ctx, what, whom)]).await.map(drop)
}

fn key(ctx: &Ctx, what: &str, whom: &str) -> String {
    ctx.keys.fingerprint(format!("attempt/{what}/{whom}").as_bytes())
}
