//! The way out by HTTP: bounded in time and in size, and following nobody elsewhere.

#[cfg(not(target_family = "wasm"))]
mod native;

use axum::body::Bytes;

#[cfg(not(target_family = "wasm"))]
pub(crate) use native::{Outbound, Trust};

#[cfg(target_family = "wasm")]
pub(crate) use crate::host::spin::{Outbound, Trust};

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OutboundError {
    /// It did not come in time.
    #[error("no answer in time")]
    Late,
    /// There is no way there.
    #[error("no connection: {0}")]
    Connection(String),
    /// It broke off, or is larger than it may be.
    #[error("the answer breaks off or is too large")]
    Body,
}

/// What is sent: a request whole.
pub(crate) type Request = http::Request<Bytes>;
/// What comes back, whole.
pub(crate) type Response = http::Response<Bytes>;
