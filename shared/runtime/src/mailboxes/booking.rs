//! The last look before a time is given away: what was put into the calendar a moment ago is not known here yet.

use std::time::Duration;

use domain::Timestamp;
use domain::appointment::BookingError;
use domain::interval::Interval;
use domain::sync::{Beside, WhenSilent};
use exchange::{Fault, Why};
use store::shared::EXCHANGE_WAKE;
use store::{Query as _, params};

use super::settings::{Address, Settings};
use crate::{Ctx, Kind, Problem, pace};

/// How long who books waits for a calendar, all in all.
pub const DEADLINE: Duration = Duration::from_millis(800);
/// Busy times do not need the owner's zone: whole days come as instants there.
const ZONE: &str = "Europe/Paris";

/// Asks the calendar beside an agenda whether it is free then. Where it is not, it is read at once, so that the time is offered to nobody else.
///
/// # Errors
/// `slot-taken` when it is not free; `calendar-silent` when it does not answer and the establishment wants bookings refused then.
pub async fn ask(ctx: &Ctx, beside: Option<&Beside>, starts_at: Timestamp, ends_at: Timestamp) -> Result<(), Problem> {
    let Some((beside, during)) = beside.zip(Interval::new(starts_at, ends_at)) else { return Ok(()) };
    let silent = |how: &str| Fault::new(Why::Unavailable, how);
    let answer = if beside.rests {
        Err(silent("it is left alone"))
    } else {
        pace::timeout(DEADLINE, busy(ctx, beside, during)).await.unwrap_or_else(|_| Err(silent("late")))
    };
    match answer {
        Ok(busy) if busy.iter().any(|taken| taken.overlaps(&during) && !is_ours(beside, taken)) => {
            wake(ctx, beside, false).await?;
            Err(BookingError::SlotTaken { busy: None }.into())
        }
        Ok(_) => Ok(()),
        Err(fault) => {
            tracing::warn!(mailbox = %beside.mailbox, why = %fault.why, code = fault.code, "a calendar was silent at a booking");
            match beside.when_silent {
                WhenSilent::Accept => Ok(()),
                WhenSilent::Warn => wake(ctx, beside, true).await,
                WhenSilent::Refuse => Err(Problem::new(Kind::CalendarSilent)),
            }
        }
    }
}

async fn busy(ctx: &Ctx, beside: &Beside, during: Interval) -> Result<Vec<Interval>, Fault> {
    let sealed = || Fault::new(Why::Unauthenticated, "the settings do not open");
    let settings =
        Settings::open(&ctx.keys, beside.server, &beside.wrapped_key, &beside.settings).await.map_err(|_| sealed())?;
    let address = Address::open(&ctx.keys, beside.server, &beside.wrapped_key, beside.mailbox, &beside.address).await;
    let opened = ctx.exchange.open(&settings, &address.map_err(|_| sealed())?, ZONE).await?;
    opened.calendar().busy(during, DEADLINE).await
}

/// An item of ours stands for a visit that the database knows, or that has just gone from there.
fn is_ours(beside: &Beside, taken: &Interval) -> bool {
    beside.own.iter().any(|(starts_at, ends_at)| *starts_at == taken.start() && *ends_at == taken.end())
}

async fn wake(ctx: &Ctx, beside: &Beside, counted: bool) -> Result<(), Problem> {
    ctx.db.optional(&EXCHANGE_WAKE, params![beside.mailbox.as_uuid(), ctx.now(), counted]).await?;
    Ok(())
}
