//! What partners receive is what `events/webhooks/` describes, in every release.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use gateway::tools::asyncapi::partners;
use jsonschema::Validator;
use serde_json::{Map, Value, json};

use super::ALL;
use crate::events::{folder, keeps, properties};

fn read(name: &str) -> Value {
    let text = std::fs::read_to_string(folder().join("webhooks").join(name)).unwrap();
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("events/webhooks/{name}: {error}"))
}

/// Partners are to let pass what they do not know; we send nothing that is not described.
fn closed(mut schema: Value) -> Value {
    if let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) {
        for property in properties.values_mut() {
            *property = closed(property.take());
        }
        schema["additionalProperties"] = json!(false);
    }
    schema
}

/// What is wrong with a message, by its schema.
pub fn faults(message: &Value) -> Vec<String> {
    static SCHEMAS: OnceLock<BTreeMap<String, Validator>> = OnceLock::new();
    let schemas = SCHEMAS.get_or_init(|| {
        let schema = |kind: String| {
            let schema = closed(read(&format!("{kind}.json")));
            (kind, jsonschema::options().should_validate_formats(true).build(&schema).unwrap())
        };
        partners::kinds(&folder()).unwrap().into_iter().map(schema).collect()
    });
    match message["type"].as_str().and_then(|kind| schemas.get(kind)) {
        Some(schema) => schema.iter_errors(message).map(|fault| format!("{fault} in {message}")).collect(),
        None => vec![format!("not described: {message}")],
    }
}

#[test]
fn every_message_to_a_partner_is_described_with_a_sample() {
    let kinds = partners::kinds(&folder()).unwrap();
    let mut expected = ALL.map(str::to_owned).to_vec();
    expected.extend(["webhook.test", "webhook.verification"].map(str::to_owned));
    expected.sort();
    assert_eq!(kinds, expected);
    let samples = read("samples.json");
    assert_eq!(samples.as_object().unwrap().keys().collect::<Vec<_>>(), kinds.iter().collect::<Vec<_>>());
    for (kind, sample) in samples.as_object().unwrap() {
        assert_eq!((faults(sample), &sample["type"]), (vec![], &json!(kind)));
        for name in sample["data"].as_object().unwrap().keys() {
            let mut wrong = sample.clone();
            wrong["data"][name] = json!({"a": [1]});
            assert!(!faults(&wrong).is_empty(), "{kind}: {name} may be anything");
        }
        let mut more = sample.clone();
        more["data"]["starts_at"] = json!("2026-03-02T08:00:00Z");
        assert!(!faults(&more).is_empty(), "{kind} tells more than it says");
    }
}

#[test]
fn the_description_for_partners_is_written_from_the_schemas() {
    let written = partners::text(&folder()).unwrap();
    let kept = std::fs::read_to_string(folder().join("webhooks.asyncapi.yaml")).unwrap();
    assert_eq!(kept, written, "run `just asyncapi`");
}

/// As of events: partners are of no release at all.
#[test]
fn a_message_keeps_what_it_told_in_every_release() {
    let kinds = partners::kinds(&folder()).unwrap();
    let released = read("released.json");
    for (kind, before) in released.as_object().unwrap() {
        assert!(kinds.contains(kind), "{kind} is gone");
        let now = properties(&read(&format!("{kind}.json")));
        assert_eq!(keeps(before, &now), Vec::<String>::new(), "{kind}");
    }
    let told = |kind: String| (kind.clone(), properties(&read(&format!("{kind}.json"))));
    let all: Map<String, Value> = kinds.into_iter().map(told).collect();
    if std::env::var("INSTA_UPDATE").is_ok_and(|it| it == "always") {
        let text = serde_json::to_string_pretty(&all).unwrap() + "\n";
        std::fs::write(folder().join("webhooks/released.json"), text).unwrap();
    } else {
        assert_eq!(Value::Object(all), released, "what is new is not written down yet");
    }
}
