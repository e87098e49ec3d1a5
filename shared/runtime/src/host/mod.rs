//! From a function to a process: the same binary is a container and a Lambda.

mod assemble;
pub mod connections;
pub mod lambda;
pub mod native;
mod quiet;
pub mod tls;

use std::process::ExitCode;
use std::sync::Arc;

pub use assemble::{App, assemble};
use store::Db;
use store::pg::Pg;

use crate::breaches::Breaches;
use crate::clock::Clock;
use crate::config::Config;
use crate::deliver::{Deliver, Http, Subscription};
use crate::edge::rates::Rates;
use crate::keys::{self, Keys};
use crate::lookup_key::Bound;
use crate::mail::Mailer;
use crate::openid::Providers;
use crate::passkeys::Passkeys;
use crate::seals::Seals;
use crate::sms::Sms;
use crate::{Ctx, Function, Manifest, Parts, telemetry};

/// The variable of what signs seals.
pub(crate) const SEAL: &str = "CARNET_SEAL_KEY";

/// What stops a process from starting.
pub type StartError = Box<dyn std::error::Error + Send + Sync>;

/// The `main` of one function: a Lambda where the platform says so, an HTTP server elsewhere.
pub fn main(function: Function) -> ExitCode {
    run(|config| async move {
        let ctx = context(&config, &function.manifest()?)?;
        let app = assemble(&[function], &ctx)?;
        let serving = async {
            if std::env::var_os("AWS_LAMBDA_RUNTIME_API").is_some() {
                lambda::serve(function.name, app).await
            } else {
                native::serve(&config, app, native::stop_signal()).await
            }
        };
        tokio::select! {
            served = serving => served,
            refused = ctx.bound.refused() => Err(refused.into()),
        }
    })
}

/// Reads the configuration, starts logging and a runtime, and runs `start` to its end.
pub fn run<F: Future<Output = Result<(), StartError>>>(start: impl FnOnce(Config) -> F) -> ExitCode {
    // Before the configuration is read, or what is wrong with it would be told to nobody.
    telemetry::start(std::env::var("CARNET_ENV").is_ok_and(|environment| environment == "development"));
    let outcome = Config::from_env().map_err(StartError::from).and_then(|config| {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        runtime.block_on(start(config))
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(%error, "cannot start");
            ExitCode::FAILURE
        }
    }
}

/// The context of a function that runs alone: of its configuration it is given the secrets that its manifest names, and no
/// others.
///
/// # Errors
/// Names the variable that is missing or wrong.
pub fn context(config: &Config, manifest: &Manifest) -> Result<Ctx, StartError> {
    let named = |secret: &str| manifest.names(secret);
    let config = &keys::completed(config)?.only(&named);
    let given = config.secrets();
    for name in &manifest.secrets {
        if !given.contains(&(name.as_str(), true)) {
            return Err(format!("{name}: is missing").into());
        }
    }
    let url = config.database_url.as_deref().ok_or("DATABASE_URL: is missing")?;
    let db: Arc<dyn Db> = Arc::new(Pg::with_role(url, config.database_pool, config.database_role.as_deref())?);
    let seals = named(SEAL).then(|| Seals::new(config)).transpose()?;
    let (deliver, subscriptions) = (Arc::new(standalone_deliver(config)), standalone_subscriptions(config)?);
    parts(config, db, Arc::new(Clock::default()), Keys::those(config, &named)?, seals, deliver, subscriptions)
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

/// Events by HTTP, for a function that runs without its neighbours.
pub fn standalone_deliver(config: &Config) -> Http {
    Http::new(config.consumer_url.as_deref().unwrap_or("http://{consumer}"), config.events_secret.clone())
}

/// Who wants which event, as the configuration says.
///
/// # Errors
/// Names what is not understood.
pub fn standalone_subscriptions(config: &Config) -> Result<Vec<Subscription>, StartError> {
    Ok(Subscription::parse_list(config.subscriptions.as_deref().unwrap_or_default())?)
}
