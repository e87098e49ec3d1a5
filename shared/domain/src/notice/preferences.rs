//! How somebody wants to be told.

use serde::{Deserialize, Serialize};

use super::Night;
use crate::zone::Zone;

/// A way to reach somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum NoticeChannel {
    /// A message to their browser or telephone (RFC 8030).
    Push,
    /// A mail.
    Email,
    /// A text message.
    Sms,
    /// A letter that the establishment prints: for whom nothing else reaches.
    Letter,
}

impl NoticeChannel {
    /// As in the database.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Push => "push",
            Self::Email => "email",
            Self::Sms => "sms",
            Self::Letter => "letter",
        }
    }

    /// Whether it makes a sound beside somebody's bed.
    pub const fn rings(self) -> bool {
        matches!(self, Self::Push | Self::Sms)
    }
}

/// The order in which channels are tried: one to three, none twice, no letter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<NoticeChannel>", into = "Vec<NoticeChannel>")]
pub struct Channels(Vec<NoticeChannel>);

impl Channels {
    /// In order.
    pub fn as_slice(&self) -> &[NoticeChannel] {
        &self.0
    }
}

impl Default for Channels {
    /// Who subscribed to messages in their browser wants them; a text message costs, and comes where the rest fails.
    fn default() -> Self {
        Self(vec![NoticeChannel::Push, NoticeChannel::Email, NoticeChannel::Sms])
    }
}

impl TryFrom<Vec<NoticeChannel>> for Channels {
    type Error = &'static str;
    fn try_from(all: Vec<NoticeChannel>) -> Result<Self, &'static str> {
        let twice = all.iter().enumerate().any(|(at, channel)| all[..at].contains(channel));
        if all.is_empty() || twice || all.contains(&NoticeChannel::Letter) { Err("channels") } else { Ok(Self(all)) }
    }
}

impl From<Channels> for Vec<NoticeChannel> {
    fn from(channels: Channels) -> Self {
        channels.0
    }
}

/// How long before the start a reminder goes out, in minutes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "i64", into = "i64")]
pub struct Step(i64);

impl Step {
    /// Shortest, in minutes.
    pub const SHORTEST: i64 = 30;
    /// Longest, in minutes: 30 days.
    pub const LONGEST: i64 = 30 * 24 * 60;
    /// The day before.
    pub const DAY: Self = Self(24 * 60);

    /// In minutes.
    pub const fn minutes(self) -> i64 {
        self.0
    }

    /// As a length of time.
    pub const fn duration(self) -> jiff::SignedDuration {
        jiff::SignedDuration::from_mins(self.0)
    }
}

impl TryFrom<i64> for Step {
    type Error = &'static str;
    fn try_from(minutes: i64) -> Result<Self, &'static str> {
        if (Self::SHORTEST..=Self::LONGEST).contains(&minutes) { Ok(Self(minutes)) } else { Err("reminder-steps") }
    }
}

impl From<Step> for i64 {
    fn from(step: Step) -> Self {
        step.0
    }
}

/// The reminders of a visit: none to four, the longest first, none twice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<Step>", into = "Vec<Step>")]
pub struct Steps(Vec<Step>);

impl Steps {
    /// Most reminders of one visit.
    pub const MOST: usize = 4;

    /// The longest first.
    pub fn as_slice(&self) -> &[Step] {
        &self.0
    }

    /// The last one before the visit.
    pub fn last(&self) -> Option<Step> {
        self.0.last().copied()
    }
}

impl Default for Steps {
    fn default() -> Self {
        Self(vec![Step::DAY])
    }
}

impl TryFrom<Vec<Step>> for Steps {
    type Error = &'static str;
    fn try_from(mut all: Vec<Step>) -> Result<Self, &'static str> {
        all.sort_unstable_by(|a, b| b.cmp(a));
        all.dedup();
        if all.len() <= Self::MOST { Ok(Self(all)) } else { Err("reminder-steps") }
    }
}

impl From<Steps> for Vec<Step> {
    fn from(steps: Steps) -> Self {
        steps.0
    }
}

/// How an account wants to be told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Preferences {
    /// In which order channels are tried.
    #[serde(default)]
    pub channels: Channels,
    /// When reminders go out; none at all for who wants none. Changes and cancellations are told all the same.
    #[serde(default)]
    pub steps: Steps,
    /// When nothing rings, by the clock of `time_zone`; none for who sleeps well.
    #[serde(default = "Night::usual")]
    pub night: Option<Night>,
    /// Where they live; the zone of the visit's place where they do not say.
    #[serde(default)]
    pub time_zone: Option<Zone>,
}

impl Default for Preferences {
    fn default() -> Self {
        Self { channels: Channels::default(), steps: Steps::default(), night: Night::usual(), time_zone: None }
    }
}
