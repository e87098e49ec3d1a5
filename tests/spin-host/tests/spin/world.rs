//! What every test stands on: a PostgreSQL that speaks TCP, the components, and a host for them: the real Spin where
//! `CARNET_SPIN` names it, else the small one.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use gateway::postgres::{Options, Postgres};
use gateway::tools::client::Client;
use http::Method;
use sqlx::{Connection as _, Executor as _, PgConnection};
use tokio::net::TcpListener;

/// A private directory of this run.
pub fn scratch() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("spin")
}

pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().and_then(Path::parent).unwrap()
}

fn server() -> &'static Postgres {
    static SERVER: OnceLock<Postgres> = OnceLock::new();
    SERVER.get_or_init(|| {
        let options = Options { directory: scratch().join("postgres"), durable: false, max_connections: 400 };
        Postgres::start(&options).unwrap()
    })
}

/// Where the components are; cargo builds them, or finds that nothing changed.
pub fn components() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let output =
            Command::new(root().join("tools/wasm.sh")).arg("together").stderr(Stdio::inherit()).output().unwrap();
        assert!(output.status.success(), "the components are not built");
        PathBuf::from(String::from_utf8(output.stdout).unwrap().trim())
    })
}

/// A database, as the machine reaches it and as a guest does.
pub struct Database {
    pub owner: String,
    /// As its owner too, by TCP.
    pub tcp: String,
    pub host: String,
}

impl Database {
    /// A new and empty one.
    pub async fn empty(name: &str) -> Self {
        let mut postgres = PgConnection::connect(&server().url("postgres")).await.unwrap();
        for sql in [format!("drop database if exists {name} with (force)"), format!("create database {name}")] {
            postgres.execute(sqlx::AssertSqlSafe(sql)).await.unwrap();
        }
        // A guest reaches no socket of the system's own.
        let host = server().by_tcp().await.unwrap();
        let tcp = format!("postgres://carnet@{host}/{name}?sslmode=disable");
        Self { owner: server().url(name), tcp, host }
    }

    /// One with the schema, and the fixtures to come.
    pub async fn migrated(name: &str) -> Self {
        let database = Self::empty(name).await;
        let pg = store::pg::Pg::lazy(&database.owner, 2).unwrap();
        pg.migrate().await.unwrap();
        pg.close().await;
        database
    }

    pub async fn number(&self, sql: &'static str) -> i64 {
        let mut postgres = PgConnection::connect(&self.owner).await.unwrap();
        sqlx::query_scalar(sql).fetch_one(&mut postgres).await.unwrap()
    }
}

/// An application that answers.
pub struct Running {
    pub address: String,
    real: Option<Child>,
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(mut spin) = self.real.take() {
            drop(spin.stdin.take());
            drop(spin.wait());
        }
    }
}

/// Runs Spin until nobody holds the other end of its input. Its own signal first: it has a process of its own to end.
const WITH_US: &str = r#"
"$0" "$@" </dev/null & spin=$!
(while kill -0 $spin 2>/dev/null; do sleep 1; done; kill $$ 2>/dev/null) & watch=$!
read -r _
kill -INT $spin 2>/dev/null; sleep 2; kill -KILL $spin 2>/dev/null; kill $watch 2>/dev/null
"#;

/// Serves an application, `manifest` being its text or the file of the product's own.
pub async fn up(name: &str, manifest: Manifest, variables: BTreeMap<String, String>) -> Running {
    // Several tests serve the same at once.
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let name = format!("{name}-{}", COUNT.fetch_add(1, Ordering::Relaxed));
    let file = match manifest {
        Manifest::Text(text) => {
            let file = scratch().join(format!("{name}.toml"));
            std::fs::create_dir_all(scratch()).unwrap();
            std::fs::write(&file, text).unwrap();
            file
        }
        Manifest::File(file) => file,
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let place = listener.local_addr().unwrap();
    let address = format!("http://{place}");
    let Some(spin) = std::env::var_os("CARNET_SPIN") else {
        let given = |name: &str| variables.get(name).cloned();
        let manifest = spin_host::manifest::Manifest::read(&file, &given).unwrap();
        let host = tokio::task::spawn_blocking(|| spin_host::Host::new(manifest, &scratch().join("compiled")));
        tokio::spawn(host.await.unwrap().unwrap().serve(listener));
        return Running { address, real: None };
    };
    drop(listener);
    let state = scratch().join(format!("{name}-state"));
    // Ended with this process, however that ends: what tests share is never dropped.
    let mut command = Command::new("sh");
    command
        .args(["-c", WITH_US])
        .arg(spin)
        .args(["up", "--from"])
        .arg(&file)
        .args(["--listen", &place.to_string()])
        .arg("--state-dir")
        .arg(&state);
    command.envs(variables.iter().map(|(name, value)| (format!("SPIN_VARIABLE_{}", name.to_uppercase()), value)));
    command.env("RUST_BACKTRACE", "0");
    let log = std::fs::File::create(scratch().join(format!("{name}.log"))).unwrap();
    command.stdin(Stdio::piped()).stdout(log.try_clone().unwrap()).stderr(log);
    let mut spin = command.spawn().unwrap();
    let client = Client::new(&address);
    // It compiles every component first.
    for _ in 0..3000 {
        // In words that are no JSON.
        match client.send(Method::GET, "/.well-known/spin/health", None, None).await {
            Err(error) if error.to_string().contains("does not answer") => {}
            _ => return Running { address, real: Some(spin) },
        }
        assert!(spin.try_wait().unwrap().is_none(), "spin ended: {}/{name}.log", scratch().display());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("spin does not answer");
}

pub enum Manifest {
    Text(String),
    File(PathBuf),
}

/// Names and values.
pub fn variables<const N: usize>(pairs: [(&str, &str); N]) -> BTreeMap<String, String> {
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// One runtime for all tests: what is shared between them lives on it.
pub fn block_on<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> T {
    static RUNTIME: OnceLock<Arc<tokio::runtime::Runtime>> = OnceLock::new();
    let runtime = RUNTIME.get_or_init(|| {
        Arc::new(tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build().unwrap())
    });
    runtime.block_on(work)
}
