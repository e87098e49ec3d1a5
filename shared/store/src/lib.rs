//! The one way to the database.
//!
//! [`Db`] is object safe, so that functions never compile a driver; a [`Statement`] is one SQL file with the type of
//! its rows. **Each row is one jsonb document** and **each write is one statement**: there is no `begin()`, because a
//! guest or a Lambda killed in the middle of a transaction leaves it open in somebody else's pool.

mod param;
#[cfg(not(target_family = "wasm"))]
pub mod pg;
mod refusal;
pub mod shared;
#[cfg(target_family = "wasm")]
pub mod spin;
mod statement;

pub use param::Param;
pub use statement::{Query, Statement};

use futures_util::future::BoxFuture;
use serde_json::value::RawValue;

/// A row as it left the database: one JSON document, not yet parsed.
pub type Row = Box<RawValue>;

/// A database that runs one statement at a time.
pub trait Db: Send + Sync {
    /// Runs one statement and returns its rows, each the first (jsonb) column.
    ///
    /// # Errors
    /// [`DbError`] tells a broken promise of the schema from an unreachable database and from a mistake of ours.
    fn rows<'a>(&'a self, sql: &'static str, params: Vec<Param>) -> BoxFuture<'a, Result<Vec<Row>, DbError>>;
}

/// Why a statement failed.
#[derive(Debug, thiserror::Error)]
pub enum DbError {
    /// A named constraint refused the write. Names are part of the schema's interface.
    #[error("constraint {name} ({code})")]
    Constraint {
        /// The constraint's name, for instance `reservation_no_overlap`.
        name: String,
        /// The SQLSTATE, for instance `23P01`.
        code: String,
        /// The resource that lost, when the statement names it. Never logged.
        loser: Option<uuid::Uuid>,
    },
    /// The database cannot be reached, is starting, is overloaded or took too long. Worth another try later.
    #[error("database unavailable: {0}")]
    Unavailable(String),
    /// The statement, its parameters or its row type are wrong.
    #[error("database: {0}")]
    Bug(String),
}

impl DbError {
    /// Whether this is the refusal of the constraint of that name.
    pub fn is_constraint(&self, wanted: &str) -> bool {
        matches!(self, Self::Constraint { name, .. } if name == wanted)
    }
}
