//! The telephone of an account, and showing that it is the holder's, by a code that is sent to it.

use axum::extract::State;
use axum::http::StatusCode;
use domain::ids::AccountId;
use domain::letter::CODE_LIFE;
use domain::person::{Phone, dialled, takes_codes};
use runtime::keys::KeyError;
use runtime::people::Telephone;
use runtime::{Actor, Ctx, Input, Kind, Problem, Words};
use serde::Deserialize;
use serde_json::Value;
use store::{Query as _, Statement, params, statement};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::own::{self, Password};

const PHONE: Statement<Stored> = statement!("phone");
const ASK_PHONE_CODE: Statement<Value> = statement!("ask_phone_code");
const VERIFY_PHONE: Statement<Verdict> = statement!("verify_phone");
const CHANGE_PHONE: Statement<Value> = statement!("change_phone");

/// Codes of an account, and codes to a number, in a day: nobody fills somebody's telephone through us, nor our bill.
const A_DAY: i64 = 5;
/// Wrong codes, after which another has to be asked for. One of a million is guessed with five in 1 of 200,000 cases.
const TRIES: i64 = 5;
/// How often a code is judged anew when the account was changed between the reading and the judging.
const READS: usize = 3;

/// The number as stored.
#[derive(Debug, Deserialize)]
struct Stored {
    id: AccountId,
    wrapped_key: Option<String>,
    contact: Option<String>,
    telephone: Option<String>,
    email_verified: bool,
    code: Option<Code>,
}

/// The code that was asked for last.
#[derive(Debug, Deserialize)]
struct Code {
    id: Uuid,
    phone_lookup: String,
}

#[derive(Debug, Deserialize)]
struct Verdict {
    verified: bool,
}

impl Stored {
    async fn of(ctx: &Ctx, actor: &Actor) -> Result<Self, Problem> {
        let stored = ctx.db.optional(&PHONE, params![actor.who(ctx.now())]).await?;
        stored.ok_or_else(|| Problem::new(Kind::Unauthenticated))
    }

    async fn phone(&self, ctx: &Ctx) -> Result<Option<String>, Problem> {
        let (key, telephone) = (self.wrapped_key.as_deref(), self.telephone.as_deref());
        Ok(Telephone::open(&ctx.keys, self.id, key, telephone, self.contact.as_deref()).await?.phone)
    }
}

/// What has no country is dialled by nobody.
fn nowhere() -> Problem {
    Problem::new(Kind::FieldInvalid).field("phone").hint("phone-country")
}

/// The number that is wanted.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewPhone {
    /// With its country (`+33…`); 0X and eight digits are one of metropolitan France. Null removes it: that has to be said.
    #[serde(deserialize_with = "Option::deserialize")]
    #[schema(required = true)]
    phone: Option<Phone>,
    #[schema(value_type = String, max_length = 1000, format = "password", pattern = r"^[^\x00]*$")]
    password: Password,
}

/// Gives the caller's account another number, or none. Whose it is, is asked anew; a mail tells of it.
#[utoipa::path(post, path = "/v1/accounts/phone", operation_id = "change_phone", tag = "accounts", request_body = NewPhone,
    responses((status = 204, description = "The number is the account's, and not shown to be the holder's."),
              (status = 422, description = "The password is another, or the number has no country.")))]
pub(crate) async fn change(
    State(ctx): State<Ctx>, actor: Actor, Input(wish): Input<NewPhone>,
) -> Result<StatusCode, Problem> {
    let wanted = wish.phone.map(String::from);
    let wanted_dialled = wanted.as_deref().map(|phone| dialled(phone).ok_or_else(nowhere)).transpose()?;
    let own = own::confirmed(&ctx, &actor, "password", wish.password).await?;
    let present = own.phone(&ctx).await?;
    // The same one, perhaps written otherwise: what was shown stays shown.
    if present == wanted || (wanted_dialled.is_some() && present.as_deref().and_then(dialled) == wanted_dialled) {
        return Ok(StatusCode::NO_CONTENT);
    }
    let key = own.wrapped_key.as_deref().ok_or(KeyError::Erased)?;
    let sealed = Telephone { phone: wanted }.sealed(&ctx.keys, own.id, key).await?;
    let changed = ctx.db.optional(&CHANGE_PHONE, params![actor.who(ctx.now()), sealed, own.password_hash]).await?;
    // Another password between the two: the old one is no longer the old one.
    changed.map(|_| StatusCode::NO_CONTENT).ok_or_else(|| Problem::new(Kind::PasswordWrong).field("password"))
}

/// Sends a code to the number of the caller's account by SMS, once its address was shown to be theirs: accounts cost nothing, and
/// SMS do. None is sent when the number was shown to be theirs, or five were asked for today of
/// the account or to the number: how often others ask for a number is not told. The code of before is good no more.
#[utoipa::path(post, path = "/v1/accounts/phone-verification/request", operation_id = "ask_phone_code", tag = "accounts",
    responses((status = 202, description = "A code is on its way, if one is needed."),
              (status = 409, description = "The account's address was not shown to be the caller's."),
              (status = 422, description = "The account has no number, one without its country, or one that no code is sent to.")))]
pub(crate) async fn ask(State(ctx): State<Ctx>, actor: Actor) -> Result<StatusCode, Problem> {
    let stored = Stored::of(&ctx, &actor).await?;
    let phone = stored.phone(&ctx).await?.ok_or_else(|| Problem::new(Kind::FieldMissing).field("phone"))?;
    let number = dialled(&phone).ok_or_else(nowhere)?;
    if !takes_codes(&number) {
        return Err(Problem::new(Kind::FieldInvalid).field("phone").hint("phone-codes"));
    }
    if !stored.email_verified {
        return Err(Problem::new(Kind::EmailUnproven));
    }
    let lookup = ctx.keys.lookup("phone", &number)?;
    let now = ctx.now();
    ctx.db.one(&ASK_PHONE_CODE, params![actor.who(now), Uuid::now_v7(), lookup, now + CODE_LIFE, A_DAY]).await?;
    Ok(StatusCode::ACCEPTED)
}

/// What an SMS held.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PhoneCode {
    /// Six digits; blanks among them make no difference.
    #[schema(value_type = String, max_length = 20, pattern = r"^[^\x00]*$", example = "123 456")]
    code: Words<20>,
}

/// One answer for every code that does not do, whatever is wrong with it.
fn wrong() -> Problem {
    Problem::new(Kind::CodeWrong).field("code")
}

/// Shows that the number of the caller's account is theirs, by the code that was sent to it last. A code is good once, for ten
/// minutes, and dead after five wrong ones.
#[utoipa::path(post, path = "/v1/accounts/phone-verification", operation_id = "verify_phone", tag = "accounts", request_body = PhoneCode,
    responses((status = 204, description = "The number is the holder's."), (status = 422, description = "The code does not do.")))]
pub(crate) async fn verify(
    State(ctx): State<Ctx>, actor: Actor, Input(given): Input<PhoneCode>,
) -> Result<StatusCode, Problem> {
    let digits: String = given.code.chars().filter(|char| !char.is_whitespace()).collect();
    for _ in 0..READS {
        let stored = Stored::of(&ctx, &actor).await?;
        let Some(code) = &stored.code else { return Err(wrong()) };
        let lookup = stored.phone(&ctx).await?.as_deref().and_then(dialled);
        let lookup = lookup.map(|phone| ctx.keys.lookup("phone", &phone)).transpose()?;
        let right = ctx.keys.is_sent_code(code.id, &digits)? && lookup.as_ref() == Some(&code.phone_lookup);
        let parameters = params![actor.who(ctx.now()), code.id, right, TRIES, stored.contact, stored.telephone];
        match ctx.db.optional(&VERIFY_PHONE, parameters).await? {
            Some(Verdict { verified: true }) => return Ok(StatusCode::NO_CONTENT),
            Some(Verdict { verified: false }) => return Err(wrong()),
            None => {}
        }
    }
    Err(Problem::new(Kind::Unavailable))
}
