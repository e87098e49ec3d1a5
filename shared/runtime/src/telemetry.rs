//! Structured logs to standard output: message and fields, never personal data; a failure is logged once.

/// Starts logging. `RUST_LOG` chooses what; JSON unless on a developer's machine. A second call changes nothing.
#[cfg(not(target_family = "wasm"))]
pub fn start(development: bool) {
    use tracing_subscriber::EnvFilter;

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

/// Starts logging, what matters to an operator; the host keeps it with the component's name. Choosing more by expressions
/// would be a tenth of the component.
#[cfg(target_family = "wasm")]
pub fn start(development: bool) {
    use tracing::level_filters::LevelFilter;

    let level = if development { LevelFilter::WARN } else { LevelFilter::INFO };
    let logs = tracing_subscriber::fmt().with_max_level(level).with_ansi(false);
    // Already started: an instance answers more than one request.
    drop(logs.json().try_init());
}
