//! The trail in plain words.

use runtime::Lang;
use runtime::texts::{find, text};

use crate::{Line, Who};

/// Who it was. Nobody is told how to reach whom.
pub(crate) fn who(line: &Line, lang: Lang) -> Who {
    let role = line.role.as_deref();
    let kind = match (line.actor_kind.as_str(), role) {
        ("system", _) => "carnet",
        ("mailbox", _) => "calendar",
        ("account", _) if line.oneself => "you",
        ("account", Some("patient")) if line.relation.is_some() => "family",
        // Somebody else's account is somebody else's affair: no name.
        ("account", Some("patient")) => "other",
        ("account", _) => "professional",
        _ => "stranger",
    };
    // Of a member of the family it says what they are to the patient, of all others what they work as.
    let capacity = if role == Some("patient") { line.relation.as_deref() } else { role };
    let capacity = if ["stranger", "other"].contains(&kind) { Some(kind) } else { capacity };
    let name = match kind {
        "carnet" => Some("Carnet".into()),
        "calendar" => Some(text(lang, "access-calendar", &[])),
        "stranger" | "other" => None,
        _ => line.name.clone(),
    };
    Who {
        kind,
        name,
        role: capacity.and_then(|capacity| find(lang, &format!("access-role-{capacity}"), &[])),
        establishment: line.establishment.clone(),
    }
}

/// What was done, or asked for in vain.
pub(crate) fn what(line: &Line, lang: Lang) -> String {
    let named = find(lang, &format!("access-{}", line.event.replace('.', "-")), &[]);
    let what = named.unwrap_or_else(|| text(lang, &format!("access-any-{}", line.action), &[]));
    match line.outcome.as_str() {
        "success" => what,
        other => text(lang, &format!("access-{other}"), &[("what", &what)]),
    }
}

/// Why they looked.
pub(crate) fn why(purpose: Option<&str>, lang: Lang) -> String {
    let named = purpose.and_then(|purpose| find(lang, &format!("access-why-{}", purpose.to_lowercase()), &[]));
    named.unwrap_or_else(|| text(lang, "access-why-unknown", &[]))
}
