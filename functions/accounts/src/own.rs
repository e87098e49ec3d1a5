//! The account of the caller, when it takes more than a session: the password asked again, a new one judged.

use domain::ids::{AccountId, PatientId};
use domain::person::NewPassword;
use domain::person::password::{self, Holder};
use runtime::people::{Contact, Identity, Telephone};
use runtime::sign_in_attempts::Attempt;
use runtime::{Actor, Ctx, Kind, Problem, Words};
use serde::Deserialize;
use store::{Query as _, Statement, params, statement};

const OWN: Statement<Own> = statement!("own");

/// A password as somebody types it to show who they are.
pub(crate) type Password = Words<1000>;

/// An account as stored.
#[derive(Debug, Deserialize)]
pub(crate) struct Own {
    pub(crate) id: AccountId,
    pub(crate) password_hash: String,
    /// None once the account is closed.
    pub(crate) wrapped_key: Option<String>,
    contact: Option<String>,
    telephone: Option<String>,
    patient: Option<PatientId>,
    patient_key: Option<String>,
    identity: Option<String>,
}

impl Own {
    /// How its holder is reached; nothing when nobody knows.
    pub(crate) async fn contact(&self, ctx: &Ctx) -> Result<Contact, Problem> {
        match (&self.wrapped_key, &self.contact) {
            (Some(key), Some(sealed)) => Ok(Contact::open(&ctx.keys, self.id, key, sealed).await?),
            _ => Ok(Contact { email: String::new(), phone: None }),
        }
    }

    /// Their telephone, if there is one.
    pub(crate) async fn phone(&self, ctx: &Ctx) -> Result<Option<String>, Problem> {
        let (key, telephone) = (self.wrapped_key.as_deref(), self.telephone.as_deref());
        Ok(Telephone::open(&ctx.keys, self.id, key, telephone, self.contact.as_deref()).await?.phone)
    }

    /// The hash of a new password, if it may be the account's.
    pub(crate) async fn new_hash(&self, ctx: &Ctx, field: &str, new: NewPassword) -> Result<String, Problem> {
        let contact = self.contact(ctx).await?;
        let identity = match (self.patient, &self.patient_key, &self.identity) {
            (Some(patient), Some(key), Some(sealed)) => Some(Identity::open(&ctx.keys, patient, key, sealed).await?),
            _ => None,
        };
        new_hash(ctx, field, new, &contact, identity.as_ref()).await
    }
}

/// The hash of a new password, if it is neither among the first that anybody would try nor known from a breach.
pub(crate) async fn new_hash(
    ctx: &Ctx, field: &str, new: NewPassword, contact: &Contact, identity: Option<&Identity>,
) -> Result<String, Problem> {
    let names = identity.map(|identity| [identity.given_name.as_str(), identity.family_name.as_str()]);
    let birth_date = identity.map(|identity| identity.birth_date);
    let holder = Holder { email: &contact.email, names: names.unwrap_or_default(), birth_date };
    password::check(&new, &holder)
        .map_err(|refused| Problem::new(Kind::FieldInvalid).field(field).hint(refused.code()))?;
    if ctx.breaches.know(new.as_str()).await {
        return Err(Problem::new(Kind::FieldInvalid).field(field).hint("password-breached"));
    }
    Ok(ctx.keys.hash_password(new.into()).await?)
}

/// The caller's account, once they have shown again that they know its password. A wrong one leaves a trace and counts:
/// whatever this function asks a signed-in person's password for comes through here.
pub(crate) async fn confirmed(ctx: &Ctx, actor: &Actor, field: &str, given: Password) -> Result<Own, Problem> {
    // Beside the password, of who has a second factor, that factor a moment ago.
    if actor.standing.two_factors {
        actor.may_change_sign_in(ctx.now())?;
    }
    let own = ctx.db.optional(&OWN, params![actor.id()]).await?.ok_or_else(|| Problem::new(Kind::Unauthenticated))?;
    let attempt = Attempt::once_more(ctx, actor.account).await?;
    let matches = ctx.keys.verify_password(given.into(), Some(own.password_hash.clone())).await;
    if matches.as_ref().is_ok_and(|matches| *matches) {
        attempt.succeed(ctx).await?;
        return Ok(own);
    }
    attempt.settle(ctx, actor.who(ctx.now()), matches.is_ok(), "account.password.confirm", Some(actor.account)).await?;
    matches?;
    Err(Problem::new(Kind::PasswordWrong).field(field))
}
