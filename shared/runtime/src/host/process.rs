//! A process of one's own: what it is started with, and how it ends.

use std::process::ExitCode;

use super::{StartError, alone, assemble, check_alone, context, health, lambda, native};
use crate::config::Config;
use crate::faults::{Faults, Misconfigured};
use crate::{Function, telemetry};

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
        Ok(manifest) => check_alone(config, std::slice::from_ref(manifest), faults),
        Err(error) => faults.add(error),
    };
    if verb == "health" {
        return run(unchecked, |config| async move { health(&config).await });
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
