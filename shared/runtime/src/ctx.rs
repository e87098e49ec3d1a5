use std::ops::Deref;
use std::sync::Arc;

use jiff::Timestamp;
use store::Db;

use crate::breaches::Breaches;
use crate::clock::Clock;
use crate::config::Config;
use crate::deliver::{Deliver, Subscription};
use crate::edge::rates::Rates;
use crate::host::SEAL;
use crate::keys::Keys;
use crate::lookup_key::Bound;
use crate::mail::Mailer;
use crate::mailboxes::Exchange;
use crate::objects::{Objects, ObjectsError};
use crate::openid::Providers;
use crate::passkeys::Passkeys;
use crate::push::Push;
use crate::seals::Seals;
use crate::sms::Sms;
#[cfg(not(target_family = "wasm"))]
use crate::webhooks::Webhooks;
use crate::{Kind, Manifest, Problem};

/// What a handler may use. Cloning is a few reference counts.
#[derive(Clone)]
pub struct Ctx {
    /// Signing, sealing and password hashing: the keys that were given.
    pub keys: Arc<Keys>,
    /// Sealing of the audit trail; none where nothing is sealed.
    pub seals: Option<Arc<Seals>>,
    parts: Arc<Parts>,
}

/// The parts of a [`Ctx`].
pub struct Parts {
    /// The database: no statement runs under another lookup key than the one it is kept under.
    pub db: Arc<dyn Db>,
    /// The same, to ask whether that is so.
    pub bound: Arc<Bound>,
    /// The clock.
    pub clock: Arc<Clock>,
    /// Signing, sealing and password hashing.
    pub keys: Arc<Keys>,
    /// Sealing of the audit trail; none where nothing is sealed.
    pub seals: Option<Arc<Seals>>,
    /// Who we are to a browser that keeps passkeys; none without a public address.
    pub passkeys: Option<Passkeys>,
    /// The way out for e-mail.
    pub mail: Mailer,
    /// The way out for SMS.
    pub sms: Sms,
    /// The way out for web push.
    pub push: Push,
    /// Whom to ask whether a password is known from a breach.
    pub breaches: Breaches,
    /// With whom people may sign in.
    pub openid: Providers,
    /// Where the bytes of documents are; none where that is not said.
    pub objects: Option<Arc<Objects>>,
    /// The way out to partners' programs.
    #[cfg(not(target_family = "wasm"))]
    pub webhooks: Webhooks,
    /// The way to calendars of Exchange.
    pub exchange: Exchange,
    /// How events reach their consumers.
    pub deliver: Arc<dyn Deliver>,
    /// Who wants which event.
    pub subscriptions: Vec<Subscription>,
    /// What this instance may let through.
    pub rates: Rates,
    /// The configuration.
    pub config: Config,
}

impl Ctx {
    /// Puts the parts together.
    pub fn new(parts: Parts) -> Self {
        Self { keys: parts.keys.clone(), seals: parts.seals.clone(), parts: Arc::new(parts) }
    }

    /// The same for one function among others of a process: with the keys that its manifest names, and no others.
    #[must_use]
    pub fn only(&self, manifest: &Manifest) -> Self {
        let named = |secret: &str| manifest.names(secret);
        Self {
            keys: Arc::new(self.keys.only(&named)),
            seals: self.seals.clone().filter(|_| named(SEAL)),
            parts: self.parts.clone(),
        }
    }

    /// Where the bytes of documents are.
    ///
    /// # Errors
    /// `unavailable` where `CARNET_DOCUMENTS` does not say.
    pub fn objects(&self) -> Result<Arc<Objects>, Problem> {
        let unsaid =
            || Problem::new(Kind::Unavailable).because(ObjectsError::Address("CARNET_DOCUMENTS", "is missing"));
        self.objects.clone().ok_or_else(unsaid)
    }

    /// The current instant.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }
}

impl Deref for Ctx {
    type Target = Parts;
    fn deref(&self) -> &Parts {
        &self.parts
    }
}
