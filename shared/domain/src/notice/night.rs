//! When nobody is to be woken.

use jiff::civil::Time;
use jiff::tz::AmbiguousOffset;
use jiff::{SignedDuration, Timestamp, ToSpan as _};
use serde::{Deserialize, Serialize};

use crate::interval::Interval;
use crate::zone::Zone;

/// A stretch of each day, by a wall clock, that may go over midnight; at most [`Night::LONGEST`] long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Ends", into = "Ends")]
pub struct Night {
    from: Time,
    until: Time,
}

/// As it is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = Night))]
pub struct Ends {
    /// `HH:MM`.
    #[cfg_attr(feature = "openapi", schema(pattern = "^([01][0-9]|2[0-3]):[0-5][0-9]$"))]
    pub from: String,
    /// `HH:MM`, not included.
    #[cfg_attr(feature = "openapi", schema(pattern = "^([01][0-9]|2[0-3]):[0-5][0-9]$"))]
    pub until: String,
}

impl Night {
    /// Longest, by the clock.
    pub const LONGEST: SignedDuration = SignedDuration::from_hours(12);
    /// How long before they are due reminders are planned, so that those that a night would swallow can go out before it: the
    /// longest one, the two hours at most by which clocks go back in it somewhere, [`super::EVENING`], and time for a tick.
    pub const AHEAD: SignedDuration = SignedDuration::from_hours(15);

    /// From 22:00 to 7:00, for who says nothing.
    pub fn usual() -> Option<Self> {
        Self::try_from(Ends { from: "22:00".into(), until: "07:00".into() }).ok()
    }

    /// The night that it is at an instant, if it is one.
    ///
    /// Exact when clocks change: one that ends in an hour that is left out ends when clocks jump over it; one that ends in an
    /// hour that comes twice ends at the first of the two that is ahead.
    pub fn at(&self, zone: &Zone, at: Timestamp) -> Option<Interval> {
        let local = zone.local(at);
        let time = local.time();
        let over_midnight = self.from > self.until;
        let (evening, morning) = if over_midnight {
            (time >= self.from, time < self.until)
        } else {
            let within = time >= self.from && time < self.until;
            (within, within)
        };
        if !evening && !morning {
            return None;
        }
        let day = local.date();
        let (begins_on, ends_on) = match (over_midnight, evening) {
            (false, _) => (day, day),
            (true, true) => (day, day.checked_add(1.day()).ok()?),
            (true, false) => (day.checked_sub(1.day()).ok()?, day),
        };
        // The first begin, and the first end that is ahead.
        let begin = *instants(zone, begins_on.to_datetime(self.from)).first()?;
        let end = instants(zone, ends_on.to_datetime(self.until)).into_iter().find(|end| *end > at)?;
        Interval::new(begin.min(at), end)
    }
}

/// When a wall clock shows that: once, or twice; or when it jumps over it.
fn instants(zone: &Zone, local: jiff::civil::DateTime) -> Vec<Timestamp> {
    let zone = zone.time_zone();
    match zone.to_ambiguous_timestamp(local).offset() {
        AmbiguousOffset::Unambiguous { offset } => offset.to_timestamp(local).into_iter().collect(),
        AmbiguousOffset::Gap { before, .. } => {
            // Clocks are at the jump, the instant after which they show more: this very one where that is what they jump from,
            // and what precedes is strictly before.
            let past = before.to_timestamp(local).ok().and_then(|at| at.checked_add(SignedDuration::from_secs(1)).ok());
            past.and_then(|past| zone.preceding(past).next()).map(|jump| jump.timestamp()).into_iter().collect()
        }
        AmbiguousOffset::Fold { before, after } => {
            [before, after].into_iter().filter_map(|offset| offset.to_timestamp(local).ok()).collect()
        }
    }
}

impl TryFrom<Ends> for Night {
    type Error = &'static str;
    fn try_from(ends: Ends) -> Result<Self, &'static str> {
        let time = |text: &str| {
            let (hour, minute) = text.split_once(':').filter(|_| text.len() == 5).ok_or("night")?;
            let number = |digits: &str| digits.parse::<i8>().map_err(|_| "night");
            if text.contains(['+', '-']) {
                return Err("night");
            }
            Time::new(number(hour)?, number(minute)?, 0, 0).map_err(|_| "night")
        };
        let night = Self { from: time(&ends.from)?, until: time(&ends.until)? };
        let minutes = |time: Time| i64::from(time.hour()) * 60 + i64::from(time.minute());
        let length = (minutes(night.until) - minutes(night.from)).rem_euclid(24 * 60);
        if length == 0 || length > Self::LONGEST.as_mins() { Err("night") } else { Ok(night) }
    }
}

impl From<Night> for Ends {
    fn from(night: Night) -> Self {
        let text = |time: Time| format!("{:02}:{:02}", time.hour(), time.minute());
        Self { from: text(night.from), until: text(night.until) }
    }
}
