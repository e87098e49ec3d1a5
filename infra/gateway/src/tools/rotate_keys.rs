//! `just rotate-keys`: wraps every person's key with the present master key. Run it after `CARNET_MASTER_KEY` was changed and
//! the former one was put into `CARNET_MASTER_KEYS_BEFORE`; the product goes on meanwhile. When it says that nothing is left,
//! the former key may be forgotten, if `CARNET_LOOKUP_KEY` is set.

use indicatif::{ProgressBar, ProgressStyle};
use runtime::config::Config;
use runtime::host::StartError;
use runtime::keys::Keys;

use crate::{dev, private_database, sealing};

/// Seals what stands in clear, then wraps all keys anew.
pub(super) async fn run(mut config: Config) -> Result<(), StartError> {
    let _private = private_database(&mut config)?;
    if config.is_development() {
        dev::keys::provide(&mut config)?;
    }
    if config.lookup_key.is_none() && config.master_keys_before.is_some() {
        tracing::warn!("CARNET_LOOKUP_KEY is not set: lookups hang on the oldest key of CARNET_MASTER_KEYS_BEFORE");
    }
    let keys = Keys::of(&config)?;
    let pool = super::pool(&config).await?;
    let clear = sealing::seal_clear(&pool, &keys).await?;
    let bar = ProgressBar::new(1).with_style(ProgressStyle::with_template("{bar:40} {pos}/{len} {elapsed} {msg}")?);
    let progress = |done: u64, all: u64| {
        bar.set_length(all.max(done));
        bar.set_position(done);
    };
    let wrapped = sealing::rewrap(&pool, &keys, &progress).await?;
    bar.finish_with_message(format!("{} sealed, {} keys wrapped anew", clear.changed, wrapped.changed));
    match clear.unopened + wrapped.unopened {
        0 => Ok(()),
        left => Err(format!("{left} rows have a key that no master key opens").into()),
    }
}
