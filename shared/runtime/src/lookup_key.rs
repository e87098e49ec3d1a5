//! The lookup key never changes: a database is kept under the first one that it saw, and no statement runs under another.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::future::BoxFuture;
use store::shared::LOOKUP_KEY;
use store::{Db, DbError, Param, Query as _, Row, params};

use crate::keys::Keys;

/// Pause between two tries while the database is away.
const PAUSE: Duration = Duration::from_secs(2);

/// Why a database may not be used.
#[derive(Debug, thiserror::Error)]
pub enum LookupKeyError {
    /// Under this key nobody would be found, and everybody could be entered a second time.
    #[error(
        "CARNET_LOOKUP_KEY: is not the one that this database is kept under (where it was never given, that is the first \
         CARNET_MASTER_KEY)"
    )]
    Another,
    /// It could not be asked.
    #[error(transparent)]
    Database(#[from] DbError),
}

impl From<LookupKeyError> for DbError {
    fn from(error: LookupKeyError) -> Self {
        match error {
            // Nothing is wrong with what was asked for: it can be had again once the key is put right.
            LookupKeyError::Another => Self::Unavailable(error.to_string()),
            LookupKeyError::Database(error) => error,
        }
    }
}

/// A database, and the lookup key that it is used with. The two are compared before the first statement: a process may start
/// while its database is away.
pub struct Bound {
    db: Arc<dyn Db>,
    /// None where nothing is ever looked up.
    mark: Option<String>,
    proven: AtomicBool,
}

impl Bound {
    /// A database under the lookup key of `keys`, if they have one.
    pub fn new(db: Arc<dyn Db>, keys: &Keys) -> Self {
        Self { db, mark: keys.lookup_mark(), proven: AtomicBool::new(false) }
    }

    /// Compares the two, unless that was done already. A database that saw no key yet is kept under this one from now on.
    ///
    /// # Errors
    /// [`LookupKeyError::Another`] when it is kept under another one, [`LookupKeyError::Database`] when it does not say.
    pub async fn prove(&self) -> Result<(), LookupKeyError> {
        let Some(mark) = self.mark.as_deref().filter(|_| !self.proven.load(Ordering::Relaxed)) else { return Ok(()) };
        let mut kept = self.db.optional(&LOOKUP_KEY, params![mark]).await?;
        if kept.is_none() {
            // Another process noted its key at the same moment: by now it can be read.
            kept = self.db.optional(&LOOKUP_KEY, params![mark]).await?;
        }
        if kept.is_none_or(|kept| kept != mark) {
            return Err(LookupKeyError::Another);
        }
        self.proven.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// Resolves when the database turns out to be kept under another key, and never otherwise: a process serves beside it,
    /// and ends with it.
    pub async fn refused(&self) -> LookupKeyError {
        loop {
            match self.prove().await {
                Ok(()) => std::future::pending().await,
                Err(LookupKeyError::Another) => return LookupKeyError::Another,
                Err(LookupKeyError::Database(_)) => crate::pace::sleep(PAUSE).await,
            }
        }
    }
}

impl Db for Bound {
    fn rows<'a>(&'a self, sql: &'static str, params: Vec<Param>) -> BoxFuture<'a, Result<Vec<Row>, DbError>> {
        if self.mark.is_none() || self.proven.load(Ordering::Relaxed) {
            return self.db.rows(sql, params);
        }
        Box::pin(async move {
            self.prove().await?;
            self.db.rows(sql, params).await
        })
    }
}
