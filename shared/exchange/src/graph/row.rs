//! One row as Graph has it, and the item it is. What is not known here is passed over: Graph adds properties as it likes.

use domain::Timestamp;
use domain::sync::{Face, Item, RemoteId, Shown, Version, text_digest};
use jiff::civil::{DateTime, Time};
use serde::Deserialize;
use serde_json::Value;

use crate::{TAG_NAME, TAG_SET, time_zones};

/// What is asked for where it can be chosen: nothing of who comes, nor what it is about.
pub(super) const SELECT: &str = "id,changeKey,type,seriesMasterId,start,end,isAllDay,showAs,sensitivity,isCancelled,\
                                 subject,location,originalStartTimeZone";

/// The number of the named property that our tag is.
pub(super) fn tag_property() -> String {
    format!("String {{{TAG_SET}}} Name {TAG_NAME}")
}

/// One row.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Row {
    pub(super) id: String,
    #[serde(rename = "@odata.etag")]
    etag: Option<String>,
    change_key: Option<String>,
    #[serde(rename = "@removed")]
    pub(super) removed: Option<Value>,
    #[serde(rename = "type")]
    kind: Option<String>,
    series_master_id: Option<String>,
    start: Option<Clock>,
    end: Option<Clock>,
    is_all_day: Option<bool>,
    show_as: Option<String>,
    sensitivity: Option<String>,
    is_cancelled: Option<bool>,
    subject: Option<String>,
    location: Option<Location>,
    original_start_time_zone: Option<String>,
    single_value_extended_properties: Option<Vec<Property>>,
}

/// What a clock shows in a zone.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Clock {
    date_time: String,
    time_zone: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Location {
    display_name: Option<String>,
}

#[derive(Deserialize)]
struct Property {
    id: String,
    value: Option<String>,
}

/// Why a row is no item.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unfit {
    /// It says too little, as rows of changes do.
    Thin,
    /// It says what is not understood.
    Strange(&'static str),
}

impl Clock {
    pub(super) fn instant(&self) -> Option<Timestamp> {
        time_zones::read(&self.date_time, self.time_zone.as_deref().unwrap_or(time_zones::UTC)).and_then(whole)
    }

    fn midnight(&self) -> Option<DateTime> {
        let civil: DateTime = self.date_time.parse().ok()?;
        (civil.time() == Time::midnight()).then_some(civil)
    }
}

/// Fractions of a second are not ours, and not everybody keeps them.
fn whole(at: Timestamp) -> Option<Timestamp> {
    Timestamp::from_second(at.as_second()).ok()
}

impl Row {
    /// The series of which this row tells: its own, or the one it is of.
    pub(super) fn series(&self) -> Option<&str> {
        match self.kind.as_deref() {
            Some("seriesMaster") => Some(&self.id),
            _ => self.series_master_id.as_deref(),
        }
    }

    /// The item it is. Whole days of no zone are days in `zone`.
    pub(super) fn item(&self, zone: &str) -> Result<Item, Unfit> {
        let version = match (&self.etag, &self.change_key) {
            (Some(etag), _) => etag.clone(),
            (None, Some(key)) => format!("W/\"{key}\""),
            (None, None) => return Err(Unfit::Thin),
        };
        let (starts_at, ends_at) = self.during(zone)?;
        let location = self.location.as_ref().and_then(|place| place.display_name.as_deref()).unwrap_or_default();
        let face = Face {
            starts_at,
            ends_at,
            shown: shown(self.show_as.as_deref().ok_or(Unfit::Thin)?)?,
            private: matches!(self.sensitivity.as_deref().ok_or(Unfit::Thin)?, "private" | "confidential"),
            text: text_digest(self.subject.as_deref().unwrap_or_default(), location),
        };
        Ok(Item {
            id: RemoteId(self.id.clone()),
            version: Version(version),
            series: self.series_master_id.clone().map(RemoteId),
            face,
            cancelled: self.is_cancelled.unwrap_or(false),
            tag: self.tag(),
        })
    }

    pub(super) fn tag(&self) -> Option<domain::sync::Tag> {
        let wanted = tag_property();
        let all = self.single_value_extended_properties.as_ref()?;
        all.iter().find(|one| one.id.eq_ignore_ascii_case(&wanted))?.value.as_deref()?.parse().ok()
    }

    fn during(&self, zone: &str) -> Result<(Timestamp, Timestamp), Unfit> {
        let (start, end) = (self.start.as_ref().ok_or(Unfit::Thin)?, self.end.as_ref().ok_or(Unfit::Thin)?);
        let all_day = self.is_all_day.ok_or(Unfit::Thin)?;
        let (starts_at, ends_at) = match (start.midnight(), end.midnight()) {
            // Whole days come from midnight to midnight whatever zone is asked for
            // (<https://github.com/microsoftgraph/microsoft-graph-docs/issues/1802>); they are days where they were entered.
            (Some(from), Some(to)) if all_day => {
                let entered = self.original_start_time_zone.as_deref().and_then(time_zones::zone);
                let there = entered.filter(|zone| *zone != jiff::tz::TimeZone::UTC).or_else(|| time_zones::zone(zone));
                let there = there.unwrap_or(jiff::tz::TimeZone::UTC);
                (time_zones::instant(from, &there), time_zones::instant(to, &there))
            }
            _ => (start.instant(), end.instant()),
        };
        let starts_at = starts_at.ok_or(Unfit::Strange("its beginning is no time"))?;
        let ends_at = ends_at.ok_or(Unfit::Strange("its end is no time"))?;
        if starts_at > ends_at { Err(Unfit::Strange("it ends before it begins")) } else { Ok((starts_at, ends_at)) }
    }
}

/// How a time is shown, as `freeBusyStatus` has it.
pub(super) fn shown(text: &str) -> Result<Shown, Unfit> {
    match text {
        "free" | "unknown" => Ok(Shown::Free),
        "tentative" => Ok(Shown::Tentative),
        "busy" => Ok(Shown::Busy),
        "oof" => Ok(Shown::Away),
        "workingElsewhere" => Ok(Shown::Elsewhere),
        _ => Err(Unfit::Strange("shown as something new")),
    }
}
