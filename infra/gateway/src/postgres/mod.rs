//! A private PostgreSQL, started from binaries that are already on the machine.
//!
//! * **Who may connect.** The server listens on one unix socket in a directory of mode 0700 and on no TCP port
//!   at all. Whoever can reach the socket is trusted (`trust`): `peer` compares user ids, which differ across
//!   user namespaces, and a password in a file beside the socket would protect nothing.
//! * **When it ends.** With the handle, by a fast shutdown; and with this process, however it dies, by the
//!   parent-death signal (see [`launcher`]). What that misses, the next start finds and stops.
//! * **When it should not have ended.** Whoever serves on it looks twice a second and starts it again.
//! * **Several gateways, one directory.** An advisory lock on `pg<major>/owner` says who owns the server. It is
//!   held as long as the handle and the kernel drops it with the process. Who cannot have the lock uses the
//!   running server and leaves it running.

mod binaries;
mod cluster;
mod files;
mod launcher;
mod relay;
#[cfg(test)]
mod tests;
mod wire;

use std::{
    fs::{File, TryLockError},
    path::{Path, PathBuf},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use binaries::Binaries;
use cluster::Cluster;
use launcher::{Launcher, Server};
use wire::{Session, WireError};

/// The superuser and the database that every private server has.
const CARNET: &str = "carnet";
const START_LIMIT: Duration = Duration::from_secs(30);
const STOP_LIMIT: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(10);
/// How often a tended server is looked at.
const GLANCE: Duration = Duration::from_millis(500);

/// Where a program of the PostgreSQL that would be started is, `pgbench` for instance.
///
/// # Errors
/// When there is no usable PostgreSQL.
pub fn program(name: &str) -> Result<PathBuf, PostgresError> {
    Ok(Binaries::find()?.program(name))
}

/// Where and how the private server runs.
#[derive(Debug, Clone)]
pub struct Options {
    /// Private data home. The server lives in `pg<major>` below it.
    pub directory: PathBuf,
    /// `false` gives up safety against a crash of the machine, for tests.
    pub durable: bool,
    /// Connections the server takes.
    pub max_connections: u32,
}

/// Why there is no private server.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "each variant's message says it")]
pub enum PostgresError {
    #[error(
        "no usable PostgreSQL was found: it takes version 15 or newer with the contrib extensions. Install it \
         (Debian, Ubuntu: `apt-get install postgresql`; Fedora: `dnf install postgresql-server postgresql-contrib`; \
         Arch: `pacman -S postgresql`; Alpine: `apk add postgresql postgresql-contrib`; macOS: \
         `brew install postgresql@17`), or set PG_BIN_DIR to the directory that holds `postgres` and `initdb`, \
         or set DATABASE_URL to a server that runs.{0}"
    )]
    NoBinaries(String),
    #[error(
        "PostgreSQL refuses to run as root, and this machine allows neither `unshare --user` nor \
         `setpriv --reuid` (both are in util-linux): {0}. Run as another user, or set DATABASE_URL."
    )]
    Root(String),
    #[error(
        "{0} cannot be reached by the unprivileged user that PostgreSQL has to run as here: choose a data \
         directory whose parents others may enter"
    )]
    Unreachable(PathBuf),
    #[error("cannot {action} {path}: {source}", path = path.display())]
    Io { action: &'static str, path: PathBuf, source: std::io::Error },
    #[error("{program} failed: {output}", program = program.display())]
    Program { program: PathBuf, output: String },
    #[error("{what}. The end of {log}:\n{tail}", log = log.display())]
    NotReady { what: String, log: PathBuf, tail: String },
    #[error("the private PostgreSQL answered: {0}")]
    Answer(#[from] WireError),
}

impl PostgresError {
    fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::Io { action, path: path.to_owned(), source }
    }
}

/// A running server. Dropping it stops the server, unless another process owns it.
#[derive(Debug)]
pub struct Postgres {
    options: Options,
    cluster: Cluster,
    owned: Option<Owned>,
}

#[derive(Debug)]
struct Owned {
    /// Stops when it is dropped.
    server: Server,
    /// Declared, and so released, after the server.
    _lock: File,
}

impl Postgres {
    /// Starts the server of `options.directory`, or joins the one that another process runs there.
    ///
    /// # Errors
    /// When there are no binaries, no way to run them, or no server that answers within 30 s.
    pub fn start(options: &Options) -> Result<Self, PostgresError> {
        let began = Instant::now();
        let deadline = began + START_LIMIT;
        let binaries = Binaries::find()?;
        let launcher = Launcher::choose(&binaries)?;
        let cluster = Cluster::open(options, &binaries, &launcher)?;
        let lock_path = cluster.lock_file();
        let lock = File::options().create(true).append(true).open(&lock_path);
        let lock = lock.map_err(PostgresError::io("open", &lock_path))?;
        let owned = loop {
            match lock.try_lock() {
                Ok(()) => {
                    stop_orphan(&cluster, deadline)?;
                    cluster.prepare(options, &binaries, &launcher)?;
                    let server = run(&cluster, &binaries, &launcher, deadline)?;
                    break Some(Owned { server, _lock: lock });
                }
                Err(TryLockError::WouldBlock) if Session::open(&cluster.socket(), CARNET).is_ok() => break None,
                Err(TryLockError::WouldBlock) if Instant::now() < deadline => thread::sleep(POLL),
                Err(TryLockError::WouldBlock) => {
                    let what = format!("another process owns {} but its server never answered", lock_path.display());
                    return Err(cluster.not_ready(what));
                }
                Err(TryLockError::Error(error)) => return Err(PostgresError::io("lock", &lock_path)(error)),
            }
        };
        tracing::info!(
            version = binaries.version,
            binaries = %binaries.directory.display(),
            socket = %cluster.socket_directory().display(),
            shared = owned.is_none(),
            milliseconds = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
            "PostgreSQL is ready"
        );
        Ok(Self { options: options.clone(), cluster, owned })
    }

    /// Starts the server again if it has ended, or takes over the one whose owner has gone. Whether it had to.
    ///
    /// # Errors
    /// As [`Postgres::start`]; the next call tries again.
    pub fn revive(&mut self) -> Result<bool, PostgresError> {
        match &self.owned {
            Some(owned) if !owned.server.has_ended() => return Ok(false),
            None if Session::open(&self.cluster.socket(), CARNET).is_ok() => return Ok(false),
            _ => tracing::error!("PostgreSQL has ended: starting it again"),
        }
        // The lock is given up first: to start is to take it.
        self.owned = None;
        *self = Self::start(&self.options)?;
        Ok(true)
    }

    /// Looks after the server from a thread of its own until the guard is dropped, which also stops the server.
    #[must_use]
    pub fn tended(mut self) -> Tended {
        let (stop, stopped) = mpsc::channel::<()>();
        let thread = thread::spawn(move || {
            while stopped.recv_timeout(GLANCE) == Err(mpsc::RecvTimeoutError::Timeout) {
                if let Err(error) = self.revive() {
                    tracing::error!(%error, "PostgreSQL could not be started again");
                }
            }
        });
        Tended { stop: Some(stop), thread: Some(thread) }
    }

    /// A connection URL that sqlx and everything built on libpq (`psql`, `pgbench`) read alike.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        let directory = percent_encoded(self.socket_directory().as_os_str().as_encoded_bytes());
        let database = percent_encoded(database.as_bytes());
        format!("postgres://{CARNET}@localhost/{database}?host={directory}&port={}", cluster::PORT)
    }

    /// `host:port` of a way to it by TCP, open for as long as the present runtime lives: for tests and measures.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn by_tcp(&self) -> std::io::Result<String> {
        relay::open(self.cluster.socket()).await
    }

    /// The private directory that holds the socket.
    #[must_use]
    pub fn socket_directory(&self) -> &Path {
        self.cluster.socket_directory()
    }

    /// The server's major version.
    #[must_use]
    pub fn major(&self) -> u32 {
        self.cluster.major
    }

    /// Errors with their SQLSTATE but without statements, parameters or details: those can hold personal data.
    #[must_use]
    pub fn log_file(&self) -> &Path {
        self.cluster.log_file()
    }

    /// False when another process owns the server, which then goes away with that process.
    #[must_use]
    pub fn is_owner(&self) -> bool {
        self.owned.is_some()
    }
}

/// A server that is started again when it ends. Dropping it stops the server.
#[derive(Debug)]
pub struct Tended {
    stop: Option<mpsc::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Drop for Tended {
    fn drop(&mut self) {
        drop(self.stop.take());
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the thread that tended PostgreSQL panicked");
        }
    }
}

/// Starts the server and waits for its first good answer.
fn run(
    cluster: &Cluster, binaries: &Binaries, launcher: &Launcher, deadline: Instant,
) -> Result<Server, PostgresError> {
    let mut server = launcher.launch(cluster, binaries)?;
    loop {
        match Session::open(&cluster.socket(), CARNET) {
            Ok(_) => return Ok(server),
            Err(WireError::Server { code, .. }) if code == "3D000" => create_database(cluster)?,
            Err(WireError::Server { code, message }) if !code.starts_with("57P") => {
                return Err(WireError::Server { code, message }.into());
            }
            Err(_) => thread::sleep(POLL),
        }
        if server.has_ended() {
            // The last processes of a killed server may still hold its shared memory for a moment.
            if Instant::now() > deadline || !cluster.log_tail().contains("shared memory") {
                return Err(cluster.not_ready("PostgreSQL ended while it started".into()));
            }
            thread::sleep(POLL * 20);
            server = launcher.launch(cluster, binaries)?;
        } else if Instant::now() > deadline {
            return Err(cluster.not_ready(format!("PostgreSQL was not ready after {} s", START_LIMIT.as_secs())));
        }
    }
}

fn create_database(cluster: &Cluster) -> Result<(), PostgresError> {
    match Session::open(&cluster.socket(), "postgres")?.query("create database carnet") {
        // 42P04: it is there already.
        Err(WireError::Server { code, .. }) if code == "42P04" => Ok(()),
        other => Ok(other.map(drop)?),
    }
}

/// Whoever holds the lock owns the server, so one that still runs has lost its owner: it is stopping, or (where
/// there is no parent-death signal) it never noticed. Either way it is told to stop and waited for.
fn stop_orphan(cluster: &Cluster, deadline: Instant) -> Result<(), PostgresError> {
    let Some(pid) = cluster.running_server() else { return Ok(()) };
    tracing::info!(pid, "stopping the PostgreSQL that a killed process left behind");
    launcher::signal(pid, "INT");
    let patience = Instant::now() + STOP_LIMIT / 2;
    let mut gentle = true;
    while cluster.running_server() == Some(pid) {
        if gentle && Instant::now() > patience {
            launcher::signal(pid, "QUIT");
            gentle = false;
        }
        if Instant::now() > deadline {
            return Err(cluster.not_ready(format!("the PostgreSQL with process id {pid} does not stop")));
        }
        thread::sleep(POLL);
    }
    Ok(())
}

fn percent_encoded(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, &byte| {
        if byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte) {
            text.push(char::from(byte));
        } else {
            let _ = write!(text, "%{byte:02X}");
        }
        text
    })
}
