//! Everything that is logged during the run, and a look at each line for what must not be in a log.

use std::collections::BTreeSet;
use std::io::Write;
use std::sync::{Mutex, Once, OnceLock, PoisonError};

use tracing_subscriber::fmt::MakeWriter;

/// Of the fixtures and of the tests: names, addresses, telephones, passwords, words told in confidence.
const SECRETS: [&str; 14] = [
    "okafor",
    "sinimalet",
    "maëlys",
    "camille.martin",
    "famille.example",
    "+3363998",
    "carnet-demo-2026",
    "une phrase assez longue",
    "ada exemple",
    "noé exemple",
    "varicelle",
    "$argon2id$",
    "authorization: bearer",
    "\"password\"",
];

fn secrets() -> &'static Mutex<BTreeSet<String>> {
    static SET: OnceLock<Mutex<BTreeSet<String>>> = OnceLock::new();
    SET.get_or_init(|| Mutex::new(SECRETS.iter().map(|secret| (*secret).to_owned()).collect()))
}

fn leaks() -> &'static Mutex<Vec<String>> {
    static LEAKS: Mutex<Vec<String>> = Mutex::new(Vec::new());
    &LEAKS
}

fn held<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A token or another text that was given to somebody in this run.
pub fn keep_secret(text: &str) {
    if text.len() >= 12 {
        held(secrets()).insert(text.to_lowercase());
    }
}

/// Lines so far that held a secret.
pub fn leaked() -> Vec<String> {
    held(leaks()).clone()
}

struct Reader;

impl Write for Reader {
    fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
        let text = String::from_utf8_lossy(line).to_lowercase();
        if let Some(secret) = held(secrets()).iter().find(|secret| text.contains(secret.as_str())) {
            held(leaks()).push(format!("{secret:?} in {text}"));
        }
        if std::env::var_os("RUST_LOG").is_some() {
            std::io::stderr().write_all(line)?;
        }
        Ok(line.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Reader {
    type Writer = Self;
    fn make_writer(&self) -> Self {
        Self
    }
}

/// Starts reading, once a run. What our own crates log is read at every level, what others log as in production.
pub fn read() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let filter = "info,sqlx=warn,runtime=trace,store=trace,gateway=trace";
        let filter = std::env::var("RUST_LOG").unwrap_or_else(|_| filter.into());
        let _ = tracing_subscriber::fmt().json().with_env_filter(filter).with_writer(Reader).try_init();
    });
}
