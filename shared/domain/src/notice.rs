//! Telling people: what is still worth telling when the moment of sending comes, and how long one tries.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::appointment::Status;

/// What a notice tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NoticeKind {
    /// An appointment was made.
    Confirmation,
    /// It was moved.
    Change,
    /// It was called off.
    Cancellation,
    /// It is near.
    Reminder,
}

impl NoticeKind {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::Confirmation, Self::Change, Self::Cancellation, Self::Reminder];

    /// The notice an event asks for.
    pub fn of_event(kind: &str) -> Option<Self> {
        Some(match kind {
            "appointment.booked.v1" => Self::Confirmation,
            "appointment.moved.v1" => Self::Change,
            "appointment.cancelled.v1" => Self::Cancellation,
            "reminder.due.v1" => Self::Reminder,
            _ => return None,
        })
    }

    /// As in the database and in the names of texts.
    pub fn name(self) -> &'static str {
        match self {
            Self::Confirmation => "confirmation",
            Self::Change => "change",
            Self::Cancellation => "cancellation",
            Self::Reminder => "reminder",
        }
    }
}

/// What to do with a planned notice now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// It is still true and useful.
    Send,
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

/// Decides again at the moment of sending, since much may have happened since the notice was planned: nothing is told
/// after the visit has begun, no reminder of a cancelled or moved visit, no confirmation of what no longer stands.
pub fn decide(kind: NoticeKind, told: &Told, current: Standing, now: Timestamp) -> Decision {
    if now >= told.starts_at {
        return Decision::Skip("begun");
    }
    if told.is_farewell() {
        return if current.still_theirs { Decision::Skip("theirs again") } else { Decision::Send };
    }
    match (kind, current.status) {
        (NoticeKind::Cancellation, Status::Cancelled) => Decision::Send,
        (NoticeKind::Cancellation, _) => Decision::Skip("not cancelled"),
        (_, Status::Booked) if told.version == current.version => Decision::Send,
        (_, Status::Booked) => Decision::Skip("moved"),
        _ => Decision::Skip("not booked"),
    }
}

/// Reminders go out this long before the start, in minutes.
pub const REMINDER_STEP_MINUTES: i64 = 24 * 60;
/// Who agreed on a time less than this ago, in minutes, needs no reminder of it yet.
pub const FRESH_MINUTES: i64 = 4 * 60;

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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn any_kind() -> impl Strategy<Value = NoticeKind> {
        prop::sample::select(NoticeKind::ALL.to_vec())
    }
    fn any_status() -> impl Strategy<Value = Status> {
        prop::sample::select(vec![Status::Held, Status::Booked, Status::Cancelled, Status::Expired])
    }

    proptest! {
        #[test]
        fn nothing_is_told_after_the_beginning_nor_of_what_does_not_stand(
            kind in any_kind(), status in any_status(), starts in 0_i64..1000, now in 0_i64..1000,
            told_version in 1_i64..4, version in 1_i64..4, still_theirs: bool, farewell: bool,
        ) {
            let at = |second| Timestamp::from_second(second).unwrap();
            let told = Told { version: told_version, starts_at: at(starts), ends_at: farewell.then(|| at(starts + 60)) };
            if decide(kind, &told, Standing { status, version, still_theirs }, at(now)) == Decision::Send {
                prop_assert!(now < starts);
                if farewell {
                    prop_assert!(!still_theirs);
                } else if kind == NoticeKind::Cancellation {
                    prop_assert_eq!(status, Status::Cancelled);
                } else {
                    prop_assert_eq!(status, Status::Booked);
                    prop_assert_eq!(told_version, version);
                }
            }
        }

        #[test]
        fn pauses_grow_and_stay_in_bounds(attempts in 0_u32..200, jitter in 0_u16..=1000) {
            let wait = pause(attempts, jitter);
            prop_assert!(wait >= FIRST_PAUSE / 2 && wait <= LONGEST_PAUSE);
        }
    }

    #[test]
    fn delivery_is_tried_for_at_least_41_hours() {
        let (mut waited, mut attempts) = (SignedDuration::ZERO, 0);
        while waited < GIVE_UP_AFTER {
            attempts += 1;
            waited += pause(attempts, 1000);
        }
        assert!(waited >= SignedDuration::from_hours(41));
        assert!((30..200).contains(&attempts), "{attempts} attempts");
    }
}
