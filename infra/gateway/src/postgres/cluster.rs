//! The server's files:
//!
//! ```text
//! <directory>/pg15/data/         the data directory, copied from a pristine one
//!                  socket/       the unix socket, unless the path is too long for one
//!                  postgres.log  postgres.log.1
//!                  owner         locked by the process that owns the server
//! <cache>/postgres/pristine-pg15-15.18/   what initdb made; copying it is quicker than making another
//! ```
//! Both directories are written under another name and renamed, so that a kill never leaves half of one.

use std::{
    ffi::OsStr,
    fs::{self, File},
    io::{Read as _, Seek as _, SeekFrom},
    os::unix::{
        ffi::OsStrExt as _,
        fs::{MetadataExt as _, chown},
    },
    path::{Path, PathBuf},
    process::Command,
};

use super::{
    CARNET, Options, PostgresError,
    binaries::{Binaries, cache_directory},
    files::{copy_tree, give_away, make_private, remove},
    launcher::{Launcher, signal},
};

/// A part of the socket's name; nothing listens on TCP.
pub const PORT: u16 = 5432;
/// `sun_path` of macOS is 104 bytes, that of Linux 108, each with a NUL.
const SOCKET_PATH_LIMIT: usize = if cfg!(target_os = "macos") { 103 } else { 107 };
const LOG_LIMIT_BYTES: u64 = 16 << 20;
const TAIL_BYTES: u64 = 4 << 10;

#[derive(Debug)]
pub struct Cluster {
    pub major: u32,
    home: PathBuf,
    data: PathBuf,
    socket: PathBuf,
    log: PathBuf,
}

impl Cluster {
    pub fn open(options: &Options, binaries: &Binaries, launcher: &Launcher) -> Result<Self, PostgresError> {
        let directory = std::path::absolute(&options.directory);
        let directory = directory.map_err(PostgresError::io("resolve", &options.directory))?;
        let home = directory.join(format!("pg{}", binaries.major));
        make_private(&home)?;
        // One name for one place, whichever symbolic link led here.
        let home = home.canonicalize().map_err(PostgresError::io("resolve", &home))?;
        let socket = socket_directory(&home);
        make_private(&socket)?;
        let metadata = fs::symlink_metadata(&socket).map_err(PostgresError::io("read", &socket))?;
        let owners = [Some(launcher.user), launcher.owner.map(|(uid, _)| uid)];
        if !metadata.is_dir() || metadata.mode() & 0o077 != 0 || !owners.contains(&Some(metadata.uid())) {
            // In the shared temporary directory anybody may have made it first.
            let error = std::io::Error::other("it must be a directory of mode 0700 that belongs to you");
            return Err(PostgresError::io("use", &socket)(error));
        }
        if let Some((uid, gid)) = launcher.owner {
            if home.ancestors().skip(1).any(|parent| fs::metadata(parent).is_ok_and(|it| it.mode() & 1 == 0)) {
                return Err(PostgresError::Unreachable(home));
            }
            for directory in [&home, &socket] {
                chown(directory, Some(uid), Some(gid)).map_err(PostgresError::io("give away", directory))?;
            }
        }
        Ok(Self { major: binaries.major, data: home.join("data"), socket, log: home.join("postgres.log"), home })
    }

    pub fn data_directory(&self) -> &Path {
        &self.data
    }

    pub fn socket_directory(&self) -> &Path {
        &self.socket
    }

    pub fn socket(&self) -> PathBuf {
        self.socket.join(socket_name())
    }

    pub fn lock_file(&self) -> PathBuf {
        self.home.join("owner")
    }

    pub fn log_file(&self) -> &Path {
        &self.log
    }

    pub fn open_log(&self) -> Result<File, PostgresError> {
        if fs::metadata(&self.log).is_ok_and(|log| log.len() > LOG_LIMIT_BYTES) {
            let _ = fs::rename(&self.log, self.log.with_extension("log.1"));
        }
        File::options().create(true).append(true).open(&self.log).map_err(PostgresError::io("open", &self.log))
    }

    pub fn log_tail(&self) -> String {
        let read = || -> std::io::Result<Vec<u8>> {
            let mut log = File::open(&self.log)?;
            let length = log.metadata()?.len();
            log.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES)))?;
            let mut tail = Vec::new();
            log.read_to_end(&mut tail)?;
            Ok(tail)
        };
        String::from_utf8_lossy(&read().unwrap_or_default()).into_owned()
    }

    pub fn not_ready(&self, what: String) -> PostgresError {
        PostgresError::NotReady { what, log: self.log.clone(), tail: self.log_tail() }
    }

    /// The process id of the server that runs in this data directory, whoever started it.
    pub fn running_server(&self) -> Option<u32> {
        let pid = self.recorded_pid()?;
        // The number may have gone to another process since; the server's own names its data directory.
        let words = fs::read(format!("/proc/{pid}/cmdline")).ok().or_else(|| {
            let ps = Command::new("ps").args(["-ww", "-o", "command=", "-p", &pid.to_string()]).output();
            ps.ok().map(|ps| ps.stdout)
        })?;
        let data = self.data.as_os_str().as_bytes();
        words.windows(data.len()).any(|window| window == data).then_some(pid)
    }

    fn recorded_pid(&self) -> Option<u32> {
        let file = fs::read_to_string(self.data.join("postmaster.pid")).ok()?;
        file.lines().next()?.trim().parse().ok()
    }

    /// Makes what the server needs. The caller holds the lock, and no server runs.
    pub fn prepare(&self, options: &Options, binaries: &Binaries, launcher: &Launcher) -> Result<(), PostgresError> {
        if !self.data.exists() {
            let pristine = self.pristine(binaries, launcher)?;
            let copy = self.home.join("data.new");
            remove(&copy)?;
            copy_tree(&pristine, &copy)?;
            give_away(&copy, launcher.owner)?;
            if options.durable {
                launcher.run(&binaries.program("initdb"), &["--sync-only".as_ref(), "-D".as_ref(), copy.as_ref()])?;
            }
            fs::rename(&copy, &self.data).map_err(PostgresError::io("rename", &copy))?;
        }
        // No server runs, so a process of that number is somebody else's; the server would take it for its own kind.
        if self.recorded_pid().is_some_and(|pid| signal(pid, "0")) {
            remove(&self.data.join("postmaster.pid"))?;
        }
        self.write("pg_hba.conf", b"local all all trust\n", launcher)?;
        self.write("postgresql.conf", &self.configuration(options), launcher)
    }

    fn write(&self, name: &str, content: &[u8], launcher: &Launcher) -> Result<(), PostgresError> {
        let path = self.data.join(name);
        fs::write(&path, content).map_err(PostgresError::io("write", &path))?;
        give_away(&path, launcher.owner)
    }

    fn configuration(&self, options: &Options) -> Vec<u8> {
        let durability = if options.durable { DURABLE } else { FORGETFUL };
        let text = format!("{CONFIGURATION}{durability}max_connections = {}\nport = {PORT}\n", options.max_connections);
        let mut text = text.into_bytes();
        // A list of quoted names inside a quoted string: each kind of quote is doubled.
        text.extend_from_slice(b"unix_socket_directories = '\"");
        for &byte in self.socket.as_os_str().as_bytes() {
            text.push(byte);
            if b"'\"\\".contains(&byte) {
                text.push(byte);
            }
        }
        text.extend_from_slice(b"\"'\n");
        text
    }

    fn pristine(&self, binaries: &Binaries, launcher: &Launcher) -> Result<PathBuf, PostgresError> {
        // A server that runs as another user cannot enter this user's cache.
        let cache = cache_directory().filter(|_| launcher.owner.is_none()).map(|cache| cache.join("postgres"));
        let cache = cache.filter(|cache| fs::create_dir_all(cache).is_ok()).unwrap_or_else(|| self.home.clone());
        let pristine = cache.join(format!("pristine-pg{}-{}", binaries.major, binaries.version));
        let with = |suffix: &str| PathBuf::from([pristine.as_os_str(), suffix.as_ref()].join(OsStr::new("")));
        let lock_path = with(".lock");
        let lock = File::options().create(true).append(true).open(&lock_path);
        let lock = lock.map_err(PostgresError::io("open", &lock_path))?;
        lock.lock().map_err(PostgresError::io("lock", &lock_path))?;
        if pristine.exists() {
            return Ok(pristine);
        }
        let new = with(".new");
        let mut last = None;
        // Not every system has the first two; under `C` only ASCII letters have a lower case.
        for locale in ["C.UTF-8", "en_US.UTF-8", "C"] {
            remove(&new)?;
            make_private(&new)?;
            give_away(&new, launcher.owner)?;
            let locale = format!("--locale={locale}");
            let arguments = ["--no-sync", "--auth=trust", "-E", "UTF8", "-U", CARNET, &locale, "-D"];
            let arguments: Vec<&OsStr> = arguments.iter().map(AsRef::as_ref).chain([new.as_os_str()]).collect();
            match launcher.run(&binaries.program("initdb"), &arguments) {
                Ok(()) => {
                    fs::rename(&new, &pristine).map_err(PostgresError::io("rename", &new))?;
                    return Ok(pristine);
                }
                Err(error) => last = last.or(Some(error)),
            }
        }
        Err(last.unwrap_or_else(|| PostgresError::NoBinaries(String::new())))
    }
}

/// Errors always reach the log with their SQLSTATE (`40P01` is a deadlock). What could hold personal data never
/// does: terse leaves out DETAIL, which quotes keys, and CONTEXT; statements and parameters are not written either.
const CONFIGURATION: &str = "\
# Written at every start.
listen_addresses = ''
unix_socket_permissions = 0700
timezone = 'UTC'
log_timezone = 'UTC'
lc_messages = 'C'
shared_buffers = 256MB
work_mem = 16MB
maintenance_work_mem = 128MB
random_page_cost = 1.1
jit = off
max_wal_size = 2GB
checkpoint_timeout = 15min
log_destination = 'stderr'
logging_collector = off
log_line_prefix = '%m [%p] %e '
log_min_messages = warning
log_min_error_statement = panic
log_error_verbosity = terse
log_parameter_max_length = 0
log_parameter_max_length_on_error = 0
log_checkpoints = off
log_autovacuum_min_duration = -1
";
const DURABLE: &str = "fsync = on\nsynchronous_commit = on\nfull_page_writes = on\nwal_level = replica\n";
const FORGETFUL: &str =
    "fsync = off\nsynchronous_commit = off\nfull_page_writes = off\nwal_level = minimal\nmax_wal_senders = 0\n";

fn socket_name() -> String {
    format!(".s.PGSQL.{PORT}")
}

/// Beside the data, or under the temporary directory when clients could not use that path: too long for a socket,
/// or with a comma (libpq reads a list of hosts), or no UTF-8 (sqlx).
fn socket_directory(home: &Path) -> PathBuf {
    let usable = |directory: &Path| {
        let socket = directory.join(socket_name());
        socket.as_os_str().len() <= SOCKET_PATH_LIMIT && socket.to_str().is_some_and(|path| !path.contains(','))
    };
    // FNV-1a: the same place gets the same name from every build of this program.
    let hash = home
        .as_os_str()
        .as_bytes()
        .iter()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    let name = format!("{CARNET}-{hash:016x}");
    let places = [home.join("socket"), std::env::temp_dir().join(&name), Path::new("/tmp").join(&name)];
    let [.., last] = places.clone();
    places.into_iter().find(|place| usable(place)).unwrap_or(last)
}
