//! A real PostgreSQL for the whole run, and a database for each test: a copy of a migrated template with the fixtures.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use gateway::postgres::{Options, Postgres};
use runtime::config::Config;
use runtime::keys::Keys;
use sqlx::{Connection, Executor, PgConnection};
use store::pg::Pg;
use tokio::sync::OnceCell;

/// The server of this run; it ends with the process.
pub fn server() -> &'static Postgres {
    static SERVER: OnceLock<Postgres> = OnceLock::new();
    SERVER.get_or_init(|| {
        let server = start(&scratch().join("postgres"));
        let log = std::fs::metadata(server.log_file()).map_or(0, |log| log.len());
        let _ = EARLIER_LOG.set(usize::try_from(log).unwrap_or_default());
        server
    })
}

/// A server of its own, for a test that stops it.
pub fn start(directory: &Path) -> Postgres {
    // The pool of each test lives as long as the run: its context and its deliverer hold each other.
    let options = Options { directory: directory.to_owned(), durable: false, max_connections: 1000 };
    Postgres::start(&options).expect("PostgreSQL starts")
}

/// A private directory of this run.
pub fn scratch() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("it")
}

/// The keys of every test: the fixtures in the template are sealed with them.
pub fn keys() -> &'static (String, String) {
    static KEYS: OnceLock<(String, String)> = OnceLock::new();
    KEYS.get_or_init(|| Keys::generate().expect("randomness"))
}

/// What verifies the tokens of every test.
pub fn verifying() -> String {
    let public = Keys::of(&config(&[])).expect("keys").public();
    public[0].x.clone()
}

/// A configuration with this run's keys.
pub fn config(pairs: &[(&str, &str)]) -> Config {
    let (signing, master) = keys();
    Config::read(|name| {
        let given = pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        given.or_else(|| match name {
            "CARNET_SIGNING_KEY" => Some(signing.clone()),
            "CARNET_MASTER_KEY" => Some(master.clone()),
            "CARNET_ENV" => Some("development".into()),
            _ => None,
        })
    })
    .expect("a sound configuration")
}

/// The URL of a new database with the schema and the fixtures.
pub async fn fresh() -> String {
    static TEMPLATE: OnceCell<String> = OnceCell::const_new();
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let template = TEMPLATE.get_or_init(|| prepare_template(server())).await;
    let name = format!("{template}_{}", COUNT.fetch_add(1, Ordering::Relaxed));
    let mut postgres = PgConnection::connect(&server().url("postgres")).await.expect("a connection");
    let copy = format!("create database {name} template {template} strategy file_copy");
    postgres.execute(sqlx::AssertSqlSafe(copy)).await.expect("a copy of the template");
    server().url(&name)
}

/// Makes a template named after this process, and sweeps what earlier runs left.
pub async fn prepare_template(server: &Postgres) -> String {
    let template = format!("it_{}", std::process::id());
    let mut postgres = PgConnection::connect(&server.url("postgres")).await.expect("a connection");
    let old: Vec<String> = sqlx::query_scalar(
        "select datname::text from pg_database where datname like 'it\\_%'
         and not exists (select from pg_stat_activity where pg_stat_activity.datname = pg_database.datname)",
    )
    .fetch_all(&mut postgres)
    .await
    .expect("the list of databases");
    for name in old {
        let drop = format!("drop database if exists {name} with (force)");
        postgres.execute(sqlx::AssertSqlSafe(drop)).await.expect("an old database is dropped");
    }
    postgres.execute(sqlx::AssertSqlSafe(format!("create database {template}"))).await.expect("a template");
    let pg = Pg::lazy(&server.url(&template), 2).expect("a pool");
    pg.migrate().await.expect("the migrations run");
    let config = config(&[]);
    let ctx = gateway::serve::gateway(&config, std::sync::Arc::new(pg.clone()), std::sync::Arc::default(), None)
        .expect("a gateway")
        .ctx;
    gateway::fixtures::load_with(&pg, &ctx).await.expect("the fixtures load");
    pg.close().await;
    template
}

/// How often PostgreSQL's log has told of a deadlock in this run; it also holds what earlier runs did.
pub fn deadlocks() -> usize {
    let log = std::fs::read(server().log_file()).expect("PostgreSQL's log");
    let before = EARLIER_LOG.get().copied().unwrap_or_default().min(log.len());
    String::from_utf8_lossy(&log[before..]).matches("40P01").count()
}

/// Length of the log when this run began, in bytes.
static EARLIER_LOG: OnceLock<usize> = OnceLock::new();
