//! Rules of series: daily and weekly ones.

use exchange::ews::xml::{Element, Node, el};
use jiff::civil::{Date, Weekday};

use crate::mailbox::{Range, Recurrence};

const DAYS: [(Weekday, &str); 7] = [
    (Weekday::Monday, "Monday"),
    (Weekday::Tuesday, "Tuesday"),
    (Weekday::Wednesday, "Wednesday"),
    (Weekday::Thursday, "Thursday"),
    (Weekday::Friday, "Friday"),
    (Weekday::Saturday, "Saturday"),
    (Weekday::Sunday, "Sunday"),
];

/// `None` for rules that the model does not know.
pub fn read(rule: &Element) -> Option<Recurrence> {
    let pattern = rule.child("DailyRecurrence").or_else(|| rule.child("WeeklyRecurrence"))?;
    let days = pattern.word("DaysOfWeek").unwrap_or_default();
    let day = |name: &str| DAYS.iter().find(|(_, known)| *known == name).map(|(day, _)| *day);
    let range = if let Some(numbered) = rule.child("NumberedRecurrence") {
        Range::Count(numbered.word("NumberOfOccurrences")?.parse().ok()?)
    } else if let Some(end) = rule.child("EndDateRecurrence") {
        Range::Until(end.word("EndDate")?.get(..10)?.parse().ok()?)
    } else {
        Range::Forever
    };
    Some(Recurrence {
        days: days.split_whitespace().filter_map(day).collect(),
        interval: pattern.word("Interval")?.parse().ok()?,
        range,
    })
}

/// A rule of a series that begins on a day.
pub fn write(rule: &Recurrence, first: Date) -> Node {
    let interval = el("t:Interval").text(rule.interval.to_string());
    let names: Vec<&str> = DAYS.iter().filter(|(day, _)| rule.days.contains(day)).map(|(_, name)| *name).collect();
    let pattern = if names.is_empty() {
        el("t:DailyRecurrence").with(interval)
    } else {
        el("t:WeeklyRecurrence")
            .with(interval)
            .with(el("t:DaysOfWeek").text(names.join(" ")))
            .with(el("t:FirstDayOfWeek").text("Monday"))
    };
    let start = el("t:StartDate").text(format!("{first}Z"));
    let range = match rule.range {
        Range::Forever => el("t:NoEndRecurrence").with(start),
        Range::Count(count) => {
            el("t:NumberedRecurrence").with(start).with(el("t:NumberOfOccurrences").text(count.to_string()))
        }
        Range::Until(day) => el("t:EndDateRecurrence").with(start).with(el("t:EndDate").text(format!("{day}Z"))),
    };
    el("t:Recurrence").with(pattern).with(range)
}
