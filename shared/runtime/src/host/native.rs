//! The container host: plain HTTP on `PORT`, `/_events/*` on `EVENTS_PORT`, a graceful end.

use std::future::IntoFuture as _;
use std::time::Duration;

use axum::Router;
use axum::serve::ListenerExt as _;
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::{App, StartError};
use crate::config::Config;

/// Requests under way may take this long after the signal to stop.
pub const DRAIN: Duration = Duration::from_secs(12);

/// Serves until told to stop, then finishes the requests under way.
///
/// # Errors
/// When a port cannot be had.
pub async fn serve(config: &Config, app: App, stop: watch::Receiver<bool>) -> Result<(), StartError> {
    let public = listen(&config.bind, config.port, "PORT").await?;
    tracing::info!(address = %public.local_addr()?, "serving");
    let events = match config.events_port {
        Some(port) => Some(listen(&config.bind, port, "EVENTS_PORT").await?),
        None => None,
    };
    serve_on(public, app.public, events.map(|listener| (listener, app.events)), stop).await
}

/// Opens a port.
///
/// # Errors
/// Names the address, and the variable that chooses another.
pub async fn listen(bind: &str, port: u16, variable: &str) -> Result<TcpListener, StartError> {
    let listener = TcpListener::bind((bind, port)).await;
    listener.map_err(|error| format!("{variable}: cannot listen on {bind}:{port}: {error}").into())
}

/// Serves on listeners that are already open.
///
/// # Errors
/// When the system refuses to accept connections.
pub async fn serve_on(
    public: TcpListener, router: Router, events: Option<(TcpListener, Router)>, stop: watch::Receiver<bool>,
) -> Result<(), StartError> {
    let mut deadline = stop.clone();
    // Answers are written whole: there is nothing to wait for. A socket that refuses works all the same.
    let public = public.tap_io(|stream| drop(stream.set_nodelay(true)));
    let serving = async {
        let public = axum::serve(public, router).with_graceful_shutdown(stopped(stop.clone())).into_future();
        match events {
            Some((listener, router)) => {
                let events = axum::serve(listener, router).with_graceful_shutdown(stopped(stop)).into_future();
                let (public, events) = futures_util::future::join(public, events).await;
                public.and(events)
            }
            None => public.await,
        }
    };
    let late = async {
        // A sender that is gone means the same as told to stop.
        let _ = deadline.wait_for(|stop| *stop).await;
        tokio::time::sleep(DRAIN).await;
    };
    tokio::select! {
        outcome = serving => outcome.map_err(StartError::from),
        () = late => {
            tracing::warn!("requests were still under way at the end of the drain");
            Ok(())
        }
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
