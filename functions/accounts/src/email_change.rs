//! Another address, which both mailboxes hear of.
//!
//! The new one must confirm, signed in, since it has to be shown to be the account's. The old one may confirm, so that it
//! takes effect at once, or refuse; if it says nothing for a week, who lost it can still move on.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use domain::Timestamp;
use domain::letter::{CHANGE_LIFE, OBJECTION, Purpose};
use domain::person::Email;
use runtime::actor::anonymous;
use runtime::edge::{ClientAddress, RequestId};
use runtime::keys::KeyError;
use runtime::people::Contact;
use runtime::{Actor, Ctx, Input, Kind, Problem};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use store::{Query as _, Statement, params, statement};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::own::{self, Password};
use crate::verification::{Token, invalid, taken};

const ASK: Statement<Value> = statement!("ask_email_change");
const CONFIRM: Statement<Progress> = statement!("confirm_email_change");
const REFUSE: Statement<Value> = statement!("refuse_email_change");

/// The address that is wanted.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wish {
    email: Email,
    #[schema(value_type = String, max_length = 1000, format = "password", pattern = r"^[^\x00]*$")]
    password: Password,
}

/// How far a change is.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Progress {
    /// Whether the new address is the account's.
    done: bool,
    confirmed_by_new: bool,
    confirmed_by_old: bool,
    /// From then on the old address need not confirm any more.
    #[schema(value_type = String, format = DateTime)]
    unopposed_from: Timestamp,
}

/// Asks for another address, in place of any asked before. The answer is the same whether or not somebody has it.
#[utoipa::path(post, path = "/v1/accounts/email-change", operation_id = "ask_email_change", tag = "accounts", request_body = Wish,
    responses((status = 202, description = "Mails to both addresses are on their way."),
              (status = 422, description = "The password is another, or the address is the present one.")))]
pub(crate) async fn ask(State(ctx): State<Ctx>, actor: Actor, Input(wish): Input<Wish>) -> Result<StatusCode, Problem> {
    let now = ctx.now();
    let own = own::confirmed(&ctx, &actor, "password", wish.password).await?;
    let present = own.contact(&ctx).await?;
    let contact = Contact { email: wish.email.into(), phone: present.phone };
    let lookup = ctx.keys.lookup("email", &contact.email)?;
    if lookup == ctx.keys.lookup("email", &present.email)? {
        return Err(Problem::new(Kind::FieldInvalid).field("email").hint("email-same"));
    }
    let key = own.wrapped_key.as_deref().ok_or(KeyError::Erased)?;
    let sealed = contact.resealed(&ctx.keys, own.id, key).await?;
    let document = json!({
        "change": Uuid::now_v7(), "contact": sealed, "email_lookup": lookup, "new_link": Uuid::now_v7(),
        "old_link": Uuid::now_v7(), "ripe_at": now + OBJECTION, "until": now + CHANGE_LIFE,
    });
    ctx.db.one(&ASK, params![actor.who(now), document]).await?;
    Ok(StatusCode::ACCEPTED)
}

/// Confirms a change by the link from either mailbox.
#[utoipa::path(post, path = "/v1/accounts/email-change/confirmation", operation_id = "confirm_email_change", tag = "accounts",
    request_body = Token, responses((status = 200, body = Progress),
        (status = 409, description = "Another account has shown the address to be its own."),
        (status = 422, description = "The link does not do.")))]
pub(crate) async fn confirm(
    State(ctx): State<Ctx>, actor: Actor, Input(given): Input<Token>,
) -> Result<Json<Progress>, Problem> {
    let (link, purpose) = given.open(&ctx, &[Purpose::ChangeEmail, Purpose::LeaveEmail])?;
    let progress =
        ctx.db.optional(&CONFIRM, params![actor.who(ctx.now()), link, purpose.name()]).await.map_err(taken)?;
    progress.map(Json).ok_or_else(invalid)
}

/// Refuses a change from the old mailbox: signs out everywhere, and the password is good no more. Nobody needs to be signed in: who asked for the change
/// may have the account, and its owner the mailbox only.
#[utoipa::path(post, path = "/v1/accounts/email-change/refusal", operation_id = "refuse_email_change", tag = "accounts",
    request_body = Token, responses((status = 204, description = "The address stays as it was; the next password is chosen by /v1/accounts/password-reset/request."),
        (status = 422, description = "The link does not do.")))]
pub(crate) async fn refuse(
    State(ctx): State<Ctx>, request: RequestId, address: ClientAddress, Input(given): Input<Token>,
) -> Result<StatusCode, Problem> {
    let (link, _) = given.open(&ctx, &[Purpose::LeaveEmail])?;
    let refused = ctx.db.optional(&REFUSE, params![anonymous(request, address, ctx.now()), link]).await?;
    refused.map(|_| StatusCode::NO_CONTENT).ok_or_else(invalid)
}
