//! `just rotate-keys`: wraps every person's key with the present master key. Run it after `CARNET_MASTER_KEY` was changed and
//! the former one was put into `CARNET_MASTER_KEYS_BEFORE`; the product goes on meanwhile. When it says that nothing is left,
//! the former key may be forgotten.

use std::sync::Arc;

use indicatif::{ProgressBar, ProgressStyle};
use runtime::config::Config;
use runtime::host::StartError;
use runtime::keys::Keys;
use runtime::lookup_key::Bound;
use runtime::seals::{PublicKey, derived_before, named_before};
use sqlx::PgPool;
use store::pg::Pg;

use crate::{dev, private_database, sealing};

/// Seals what stands in clear, then wraps all keys anew.
pub(super) async fn run(mut config: Config) -> Result<(), StartError> {
    let _private = private_database(&mut config)?;
    if config.is_development() {
        dev::keys::provide(&mut config)?;
    }
    let keys = Keys::of(&config)?;
    let url = config.database_url.as_deref().unwrap_or_default();
    Bound::new(Arc::new(Pg::lazy(url, 1)?), &keys).prove().await?;
    let pool = super::pool(&config).await?;
    keep_seals_provable(&pool, &config).await?;
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

/// Seals that were signed with a key derived from a master key that is about to be forgotten would be called forged from then
/// on: before that, seals have a key of their own, and the public keys of those there are stand in the configuration.
///
/// # Errors
/// Says what to set, and to what.
pub async fn keep_seals_provable(pool: &PgPool, config: &Config) -> Result<(), StartError> {
    let signed_by: Vec<String> = sqlx::query_scalar("select distinct key_id from audit_seal").fetch_all(pool).await?;
    let derived = derived_before(config)?.into_iter().filter(|key| signed_by.contains(&key.id()));
    let derived: Vec<PublicKey> = derived.collect();
    if derived.is_empty() {
        return Ok(());
    }
    if config.seal_key.is_none() {
        return Err(
            "CARNET_SEAL_KEY: is missing; seals of the audit trail were signed with a key derived from a master key \
                    that is to be forgotten: give seals a key of their own first"
                .into(),
        );
    }
    let named = named_before(config)?;
    let unnamed: Vec<String> = derived.iter().filter(|key| !named.contains(key)).map(PublicKey::base64).collect();
    if unnamed.is_empty() {
        return Ok(());
    }
    Err(format!(
        "CARNET_SEAL_KEYS_BEFORE: lacks {}; with that key seals of the audit trail were signed, and without it they would \
         count as forged once the master key is forgotten",
        unnamed.join(",")
    )
    .into())
}
