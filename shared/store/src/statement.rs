use std::marker::PhantomData;

use serde::de::DeserializeOwned;

use crate::{Db, DbError, Param};

/// One SQL file and the type of its rows. Made with [`statement!`](crate::statement).
pub struct Statement<Row> {
    /// The file's stem, for logs and tests.
    pub name: &'static str,
    /// The text, sent as it is.
    pub sql: &'static str,
    row: PhantomData<fn() -> Row>,
}

impl<Row> Statement<Row> {
    /// Binds a text to its row type.
    pub const fn new(name: &'static str, sql: &'static str) -> Self {
        Self { name, sql, row: PhantomData }
    }
}

/// A statement from a file beside the code: `statement!("book")` reads `../sql/book.sql`.
#[macro_export]
macro_rules! statement {
    ($name:literal) => {
        $crate::Statement::new($name, include_str!(concat!("../sql/", $name, ".sql")))
    };
}

/// Typed calls over [`Db`].
pub trait Query {
    /// Every row.
    ///
    /// # Errors
    /// As [`Db::rows`]; a row that is not of type `Row` is [`DbError::Bug`].
    fn many<Row: DeserializeOwned>(
        &self, statement: &Statement<Row>, params: Vec<Param>,
    ) -> impl Future<Output = Result<Vec<Row>, DbError>> + Send;

    /// The only row, or none.
    ///
    /// # Errors
    /// As [`Query::many`]; a second row is [`DbError::Bug`].
    fn optional<Row: DeserializeOwned + Send>(
        &self, statement: &Statement<Row>, params: Vec<Param>,
    ) -> impl Future<Output = Result<Option<Row>, DbError>> + Send;

    /// The only row.
    ///
    /// # Errors
    /// As [`Query::optional`]; no row is [`DbError::Bug`].
    fn one<Row: DeserializeOwned + Send>(
        &self, statement: &Statement<Row>, params: Vec<Param>,
    ) -> impl Future<Output = Result<Row, DbError>> + Send;
}

impl<D: Db + ?Sized> Query for D {
    async fn many<Row: DeserializeOwned>(
        &self, statement: &Statement<Row>, params: Vec<Param>,
    ) -> Result<Vec<Row>, DbError> {
        let rows = self.rows(statement.sql, params).await?;
        // The error of serde_json names a place and a type, never a value of ours beyond a short literal.
        rows.iter().map(|row| serde_json::from_str(row.get())).collect::<Result<_, _>>().map_err(|error| {
            DbError::Bug(format!("row of {}: {:?} at column {}", statement.name, error.classify(), error.column()))
        })
    }

    async fn optional<Row: DeserializeOwned + Send>(
        &self, statement: &Statement<Row>, params: Vec<Param>,
    ) -> Result<Option<Row>, DbError> {
        let mut rows = self.many(statement, params).await?;
        let row = rows.pop();
        if rows.is_empty() { Ok(row) } else { Err(DbError::Bug(format!("{} returned several rows", statement.name))) }
    }

    async fn one<Row: DeserializeOwned + Send>(
        &self, statement: &Statement<Row>, params: Vec<Param>,
    ) -> Result<Row, DbError> {
        self.optional(statement, params)
            .await?
            .ok_or_else(|| DbError::Bug(format!("{} returned no row", statement.name)))
    }
}
