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
/// By which lookup key the database is kept; none yet: by this one. Parameter: its mark.
pub const LOOKUP_KEY: Statement<String> = statement!("lookup_key");
/// Opens a session. Parameters: who, document. No row when what it was opened with is good no more.
pub const OPEN_SESSION: Statement<Value> = statement!("open_session");
/// Begins an attempt to prove who one is. Parameters: now, lookup of the e-mail, address, limits where known, limits
/// elsewhere, seconds of the window, seconds of the lease, account and session that a device shows, limits of such devices.
pub const BEGIN_ATTEMPT: Statement<Value> = statement!("begin_attempt");
/// Ends an attempt that opened nothing. Parameters: who, ticket, whether it failed, event, account.
pub const SETTLE_ATTEMPT: Statement<Value> = statement!("settle_attempt");
/// Keeps a passkey's challenge. Parameters: id, kind, account, state, expiry.
pub const BEGIN_CEREMONY: Statement<Value> = statement!("begin_ceremony");
/// Takes a passkey's challenge. Parameters: id, kind, account, now.
pub const TAKE_CEREMONY: Statement<Value> = statement!("take_ceremony");
/// Takes a lease on deliveries that are due. Parameters: lease, now, lease until, how many at most.
pub const CLAIM_DELIVERY: Statement<Value> = statement!("claim_delivery");
/// Makes a lease longer. Parameters: lease, lease until.
pub const RENEW_DELIVERY: Statement<Value> = statement!("renew_delivery");
/// Writes down how attempts ended. Parameters: lease, now, outcomes.
pub const SETTLE_DELIVERY: Statement<Value> = statement!("settle_delivery");
/// Deliveries that were given up. Parameter: how many at most.
pub const DEAD_DELIVERIES: Statement<Value> = statement!("dead_deliveries");
/// Tries a dead delivery again. Parameters: delivery, now.
pub const REPLAY_DELIVERY: Statement<Value> = statement!("replay_delivery");
/// Where the browsers of an account are reached: each a `runtime::push::Stored`. Parameter: account.
pub const PUSH_SUBSCRIPTIONS: Statement<Value> = statement!("push_subscriptions");
/// Forgets a browser that its push service does not know any more. Parameters: who, subscription, as it was sealed.
pub const SUBSCRIPTION_GONE: Statement<Value> = statement!("subscription_gone");
/// Takes a lease on calendars elsewhere that are due. Parameters: lease, now, lease until, how many at most, mailbox.
pub const EXCHANGE_CLAIM: Statement<Value> = statement!("exchange_claim");
/// Our side of such a calendar. Parameters: mailbox, lease, now, window from, window until.
pub const EXCHANGE_BOOK: Statement<Value> = statement!("exchange_book");
/// Writes down links. Parameters: mailbox, lease, now, links.
pub const EXCHANGE_KEEP: Statement<Value> = statement!("exchange_keep");
/// Moves a visit to where its item is. Parameters: mailbox, lease, now, who, the decided wish, version and face of the item. No row without
/// the lease.
pub const EXCHANGE_FOLLOW: Statement<Followed> = statement!("exchange_follow");
/// Forgets a link. Parameters: mailbox, lease, now, appointment.
pub const EXCHANGE_FORGET: Statement<Value> = statement!("exchange_forget");
/// Lets a refused item rest. Parameters: mailbox, lease, now, appointment, generation, fault, first rest and longest rest in seconds.
pub const EXCHANGE_STUMBLE: Statement<Value> = statement!("exchange_stumble");
/// Takes and frees times. Parameters: mailbox, lease, now, changes.
pub const EXCHANGE_PLACE: Statement<Placed> = statement!("exchange_place");
/// Writes down where a reading ended. Parameters: mailbox, lease, now, window from, cursor.
pub const EXCHANGE_ADVANCE: Statement<Value> = statement!("exchange_advance");
/// Ends the work on a calendar elsewhere. Parameters: mailbox, lease, now, how it ended.
pub const EXCHANGE_SETTLE: Statement<Value> = statement!("exchange_settle");
/// Makes a calendar elsewhere due. Parameters: mailbox, now, whether its silence is counted.
pub const EXCHANGE_WAKE: Statement<Value> = statement!("exchange_wake");
/// Bytes of documents that are to be removed. Parameter: how many at most.
pub const OBJECTS_TO_REMOVE: Statement<ToRemove> = statement!("objects_to_remove");
/// Bytes of documents that are gone. Parameters: keys, now.
pub const OBJECTS_REMOVED: Statement<Value> = statement!("objects_removed");

/// Whether times were taken and freed: not without the lease.
#[derive(Debug, Clone, Copy, serde::Deserialize)]
pub struct Placed {
    /// Whether they were.
    pub placed: bool,
}

/// Whether a visit followed its item: not when it is another one than was decided on.
#[derive(Debug, Clone, Copy, serde::Deserialize)]
pub struct Followed {
    /// Whether it did.
    pub followed: bool,
}

/// Bytes of a document that are to be removed.
#[derive(Debug, Clone, serde::Deserialize)]
pub struct ToRemove {
    /// What they are called in the store.
    pub key: String,
    /// What the store calls their upload, where that was in parts.
    #[serde(default)]
    pub upload: Option<String>,
}
