//! RFC 5424 lines: what happened is the message's id, the rest is structured data.

use std::fmt::Write as _;

use crate::Line;

/// "Log audit", of RFC 5424 §6.2.1.
const FACILITY: u8 = 13;
/// Private enterprise number for examples (RFC 5612): we have none of our own.
const DATA: &str = "audit@32473";
/// Longest message id.
const MAX_ID: usize = 32;

/// One line, its end included.
pub(crate) fn line(line: &Line) -> String {
    let severity = match line.outcome.as_str() {
        "success" => 6,
        "refused" => 4,
        _ => 3,
    };
    let id: String = line.event.chars().filter(char::is_ascii_graphic).take(MAX_ID).collect();
    let id = if id.is_empty() { "-" } else { &id };
    let at = line.at.strftime("%Y-%m-%dT%H:%M:%S.%6fZ");
    let mut text = format!("<{}>1 {at} carnet carnet - {id} [{DATA}", FACILITY * 8 + severity);
    let (seq, level) = (line.seq.to_string(), line.level.map(|level| level.to_string()));
    let data = [
        ("seq", Some(seq.as_str())),
        ("event", Some(line.event.as_str())),
        ("action", Some(line.action.as_str())),
        ("outcome", Some(line.outcome.as_str())),
        ("actorKind", Some(line.actor_kind.as_str())),
        ("actor", line.actor_id.as_deref()),
        ("role", line.role.as_deref()),
        ("establishment", line.establishment_id.as_deref()),
        ("level", level.as_deref()),
        ("session", line.session_id.as_deref()),
        ("request", line.request_id.as_deref()),
        ("address", line.address.as_deref()),
        ("purpose", line.purpose.as_deref()),
        ("patient", line.patient_id.as_deref()),
        ("object", line.object_id.as_deref()),
    ];
    for (name, value) in data {
        if let Some(value) = value {
            // Writing to a String does not fail.
            let _ = write!(text, " {name}=\"{}\"", escaped(value));
        }
    }
    text.push_str("]\n");
    text
}

/// §6.3.3, and no line within the line.
fn escaped(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    for c in value.chars() {
        if matches!(c, '"' | '\\' | ']') {
            text.push('\\');
        }
        text.push(if c.is_control() { ' ' } else { c });
    }
    text
}
