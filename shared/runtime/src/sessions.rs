//! Opening a session with a password or a passkey. What an identity provider opens, the SQL function `sign_in_with` does.

use domain::access::{Level, Role};
use domain::ids::{AccountId, EstablishmentId, MembershipId, SessionId};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use store::shared::OPEN_SESSION;
use store::{Query as _, params};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::actor::anonymous;
use crate::device::Device;
use crate::edge::{ClientAddress, RequestId};
use crate::keys::{ACCESS_TOKEN_LIFE, SESSION_LIFE};
use crate::sign_in_attempts::{Attempt, address_hash, device_token};
use crate::{Ctx, Kind, Problem};

/// In what an account may act.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct Capacity {
    /// As what.
    pub role: Role,
    /// By which membership, for who works in an establishment.
    pub membership: Option<MembershipId>,
    /// In which establishment.
    pub establishment: Option<EstablishmentId>,
}

impl Capacity {
    /// Everybody may be a patient.
    pub const PATIENT: Self = Self { role: Role::Patient, membership: None, establishment: None };

    /// The one that was meant, of those the SQL function `capacities` tells: asked for, or the only one at work, or else as
    /// a patient.
    ///
    /// # Errors
    /// `field-missing` when several are meant, `forbidden` when none is.
    pub fn meant(all: &[Self], role: Option<Role>, establishment: Option<EstablishmentId>) -> Result<Self, Problem> {
        if role == Some(Role::Patient) || (role.is_none() && establishment.is_none() && all.len() != 1) {
            return Ok(Self::PATIENT);
        }
        let meant = |capacity: &&Self| {
            role.is_none_or(|role| role == capacity.role)
                && establishment.is_none_or(|establishment| Some(establishment) == capacity.establishment)
        };
        let mut meant = all.iter().filter(meant);
        match (meant.next(), meant.next()) {
            (Some(capacity), None) => Ok(*capacity),
            (Some(_), Some(_)) => Err(Problem::new(Kind::FieldMissing).field("establishment")),
            (None, _) => Err(Problem::new(Kind::Forbidden).field("role")),
        }
    }
}

/// What has shown who somebody is. What is good once is used up by the statement that opens the session.
#[derive(Debug, Clone)]
pub enum Proof {
    /// A password alone.
    Password,
    /// A password and a code of an authenticator app.
    Code {
        /// Which app.
        factor: Uuid,
        /// The code's time step.
        step: i64,
    },
    /// A password and a recovery code.
    Recovery {
        /// Its keyed hash.
        hash: String,
    },
    /// A passkey that has verified its user.
    Passkey {
        /// Which one.
        factor: Uuid,
        /// Its signature counter.
        counter: i64,
        /// What is kept of it from now on, sealed.
        secret: String,
    },
}

impl Proof {
    fn level(&self) -> Level {
        match self {
            Self::Password => Level::One,
            Self::Code { .. } | Self::Recovery { .. } | Self::Passkey { .. } => Level::Two,
        }
    }

    fn method(&self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::Code { .. } => "password+totp",
            Self::Recovery { .. } => "password+recovery",
            Self::Passkey { .. } => "passkey",
        }
    }

    fn factor(&self) -> Value {
        match self {
            Self::Code { factor, step } => json!({"id": factor, "counter": step}),
            Self::Passkey { factor, counter, secret } => json!({"id": factor, "counter": counter, "secret": secret}),
            _ => Value::Null,
        }
    }
}

/// A session that is to be opened.
#[derive(Debug)]
pub struct Opening<'a> {
    /// Whose.
    pub account: AccountId,
    /// In what capacity.
    pub capacity: Capacity,
    /// Why we believe it.
    pub proof: Proof,
    /// The hash that the password matched, where one was given: changed meanwhile, it opens nothing.
    pub password_hash: Option<String>,
    /// What the device says of itself.
    pub device: Device,
    /// The attempt that succeeds with it, if attempts were counted.
    pub attempt: Option<&'a Attempt>,
}

/// What a client keeps.
#[derive(Debug, Serialize, ToSchema)]
pub struct Tokens {
    /// Bearer token of every request.
    pub access_token: String,
    /// Good once, for the next pair.
    pub refresh_token: String,
    /// Life of the access token, in seconds.
    pub expires_in: i64,
    /// `Bearer`
    pub token_type: &'static str,
    /// Of a sign-in: kept by the device beyond the session and given at the next sign-in, it keeps strangers' failures out of
    /// the way. It opens nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device_token: Option<String>,
}

impl Tokens {
    /// A fresh access token beside a refresh token.
    ///
    /// # Errors
    /// When it cannot be signed.
    pub fn new(ctx: &Ctx, account: AccountId, session: SessionId, refresh_token: String) -> Result<Self, Problem> {
        let access_token = ctx.keys.issue(account, session, ctx.now())?;
        let (expires_in, token_type) = (ACCESS_TOKEN_LIFE.as_secs(), "Bearer");
        Ok(Self { access_token, refresh_token, expires_in, token_type, device_token: None })
    }
}

/// Opens a session; none when the code, the passkey's counter or the account is good no more.
///
/// # Errors
/// When the database is away.
pub async fn open(
    ctx: &Ctx, request: RequestId, address: ClientAddress, opening: Opening<'_>,
) -> Result<Option<Tokens>, Problem> {
    let now = ctx.now();
    let session = SessionId::from_uuid(Uuid::now_v7());
    let (refresh_token, hash) = ctx.keys.new_token()?;
    let Opening { account, capacity, proof, password_hash, device, attempt } = opening;
    let recovery = match &proof {
        Proof::Recovery { hash } => Some(hash),
        _ => None,
    };
    let document = json!({
        "account": account, "session": session, "hash": hash, "expires_at": now + SESSION_LIFE,
        "role": capacity.role, "membership": capacity.membership, "level": proof.level(), "method": proof.method(),
        "device": device, "address": address_hash(ctx, address)?, "factor": proof.factor(), "recovery": recovery,
        "password_hash": password_hash,
        "ticket": attempt.map(Attempt::ticket),
    });
    let opened = ctx.db.optional(&OPEN_SESSION, params![anonymous(request, address, now), document]).await?;
    if opened.is_none() {
        return Ok(None);
    }
    let device_token = Some(device_token(&ctx.keys, account, session)?);
    Ok(Some(Tokens { device_token, ..Tokens::new(ctx, account, session, refresh_token)? }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_acts_in_the_capacity_that_was_meant_and_in_no_other() {
        let place = |n| EstablishmentId::from_uuid(Uuid::from_u128(n));
        let works = |role, n| Capacity {
            role,
            membership: Some(MembershipId::from_uuid(Uuid::from_u128(n))),
            establishment: Some(place(n)),
        };
        let (here, there) = (works(Role::Secretary, 1), works(Role::Secretary, 2));
        let kind = |meant: Result<Capacity, Problem>| meant.map_err(|problem| problem.kind).unwrap_err();
        assert_eq!(Capacity::meant(&[], None, None).unwrap(), Capacity::PATIENT);
        assert_eq!(Capacity::meant(&[here], None, None).unwrap(), here);
        assert_eq!(Capacity::meant(&[here], Some(Role::Patient), None).unwrap(), Capacity::PATIENT);
        assert_eq!(Capacity::meant(&[here, there], None, None).unwrap(), Capacity::PATIENT);
        assert_eq!(Capacity::meant(&[here, there], None, Some(place(2))).unwrap(), there);
        assert_eq!(kind(Capacity::meant(&[here, there], Some(Role::Secretary), None)), Kind::FieldMissing);
        assert_eq!(kind(Capacity::meant(&[here], Some(Role::Nurse), None)), Kind::Forbidden);
        assert_eq!(kind(Capacity::meant(&[here], None, Some(place(3)))), Kind::Forbidden);
        assert_eq!(kind(Capacity::meant(&[], Some(Role::Operator), None)), Kind::Forbidden);
    }
}
