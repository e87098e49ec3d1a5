//! From a function to a process: the same binary is a container and a Lambda.

mod alone;
mod assemble;
pub mod connections;
pub mod lambda;
pub mod native;
mod quiet;
pub mod tls;

use std::process::ExitCode;
use std::sync::Arc;

pub use alone::health;
pub use assemble::{App, assemble};
use store::Db;
use store::pg::Pg;

use crate::breaches::Breaches;
use crate::clock::Clock;
use crate::config::Config;
use crate::deliver::{Deliver, Http, Subscription};
use crate::edge::rates::Rates;
use crate::faults::{Faults, Misconfigured};
use crate::keys::{self, Keys};
use crate::lookup_key::Bound;
use crate::mail::Mailer;
use crate::openid::Providers;
use crate::passkeys::Passkeys;
use crate::queue::{self, Sqs};
use crate::seals::Seals;
use crate::sms::Sms;
use crate::{Ctx, Function, Manifest, Parts, telemetry};

/// The variable of what signs seals.
pub(crate) const SEAL: &str = "CARNET_SEAL_KEY";

/// What stops a process from starting.
pub type StartError = Box<dyn std::error::Error + Send + Sync>;

/// Ends a process whose configuration is at fault (`EX_CONFIG` of sysexits.h): starting it again is of no use.
pub const MISCONFIGURED: u8 = 78;

/// The `main` of one function: a Lambda where the platform says so, an HTTP server elsewhere; `tick` runs its trigger once,
/// `health` asks the server that runs beside.
pub fn main(function: Function) -> ExitCode {
    ExitCode::from(main_code(function))
}

/// As [`main`]; the number that the process ends with.
pub fn main_code(function: Function) -> u8 {
    let verb = std::env::args().nth(1).unwrap_or_default();
    let manifest = function.manifest();
    let check = |config: &Config, faults: &mut Faults| match &manifest {
        Ok(manifest) => check_alone(config, manifest, faults),
        Err(error) => faults.add(error),
    };
    if verb == "health" {
        return run(unchecked, |config| async move { alone::health(&config).await });
    }
    run(check, |config| async move {
        let manifest = function.manifest()?;
        let ctx = context(&config, &manifest)?;
        let app = assemble(&[function], &ctx)?;
        let serving = async {
            if verb == "tick" {
                alone::tick(function.name, &app).await
            } else if std::env::var_os("AWS_LAMBDA_RUNTIME_API").is_some() {
                lambda::serve(function.name, app).await
            } else {
                let stop = native::stop_signal();
                alone::serve(&config, &manifest, app, stop).await
            }
        };
        tokio::select! {
            served = serving => served,
            refused = ctx.bound.refused() => Err(refused.into()),
        }
    })
}

/// For who needs no more of a configuration than that its variables are understood.
pub fn unchecked(_: &Config, _: &mut Faults) {}

/// Reads the configuration, starts logging and a runtime, and runs `start` to its end. What is wrong with the configuration,
/// also in the eyes of `check`, is told in one message, and nothing starts.
pub fn run<F: Future<Output = Result<(), StartError>>>(
    check: impl FnOnce(&Config, &mut Faults), start: impl FnOnce(Config) -> F,
) -> u8 {
    // Before the configuration is read, or what is wrong with it would be told to nobody.
    telemetry::start(std::env::var("CARNET_ENV").is_ok_and(|environment| environment == "development"));
    let (config, mut faults) = Config::from_env_with_faults();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let outcome = runtime.map_err(StartError::from).and_then(|runtime| {
        // Pools and clients are made within a runtime, though none of them does anything yet.
        let _within = runtime.enter();
        check(&config, &mut faults);
        faults.end()?;
        runtime.block_on(start(config))
    });
    match outcome {
        Ok(()) => 0,
        Err(error) => {
            tracing::error!(%error, "cannot start");
            if error.is::<Misconfigured>() { MISCONFIGURED } else { 1 }
        }
    }
}

/// The context of a function that runs alone: of its configuration it is given the secrets that its manifest names, and no
/// others.
///
/// # Errors
/// Names every variable that is missing or wrong.
pub fn context(config: &Config, manifest: &Manifest) -> Result<Ctx, StartError> {
    let mut faults = Faults::default();
    check_alone(config, manifest, &mut faults);
    faults.end()?;
    let named = |secret: &str| manifest.names(secret);
    let config = &keys::completed(config)?.only(&named);
    let url = config.database_url.as_deref().ok_or("DATABASE_URL: is missing")?;
    let db: Arc<dyn Db> = Arc::new(Pg::with_role(url, config.database_pool, config.database_role.as_deref())?);
    let seals = named(SEAL).then(|| Seals::new(config)).transpose()?;
    let (deliver, subscriptions) = (standalone_deliver(config)?, standalone_subscriptions(config)?);
    let clock = Clock::default();
    if let Some(instant) = config.clock {
        clock.set(instant);
    }
    parts(config, db, Arc::new(clock), Keys::those(config, &named)?, seals, deliver, subscriptions)
}

/// What is wrong with the configuration of a function that runs alone.
fn check_alone(config: &Config, manifest: &Manifest, faults: &mut Faults) {
    let named = |secret: &str| manifest.names(secret);
    let complete = faults.note(keys::completed(config)).unwrap_or_else(|| config.clone()).only(&named);
    let given = complete.secrets();
    for name in manifest.secrets.iter().filter(|name| !given.contains(&(name.as_str(), true))) {
        faults.add(format!("{name}: is missing"));
    }
    if config.queue_url.is_some() {
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
        faults.note(Pg::lazy(url, 1));
    }
    for fault in Keys::faults(config, named) {
        faults.add(fault);
    }
    if named(SEAL) && faults.is_empty() {
        faults.note(Seals::new(config));
    }
    faults.note(Passkeys::of(config));
    faults.note(Mailer::new(config.smtp_url.as_deref(), &config.mail_from));
    faults.note(Sms::new(config.sms_url.as_deref()));
    faults.note(Breaches::new(config.breached_passwords_url.as_deref()));
    faults.note(Providers::from_config(config));
    if let (Some(chain), Some(key)) = (&config.edges.tls_certificate, &config.edges.tls_key) {
        faults.note(tls::Tls::from_files(chain, key));
    }
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
    Ok(Ctx::new(Parts {
        db: bound.clone(),
        bound,
        clock,
        keys: Arc::new(keys),
        seals: seals.map(Arc::new),
        passkeys: Passkeys::of(config)?,
        mail: Mailer::new(config.smtp_url.as_deref(), &config.mail_from)?,
        sms: Sms::new(config.sms_url.as_deref())?,
        breaches: Breaches::new(config.breached_passwords_url.as_deref())?,
        openid: Providers::from_config(config)?,
        deliver,
        subscriptions,
        rates: Rates::default(),
        config: config.clone(),
    }))
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
    Ok(Arc::new(Http::new(url, config.events_secret.clone())))
}

/// Who wants which event, as the configuration says.
///
/// # Errors
/// Names what is not understood.
pub fn standalone_subscriptions(config: &Config) -> Result<Vec<Subscription>, StartError> {
    Ok(Subscription::parse_list(config.subscriptions.as_deref().unwrap_or_default())?)
}
