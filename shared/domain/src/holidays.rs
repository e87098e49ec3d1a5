//! French public holidays by territory, computed and not downloaded.
//!
//! Law: Code du travail, art. L3133-1 (the eleven national days), L3134-13 (Alsace-Moselle) and
//! L3422-2 (abolition of slavery overseas). Zones and dates follow
//! `etalab/jours-feries-france-data`. Days that only a local assembly adds (New Caledonia's
//! 24 September, for example) are not in that source: a practice adds them as closed exceptions.

use std::{fmt, str::FromStr};

use jiff::{
    ToSpan as _,
    civil::{Date, date},
};
use serde::{Deserialize, Serialize};

/// The list of public holidays a site observes, named as etalab's zones, plus `none`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs, reason = "the variants are proper names of territories")]
pub enum HolidayCalendar {
    Metropole,
    AlsaceMoselle,
    Guadeloupe,
    Guyane,
    LaReunion,
    Martinique,
    Mayotte,
    NouvelleCaledonie,
    PolynesieFrancaise,
    SaintBarthelemy,
    SaintMartin,
    SaintPierreEtMiquelon,
    WallisEtFutuna,
    /// Observes no public holiday.
    None,
}

/// A public holiday.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs, reason = "the labels say it")]
pub enum Holiday {
    NewYear,
    GoodFriday,
    EasterMonday,
    LabourDay,
    VictoryDay,
    Ascension,
    WhitMonday,
    BastilleDay,
    Assumption,
    AllSaints,
    Armistice,
    Christmas,
    SaintStephen,
    AbolitionOfSlavery,
}

impl Holiday {
    /// French name, as in the Code du travail and etalab's data.
    pub const fn label_fr(self) -> &'static str {
        match self {
            Self::NewYear => "1er janvier",
            Self::GoodFriday => "Vendredi saint",
            Self::EasterMonday => "Lundi de Pâques",
            Self::LabourDay => "1er mai",
            Self::VictoryDay => "8 mai",
            Self::Ascension => "Ascension",
            Self::WhitMonday => "Lundi de Pentecôte",
            Self::BastilleDay => "14 juillet",
            Self::Assumption => "Assomption",
            Self::AllSaints => "Toussaint",
            Self::Armistice => "11 novembre",
            Self::Christmas => "Jour de Noël",
            Self::SaintStephen => "2ème jour de Noël",
            Self::AbolitionOfSlavery => "Abolition de l'esclavage",
        }
    }

    /// English name.
    pub const fn label_en(self) -> &'static str {
        match self {
            Self::NewYear => "New Year's Day",
            Self::GoodFriday => "Good Friday",
            Self::EasterMonday => "Easter Monday",
            Self::LabourDay => "Labour Day",
            Self::VictoryDay => "Victory Day (1945)",
            Self::Ascension => "Ascension Day",
            Self::WhitMonday => "Whit Monday",
            Self::BastilleDay => "Bastille Day",
            Self::Assumption => "Assumption Day",
            Self::AllSaints => "All Saints' Day",
            Self::Armistice => "Armistice Day (1918)",
            Self::Christmas => "Christmas Day",
            Self::SaintStephen => "Saint Stephen's Day",
            Self::AbolitionOfSlavery => "Abolition of Slavery Day",
        }
    }
}

/// The name is not one of the holiday calendars.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown holiday calendar {0:?}")]
pub struct UnknownHolidayCalendar(String);

impl HolidayCalendar {
    /// Every calendar, with the name it has in documents and in etalab's data.
    pub const ALL: [(Self, &'static str); 14] = [
        (Self::Metropole, "metropole"),
        (Self::AlsaceMoselle, "alsace-moselle"),
        (Self::Guadeloupe, "guadeloupe"),
        (Self::Guyane, "guyane"),
        (Self::LaReunion, "la-reunion"),
        (Self::Martinique, "martinique"),
        (Self::Mayotte, "mayotte"),
        (Self::NouvelleCaledonie, "nouvelle-caledonie"),
        (Self::PolynesieFrancaise, "polynesie-francaise"),
        (Self::SaintBarthelemy, "saint-barthelemy"),
        (Self::SaintMartin, "saint-martin"),
        (Self::SaintPierreEtMiquelon, "saint-pierre-et-miquelon"),
        (Self::WallisEtFutuna, "wallis-et-futuna"),
        (Self::None, "none"),
    ];

    /// The holiday that falls on `day`, if any. Where two fall together (1 May 2008 was also
    /// Ascension) the movable one is named, as in etalab's data.
    pub fn is_holiday(self, day: Date) -> Option<Holiday> {
        if self == Self::None {
            return None;
        }
        self.movable(day).or_else(|| fixed(day)).or_else(|| self.local(day))
    }

    /// Every holiday of a year, in date order; empty outside years -9999 to 9999.
    pub fn in_year(self, year: i16) -> Vec<(Date, Holiday)> {
        let Ok(first) = Date::new(year, 1, 1) else {
            return Vec::new();
        };
        first
            .series(1.day())
            .take_while(|day| day.year() == year)
            .filter_map(|day| Some((day, self.is_holiday(day)?)))
            .collect()
    }

    fn movable(self, day: Date) -> Option<Holiday> {
        let since_easter = i32::from(day.day_of_year()) - i32::from(easter(day.year()).day_of_year());
        match since_easter {
            -2 if self == Self::AlsaceMoselle => Some(Holiday::GoodFriday),
            1 => Some(Holiday::EasterMonday),
            39 => Some(Holiday::Ascension),
            50 => Some(Holiday::WhitMonday),
            _ => None,
        }
    }

    fn local(self, day: Date) -> Option<Holiday> {
        // Saint-Martin kept Guadeloupe's 27 May until 2017.
        let abolition = match self {
            Self::Mayotte => (4, 27),
            Self::Martinique => (5, 22),
            Self::SaintMartin if day.year() >= 2018 => (5, 28),
            Self::Guadeloupe | Self::SaintMartin => (5, 27),
            Self::Guyane => (6, 10),
            Self::SaintBarthelemy => (10, 9),
            Self::LaReunion => (12, 20),
            Self::AlsaceMoselle if (day.month(), day.day()) == (12, 26) => {
                return Some(Holiday::SaintStephen);
            }
            _ => return None,
        };
        ((day.month(), day.day()) == abolition).then_some(Holiday::AbolitionOfSlavery)
    }

    /// The calendar observed at a French postal code; `Metropole` for anything unrecognised.
    /// 970 (cedex) is read as Guadeloupe; 977 and 978 are the INSEE numbers of Saint-Barthélemy
    /// and Saint-Martin.
    pub fn of_postal_code(postal_code: &str) -> Self {
        territory(postal_code).0
    }
}

/// The IANA time zone at a French postal code; `Europe/Paris` for anything unrecognised. French
/// Polynesia has three zones and this answers Tahiti's: a practice in the Marquesas or the
/// Gambiers sets its own.
pub fn time_zone_of_postal_code(postal_code: &str) -> &'static str {
    territory(postal_code).1
}

fn territory(postal_code: &str) -> (HolidayCalendar, &'static str) {
    use HolidayCalendar as C;
    let code = postal_code.trim().as_bytes();
    match code {
        b"97150" | [b'9', b'7', b'8', ..] => (C::SaintMartin, "America/Marigot"),
        b"97133" | [b'9', b'7', b'7', ..] => (C::SaintBarthelemy, "America/St_Barthelemy"),
        [b'9', b'7', b'0' | b'1', ..] => (C::Guadeloupe, "America/Guadeloupe"),
        [b'9', b'7', b'2', ..] => (C::Martinique, "America/Martinique"),
        [b'9', b'7', b'3', ..] => (C::Guyane, "America/Cayenne"),
        [b'9', b'7', b'4', ..] => (C::LaReunion, "Indian/Reunion"),
        [b'9', b'7', b'5', ..] => (C::SaintPierreEtMiquelon, "America/Miquelon"),
        [b'9', b'7', b'6', ..] => (C::Mayotte, "Indian/Mayotte"),
        [b'9', b'8', b'6', ..] => (C::WallisEtFutuna, "Pacific/Wallis"),
        [b'9', b'8', b'7', ..] => (C::PolynesieFrancaise, "Pacific/Tahiti"),
        [b'9', b'8', b'8', ..] => (C::NouvelleCaledonie, "Pacific/Noumea"),
        [b'5', b'7', ..] | [b'6', b'7' | b'8', ..] => (C::AlsaceMoselle, "Europe/Paris"),
        _ => (C::Metropole, "Europe/Paris"),
    }
}

fn fixed(day: Date) -> Option<Holiday> {
    match (day.month(), day.day()) {
        (1, 1) => Some(Holiday::NewYear),
        (5, 1) => Some(Holiday::LabourDay),
        (5, 8) => Some(Holiday::VictoryDay),
        (7, 14) => Some(Holiday::BastilleDay),
        (8, 15) => Some(Holiday::Assumption),
        (11, 1) => Some(Holiday::AllSaints),
        (11, 11) => Some(Holiday::Armistice),
        (12, 25) => Some(Holiday::Christmas),
        _ => None,
    }
}

/// Easter Sunday in the Gregorian calendar, by the anonymous algorithm (Nature, 20 April 1876;
/// J. Meeus, *Astronomical Algorithms*, ch. 8). Years before 1583 are proleptic.
pub fn easter(year: i16) -> Date {
    let y = i32::from(year);
    let golden = y.rem_euclid(19);
    let (century, of_century) = (y.div_euclid(100), y.rem_euclid(100));
    let moon_correction = (century - (century + 8).div_euclid(25) + 1).div_euclid(3);
    let epact = (19 * golden + century - century.div_euclid(4) - moon_correction + 15).rem_euclid(30);
    let weekday = (32 + 2 * century.rem_euclid(4) + 2 * (of_century / 4) - epact - of_century % 4).rem_euclid(7);
    let late = (golden + 11 * epact + 22 * weekday) / 451;
    let n = epact + weekday - 7 * late + 114;
    // n / 31 is 3 or 4 and n % 31 at most 30, so this always fits; the fallback is never taken.
    let (month, day) = (i8::try_from(n / 31), i8::try_from(n % 31 + 1));
    Date::new(year, month.unwrap_or(4), day.unwrap_or(1)).unwrap_or(date(0, 4, 1))
}

impl fmt::Display for HolidayCalendar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Self::ALL.iter().find(|(calendar, _)| calendar == self);
        f.write_str(name.map_or("none", |(_, name)| name))
    }
}

impl FromStr for HolidayCalendar {
    type Err = UnknownHolidayCalendar;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.iter().find(|(_, name)| *name == text);
        found.map(|(calendar, _)| *calendar).ok_or_else(|| UnknownHolidayCalendar(text.chars().take(64).collect()))
    }
}

#[cfg(test)]
mod tests;
