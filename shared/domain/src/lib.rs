//! Rules and types of Carnet. No IO, no clock, no async: `now` is always an argument.

pub mod access;
pub mod age;
pub mod agenda;
pub mod appointment;
pub mod audit;
pub mod availability;
pub mod directory;
pub mod document;
pub mod guardianship;
pub mod holidays;
pub mod identity;
pub mod ids;
pub mod interval;
pub mod letter;
pub mod notice;
pub mod person;
pub mod professional;
pub mod slot_token;
pub mod sms;
pub mod sync;
pub mod webhook;
pub mod zone;

pub use jiff::civil::{Date, DateTime};
pub use jiff::{SignedDuration, Timestamp};
