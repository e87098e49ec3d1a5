//! Statements that more than one function uses.

use domain::appointment::{Current, Offer};

use crate::{Statement, statement};

/// What a booking or a move is decided on. Parameters: actor, practitioner, site, reason, patient, start.
pub const OFFER: Statement<Offer> = statement!("offer");
/// An appointment the actor may change. Parameters: actor, appointment.
pub const CURRENT_APPOINTMENT: Statement<Current> = statement!("current_appointment");
