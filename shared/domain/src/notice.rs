//! Telling people: what is worth telling, when, by what way, and how long one tries.

mod night;
mod plan;
mod preferences;
mod words;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

pub use night::{Ends, Night};
pub use plan::{Due, EVENING, FRESH, LOOK_BACK, MARGIN, Visit, reminder};
pub use preferences::{Channels, NoticeChannel, Preferences, Step, Steps};
pub use words::{Part, Variable, Words, WordsError};

use crate::appointment::Status;
use crate::zone::Zone;

/// What a notice tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum NoticeKind {
    /// An appointment was made.
    Confirmation,
    /// It was moved.
    Change,
    /// It was called off.
    Cancellation,
    /// It is near.
    Reminder,
    /// A document can be read.
    Document,
}

impl NoticeKind {
    /// Every kind.
    pub const ALL: [Self; 5] = [Self::Confirmation, Self::Change, Self::Cancellation, Self::Reminder, Self::Document];

    /// The notice an event asks for.
    pub fn of_event(kind: &str) -> Option<Self> {
        Some(match kind {
            "appointment.booked.v1" => Self::Confirmation,
            "appointment.moved.v1" => Self::Change,
            "appointment.cancelled.v1" => Self::Cancellation,
            "document.available.v1" => Self::Document,
            _ => return None,
        })
    }

    /// As in the database and in the names of texts.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Confirmation => "confirmation",
            Self::Change => "change",
            Self::Cancellation => "cancellation",
            Self::Reminder => "reminder",
            Self::Document => "document",
        }
    }

    /// Whether nothing that somebody chose keeps it from them.
    pub const fn is_owed(self) -> bool {
        matches!(self, Self::Change | Self::Cancellation)
    }
}

/// How a notice stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum NoticeState {
    /// It is to be sent.
    Planned,
    /// A relay or a provider took it.
    Sent,
    /// It arrived, as the provider says.
    Delivered,
    /// Its recipient has looked at what it tells of.
    Read,
    /// It was not worth sending any more, or was told in another message.
    Skipped,
    /// It did not arrive, and is not tried again by that channel.
    Failed,
}

impl NoticeState {
    /// Every state.
    pub const ALL: [Self; 6] = [Self::Planned, Self::Sent, Self::Delivered, Self::Read, Self::Skipped, Self::Failed];

    /// As in the database.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::Sent => "sent",
            Self::Delivered => "delivered",
            Self::Read => "read",
            Self::Skipped => "skipped",
            Self::Failed => "failed",
        }
    }

    /// Which states may follow, and by what.
    pub const fn next(self) -> &'static [(Self, &'static str)] {
        match self {
            Self::Planned => &[
                (Self::Planned, "the channel is away, or it is night: it is tried again later"),
                (Self::Sent, "the relay or the provider took it"),
                (Self::Delivered, "the provider says that it arrived, before it was known that it took it"),
                (Self::Skipped, "it is not true or useful any more, or was told in another message"),
                (Self::Failed, "the channel refuses it for good, or it was tried for too long"),
            ],
            Self::Sent => &[
                (Self::Delivered, "the provider says that it arrived"),
                (Self::Read, "the recipient looked at what it tells of"),
                (Self::Failed, "the provider says that it did not arrive"),
            ],
            Self::Delivered => &[(Self::Read, "the recipient looked at what it tells of")],
            Self::Failed => &[
                (Self::Delivered, "the provider says later that it did arrive"),
                (Self::Planned, "an operator has it tried again"),
            ],
            Self::Read | Self::Skipped => &[],
        }
    }
}

/// What to do with a planned notice now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// It is still true and useful.
    Send,
    /// Not before then, and why.
    Later(Timestamp, &'static str),
    /// It is not, and why.
    Skip(&'static str),
}

/// What a notice tells of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct Told {
    /// The appointment's version.
    pub version: i64,
    /// Its start in that version.
    pub starts_at: Timestamp,
    /// The end of the time that left a practitioner's agenda by a move to another one; none for every other notice.
    pub ends_at: Option<Timestamp>,
}

impl Told {
    /// Whether it tells a practitioner that the appointment is theirs no longer.
    pub const fn is_farewell(&self) -> bool {
        self.ends_at.is_some()
    }
}

/// How the appointment stands now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// Its state.
    pub status: Status,
    /// Its version.
    pub version: i64,
    /// Whether the recipient takes part.
    pub still_theirs: bool,
}

/// A notice of a visit at the moment of sending.
#[derive(Debug, Clone, Copy)]
pub struct Case<'a> {
    /// What it tells.
    pub kind: NoticeKind,
    /// By what way.
    pub channel: NoticeChannel,
    /// Which time it tells of.
    pub told: Told,
    /// Of a reminder: which.
    pub step: Option<Step>,
    /// How the visit stands.
    pub standing: Standing,
    /// How the recipient wants to be told.
    pub preferences: &'a Preferences,
    /// The zone of the visit's place.
    pub place: &'a Zone,
    /// When the recipient was last told of this time of this visit.
    pub told_at: Option<Timestamp>,
}

/// Decides again at the moment of sending, since much may have happened since the notice was planned: nothing is told
/// after the visit has begun, no reminder of a cancelled or moved visit, no confirmation of what no longer stands, no reminder
/// that was called off, that a nearer one makes needless, or of what was told a moment ago; and none at night.
pub fn decide(case: &Case<'_>, now: Timestamp) -> Decision {
    if let Some(why) = untrue(case.kind, &case.told, case.standing, now) {
        return Decision::Skip(why);
    }
    if case.kind == NoticeKind::Reminder {
        return decide_reminder(case, now);
    }
    hushed(case.kind, case.channel, case.preferences, case.place, Some(case.told.starts_at), now)
}

fn decide_reminder(case: &Case<'_>, now: Timestamp) -> Decision {
    let starts_at = case.told.starts_at;
    let steps = case.preferences.steps.as_slice();
    let step = case.step.unwrap_or(Step::DAY);
    if !steps.contains(&step) {
        return Decision::Skip("not wanted");
    }
    if steps.iter().any(|nearer| *nearer < step && starts_at - nearer.duration() <= now) {
        return Decision::Skip("a nearer reminder is due");
    }
    match case.told_at.map(|told_at| told_at + FRESH).filter(|fresh| *fresh > now) {
        Some(fresh) if fresh < starts_at => return Decision::Later(fresh, "told lately"),
        Some(_) => return Decision::Skip("told lately"),
        None => {}
    }
    hushed(case.kind, case.channel, case.preferences, case.place, Some(starts_at), now)
}

/// Whether it is night for a notice: for reminders on every channel, for the rest where it rings. What cannot wait for the
/// morning goes out at night, but no reminder.
pub fn hushed(
    kind: NoticeKind, channel: NoticeChannel, preferences: &Preferences, place: &Zone, starts_at: Option<Timestamp>,
    now: Timestamp,
) -> Decision {
    let zone = preferences.time_zone.as_ref().unwrap_or(place);
    let is_hushed = kind == NoticeKind::Reminder || channel.rings();
    let night = preferences.night.filter(|_| is_hushed).and_then(|night| night.at(zone, now));
    match night {
        Some(night) if starts_at.is_none_or(|start| night.end() + MARGIN <= start) => {
            Decision::Later(night.end(), "night")
        }
        Some(_) if kind == NoticeKind::Reminder => Decision::Skip("night"),
        _ => Decision::Send,
    }
}

/// Why what a notice tells is not so any more, if it is not.
pub fn untrue(kind: NoticeKind, told: &Told, current: Standing, now: Timestamp) -> Option<&'static str> {
    if now >= told.starts_at {
        return Some("begun");
    }
    if told.is_farewell() {
        return current.still_theirs.then_some("theirs again");
    }
    match (kind, current.status) {
        (NoticeKind::Cancellation, Status::Cancelled) => None,
        (NoticeKind::Cancellation, _) => Some("not cancelled"),
        (_, Status::Booked) if told.version == current.version => None,
        (_, Status::Booked) => Some("moved"),
        _ => Some("not booked"),
    }
}

/// Most notices of reminders, confirmations and documents to one person in one of their days: whatever goes wrong, nobody is
/// flooded. Changes and cancellations have [`MOST_OWED_A_DAY`].
pub const MOST_A_DAY: i64 = 20;
/// Most notices of changes and cancellations to one person in one of their days.
pub const MOST_OWED_A_DAY: i64 = 60;
/// Most notices of a kind to one practitioner in one day: they are of their own visits, and a broken loop ends here.
pub const MOST_TO_A_PRACTITIONER: i64 = 500;
/// A channel that takes nothing for so long, or half of the time that is left before the visit, makes way for the next one.
pub const AWAY: SignedDuration = SignedDuration::from_hours(3);
/// A message to a browser that was not looked at for so long is told by the next channel.
pub const UNREAD: SignedDuration = SignedDuration::from_hours(3);
/// A notice is tried until the visit begins, and no longer than this.
pub const NOTICE_GIVE_UP_AFTER: SignedDuration = SignedDuration::from_hours(30 * 24);
/// A letter takes this long: for a visit that is nearer none is planned.
pub const LETTER_TAKES: SignedDuration = SignedDuration::from_hours(3 * 24);

/// How long delivery is tried before an event is dead: 48 h, more than a weekend's outage begun on a Friday night
/// needs and than the 41 h of rdv-service-public.
pub const GIVE_UP_AFTER: SignedDuration = SignedDuration::from_hours(48);
const FIRST_PAUSE: SignedDuration = SignedDuration::from_secs(15);
const LONGEST_PAUSE: SignedDuration = SignedDuration::from_mins(60);

/// The pause before attempt number `attempts + 1`: doubled from 15 s to at most an hour, of which between half and all
/// is waited, as `jitter` in `0..=1000` says, so that what failed together does not come back together.
pub fn pause(attempts: u32, jitter: u16) -> SignedDuration {
    let doubled = FIRST_PAUSE.checked_mul(1_i32.checked_shl(attempts.saturating_sub(1).min(20)).unwrap_or(i32::MAX));
    let full = doubled.unwrap_or(LONGEST_PAUSE).min(LONGEST_PAUSE);
    let half = full / 2;
    half + half * i32::from(jitter.min(1000)) / 1000
}

/// The states and what leads from one to another, as a table in Markdown: what `docs/notices.md` shows.
pub fn state_table() -> String {
    let row = |state: NoticeState| {
        let next = state
            .next()
            .iter()
            .map(move |(next, when)| format!("| `{}` | `{}` | {when} |\n", state.name(), next.name()));
        let stays = state.next().is_empty().then(|| format!("| `{}` | | it stays so |\n", state.name()));
        next.chain(stays)
    };
    let rows: String = NoticeState::ALL.into_iter().flat_map(row).collect();
    format!("| state | becomes | when |\n| --- | --- | --- |\n{rows}")
}

#[cfg(test)]
mod tests;
