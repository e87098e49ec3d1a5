//! The way to servers of Microsoft Exchange and to who gives tokens for them. Where they are, administrators of establishments say: so
//! it leads to public addresses, by `https`, and to networks that the operator allows.

#[cfg(not(target_family = "wasm"))]
mod native;
#[cfg(target_family = "wasm")]
mod spin;

use crate::outbound::Networks;

#[cfg(not(target_family = "wasm"))]
pub use native::Way;
#[cfg(target_family = "wasm")]
pub use spin::Way;

/// How the way is set.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// `EXCHANGE_NETWORKS`: networks besides the public ones that servers may be in; there also by `http`.
    pub networks: Networks,
    /// `EXCHANGE_CA`: authorities in PEM that are believed beside those the system believes.
    pub authorities: Option<String>,
}

/// Why there is no way.
#[derive(Debug, thiserror::Error)]
pub enum NoWay {
    /// The authorities are none.
    #[error("is not certificates in PEM")]
    Authorities,
    /// This machine has no root certificates.
    #[error("this machine has no root certificates")]
    Roots,
    /// The host says whom to believe, and nobody else.
    #[error("this platform believes whom its host believes")]
    Platform,
}
