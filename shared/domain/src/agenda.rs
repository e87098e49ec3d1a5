//! Bookable starts of one practitioner: a pure function of an agenda document, a wish and `now`.
//!
//! Open time at a site for a reason is (weekly openings, less local public holidays, plus open
//! exceptions) less closed exceptions. Overlapping or adjacent pieces merge.
//!
//! **The grid.** Starts are counted from the beginning of each merged open range, every step of
//! elapsed time, and counting restarts at each local midnight: it depends on that date's rules
//! alone, never on busy time, on `now` or on the window asked for. A slot may still run past
//! midnight when the next day is open from 00:00, so chained days lose no time.
//!
//! Rules that make no sense (no duration, reversed hours, a ninth weekday…) offer nothing.

use std::{fmt, str::FromStr};

use jiff::{
    Timestamp,
    civil::{Date, DateTime},
};
use serde::{Deserialize, Serialize};

use crate::{
    holidays::HolidayCalendar,
    ids::{PractitionerId, ReasonId, SiteId},
    zone::{OffsetSpans, Zone},
};

mod hours;
mod plan;
mod slot;
mod walk;

pub use slot::{Slot, SlotRefusal, Wish};
pub use walk::Slots;

use hours::Hours;
use plan::Plan;

/// The furthest a booking may be from now, in local days, whatever a reason's own horizon: it
/// bounds the work any document can ask for.
pub const MAX_WALK_DAYS: u16 = 400;

/// Longest appointment, in minutes. A longer duration is a mistake and offers nothing.
pub const MAX_DURATION_MINUTES: u16 = 1440;

/// Everything needed to say when one practitioner can be booked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Agenda {
    /// Whose agenda.
    pub practitioner: PractitionerId,
    /// Places; of two with one id, the first counts.
    pub sites: Vec<Site>,
    /// What may be booked; of two with one id, the first counts.
    pub reasons: Vec<Reason>,
    /// Weekly hours.
    pub openings: Vec<Opening>,
    /// Dated departures from the weekly hours.
    #[serde(default)]
    pub exceptions: Vec<Exception>,
    /// Taken time, as half-open pairs of unix seconds in any order, buffers included.
    #[serde(default)]
    pub busy: Vec<[i64; 2]>,
}

/// A place of consultation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Site {
    /// Which site.
    pub id: SiteId,
    /// The zone its wall clock follows.
    pub time_zone: Zone,
    /// Days on which weekly hours do not apply.
    pub holidays: HolidayCalendar,
}

/// What an appointment is for, and how it is booked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// Which reason.
    pub id: ReasonId,
    /// How patient and practitioner meet.
    pub channel: Channel,
    /// Length, 1 to [`MAX_DURATION_MINUTES`].
    pub duration_minutes: u16,
    /// Kept free before; may spill outside opening hours.
    pub buffer_before_minutes: u16,
    /// Kept free after; may spill outside opening hours.
    pub buffer_after_minutes: u16,
    /// Between two starts of the grid; by default the duration with both buffers.
    #[serde(default)]
    pub step_minutes: Option<u16>,
    /// Least time between booking and start.
    pub notice_minutes: u32,
    /// Latest local date of start, counted from today; at most [`MAX_WALK_DAYS`] is honoured.
    pub horizon_days: u16,
}

impl Reason {
    fn honoured_horizon_days(&self) -> u16 {
        self.horizon_days.min(MAX_WALK_DAYS)
    }
}

/// Weekly hours at a site, in local minutes of the day, half-open.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opening {
    /// Where.
    pub site: SiteId,
    /// For which reasons; `None` means every one.
    #[serde(default)]
    pub reasons: Option<Vec<ReasonId>>,
    /// ISO day of the week, 1 (Monday) to 7.
    pub weekday: u8,
    /// First minute of the day, 0 to 1439.
    pub starts_minute: u16,
    /// Minute after the last, 1 to 1440.
    pub ends_minute: u16,
    /// First local date it applies.
    #[serde(default)]
    pub valid_from: Option<Date>,
    /// First local date it no longer applies.
    #[serde(default)]
    pub valid_until: Option<Date>,
}

/// A dated closing (leave) or opening (duty), in each site's local time, half-open. Parts of a
/// second shorten an opening and lengthen a closing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exception {
    /// Where; `None` means every site.
    #[serde(default)]
    pub site: Option<SiteId>,
    /// Whether it takes or gives time. A closing wins over any opening.
    pub kind: ExceptionKind,
    /// For which reasons; `None` means every one.
    #[serde(default)]
    pub reasons: Option<Vec<ReasonId>>,
    /// First wall-clock time.
    pub starts: DateTime,
    /// Wall-clock time after the last.
    pub ends: DateTime,
}

/// Whether an exception takes time away or gives some.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExceptionKind {
    /// Nothing can be booked.
    Closed,
    /// Open besides the weekly hours, public holidays included.
    Open,
}

/// How patient and practitioner meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Channel {
    /// At the site.
    InPerson,
    /// Video consultation.
    Video,
    /// Telephone.
    Phone,
    /// At the patient's home.
    Home,
}

/// The text is not a channel.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown channel {0:?}: in_person, video, phone or home")]
pub struct UnknownChannel(String);

impl fmt::Display for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::InPerson => "in_person",
            Self::Video => "video",
            Self::Phone => "phone",
            Self::Home => "home",
        })
    }
}

impl FromStr for Channel {
    type Err = UnknownChannel;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "in_person" => Ok(Self::InPerson),
            "video" => Ok(Self::Video),
            "phone" => Ok(Self::Phone),
            "home" => Ok(Self::Home),
            _ => Err(UnknownChannel(text.chars().take(64).collect())),
        }
    }
}

impl Agenda {
    /// The free slots that meet a wish, ordered, without duplicates, computed as they are asked
    /// for: taking the first few walks only the days that hold them.
    pub fn slots<'a>(&'a self, wish: &Wish<'_>, now: Timestamp) -> Slots<'a> {
        Slots::new(self, wish, now)
    }

    /// The earliest free slot that meets a wish.
    pub fn first_free(&self, wish: &Wish<'_>, now: Timestamp) -> Option<Slot> {
        self.slots(wish, now).next()
    }

    /// Whether the rules offer this very start, busy or not: exactly the starts that
    /// [`slots`](Self::slots) yields when nothing is busy.
    ///
    /// # Errors
    /// The first rule that refuses, in the order of [`SlotRefusal`]'s variants.
    pub fn offers(
        &self, site: SiteId, reason: ReasonId, starts_at: Timestamp, now: Timestamp,
    ) -> Result<Slot, SlotRefusal> {
        let reason = self.reason(reason).ok_or(SlotRefusal::UnknownReason)?;
        let site = self.site(site).ok_or(SlotRefusal::UnknownSite)?;
        if starts_at < now {
            return Err(SlotRefusal::Past);
        }
        let mut spans = OffsetSpans::new(&site.time_zone);
        let (earliest, last_day) = plan::booking_period(reason, &mut spans, now);
        let start = starts_at.as_second();
        if start < earliest {
            return Err(SlotRefusal::TooSoon { notice_minutes: reason.notice_minutes });
        }
        if spans.local_day(start) > last_day {
            let horizon_days = reason.honoured_horizon_days();
            return Err(SlotRefusal::BeyondHorizon { horizon_days });
        }
        let mut on_grid = || {
            let hours = Hours::new(self, site, reason)?;
            let plan = Plan::new(self, site, reason, &mut spans, now)?;
            let whole = starts_at.subsec_nanosecond() == 0;
            (whole && plan.has_start(&hours, start, &mut spans)).then(|| plan.slot(start))?
        };
        on_grid().ok_or(SlotRefusal::OutsideOpeningHours)
    }

    /// A reason by its id.
    pub fn reason(&self, id: ReasonId) -> Option<&Reason> {
        self.reasons.iter().find(|reason| reason.id == id)
    }

    /// A site by its id.
    pub fn site(&self, id: SiteId) -> Option<&Site> {
        self.sites.iter().find(|site| site.id == id)
    }
}

#[cfg(test)]
mod tests;
