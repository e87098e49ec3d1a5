//! `events/asyncapi.yaml`, written from the schemas of the events and from who consumes them.

pub mod partners;

use std::collections::BTreeMap;
use std::path::Path;

use runtime::host::StartError;
use serde_json::{Map, Value, json};

use crate::registry::FUNCTIONS;

/// What stands above everything.
const DESCRIPTION: &str = "Past facts, versioned, as CloudEvents 1.0 in structured JSON (application/cloudevents+json). Their data hold \
    identifiers and instants, never anything personal. A consumer answers 2xx when it is done, 503 to have the event sent again, 422 \
    when it never will understand it. An event comes at least once, in any order.";

/// The document (`AsyncAPI` 3.0), of the schemas in a folder.
///
/// # Errors
/// When a schema or a manifest is none.
pub fn document(folder: &Path) -> Result<Value, StartError> {
    let mut consumers: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for manifest in FUNCTIONS.iter().map(runtime::Function::manifest) {
        let manifest = manifest?;
        for topic in manifest.topics {
            consumers.entry(topic).or_default().push(manifest.name.clone());
        }
    }
    let (mut channels, mut operations, mut messages) = (Map::new(), Map::new(), Map::new());
    for kind in kinds(folder)? {
        let schema: Value = serde_json::from_str(&std::fs::read_to_string(folder.join(format!("{kind}.json")))?)?;
        let name = message_name(&kind);
        let of_message = json!({"$ref": format!("#/components/messages/{name}")});
        let channel = json!({"$ref": format!("#/channels/{kind}")});
        channels.insert(kind.clone(), json!({"address": kind, "messages": {name.as_str(): of_message}}));
        operations.insert(format!("send{name}"), json!({"action": "send", "channel": channel}));
        for consumer in consumers.get(&kind).into_iter().flatten() {
            let id = format!("{consumer}-receives-{name}");
            let summary = format!("The function {consumer} acts on it.");
            operations.insert(id, json!({"action": "receive", "channel": channel, "summary": summary}));
        }
        messages.insert(
            name,
            json!({
                "name": kind, "title": schema["title"], "summary": schema["description"],
                "contentType": "application/cloudevents+json",
                "payload": {"allOf": [
                    {"$ref": "#/components/schemas/CloudEvent"},
                    {"type": "object", "properties": {"type": {"const": kind}, "data": {"$ref": format!("./{kind}.json")}}},
                ]},
            }),
        );
    }
    Ok(json!({
        "asyncapi": "3.0.0",
        "info": {"title": "Carnet events", "version": "1.0.0", "description": DESCRIPTION,
                 "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"}},
        "defaultContentType": "application/cloudevents+json",
        "channels": channels, "operations": operations,
        "components": {"messages": messages, "schemas": {"CloudEvent": cloud_event()}},
    }))
}

/// The same as text.
///
/// # Errors
/// As [`document`].
pub fn text(folder: &Path) -> Result<String, StartError> {
    let note = "# Written by `just asyncapi` from the schemas beside it and the manifests of the functions.\n";
    Ok(format!("{note}{}", serde_norway::to_string(&document(folder)?)?))
}

/// Every event that has a schema, in order.
///
/// # Errors
/// When the folder is not there.
pub fn kinds(folder: &Path) -> Result<Vec<String>, StartError> {
    let mut kinds = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        // `appointment.booked.v1.json`; payloads of platforms have no version.
        let versioned = |stem: &str| stem.rsplit_once(".v").is_some_and(|(_, version)| version.parse::<u32>().is_ok());
        kinds.extend(name.strip_suffix(".json").filter(|stem| versioned(stem)).map(str::to_owned));
    }
    kinds.sort();
    Ok(kinds)
}

/// `appointment.booked.v1` → `AppointmentBookedV1`.
fn message_name(kind: &str) -> String {
    kind.split(['.', '-'])
        .map(|word| {
            word.chars()
                .next()
                .map_or_else(String::new, |first| first.to_uppercase().chain(word.chars().skip(1)).collect())
        })
        .collect()
}

fn cloud_event() -> Value {
    json!({
        "type": "object",
        "required": ["specversion", "id", "source", "type", "subject", "time", "datacontenttype", "data"],
        "properties": {
            "specversion": {"const": "1.0"},
            "id": {"type": "string", "format": "uuid", "description": "Names this fact: nothing is done twice for one id."},
            "source": {"const": "/carnet"},
            "type": {"type": "string"},
            "subject": {"type": "string", "format": "uuid", "description": "What it happened to."},
            "time": {"type": "string", "format": "date-time"},
            "datacontenttype": {"const": "application/json"},
            "data": {"type": "object"},
        },
    })
}
