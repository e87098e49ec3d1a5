//! What both drivers of the store must do alike, said once: run natively over `store::pg`, and by a component over
//! `store::spin`. Each case wants a schema of its own to itself, as its owner, and may be run again.

mod failures;
#[cfg(target_family = "wasm")]
mod guest;
mod values;

use futures_util::future::BoxFuture;
use serde_json::Value;
use store::{Db, DbError, Param};

/// How one case ends: what was not so, in words.
pub type Outcome = Result<(), String>;

type Case = for<'a> fn(&'a dyn Db) -> BoxFuture<'a, Outcome>;

macro_rules! cases {
    ($($name:ident in $module:ident),* $(,)?) => {
        /// Every case, by name.
        pub const CASES: &[(&str, Case)] = &[$((stringify!($name), |db| Box::pin($module::$name(db)))),*];
    };
}

cases! {
    every_type_of_parameter_arrives in values,
    nothing_is_null_whatever_its_type in values,
    texts_arrive_as_they_are in values,
    numbers_arrive_exactly in values,
    rows_come_all_and_in_order in values,
    big_rows_arrive in values,
    a_row_that_is_no_document_is_a_mistake in values,
    statements_at_once_keep_apart in values,
    a_session_is_set_up in values,
    constraints_are_told_by_name_and_code in failures,
    the_resource_that_lost_is_told in failures,
    values_are_not_quoted in failures,
    what_is_missing_mends in failures,
    mistakes_are_mistakes in failures,
    a_connection_that_is_cut_is_unavailable in failures,
    a_slow_statement_is_cut in failures,
}

/// Runs the case of that name.
///
/// # Errors
/// What was not so.
pub async fn run(name: &str, db: &dyn Db) -> Outcome {
    let (_, case) = CASES.iter().find(|(known, _)| *known == name).ok_or_else(|| format!("there is no case {name}"))?;
    case(db).await
}

/// What the guest that traps, and the process that gives up, leave under way: it writes, and then takes its time.
pub const INTERRUPTED: &str = "with written as (insert into interrupted (at) values (clock_timestamp()) returning at)
    select jsonb_build_object('at', at, 'slept', pg_sleep(1)::text) from written";
/// Where it writes to.
pub const INTERRUPTED_TABLE: &str = "create table if not exists interrupted (at timestamptz not null)";

async fn rows(db: &dyn Db, sql: &'static str, params: Vec<Param>) -> Result<Vec<Value>, String> {
    let rows = db.rows(sql, params).await.map_err(|error| format!("{sql}: {error}"))?;
    rows.iter().map(|row| serde_json::from_str(row.get()).map_err(|error| format!("{sql}: {error}"))).collect()
}

async fn one(db: &dyn Db, sql: &'static str, params: Vec<Param>) -> Result<Value, String> {
    let mut rows = rows(db, sql, params).await?;
    same(&rows.len(), &1, sql)?;
    rows.pop().ok_or_else(|| "no row".into())
}

async fn refusal(db: &dyn Db, sql: &'static str, params: Vec<Param>) -> Result<DbError, String> {
    match db.rows(sql, params).await {
        Ok(rows) => Err(format!("{sql}: {} rows, and no refusal", rows.len())),
        Err(error) => Ok(error),
    }
}

fn same<T: PartialEq + std::fmt::Debug>(given: &T, wanted: &T, what: &str) -> Outcome {
    if given == wanted { Ok(()) } else { Err(format!("{what}: {given:?} instead of {wanted:?}")) }
}

fn holds(true_: bool, what: impl std::fmt::Debug) -> Outcome {
    if true_ { Ok(()) } else { Err(format!("{what:?}")) }
}
