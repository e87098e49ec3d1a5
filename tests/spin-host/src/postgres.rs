//! `spin:postgres` as Spin 4.1 does it (crates/factor-outbound-pg): a pool for each address, connections that are cleaned and
//! not rolled back when they are lent again, each statement prepared anew, errors with what the server said of them.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use deadpool_postgres::{Manager, ManagerConfig, Object, Pool, RecyclingMethod};
use futures_util::StreamExt as _;
use tokio::sync::{mpsc, oneshot};
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, private::BytesMut, to_sql_checked};
use tokio_postgres::{Config, NoTls, Row};

use crate::bindings::spin::postgres::postgres::{
    Column, DbDataType, DbError, DbValue, Error, ParameterValue, QueryError,
};

/// Connections of one address, as there.
const POOL: usize = 64;

/// Pools by address.
#[derive(Default)]
pub struct Pools(Mutex<HashMap<String, Pool>>);

impl Pools {
    fn pool(&self, address: &str) -> Result<Pool, String> {
        let mut pools = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pool) = pools.get(address) {
            return Ok(pool.clone());
        }
        let config: Config = address.parse().map_err(|error| format!("parsing Postgres connection string: {error}"))?;
        let cleaning = ManagerConfig { recycling_method: RecyclingMethod::Clean };
        let pool = Pool::builder(Manager::from_config(config, NoTls, cleaning)).max_size(POOL).build();
        let pool = pool.map_err(|error| error.to_string())?;
        pools.insert(address.to_owned(), pool.clone());
        Ok(pool)
    }

    /// A connection to an address that the manifest allows.
    pub async fn lend(&self, address: &str, allowed: &[String]) -> Result<Client, Error> {
        check(address, allowed)?;
        let lent = async { self.pool(address)?.get().await.map_err(|error| format!("{error:?}")) };
        lent.await.map(Client).map_err(Error::ConnectionFailed)
    }
}

/// Literally: `localhost` is not `127.0.0.1`.
fn check(address: &str, allowed: &[String]) -> Result<(), Error> {
    let refused = |what: String| Error::ConnectionFailed(what);
    let config: Config = address.parse().map_err(|error: tokio_postgres::Error| refused(error.to_string()))?;
    for (host, port) in config.get_hosts().iter().zip(config.get_ports()) {
        let tokio_postgres::config::Host::Tcp(host) = host else {
            return Err(refused("Unix sockets are not supported on WebAssembly".into()));
        };
        let url = format!("postgres://{host}:{port}");
        if !allowed.contains(&url) {
            return Err(refused(format!("address {url} is not permitted")));
        }
    }
    Ok(())
}

/// A connection that is lent to a guest.
pub struct Client(Object);

/// The same, as long as anything of it is under way.
pub type Lent = std::sync::Arc<Client>;

/// What a statement answers: the columns at once, the rows as they come, and at last whether those were all.
pub struct Answer {
    pub columns: Vec<Column>,
    pub rows: mpsc::Receiver<Vec<DbValue>>,
    pub end: oneshot::Receiver<Result<(), Error>>,
}

impl Client {
    /// Prepares and runs a statement.
    pub async fn query(&self, statement: &str, parameters: Vec<ParameterValue>) -> Result<Answer, Error> {
        let parameters =
            parameters.iter().map(parameter).collect::<Result<Vec<_>, _>>().map_err(Error::BadParameter)?;
        let mut answer = Box::pin(self.0.query_raw(statement, parameters).await.map_err(|error| failed(&error))?);
        let (row, rows) = mpsc::channel(4);
        let (ended, end) = oneshot::channel();
        let (described, columns) = oneshot::channel();
        tokio::spawn(async move {
            let mut described = Some(described);
            let outcome = loop {
                let next = tokio::select! {
                    () = row.closed() => break Ok(()),
                    next = answer.next() => next,
                };
                let Some(next) = next else { break Ok(()) };
                let next = match next {
                    Ok(next) => next,
                    Err(error) => break Err(failed(&error)),
                };
                if let Some(described) = described.take() {
                    drop(described.send(columns_of(&next)));
                }
                match (0..next.len()).map(|index| value(&next, index)).collect() {
                    Ok(values) => drop(row.send(values).await),
                    Err(text) => break Err(Error::QueryFailed(QueryError::Text(text))),
                }
            };
            drop(ended.send(outcome));
        });
        // Without a row nobody says what the columns are.
        Ok(Answer { columns: columns.await.unwrap_or_default(), rows, end })
    }
}

fn failed(error: &tokio_postgres::Error) -> Error {
    let text = format!("{error:?}");
    let Some(said) = error.as_db_error() else { return Error::QueryFailed(QueryError::Text(text)) };
    let extras = [
        ("column", said.column()),
        ("constraint", said.constraint()),
        ("table", said.table()),
        ("schema", said.schema()),
        ("hint", said.hint()),
    ];
    let extras = extras.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned()))).collect();
    Error::QueryFailed(QueryError::DbError(DbError {
        as_text: text,
        severity: said.severity().to_owned(),
        code: said.code().code().to_owned(),
        message: said.message().to_owned(),
        detail: said.detail().map(ToOwned::to_owned),
        extras,
    }))
}

fn columns_of(row: &Row) -> Vec<Column> {
    let kind = |of: &Type| match *of {
        Type::BOOL => DbDataType::Boolean,
        Type::INT4 => DbDataType::Int32,
        Type::INT8 => DbDataType::Int64,
        Type::TEXT => DbDataType::Str,
        Type::UUID => DbDataType::Uuid,
        Type::JSONB => DbDataType::Jsonb,
        ref other => DbDataType::Other(other.name().to_owned()),
    };
    row.columns().iter().map(|it| Column { name: it.name().to_owned(), data_type: kind(it.type_()) }).collect()
}

/// What a guest of ours can be told; other types there are none in its statements.
fn value(row: &Row, index: usize) -> Result<DbValue, String> {
    fn get<'a, T: FromSql<'a>>(row: &'a Row, index: usize, make: impl FnOnce(T) -> DbValue) -> Result<DbValue, String> {
        let value: Option<T> = row.try_get(index).map_err(|error| format!("{error:?}"))?;
        Ok(value.map_or(DbValue::DbNull, make))
    }
    match *row.columns()[index].type_() {
        Type::BOOL => get(row, index, DbValue::Boolean),
        Type::INT4 => get(row, index, DbValue::Int32),
        Type::INT8 => get(row, index, DbValue::Int64),
        Type::TEXT => get(row, index, DbValue::Str),
        Type::UUID => get(row, index, |id: uuid::Uuid| DbValue::Uuid(id.to_string())),
        Type::JSONB => get(row, index, |json: serde_json::Value| DbValue::Jsonb(json.to_string().into_bytes())),
        ref other => Err(format!("this host carries no {other}")),
    }
}

fn parameter(value: &ParameterValue) -> Result<Box<dyn ToSql + Send + Sync>, String> {
    let not = |error: &dyn std::fmt::Display| error.to_string();
    Ok(match value {
        ParameterValue::Boolean(value) => Box::new(*value),
        ParameterValue::Int32(value) => Box::new(*value),
        ParameterValue::Int64(value) => Box::new(*value),
        ParameterValue::Str(value) => Box::new(value.clone()),
        ParameterValue::Uuid(value) => Box::new(uuid::Uuid::parse_str(value).map_err(|error| not(&error))?),
        ParameterValue::Jsonb(value) => {
            Box::new(serde_json::from_slice::<serde_json::Value>(value).map_err(|error| not(&error))?)
        }
        ParameterValue::ArrayStr(values) => Box::new(values.clone()),
        ParameterValue::DbNull => Box::new(Null),
        _ => return Err("this host takes no such parameter".into()),
    })
}

/// Null, whatever the type of the parameter.
#[derive(Debug)]
struct Null;

impl ToSql for Null {
    fn to_sql(&self, _: &Type, _: &mut BytesMut) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        Ok(IsNull::Yes)
    }
    fn accepts(_: &Type) -> bool {
        true
    }
    to_sql_checked!();
}
