//! The contract of the store's drivers, over the native one. Over the driver of Spin a component keeps it: `tests/spin-host`.

use db_contract::CASES;
use sqlx::{Connection as _, Executor as _, PgConnection};
use store::pg::Pg;

use crate::support::database;

#[tokio::test]
async fn the_native_driver_keeps_the_contract_of_the_store() {
    let url = database::fresh().await;
    // Races look for deadlocks in the server's log, and a case raises one.
    let quiet =
        "do $$ begin execute format('alter database %I set log_min_messages = panic', current_database()); end $$";
    PgConnection::connect(&url).await.unwrap().execute(quiet).await.unwrap();
    let pg = Pg::lazy(&url, 16).unwrap();
    let mut failures = Vec::new();
    for (name, case) in CASES {
        if let Err(what) = case(&pg).await {
            failures.push((name, what));
        }
    }
    assert!(CASES.len() > 10 && failures.is_empty(), "{failures:#?}");
}
