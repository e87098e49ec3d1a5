//! How many requests one address or one account may make in a minute, over all instances.
//!
//! What is left of a minute is counted in the database, and leased from it in blocks: an instance spends a block without
//! asking again, so that most requests cost no statement, and all instances together never spend more than there is. What
//! an instance has leased and not spent by the end of the minute is lost; a key that is spent is remembered until then.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::{HeaderMap, HeaderValue};
use jiff::Timestamp;
use serde::Deserialize;
use store::shared::LEASE;
use store::{Db, DbError, Query as _, params};

use crate::keys::Keys;
use crate::{Kind, Problem, pace};

/// Length of a window, in seconds.
const WINDOW: i64 = 60;
/// A block is a tenth of the limit, and no more than this.
const BLOCK: u32 = 20;
/// Keys that an instance remembers at once.
const KEYS: usize = 50_000;
/// A database that is slower is not waited for: the request goes through.
const PATIENCE: Duration = Duration::from_millis(500);
/// How long nothing is asked of a database that did not answer, in seconds.
const REST: i64 = 5;

/// Whose requests are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Whose {
    /// Of an address.
    Address,
    /// Of an account.
    Account,
}

impl Whose {
    fn name(self) -> &'static str {
        match self {
            Self::Address => "address",
            Self::Account => "account",
        }
    }
}

/// What a request was told of its limit.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Budget {
    whose: Whose,
    quota: u32,
    left: u32,
    seconds: i64,
    allowed: bool,
    /// Whether this instance refused the same in this window before.
    again: bool,
}

impl Budget {
    /// The refusal, when nothing was left. The first of a window leaves a trace: one for each would be a way to fill the trail.
    pub(crate) fn refusal(&self) -> Option<Problem> {
        let refused = || {
            let refused =
                Problem::new(Kind::TooManyRequests).retry_after(self.seconds).with("limit", self.whose.name());
            if self.again { refused.untraced() } else { refused }
        };
        (!self.allowed).then(refused)
    }
}

/// What the limits of one request said; the edge puts it into the answer.
#[derive(Debug, Clone, Default)]
pub(crate) struct Budgets(Arc<Mutex<Vec<Budget>>>);

impl Budgets {
    pub(crate) fn add(&self, budget: Budget) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(budget);
    }

    /// `RateLimit-Policy` and `RateLimit` (draft-ietf-httpapi-ratelimit-headers-10).
    pub(super) fn write(&self, headers: &mut HeaderMap) {
        let budgets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut policy, mut state) = (String::new(), String::new());
        for Budget { whose, quota, left, seconds, .. } in budgets.iter() {
            let comma = if policy.is_empty() { "" } else { ", " };
            let _ = write!(policy, "{comma}\"{}\";q={quota};w={WINDOW}", whose.name());
            let _ = write!(state, "{comma}\"{}\";r={left};t={seconds}", whose.name());
        }
        for (name, value) in [("ratelimit-policy", policy), ("ratelimit", state)] {
            if let Some(value) = HeaderValue::from_str(&value).ok().filter(|value| !value.is_empty()) {
                headers.insert(name, value);
            }
        }
    }
}

/// What this instance has leased.
#[derive(Default)]
pub struct Rates {
    leases: Mutex<HashMap<String, Arc<tokio::sync::Mutex<Lease>>>>,
    resting_until: AtomicI64,
    told: AtomicBool,
}

#[derive(Debug, Clone, Copy, Default)]
struct Lease {
    window: i64,
    permits: u32,
    /// What the database had left after the last block.
    elsewhere: u32,
    spent: bool,
    refused: bool,
}

#[derive(Debug, Deserialize)]
struct Block {
    granted: u32,
    left: u32,
}

impl Rates {
    /// Spends one permit of an address; of an IPv6 address its /64 counts, which is what one household is given.
    pub(crate) async fn address(
        &self, db: &dyn Db, keys: &Keys, address: IpAddr, quota: u32, now: Timestamp,
    ) -> Option<Budget> {
        let network = match address.to_canonical() {
            IpAddr::V4(address) => address.octets().to_vec(),
            IpAddr::V6(address) => address.octets()[..8].to_vec(),
        };
        self.spend(db, keys, Whose::Address, &network, quota, now).await
    }

    /// Spends one permit of an account.
    pub(crate) async fn account(
        &self, db: &dyn Db, keys: &Keys, account: &[u8], quota: u32, now: Timestamp,
    ) -> Option<Budget> {
        self.spend(db, keys, Whose::Account, account, quota, now).await
    }

    /// None where there is no limit, or no database to count in: whatever needs it says so itself.
    async fn spend(
        &self, db: &dyn Db, keys: &Keys, whose: Whose, name: &[u8], quota: u32, now: Timestamp,
    ) -> Option<Budget> {
        if quota == 0 {
            return None;
        }
        let second = now.as_second();
        let (window, seconds) = (second.div_euclid(WINDOW), WINDOW - second.rem_euclid(WINDOW));
        let key = keys.fingerprint(&[b"rate/", whose.name().as_bytes(), b"/", name].concat());
        // Who is given no key for lookups has no routes of its own, and nothing to be asked for.
        let key = key.ok()?;
        let lease = self.lease(&key, window);
        // Who else is waiting for a block of this key will spend of the one that comes.
        let mut lease = pace::lock(&lease).await;
        if lease.window != window {
            *lease = Lease { window, ..Lease::default() };
        }
        if lease.permits == 0 && !lease.spent {
            if self.resting_until.load(Ordering::Relaxed) > second {
                return None;
            }
            let block = self.block(db, &key, window, quota, second).await?;
            *lease = Lease {
                window,
                permits: block.granted,
                elsewhere: block.left,
                spent: block.granted == 0,
                refused: false,
            };
        }
        let allowed = lease.permits > 0;
        lease.permits = lease.permits.saturating_sub(1);
        let again = std::mem::replace(&mut lease.refused, !allowed);
        Some(Budget { whose, quota, left: lease.permits + lease.elsewhere, seconds, allowed, again })
    }

    fn lease(&self, key: &str, window: i64) -> Arc<tokio::sync::Mutex<Lease>> {
        let mut leases = self.leases.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(lease) = leases.get(key) {
            return lease.clone();
        }
        if leases.len() >= KEYS {
            leases.retain(|_, lease| lease.try_lock().is_ok_and(|lease| lease.window == window));
            if leases.len() >= KEYS {
                // What was leased is lost, so that this only ever refuses earlier.
                leases.clear();
            }
        }
        leases.entry(key.to_owned()).or_default().clone()
    }

    async fn block(&self, db: &dyn Db, key: &str, window: i64, quota: u32, second: i64) -> Option<Block> {
        let size = (quota / 10).clamp(1, BLOCK);
        let leased = db.one(&LEASE, params![key, window, i64::from(quota), i64::from(size)]);
        let leased = pace::timeout(PATIENCE, leased).await;
        match leased.unwrap_or_else(|_| Err(DbError::Unavailable("slow".into()))) {
            Ok(block) => {
                self.told.store(false, Ordering::Relaxed);
                serde_json::from_value(block).ok()
            }
            Err(error) => {
                self.resting_until.store(second + REST, Ordering::Relaxed);
                if !self.told.swap(true, Ordering::Relaxed) {
                    tracing::error!(%error, "requests are not counted");
                }
                None
            }
        }
    }
}
