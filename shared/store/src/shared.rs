//! Statements that more than one function uses.

use domain::access::Standing;
use domain::appointment::{Current, Offer};
use serde_json::Value;

use crate::{Statement, statement};

/// Who acts in a session. Parameters: session, account, now.
pub const ACTOR: Statement<Standing> = statement!("actor");
/// The trace of a refusal. Parameters: who, action, access, identifier that was named.
pub const REFUSAL: Statement<Value> = statement!("refusal");
/// What a booking or a move is decided on. Parameters: who, practitioner, site, reason, patient, start, action.
pub const OFFER: Statement<Offer> = statement!("offer");
/// An appointment the actor may change. Parameters: who, appointment, action.
pub const CURRENT_APPOINTMENT: Statement<Current> = statement!("current_appointment");
/// A block of what a key may spend. Parameters: keyed hash, window, quota, size of a block.
pub const LEASE: Statement<Value> = statement!("lease");
/// An attempt at something. Parameters: keyed hash, how many, window in seconds, now.
pub const ATTEMPT: Statement<Value> = statement!("attempt");
/// Forgets attempts. Parameters: keyed hash.
pub const FORGET: Statement<Value> = statement!("forget");
