//! Work on everything that is sealed: sealing what an earlier release wrote in clear, and a new master key for all.
//!
//! Both go through the rows in bounded batches, each batch one statement that changes a row only if it still is what was
//! read, so they may be stopped, started again and run beside the product.

use domain::ids::{AccountId, PatientId};
use futures_util::future::try_join_all;
use runtime::keys::{KeyError, Keys};
use runtime::people::{Contact, DECISION_REASON, Identity, MEMBER_NAME, SealedWords, identity_lookup};
use serde::Deserialize;
use serde_json::{Value, json};
use sqlx::PgPool;
use uuid::Uuid;

/// Rows changed by one statement.
const BATCH: i64 = 500;

/// What a run did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Done {
    /// Rows that were changed.
    pub changed: u64,
    /// Rows whose key no master key opens: they are left as they are.
    pub unopened: u64,
}

/// Why a run stopped.
#[derive(Debug, thiserror::Error)]
pub enum SealingError {
    /// The database refused or went away; the next run goes on.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
    /// A row cannot be sealed.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A row is not what the schema promises.
    #[error("a row is not what it should be: {0}")]
    Row(#[from] serde_json::Error),
}

const CLEAR_ACCOUNTS: &str = include_str!("../sql/sealing/clear_accounts.sql");
const SEAL_ACCOUNTS: &str = include_str!("../sql/sealing/seal_accounts.sql");
const CLEAR_PATIENTS: &str = include_str!("../sql/sealing/clear_patients.sql");
const SEAL_PATIENTS: &str = include_str!("../sql/sealing/seal_patients.sql");
/// Words in clear: what they are, the next of them, and their change.
const CLEAR_WORDS: [(&str, &str, &str); 3] = [
    (
        MEMBER_NAME,
        include_str!("../sql/sealing/clear_invitations.sql"),
        include_str!("../sql/sealing/seal_invitations.sql"),
    ),
    (
        MEMBER_NAME,
        include_str!("../sql/sealing/clear_memberships.sql"),
        include_str!("../sql/sealing/seal_memberships.sql"),
    ),
    (
        DECISION_REASON,
        include_str!("../sql/sealing/clear_professionals.sql"),
        include_str!("../sql/sealing/seal_professionals.sql"),
    ),
];
const CLEAR_IDENTITIES: &str = include_str!("../sql/sealing/clear_identities.sql");
const HASH_IDENTITIES: &str = include_str!("../sql/sealing/hash_identities.sql");
/// Tables with a wrapped key: how many rows another key wraps, the next of them, and their change.
const WRAPPED: [[&str; 3]; 6] = [
    [
        include_str!("../sql/sealing/count_accounts.sql"),
        include_str!("../sql/sealing/next_accounts.sql"),
        include_str!("../sql/sealing/rewrap_accounts.sql"),
    ],
    [
        include_str!("../sql/sealing/count_patients.sql"),
        include_str!("../sql/sealing/next_patients.sql"),
        include_str!("../sql/sealing/rewrap_patients.sql"),
    ],
    [
        include_str!("../sql/sealing/count_invitations.sql"),
        include_str!("../sql/sealing/next_invitations.sql"),
        include_str!("../sql/sealing/rewrap_invitations.sql"),
    ],
    [
        include_str!("../sql/sealing/count_memberships.sql"),
        include_str!("../sql/sealing/next_memberships.sql"),
        include_str!("../sql/sealing/rewrap_memberships.sql"),
    ],
    [
        include_str!("../sql/sealing/count_professionals.sql"),
        include_str!("../sql/sealing/next_professionals.sql"),
        include_str!("../sql/sealing/rewrap_professionals.sql"),
    ],
    [
        include_str!("../sql/sealing/count_webhooks.sql"),
        include_str!("../sql/sealing/next_webhooks.sql"),
        include_str!("../sql/sealing/rewrap_webhooks.sql"),
    ],
];

#[derive(Deserialize)]
struct ClearAccount {
    id: AccountId,
    email: String,
    phone: Option<String>,
}

#[derive(Deserialize)]
struct ClearPatient {
    id: PatientId,
    wrapped_key: String,
    #[serde(flatten)]
    identity: Identity,
}

/// Seals addresses, names and words that stand in clear, and hashes identities of providers.
///
/// # Errors
/// As [`SealingError`]; what was done before stays done.
pub async fn seal_clear(pool: &PgPool, keys: &Keys) -> Result<Done, SealingError> {
    let mut done = Done::default();
    loop {
        let rows: Vec<Value> = sqlx::query_scalar(CLEAR_ACCOUNTS).bind(BATCH).fetch_all(pool).await?;
        if rows.is_empty() {
            break;
        }
        let sealed = try_join_all(rows.into_iter().map(async |row| {
            let ClearAccount { id, email, phone } = serde_json::from_value(row)?;
            let contact = Contact { email, phone };
            let (key, text) = contact.sealed(keys, id).await?;
            let lookup = keys.lookup("email", &contact.email)?;
            Ok::<_, SealingError>(json!({"id": id, "wrapped_key": key, "contact": text, "email_lookup": lookup}))
        }));
        done.changed += write(pool, SEAL_ACCOUNTS, sealed.await?).await?;
    }
    let mut after = Uuid::nil();
    loop {
        let rows: Vec<Value> = sqlx::query_scalar(CLEAR_PATIENTS).bind(after).bind(BATCH).fetch_all(pool).await?;
        let Some(last) = rows.last() else { break };
        after = serde_json::from_value(last["id"].clone())?;
        let all = rows.len() as u64;
        let mut sealed = Vec::new();
        for row in rows {
            let ClearPatient { id, wrapped_key, identity } = serde_json::from_value(row)?;
            match identity.resealed(keys, id, &wrapped_key).await {
                Ok(text) => sealed.push(json!({"id": id, "identity": text, "twin_lookup": identity.twin(keys)?})),
                Err(KeyError::DoesNotOpen) => {}
                Err(error) => return Err(error.into()),
            }
        }
        done.unopened += all - sealed.len() as u64;
        done.changed += write(pool, SEAL_PATIENTS, sealed).await?;
    }
    done.changed += seal_words(pool, keys).await? + hash_identities(pool, keys).await?;
    Ok(done)
}

async fn seal_words(pool: &PgPool, keys: &Keys) -> Result<u64, SealingError> {
    let mut changed = 0;
    for (field, clear, seal) in CLEAR_WORDS {
        loop {
            let rows: Vec<(Uuid, String)> = sqlx::query_as(clear).bind(BATCH).fetch_all(pool).await?;
            if rows.is_empty() {
                break;
            }
            let sealed = try_join_all(rows.into_iter().map(async |(id, words)| {
                let sealed = SealedWords::new(keys, field, id, &words).await?;
                Ok::<_, SealingError>(json!({"id": id, "clear": words, "sealed": sealed}))
            }));
            changed += write(pool, seal, sealed.await?).await?;
        }
    }
    Ok(changed)
}

async fn hash_identities(pool: &PgPool, keys: &Keys) -> Result<u64, SealingError> {
    let mut changed = 0;
    loop {
        let rows: Vec<(String, String)> = sqlx::query_as(CLEAR_IDENTITIES).bind(BATCH).fetch_all(pool).await?;
        if rows.is_empty() {
            return Ok(changed);
        }
        let hashed = rows.into_iter().map(|(provider, subject)| {
            let lookup = identity_lookup(keys, &provider, &subject)?;
            Ok(json!({"provider": provider, "subject": subject, "lookup": lookup}))
        });
        changed += write(pool, HASH_IDENTITIES, hashed.collect::<Result<_, KeyError>>()?).await?;
    }
}

/// Wraps every key that an earlier master key wraps with the present one. `progress` is told how far it is and how far it
/// goes.
///
/// # Errors
/// As [`SealingError`]; what was done before stays done.
pub async fn rewrap(pool: &PgPool, keys: &Keys, progress: &dyn Fn(u64, u64)) -> Result<Done, SealingError> {
    let mut done = Done::default();
    let master = keys.master_id()?;
    let mut all = 0_u64;
    for [count, ..] in WRAPPED {
        let count: i64 = sqlx::query_scalar(count).bind(master).fetch_one(pool).await?;
        all += count.unsigned_abs();
    }
    for [_, next, change] in WRAPPED {
        let mut after = Uuid::nil();
        loop {
            let rows = sqlx::query_as(next).bind(master).bind(after).bind(BATCH);
            let rows: Vec<(Uuid, String)> = rows.fetch_all(pool).await?;
            let Some((last, _)) = rows.last() else { break };
            after = *last;
            let mut rewrapped = Vec::new();
            for (id, wrapped) in &rows {
                match keys.rewrap(*id, wrapped).await {
                    Ok(key) => rewrapped.push(json!({"id": id, "before": wrapped, "after": key})),
                    Err(KeyError::DoesNotOpen) => done.unopened += 1,
                    Err(error) => return Err(error.into()),
                }
            }
            done.changed += write(pool, change, rewrapped).await?;
            progress(done.changed + done.unopened, all);
        }
    }
    Ok(done)
}

async fn write(pool: &PgPool, sql: &'static str, rows: Vec<Value>) -> Result<u64, sqlx::Error> {
    Ok(sqlx::query(sql).bind(Value::Array(rows)).execute(pool).await?.rows_affected())
}
