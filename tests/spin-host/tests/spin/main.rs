//! The functions as components of Spin, and both drivers of the store by one contract. `just test-spin` runs the same under
//! the real Spin.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that fails says where")]

mod contract;
mod outward;
mod product;
mod world;
