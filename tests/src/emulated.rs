//! Every function behind an emulator of AWS Lambda that others wrote (cargo-lambda): HTTP API, SQS, the scheduler.

use std::path::Path;
use std::process::Command;

use axum::http::Method;
use gateway::lambda::Emulator;
use gateway::registry::FUNCTIONS;
use gateway::tools::client::Client as Http;
use runtime::Manifest;
use runtime::seals::SealKey;
use serde_json::{Value, json};

use crate::killing::gateway_process;
use crate::support::database;
use crate::support::moto::Moto;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

fn manifests() -> Vec<Manifest> {
    FUNCTIONS.iter().map(|function| function.manifest().unwrap()).collect()
}

/// This binary, with every secret there is: a function keeps those of its manifest.
fn process(url: &str) -> Command {
    let (signing, master) = database::keys();
    let pairs: Vec<(&str, String)> = vec![
        ("DATABASE_URL", url.to_owned()),
        ("CARNET_SIGNING_KEY", signing.clone()),
        ("CARNET_VERIFYING_KEYS", database::verifying()),
        ("CARNET_MASTER_KEY", master.clone()),
        ("CARNET_LOOKUP_KEY", master.clone()),
        ("CARNET_SEAL_KEY", SealKey::generate().unwrap()),
        ("SUBSCRIPTIONS", "appointment.booked.v1=notify".into()),
        ("CONSUMER_URL", "http://127.0.0.1:9".into()),
        ("RUST_LOG", "error".into()),
    ];
    let mut command = gateway_process().into_std();
    command.envs(pairs);
    command
}

/// One call of the function's first route, by nobody: what it answers must be its own, and not the platform's.
async fn call(emulator: &Emulator, manifest: &Manifest) {
    let Some(route) = manifest.routes.first() else { return };
    let path = route.path.replace("{provider}", "x").replace("{id}", "00000000-0000-7000-8000-000000000000");
    let http = Http::new(&emulator.url(&manifest.name));
    let method: Method = route.method.parse().unwrap();
    let body = (method == Method::POST).then(|| json!({}));
    let (status, answer) = http.send(method, &path, body.as_ref(), None).await.unwrap();
    let expected = if route.public { 200..500 } else { 401..402 };
    assert!(expected.contains(&status.as_u16()), "{}: {status} {answer}", manifest.name);
    assert!(status.is_success() || answer["type"].as_str().unwrap().starts_with("/problems/"), "{answer}");
}

/// What a consumer is sent that it cannot read comes back to the queue, alone.
async fn consume(emulator: &Emulator, manifest: &Manifest) {
    let mut batch = Emulator::batch(&json!({"id": "one", "what": "is this"}));
    let mut other = batch["Records"][0].clone();
    other["messageId"] = json!("two");
    other["body"] = json!("{ no JSON at all");
    batch["Records"].as_array_mut().unwrap().push(other);
    let answer = emulator.invoke(&manifest.name, &batch).await.unwrap();
    let failed = json!([{"itemIdentifier": "one"}, {"itemIdentifier": "two"}]);
    assert_eq!(answer["batchItemFailures"], failed, "{}: {answer}", manifest.name);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_function_answers_behind_an_emulator_of_lambda() {
    let url = database::fresh().await;
    let emulator = Emulator::start(root()).await.unwrap();
    let manifests = manifests();
    // A few at a time: each is a process of its own.
    for some in manifests.chunks(7) {
        let instances: Vec<_> =
            some.iter().map(|manifest| emulator.instance(process(&url), &manifest.name).unwrap()).collect();
        for manifest in some {
            call(&emulator, manifest).await;
            if !manifest.topics.is_empty() {
                consume(&emulator, manifest).await;
            }
            if manifest.schedule.is_some() {
                assert_eq!(emulator.invoke(&manifest.name, &Emulator::tick()).await.unwrap(), json!({}));
            }
            let unknown: Value = json!({"Records": [{"eventSource": "aws:s3"}]});
            assert!(emulator.invoke(&manifest.name, &unknown).await.is_err(), "{}", manifest.name);
        }
        assert_eq!(instances.len(), some.len());
    }
}

#[test]
fn every_schedule_is_one_that_eventbridge_keeps() {
    let moto = Moto::start();
    let mut count = 0;
    for manifest in manifests() {
        let Some(schedule) = &manifest.schedule else { continue };
        let expression = runtime::schedule::eventbridge(schedule).unwrap();
        let kept = moto.schedule(&manifest.name, &expression);
        assert!(kept.contains(&expression), "{}: {kept}", manifest.name);
        count += 1;
    }
    assert!(count >= 7, "{count} schedules");
}
