//! What is sent to the routes of documents.

use serde_json::{Value, json};
use uuid::Uuid;

/// An administrative document: what everybody may deposit who may deposit any.
pub fn form(patient: Uuid) -> Value {
    json!({"patient": patient, "type": "51851-4", "title": "Attestation", "act_date": "2026-03-01",
           "media_type": "text/plain", "size_bytes": 1, "sha256": "0".repeat(64)})
}

pub fn sent(method: &str, path: &str) -> Value {
    match (method, path.rsplit('/').next().unwrap()) {
        ("GET", _) => Value::Null,
        ("PATCH", _) => json!({"language": "fr"}),
        (_, "versions") => json!({"media_type": "text/plain", "size_bytes": 1, "sha256": "0".repeat(64)}),
        (_, "visibility") => json!({"hidden_from_professionals": false}),
        _ => json!({}),
    }
}
