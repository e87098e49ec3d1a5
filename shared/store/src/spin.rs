//! The driver of a guest of Spin: the host keeps the connections, `spin_sdk::pg` asks for one.
//!
//! The host's pool does not roll back what a guest left open, prepares each statement anew, and takes back what a session
//! was set to when it lends a connection again. So there is one statement at a time, and what a session needs, its role too, is
//! said in the address: what a session begins with stays, where a role that was set later would be taken back.

use std::pin::pin;
use std::time::Duration;

use futures_util::future::{BoxFuture, Either, select};
use serde_json::value::RawValue;
use spin_sdk::pg::{Connection, DbValue, ParameterValue, PgError, QueryError};

use crate::refusal::Refusal;
use crate::{Db, DbError, Param, Row};

/// As in the native driver: `store/src/pg.rs`.
const SETTINGS: [(&str, &str); 5] = [
    ("statement_timeout", "8000"),
    ("lock_timeout", "5000"),
    ("idle_in_transaction_session_timeout", "5000"),
    ("timezone", "UTC"),
    ("plan_cache_mode", "force_generic_plan"),
];
/// Longest wait for a connection, made or free, before the caller is told to come back.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(3);

/// PostgreSQL through the host.
#[derive(Debug, Clone)]
pub struct Spin {
    address: String,
}

impl Spin {
    /// For a URL, `postgres://user:password@host:port/database`, and a role that may less than its user. Nothing is connected
    /// to yet.
    ///
    /// # Errors
    /// [`DbError::Bug`] when `url` is not a PostgreSQL URL, or the role not a plain name.
    pub fn new(url: &str, role: Option<&str>) -> Result<Self, DbError> {
        if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
            return Err(DbError::Bug("DATABASE_URL is not a PostgreSQL URL".into()));
        }
        let plain = |name: &str| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if !role.is_none_or(plain) {
            return Err(DbError::Bug("DATABASE_ROLE is not a plain name".into()));
        }
        let role = role.map(|role| ("role", role));
        let settings = SETTINGS.into_iter().chain(role).map(|(name, value)| format!("-c%20{name}%3D{value}"));
        let settings: Vec<String> = settings.collect();
        let also = if url.contains('?') { '&' } else { '?' };
        let settings = settings.join("%20");
        let address = format!("{url}{also}application_name=carnet&connect_timeout=3&options={settings}");
        Ok(Self { address })
    }

    /// One of the host's, which is given back when it is dropped. The host's own patience has no end.
    async fn connection(&self) -> Result<Connection, DbError> {
        let opening = pin!(Connection::open(self.address.as_str()));
        match select(opening, pin!(spin_sdk::time::sleep(ACQUIRE_TIMEOUT))).await {
            Either::Left((opened, _)) => opened.map_err(from_spin),
            Either::Right(_) => Err(DbError::Unavailable("no free connection in time".into())),
        }
    }
}

impl Db for Spin {
    fn rows<'a>(&'a self, sql: &'static str, params: Vec<Param>) -> BoxFuture<'a, Result<Vec<Row>, DbError>> {
        Box::pin(async move {
            let params: Vec<ParameterValue> = params.into_iter().map(parameter).collect();
            let connection = self.connection().await?;
            let mut answer = connection.query(sql, params).await.map_err(from_spin)?;
            let mut rows = Vec::new();
            while let Some(row) = answer.rows().next().await {
                rows.push(document(row.into_iter().next()));
            }
            // A refusal may come with the rows, or after them.
            answer.result().await.map_err(from_spin)?;
            rows.into_iter().collect()
        })
    }
}

fn parameter(param: Param) -> ParameterValue {
    fn or_null<T>(value: Option<T>, make: impl FnOnce(T) -> ParameterValue) -> ParameterValue {
        value.map_or(ParameterValue::DbNull, make)
    }
    match param {
        Param::Uuid(value) => or_null(value, |id| ParameterValue::Uuid(id.to_string())),
        Param::Text(value) => or_null(value, ParameterValue::Str),
        Param::Int(value) => or_null(value, ParameterValue::Int64),
        Param::Bool(value) => or_null(value, ParameterValue::Boolean),
        Param::Json(value) => or_null(value, |value| ParameterValue::Jsonb(value.to_string().into_bytes())),
        Param::Texts(values) => ParameterValue::ArrayStr(values.into_iter().map(Some).collect()),
        Param::Uuids(ids) => ParameterValue::ArrayStr(ids.iter().map(|id| Some(id.to_string())).collect()),
    }
}

fn document(value: Option<DbValue>) -> Result<Row, DbError> {
    let Some(DbValue::Jsonb(bytes)) = value else { return Err(DbError::Bug("a row is not one document".into())) };
    let text = String::from_utf8(bytes).map_err(|_| DbError::Bug("a document is not UTF-8".into()))?;
    RawValue::from_string(text).map_err(|error| DbError::Bug(format!("a document: {:?}", error.classify())))
}

/// Sorts a failure. The host's own words are dropped: they may quote values, addresses and its stack.
fn from_spin(error: spin_sdk::pg::Error) -> DbError {
    let error = match error {
        spin_sdk::pg::Error::PgError(error) => error,
        spin_sdk::pg::Error::Decode(_) => return DbError::Bug("an answer that the SDK does not decode".into()),
    };
    match error {
        PgError::QueryFailed(QueryError::DbError(said)) => {
            let constraint = said.extras.iter().find(|(name, _)| name == "constraint").map(|(_, value)| value.as_str());
            let (code, message, detail) = (&said.code, &said.message, said.detail.as_deref());
            DbError::from(Refusal { code, message, constraint, detail })
        }
        PgError::QueryFailed(QueryError::Text(text)) => told_in_words(&text),
        PgError::ConnectionFailed(_) => DbError::Unavailable("no connection".into()),
        PgError::BadParameter(_) => DbError::Bug("a parameter that the host does not take".into()),
        PgError::ValueConversionFailed(_) => DbError::Bug("a value that the host does not convert".into()),
        PgError::Other(_) => DbError::Bug("the host refuses".into()),
    }
}

/// What its client says without a SQLSTATE: a connection that broke, or a mistake of ours. It is the debugging form of
/// `tokio_postgres::Error`, whose kind is named first.
fn told_in_words(text: &str) -> DbError {
    let kind = text.strip_prefix("Error { kind: ").and_then(|rest| rest.split([',', '(']).next());
    match kind {
        Some("Closed" | "Io" | "Connect" | "Timeout") => DbError::Unavailable("the connection broke".into()),
        Some("ToSql" | "FromSql" | "Parameters" | "Column") => DbError::Bug(format!("parameters or rows: {kind:?}")),
        _ => DbError::Bug("a failure without a SQLSTATE".into()),
    }
}
