//! Events say what their schema says, and nothing about anybody.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use crate::support::App;
use crate::support::app::book;

pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("events")
}

fn read(name: &str) -> String {
    std::fs::read_to_string(folder().join(name)).unwrap_or_else(|error| panic!("events/{name}: {error}"))
}

#[tokio::test]
async fn every_event_is_described_and_keeps_to_its_schema() {
    let app = App::start().await;
    let ada = app.patient().await;
    let from = "from=2026-03-10T09:00:00Z&to=2026-03-10T09:30:00Z";
    let all = app.slots(&format!("place=Lyon&{from}&limit=500")).await;
    let other = all.iter().find(|slot| slot["practitioner"] != all[0]["practitioner"]).unwrap();
    let appointment = book(&ada, &all[0]).await.expect(201);
    let path = format!("/v1/appointments/{}", appointment["id"].as_str().unwrap());
    ada.post(&format!("{path}/move"), &json!({"slot": other["slot"]})).await.expect(200);
    app.at("2026-03-09T12:00:00Z");
    app.settle().await;
    let ada = ada.clone().bearing(&app.fresh_token(&ada).await);
    ada.post(&format!("{path}/cancellation"), &json!({"reason": "malade"})).await.expect(200);

    crate::professionals::walk(&app).await;
    crate::emergency::walk(&app).await;

    crate::account_life::walk(&app).await;
    crate::account_phone::walk(&app).await;
    crate::documents::told(&app).await;
    crate::webhooks::told(&app).await;
    crate::exchange::told_of(&app).await;
    crate::notices::asked(&app).await;
    let description: Value = serde_norway::from_str(&read("asyncapi.yaml")).unwrap();
    let described: BTreeSet<String> = description["channels"].as_object().unwrap().keys().cloned().collect();
    let mut seen = BTreeSet::new();
    for event in app.sql("select jsonb_build_object('kind', kind, 'data', data) from outbox").await {
        let kind = event["kind"].as_str().unwrap().to_owned();
        let schema: Value = serde_json::from_str(&read(&format!("{kind}.json"))).unwrap();
        let schema = jsonschema::options().should_validate_formats(true).build(&schema).unwrap();
        let faults: Vec<String> = schema.iter_errors(&event["data"]).map(|fault| fault.to_string()).collect();
        assert!(faults.is_empty(), "{kind}: {faults:?}");
        seen.insert(kind);
    }
    assert_eq!(seen, described, "the walk writes every event that is described, and no other");
    let consumed: BTreeSet<String> =
        app.gateway.app.manifests.iter().flat_map(|manifest| manifest.topics.iter().cloned()).collect();
    assert!(consumed.is_subset(&described), "{consumed:?}");
}

#[test]
fn the_description_is_written_from_the_schemas_and_the_manifests() {
    let written = gateway::tools::asyncapi::text(&folder()).unwrap();
    assert_eq!(read("asyncapi.yaml"), written, "run `just asyncapi`");
}

/// What a schema says of a value: its type and form, and of all that is within it.
fn told(schema: &Value) -> Value {
    let said = [
        "type",
        "format",
        "enum",
        "const",
        "minimum",
        "maximum",
        "pattern",
        "minLength",
        "maxLength",
        "minItems",
        "maxItems",
    ];
    let mut told: Map<String, Value> =
        said.iter().filter_map(|key| Some(((*key).to_owned(), schema.get(*key)?.clone()))).collect();
    if let Some(items) = schema.get("items") {
        told.insert("items".into(), self::told(items));
    }
    if schema.get("properties").is_some() {
        told.insert("properties".into(), properties(schema));
    }
    Value::Object(told)
}

/// The properties of an object: what is told of each, and whether it is always there.
pub fn properties(schema: &Value) -> Value {
    let required = schema["required"].as_array().cloned().unwrap_or_default();
    let properties = schema["properties"].as_object().unwrap().iter().map(|(name, property)| {
        let mut all = json!({"required": required.contains(&json!(name))});
        all.as_object_mut().unwrap().extend(told(property).as_object().unwrap().clone());
        (name.clone(), all)
    });
    Value::Object(properties.collect())
}

/// What was told of properties and is not told any more, or in another form. More may be told of by now.
pub fn keeps(before: &Value, now: &Value) -> Vec<String> {
    let mut lost = vec![];
    for (name, before) in before.as_object().unwrap() {
        differs(before, &now[name], name, &mut lost);
    }
    lost
}

fn differs(before: &Value, now: &Value, at: &str, lost: &mut Vec<String>) {
    for (key, value) in before.as_object().unwrap() {
        match key.as_str() {
            "properties" => lost.extend(keeps(value, &now[key]).into_iter().map(|what| format!("{at}.{what}"))),
            "items" => differs(value, &now[key], &format!("{at}[]"), lost),
            _ if &now[key] == value => {}
            _ => lost.push(format!("{at}: {key} was {value}, is {}", now[key])),
        }
    }
}

/// Whether nothing is sent that is not described, however deep.
fn is_closed(schema: &Value) -> bool {
    let within = schema["properties"].as_object().into_iter().flat_map(|properties| properties.values());
    (schema.get("properties").is_none() || schema["additionalProperties"] == false)
        && within.chain(schema.get("items")).all(is_closed)
}

#[test]
fn what_is_within_a_property_is_kept_too() {
    let schema = json!({"properties": {"of": {"type": "object", "required": ["a"], "properties": {
        "a": {"type": "array", "items": {"type": "string", "pattern": "^x"}}, "b": {"type": "integer", "maximum": 9}}}}});
    let before = properties(&schema);
    assert_eq!(keeps(&before, &before), Vec::<String>::new());
    let more = |at: &str, value: Value| {
        let mut schema = schema.clone();
        *schema.pointer_mut(at).unwrap() = value;
        keeps(&before, &properties(&schema))
    };
    let b = json!({"type": "integer", "maximum": 9});
    let a = json!({"type": "array", "items": {"type": "string", "pattern": "^x"}});
    assert_eq!(more("/properties/of/properties", json!({"a": a, "b": b, "c": b})), Vec::<String>::new());
    assert!(!more("/properties/of/properties", json!({"a": a})).is_empty());
    for (at, value) in [
        ("/properties/of/required", json!([])),
        ("/properties/of/properties/b/maximum", json!(10)),
        ("/properties/of/properties/a/items/pattern", json!("^y")),
        ("/properties/of/properties/a/items/type", json!("integer")),
    ] {
        assert_eq!(more(at, value).len(), 1, "{at}");
    }
}

/// Consumers elsewhere are of other releases. What an event told once it tells as long as it is of that version: another one is
/// another event. `INSTA_UPDATE=always` writes down what is new.
#[test]
fn an_event_keeps_what_it_told_in_every_release() {
    let kinds = gateway::tools::asyncapi::kinds(&folder()).unwrap();
    let released: Value = serde_json::from_str(&read("released.json")).unwrap();
    let now = |kind: &str| {
        let schema: Value = serde_json::from_str(&read(&format!("{kind}.json"))).unwrap();
        assert!(is_closed(&schema), "{kind}: what is not described is not sent");
        properties(&schema)
    };
    for (kind, before) in released.as_object().unwrap() {
        assert!(kinds.contains(kind), "{kind} is gone");
        assert_eq!(keeps(before, &now(kind)), Vec::<String>::new(), "{kind}");
    }
    let all: Map<String, Value> = kinds.into_iter().map(|kind| (kind.clone(), now(&kind))).collect();
    if std::env::var("INSTA_UPDATE").is_ok_and(|it| it == "always") {
        let text = serde_json::to_string_pretty(&all).unwrap() + "\n";
        std::fs::write(folder().join("released.json"), text).unwrap();
    } else {
        assert_eq!(Value::Object(all), released, "what is new is not written down yet");
    }
}

#[tokio::test]
async fn each_sample_is_as_its_schema_says_and_understood_by_who_consumes_it() {
    let app = App::start().await;
    let samples: Value = serde_json::from_str(&read("samples.json")).unwrap();
    let sampled: Vec<String> = samples.as_object().unwrap().keys().cloned().collect();
    assert_eq!(sampled, gateway::tools::asyncapi::kinds(&folder()).unwrap(), "a sample of each event");
    let mut consumed = 0;
    for (kind, data) in samples.as_object().unwrap() {
        let schema: Value = serde_json::from_str(&read(&format!("{kind}.json"))).unwrap();
        let schema = jsonschema::options().should_validate_formats(true).build(&schema).unwrap();
        assert!(schema.is_valid(data), "{kind}: {data}");
        let with = |name: &str, value: Value| {
            let mut data = data.clone();
            data[name] = value;
            data
        };
        assert!(!schema.is_valid(&with("email", json!("ada@famille.example"))), "{kind} tells more than it says");
        for name in data.as_object().unwrap().keys() {
            assert!(!schema.is_valid(&with(name, json!({"a": [1]}))), "{kind}: {name} may be anything");
        }
        for manifest in app.gateway.app.manifests.iter().filter(|it| it.topics.contains(kind)) {
            let id = uuid::Uuid::now_v7();
            let event = json!({"specversion": "1.0", "id": id, "source": "/carnet", "type": kind, "subject": id,
                               "time": "2026-03-02T08:00:00Z", "datacontenttype": "application/json", "data": data});
            let (status, answer) = app.event(&manifest.name, event.to_string()).await;
            // That there is no such thing is not the event's fault; the deliverer keeps the event to look at.
            let unknown = manifest.name == "check-document";
            assert!(status != 422 || unknown, "{} does not understand {kind}: {answer}", manifest.name);
            let (status, _) =
                app.event(&manifest.name, event.to_string().replace("\"data\":{", "\"data\":{\"x\":1},\"y\":{")).await;
            // Partners' programs are sent what there is; what a calendar is to show is read where it is kept.
            assert!(
                status == 422 || ["plan-webhooks", "exchange-push"].contains(&&*manifest.name),
                "{} takes {kind} without its data",
                manifest.name
            );
            consumed += 1;
        }
    }
    assert!(consumed > 8, "{consumed}");
}
