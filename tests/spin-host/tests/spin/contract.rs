//! `db_contract`: the same cases over both drivers.

use std::time::Duration;

use db_contract::{CASES, INTERRUPTED, INTERRUPTED_TABLE};
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Bytes;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use store::pg::Pg;
use store::{Db as _, params};

use crate::world::{Database, Manifest, Running, block_on, components, up, variables};

/// What is not so, by case.
type Failures = Vec<(&'static str, String)>;

async fn ask(running: &Running, method: Method, path: &str) -> (StatusCode, String) {
    let client = Client::builder(TokioExecutor::new()).build_http();
    let request = Request::builder().method(method).uri(format!("{}{path}", running.address));
    let answer = client.request(request.body(Empty::<Bytes>::new()).unwrap()).await.unwrap();
    let status = answer.status();
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8_lossy(&body).into_owned())
}

async fn with_extension(name: &str) -> (Database, Pg) {
    let database = Database::empty(name).await;
    let pg = Pg::lazy(&database.owner, 16).unwrap();
    sqlx::query("create extension if not exists btree_gist").execute(pg.pool()).await.unwrap();
    (database, pg)
}

async fn guest(database: &Database) -> Running {
    guest_as(database, "none").await
}

async fn guest_as(database: &Database, role: &str) -> Running {
    let source = components().join("db_contract.wasm");
    let manifest = format!(
        "spin_manifest_version = 2\n[application]\nname = \"contract\"\n[variables]\ndatabase_url = {{ required = true }}\n\
         database_host = {{ required = true }}\ndatabase_role = {{ required = true }}\n[[trigger.http]]\nroute = \"/...\"\ncomponent = \"contract\"\n\
         [component.contract]\nsource = \"{}\"\n\
         allowed_outbound_hosts = [\"postgres://{{{{ database_host }}}}\", \"postgres://127.0.0.1:9\"]\n\
         [component.contract.variables]\ndatabase_url = \"{{{{ database_url }}}}\"\n\
         database_role = \"{{{{ database_role }}}}\"\n",
        source.display()
    );
    let given =
        variables([("database_url", &database.tcp), ("database_host", &database.host), ("database_role", role)]);
    up("contract", Manifest::Text(manifest), given).await
}

/// No transaction is left open, and a write that is told of as done is seen by others.
async fn nothing_is_left(database: &Database) {
    let open =
        "select count(*) from pg_stat_activity where datname = current_database() and state like 'idle in trans%'";
    assert_eq!(database.number(open).await, 0, "open transactions");
}

#[test]
fn the_contract_holds_over_the_native_driver() {
    let failures = block_on(async {
        let (database, pg) = with_extension("contract_native").await;
        let mut failures = Failures::new();
        for (name, case) in CASES {
            if let Err(what) = case(&pg).await {
                failures.push((name, what));
            }
        }
        nothing_is_left(&database).await;
        failures
    });
    assert!(failures.is_empty(), "{failures:#?}");
}

#[test]
fn the_contract_holds_over_the_driver_of_spin() {
    let failures = block_on(async {
        let (database, _pg) = with_extension("contract_spin").await;
        let running = guest(&database).await;
        let mut failures = Failures::new();
        for (name, _) in CASES {
            match ask(&running, Method::GET, &format!("/{name}")).await {
                (StatusCode::OK, text) if text == "so it is" => {}
                (status, text) => failures.push((name, format!("{status} {text}"))),
            }
        }
        // Without the extension of a real run, a case that is not there must not pass.
        let (status, text) = ask(&running, Method::GET, "/no_such_case").await;
        assert!(status.is_success() && text.starts_with("not so: there is no case"), "{text}");
        nothing_is_left(&database).await;
        failures
    });
    assert!(failures.is_empty(), "{failures:#?}");
}

#[test]
fn a_guest_that_traps_in_the_middle_of_a_statement_leaves_nothing_half_done() {
    block_on(async {
        let (database, _pg) = with_extension("contract_trap").await;
        let running = guest(&database).await;
        for round in 1..=3 {
            let (status, _) = ask(&running, Method::POST, "/trap").await;
            assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
            // The next guest has the same connections, and what it writes is there for all.
            let (status, text) = ask(&running, Method::GET, "/rows_come_all_and_in_order").await;
            assert_eq!((status, text.as_str()), (StatusCode::OK, "so it is"));
            settled(&database, round).await;
        }
    });
}

#[test]
fn a_process_that_gives_up_in_the_middle_of_a_statement_leaves_nothing_half_done() {
    block_on(async {
        let (database, pg) = with_extension("contract_given_up").await;
        pg.rows(INTERRUPTED_TABLE, params![]).await.unwrap();
        for round in 1..=3 {
            let cut = tokio::time::timeout(Duration::from_millis(100), pg.rows(INTERRUPTED, params![])).await;
            assert!(cut.is_err());
            db_contract::run("rows_come_all_and_in_order", &pg).await.unwrap();
            settled(&database, round).await;
        }
    });
}

/// The statement came to its end, whole, or never was.
async fn settled(database: &Database, rounds: i64) {
    tokio::time::sleep(Duration::from_millis(1500)).await;
    nothing_is_left(database).await;
    let written = database.number("select count(*) from interrupted").await;
    assert!((0..=rounds).contains(&written), "{written} rows after {rounds} rounds");
    let running =
        "select count(*) from pg_stat_activity where datname = current_database() and query like '%interrupted%'
        and state = 'active' and pid <> pg_backend_pid()";
    assert_eq!(database.number(running).await, 0, "statements still under way");
}

#[test]
fn a_database_that_is_away_or_not_allowed_is_unavailable() {
    let (answer, native) = block_on(async {
        let (database, _pg) = with_extension("contract_away").await;
        let running = guest(&database).await;
        let nobody = Pg::lazy("postgres://nobody@127.0.0.1:9/none", 1).unwrap();
        (ask(&running, Method::GET, "/away").await, nobody.rows("select to_jsonb(1)", params![]).await.map(drop))
    });
    assert_eq!(answer, (StatusCode::OK, "unavailable, unavailable".to_owned()));
    assert!(matches!(native, Err(store::DbError::Unavailable(_))), "{native:?}");
}

/// The user of the address owns the database; connections are lent, cleaned and lent again.
#[test]
fn statements_run_as_the_role_of_the_functions_and_go_on_to() {
    let answer = block_on(async {
        let database = Database::migrated("contract_role").await;
        let running = guest_as(&database, "carnet_app").await;
        ask(&running, Method::GET, "/who").await
    });
    assert_eq!(answer, (StatusCode::OK, ["\"carnet_app\""; 5].join(" ")));
}
