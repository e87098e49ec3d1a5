//! A calendar entry (RFC 5545) with the time and a neutral title, and nothing else about anybody.

use domain::Timestamp;
use domain::zone::Zone;
use runtime::config::Config;
use runtime::mail::CalendarMethod;
use runtime::view::AppointmentRow;

/// The entry as a calendar object. The times are those of the place, with the zone's own rules around that day, so
/// that a calendar that does not know the zone's name still shows the right hour.
pub(crate) fn entry(
    appointment: &AppointmentRow, method: CalendarMethod, title: &str, link: Option<&str>, config: &Config,
    now: Timestamp,
) -> String {
    let zone = &appointment.time_zone;
    let cancelled = method == CalendarMethod::Cancel;
    let mut lines = vec![
        "BEGIN:VCALENDAR".to_owned(),
        "VERSION:2.0".to_owned(),
        "PRODID:-//Carnet//Carnet//FR".to_owned(),
        "CALSCALE:GREGORIAN".to_owned(),
        format!("METHOD:{}", method.name()),
    ];
    lines.extend(zone_rules(zone, appointment.starts_at));
    lines.extend([
        "BEGIN:VEVENT".to_owned(),
        format!("UID:{}@{}", appointment.id, config.mail_domain()),
        format!("SEQUENCE:{}", appointment.version),
        format!("DTSTAMP:{}", now.strftime("%Y%m%dT%H%M%SZ")),
        moment("DTSTART", zone, appointment.starts_at),
        moment("DTEND", zone, appointment.ends_at),
        format!("SUMMARY:{}", escape(title)),
        format!("ORGANIZER:mailto:{}", config.mail_address()),
        format!("STATUS:{}", if cancelled { "CANCELLED" } else { "CONFIRMED" }),
        "CLASS:PRIVATE".to_owned(),
        format!("TRANSP:{}", if cancelled { "TRANSPARENT" } else { "OPAQUE" }),
    ]);
    lines.extend(link.map(|link| format!("URL:{link}")));
    lines.extend(["END:VEVENT".to_owned(), "END:VCALENDAR".to_owned()]);
    lines.iter().map(|line| fold(line)).collect()
}

/// The rules in force at `at`: the change before it and the change after it, or the one rule of a zone without changes.
fn zone_rules(zone: &Zone, at: Timestamp) -> Vec<String> {
    let rules = zone.time_zone();
    let before = rules.preceding(at.saturating_add(jiff::SignedDuration::from_nanos(1)).unwrap_or(at)).next();
    let after = rules.following(at).next();
    let mut lines = vec!["BEGIN:VTIMEZONE".to_owned(), format!("TZID:{zone}")];
    let mut rule = |onset: Option<Timestamp>, at: Timestamp| {
        let info = rules.to_offset_info(at);
        let from = onset.map_or(info.offset(), |onset| {
            rules.to_offset(onset.saturating_sub(jiff::SignedDuration::from_secs(1)).unwrap_or(onset))
        });
        let kind = if info.dst().is_dst() { "DAYLIGHT" } else { "STANDARD" };
        // The onset is told in the time that was in force before it.
        let start = onset.map_or("19700101T000000".to_owned(), |onset| {
            from.to_datetime(onset).strftime("%Y%m%dT%H%M%S").to_string()
        });
        lines.extend([
            format!("BEGIN:{kind}"),
            format!("DTSTART:{start}"),
            format!("TZOFFSETFROM:{}", offset(from)),
            format!("TZOFFSETTO:{}", offset(info.offset())),
            format!("END:{kind}"),
        ]);
    };
    rule(before.as_ref().map(jiff::tz::TimeZoneTransition::timestamp), at);
    if let Some(change) = after {
        rule(Some(change.timestamp()), change.timestamp());
    }
    lines.push("END:VTIMEZONE".to_owned());
    lines
}

/// In the place's time; in UTC where that would be the other of two equal hours (RFC 5545 §3.3.5 takes the first).
fn moment(property: &str, zone: &Zone, at: Timestamp) -> String {
    let local = zone.local(at);
    if zone.time_zone().to_timestamp(local).is_ok_and(|read| read == at) {
        format!("{property};TZID={zone}:{}", local.strftime("%Y%m%dT%H%M%S"))
    } else {
        format!("{property}:{}", at.strftime("%Y%m%dT%H%M%SZ"))
    }
}

fn offset(offset: jiff::tz::Offset) -> String {
    let seconds = offset.seconds();
    let sign = if seconds < 0 { '-' } else { '+' };
    format!("{sign}{:02}{:02}", seconds.abs() / 3600, seconds.abs() % 3600 / 60)
}

fn escape(text: &str) -> String {
    text.replace('\\', "\\\\").replace(';', "\\;").replace(',', "\\,").replace('\n', "\\n")
}

/// Lines of at most 75 octets, continued after a blank (RFC 5545 §3.1), never inside a character.
fn fold(line: &str) -> String {
    let mut folded = String::with_capacity(line.len() + 8);
    let mut octets = 0;
    for c in line.chars() {
        if octets + c.len_utf8() > 75 {
            folded.push_str("\r\n ");
            octets = 1;
        }
        folded.push(c);
        octets += c.len_utf8();
    }
    folded.push_str("\r\n");
    folded
}
