//! Days on which no generated appointment lies: every public holiday of every French zone, since leaving a day free that
//! is worked somewhere harms no measure.

/// Month and day of the fixed ones, abolition days and the second day of Christmas in Alsace-Moselle included.
const FIXED: [&str; 17] = [
    "01-01", "04-27", "05-01", "05-08", "05-22", "05-27", "05-28", "06-10", "07-14", "08-15", "10-09", "11-01",
    "11-11", "12-20", "12-25", "12-26", "12-31",
];

/// ISO dates from the year before `now` to the year after.
pub(super) fn closed_dates(now: &str) -> Result<Vec<String>, sqlx::Error> {
    let year: u32 = now
        .get(..4)
        .and_then(|digits| digits.parse().ok())
        .ok_or_else(|| sqlx::Error::Configuration(format!("now is no RFC 3339 instant: {now}").into()))?;
    Ok((year - 1..=year + 1)
        .flat_map(|year| {
            let fixed = FIXED.iter().map(move |day| format!("{year}-{day}"));
            // Good Friday, Easter Monday, Ascension, Whit Monday.
            let easter = easter_day_of_march(year);
            fixed.chain([-2_i32, 1, 39, 50].map(|offset| march_day(year, easter.saturating_add_signed(offset))))
        })
        .collect())
}

/// Easter as a day counted on from 1 March: 32 is 1 April. (The anonymous Gregorian computus.)
fn easter_day_of_march(year: u32) -> u32 {
    let (golden, century, rest) = (year % 19, year / 100, year % 100);
    let epact = (19 * golden + century - century / 4 - (century - (century + 8) / 25 + 1) / 3 + 15) % 30;
    let weekday = (32 + 2 * (century % 4) + 2 * (rest / 4) - epact - rest % 4) % 7;
    let correction = (golden + 11 * epact + 22 * weekday) / 451;
    epact + weekday + 22 - 7 * correction
}

fn march_day(year: u32, day: u32) -> String {
    let mut day = day;
    for (month, length) in [(3, 31), (4, 30), (5, 31)] {
        if day <= length {
            return format!("{year}-{month:02}-{day:02}");
        }
        day -= length;
    }
    format!("{year}-06-{day:02}")
}

#[cfg(test)]
mod tests {
    use super::closed_dates;

    #[test]
    fn the_moving_holidays_are_those_of_the_calendar() {
        let days = closed_dates("2026-11-22T08:00:00Z").unwrap();
        for day in [
            "2026-04-03",
            "2026-04-06",
            "2026-05-14",
            "2026-05-25",
            "2027-03-26",
            "2027-03-29",
            "2027-05-06",
            "2027-05-17",
        ] {
            assert!(days.iter().any(|it| it == day), "{day} is missing");
        }
    }
}
