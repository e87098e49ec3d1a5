//! A cancellation that was asked for by an answer to a text message.

use axum::extract::State;
use domain::access::Role;
use domain::appointment::{Current, Status};
use domain::ids::{AccountId, AppointmentId};
use runtime::events::{Event, Outcome};
use runtime::{Ctx, Input, Kind, Lang, Problem, texts};
use serde::Deserialize;
use serde_json::json;
use store::shared::CURRENT_APPOINTMENT;
use store::{Query as _, params};

use crate::CANCEL;

/// What the event says.
#[derive(Debug, Deserialize)]
struct Asked {
    appointment: AppointmentId,
    /// As the message told of it: one that was moved since is another.
    version: i64,
    account: AccountId,
}

/// Calls a visit off for whoever was written to, if they may still do that and it has not begun. What they may is asked as if they
/// had signed in; that it was done by a message stands in the trail.
pub(crate) async fn asked(State(ctx): State<Ctx>, Input(event): Input<Event>) -> Result<Outcome, Problem> {
    let Ok(asked) = serde_json::from_value::<Asked>(event.data) else {
        return Ok(Outcome::Reject(Problem::new(Kind::EventRejected)));
    };
    let now = ctx.now();
    let who = json!({"at": now, "account": asked.account, "role": Role::Patient, "level": 1, "purpose": "PATRQT",
                     "request": event.id.to_string()});
    let id = asked.appointment.as_uuid();
    let current = ctx.db.optional(&CURRENT_APPOINTMENT, params![who.clone(), id, "delete"]).await?;
    let Some(current): Option<Current> = current else { return Ok(Outcome::Done) };
    if current.status != Status::Booked || current.version != asked.version {
        return Ok(Outcome::Done);
    }
    let Ok(change) = current.change(now) else { return Ok(Outcome::Done) };
    let key = ctx.keys.owner(current.patient, current.wrapped_key.as_deref()).await?;
    let reason = texts::text(Lang::Fr, "cancelled-by-sms", &[]);
    let reason = key.seal("appointment.cancel_reason", id, &reason).map_err(Problem::internal)?;
    // Whoever was quicker has changed it: the person is told of that.
    ctx.db.optional(&CANCEL, params![who, id, current.version, change.late, reason]).await?;
    Ok(Outcome::Done)
}
