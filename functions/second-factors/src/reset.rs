//! The way back of who has lost every second factor and every recovery code: an operator who has seen who they are.

use axum::Json;
use axum::extract::State;
use domain::ids::AccountId;
use runtime::{Actor, Ctx, Input, Kind, Problem, Words};
use serde::{Deserialize, Serialize};
use store::{Query as _, Statement, params, statement};
use utoipa::ToSchema;

const RESET: Statement<FactorsReset> = statement!("reset");

/// What showed the operator who asks: as sure a look as an account of that kind is opened with (ASVS 5.0 §6.4.4).
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
enum Evidence {
    /// A document with a photograph, beside its holder, in person or face to face at a distance.
    IdentityDocument,
    /// A professional's card (CPS, e-CPS), used before the operator.
    ProfessionalCard,
    /// A sign-in at FranceConnect or Pro Santé Connect, seen by the operator.
    ElectronicIdentity,
}

impl Evidence {
    const fn name(self) -> &'static str {
        match self {
            Self::IdentityDocument => "identity-document",
            Self::ProfessionalCard => "professional-card",
            Self::ElectronicIdentity => "electronic-identity",
        }
    }
}

/// Whose second factors are lost: one of the two.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LostFactors {
    account: Option<AccountId>,
    /// Of the account that has shown this address to be its own.
    #[schema(value_type = Option<String>, max_length = 254, pattern = r"^[^\x00]*$")]
    email: Option<Words<254>>,
    evidence: Evidence,
}

/// What is left of them.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct FactorsReset {
    #[serde(skip_serializing)]
    #[schema(ignore)]
    known: bool,
    /// How many factors were removed.
    removed: u32,
}

/// Takes away all second factors and recovery codes of somebody who has lost them, and ends their sessions. The password is
/// still asked for; the holder is told by mail, and whoever works here adds another factor before anything else.
#[utoipa::path(post, path = "/v1/second-factors/reset", operation_id = "reset_second_factors", tag = "accounts",
    request_body = LostFactors,
    responses((status = 200, body = FactorsReset), (status = 403, description = "Not an operator, or the session was opened too long ago."),
              (status = 404, description = "No such account, or the operator's own.")))]
pub(crate) async fn reset(
    State(ctx): State<Ctx>, actor: Actor, Input(lost): Input<LostFactors>,
) -> Result<Json<FactorsReset>, Problem> {
    match (&lost.account, &lost.email) {
        (None, None) => return Err(Problem::new(Kind::FieldMissing).field("account")),
        (Some(_), Some(_)) => return Err(Problem::new(Kind::FieldInvalid).field("account").hint("whose-factors")),
        _ => {}
    }
    actor.may_change_sign_in(ctx.now())?;
    let lookup = lost.email.map(|email| ctx.keys.lookup("email", &email)).transpose()?;
    let account = lost.account.map(AccountId::as_uuid);
    let reset = ctx.db.one(&RESET, params![actor.who(ctx.now()), account, lookup, lost.evidence.name()]).await?;
    if reset.known { Ok(Json(reset)) } else { Err(Problem::new(Kind::NotFound)) }
}
