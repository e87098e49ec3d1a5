//! What every function stands on. A function is an `axum::Router` built from a [`Ctx`]; every trigger ends as an
//! `http::Request` on it.

pub mod actor;
pub mod aws;
pub mod breaches;
pub mod calendar;
pub mod clock;
pub mod codes;
pub mod config;
mod ctx;
pub mod deliver;
pub mod device;
pub mod documents;
pub mod edge;
pub mod events;
pub mod exchange;
pub mod explain;
pub mod faults;
pub mod function;
pub mod host;
pub mod input;
pub mod keys;
pub mod lang;
pub mod lookup_key;
pub mod mail;
pub mod mailboxes;
pub mod objects;
pub mod openapi;
pub mod openid;
pub mod outbound;
pub mod pace;
pub mod page;
pub mod passkeys;
pub mod passwords;
pub mod people;
pub mod period;
pub mod problem;
pub mod push;
pub mod queue;
pub mod schedule;
#[cfg(not(target_family = "wasm"))]
pub mod scratch;
pub mod seals;
pub mod second_factors;
pub mod sessions;
pub mod sign_in_attempts;
pub mod sms;
pub mod telemetry;
pub mod texts;
pub mod told;
pub mod view;
#[cfg(not(target_family = "wasm"))]
pub mod webhooks;
pub mod words;

pub use actor::Actor;
pub use ctx::{Ctx, Parts};
pub use function::{Function, Manifest};
pub use input::{IdempotencyKey, Input, Params, Segment};
pub use lang::Lang;
pub use problem::{Kind, Problem};
pub use words::Words;
