//! `events/webhooks.asyncapi.yaml`: what partners' programs receive, written from the schemas of the messages.

use std::path::Path;

use runtime::host::StartError;
use serde_json::{Map, Value, json};

use super::message_name;

const DESCRIPTION: &str = "What an establishment's other programs are told, by HTTP and signed, as Standard Webhooks 1.0.0 has it \
    (https://www.standardwebhooks.com; docs/webhooks.md). Identifiers and instants only. A program answers 2xx within ten seconds when it has \
    taken a message; any other answer has it sent again, for three days; 410 ends it. A message comes at least once, those about one thing \
    in their order. Within a version properties may be added and none is taken away: ignore what you do not know.";
const VERIFICATION: &str = "webhook.verification";
const SAMPLES: &str = "samples.json";
const RELEASED: &str = "released.json";

/// Every message that has a schema, in order.
///
/// # Errors
/// When the folder is not there.
pub fn kinds(folder: &Path) -> Result<Vec<String>, StartError> {
    let mut kinds = Vec::new();
    for entry in std::fs::read_dir(folder.join("webhooks"))? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        let described = ![SAMPLES, RELEASED].contains(&name.as_str());
        kinds.extend(name.strip_suffix(".json").filter(|_| described).map(str::to_owned));
    }
    kinds.sort();
    Ok(kinds)
}

/// The document (`AsyncAPI` 3.0), of the schemas in a folder.
///
/// # Errors
/// When a schema is none.
pub fn document(folder: &Path) -> Result<Value, StartError> {
    let read = |name: &str| -> Result<Value, StartError> {
        Ok(serde_json::from_str(&std::fs::read_to_string(folder.join("webhooks").join(name))?)?)
    };
    let samples = read(SAMPLES)?;
    let (mut of_channel, mut operations, mut messages) = (Map::new(), Map::new(), Map::new());
    for kind in kinds(folder)? {
        let (schema, name) = (read(&format!("{kind}.json"))?, message_name(&kind));
        of_channel.insert(name.clone(), json!({"$ref": format!("#/components/messages/{name}")}));
        let mut operation = json!({
            "action": "send", "channel": {"$ref": "#/channels/program"}, "summary": schema["description"],
            "messages": [{"$ref": format!("#/channels/program/messages/{name}")}],
            "bindings": {"http": {"method": "POST", "bindingVersion": "0.3.0"}},
        });
        if kind == VERIFICATION {
            operation["reply"] = json!({
                "channel": {"$ref": "#/channels/answer"}, "messages": [{"$ref": "#/channels/answer/messages/Challenge"}],
            });
        }
        operations.insert(format!("send{name}"), operation);
        messages.insert(
            name,
            json!({
                "name": kind, "title": schema["title"], "summary": schema["description"], "contentType": "application/json",
                "headers": {"$ref": "#/components/schemas/Headers"},
                "payload": {"$ref": format!("./webhooks/{kind}.json")},
                "examples": [{"payload": samples[&kind]}],
            }),
        );
    }
    messages.insert(
        "Challenge".into(),
        json!({
            "name": "challenge", "title": "Answer to a verification", "contentType": "application/json",
            "payload": {"type": "object", "required": ["challenge"], "properties": {"challenge": {"type": "string"}}},
        }),
    );
    Ok(json!({
        "asyncapi": "3.0.0",
        "info": {"title": "Carnet webhooks", "version": "1.0.0", "description": DESCRIPTION,
                 "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"}},
        "defaultContentType": "application/json",
        "channels": {
            "program": {"address": null, "description": "The address that an administrator registered.", "messages": of_channel},
            "answer": {"address": null, "description": "The answer to the request.",
                       "messages": {"Challenge": {"$ref": "#/components/messages/Challenge"}}},
        },
        "operations": operations,
        "components": {"messages": messages, "schemas": {"Headers": headers()}},
    }))
}

/// The same as text.
///
/// # Errors
/// As [`document`].
pub fn text(folder: &Path) -> Result<String, StartError> {
    let note = "# Written by `just asyncapi` from the schemas in webhooks/.\n";
    Ok(format!("{note}{}", serde_norway::to_string(&document(folder)?)?))
}

fn headers() -> Value {
    json!({
        "type": "object",
        "required": ["webhook-id", "webhook-timestamp", "webhook-signature"],
        "properties": {
            "webhook-id": {"type": "string", "format": "uuid",
                           "description": "The same at each try and replay: what was seen already is not done again."},
            "webhook-timestamp": {"type": "string", "pattern": "^[0-9]+$",
                                  "description": "When this try was made, in seconds since 1970: refuse what is older than five minutes."},
            "webhook-signature": {"type": "string", "pattern": "^v1,[A-Za-z0-9+/=]+( v1,[A-Za-z0-9+/=]+)*$",
                                  "description": "HMAC-SHA256 over id.timestamp.body in base64; several, with a blank between, while a \
                                                  secret is being changed."},
        },
    })
}
