//! `date=ge…&date=le…`, as FHIR searches by dates (prefix, then a day or an instant).

use domain::{Date, SignedDuration, Timestamp};
use runtime::{Kind, Problem};
use serde::Deserialize;

/// Longest stretch of one export, in days.
const MAX_DAYS: i64 = 92;

/// A bound on one side; both are included once read.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(try_from = "String")]
pub(crate) enum Bound {
    From(Timestamp),
    Until(Timestamp),
}

impl TryFrom<String> for Bound {
    type Error = &'static str;
    fn try_from(text: String) -> Result<Self, &'static str> {
        let (prefix, value) = text.split_at_checked(2).ok_or("date-bound")?;
        let (begin, end) = span(value).ok_or("date-bound")?;
        let beside =
            |at: Timestamp, micros| at.checked_add(SignedDuration::from_micros(micros)).map_err(|_| "date-bound");
        Ok(match prefix {
            "ge" => Self::From(begin),
            "gt" => Self::From(beside(end, 1)?),
            "le" => Self::Until(end),
            "lt" => Self::Until(beside(begin, -1)?),
            _ => return Err("date-bound"),
        })
    }
}

/// First and last microsecond of a day in UTC; an instant is both.
fn span(value: &str) -> Option<(Timestamp, Timestamp)> {
    if let Ok(at) = value.parse::<Timestamp>() {
        return within(at).then_some((at, at));
    }
    let day: Date = value.parse().ok().filter(|_| value.len() == 10)?;
    let begin: Timestamp = format!("{day}T00:00:00Z").parse().ok()?;
    let end = begin + SignedDuration::from_hours(24) - SignedDuration::from_micros(1);
    within(begin).then_some((begin, end))
}

/// Years that every format on the way can hold.
fn within(at: Timestamp) -> bool {
    let years = "2000-01-01T00:00:00Z".parse::<Timestamp>().ok().zip("2200-01-01T00:00:00Z".parse::<Timestamp>().ok());
    years.is_some_and(|(first, last)| (first..last).contains(&at))
}

/// Both bounds.
pub(crate) fn window(bounds: &[Bound]) -> Result<(Timestamp, Timestamp), Problem> {
    let (from, until) = match bounds {
        [Bound::From(from), Bound::Until(until)] | [Bound::Until(until), Bound::From(from)] => (*from, *until),
        _ => return Err(Problem::new(Kind::FieldInvalid).field("date").hint("date-bound")),
    };
    if from > until {
        return Err(Problem::new(Kind::RangeReversed).field("date"));
    }
    if until.duration_since(from) > SignedDuration::from_hours(24 * MAX_DAYS) {
        return Err(Problem::new(Kind::RangeTooLong).field("date").with("max_days", MAX_DAYS));
    }
    Ok((from, until))
}
