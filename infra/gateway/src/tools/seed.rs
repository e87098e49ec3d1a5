//! `just seed practitioners=10000 appointments=1000000`

use indicatif::{ProgressBar, ProgressStyle};
use runtime::config::Config;
use runtime::host::StartError;
use store::pg::Pg;

use super::argument;
use crate::{dev, generate, private_database, serve};

/// Migrates, loads the fixtures, and adds mass data up to the counts asked for.
pub(super) async fn run(arguments: &[String], mut config: Config) -> Result<(), StartError> {
    let practitioners = argument(arguments, "practitioners")?.unwrap_or(1_000);
    let appointments = argument(arguments, "appointments")?.unwrap_or(100_000);
    let _private = private_database(&mut config)?;
    dev::keys::provide(&mut config)?;
    let pg = Pg::lazy(config.database_url.as_deref().unwrap_or_default(), config.database_pool)?;
    let gateway = serve::gateway(&config, std::sync::Arc::new(pg.clone()), std::sync::Arc::default(), None)?;
    pg.migrate().await?;
    gateway.ctx.bound.prove().await?;
    crate::fixtures::load_with(&pg, &gateway.ctx).await?;
    let bar = ProgressBar::new(1).with_style(ProgressStyle::with_template("{msg:20} {bar:40} {pos}/{len} {elapsed}")?);
    let progress = |step: &str, done: u64, all: u64| {
        bar.set_message(step.to_owned());
        bar.set_length(all);
        bar.set_position(done);
    };
    let added = generate::generate(
        &super::pool(&config).await?,
        practitioners,
        appointments,
        &gateway.ctx.now().to_string(),
        &progress,
    )
    .await?;
    bar.finish_with_message(format!(
        "{} practitioners, {} patients, {} appointments added",
        added.practitioners, added.patients, added.appointments
    ));
    Ok(())
}
