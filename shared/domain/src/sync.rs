//! A practitioner's appointments beside a calendar kept elsewhere, and what to do when the two differ. The other calendar is never
//! believed to have called off a visit: what changed there is proposed to the staff.

mod decision;
mod foreign;

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::ids::{AppointmentId, ExchangeServerId, MailboxId};
use crate::interval::Interval;

pub use decision::{Decision, Doubt, Link, MOST_OVERWRITES, Observed, Proposal, Rules, State, decide, undo};
pub use foreign::{Block, Foreign, Reconciled, reconcile, shrunk};

/// How far back a calendar is read: a visit that is over is nobody's to move.
pub const BEHIND: SignedDuration = SignedDuration::from_hours(24);
/// How far ahead it is read and written.
pub const AHEAD: SignedDuration = SignedDuration::from_hours(24 * 180);
/// How long one window is read by its changes. Then it moves on, and everything in it is read once.
const ROLL: SignedDuration = SignedDuration::from_hours(24 * 7);

/// The stretch of a calendar that is read at `now`: the same for a week, as servers count changes for one stretch only, and at least
/// from [`BEHIND`] to [`AHEAD`].
pub fn window(now: Timestamp) -> Interval {
    let week = now.as_second().div_euclid(ROLL.as_secs());
    let begins = Timestamp::from_second(week * ROLL.as_secs()).unwrap_or(now);
    Interval::saturating(
        begins.saturating_sub(BEHIND).unwrap_or(begins),
        begins.saturating_add(AHEAD + ROLL).unwrap_or(begins),
    )
}

/// A calendar elsewhere beside an agenda, as who books has to ask it. How it is reached is sealed.
#[derive(Clone, Debug, Deserialize)]
pub struct Beside {
    /// Which.
    pub mailbox: MailboxId,
    /// By what server.
    pub server: ExchangeServerId,
    /// The server's key, wrapped.
    pub wrapped_key: String,
    /// How it is reached, sealed.
    pub settings: String,
    /// The mailbox's address, sealed.
    pub address: String,
    /// What happens when it does not answer.
    pub when_silent: WhenSilent,
    /// Whether it wants to be left alone now, and counts as silent.
    pub rests: bool,
    /// The times of our own items around the one that is asked for: they are known here.
    pub own: Vec<(Timestamp, Timestamp)>,
}

/// What happens to a booking when the calendar does not answer at that moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum WhenSilent {
    /// It is made: what was known before counts.
    Accept,
    /// It is made, and the desk counts it.
    Warn,
    /// It is refused.
    Refuse,
}

/// What a calendar elsewhere calls one of its items. Never shown to anybody, and compared byte by byte.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RemoteId(pub String);

/// One state of an item, as its calendar names it: an etag or a change key. It says nothing of before or after.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Version(pub String);

/// What one of our items carries, so that it is known again when its number is not: the appointment, and how often it was made anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Tag {
    /// Whose item it is.
    pub appointment: AppointmentId,
    /// 1 for the first, one more each time the item is made anew.
    pub generation: u32,
}

impl Tag {
    /// What a server may remember of a request to create, so that it is done once: the same for the same tag.
    pub fn key(&self) -> Uuid {
        Uuid::new_v5(&self.appointment.as_uuid(), &self.generation.to_be_bytes())
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.appointment, self.generation)
    }
}

impl std::str::FromStr for Tag {
    type Err = NotATag;

    fn from_str(text: &str) -> Result<Self, NotATag> {
        let (appointment, generation) = text.trim().split_once('/').ok_or(NotATag)?;
        let (appointment, generation) =
            (appointment.parse().map_err(|_| NotATag)?, generation.parse().map_err(|_| NotATag)?);
        Ok(Self { appointment, generation })
    }
}

/// It carries something else than one of our tags.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not one of our tags")]
pub struct NotATag;

/// How a calendar shows a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shown {
    /// Free, or of no known kind.
    Free,
    /// Provisional.
    Tentative,
    /// Busy.
    Busy,
    /// Out of office.
    Away,
    /// Working elsewhere.
    Elsewhere,
}

impl Shown {
    /// Whether nobody can be received then. Working elsewhere says where, not that one is not there; what is provisional counts where
    /// the practice says so.
    pub const fn blocks(self, tentative: bool) -> bool {
        match self {
            Self::Busy | Self::Away => true,
            Self::Tentative => tentative,
            Self::Free | Self::Elsewhere => false,
        }
    }
}

/// What two readings of one item are compared by. Servers rewrite bodies, zones and fractions of seconds; of these they keep the sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Face {
    /// First instant, in whole seconds.
    pub starts_at: Timestamp,
    /// First instant after.
    pub ends_at: Timestamp,
    /// How it is shown.
    pub shown: Shown,
    /// Whether others who may see the calendar see no more than the time.
    pub private: bool,
    /// A digest of its title and place; see [`text_digest`]. Of what is not ours it is nil and kept nowhere.
    pub text: Uuid,
}

/// The digest of a title and a place as they are seen: white space at the ends does not count.
pub fn text_digest(subject: &str, location: &str) -> Uuid {
    const NAMESPACE: Uuid = Uuid::from_u128(0x0f3c_7a52_5f0e_4f6e_9a34_57d1_1b0c_52ee);
    Uuid::new_v5(&NAMESPACE, format!("{}\n{}", subject.trim(), location.trim()).as_bytes())
}

/// One item of a calendar elsewhere. Each occurrence of a series is one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// Its number.
    pub id: RemoteId,
    /// Its state.
    pub version: Version,
    /// The series it is an occurrence of.
    pub series: Option<RemoteId>,
    /// How it looks.
    pub face: Face,
    /// Whether its organiser called it off.
    pub cancelled: bool,
    /// Our tag; none also where that reading does not show it.
    pub tag: Option<Tag>,
}

/// What one of our items shall be. Nothing in it tells who comes nor why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mirror {
    /// What it carries.
    pub tag: Tag,
    /// First instant.
    pub starts_at: Timestamp,
    /// First instant after.
    pub ends_at: Timestamp,
    /// IANA name of the site's zone: the item is written in it, so that it reads well there.
    pub time_zone: String,
    /// The neutral title.
    pub subject: String,
    /// The site's name.
    pub location: String,
}

impl Mirror {
    /// How it looks once it is written.
    pub fn face(&self) -> Face {
        Face {
            starts_at: self.starts_at,
            ends_at: self.ends_at,
            shown: Shown::Busy,
            private: true,
            text: text_digest(&self.subject, &self.location),
        }
    }
}

impl Face {
    /// When it is; `None` for an item without length.
    pub fn during(&self) -> Option<Interval> {
        Interval::new(self.starts_at, self.ends_at)
    }

    /// Whether the other is at the same time.
    pub fn same_time(&self, other: &Self) -> bool {
        self.starts_at == other.starts_at && self.ends_at == other.ends_at
    }
}
