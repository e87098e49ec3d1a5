use std::{collections::BTreeMap, path::PathBuf};

use proptest::prelude::*;

use super::*;
use crate::zone::Zone;

fn oracle(calendar: HolidayCalendar) -> Option<BTreeMap<Date, String>> {
    let folder = std::env::var_os("CARNET_HOLIDAY_ORACLES").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/oracles/holidays")),
        PathBuf::from,
    );
    let text = std::fs::read_to_string(folder.join(format!("{calendar}.json"))).ok()?;
    Some(serde_json::from_str(&text).unwrap())
}

#[test]
fn every_year_of_etalab_agrees_both_ways() {
    for calendar in [HolidayCalendar::Metropole, HolidayCalendar::AlsaceMoselle] {
        let Some(expected) = oracle(calendar) else {
            println!("{calendar}: no oracle here, nothing checked");
            continue;
        };
        let (first, last) = (expected.keys().next().unwrap(), expected.keys().last().unwrap());
        let computed: BTreeMap<Date, String> = (first.year()..=last.year())
            .flat_map(|year| calendar.in_year(year))
            .map(|(day, holiday)| (day, holiday.label_fr().to_owned()))
            .collect();
        assert_eq!(computed, expected);
        println!("{calendar}: {} days, {first} to {last}, agree", expected.len());
    }
}

#[test]
fn each_territory_has_its_day_of_abolition() {
    use HolidayCalendar as C;
    let days = [
        (C::Mayotte, date(2026, 4, 27)),
        (C::Martinique, date(2026, 5, 22)),
        (C::Guadeloupe, date(2026, 5, 27)),
        (C::SaintMartin, date(2026, 5, 28)),
        (C::SaintMartin, date(2017, 5, 27)),
        (C::Guyane, date(2026, 6, 10)),
        (C::SaintBarthelemy, date(2026, 10, 9)),
        (C::LaReunion, date(2026, 12, 20)),
    ];
    for (calendar, day) in days {
        assert_eq!(calendar.is_holiday(day), Some(Holiday::AbolitionOfSlavery), "{calendar}");
        assert_eq!(C::Metropole.is_holiday(day), None, "{day}");
        assert_eq!(calendar.in_year(day.year()).len(), 12, "{calendar}");
    }
    for calendar in [C::NouvelleCaledonie, C::PolynesieFrancaise, C::WallisEtFutuna, C::SaintPierreEtMiquelon] {
        assert_eq!(calendar.in_year(2026), C::Metropole.in_year(2026));
    }
    assert!(C::None.in_year(2026).is_empty());
}

#[test]
fn known_easters() {
    for day in [
        date(1818, 3, 22),
        date(1943, 4, 25),
        date(2000, 4, 23),
        date(2026, 4, 5),
        date(2027, 3, 28),
        date(2038, 4, 25),
        date(2049, 4, 18),
    ] {
        assert_eq!(easter(day.year()), day);
    }
    for year in i16::MIN..=i16::MAX {
        let day = easter(year);
        assert!((3..=4).contains(&day.month()));
        if (-9999..=9999).contains(&year) {
            assert_eq!(day.weekday(), jiff::civil::Weekday::Sunday, "{year}");
        }
    }
}

#[test]
fn names_round_trip_in_text_and_in_json() {
    for (calendar, name) in HolidayCalendar::ALL {
        assert_eq!(calendar.to_string(), name);
        assert_eq!(name.parse(), Ok(calendar));
        assert_eq!(serde_json::to_string(&calendar).unwrap(), format!("{name:?}"));
        assert_eq!(serde_json::from_str::<HolidayCalendar>(&format!("{name:?}")).unwrap(), calendar);
    }
    assert!("Metropole".parse::<HolidayCalendar>().is_err());
}

#[test]
fn a_postal_code_gives_its_calendar_and_its_zone() {
    use HolidayCalendar as C;
    for (code, calendar, zone) in [
        ("75001", C::Metropole, "Europe/Paris"),
        ("20200", C::Metropole, "Europe/Paris"),
        ("57000", C::AlsaceMoselle, "Europe/Paris"),
        ("67000", C::AlsaceMoselle, "Europe/Paris"),
        ("68100", C::AlsaceMoselle, "Europe/Paris"),
        ("97110", C::Guadeloupe, "America/Guadeloupe"),
        ("97150", C::SaintMartin, "America/Marigot"),
        ("97133", C::SaintBarthelemy, "America/St_Barthelemy"),
        ("97200", C::Martinique, "America/Martinique"),
        ("97300", C::Guyane, "America/Cayenne"),
        ("97400", C::LaReunion, "Indian/Reunion"),
        ("97500", C::SaintPierreEtMiquelon, "America/Miquelon"),
        ("97600", C::Mayotte, "Indian/Mayotte"),
        ("98600", C::WallisEtFutuna, "Pacific/Wallis"),
        ("98714", C::PolynesieFrancaise, "Pacific/Tahiti"),
        (" 98800 ", C::NouvelleCaledonie, "Pacific/Noumea"),
        ("", C::Metropole, "Europe/Paris"),
        ("é", C::Metropole, "Europe/Paris"),
    ] {
        assert_eq!(C::of_postal_code(code), calendar, "{code}");
        assert_eq!(time_zone_of_postal_code(code), zone, "{code}");
        assert_eq!(zone.parse::<Zone>().unwrap().name(), zone);
    }
}

proptest! {
    #[test]
    fn a_year_lists_exactly_the_days_that_are_holidays(year in -9999_i16..=9999) {
        for (calendar, _) in HolidayCalendar::ALL {
            let listed = calendar.in_year(year);
            prop_assert!(listed.len() <= 13);
            prop_assert!(listed.windows(2).all(|pair| pair[0].0 < pair[1].0));
        }
    }
}
