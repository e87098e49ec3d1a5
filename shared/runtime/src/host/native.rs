//! The container host: plain HTTP on `PORT`, `/_events/*` on `EVENTS_PORT`, a graceful end.

use std::time::Duration;

use axum::{Extension, Router};
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::connections::{Bounds, Door};
use super::tls::Tls;
use super::{App, StartError};
use crate::config::Config;

/// Requests under way may take this long after the signal to stop.
pub const DRAIN: Duration = Duration::from_secs(12);

/// Whether this process was told to stop, for a trigger that takes up one thing after the other: see `with_stop`.
#[derive(Debug, Clone)]
pub struct Stop(watch::Receiver<bool>);

impl Stop {
    /// Nothing new is to be taken up.
    pub fn is_told(&self) -> bool {
        *self.0.borrow()
    }

    /// Resolves once it is told: for a trigger that waits for others.
    pub async fn told(self) {
        stopped(self.0).await;
    }
}

/// Triggers that can see that their process was told to stop.
pub fn with_stop(events: Router, stop: &watch::Receiver<bool>) -> Router {
    events.layer(Extension(Stop(stop.clone())))
}

/// Serves until told to stop, then finishes the requests under way.
///
/// # Errors
/// When a port cannot be had.
pub async fn serve(config: &Config, app: App, stop: watch::Receiver<bool>) -> Result<(), StartError> {
    let listener = listen(&config.bind, config.port, "PORT").await?;
    tracing::info!(address = %listener.local_addr()?, "serving");
    let public = public(config, listener, app.public)?;
    let events = events(config, with_stop(app.events, &stop)).await?;
    serve_on(public, events, stop).await;
    Ok(())
}

/// The public port, as the configuration wants it.
///
/// # Errors
/// When the files of the TLS certificate cannot be used.
pub fn public(config: &Config, listener: TcpListener, router: Router) -> Result<Door, StartError> {
    let edges = &config.edges;
    let tls = match (&edges.tls_certificate, &edges.tls_key) {
        (Some(chain), Some(key)) => Some(Tls::from_files(chain, key)?),
        _ => None,
    };
    let connections = open_files().map_or(edges.max_connections, |files| edges.max_connections.min(files));
    if connections < edges.max_connections {
        tracing::warn!(connections, "the limit of open files allows fewer connections than MAX_CONNECTIONS");
    }
    let bounds = Bounds { connections, ..Bounds::default() };
    Ok(Door { listener, router, tls, bounds })
}

/// How many connections the limit of open files leaves, where the system says (Linux).
fn open_files() -> Option<usize> {
    let limits = std::fs::read_to_string("/proc/self/limits").ok()?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    let soft: usize = line.split_whitespace().next()?.parse().ok()?;
    Some(soft.saturating_sub(KEPT_FILES).max(1))
}

/// Open files for everything else: the database, mails, logs, other ports.
const KEPT_FILES: usize = 128;

/// The port of `/_events/*`, if there is to be one.
///
/// # Errors
/// When it cannot be had.
pub async fn events(config: &Config, router: Router) -> Result<Option<Door>, StartError> {
    let Some(port) = config.events_port else { return Ok(None) };
    let listener = listen(&config.bind, port, "EVENTS_PORT").await?;
    // A trigger takes as long as its manifest says.
    let bounds = Bounds { longest: LONGEST_TRIGGER, ..Bounds::default() };
    Ok(Some(Door { bounds, ..Door::plain(listener, router) }))
}

/// Longer than any manifest allows its function.
const LONGEST_TRIGGER: Duration = Duration::from_secs(1000);

/// Opens a port.
///
/// # Errors
/// Names the address, and the variable that chooses another.
pub async fn listen(bind: &str, port: u16, variable: &str) -> Result<TcpListener, StartError> {
    let listener = TcpListener::bind((bind, port)).await;
    listener.map_err(|error| format!("{variable}: cannot listen on {bind}:{port}: {error}").into())
}

/// Serves on ports that are already open; what is still under way at the end of the drain is cut.
pub async fn serve_on(public: Door, events: Option<Door>, stop: watch::Receiver<bool>) {
    let mut deadline = stop.clone();
    if let Some(tls) = &public.tls {
        tokio::spawn(tls.clone().tend(stop.clone()));
    }
    let serving = async {
        let events = async {
            if let Some(events) = events {
                events.serve(stop.clone()).await;
            }
        };
        futures_util::future::join(public.serve(stop.clone()), events).await;
    };
    let late = async {
        // A sender that is gone means the same as told to stop.
        let _ = deadline.wait_for(|stop| *stop).await;
        tokio::time::sleep(DRAIN).await;
    };
    tokio::select! {
        () = serving => {}
        () = late => tracing::warn!("requests were still under way at the end of the drain"),
    }
}

/// Resolves once told to stop.
pub async fn stopped(mut stop: watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

/// Turns true at SIGTERM or SIGINT.
pub fn stop_signal() -> watch::Receiver<bool> {
    let (tell, told) = watch::channel(false);
    tokio::spawn(async move {
        #[cfg(unix)]
        {
            use tokio::signal::unix::{SignalKind, signal};
            match signal(SignalKind::terminate()) {
                Ok(mut terminate) => tokio::select! {
                    _ = terminate.recv() => {}
                    _ = tokio::signal::ctrl_c() => {}
                },
                Err(_) => drop(tokio::signal::ctrl_c().await),
            }
        }
        #[cfg(not(unix))]
        drop(tokio::signal::ctrl_c().await);
        tell.send_replace(true);
    });
    told
}
