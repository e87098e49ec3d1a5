//! A clamd of one's own, for tests: on a socket in a directory of its own, with one signature, EICAR's.
//!
//! The official signatures cannot be had everywhere, and weigh a gigabyte of memory; that of the test file is enough to
//! prove that what is found is refused.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::{Address, Scanner};

/// A clamd that ends with this value, and its directory.
#[derive(Debug)]
pub struct OwnClamd {
    child: Child,
    directory: tempfile::TempDir,
}

/// The test file of the European Institute for Computer Antivirus Research, which every scanner takes for malware. Put
/// together here, so that this file is not itself taken for it.
pub fn eicar() -> Vec<u8> {
    [r"X5O!P%@AP[4\PZX54(P^)7CC)7}$", "EICAR-STANDARD-", "ANTIVIRUS-TEST-FILE", "!$H+H*"].concat().into_bytes()
}

/// The name that the scanner gives to it.
pub const EICAR_SIGNATURE: &str = "Eicar-Test-Signature.UNOFFICIAL";

impl OwnClamd {
    /// Starts it and waits until it answers; in half a second as a rule.
    ///
    /// # Errors
    /// There is no `clamd` on this machine (`CLAMD_BIN` may name it), or it ended, and what it said.
    pub fn start() -> io::Result<Self> {
        Self::start_with("200M", "200M")
    }

    /// As [`start`](Self::start), with another `StreamMaxLength` than 200 MiB, such as `1M`.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub fn start_taking(stream_max_length: &str) -> io::Result<Self> {
        Self::start_with(stream_max_length, "200M")
    }

    /// As [`start`](Self::start), with another `MaxFileSize` than 200 MiB: of what is larger it says that it did not look.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub fn start_scanning(max_file_size: &str) -> io::Result<Self> {
        Self::start_with("200M", max_file_size)
    }

    fn start_with(stream_max_length: &str, max_file_size: &str) -> io::Result<Self> {
        let program =
            program().ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "no clamd: ./just installs it"))?;
        let directory = tempfile::Builder::new().prefix("clamd").tempdir()?;
        let at = directory.path();
        let hex: String = eicar().iter().map(|byte| format!("{byte:02x}")).collect();
        std::fs::create_dir(at.join("signatures"))?;
        // Name, any type of file, any offset.
        let signature = format!("{}:0:*:{hex}\n", EICAR_SIGNATURE.trim_end_matches(".UNOFFICIAL"));
        std::fs::write(at.join("signatures/test.ndb"), signature)?;
        std::fs::write(at.join("clamd.conf"), configuration(at, stream_max_length, max_file_size))?;
        let log = std::fs::File::create(at.join("output"))?;
        let child = Command::new(program)
            .arg("--config-file")
            .arg(at.join("clamd.conf"))
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        let mut clamd = Self { child, directory };
        clamd.until_it_listens()?;
        Ok(clamd)
    }

    /// Where it listens.
    pub fn address(&self) -> Address {
        Address::Unix(self.socket())
    }

    /// It, as one asks it.
    pub fn scanner(&self) -> Scanner {
        Scanner::new(self.address())
    }

    fn socket(&self) -> PathBuf {
        self.directory.path().join("clamd.sock")
    }

    fn until_it_listens(&mut self) -> io::Result<()> {
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(30) {
            #[cfg(unix)]
            if std::os::unix::net::UnixStream::connect(self.socket()).is_ok() {
                return Ok(());
            }
            if self.child.try_wait()?.is_some() {
                break;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let said = std::fs::read_to_string(self.directory.path().join("output")).unwrap_or_default();
        Err(io::Error::other(format!("clamd did not start: {said}")))
    }
}

impl Drop for OwnClamd {
    fn drop(&mut self) {
        // Nothing can be done about one that is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn configuration(at: &Path, stream_max_length: &str, max_file_size: &str) -> String {
    let at = at.display();
    // As root it would become the user of the package, who cannot read the directory.
    format!(
        "Foreground yes\nDatabaseDirectory {at}/signatures\nLocalSocket {at}/clamd.sock\nTemporaryDirectory {at}\n\
         StreamMaxLength {stream_max_length}\nMaxFileSize {max_file_size}\nMaxScanSize 400M\nAlertExceedsMax yes\nMaxThreads 4\n\
         ConcurrentDatabaseReload no\nLogFile {at}/log\nLogTime yes\n"
    )
}

/// `CLAMD_BIN`, or where systems put it.
fn program() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os("CLAMD_BIN") {
        return Some(named.into());
    }
    let in_path = std::env::var_os("PATH").unwrap_or_default();
    let usual = ["/usr/sbin", "/usr/bin", "/usr/local/sbin", "/opt/homebrew/sbin", "/opt/homebrew/opt/clamav/sbin"];
    let directories = std::env::split_paths(&in_path).chain(usual.map(PathBuf::from));
    directories.map(|it| it.join("clamd")).find(|it| it.is_file())
}
