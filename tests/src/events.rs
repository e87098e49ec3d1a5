//! Events say what their schema says, and nothing about anybody.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::App;
use crate::support::app::book;

fn folder() -> PathBuf {
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
