//! The adapter for Graph against the fake, every body held against Graph's schema where it is at hand.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that fails says where")]
#![allow(clippy::print_stdout, reason = "how many bodies were held against the schema is to be seen")]

mod batch;
mod changes;
mod faults;
mod items;
mod properties;
mod schema;
mod watches;
mod world;
