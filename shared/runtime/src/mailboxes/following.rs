//! A visit that goes to where its item was moved in the calendar: by the rule and the statement by which anybody moves one.

use domain::appointment::{self, Move};
use domain::interval::Interval;
use domain::slot_token::SlotToken;
use domain::sync::Link;
use exchange::engine::LedgerError;
use serde_json::json;
use store::shared::{CURRENT_APPOINTMENT, EXCHANGE_FOLLOW, OFFER};
use store::{Query as _, params};

use super::ledger::{Rows, away};
use crate::actor;

/// By what the database refuses a move that was on offer: somebody is busy then, the rules have changed, the patient has shut the
/// practitioner out, or the establishment has taken the leave back.
const REFUSALS: [&str; 4] = ["reservation_no_overlap", "offer_unchanged", "welcome_needed", "right_needed"];

/// Moves the visit if it may be there, with its event, its trace and the link, in one statement. Whether it was.
pub(super) async fn follow(rows: &Rows<'_>, link: &Link, during: Interval) -> Result<bool, LedgerError> {
    let (ctx, now, id) = (rows.ctx, rows.ctx.now(), link.tag.appointment);
    let who = actor::mailbox(rows.mailbox, rows.establishment, now);
    let current = ctx.db.optional(&CURRENT_APPOINTMENT, params![who.clone(), id.as_uuid(), "update"]).await;
    let Some(current) = current.map_err(|error| away(&error))? else { return Ok(false) };
    let slot = SlotToken::new(current.practitioner, current.site, current.reason, during.start());
    let offer = ctx.db.optional(
        &OFFER,
        params![
            who.clone(),
            slot.practitioner.as_uuid(),
            slot.site.as_uuid(),
            slot.reason.as_uuid(),
            current.patient.as_uuid(),
            slot.starts_at(),
            "update",
        ],
    );
    let Some(offer) = offer.await.map_err(|error| away(&error))? else { return Ok(false) };
    let (booking, lateness) = match appointment::follow(&current, &offer, during, now) {
        Ok(decided) => decided,
        Err(why) => {
            tracing::info!(mailbox = %rows.mailbox, %why, "a visit does not follow its item");
            return Ok(false);
        }
    };
    let wish = json!(Move::new(id, &current, &offer, &booking, lateness.late));
    let item = json!({"version": link.version, "agreed": link.agreed});
    let parameters = params![rows.mailbox.as_uuid(), rows.lease, now, who, wish, item];
    match ctx.db.optional(&EXCHANGE_FOLLOW, parameters).await {
        Ok(followed) => followed.map(|row| row.followed).ok_or(LedgerError::Lost),
        Err(error) if REFUSALS.iter().any(|name| error.is_constraint(name)) => {
            tracing::info!(mailbox = %rows.mailbox, why = %error, "a visit does not follow its item");
            Ok(false)
        }
        Err(error) => Err(away(&error)),
    }
}
