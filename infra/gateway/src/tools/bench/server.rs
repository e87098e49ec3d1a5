//! One function in a process of its own, configured as in production.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use runtime::config::Config;
use runtime::host::StartError;
use runtime::keys::Keys;

use super::load;

/// Longest wait for a first answer.
const PATIENCE: Duration = Duration::from_secs(10);
const GLANCE: Duration = Duration::from_micros(500);

/// Ends with the handle.
pub(super) struct Server {
    child: Child,
    began: Instant,
    pub(super) port: u16,
}

/// What a function is told, as in production.
pub(super) fn variables(function: &str, config: &Config) -> Result<Vec<(&'static str, String)>, StartError> {
    let public: Vec<String> = Keys::of(config)?.public().into_iter().map(|key| key.x).collect();
    let given = [
        ("FUNCTION", Some(function.to_owned())),
        ("CARNET_ENV", Some("production".to_owned())),
        ("BIND", Some("127.0.0.1".to_owned())),
        // Counted as ever, and never spent.
        ("RATE_LIMIT_ADDRESS_PER_MINUTE", Some("1000000000".to_owned())),
        ("RATE_LIMIT_ACCOUNT_PER_MINUTE", Some("1000000000".to_owned())),
        ("DATABASE_URL", config.database_url.clone()),
        ("CARNET_SIGNING_KEY", config.signing_key.clone()),
        ("CARNET_VERIFYING_KEYS", Some(public.join(","))),
        ("CARNET_MASTER_KEY", config.master_key.clone()),
        ("CARNET_LOOKUP_KEY", config.lookup_key.clone().or_else(|| config.master_key.clone())),
    ];
    Ok(given.into_iter().filter_map(|(name, value)| Some((name, value?))).collect())
}

impl Server {
    /// Its process.
    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Executes `program`, which may be this one, as one function.
    pub(super) fn start(program: &Path, function: &str, config: &Config) -> Result<Self, StartError> {
        Self::start_with(program, function, config, &[])
    }

    /// The same, told more.
    fn start_with(
        program: &Path, function: &str, config: &Config, more: &[(&'static str, String)],
    ) -> Result<Self, StartError> {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        Self::start_at(port, program, function, config, more)
    }

    /// The same, at a port.
    fn start_at(
        port: u16, program: &Path, function: &str, config: &Config, more: &[(&'static str, String)],
    ) -> Result<Self, StartError> {
        let mut command = Command::new(program);
        command.envs(variables(function, config)?).envs(more.iter().cloned()).env("PORT", port.to_string());
        let began = Instant::now();
        // Logs are written as in production, and read by nobody.
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn()?;
        Ok(Self { child, began, port })
    }

    /// As [`Server::start`], from this very program, once it answers.
    pub(super) fn ready(function: &str, config: &Config) -> Result<Self, StartError> {
        Self::ready_with(function, config, &[])
    }

    /// The same, told more.
    pub(super) fn ready_with(
        function: &str, config: &Config, more: &[(&'static str, String)],
    ) -> Result<Self, StartError> {
        let server = Self::start_with(&std::env::current_exe()?, function, config, more)?;
        server.first_answer("/readyz")?;
        Ok(server)
    }

    /// Everything in one process at a port, from this very program, once it answers.
    pub(super) fn all_at(port: u16, config: &Config, more: &[(&'static str, String)]) -> Result<Self, StartError> {
        let server = Self::start_at(port, &std::env::current_exe()?, "", config, more)?;
        server.first_answer("/readyz")?;
        Ok(server)
    }

    /// From exec to the whole of the first good answer.
    pub(super) fn first_answer(&self, path: &str) -> Result<Duration, StartError> {
        loop {
            let answer = self.ask(path).unwrap_or_default();
            if answer.starts_with(b"HTTP/1.1 200") {
                return Ok(self.began.elapsed());
            }
            if self.began.elapsed() > PATIENCE {
                return Err(format!("{path} is not answered: {}", String::from_utf8_lossy(&answer)).into());
            }
            std::thread::sleep(GLANCE);
        }
    }

    fn ask(&self, path: &str) -> std::io::Result<Vec<u8>> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port))?;
        let request = String::from_utf8_lossy(&load::get(path)).replace("\r\n\r\n", "\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes())?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        Ok(answer)
    }

    /// Resident memory in MiB, where the system tells.
    pub(super) fn resident_mib(&self) -> Option<f64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        let kib: f64 = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
        Some(kib / 1024.0)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
