//! From a function to a process: the same binary is a container and a Lambda. On Spin it is a guest.

#[cfg(not(target_family = "wasm"))]
mod alone;
mod assemble;
#[cfg(not(target_family = "wasm"))]
pub mod connections;
#[cfg(not(target_family = "wasm"))]
mod health;
#[cfg(not(target_family = "wasm"))]
pub mod lambda;
#[cfg(not(target_family = "wasm"))]
pub mod native;
#[cfg(not(target_family = "wasm"))]
mod process;
#[cfg(not(target_family = "wasm"))]
mod quiet;
#[cfg(target_family = "wasm")]
pub mod spin;
#[cfg(not(target_family = "wasm"))]
pub mod tls;

use std::sync::Arc;

pub use assemble::{App, assemble};
#[cfg(not(target_family = "wasm"))]
pub use health::health;
#[cfg(not(target_family = "wasm"))]
pub use process::{MISCONFIGURED, main, main_code, run, unchecked};
use store::{Db, DbError};

use crate::breaches::Breaches;
use crate::clock::Clock;
use crate::config::Config;
use crate::deliver::{Deliver, Http, Subscription};
use crate::edge::rates::Rates;
use crate::faults::Faults;
use crate::keys::{self, Keys};
use crate::lookup_key::Bound;
use crate::mail::Mailer;
use crate::mailboxes::Exchange;
use crate::objects::{Objects, ObjectsError};
use crate::openid::Providers;
use crate::passkeys::Passkeys;
use crate::push::Push;
use crate::queue::{self, Sqs};
use crate::seals::Seals;
use crate::sms::Sms;
#[cfg(not(target_family = "wasm"))]
use crate::webhooks::Webhooks;
use crate::{Ctx, Manifest, Parts};

/// The variable of what signs seals.
pub(crate) const SEAL: &str = "CARNET_SEAL_KEY";

/// What stops a process from starting.
pub type StartError = Box<dyn std::error::Error + Send + Sync>;

/// The context of a function that runs alone: of its configuration it is given the secrets that its manifest names, and no
/// others.
///
/// # Errors
/// Names every variable that is missing or wrong.
pub fn context(config: &Config, manifest: &Manifest) -> Result<Ctx, StartError> {
    context_of(config, std::slice::from_ref(manifest))
}

/// The same for a few functions that run together.
fn context_of(config: &Config, manifests: &[Manifest]) -> Result<Ctx, StartError> {
    let mut faults = Faults::default();
    check_alone(config, manifests, &mut faults);
    faults.end()?;
    let named = |secret: &str| manifests.iter().any(|manifest| manifest.names(secret));
    let config = &keys::completed(config)?.only(&named);
    let url = config.database_url.as_deref().ok_or("DATABASE_URL: is missing")?;
    let db = database(url, config)?;
    let seals = named(SEAL).then(|| Seals::new(config)).transpose()?;
    let (deliver, subscriptions) = (standalone_deliver(config)?, standalone_subscriptions(config)?);
    let clock = Clock::default();
    if let Some(instant) = config.clock {
        clock.set(instant);
    }
    parts(config, db, Arc::new(clock), Keys::those(config, &named)?, seals, deliver, subscriptions)
}

/// What is wrong with the configuration of a function that runs alone.
fn check_alone(config: &Config, manifests: &[Manifest], faults: &mut Faults) {
    let named = |secret: &str| manifests.iter().any(|manifest| manifest.names(secret));
    let complete = faults.note(keys::completed(config)).unwrap_or_else(|| config.clone()).only(&named);
    let given = complete.secrets();
    let needed = manifests.iter().flat_map(|manifest| &manifest.secrets);
    for name in needed.filter(|name| !given.contains(&(name.as_str(), true))) {
        faults.add(format!("{name}: is missing"));
    }
    #[cfg(not(target_family = "wasm"))]
    for manifest in manifests.iter().filter(|_| config.queue_url.is_some()) {
        faults.note(alone::queue(config, &manifest.name));
    }
    faults.note(standalone_deliver(&complete));
    faults.note(standalone_subscriptions(&complete));
    check_parts(&complete, &named, faults);
}

/// What is wrong with the configuration of a process of all functions.
pub fn check_all(config: &Config, faults: &mut Faults) {
    check_parts(config, &|_| true, faults);
}

fn check_parts(config: &Config, named: &dyn Fn(&str) -> bool, faults: &mut Faults) {
    if let Some(url) = &config.database_url {
        faults.note(database(url, config));
    }
    for fault in Keys::faults(config, named) {
        faults.add(fault);
    }
    if let Some(url) = config.seals.as_deref().filter(|_| named(SEAL)) {
        faults.note(crate::seals::open(url, config.aws.as_ref()).map(drop));
    }
    // One that is made of a master key at fault has none of its own.
    if named(SEAL) && (config.seal_key.is_some() || faults.is_empty()) {
        faults.note(Seals::new(config));
    }
    faults.note(Passkeys::of(config));
    // Of two variables that make one thing, the second also by itself: the first would hide it.
    faults.note(Mailer::new(config.smtp_url.as_deref(), &config.mail_from));
    faults.note(Mailer::new(None, &config.mail_from));
    faults.note(Sms::new(config.sms_url.as_deref(), config.sms_cost_microeur));
    faults.note(Push::of(config));
    faults.note(Push::check_contact(config));
    // Only who is given the key of the store reaches it.
    if config.aws.is_some() {
        faults.note(objects(config));
        faults.note(Objects::check_uploads(config));
    }
    faults.note(Exchange::of(config, Arc::default()));
    faults.note(Breaches::new(config.breached_passwords_url.as_deref()));
    faults.note(Providers::from_config(config));
    #[cfg(not(target_family = "wasm"))]
    if let (Some(chain), Some(key)) = (&config.edges.tls_certificate, &config.edges.tls_key) {
        faults.note(tls::Tls::from_files(chain, key));
    }
}

#[cfg(not(target_family = "wasm"))]
fn database(url: &str, config: &Config) -> Result<Arc<dyn Db>, DbError> {
    Ok(Arc::new(store::pg::Pg::with_role(url, config.database_pool, config.database_role.as_deref())?))
}

/// The pool is the host's affair there.
#[cfg(target_family = "wasm")]
fn database(url: &str, config: &Config) -> Result<Arc<dyn Db>, DbError> {
    Ok(Arc::new(store::spin::Spin::new(url, config.database_role.as_deref())?))
}

/// The context of a process of all functions, over a database that is already chosen.
///
/// # Errors
/// Names the variable that is missing or wrong.
pub fn context_over(
    config: &Config, db: Arc<dyn Db>, clock: Arc<Clock>, deliver: Arc<dyn Deliver>, subscriptions: Vec<Subscription>,
) -> Result<Ctx, StartError> {
    parts(config, db, clock, Keys::of(config)?, Some(Seals::new(config)?), deliver, subscriptions)
}

fn parts(
    config: &Config, db: Arc<dyn Db>, clock: Arc<Clock>, keys: Keys, seals: Option<Seals>, deliver: Arc<dyn Deliver>,
    subscriptions: Vec<Subscription>,
) -> Result<Ctx, StartError> {
    let bound = Arc::new(Bound::new(db, &keys));
    let sms = Sms::new(config.sms_url.as_deref(), config.sms_cost_microeur)?.at(config.public_url.as_deref(), &keys);
    Ok(Ctx::new(Parts {
        db: bound.clone(),
        bound,
        keys: Arc::new(keys),
        seals: seals.map(Arc::new),
        passkeys: Passkeys::of(config)?,
        mail: Mailer::new(config.smtp_url.as_deref(), &config.mail_from)?,
        sms,
        push: Push::of(config)?,
        breaches: Breaches::new(config.breached_passwords_url.as_deref())?,
        openid: Providers::from_config(config)?,
        objects: if config.aws.is_some() { objects(config)? } else { None },
        #[cfg(not(target_family = "wasm"))]
        webhooks: Webhooks::new(config.webhook_networks.clone()),
        exchange: Exchange::of(config, clock.clone())?,
        clock,
        deliver,
        subscriptions,
        rates: Rates::default(),
        config: config.clone(),
    }))
}

fn objects(config: &Config) -> Result<Option<Arc<Objects>>, ObjectsError> {
    let open = |url: &str| Objects::new(url, config.uploads.as_deref(), config.aws.as_ref()).map(Arc::new);
    config.documents.as_deref().map(open).transpose()
}

/// Events by HTTP, or into queues, for a function that runs without its neighbours.
///
/// # Errors
/// When the queues are not understood.
pub fn standalone_deliver(config: &Config) -> Result<Arc<dyn Deliver>, StartError> {
    let url = config.consumer_url.as_deref().unwrap_or("http://{consumer}");
    if url.starts_with(queue::SCHEME) {
        return Ok(Arc::new(Sqs::new("CONSUMER_URL", url, "", config)?));
    }
    let whole = url.replace("{consumer}", "consumer").parse().ok().filter(|uri: &http::Uri| uri.authority().is_some());
    if whole.is_none_or(|uri| !["http", "https"].contains(&uri.scheme_str().unwrap_or_default())) {
        return Err("CONSUMER_URL: is neither http://…, https://… nor aws-sqs:…".into());
    }
    Ok(Arc::new(Http::new(url, config.events_secret.clone())))
}

/// Who wants which event, as the configuration says.
///
/// # Errors
/// Names what is not understood.
pub fn standalone_subscriptions(config: &Config) -> Result<Vec<Subscription>, StartError> {
    Ok(Subscription::parse_list(config.subscriptions.as_deref().unwrap_or_default())?)
}
