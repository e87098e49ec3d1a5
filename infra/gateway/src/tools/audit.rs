//! `just audit-verify`: proves that the audit trail is as it was written, or says what is not. `docs/audit.md` says what
//! it compares with what. `just audit-verify key=BASE64,…` trusts these public keys and needs no private one;
//! `seals=s3://…` names the copies; `just audit-key` prints the public key of this configuration.
//!
//! It asks the database for rows and trusts no function in it: the form of a row is written again in [`row`], and a test
//! compares it with `audit_line`.

mod diagnose;
pub mod row;
mod seals;
mod stream;
mod verify;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use indicatif::{ProgressBar, ProgressStyle};
use runtime::config::Config;
use runtime::host::StartError;
use runtime::seals::{PublicKey, Seals, open, trusted};

use super::argument;
use crate::{dev, private_database};
pub use verify::{Trail, Verified};

/// What can be wrong with a trail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A row says something else than it did when it was sealed.
    RowChanged,
    /// A row that was sealed is gone.
    RowRemoved,
    /// A row stands where all had been written when it was sealed.
    RowInserted,
    /// A row that was sealed stands elsewhere.
    RowReordered,
    /// Rows under no seal that verifies, in a stretch that has been sealed.
    RowsUnproven,
    /// A seal is gone.
    SealRemoved,
    /// A seal says something else than what was signed, or than its copy.
    SealChanged,
    /// A seal is signed with a key that is not ours.
    SealForged,
    /// A seal does not go on where the one before ended.
    SealUnlinked,
    /// The copies know of later seals than the table.
    TailCut,
    /// A copy is not what was signed.
    CopyChanged,
    /// A copy is gone.
    CopyRemoved,
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::RowChanged => "row changed",
            Self::RowRemoved => "row removed",
            Self::RowInserted => "row inserted into a sealed stretch",
            Self::RowReordered => "row moved",
            Self::RowsUnproven => "rows under no seal",
            Self::SealRemoved => "seal removed",
            Self::SealChanged => "seal changed",
            Self::SealForged => "seal forged",
            Self::SealUnlinked => "seal not linked to the one before",
            Self::TailCut => "tail cut",
            Self::CopyChanged => "copy changed",
            Self::CopyRemoved => "copy removed",
        })
    }
}

/// Something wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What.
    pub kind: Kind,
    /// Where.
    pub place: String,
}

/// How many findings of one kind are printed with their place.
const SHOWN: usize = 20;

/// Verifies the whole trail. Any finding is an error.
#[expect(clippy::print_stdout, reason = "the report is what was asked for")]
#[expect(clippy::cast_precision_loss, reason = "counts here are far below 2^52")]
pub(super) async fn run(arguments: &[String], mut config: Config) -> Result<(), StartError> {
    let keys = keys(arguments, &mut config)?;
    let _private = private_database(&mut config)?;
    let objects = match argument::<String>(arguments, "seals")?.or(config.seals.clone()) {
        Some(url) => Some(open(&url, config.aws.as_ref())?),
        None => None,
    };
    if objects.is_none() {
        println!("no store of copies (seals=…, CARNET_SEALS): a tail that was cut cannot be seen");
    }
    let mut trail = Trail::new(super::pool(&config).await?, keys, objects);
    trail.workers = argument(arguments, "workers")?.unwrap_or(trail.workers);
    let style = ProgressStyle::with_template("{msg} {bar:40} {human_pos}/{human_len} rows, {per_sec}, {eta} left")?;
    let bar = ProgressBar::new(0).with_style(style).with_message("verifying");
    let began = Instant::now();
    let shown = bar.clone();
    let progress = move |rows, of| {
        shown.set_length(of);
        shown.inc(rows);
    };
    let found = trail.verify(Arc::new(progress)).await?;
    let seconds = began.elapsed().as_secs_f64();
    bar.finish_and_clear();
    println!(
        "{} rows under {} seals, {} copies; {} rows not sealed yet, {} seals not copied yet; {:.1} s, {:.0} rows/s",
        found.rows,
        found.seals,
        found.copies,
        found.unsealed,
        found.uncopied,
        seconds,
        found.rows as f64 / seconds
    );
    if found.findings.is_empty() && found.seals == 0 {
        return Err("nothing is sealed, so nothing is proven".into());
    }
    if found.findings.is_empty() {
        println!("the trail is as it was written");
        return Ok(());
    }
    let mut by_kind: BTreeMap<Kind, Vec<&str>> = BTreeMap::new();
    for finding in &found.findings {
        by_kind.entry(finding.kind).or_default().push(&finding.place);
    }
    for (kind, places) in by_kind {
        println!("{kind}: {}", places.len());
        for place in places.iter().take(SHOWN) {
            println!("    {place}");
        }
    }
    Err(format!("the trail is not as it was written: {} findings", found.total).into())
}

/// The keys that are trusted: those given, or those of the configuration, also of before the last change of the master key.
fn keys(arguments: &[String], config: &mut Config) -> Result<Vec<PublicKey>, StartError> {
    if let Some(given) = argument::<String>(arguments, "key")? {
        return Ok(given.split(',').map(PublicKey::from_base64).collect::<Result<_, _>>()?);
    }
    if config.is_development() {
        dev::keys::provide(config)?;
    }
    trusted(config)
}

/// Prints the public key of this configuration, for those who verify elsewhere.
#[expect(clippy::print_stdout, reason = "its one purpose")]
pub(super) fn print_key(mut config: Config) -> Result<(), StartError> {
    if config.is_development() {
        dev::keys::provide(&mut config)?;
    }
    let key = Seals::new(&config)?.key.public();
    print!("{}\n{}", key.id(), key.pem());
    Ok(())
}
