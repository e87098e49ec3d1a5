//! Starting the server so that it is never root and never outlives this process.
//!
//! PostgreSQL refuses to run as root. Without `unsafe` there is no `pre_exec`, so two commands of util-linux do it:
//! `unshare --user` gives the server a namespace in which it is nobody, yet still reaches root's files;
//! `setpriv --pdeathsig INT` has the kernel send it SIGINT, a fast shutdown, when its parent ends.
//! **The order matters**: a change of credentials clears the parent-death signal, so it is asked for last
//! (tried: `setpriv --pdeathsig INT setpriv --reuid …` leaves the server running for ever).
//! For the kernel the parent is the **thread** that started the child, not the process. So the server has a thread
//! of its own, which starts it and then waits for it: the thread ends after the server, or with the process.

use std::{
    ffi::{OsStr, OsString},
    fs,
    os::unix::process::CommandExt as _,
    path::Path,
    process::{Command, ExitStatus, Stdio},
    sync::mpsc,
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use super::{POLL, PostgresError, STOP_LIMIT, binaries::Binaries, cluster::Cluster};

const NOBODY: (u32, u32) = (65534, 65534);

#[derive(Debug, Clone)]
pub struct Launcher {
    prefix: Vec<OsString>,
    /// This process's user.
    pub user: u32,
    /// User and group that must own the files, when the server really runs as somebody else.
    pub owner: Option<(u32, u32)>,
}

impl Launcher {
    pub fn choose(binaries: &Binaries) -> Result<Self, PostgresError> {
        let user = Command::new("id").arg("-u").output().ok();
        let user = user.and_then(|id| String::from_utf8(id.stdout).ok()?.trim().parse().ok()).unwrap_or(u32::MAX);
        let dying = "setpriv --pdeathsig INT";
        let mut ways = Vec::new();
        if user == 0 {
            let (uid, gid) = postgres_user().unwrap_or(NOBODY);
            let changed = format!("setpriv --reuid={uid} --regid={gid} --clear-groups");
            ways.push((format!("unshare --user {dying}"), None));
            ways.push((format!("{changed} --pdeathsig INT"), Some((uid, gid))));
            // A small util-linux (BusyBox) may know no death signal: the next start stops what was left.
            ways.push(("unshare --user".into(), None));
            ways.push((changed, Some((uid, gid))));
        } else {
            ways.push((dying.to_owned(), None));
            ways.push((String::new(), None));
        }
        let mut refused = Vec::new();
        for (way, owner) in ways {
            let launcher = Self { prefix: way.split_whitespace().map(OsString::from).collect(), user, owner };
            match launcher.try_out(binaries) {
                Ok(()) => return Ok(launcher),
                Err(reason) => refused.push(format!("`{way}`: {reason}")),
            }
        }
        Err(PostgresError::Root(refused.join("; ")))
    }

    /// `program`, with what makes it safe to run put before it.
    pub fn command(&self, program: &Path) -> Command {
        let mut words = self.prefix.iter().map(OsString::as_os_str).chain([program.as_os_str()]);
        let mut command = Command::new(words.next().unwrap_or_else(|| OsStr::new("false")));
        command.args(words).stdin(Stdio::null()).current_dir("/");
        command
    }

    /// Runs a program of PostgreSQL to its end.
    pub fn run(&self, program: &Path, arguments: &[&OsStr]) -> Result<(), PostgresError> {
        let output = self.command(program).args(arguments).output().map_err(PostgresError::io("run", program))?;
        if output.status.success() {
            return Ok(());
        }
        let output = [output.stdout, output.stderr].concat();
        let output = String::from_utf8_lossy(&output).trim().to_owned();
        Err(PostgresError::Program { program: program.to_owned(), output })
    }

    pub fn launch(&self, cluster: &Cluster, binaries: &Binaries) -> Result<Server, PostgresError> {
        let program = binaries.program("postgres");
        let log = cluster.open_log()?;
        let output = log.try_clone().map_err(PostgresError::io("open", cluster.log_file()))?;
        let mut command = self.command(&program);
        command.arg("-D").arg(cluster.data_directory()).stdout(output).stderr(log);
        // A group of its own: Ctrl-C in a terminal reaches every process of the foreground group, and would end
        // the database while the gateway still finishes its requests.
        command.process_group(0);
        let (started, start) = mpsc::channel();
        let thread = thread::Builder::new().name("postgres".into()).spawn(move || {
            let mut child = match command.spawn() {
                Ok(child) => child,
                Err(error) => {
                    let _ = started.send(Err(error));
                    return None;
                }
            };
            let _ = started.send(Ok(child.id()));
            child.wait().ok()
        });
        let thread = thread.map_err(PostgresError::io("start a thread for", &program))?;
        let pid = start.recv().unwrap_or_else(|_| Err(std::io::Error::other("its thread ended")));
        Ok(Server { pid: pid.map_err(PostgresError::io("run", &program))?, thread })
    }

    fn try_out(&self, binaries: &Binaries) -> Result<(), String> {
        let id = self.command(Path::new("id")).arg("-u").output().map_err(|error| error.to_string())?;
        if !id.status.success() {
            return Err(String::from_utf8_lossy(&id.stderr).trim().to_owned());
        }
        if id.stdout.trim_ascii() == b"0" {
            return Err("still root".into());
        }
        self.run(&binaries.program("postgres"), &["--version".as_ref()]).map_err(|error| error.to_string())
    }
}

/// The running `postgres` process. Dropping it stops it.
#[derive(Debug)]
pub struct Server {
    pid: u32,
    thread: JoinHandle<Option<ExitStatus>>,
}

impl Server {
    pub fn has_ended(&self) -> bool {
        self.thread.is_finished()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // SIGINT is "fast": sessions are ended, everything is written. SIGQUIT ends at once and recovers at the next start.
        for (name, limit) in [("INT", STOP_LIMIT), ("QUIT", Duration::from_secs(5))] {
            let deadline = Instant::now() + limit;
            if !self.has_ended() {
                signal(self.pid, name);
            }
            while Instant::now() < deadline {
                if self.has_ended() {
                    return;
                }
                thread::sleep(POLL);
            }
        }
        tracing::error!(pid = self.pid, "PostgreSQL did not stop");
    }
}

/// Whether there was somebody to signal. By the shell, whose built-in `kill` is on every machine.
pub fn signal(pid: u32, name: &str) -> bool {
    let kill = Command::new("sh").args(["-c", "kill -s \"$1\" \"$2\"", "kill", name, &pid.to_string()]).output();
    kill.is_ok_and(|kill| kill.status.success())
}

fn postgres_user() -> Option<(u32, u32)> {
    let users = fs::read_to_string("/etc/passwd").ok()?;
    let line = users.lines().find_map(|line| line.strip_prefix("postgres:"))?;
    let mut fields = line.split(':').skip(1);
    Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
}
