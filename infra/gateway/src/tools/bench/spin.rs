//! A function as a component: under Spin where it is in `PATH`, else under the small host of the tests, called alike.

use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use runtime::config::Config;
use runtime::host::StartError;

use super::server;
use crate::registry::FUNCTIONS;
use crate::spin::{Component, components, manifest};

/// What runs components.
pub(super) struct Host {
    program: PathBuf,
    target: PathBuf,
}

/// One that runs one component. Ends with the handle.
pub(super) struct Guest {
    child: Child,
    pub(super) port: u16,
}

/// Spin, or the small host beside this program.
pub(super) fn find() -> Result<Host, StartError> {
    let own = std::env::current_exe()?;
    let target = own.parent().and_then(Path::parent).ok_or("this program has no target directory")?.to_owned();
    let named = std::env::var_os("PATH").unwrap_or_default();
    let spin = std::env::split_paths(&named).map(|directory| directory.join("spin")).find(|path| path.is_file());
    let program = spin.unwrap_or_else(|| own.with_file_name("spin-host"));
    if !program.is_file() {
        return Err(format!("{} is missing: just bench runtimes builds it", program.display()).into());
    }
    Ok(Host { program, target })
}

/// The component that holds a function, which it may share with others.
fn holding(function: &str) -> Result<Component, StartError> {
    let found = components(FUNCTIONS)?.into_iter().find(|component| component.names().contains(&function));
    found.ok_or_else(|| format!("{function} does not run as a component").into())
}

/// Where `just wasm` puts it.
pub(super) fn component(target: &Path, function: &str) -> Result<PathBuf, StartError> {
    Ok(target.join("wasm/components").join(format!("{}.wasm", holding(function)?.names().join("+"))))
}

impl Host {
    /// Starts the component of a function, with what the native one is told.
    pub(super) fn start(&self, function: &str, config: &Config) -> Result<Guest, StartError> {
        let file = self.target.join(format!("wasm/bench-{function}.toml"));
        let source = std::path::absolute(component(&self.target, function)?)?;
        let text = manifest(&[holding(function)?], &|_| source.display().to_string());
        // Whether it is up is asked there, whatever the function.
        let id = holding(function)?.names().join("-");
        let health = format!("\n[[trigger.http]]\nroute = \"/readyz\"\ncomponent = \"{id}\"\n");
        let text = if text.contains("\"/readyz\"") { text } else { text + &health };
        std::fs::write(&file, text)?;
        let database: axum::http::Uri = config.database_url.as_deref().unwrap_or_default().parse()?;
        let host = database.authority().map(|it| it.as_str().rsplit('@').next().unwrap_or_default().to_owned());
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let mut command = Command::new(&self.program);
        command.arg("up").arg("--from").arg(&file).args(["--listen", &format!("127.0.0.1:{port}")]);
        let told = server::variables(function, config)?;
        command.envs(told.into_iter().map(|(name, value)| (format!("SPIN_VARIABLE_{name}"), value)));
        command.env("SPIN_VARIABLE_DATABASE_HOST", host.unwrap_or_default()).env("RUST_BACKTRACE", "0");
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        Ok(Guest { child, port })
    }
}

impl Guest {
    /// Its process.
    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Spin has a process of its own to end: it is asked before it is made to.
    fn end(&mut self) -> io::Result<()> {
        Command::new("kill").args(["-INT", &self.child.id().to_string()]).status()?;
        for _ in 0..50 {
            if self.child.try_wait()?.is_some() {
                return Ok(());
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        self.child.kill()?;
        self.child.wait().map(drop)
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.end();
    }
}
