//! When a reminder goes out.

use jiff::{SignedDuration, Timestamp};

use super::preferences::{Preferences, Step};
use crate::zone::Zone;

/// Who agreed on a time less than this ago needs no reminder of it yet.
pub const FRESH: SignedDuration = SignedDuration::from_hours(4);
/// A reminder that comes later than this before the start, because of a night, helps nobody.
pub const MARGIN: SignedDuration = SignedDuration::from_mins(60);
/// Before a night that would swallow a reminder, it goes out this much earlier than the night begins.
pub const EVENING: SignedDuration = SignedDuration::from_mins(15);

/// A visit that began less than this ago, and of which nobody was reminded since nothing ran, is written down as one.
pub const LOOK_BACK: SignedDuration = SignedDuration::from_hours(48);

/// Whether and when a reminder is to go out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// Then, not before.
    At(Timestamp),
    /// Not at all, and why.
    Never(&'static str),
}

/// A visit to be reminded of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Visit {
    /// Its start.
    pub starts_at: Timestamp,
    /// When that start was agreed on.
    pub agreed_at: Timestamp,
}

/// Plans the reminder of a step, before it is due.
///
/// Of a visit that was agreed on late, the steps that were past then are not made up for, but the last one is, once it is no
/// news any more ([`FRESH`]). What falls into a night goes out in the morning, or the evening before where the morning is too
/// late for it.
pub fn reminder(step: Step, visit: Visit, preferences: &Preferences, place: &Zone, now: Timestamp) -> Due {
    let (due, earliest) = (visit.starts_at - step.duration(), visit.agreed_at + FRESH);
    let at = match () {
        () if now >= visit.starts_at => return Due::Never("begun"),
        () if due >= earliest => due,
        () if preferences.steps.last() == Some(step) && earliest < visit.starts_at => earliest,
        () => return Due::Never("booked late"),
    };
    let zone = preferences.time_zone.as_ref().unwrap_or(place);
    let Some(night) = preferences.night.and_then(|night| night.at(zone, at)) else { return Due::At(at) };
    let evening = night.start() - EVENING;
    match () {
        () if night.end() + MARGIN <= visit.starts_at => Due::At(night.end()),
        () if evening >= now && evening >= earliest => Due::At(evening),
        () => Due::Never("night"),
    }
}
