//! Rules and types of Carnet. No IO, no clock, no async: `now` is always an argument.

pub mod access;
pub mod agenda;
pub mod appointment;
pub mod availability;
pub mod directory;
pub mod holidays;
pub mod ids;
pub mod interval;
pub mod letter;
pub mod notice;
pub mod person;
pub mod slot_token;
pub mod zone;

pub use jiff::civil::Date;
pub use jiff::{SignedDuration, Timestamp};
