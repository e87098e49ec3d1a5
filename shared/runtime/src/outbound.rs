//! The way out by HTTP: bounded in time and in size, and following nobody elsewhere.

#[cfg(not(target_family = "wasm"))]
pub mod guarded;
#[cfg(not(target_family = "wasm"))]
mod native;
mod networks;

use axum::body::Bytes;

pub use networks::{Networks, is_public};

#[cfg(not(target_family = "wasm"))]
pub(crate) use native::{Outbound, Trust};

#[cfg(target_family = "wasm")]
pub(crate) use crate::host::spin::{Outbound, Trust};

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum OutboundError {
    /// It did not come in time.
    #[error("no answer in time")]
    Late,
    /// There is no way there.
    #[error("no connection: {0}")]
    Connection(String),
    /// It broke off, or is larger than it may be.
    #[error("the answer breaks off or is too large")]
    Body,
    /// It leads to where nothing goes: no public address, another protocol's port, or a name with a password in it. Said
    /// only by [`guarded`].
    #[error("no way for us: not a public address")]
    Forbidden,
}

/// What is sent: a request whole.
pub type Request = http::Request<Bytes>;
/// What comes back, whole.
pub type Response = http::Response<Bytes>;
