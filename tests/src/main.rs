//! One binary that speaks HTTP to the merged router, each test in a database of its own cloned from a migrated template,
//! with a clock it sets and a mail server it reads. Names are sentences.

mod support;

mod access;
mod account_end;
mod account_life;
mod account_mail;
mod account_phone;
mod accounts;
mod asvs;
mod at_once;
mod audit;
mod booking;
mod breaches;
mod changing;
mod containers;
mod contract;
mod devices;
mod documents;
mod edge;
mod emergency;
mod emulated;
mod events;
mod guardians;
mod guardians_at_the_edge;
mod hosts;
mod house;
mod imports;
mod killing;
mod limits;
mod lost_factors;

mod members;
mod notices;
mod openid_trust;
mod outage;
mod passkeys;
mod professionals;
mod queues;
mod races;
mod rotation;
mod search;
mod second_factors;
mod secrecy;
mod secrets;
mod sign_in;
mod sign_in_with;
mod signing_keys;
mod spin;
mod statements;
mod tls;
mod versions;
mod walker;
mod wire;
mod worlds;
