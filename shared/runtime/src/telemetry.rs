//! Structured logs to standard output: message and fields, never personal data; a failure is logged once.

use tracing_subscriber::EnvFilter;

/// Starts logging. `RUST_LOG` chooses what; JSON unless on a developer's machine. A second call changes nothing.
pub fn start(development: bool) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| {
        // What webauthn-rs refuses it also logs, as an error of its own.
        EnvFilter::new(if development {
            "warn,gateway=info,runtime=warn,webauthn_rs=off,webauthn_rs_core=off"
        } else {
            "info,sqlx=warn,webauthn_rs=off,webauthn_rs_core=off"
        })
    });
    let logs = tracing_subscriber::fmt().with_env_filter(filter);
    let started =
        if development { logs.compact().with_writer(std::io::stderr).try_init() } else { logs.json().try_init() };
    // Already started: by a test, or by the host that embeds us.
    drop(started);
}
