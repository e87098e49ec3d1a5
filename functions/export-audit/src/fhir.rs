//! FHIR R4 `AuditEvent`, with what the French profile of traces (TDE) asks for: one subtype, a period, who of each agent.

use serde_json::{Map, Value, json};

use crate::Line;

const DICOM: &str = "http://dicom.nema.org/resources/ontology/DCM";
const TERMINOLOGY: &str = "http://terminology.hl7.org/CodeSystem";

/// One page.
pub(crate) fn bundle(lines: &[Line], own: &str, next: Option<&str>) -> Value {
    let mut pages = vec![json!({"relation": "self", "url": own})];
    pages.extend(next.map(|next| json!({"relation": "next", "url": next})));
    let entries: Vec<Value> = lines
        .iter()
        .map(|line| {
            let full_url = format!("urn:carnet:audit:{}", line.seq);
            json!({"fullUrl": full_url, "resource": event(line), "search": {"mode": "match"}})
        })
        .collect();
    let mut bundle = json!({"resourceType": "Bundle", "type": "searchset", "link": pages});
    // FHIR has no empty lists.
    if !entries.is_empty() {
        bundle["entry"] = entries.into();
    }
    bundle
}

fn event(line: &Line) -> Value {
    let mut event = json!({
        "resourceType": "AuditEvent",
        "id": line.seq.to_string(),
        "type": kind(line),
        "subtype": [{"system": "urn:carnet:audit-event", "code": line.event}],
        "action": action(&line.action),
        "period": {"start": line.at, "end": line.at},
        "recorded": line.at,
        "outcome": outcome(&line.outcome),
        "agent": [agent(line)],
        "source": {
            "observer": {"display": "Carnet"},
            "type": [{"system": format!("{TERMINOLOGY}/security-source-type"), "code": "4", "display": "Application Server"}],
        },
    });
    if let Some(purpose) = &line.purpose {
        let reason = json!({"system": format!("{TERMINOLOGY}/v3-ActReason"), "code": purpose});
        event["purposeOfEvent"] = json!([{"coding": [reason]}]);
    }
    if let Some(site) = &line.establishment_id {
        event["source"]["site"] = json!(site);
    }
    let entities = entities(line);
    if !entities.is_empty() {
        event["entity"] = entities.into();
    }
    event
}

fn kind(line: &Line) -> Value {
    if line.event.starts_with("session.") {
        return json!({"system": DICOM, "code": "110114", "display": "User Authentication"});
    }
    json!({"system": format!("{TERMINOLOGY}/audit-event-type"), "code": "rest", "display": "RESTful Operation"})
}

fn action(action: &str) -> &'static str {
    match action {
        "create" => "C",
        "read" => "R",
        "update" => "U",
        "delete" => "D",
        _ => "E",
    }
}

fn outcome(outcome: &str) -> &'static str {
    match outcome {
        "success" => "0",
        "refused" => "4",
        _ => "8",
    }
}

fn agent(line: &Line) -> Value {
    let who = match &line.actor_id {
        Some(mailbox) if line.actor_kind == "mailbox" => {
            json!({"identifier": {"system": "urn:carnet:mailbox", "value": mailbox}})
        }
        Some(account) => json!({"identifier": {"system": "urn:carnet:account", "value": account}}),
        None if line.actor_kind == "system" => json!({"display": "Carnet"}),
        None => json!({"display": "anonymous"}),
    };
    let mut agent = json!({"who": who, "requestor": true});
    if let Some(role) = &line.role {
        agent["role"] = json!([{"coding": [{"system": "urn:carnet:role", "code": role}]}]);
    }
    if let Some(address) = &line.address {
        // An IP address.
        agent["network"] = json!({"address": address, "type": "2"});
    }
    agent
}

fn entities(line: &Line) -> Vec<Value> {
    let coding = |system: &str, code: &str, display: &str| json!({"system": format!("{TERMINOLOGY}/{system}"), "code": code, "display": display});
    let mut entities = Vec::new();
    if let Some(patient) = &line.patient_id {
        entities.push(json!({
            "what": {"reference": format!("Patient/{patient}")},
            "type": coding("audit-entity-type", "1", "Person"), "role": coding("object-role", "1", "Patient"),
        }));
    }
    let mut about = Map::new();
    if let Some(object) = &line.object_id {
        about.insert(
            "what".into(),
            json!({"identifier": {"system": "urn:ietf:rfc:3986", "value": format!("urn:uuid:{object}")}}),
        );
        about.insert("role".into(), coding("object-role", "4", "Domain Resource"));
    }
    let level = line.level.map(|level| level.to_string());
    let known = [("request", &line.request_id), ("session", &line.session_id), ("authentication-level", &level)];
    let details: Vec<Value> = known
        .into_iter()
        .filter_map(|(name, value)| value.as_ref().map(|value| json!({"type": name, "valueString": value})))
        .collect();
    if !details.is_empty() {
        about.insert("detail".into(), details.into());
    }
    if !about.is_empty() {
        about.insert("type".into(), coding("audit-entity-type", "2", "System Object"));
        entities.push(about.into());
    }
    entities
}
