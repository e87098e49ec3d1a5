//! The contract of the store's drivers, over the native one. Over the driver of Spin a component keeps it: `tests/spin-host`.

use db_contract::CASES;
use store::pg::Pg;

use crate::support::database;

#[tokio::test]
async fn the_native_driver_keeps_the_contract_of_the_store() {
    let pg = Pg::lazy(&database::fresh().await, 16).unwrap();
    let mut failures = Vec::new();
    for (name, case) in CASES {
        if let Err(what) = case(&pg).await {
            failures.push((name, what));
        }
    }
    assert!(CASES.len() > 10 && failures.is_empty(), "{failures:#?}");
}
