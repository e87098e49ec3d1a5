//! How often one may be wrong about who one is.
//!
//! A stranger must not guess, nor lock a family out: failures are counted for an address from which nobody ever signed in to
//! the account, and for all such addresses together; where somebody did, and for a device that shows that it signed in before
//! (OWASP's device cookies), the account has a count of its own. Each attempt is
//! counted before its password is looked at, so that no number of them at once goes beyond the limit; while those under way
//! could fill it, the next waits for them.

use std::net::IpAddr;
use std::time::Duration;

use domain::ids::{AccountId, SessionId};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};
use store::shared::{BEGIN_ATTEMPT, SETTLE_ATTEMPT};
use store::{Query as _, params};
use uuid::Uuid;

use crate::edge::ClientAddress;
use crate::keys::{KeyError, Keys};
use crate::{Ctx, Kind, Problem};

/// Failures are forgotten so long after the first of them.
pub const WINDOW: SignedDuration = SignedDuration::from_mins(15);
/// Failures from one address, at any accounts that nobody ever signed in to from there.
pub const FROM_AN_ADDRESS: i64 = 20;
/// Failures at one account from all addresses from which nobody ever signed in to it.
pub const BY_STRANGERS: i64 = 10;
/// Failures at one account from one address from which somebody did.
pub const WHERE_KNOWN: i64 = 10;
/// Failures at one account from all devices that signed in to it before, wherever they are.
const OF_DEVICES: i64 = 10;
/// Failures of a signed-in person to prove once more who they are.
pub const ONCE_MORE: i64 = 10;

/// An attempt that nobody settled is forgotten: longer than any request takes.
const LEASE: SignedDuration = SignedDuration::from_secs(30);
/// Pauses between two looks at whether those under way have ended, in milliseconds; after them the answer is 503.
const PAUSES: [u64; 13] = [50, 100, 150, 200, 250, 300, 400, 500, 600, 700, 800, 900, 1000];

/// The count of failures at whoever has an address, from everywhere where nobody signed in to it.
///
/// # Errors
/// [`KeyError::Missing`] without a lookup key.
pub fn strangers_key(ctx: &Ctx, email_lookup: &str) -> Result<String, KeyError> {
    ctx.keys.fingerprint(["sign-in strangers", email_lookup].join("\0").as_bytes())
}

/// What a device keeps to show that it signed in to an account before: of the account and the session. It opens nothing.
///
/// # Errors
/// [`KeyError::Missing`] without a lookup key.
pub fn device_token(keys: &Keys, account: AccountId, session: SessionId) -> Result<String, KeyError> {
    let proof = keys.link_token(&device_purpose(account), session.as_uuid())?;
    Ok(format!("{}{proof}", account.as_uuid().simple()))
}

/// The account and the session of a token that is ours.
fn device_session(keys: &Keys, token: &str) -> Result<Option<(AccountId, SessionId)>, KeyError> {
    let Some((account, proof)) = token.split_at_checked(32) else { return Ok(None) };
    let Ok(account) = Uuid::try_parse(account).map(AccountId::from_uuid) else { return Ok(None) };
    let session = keys.link_id(&device_purpose(account), proof)?;
    Ok(session.map(|session| (account, SessionId::from_uuid(session))))
}

fn device_purpose(account: AccountId) -> String {
    format!("device of {account}")
}

/// An attempt under way.
#[derive(Debug)]
pub struct Attempt(Value);

#[derive(Deserialize)]
#[serde(tag = "state", rename_all = "lowercase")]
enum State {
    Begun { ticket: Value },
    Limited { until: Timestamp },
    Busy,
}

impl Attempt {
    /// Begins a sign-in with a password.
    ///
    /// # Errors
    /// `too-many-attempts`, whether or not there is such an account; `unavailable` when too many are under way.
    pub async fn at_sign_in(
        ctx: &Ctx, address: ClientAddress, email_lookup: &str, device: Option<&str>,
    ) -> Result<Self, Problem> {
        let from = address_hash(ctx, address)?;
        let key = |words: &[&str]| ctx.keys.fingerprint(words.join("\0").as_bytes());
        let known = json!([{"key": key(&["sign-in known", email_lookup, &from])?, "most": WHERE_KNOWN}]);
        let elsewhere = json!([
            {"key": key(&["sign-in from", &from])?, "most": FROM_AN_ADDRESS},
            {"key": strangers_key(ctx, email_lookup)?, "most": BY_STRANGERS},
        ]);
        let device = device.map(|token| device_session(&ctx.keys, token)).transpose()?.flatten();
        let of_devices = match device {
            Some((account, _)) => json!([{"key": key(&["sign-in device", &account.to_string()])?, "most": OF_DEVICES}]),
            None => json!([]),
        };
        Self::begin(ctx, Some(email_lookup), &from, [known, elsewhere, of_devices], device).await
    }

    /// Begins another proof of a signed-in person's identity.
    ///
    /// # Errors
    /// As [`Attempt::at_sign_in`].
    pub async fn once_more(ctx: &Ctx, account: AccountId) -> Result<Self, Problem> {
        let key = ctx.keys.fingerprint(format!("once more\0{account}").as_bytes())?;
        let limits = [json!([]), json!([{"key": key, "most": ONCE_MORE}]), json!([])];
        Self::begin(ctx, None, "", limits, None).await
    }

    /// One that no count stands in the way of: of a passkey, which nobody guesses.
    pub fn uncounted() -> Self {
        Self(json!([]))
    }

    async fn begin(
        ctx: &Ctx, email_lookup: Option<&str>, from: &str, limits: [Value; 3], device: Option<(AccountId, SessionId)>,
    ) -> Result<Self, Problem> {
        let (account, session) = device.map(|(account, session)| (account.as_uuid(), session.as_uuid())).unzip();
        for pause in PAUSES {
            let now = ctx.now();
            let email = email_lookup.map(str::to_owned);
            let seconds = (WINDOW.as_secs(), LEASE.as_secs());
            let [known, elsewhere, of_devices] = limits.clone();
            let wish = params![now, email, from, known, elsewhere, seconds.0, seconds.1, account, session, of_devices];
            let begun = ctx.db.one(&BEGIN_ATTEMPT, wish).await?;
            match serde_json::from_value(begun).map_err(Problem::internal)? {
                State::Begun { ticket } => return Ok(Self(ticket)),
                State::Limited { until } => {
                    let seconds = until.as_second().saturating_sub(now.as_second()).max(1);
                    return Err(Problem::new(Kind::TooManyAttempts).retry_after(seconds));
                }
                State::Busy => crate::pace::sleep(Duration::from_millis(pause)).await,
            }
        }
        Err(Problem::new(Kind::Unavailable))
    }

    /// For the statement that opens a session, which settles it.
    pub fn ticket(&self) -> &Value {
        &self.0
    }

    /// Ends it with success, which counts for nothing.
    ///
    /// # Errors
    /// When the database is away.
    pub async fn succeed(self, ctx: &Ctx) -> Result<(), Problem> {
        ctx.db.one(&SETTLE_ATTEMPT, params![json!({}), self.0, None::<bool>, "", None::<Uuid>]).await?;
        Ok(())
    }

    /// Ends it without a session; only a failure counts. Leaves a trace of `event`.
    ///
    /// # Errors
    /// When the database is away.
    pub async fn settle(
        self, ctx: &Ctx, who: Value, failed: bool, event: &str, account: Option<AccountId>,
    ) -> Result<(), Problem> {
        let account = account.map(AccountId::as_uuid);
        ctx.db.one(&SETTLE_ATTEMPT, params![who, self.0, failed, event, account]).await?;
        Ok(())
    }
}

/// A keyed hash of where a request comes from. One line has a whole /64 of IPv6.
///
/// # Errors
/// As [`Keys::fingerprint`](crate::keys::Keys::fingerprint).
pub fn address_hash(ctx: &Ctx, address: ClientAddress) -> Result<String, KeyError> {
    ctx.keys.fingerprint(format!("address\0{}", line(address.ip())).as_bytes())
}

fn line(address: Option<IpAddr>) -> String {
    match address.map(|address| address.to_canonical()) {
        None => "unknown".to_owned(),
        Some(IpAddr::V4(address)) => address.to_string(),
        Some(IpAddr::V6(address)) => format!("{:x}", u128::from(address) >> 64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_ipv6_is_its_network() {
        let of = |text: &str| line(Some(text.parse().unwrap()));
        assert_eq!(of("2001:db8:1:2::1"), of("2001:db8:1:2:ffff::9"));
        assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
        assert_eq!(of("::ffff:192.0.2.7"), of("192.0.2.7"));
        assert_ne!(of("192.0.2.7"), of("192.0.2.8"));
    }
}
