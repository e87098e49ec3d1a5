//! When a function runs by itself: one cron expression of its manifest, in UTC, told to each platform in its own words.

/// A schedule that a platform cannot be told.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is no schedule that EventBridge knows")]
pub struct ScheduleError(String);

/// Names of days as EventBridge has them; cron counts Sunday as 0, EventBridge as 1.
const DAYS: [&str; 8] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN"];

/// The same instants as an expression of AWS `EventBridge` Scheduler: six fields, of which one of the two for days is `?`.
///
/// # Errors
/// When there are not five fields, or both kinds of days are limited, which EventBridge cannot say.
pub fn eventbridge(cron: &str) -> Result<String, ScheduleError> {
    let unknown = || ScheduleError(cron.to_owned());
    let fields: Vec<&str> = cron.split_whitespace().collect();
    let [minute, hour, day, month, weekday] = fields[..] else { return Err(unknown()) };
    let (day, weekday) = match (day, weekday) {
        (day, "*") => (from_first(day, 1), "?".to_owned()),
        ("*", weekday) => ("?".to_owned(), weekdays(weekday).ok_or_else(unknown)?),
        _ => return Err(unknown()),
    };
    Ok(format!("cron({} {} {day} {} {weekday} *)", from_first(minute, 0), from_first(hour, 0), from_first(month, 1)))
}

/// `*/10` begins with the first value there is.
fn from_first(field: &str, first: u8) -> String {
    field.strip_prefix("*/").map_or_else(|| field.to_owned(), |step| format!("{first}/{step}"))
}

fn weekdays(field: &str) -> Option<String> {
    let day = |text: &str| match text.parse::<usize>() {
        Ok(number) => DAYS.get(number).map(|name| (*name).to_owned()),
        Err(_) => DAYS.iter().find(|name| name.eq_ignore_ascii_case(text)).map(|name| (*name).to_owned()),
    };
    let part = |part: &str| match part.split_once('-') {
        Some((from, to)) => Some(format!("{}-{}", day(from)?, day(to)?)),
        None => day(part),
    };
    let parts: Option<Vec<String>> = field.split(',').map(part).collect();
    Some(parts?.join(","))
}

#[cfg(test)]
mod tests {
    use super::eventbridge;

    #[test]
    fn a_cron_expression_becomes_one_of_eventbridge() {
        for (cron, wanted) in [
            ("* * * * *", "cron(* * * * ? *)"),
            ("*/10 * * * *", "cron(0/10 * * * ? *)"),
            ("7 */2 * * *", "cron(7 0/2 * * ? *)"),
            ("0 3 1 */3 *", "cron(0 3 1 1/3 ? *)"),
            ("30 6 * * 1-5", "cron(30 6 ? * MON-FRI *)"),
            ("0 8 * * 0,sat", "cron(0 8 ? * SUN,SAT *)"),
            ("0 8 * * 7", "cron(0 8 ? * SUN *)"),
        ] {
            assert_eq!(eventbridge(cron).unwrap(), wanted, "{cron}");
        }
        for cron in ["", "* * * *", "0 8 1 * 1", "0 8 * * 8", "0 8 * * lundi"] {
            assert!(eventbridge(cron).is_err(), "{cron}");
        }
    }
}
