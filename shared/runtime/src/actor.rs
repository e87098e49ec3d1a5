//! Who asks. No handler without one, unless its manifest says public.

use axum::extract::{FromRef, FromRequestParts};
use domain::ids::{AccountId, SessionId};
use http::header::AUTHORIZATION;
use http::request::Parts;
use uuid::Uuid;

use crate::edge::RequestId;
use crate::{Ctx, Kind, Problem};

/// A signed-in person, and the request they make.
#[derive(Debug, Clone, Copy)]
pub struct Actor {
    /// The account: `$1` of every statement that touches personal data.
    pub account: AccountId,
    /// The session it acts in.
    pub session: SessionId,
    /// The request, for the audit trail.
    pub request: RequestId,
}

impl Actor {
    /// The account's bare identifier, for statements.
    pub fn id(&self) -> Uuid {
        self.account.as_uuid()
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
        let token = parts
            .headers
            .get(AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
            .map(|(_, token)| token.trim())
            .ok_or_else(|| Problem::new(Kind::Unauthenticated))?;
        let claims = ctx.keys.verify(token, ctx.now()).ok_or_else(|| Problem::new(Kind::Unauthenticated))?;
        Ok(Self { account: claims.sub, session: claims.sid, request: RequestId::of(&parts.extensions) })
    }
}
