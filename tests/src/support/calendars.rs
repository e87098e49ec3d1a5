//! Programs that read calendars, installed by `tests/calendar.sh`: khal, vdirsyncer, icalendar; and a server of calendars, radicale.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;

/// The programs, with a directory of their own.
pub struct Programs {
    venv: PathBuf,
    pub directory: PathBuf,
}

impl Programs {
    /// With an empty directory of that name.
    pub fn new(name: &str) -> Self {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/calendar.sh");
        let output = Command::new("sh").arg(script).stderr(Stdio::inherit()).output().unwrap();
        assert!(output.status.success(), "{script}");
        let venv = PathBuf::from(String::from_utf8(output.stdout).unwrap().trim());
        let directory = super::database::scratch().join("calendars").join(name);
        let _ = std::fs::remove_dir_all(&directory);
        std::fs::create_dir_all(&directory).unwrap();
        Self { venv, directory }
    }

    fn python(&self) -> Command {
        let mut command = Command::new(self.venv.join("bin/python"));
        // What they keep, and what they take for the present zone, is theirs.
        command.env("HOME", &self.directory).env("XDG_CACHE_HOME", &self.directory).env("TZ", "UTC");
        command.stdin(Stdio::null());
        command
    }

    /// A file of the directory; its path.
    pub fn write(&self, name: &str, text: &str) -> String {
        let path = self.directory.join(name);
        std::fs::write(&path, text).unwrap();
        path.to_string_lossy().into_owned()
    }

    /// What a program says.
    pub fn run(&self, program: &str, arguments: &[&str]) -> String {
        let output = self.python().args(["-m", program]).args(arguments).output().unwrap();
        let (said, complained) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{program} {arguments:?}: {said}{complained}");
        said.into_owned()
    }

    /// A calendar as icalendar reads it: the present one, and one that many programs still have.
    pub fn read(&self, calendar: &[u8]) -> [Value; 2] {
        [None, Some(self.venv.join("older"))].map(|path| {
            let mut command = self.python();
            command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/read_calendar.py")).stdin(Stdio::piped());
            command.envs(path.map(|path| ("PYTHONPATH", path))).stdout(Stdio::piped()).stderr(Stdio::inherit());
            let mut child = command.spawn().unwrap();
            child.stdin.take().unwrap().write_all(calendar).unwrap();
            let output = child.wait_with_output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(calendar));
            serde_json::from_slice(&output.stdout).unwrap()
        })
    }

    /// A server (`CalDAV`) that keeps its calendars in the directory.
    pub fn server(&self) -> Server {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let address = format!("127.0.0.1:{port}");
        let folder = self.directory.join("collections");
        let settings = format!(
            "[server]\nhosts = {address}\n[auth]\ntype = none\n[storage]\nfilesystem_folder = {}\n",
            folder.display()
        );
        let settings = self.write("radicale.conf", &settings);
        let mut command = self.python();
        command.args(["-m", "radicale", "--config", &settings]).stdout(Stdio::null()).stderr(Stdio::null());
        let server = Server { child: command.spawn().unwrap(), address };
        for _ in 0..600 {
            if TcpStream::connect(&server.address).is_ok() {
                return server;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        panic!("radicale does not start");
    }
}

/// Ends with its test.
pub struct Server {
    child: Child,
    pub address: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server {
    /// One request of somebody called ada, with whatever password; the answer, whole.
    pub fn ask(&self, method: &str, path: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: {}\r\nauthorization: Basic YWRhOng=\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
            self.address
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    /// The bytes of a calendar that it keeps.
    pub fn calendar(&self, path: &str) -> String {
        let answer = self.ask("GET", path);
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(" 200 "), "{answer}");
        body.to_owned()
    }
}
