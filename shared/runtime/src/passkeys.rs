//! Passkeys (`WebAuthn`): a key that its owner's device keeps and lends after a look at a face, a finger or a code.
//!
//! They are discoverable, so that nobody is asked for an address, and always verify their user, so that one is worth two
//! factors. What `webauthn-rs` checks stays in here; functions see JSON.

use domain::ids::AccountId;
use jiff::SignedDuration;
use serde_json::Value;
use store::shared::{BEGIN_CEREMONY, TAKE_CEREMONY};
use store::{Query as _, params};
use uuid::Uuid;
use webauthn_rs::prelude::{
    CredentialID, DiscoverableAuthentication, Passkey, PasskeyRegistration, PublicKeyCredential,
    RegisterPublicKeyCredential, Url, WebauthnError,
};
use webauthn_rs::{Webauthn, WebauthnBuilder};
use webauthn_rs_proto::ResidentKeyRequirement;

use crate::config::Config;
use crate::host::StartError;
use crate::{Ctx, Problem};

/// How long a challenge waits for its answer.
pub const PATIENCE: SignedDuration = SignedDuration::from_mins(5);
const FIELD: &str = "passkey_ceremony.state";
/// Of a credential's identifier, in bytes (`WebAuthn` §4).
const MAX_IDENTIFIER: usize = 1023;

/// The relying party: who we are to a browser.
pub struct Passkeys(Webauthn);

/// Why an answer is not taken. Never told.
#[derive(Debug, thiserror::Error)]
pub enum PasskeyError {
    /// It is no answer at all.
    #[error("not a credential of WebAuthn")]
    Malformed(#[from] serde_json::Error),
    /// It does not hold.
    #[error(transparent)]
    Refused(#[from] WebauthnError),
}

/// A new passkey.
pub struct Registered {
    /// Its identifier.
    pub credential: Vec<u8>,
    /// What it is verified with.
    pub passkey: Value,
    /// Its signature counter.
    pub counter: i64,
}

/// A passkey that was used.
pub struct Used {
    /// What it is verified with from now on.
    pub passkey: Value,
    /// Its signature counter.
    pub counter: i64,
}

impl Passkeys {
    /// For the origin of the configuration; none where there is no origin.
    ///
    /// # Errors
    /// When `PUBLIC_URL` is not the address of a site with a name.
    pub fn of(config: &Config) -> Result<Option<Self>, StartError> {
        let Some(origin) = config.origin() else { return Ok(None) };
        let wrong = || "PUBLIC_URL: is not the address of a site with a name";
        let origin = Url::parse(&origin).map_err(|_| wrong())?;
        let name = origin.domain().ok_or_else(wrong)?.to_owned();
        let webauthn = WebauthnBuilder::new(&name, &origin).and_then(|site| site.rp_name("Carnet").build());
        Ok(Some(Self(webauthn.map_err(|_| wrong())?)))
    }

    /// Begins a registration: options for the browser, and the state to keep. Devices that hold one of `known` offer none.
    ///
    /// # Errors
    /// When the library refuses.
    pub fn begin_registration(
        &self, account: AccountId, name: &str, known: &[Value],
    ) -> Result<(Value, String), PasskeyError> {
        let known = known.iter().map(|passkey| Ok(passkey_of(passkey)?.cred_id().clone()));
        let known = known.collect::<Result<Vec<CredentialID>, PasskeyError>>()?;
        let (mut options, state) = self.0.start_passkey_registration(account.as_uuid(), name, name, Some(known))?;
        if let Some(wanted) = &mut options.public_key.authenticator_selection {
            wanted.resident_key = Some(ResidentKeyRequirement::Required);
            wanted.require_resident_key = true;
        }
        Ok((serde_json::to_value(options.public_key)?, serde_json::to_string(&state)?))
    }

    /// Ends a registration.
    ///
    /// # Errors
    /// When the answer does not hold.
    pub fn finish_registration(&self, state: &str, answer: &Value) -> Result<Registered, PasskeyError> {
        let answer: RegisterPublicKeyCredential = serde_json::from_value(answer.clone())?;
        let state: PasskeyRegistration = serde_json::from_str(state)?;
        let passkey = self.0.finish_passkey_registration(&answer, &state)?;
        let credential = passkey.cred_id().as_slice().to_vec();
        let passkey = serde_json::to_value(&passkey)?;
        Ok(Registered { credential, counter: counter_of(&passkey), passkey })
    }

    /// Begins a sign-in of whoever it will be: options for the browser, and the state to keep.
    ///
    /// # Errors
    /// When the library refuses.
    pub fn begin_sign_in(&self) -> Result<(Value, String), PasskeyError> {
        let (options, state) = self.0.start_discoverable_authentication()?;
        Ok((serde_json::to_value(options.public_key)?, serde_json::to_string(&state)?))
    }

    /// Whose an answer says it is, and by which credential.
    ///
    /// # Errors
    /// When it says neither.
    pub fn claimed(&self, answer: &Value) -> Result<(AccountId, Vec<u8>), PasskeyError> {
        let answer: PublicKeyCredential = serde_json::from_value(answer.clone())?;
        let (account, credential) = self.0.identify_discoverable_authentication(&answer)?;
        if credential.len() > MAX_IDENTIFIER {
            return Err(WebauthnError::CredentialNotFound.into());
        }
        Ok((AccountId::from_uuid(account), credential.to_vec()))
    }

    /// Ends a sign-in with the passkey that the answer claims.
    ///
    /// # Errors
    /// When the answer does not hold: another challenge, origin, site or key; a user who was not verified; a counter that
    /// did not grow.
    pub fn finish_sign_in(&self, state: &str, answer: &Value, passkey: &Value) -> Result<Used, PasskeyError> {
        let answer: PublicKeyCredential = serde_json::from_value(answer.clone())?;
        let state: DiscoverableAuthentication = serde_json::from_str(state)?;
        let mut passkey = passkey_of(passkey)?;
        let result = self.0.finish_discoverable_authentication_v2(&answer, state, &passkey)?;
        // The library demands it as the options did; this must not hang on one flag.
        if !result.user_verified() {
            return Err(WebauthnError::UserNotVerified.into());
        }
        passkey.update_credential(&result);
        Ok(Used { passkey: serde_json::to_value(&passkey)?, counter: result.counter().into() })
    }
}

fn passkey_of(kept: &Value) -> Result<Passkey, PasskeyError> {
    Ok(serde_json::from_value(kept.clone())?)
}

fn counter_of(passkey: &Value) -> i64 {
    passkey.pointer("/cred/counter").and_then(Value::as_i64).unwrap_or_default()
}

/// What a challenge is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ceremony {
    /// An account adds a passkey.
    Registration(AccountId),
    /// Somebody signs in.
    SignIn,
}

impl Ceremony {
    fn kind(self) -> &'static str {
        match self {
            Self::Registration(_) => "registration",
            Self::SignIn => "sign-in",
        }
    }

    fn account(self) -> Option<Uuid> {
        match self {
            Self::Registration(account) => Some(account.as_uuid()),
            Self::SignIn => None,
        }
    }

    /// Keeps the state of a challenge; the name under which it is taken.
    ///
    /// # Errors
    /// When the database is away.
    pub async fn keep(self, ctx: &Ctx, state: &str) -> Result<Uuid, Problem> {
        let id = Uuid::now_v7();
        let state = ctx.keys.passing()?.seal(FIELD, id, state)?;
        let expires = ctx.now() + PATIENCE;
        ctx.db.one(&BEGIN_CEREMONY, params![id, self.kind(), self.account(), state, expires]).await?;
        Ok(id)
    }

    /// Takes it: once, and only for what and whom it was made. What then fails must begin anew.
    ///
    /// # Errors
    /// When the database is away.
    pub async fn take(self, ctx: &Ctx, id: Uuid) -> Result<Option<String>, Problem> {
        let taken = ctx.db.optional(&TAKE_CEREMONY, params![id, self.kind(), self.account(), ctx.now()]).await?;
        let sealed = taken.as_ref().and_then(|taken| taken["state"].as_str());
        let passing = ctx.keys.passing()?;
        sealed.map(|sealed| passing.open(FIELD, id, sealed)).transpose().map_err(Problem::from)
    }
}
