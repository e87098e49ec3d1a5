//! A code to a telephone.

use domain::ids::AccountId;
use domain::person::dialled;
use domain::{SignedDuration, Timestamp};
use runtime::events::Outcome;
use runtime::keys::KeyError;
use runtime::people::Telephone;
use runtime::sms::SmsError;
use runtime::{Ctx, Kind, Lang, Problem, texts};
use serde::Deserialize;
use serde_json::Value;
use store::{Query as _, Statement, params, statement};
use uuid::Uuid;

use crate::Waiting;

const CLAIM_CODE: Statement<Claimed> = statement!("claim_code");
const SETTLE_CODE: Statement<Value> = statement!("settle_code");
const WAITING_CODE: Statement<Waiting> = statement!("waiting_code");

/// Three times [`runtime::sms::TIMEOUT`]: a sender killed in the middle must not cost the code its ten minutes.
const LEASE: SignedDuration = SignedDuration::from_secs(15);

/// A code with all that is needed to send it.
#[derive(Debug, Deserialize)]
struct Claimed {
    id: Uuid,
    account: AccountId,
    language: Lang,
    /// Null once the account was closed.
    wrapped_key: Option<String>,
    contact: Option<String>,
    telephone: Option<String>,
    phone_lookup: String,
    used: bool,
    overtaken: bool,
    expires_at: Timestamp,
}

/// Sends a code once, as long as it is good.
pub(crate) async fn send(ctx: &Ctx, code: Uuid) -> Result<Outcome, Problem> {
    let (now, lease) = (ctx.now(), Uuid::now_v7());
    if let Some(claimed) = ctx.db.optional(&CLAIM_CODE, params![code, lease, now, now + LEASE]).await? {
        let (state, why) = attempt(ctx, &claimed).await;
        ctx.db.one(&SETTLE_CODE, params![claimed.id, lease, state, why, ctx.now()]).await?;
    }
    // Somebody else's lease counts too: if they are killed, the event must come again.
    let waiting = ctx.db.one(&WAITING_CODE, params![code]).await?.waiting;
    Ok(if waiting == 0 {
        Outcome::Done
    } else {
        Outcome::Retry(Problem::new(Kind::Unavailable).because(Waiting { waiting }))
    })
}

/// Sends if it is still worth sending, and says how that ended: state and why.
async fn attempt(ctx: &Ctx, code: &Claimed) -> (&'static str, Option<String>) {
    let overtaken =
        [("used", code.used), ("expired", code.expires_at <= ctx.now()), ("another was asked", code.overtaken)];
    if let Some((why, _)) = overtaken.into_iter().find(|(_, so)| *so) {
        return ("skipped", Some(why.into()));
    }
    let (to, text) = match written(ctx, code).await {
        Ok(Some(message)) => message,
        Ok(None) => return ("skipped", Some("another number".into())),
        // A key that is away comes back; the code expires if it does not.
        Err(error) => return ("planned", Some(error.to_string())),
    };
    match ctx.sms.send(&to, &text, None).await {
        Ok(_) => ("sent", None),
        Err(error) => (if error.is_transient() { "planned" } else { "failed" }, Some(SmsError::to_string(&error))),
    }
}

/// Number and words; nothing when the account has another number than the code was asked for.
async fn written(ctx: &Ctx, code: &Claimed) -> Result<Option<(String, String)>, KeyError> {
    let (key, telephone) = (code.wrapped_key.as_deref(), code.telephone.as_deref());
    let telephone = Telephone::open(&ctx.keys, code.account, key, telephone, code.contact.as_deref()).await?;
    let Some(to) = telephone.phone.as_deref().and_then(dialled) else { return Ok(None) };
    if ctx.keys.lookup("phone", &to)? != code.phone_lookup {
        return Ok(None);
    }
    let digits = ctx.keys.sent_code(code.id)?;
    let (first, last) = digits.split_at(3);
    let text = texts::text(code.language, "sms-phone-code", &[("code", &format!("{first} {last}"))]);
    Ok(Some((to, text)))
}
