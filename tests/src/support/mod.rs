//! What a test stands on.

pub mod app;
pub mod calendars;
pub mod client;
pub mod database;
pub mod lambda;
pub mod logs;
pub mod moto;
pub mod objects;
pub mod openid;
pub mod python;
pub mod staff;
pub mod world;

pub use app::App;
pub use client::{Answer, Client};
pub use python::python;
