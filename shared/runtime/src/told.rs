//! How messages tell days, hours and links, in the recipient's language: one way for what is sent and for what is shown beforehand.

use jiff::civil::DateTime;

use crate::{Lang, texts};

/// "mardi 3 mars 2026" and "14 h 30", for a mail.
pub fn in_words(lang: Lang, local: DateTime) -> (String, String) {
    let word = |key: &str| texts::text(lang, key, &[]);
    let day = if local.day() == 1 { word("date-first") } else { local.day().to_string() };
    let date = texts::text(
        lang,
        "date-long",
        &[
            ("weekday", &word(&format!("weekday-{}", local.weekday().to_monday_one_offset()))),
            ("day", &day),
            ("month", &word(&format!("month-{}", local.month()))),
            ("year", &local.year().to_string()),
        ],
    );
    let minute = format!("{:02}", local.minute());
    let hour = if lang == Lang::Fr { local.hour().to_string() } else { format!("{:02}", local.hour()) };
    (date, texts::text(lang, "time-short", &[("hour", &hour), ("minute", &minute)]))
}

/// "03/03" and "14h30", for a telephone. "août" is not in the alphabet of text messages, and one letter outside of it more than
/// halves what a message holds.
pub fn in_digits(lang: Lang, local: DateTime) -> (String, String) {
    let two = |number: i8| format!("{number:02}");
    let date = texts::text(lang, "sms-day", &[("day", &two(local.day())), ("month", &two(local.month()))]);
    (date, texts::text(lang, "sms-hour", &[("hour", &two(local.hour())), ("minute", &two(local.minute()))]))
}

/// The longest that there is: Wednesday, 30 September 2026, at half past two in the afternoon.
pub const fn sample() -> DateTime {
    DateTime::constant(2026, 9, 30, 14, 30, 0, 0)
}

/// A text message with its link behind it, unless that stands in it already.
pub fn with_link(text: String, link: Option<&str>) -> String {
    match link {
        Some(link) if !text.contains(link) => format!("{text} {link}"),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_and_an_hour_are_told_in_words_and_in_digits() {
        for (lang, words, digits) in [
            (Lang::Fr, ("mercredi 30 septembre 2026", "14 h 30"), ("30/09", "14h30")),
            (Lang::En, ("Wednesday 30 September 2026", "14:30"), ("30/09", "14:30")),
        ] {
            let (date, time) = in_words(lang, sample());
            assert_eq!((date.as_str(), time.as_str()), words);
            let (date, time) = in_digits(lang, sample());
            assert_eq!((date.as_str(), time.as_str()), digits);
        }
    }

    #[test]
    fn a_link_is_told_once() {
        let link = "https://c.example/x";
        assert_eq!(with_link("Le 3.".into(), Some(link)), "Le 3. https://c.example/x");
        assert_eq!(with_link(format!("Ici {link} !"), Some(link)), "Ici https://c.example/x !");
        assert_eq!(with_link("Le 3.".into(), None), "Le 3.");
    }
}
