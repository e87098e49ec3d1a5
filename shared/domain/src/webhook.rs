//! Events for programs of partners: which there are, and when one is tried again.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// Most addresses of one establishment.
pub const MOST: i64 = 10;
/// How long an event is tried, or waits for its address to be opened again.
pub const LIFE: SignedDuration = SignedDuration::from_hours(3 * 24);
/// How long a former secret signs beside the new one.
pub const ROTATION: SignedDuration = SignedDuration::from_hours(24);
/// Most former secrets that sign at once.
pub const MOST_FORMER: i64 = 4;
/// An address whose last answer took longer gets one try at a time.
pub const SLOW: SignedDuration = SignedDuration::from_secs(2);
/// An address that took nothing for so long is paused…
pub const FAILING: SignedDuration = SignedDuration::from_hours(24);
/// …once that many tries have failed in a row: of an address that is hardly used, a bad day says little.
pub const FAILURES: i64 = 20;
/// Most deliveries that one replay by time sends again.
pub const MOST_REPLAYED: i64 = 10_000;

const FIRST_PAUSE: SignedDuration = SignedDuration::from_secs(5);
const LONGEST_PAUSE: SignedDuration = SignedDuration::from_hours(8);

/// What a partner may be told of. Each carries ids only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum WebhookEvent {
    /// A visit was agreed on.
    #[serde(rename = "appointment.booked.v1")]
    AppointmentBooked,
    /// It has another time, practitioner or place.
    #[serde(rename = "appointment.moved.v1")]
    AppointmentMoved,
    /// It was called off.
    #[serde(rename = "appointment.cancelled.v1")]
    AppointmentCancelled,
    /// A document can be read.
    #[serde(rename = "document.available.v1")]
    DocumentAvailable,
}

impl WebhookEvent {
    /// Every one of them.
    pub const ALL: &'static [Self] =
        &[Self::AppointmentBooked, Self::AppointmentMoved, Self::AppointmentCancelled, Self::DocumentAvailable];

    /// As in the outbox and on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::AppointmentBooked => "appointment.booked.v1",
            Self::AppointmentMoved => "appointment.moved.v1",
            Self::AppointmentCancelled => "appointment.cancelled.v1",
            Self::DocumentAvailable => "document.available.v1",
        }
    }
}

/// How long to wait after so many tries: twice as long each time, a quarter of it left to chance (`jitter`, of 1000), so that
/// what failed at once does not come back at once.
pub fn pause(attempts: u32, jitter: u16) -> SignedDuration {
    let full = FIRST_PAUSE.checked_mul(1 << attempts.saturating_sub(1).min(20)).unwrap_or(LONGEST_PAUSE);
    let quarter = full.min(LONGEST_PAUSE) / 4;
    quarter * 3 + quarter * i32::from(jitter.min(1000)) / 1000
}

/// When to try again what was tried so often; not at all once its time is over. The last try is made at its very end.
pub fn next_attempt(attempts: u32, now: Timestamp, expires_at: Timestamp, jitter: u16) -> Option<Timestamp> {
    (now < expires_at).then(|| (now + pause(attempts, jitter)).min(expires_at))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn pauses_double_and_stay_in_bounds(attempts in 1_u32..200, jitter in 0_u16..=1000) {
            let wait = pause(attempts, jitter);
            prop_assert!(wait >= FIRST_PAUSE * 3 / 4 && wait <= LONGEST_PAUSE);
            prop_assert!(pause(attempts, 1000) <= pause(attempts + 1, 1000));
            if attempts < 10 {
                prop_assert!(pause(attempts + 1, 0) > pause(attempts, 1000));
            }
        }

        #[test]
        fn an_event_is_tried_for_all_of_its_time_and_no_longer(jitter in 0_u16..=1000) {
            let planned: Timestamp = "2026-03-02T08:00:00Z".parse().unwrap();
            let (mut now, mut attempts, expires_at) = (planned, 1, planned + LIFE);
            while let Some(next) = next_attempt(attempts, now, expires_at, jitter) {
                prop_assert!(next > now && next <= expires_at);
                (now, attempts) = (next, attempts + 1);
            }
            prop_assert_eq!(now, expires_at);
            prop_assert!((18..40).contains(&attempts), "{} attempts", attempts);
        }
    }

    #[test]
    fn names_are_those_of_the_wire() {
        for event in WebhookEvent::ALL {
            assert_eq!(serde_json::to_value(event).unwrap(), event.name());
        }
    }
}
