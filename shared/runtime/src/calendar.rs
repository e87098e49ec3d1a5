//! Calendars (RFC 5545) of visits: when they are and a neutral title, and nothing else about anybody. One visit for a mail, many
//! for a feed.

use domain::Timestamp;
use domain::ids::AppointmentId;
use domain::zone::Zone;
use jiff::SignedDuration;
use jiff::civil::date;
use serde::Deserialize;

use crate::Lang;
use crate::config::Config;
use crate::mail::CalendarMethod;
use crate::texts::text;
use crate::view::AppointmentRow;

/// How often a program is asked to look again, in hours.
const REFRESH_HOURS: u8 = 1;
/// The zone that a calendar without visits brings: it may not be without any part (RFC 5545 §3.6).
const HOME: &str = "Europe/Paris";

/// A visit as a feed shows it.
#[derive(Debug, Clone, Deserialize)]
pub struct Event {
    /// The visit.
    pub id: AppointmentId,
    /// Grows with every change.
    pub version: i64,
    /// Whether it was called off: calendars take it out.
    pub cancelled: bool,
    /// Start.
    pub starts_at: Timestamp,
    /// End, not included.
    pub ends_at: Timestamp,
    /// Of the place.
    pub time_zone: Zone,
    /// When it became what it is. Of the visit and not of the clock, so that equal visits make equal calendars.
    pub changed_at: Timestamp,
}

/// One visit as a calendar object for a mail. The times are those of the place, with the zone's own rules around that day, so
/// that a calendar that does not know the zone's name still shows the right hour.
pub fn entry(
    appointment: &AppointmentRow, method: CalendarMethod, title: &str, link: Option<&str>, config: &Config,
    now: Timestamp,
) -> String {
    let event = Event {
        id: appointment.id,
        version: appointment.version,
        cancelled: method == CalendarMethod::Cancel,
        starts_at: appointment.starts_at,
        ends_at: appointment.ends_at,
        time_zone: appointment.time_zone.clone(),
        changed_at: now,
    };
    let mut lines = head(method);
    lines.extend(zone_rules(&event.time_zone, event.starts_at, event.ends_at));
    lines.extend(visit(&event, title, link, config));
    lines.extend(["END:VEVENT".to_owned(), "END:VCALENDAR".to_owned()]);
    lines.iter().map(|line| fold(line)).collect()
}

/// Visits as a calendar that is read again and again, in the owner's language. It is made of the visits alone; `now` says of
/// which year the zone of an empty one is.
pub fn feed(events: &[Event], lang: Lang, config: &Config, now: Timestamp) -> String {
    let (name, title) = (text(lang, "calendar-name", &[]), text(lang, "calendar-summary", &[]));
    let mut lines = head(CalendarMethod::Publish);
    lines.extend([
        format!("NAME:{}", escape(&name)),
        format!("X-WR-CALNAME:{}", escape(&name)),
        format!("REFRESH-INTERVAL;VALUE=DURATION:PT{REFRESH_HOURS}H"),
        format!("X-PUBLISHED-TTL:PT{REFRESH_HOURS}H"),
    ]);
    for (zone, first, last) in zones(events, now) {
        lines.extend(zone_rules(&zone, year_of(&zone, first, 0), year_of(&zone, last, 1)));
    }
    for event in events {
        let link = config.public_url.as_ref().map(|base| format!("{base}/appointments/{}", event.id));
        lines.extend(visit(event, &title, link.as_deref(), config));
        lines.extend([format!("LAST-MODIFIED:{}", utc(event.changed_at)), "END:VEVENT".to_owned()]);
    }
    lines.push("END:VCALENDAR".to_owned());
    lines.iter().map(|line| fold(line)).collect()
}

fn head(method: CalendarMethod) -> Vec<String> {
    vec![
        "BEGIN:VCALENDAR".to_owned(),
        "VERSION:2.0".to_owned(),
        "PRODID:-//Carnet//Carnet//FR".to_owned(),
        "CALSCALE:GREGORIAN".to_owned(),
        format!("METHOD:{}", method.name()),
    ]
}

/// All of a visit but its last line.
fn visit(event: &Event, title: &str, link: Option<&str>, config: &Config) -> Vec<String> {
    let mut lines = vec![
        "BEGIN:VEVENT".to_owned(),
        format!("UID:{}@{}", event.id, config.mail_domain()),
        format!("SEQUENCE:{}", event.version),
        format!("DTSTAMP:{}", utc(event.changed_at)),
        moment("DTSTART", &event.time_zone, event.starts_at),
        moment("DTEND", &event.time_zone, event.ends_at),
        format!("SUMMARY:{}", escape(title)),
        format!("ORGANIZER:mailto:{}", config.mail_address()),
        format!("STATUS:{}", if event.cancelled { "CANCELLED" } else { "CONFIRMED" }),
        "CLASS:PRIVATE".to_owned(),
        format!("TRANSP:{}", if event.cancelled { "TRANSPARENT" } else { "OPAQUE" }),
    ];
    lines.extend(link.map(|link| format!("URL:{link}")));
    lines
}

/// Each zone of the visits, in the order of their names, with the first and the last instant in it.
fn zones(events: &[Event], now: Timestamp) -> Vec<(Zone, Timestamp, Timestamp)> {
    let mut zones: Vec<(Zone, Timestamp, Timestamp)> = Vec::new();
    for event in events {
        match zones.iter_mut().find(|(zone, ..)| *zone == event.time_zone) {
            Some((_, first, last)) => {
                *first = event.starts_at.min(*first);
                *last = event.ends_at.max(*last);
            }
            None => zones.push((event.time_zone.clone(), event.starts_at, event.ends_at)),
        }
    }
    if let (true, Ok(home)) = (zones.is_empty(), HOME.parse()) {
        zones.push((home, now, now));
    }
    zones.sort_by(|one, other| one.0.name().cmp(other.0.name()));
    zones
}

/// The beginning of the local year of an instant, or of one so many years later.
fn year_of(zone: &Zone, at: Timestamp, later: i16) -> Timestamp {
    let year = zone.local(at).year().saturating_add(later).min(9998);
    zone.time_zone().to_timestamp(date(year, 1, 1).at(0, 0, 0, 0)).unwrap_or(at)
}

/// The rules in force from one instant until another: the last change before, each change between, and the one after; or the one
/// rule of a zone without changes. Enumerated, for no rule that recurs is right in every year of every zone.
fn zone_rules(zone: &Zone, from: Timestamp, until: Timestamp) -> Vec<String> {
    let rules = zone.time_zone();
    let mut lines = vec!["BEGIN:VTIMEZONE".to_owned(), format!("TZID:{zone}")];
    let mut rule = |onset: Option<Timestamp>, at: Timestamp| {
        let info = rules.to_offset_info(at);
        let from = onset.map_or(info.offset(), |onset| {
            rules.to_offset(onset.saturating_sub(SignedDuration::from_secs(1)).unwrap_or(onset))
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
    let before = rules.preceding(from.saturating_add(SignedDuration::from_nanos(1)).unwrap_or(from)).next();
    rule(before.as_ref().map(jiff::tz::TimeZoneTransition::timestamp), from);
    for change in rules.following(from) {
        rule(Some(change.timestamp()), change.timestamp());
        if change.timestamp() > until {
            break;
        }
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
        format!("{property}:{}", utc(at))
    }
}

fn utc(at: Timestamp) -> String {
    at.strftime("%Y%m%dT%H%M%SZ").to_string()
}

/// With seconds where there are any: times of before the zones have them.
fn offset(offset: jiff::tz::Offset) -> String {
    let (seconds, sign) = (offset.seconds().abs(), if offset.seconds() < 0 { '-' } else { '+' });
    let minutes = format!("{sign}{:02}{:02}", seconds / 3600, seconds % 3600 / 60);
    if seconds % 60 == 0 { minutes } else { format!("{minutes}{:02}", seconds % 60) }
}

/// A value of type TEXT (RFC 5545 §3.3.11), which holds no other control characters than the ends of its lines.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            '\\' | ';' | ',' => escaped.extend(['\\', c]),
            '\n' => escaped.push_str("\\n"),
            c if c.is_control() => {}
            c => escaped.push(c),
        }
    }
    escaped
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

#[cfg(test)]
mod tests;
