//! The same functions as containers and on AWS Lambda.

use std::time::Duration;

use axum::http::{Method, StatusCode};
use gateway::tools::client::Client as Http;
use runtime::host::lambda;
use serde_json::{Value, json};

use crate::killing::{Running, gateway_process};
use crate::support::app::book;
use crate::support::lambda::Platform;
use crate::support::{App, database};

fn payload(name: &str) -> Value {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../events").join(name);
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

#[tokio::test]
async fn an_http_api_event_is_answered_as_the_gateway_would() {
    let app = App::start().await;
    let answer = lambda::handle("search", &app.gateway.app, payload("lambda-http-api-v2.json")).await.unwrap();
    assert_eq!((&answer["statusCode"], &answer["isBase64Encoded"]), (&json!(200), &json!(false)));
    assert_eq!(answer["headers"]["content-type"], "application/json");
    let body: Value = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
    assert_eq!(body, app.nobody().speaking("en").get("/v1/specialties").await.expect(200));

    // As much as API Gateway lets through, and more than we read.
    let mut large = payload("lambda-http-api-v2.json");
    large["rawPath"] = json!("/v1/sessions");
    large["requestContext"]["http"]["path"] = json!("/v1/sessions");
    large["requestContext"]["http"]["method"] = json!("POST");
    large["headers"]["content-type"] = json!("application/json");
    large["body"] = json!(json!({"email": "a".repeat(5 << 20)}).to_string());
    let answer = lambda::handle("sign-in", &app.gateway.app, large).await.unwrap();
    assert_eq!(answer["statusCode"], 413, "{answer}");

    let mut wrong = payload("lambda-http-api-v2.json");
    wrong["rawPath"] = json!("/_events/expire-holds");
    wrong["requestContext"]["http"]["path"] = json!("/_events/expire-holds");
    wrong["requestContext"]["http"]["method"] = json!("POST");
    let answer = lambda::handle("expire-holds", &app.gateway.app, wrong).await.unwrap();
    assert_eq!(answer["statusCode"], 404, "triggers are not public");
}

#[tokio::test]
async fn of_an_sqs_batch_only_the_failed_records_come_back() {
    let app = App::start().await;
    let ada = app.patient().await;
    let slots = app.lyon_slots().await;
    let appointment = book(&ada, &slots[0]).await.expect(201);
    let mut batch = payload("sqs-batch.json");
    let event = app
        .sql("select jsonb_build_object('specversion', '1.0', 'id', id, 'source', '/carnet', 'type', kind, 'subject', subject,
                     'time', occurred_at, 'datacontenttype', 'application/json', 'data', data) from outbox")
        .await;
    batch["Records"][0]["body"] = json!(event[0].to_string());
    let answer = lambda::handle("notify", &app.gateway.app, batch).await.unwrap();
    assert_eq!(answer, json!({"batchItemFailures": [{"itemIdentifier": "2e1424d4-f796-459a-8184-9c92662be6da"}]}));
    assert_eq!(app.mails(&ada.email).len(), 1, "{appointment}");
}

#[tokio::test]
async fn a_tick_runs_the_function_and_a_failing_one_is_told_to_the_platform() {
    let app = App::start().await;
    let tick = payload("eventbridge-tick.json");
    assert_eq!(lambda::handle("expire-holds", &app.gateway.app, tick.clone()).await.unwrap(), json!({}));
    app.close_database().await;
    assert!(lambda::handle("expire-holds", &app.gateway.app, tick).await.is_err());
    assert!(lambda::handle("search", &app.gateway.app, json!({"what": "is this"})).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_binary_serves_invocations_of_the_lambda_runtime_api_and_outlives_those_that_are_none() {
    let url = database::fresh().await;
    let platform = Platform::start().await;
    // In base64 by its own word, which it is not; of no kind; and one that is sound.
    let mut undecodable = payload("lambda-http-api-v2.json");
    undecodable["isBase64Encoded"] = json!(true);
    undecodable["body"] = json!("%%%");
    for event in [undecodable, json!({"what": "is this"}), payload("lambda-http-api-v2.json")] {
        platform.give(event);
    }
    let _function = platform.environment("search", &url, &[]);
    let answers = platform.answers(3).await;
    let kinds: Vec<&str> = answers.iter().map(|(kind, _)| kind.as_str()).collect();
    assert_eq!(kinds, ["error", "error", "response"], "{answers:?}");
    assert_eq!(answers[2].1["statusCode"], 200, "{answers:?}");
}

/// A function that takes longer than it may is not told so: its process is gone, in the middle of whatever it did.
#[tokio::test(flavor = "multi_thread")]
async fn a_function_that_is_killed_at_its_time_limit_has_done_all_or_nothing_and_asked_again_it_is_done_once() {
    let app = App::start().await;
    let ada = app.patient().await;
    let slots = app.lyon_slots().await;
    let monday = [("CARNET_ENV", "development"), ("CARNET_CLOCK", crate::support::app::MONDAY)];
    let waiting =
        "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
    // Its statement ends by itself after the process, or is broken off with it.
    for (round, broken_off) in [(0, false), (1, true)] {
        let mut event = payload("lambda-http-api-v2.json");
        event["rawPath"] = json!("/v1/appointments");
        event["requestContext"]["http"]["path"] = json!("/v1/appointments");
        event["requestContext"]["http"]["method"] = json!("POST");
        event["headers"]["authorization"] = json!(format!("Bearer {}", ada.token()));
        event["headers"]["idempotency-key"] = json!(format!("key-{round}"));
        event["headers"]["content-type"] = json!("application/json");
        event["body"] = json!(json!({"slot": slots[round * 4]["slot"]}).to_string());
        let platform = Platform::start().await;
        let mut held = app.pool().begin().await.unwrap();
        sqlx::query("lock table appointment in share mode").execute(&mut *held).await.unwrap();
        platform.give(event.clone());
        let mut function = platform.environment("book", &app.url, &monday);
        until(&app, waiting, 1).await;
        function.kill().await.unwrap();
        if broken_off {
            let end = "select count(pg_terminate_backend(pid)) from pg_stat_activity
                       where datname = current_database() and wait_event_type = 'Lock'";
            assert_eq!(app.count(end).await, 1);
        }
        held.rollback().await.unwrap();
        let active = "select count(*) from pg_stat_activity
                      where datname = current_database() and backend_type = 'client backend' and state <> 'idle'
                      and pid <> pg_backend_pid()";
        until(&app, active, 0).await;
        let made = app.count("select count(*) from appointment").await - i64::try_from(round).unwrap();
        assert!(made == 0 || (made == 1 && !broken_off), "{made}");
        crate::races::consistent(&app).await;

        platform.give(event.clone());
        platform.give(event);
        let _next = platform.environment("book", &app.url, &monday);
        let answers = platform.answers(2).await;
        let ids = answers.iter().map(|(kind, answer)| {
            assert_eq!((kind.as_str(), &answer["statusCode"]), ("response", &json!(201)), "{answer}");
            serde_json::from_str::<Value>(answer["body"].as_str().unwrap()).unwrap()["id"].take()
        });
        let ids: Vec<Value> = ids.collect();
        assert_eq!(ids[0], ids[1]);
        assert_eq!(app.count("select count(*) from appointment").await, i64::try_from(round).unwrap() + 1);
    }
    crate::races::consistent(&app).await;
}

/// Until the database says so.
async fn until(app: &App, sql: &'static str, count: i64) {
    for _ in 0..400 {
        if app.count(sql).await == count {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("never {count}: {sql}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_function_alone_serves_its_own_routes_and_its_trigger_to_who_bears_the_secret() {
    let url = database::fresh().await;
    let running = Running::start(&url, &[("FUNCTION", "expire-holds"), ("EVENTS_SECRET", "the secret")]).await;
    let http = Http::new(&running.address);
    assert_eq!(http.send(Method::GET, "/healthz", None, None).await.unwrap().0, StatusCode::OK);
    assert_eq!(http.send(Method::GET, "/v1/specialties", None, None).await.unwrap().0, StatusCode::NOT_FOUND);
    let tick =
        async |http: &Http| http.send(Method::POST, "/_events/expire-holds", Some(&json!({})), None).await.unwrap().0;
    assert_eq!(tick(&http).await, StatusCode::NOT_FOUND);
    assert_eq!(tick(&http.bearing("not it")).await, StatusCode::NOT_FOUND);
    assert_eq!(tick(&http.bearing("the secret")).await, StatusCode::NO_CONTENT);
}

#[tokio::test(flavor = "multi_thread")]
async fn told_to_stop_the_gateway_finishes_what_is_under_way() {
    let app = App::start().await;
    let ada = app.patient().await;
    let mut running = Running::start(&app.url, &[("CARNET_ENV", "development")]).await;
    // Hashing a password takes a while: long enough to be told to stop meanwhile.
    let http = Http::new(&running.address);
    let session = json!({"email": ada.email, "password": "une phrase assez longue"});
    let requests: Vec<_> = (0..8).map(|_| http.send(Method::POST, "/v1/sessions", Some(&session), None)).collect();
    let stop = async {
        tokio::time::sleep(Duration::from_millis(30)).await;
        running.signal("TERM");
    };
    let (answers, ()) = futures_util::future::join(futures_util::future::join_all(requests), stop).await;
    for answer in answers {
        assert_eq!(answer.expect("an answer, not a broken connection").0, StatusCode::CREATED);
    }
    let ended = tokio::time::timeout(Duration::from_secs(20), running.process.wait()).await.expect("it ends");
    assert!(ended.unwrap().success());
}

/// What a process says that is started with these variables and no others, and the number that it ends with.
async fn refusal(variables: &[(&str, &str)]) -> (String, Option<i32>) {
    let mut process = gateway_process();
    let inherited: Vec<_> = std::env::vars_os().map(|(name, _)| name).filter(|name| name != "PATH").collect();
    for name in inherited {
        process.env_remove(name);
    }
    let output = process.envs(variables.iter().copied()).output().await.unwrap();
    let said = [output.stdout, output.stderr].concat();
    (String::from_utf8_lossy(&said).into_owned(), output.status.code())
}

#[tokio::test]
async fn a_process_names_every_variable_at_fault_in_one_message_and_ends_with_78() {
    let faulty = [
        ("FUNCTION", "book"),
        ("PORT", "eighty"),
        ("RATE_LIMIT_ADDRESS_PER_MINUTE", "many"),
        ("TRUSTED_PROXIES", "the one in front"),
        ("PUBLIC_URL", "carnet"),
        ("SMTP_URL", "mail"),
        ("DATABASE_URL", "mysql://localhost/x"),
        ("CARNET_MASTER_KEY", "s3cret!"),
        ("QUEUE_URL", "amqp://queue"),
        ("DATABASE_POOL", "0"),
        ("DATABASE_ROLE", "a b;c"),
        ("BIND", "nonsense"),
        ("CONSUMER_URL", "nonsense"),
        ("SUBSCRIPTIONS", "a=s3cret!,s3cret!"),
    ];
    let (said, code) = refusal(&faulty).await;
    let line = said.lines().find(|line| line.contains("cannot start")).unwrap();
    for (name, _) in faulty.iter().skip(1).filter(|(name, _)| *name != "SMTP_URL") {
        assert!(line.contains(name), "{name} is not in: {line}");
    }
    assert!(line.contains("CARNET_VERIFYING_KEYS: is missing"), "{line}");
    assert!(!line.contains("SMTP_URL"), "which booking needs not: {line}");
    assert!(!said.contains("s3cret!") && !said.contains("mysql"), "no value: {said}");
    assert_eq!(code, Some(78));

    let (said, _) = refusal(&[("FUNCTION", "search")]).await;
    for name in ["DATABASE_URL: is missing", "CARNET_LOOKUP_KEY: is missing"] {
        assert!(said.contains(name), "{name} is not in: {said}");
    }
    let everything = [
        ("FUNCTION", ""),
        ("CARNET_MASTER_KEY", "x"),
        ("MAX_CONNECTIONS", "0"),
        ("SMS_URL", "pigeon"),
        ("SMTP_URL", "mail"),
        ("CARNET_SEALS", "ftp://x"),
        ("PORT", "8099"),
        ("EVENTS_PORT", "8099"),
        // Behind another one that is at fault as well.
        ("CARNET_MASTER_KEYS_BEFORE", "s3cret!"),
        ("CARNET_LOOKUP_KEY", "s3cret!"),
        ("CARNET_SIGNING_KEYS_BEFORE", "s3cret!"),
        ("CARNET_VERIFYING_KEYS", "s3cret!"),
        ("CARNET_SEAL_KEY", "s3cret!"),
        ("TLS_CERTIFICATE", "/nowhere/s3cret!.pem"),
        ("TLS_KEY", "/dev/null"),
        ("MAIL_FROM", "s3cret!"),
        ("PUSH_KEY", "s3cret!"),
        ("PUSH_CONTACT", "s3cret!"),
        ("CARNET_DOCUMENTS", "s3cret!"),
        ("CARNET_UPLOADS", "s3cret!"),
        ("AWS_ACCESS_KEY_ID", "id"),
        ("AWS_SECRET_ACCESS_KEY", "s3cret!"),
    ];
    let (said, code) = refusal(&everything).await;
    let named = everything.iter().map(|(name, _)| *name);
    let named = named.filter(|name| !["FUNCTION", "PORT", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"].contains(name));
    for name in named {
        // Not as the beginning of another one's name.
        assert!([':', ' '].iter().any(|end| said.contains(&format!("{name}{end}"))), "{name}: {said}");
    }
    assert!(said.contains("CARNET_SIGNING_KEY: is missing"), "{said}");
    assert!(!said.contains("s3cret!"), "no value: {said}");
    assert_eq!(code, Some(78));
    assert_eq!(refusal(&[("FUNCTION", "no-such")]).await.1, Some(78));
    // In development too, and before a PostgreSQL of its own starts.
    let state = database::scratch().join(format!("misconfigured-{}", std::process::id()));
    let state_text = state.display().to_string();
    let (said, code) =
        refusal(&[("CARNET_ENV", "development"), ("CARNET_STATE", &state_text), ("SMTP_URL", "mail")]).await;
    assert!(said.contains("SMTP_URL") && code == Some(78), "{said}");
    assert!(!state.join("postgres").exists(), "PostgreSQL was started");
}

#[tokio::test]
async fn behind_a_stage_that_has_a_name_the_paths_are_the_same() {
    let app = App::start().await;
    let mut event = payload("lambda-http-api-v2.json");
    for (stage, path, wanted) in [
        ("prod", "/prod/v1/specialties", 200),
        ("$default", "/v1/specialties", 200),
        ("prod", "/v1/specialties", 200),
        ("prod", "/production/v1/specialties", 404),
    ] {
        event["requestContext"]["stage"] = json!(stage);
        event["rawPath"] = json!(path);
        let answer = lambda::handle("search", &app.gateway.app, event.clone()).await.unwrap();
        assert_eq!(answer["statusCode"], wanted, "{stage} {path}");
    }
}

#[tokio::test]
async fn events_that_come_twice_or_late_or_too_large_do_no_harm() {
    let app = App::start().await;
    let ada = app.patient().await;
    let slots = app.lyon_slots().await;
    let appointment = book(&ada, &slots[0]).await.expect(201);
    let path = format!("/v1/appointments/{}/cancellation", appointment["id"].as_str().unwrap());
    ada.post(&path, &json!({"reason": "x"})).await.expect(200);
    let events = app
        .sql("select jsonb_build_object('specversion', '1.0', 'id', id, 'source', '/carnet', 'type', kind, 'subject', subject,
                     'time', occurred_at, 'datacontenttype', 'application/json', 'data', data)
              from outbox where kind like 'appointment.%' order by seq")
        .await;
    let [booked, cancelled] = &events[..] else { panic!("{events:?}") };
    let record = |id: &str, body: String| {
        let mut batch = payload("sqs-batch.json");
        let mut record = batch["Records"][0].take();
        record["messageId"] = json!(id);
        record["body"] = json!(body);
        record
    };
    // The later event first, each twice; with them what nobody can read, and what is far too large.
    let mut large = booked.clone();
    large["data"] = json!({"x": "y".repeat(200_000)});
    let batch = json!({"Records": [
        record("later", cancelled.to_string()), record("earlier", booked.to_string()),
        record("later again", cancelled.to_string()), record("earlier again", booked.to_string()),
        record("nonsense", "]".into()), record("empty", String::new()), record("large", large.to_string()),
    ]});
    let answer = lambda::handle("notify", &app.gateway.app, batch.clone()).await.unwrap();
    let failed = |answer: &Value| -> Vec<String> {
        let list = answer["batchItemFailures"].as_array().unwrap();
        list.iter().map(|it| it["itemIdentifier"].as_str().unwrap().to_owned()).collect()
    };
    // Of twins under way at once, one may be told to come again.
    let unreadable = ["nonsense", "empty", "large"];
    assert!(unreadable.iter().all(|id| failed(&answer).contains(&(*id).to_owned())), "{answer}");
    let answer = lambda::handle("notify", &app.gateway.app, batch).await.unwrap();
    assert_eq!(failed(&answer), unreadable);
    let subjects: Vec<String> = app.mails(&ada.email).into_iter().map(|mail| mail.subject).collect();
    assert_eq!(subjects.len(), 1, "no confirmation of what is cancelled, and one word of that: {subjects:?}");
    // Broken payloads of the platform itself are its failure, told to it.
    for broken in [
        json!(null),
        json!([]),
        json!({"Records": []}),
        json!({"Records": [{"eventSource": "aws:sqs", "body": 7}]}),
        json!({"requestContext": {"http": {"method": "GET"}}, "version": 2}),
        json!({"requestContext": {"http": 3}}),
        json!({"source": 3}),
        // One that failed and has no name: nothing could be said of it.
        json!({"Records": [{"eventSource": "aws:sqs", "body": "]"}, {"eventSource": "aws:sqs", "body": "]", "messageId": "m"}]}),
    ] {
        assert!(lambda::handle("notify", &app.gateway.app, broken.clone()).await.is_err(), "{broken}");
    }
}
