//! Exchange as the tests need it: one model of mailboxes ([`mailbox`]), served as Microsoft Graph ([`graph`]) and as Exchange Web
//! Services, with faults at will and a log of what was asked.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that fails says where")]

pub mod control;
pub mod csdl;
pub mod ews;
pub mod graph;
pub mod in_process;
pub mod mailbox;
pub mod served;
