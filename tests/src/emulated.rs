//! Every function behind an emulator of AWS Lambda that others wrote (cargo-lambda): HTTP API, SQS, the scheduler.

use std::path::Path;
use std::process::Command;

use axum::body::Body;
use axum::http::Method;
use gateway::lambda::Emulator;
use gateway::registry::FUNCTIONS;
use gateway::tools::client::Client as Http;
use runtime::Manifest;
use runtime::config::Config;
use runtime::seals::SealKey;
use serde_json::{Value, json};

use crate::killing::gateway_process;
use crate::support::moto::Moto;
use crate::support::{Client, database};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

fn manifests() -> Vec<Manifest> {
    FUNCTIONS.iter().map(|function| function.manifest().unwrap()).collect()
}

/// Every secret there is: a function keeps those of its manifest.
fn variables(url: &str) -> Vec<(&'static str, String)> {
    let (signing, master) = database::keys();
    vec![
        ("DATABASE_URL", url.to_owned()),
        ("CARNET_SIGNING_KEY", signing.clone()),
        ("CARNET_VERIFYING_KEYS", database::verifying()),
        ("CARNET_MASTER_KEY", master.clone()),
        ("CARNET_LOOKUP_KEY", master.clone()),
        ("CARNET_SEAL_KEY", SealKey::generate().unwrap()),
        ("SUBSCRIPTIONS", "appointment.booked.v1=notify".into()),
        ("CONSUMER_URL", "http://127.0.0.1:9".into()),
        ("RUST_LOG", "error".into()),
    ]
}

/// This binary, as a function behind the emulator.
fn process(url: &str) -> Command {
    let mut command = gateway_process().into_std();
    command.envs(variables(url));
    command
}

/// The function with the same variables by itself, and no platform before it.
fn native(url: &str, manifest: &Manifest) -> Client {
    let variables = variables(url);
    let given = |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| value.clone());
    let ctx = runtime::host::context(&Config::read(given).unwrap(), manifest).unwrap();
    let function = gateway::registry::find(&manifest.name).unwrap();
    Client::new(runtime::host::assemble(&[function], &ctx).unwrap().public)
}

/// What does not change from one moment to the next: of a list that begins with the next free time, what it consists of.
fn lasting(answer: &Value) -> Value {
    match answer.as_object().filter(|answer| !answer.contains_key("type")) {
        // Nothing is read as either.
        None if answer == "" => Value::Null,
        Some(fields) => fields.keys().cloned().collect(),
        None => answer.clone(),
    }
}

/// One call of the function's first route, by nobody: what it answers is what it answers anywhere.
async fn call(emulator: &Emulator, url: &str, manifest: &Manifest) {
    let Some(route) = manifest.routes.first() else { return };
    let path = ["{provider}", "{token}"].iter().fold(route.path.clone(), |path, name| path.replace(name, "x"));
    let path = path.replace("{id}", "00000000-0000-7000-8000-000000000000");
    let method: Method = route.method.parse().unwrap();
    let body = (method == Method::POST).then(|| json!({}));
    let client = native(url, manifest);
    let request = client.request(method.clone(), &path);
    let request = match &body {
        Some(body) => request.header("content-type", "application/json").body(Body::from(body.to_string())),
        None => request.body(Body::empty()),
    };
    let expected = client.send(request.unwrap()).await;
    // It is an answer of the function's own: neither a breakdown nor that of a router that does not know the route.
    assert!(!expected.status.is_server_error(), "{}: {expected:?}", manifest.name);
    assert_eq!(expected.status == 401, !route.public, "{}: {expected:?}", manifest.name);
    assert_ne!(expected.status, 405, "{}: {expected:?}", manifest.name);

    let http = Http::new(&emulator.url(&manifest.name));
    let (status, answer) = http.send(method, &path, body.as_ref(), None).await.unwrap();
    assert_eq!((status, lasting(&answer)), (expected.status, lasting(&expected.body)), "{}", manifest.name);
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
            call(&emulator, &url, manifest).await;
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
