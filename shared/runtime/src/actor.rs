//! Who asks. No handler without one, unless its manifest says public.

use std::sync::{Arc, OnceLock};

use axum::extract::{FromRef, FromRequestParts};
use domain::access::{Access, Decision, Level, Role, Standing, Unproven};
use domain::ids::{AccountId, EstablishmentId, MailboxId, SessionId};
use http::HeaderMap;
use http::header::AUTHORIZATION;
use http::request::Parts;
use jiff::Timestamp;
use serde_json::{Value, json};
use store::shared::ACTOR;
use store::{Query as _, params};
use uuid::Uuid;

use crate::edge::rates::Budgets;
use crate::edge::{ClientAddress, RequestId};
use crate::{Ctx, Kind, Problem};

/// A signed-in person in the capacity they chose, and the request they make.
#[derive(Debug, Clone)]
pub struct Actor {
    /// The account: see [`Actor::who`], `$1` of every statement that touches personal data.
    pub account: AccountId,
    /// The session it acts in.
    pub session: SessionId,
    /// The request, for the audit trail.
    pub request: RequestId,
    /// Where the request came from.
    pub address: ClientAddress,
    /// In what capacity, as the database says at this request.
    pub standing: Standing,
}

impl Actor {
    /// The account's bare identifier, for statements.
    pub fn id(&self) -> Uuid {
        self.account.as_uuid()
    }

    /// Who acts in a session that something else than a token names; none when it has ended. What they may is for the statement
    /// to say: no route was asked for.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn in_session(
        ctx: &Ctx, account: AccountId, session: SessionId, (request, address): (RequestId, ClientAddress),
    ) -> Result<Option<Self>, Problem> {
        let now = ctx.now();
        let standing = ctx.db.optional(&ACTOR, params![session.as_uuid(), account.as_uuid(), now]).await?;
        let worth = |it: &Standing| it.level >= it.role.level() && (!it.two_factors || it.level == Level::Two);
        Ok(standing.filter(worth).map(|standing| Self { account, session, request, address, standing }))
    }

    /// The session of the token that came with a request, if one came: none of it when it is not good.
    #[allow(clippy::option_option, reason = "no token, a bad one, a good one")]
    pub fn session_named(ctx: &Ctx, headers: &HeaderMap) -> Option<Option<SessionId>> {
        headers.contains_key(AUTHORIZATION).then(|| Some(ctx.keys.verify(token_of(headers)?, ctx.now())?.sid))
    }

    /// Goes on if the session may change what later sign-ins take.
    ///
    /// # Errors
    /// `second-factor-needed` without a factor where the account has one; `sign-in-too-old` after
    /// [`domain::access::FRESH`].
    pub fn may_change_sign_in(&self, now: Timestamp) -> Result<(), Problem> {
        self.standing.may_change_sign_in(now).map_err(|unproven| {
            Problem::new(match unproven {
                Unproven::SecondFactor => Kind::SecondFactorNeeded,
                Unproven::Stale => Kind::SignInTooOld,
            })
        })
    }

    /// `who` of the statements: what the policy asks and the audit trail remembers.
    pub fn who(&self, now: Timestamp) -> Value {
        json!({
            "at": now, "account": self.account, "session": self.session, "role": self.standing.role,
            "level": self.standing.level, "establishment": self.standing.establishment,
            "practitioner": self.standing.practitioner, "attached": self.standing.attached,
            "address": self.address, "request": self.request.to_string(), "purpose": purpose(self.standing.role),
        })
    }
}

/// `who` of a request that nobody signed.
pub fn anonymous(request: RequestId, address: ClientAddress, now: Timestamp) -> Value {
    json!({"at": now, "address": address, "request": request.to_string()})
}

/// `who` of what nobody asked for: a tick or an event.
pub fn system(now: Timestamp) -> Value {
    json!({"at": now, "role": "system", "purpose": "HSYSADMIN"})
}

/// `who` of a calendar elsewhere that is left to move the visits of its agenda: it may do that, and nothing else.
pub fn mailbox(mailbox: MailboxId, establishment: EstablishmentId, now: Timestamp) -> Value {
    json!({"at": now, "role": "system", "mailbox": mailbox, "establishment": establishment, "purpose": "HOPERAT"})
}

/// Why a role looks at all (HL7 v3 `PurposeOfUse`, as FHIR `AuditEvent.purposeOfEvent` has it).
fn purpose(role: Role) -> &'static str {
    match role {
        Role::Patient => "PATRQT",
        Role::Practitioner | Role::Nurse | Role::Pharmacist => "TREAT",
        Role::Secretary | Role::Administrator | Role::Dim => "HOPERAT",
        Role::Operator | Role::Support => "HSYSADMIN",
    }
}

/// Left by the edge for the extractor to fill, so that a refusal can say whose it was.
#[derive(Debug, Clone, Default)]
pub(crate) struct Seen(Arc<OnceLock<Value>>);

impl Seen {
    pub(crate) fn who(&self) -> Option<Value> {
        self.0.get().cloned()
    }
}

impl<S> FromRequestParts<S> for Actor
where
    S: Send + Sync,
    Ctx: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let ctx = Ctx::from_ref(state);
        let now = ctx.now();
        let unauthenticated = || Problem::new(Kind::Unauthenticated);
        let token = token_of(&parts.headers).ok_or_else(unauthenticated)?;
        let claims = ctx.keys.verify(token, now).ok_or_else(unauthenticated)?;
        let quota = ctx.config.edges.rate_account;
        let account = claims.sub.as_uuid();
        if let Some(budget) = ctx.rates.account(&*ctx.db, &ctx.keys, account.as_bytes(), quota, now).await {
            if let Some(budgets) = parts.extensions.get::<Budgets>() {
                budgets.add(budget);
            }
            budget.refusal().map_or(Ok(()), Err)?;
        }
        let standing = ctx.db.optional(&ACTOR, params![claims.sid.as_uuid(), claims.sub.as_uuid(), now]).await?;
        let actor = Self {
            account: claims.sub,
            session: claims.sid,
            request: RequestId::of(&parts.extensions),
            address: ClientAddress::of(&parts.extensions),
            standing: standing.ok_or_else(unauthenticated)?,
        };
        if let Some(seen) = parts.extensions.get::<Seen>() {
            // Two extractors of one request see the same.
            let _ = seen.0.set(actor.who(now));
        }
        let access = parts.extensions.get::<Access>().copied();
        // Only a route whose manifest says neither what it touches nor that it is public: assembly refuses it.
        let access = access.ok_or_else(|| Problem::new(Kind::Internal))?;
        actor.standing.admit(access).map_err(refused)?;
        Ok(actor)
    }
}

/// The one token that came. Of two, somebody before us may have looked at the other.
fn token_of(headers: &HeaderMap) -> Option<&str> {
    let mut given = headers.get_all(AUTHORIZATION).iter();
    let value = given.next().filter(|_| given.next().is_none())?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// What a role may do to nothing at all is told: that the route exists is no secret.
fn refused(decision: Decision) -> Problem {
    match decision {
        Decision::NeedsSecondFactor => {
            Problem::new(Kind::SecondFactorNeeded).why(("access-needs-second-factor", vec![]))
        }
        _ => Problem::new(Kind::Forbidden).why(("access-not-this-role", vec![])),
    }
}
