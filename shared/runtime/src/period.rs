//! A period in a query string: `from` and `to`, each a local day or an instant.

use domain::Timestamp;
use domain::availability::{Bound, NotADate, SearchError};
use domain::zone::Zone;
use serde::Deserialize;

use crate::Problem;

/// A local day or an instant.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(try_from = "String")]
pub struct When(Bound);

impl TryFrom<String> for When {
    type Error = NotADate;
    fn try_from(text: String) -> Result<Self, NotADate> {
        text.parse().map(Self)
    }
}

/// The instants of both bounds, where they are given: from the beginning of a day, to the end of one.
///
/// # Errors
/// `range-reversed`, `beyond-horizon`.
pub fn period(
    from: Option<When>, to: Option<When>, zone: &Zone,
) -> Result<(Option<Timestamp>, Option<Timestamp>), Problem> {
    let beyond = |field| Problem::from(SearchError::BeyondHorizon { field });
    let first = from.map(|when| when.0.first_instant(zone).ok_or_else(|| beyond("from"))).transpose()?;
    let last = to.map(|when| when.0.last_instant(zone).ok_or_else(|| beyond("to"))).transpose()?;
    if from.zip(to).is_some_and(|(from, to)| from.0.is_after(to.0, zone)) {
        return Err(SearchError::Reversed.into());
    }
    Ok((first, last))
}
