//! One binary that speaks HTTP to the merged router, each test in a database of its own cloned from a migrated template,
//! with a clock it sets and a mail server it reads. Names are sentences.

mod support;

mod accounts;
mod at_once;
mod booking;
mod changing;
mod edge;
mod events;
mod hosts;
mod house;
mod imports;
mod killing;
mod notices;
mod outage;
mod passkeys;
mod races;
mod search;
mod second_factors;
mod secrets;
mod sign_in;
mod signing_keys;
mod statements;
mod walker;
