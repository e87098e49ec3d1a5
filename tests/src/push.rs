//! Browsers that are told: whose they are, how long, and what reaches them, opened by a library that is not ours.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64_URL;
use domain::SignedDuration;
use futures_util::future::join_all;
use runtime::actor::system;
use runtime::config::Config;
use runtime::push::{LONGEST, Message, Push, PushError, Stored, Subscription, Urgency, generate_key};
use serde_json::{Value, json};
use store::shared::{PUSH_SUBSCRIPTIONS, SUBSCRIPTION_GONE};
use store::{Query as _, params};
use uuid::Uuid;

use crate::account_life::{PHRASE, signed_in};
use crate::secrets::dump;
use crate::support::{App, Client, logs, python};

const PATH: &str = "/v1/push-subscriptions";
/// RFC 8291, appendix A.
const KEY: &str = "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4";
const SECRET: &str = "BTBZMqHH6r4Tts7J_aSIgg";

/// What a browser sends of itself.
pub fn wish(endpoint: &str) -> Value {
    json!({"endpoint": endpoint, "keys": {"p256dh": KEY, "auth": SECRET}})
}

/// Every statement, those for who sends too.
pub async fn walk(app: &App) {
    let ada = app.patient_named("navigateur@famille.example", "fr").await;
    let made = ada.post(PATH, &wish("https://push.example/marche")).await.expect(201);
    ada.get(PATH).await.expect(200);
    forget(app, &stored(app).await[0]).await;
    ada.post(&format!("{PATH}/{}/removal", made["id"].as_str().unwrap()), &json!({})).await.problem(404);
}

/// Where the browsers are reached of an account that has one, as who sends reads it.
async fn stored(app: &App) -> Vec<Value> {
    let whose = app.sql("select distinct to_jsonb(account_id) from push_subscription").await;
    let account: Uuid = serde_json::from_value(whose[0].clone()).unwrap();
    app.gateway.ctx.db.many(&PUSH_SUBSCRIPTIONS, params![account]).await.unwrap()
}

/// As who sends does it when a push service does not know the browser any more.
async fn forget(app: &App, stored: &Value) -> i64 {
    let (id, sealed) = (stored["id"].as_str().unwrap(), stored["sealed"].as_str().unwrap());
    let parameters = params![system(app.now()), id.parse::<Uuid>().unwrap(), sealed.to_owned()];
    app.gateway.ctx.db.one(&SUBSCRIPTION_GONE, parameters).await.unwrap()["gone"].as_i64().unwrap()
}

async fn labels(client: &Client) -> Vec<String> {
    let list = client.get(PATH).await.expect(200);
    list["items"].as_array().unwrap().iter().map(|it| it["label"].as_str().unwrap_or_default().to_owned()).collect()
}

async fn count(app: &App) -> i64 {
    app.count("select count(*) from push_subscription").await
}

#[tokio::test]
async fn a_browser_subscribes_once_and_is_listed_and_removed_by_its_account_alone() {
    let app = App::start().await;
    let (ada, ben) = (app.patient().await, app.patient().await);
    let mut asked = wish("https://updates.push.example/wpush/v2/Aa-0");
    asked["label"] = json!(" Téléphone d’Ada ");
    let made = ada.post(PATH, &asked).await.expect(201);
    assert_eq!(
        (&made["label"], &made["service"], &made["current"]),
        (&json!("Téléphone d’Ada"), &json!("updates.push.example"), &json!(true))
    );
    assert!(made["created_at"].as_str().unwrap().starts_with("2026-03-02T08:00:0"), "{made}");
    app.later(SignedDuration::from_mins(1));
    asked["label"] = json!("Le même");
    let again = ada.post(PATH, &asked).await.expect(200);
    assert_eq!((&again["id"], &again["created_at"]), (&made["id"], &made["created_at"]));
    assert_eq!(ada.get(PATH).await.expect(200)["items"], json!([again]));
    // From another session of hers it is not the present one.
    let elsewhere = signed_in(&app, &ada.email, PHRASE).await;
    assert_eq!(elsewhere.get(PATH).await.expect(200)["items"][0]["current"], false);
    let removal = format!("{PATH}/{}/removal", made["id"].as_str().unwrap());
    assert_eq!(ben.get(PATH).await.expect(200)["items"], json!([]));
    ben.post(&removal, &json!({})).await.problem(404);
    elsewhere.post(&removal, &json!({})).await.expect(204);
    elsewhere.post(&removal, &json!({})).await.problem(404);
    assert_eq!(count(&app).await, 0);
    let traces =
        "select count(*) from audit where event in ('push.subscribe', 'push.unsubscribe') and outcome = 'success'";
    assert_eq!(app.count(traces).await, 3);
}

#[tokio::test]
async fn what_is_no_subscription_is_told_by_its_field() {
    let app = App::on(App::start().await.url.clone(), &[("CARNET_ENV", "production")]).await;
    let ada = app.patient().await;
    for (pointer, value, field) in [
        ("/endpoint", json!("http://push.example/p"), "endpoint"),
        ("/endpoint", json!("http://127.0.0.1/p"), "endpoint"),
        ("/endpoint", json!("ftp://push.example/p"), "endpoint"),
        ("/endpoint", json!("a".repeat(1025)), "endpoint"),
        ("/keys/p256dh", json!(SECRET), "keys.p256dh"),
        ("/keys/auth", json!(KEY), "keys.auth"),
        ("/keys/auth", json!("\u{0}"), "keys.auth"),
    ] {
        let mut bad = wish("https://push.example/p");
        *bad.pointer_mut(pointer).unwrap() = value;
        let refused = ada.post(PATH, &bad).await;
        assert_eq!((refused.problem(422), &refused.body["field"]), ("field-invalid", &json!(field)), "{bad}");
        assert!(refused.body["detail"].is_string(), "{}", refused.body);
    }
    for missing in ["endpoint", "keys"] {
        let mut bad = wish("https://push.example/p");
        bad.as_object_mut().unwrap().remove(missing);
        assert_eq!(ada.post(PATH, &bad).await.problem(422), "field-missing");
    }
    assert_eq!(count(&app).await, 0);
}

#[tokio::test]
async fn one_browser_is_the_newest_account_s() {
    let app = App::start().await;
    let (ada, ben) = (app.patient().await, app.patient().await);
    let browser = wish("https://push.example/family-computer");
    let hers = ada.post(PATH, &browser).await.expect(201);
    let his = ben.post(PATH, &browser).await.expect(201);
    assert_ne!(hers["id"], his["id"]);
    assert_eq!(ada.get(PATH).await.expect(200)["items"], json!([]));
    assert_eq!(ben.get(PATH).await.expect(200)["items"][0]["id"], his["id"]);
    // What was sealed for her opens with his key by now.
    let [it] = &stored(&app).await[..] else { panic!("one") };
    let it: Stored = serde_json::from_value(it.clone()).unwrap();
    assert_eq!(it.open(&app.gateway.ctx.keys).await.unwrap().service(), "push.example");
    // Many at once, from both: one row, and no deadlock.
    let both = join_all(
        (0..20).map(|number| if number % 2 == 0 { ada.post(PATH, &browser) } else { ben.post(PATH, &browser) }),
    );
    assert!(both.await.iter().all(|answer| answer.status.is_success()));
    assert_eq!(count(&app).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_browsers_at_once_ten_are_told() {
    let app = App::start().await;
    let ada = app.patient().await;
    let wishes: Vec<Value> = (0..20).map(|number| wish(&format!("https://push.example/{number}"))).collect();
    let answers = join_all(wishes.iter().map(|wish| ada.post(PATH, wish))).await;
    let refused = answers.iter().filter(|answer| answer.status == StatusCode::CONFLICT);
    assert_eq!(refused.map(|answer| answer.problem(409)).collect::<Vec<_>>(), ["too-many-browsers"; 10]);
    assert_eq!(count(&app).await, 10);
    // One of the ten is so still, and where one goes another may come.
    let kept = answers.iter().position(|answer| answer.status == StatusCode::CREATED).unwrap();
    let kept = ada.post(PATH, &wishes[kept]).await.expect(200);
    let left_out = answers.iter().position(|answer| answer.status == StatusCode::CONFLICT).unwrap();
    ada.post(&format!("{PATH}/{}/removal", kept["id"].as_str().unwrap()), &json!({})).await.expect(204);
    ada.post(PATH, &wishes[left_out]).await.expect(201);
}

#[tokio::test]
async fn a_browser_is_told_no_longer_once_its_session_was_ended_in_whatever_way() {
    let app = App::start().await;
    let ada = app.patient().await;
    let here = async || signed_in(&app, &ada.email, PHRASE).await;
    // Signed out there.
    let (first, second) = (here().await, here().await);
    for (session, label) in [(&first, "1"), (&second, "2")] {
        let mut asked = wish(&format!("https://push.example/{label}"));
        asked["label"] = json!(label);
        session.post(PATH, &asked).await.expect(201);
    }
    assert_eq!(labels(&ada).await, ["1", "2"]);
    first.post("/v1/sessions/end", &json!({})).await.expect(204);
    assert_eq!(labels(&ada).await, ["2"]);
    // From another place.
    ada.post("/v1/sessions/end-all", &json!({"keep_current": true})).await.expect(200);
    assert_eq!(count(&app).await, 0);
    // By another password.
    here().await.post(PATH, &wish("https://push.example/3")).await.expect(201);
    let change = json!({"current_password": PHRASE, "password": "une autre phrase longue"});
    ada.post("/v1/accounts/password", &change).await.expect(204);
    assert_eq!(count(&app).await, 0);
    // With the account.
    ada.post(PATH, &wish("https://push.example/4")).await.expect(201);
    let close = json!({"password": "une autre phrase longue"});
    ada.post("/v1/accounts/closure", &close).await.expect(204);
    assert_eq!(count(&app).await, 0);
}

#[tokio::test]
async fn of_a_sign_out_and_a_subscription_at_once_nothing_is_left() {
    let app = App::start().await;
    let ada = app.patient().await;
    let (wish, none) = (wish("https://push.example/late"), json!({}));
    for _ in 0..10 {
        let session = signed_in(&app, &ada.email, PHRASE).await;
        let (subscribed, ended) = tokio::join!(session.post(PATH, &wish), session.post("/v1/sessions/end", &none));
        ended.expect(204);
        assert!([200, 201, 401].contains(&subscribed.status.as_u16()), "{}", subscribed.body);
        assert_eq!(count(&app).await, 0);
    }
}

#[tokio::test]
async fn who_goes_on_with_a_second_factor_takes_the_browser_along_and_nobody_comes_by_it() {
    let app = App::start().await;
    let ada = app.patient().await;
    let before = signed_in(&app, &ada.email, PHRASE).await;
    before.post(PATH, &wish("https://push.example/1")).await.expect(201);
    let (_, _, codes) = crate::second_factors::with_app(&app, &ada).await;
    assert_eq!(before.post(PATH, &wish("https://push.example/2")).await.problem(403), "second-factor-needed");
    let raised = before.post("/v1/sessions/second-factor", &json!({"otp": codes[0]})).await.expect(200);
    let after = app.nobody().bearing(raised["access_token"].as_str().unwrap());
    assert_eq!(after.get(PATH).await.expect(200)["items"][0]["current"], true);
    after.post("/v1/sessions/end", &json!({})).await.expect(204);
    assert_eq!(count(&app).await, 0);
}

#[tokio::test]
async fn one_that_is_gone_is_forgotten_unless_it_came_back() {
    let app = App::start().await;
    let ada = app.patient().await;
    ada.post(PATH, &wish("https://push.example/1")).await.expect(201);
    let before = stored(&app).await.remove(0);
    // Told the same address again, with other keys, between being sent to and the answer.
    ada.post(PATH, &wish("https://push.example/1")).await.expect(200);
    assert_eq!(forget(&app, &before).await, 0);
    let now = stored(&app).await.remove(0);
    assert_eq!((forget(&app, &now).await, forget(&app, &now).await), (1, 0));
    assert_eq!(app.count("select count(*) from audit where event = 'push.gone' and actor_kind = 'system'").await, 1);
}

#[tokio::test]
async fn neither_address_nor_keys_nor_name_are_kept_in_clear() {
    let app = App::start().await;
    logs::keep_secret("Aa-0Zz-9-Aa-0Zz-9");
    let mut asked = wish("https://push.example/Aa-0Zz-9-Aa-0Zz-9");
    asked["label"] = json!("Ordinateur de Zéphyrine");
    app.patient().await.post(PATH, &asked).await.expect(201);
    let dump = dump(app.pool()).await;
    for secret in ["push.example", "aa-0zz-9", &KEY.to_lowercase(), &SECRET.to_lowercase(), "zéphyrine"] {
        assert!(!dump.contains(secret), "{secret}");
    }
}

#[tokio::test]
async fn anybody_is_told_the_key_where_push_is_sent() {
    let home = App::start().await;
    assert_eq!(home.nobody().get("/v1/push-key").await.expect(200), json!({"key": null}));
    // RFC 8291, appendix A: a key and its public half.
    let app = App::on(home.url.clone(), &[("PUSH_KEY", "q1dXpw3UpT5VOmu_cf_v6ih07Aems3njxI-JWgLcM94")]).await;
    assert_eq!(app.nobody().get("/v1/push-key").await.expect(200), json!({"key": KEY}));
}

/// A browser, as Mozilla's libraries are one.
pub struct Browser {
    keys: Value,
}

impl Browser {
    pub fn new() -> Self {
        Self { keys: ask(&json!({})) }
    }

    fn subscription(&self, endpoint: &str) -> Subscription {
        let key = |name: &str| self.keys[name].as_str().unwrap();
        Subscription::new(endpoint, key("p256dh"), key("auth"), true).unwrap()
    }

    /// What it sends of itself.
    pub fn wish(&self, endpoint: &str) -> Value {
        json!({"endpoint": endpoint, "keys": {"p256dh": self.keys["p256dh"], "auth": self.keys["auth"]}})
    }

    pub fn open(&self, posted: &Posted) -> Value {
        ask(
            &json!({"private": self.keys["private"], "auth": self.keys["auth"], "body": BASE64_URL.encode(&posted.body),
                    "authorization": posted.headers["authorization"].to_str().unwrap()}),
        )
    }
}

/// One question to `tests/push/browser.py`.
fn ask(question: &Value) -> Value {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"));
    // Of Mozilla's: RFC 8188 and RFC 8291, and RFC 8292.
    let mut command = python(&["http-ece==1.2.1", "py-vapid==1.9.6"]);
    command.arg(format!("{folder}/push/browser.py")).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    writeln!(child.stdin.take().unwrap(), "{question}").unwrap();
    let mut answer = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut answer).unwrap();
    child.wait().unwrap();
    serde_json::from_str(&answer).unwrap_or_else(|error| panic!("{error}: {answer}"))
}

#[derive(Clone)]
pub struct Posted {
    headers: HeaderMap,
    body: Bytes,
}

pub type Seen = Arc<Mutex<Vec<Posted>>>;

/// A push service: what it answers stands in the address.
async fn take(State(seen): State<Seen>, Path(mood): Path<String>, headers: HeaderMap, body: Bytes) -> Response {
    seen.lock().unwrap().push(Posted { headers, body });
    match mood.as_str() {
        "hang" => std::future::pending().await,
        "elsewhere" => (StatusCode::FOUND, [("location", "/201")]).into_response(),
        "busy" => (StatusCode::TOO_MANY_REQUESTS, [("retry-after", "120")]).into_response(),
        "endless" => (StatusCode::CREATED, "a".repeat(100_000)).into_response(),
        status => StatusCode::from_u16(status.parse().unwrap()).unwrap().into_response(),
    }
}

pub async fn push_service() -> (String, Seen) {
    let seen = Seen::default();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new().route("/{mood}", post(take)).with_state(seen.clone());
    tokio::spawn(async move { axum::serve(listener, router).await });
    (base, seen)
}

fn push(environment: &str) -> Push {
    let key = generate_key().unwrap();
    let config = Config::read(|name| match name {
        "CARNET_ENV" => Some(environment.to_owned()),
        "PUSH_KEY" => Some(key.clone()),
        "PUSH_CONTACT" => Some("mailto:technique@carnet.example".into()),
        _ => None,
    });
    Push::of(&config.unwrap()).unwrap()
}

fn message(text: &[u8]) -> Message<'_> {
    Message { text, ttl_seconds: 3600, urgency: Urgency::High, topic: Some("appointment-7") }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_sent_opens_in_the_browser_it_was_written_for_and_says_who_we_are() {
    let (base, seen) = push_service().await;
    let push = push("development");
    let (browser, other) = (Browser::new(), Browser::new());
    let now = "2026-03-02T08:00:00Z".parse().unwrap();
    let long = "é".repeat(LONGEST / 2);
    for text in ["Rendez-vous demain à 9 h 30.", "", &long] {
        push.send(&browser.subscription(&format!("{base}/201")), message(text.as_bytes()), now).await.unwrap();
        let posted = seen.lock().unwrap().pop().unwrap();
        let opened = browser.open(&posted);
        assert_eq!((&opened["text"], &opened["signed"]), (&json!(text), &json!(true)));
        let claims = json!({"aud": base, "exp": 1_772_438_400 + 12 * 3600, "sub": "mailto:technique@carnet.example"});
        assert_eq!(opened["claims"], claims);
        let header = |name: &str| posted.headers[name].to_str().unwrap().to_owned();
        for (name, value) in
            [("content-encoding", "aes128gcm"), ("ttl", "3600"), ("urgency", "high"), ("topic", "appointment-7")]
        {
            assert_eq!(header(name), value);
        }
        assert!(header("authorization").ends_with(&format!(",k={}", push.public_key().unwrap())));
        assert!(posted.body.len() <= 4096);
    }
    // Nobody else's library opens it.
    push.send(&other.subscription(&format!("{base}/201")), message(b"x"), now).await.unwrap();
    let posted = seen.lock().unwrap().pop().unwrap();
    let refused = std::panic::catch_unwind(|| browser.open(&posted));
    assert!(refused.is_err(), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_push_service_answers_is_acted_on_and_one_that_hangs_is_not_waited_for() {
    let (base, seen) = push_service().await;
    let push = push("development");
    let now = "2026-03-02T08:00:00Z".parse().unwrap();
    let to = |mood: &str| Subscription::new(&format!("{base}/{mood}"), KEY, SECRET, true).unwrap();
    let send = async |mood: &str| push.send(&to(mood), message(b"x"), now).await;
    for taken in ["200", "201", "202"] {
        send(taken).await.unwrap();
    }
    assert!(matches!(send("404").await, Err(PushError::Gone)));
    assert!(matches!(send("410").await, Err(PushError::Gone)));
    assert!(matches!(send("413").await, Err(PushError::TooLarge)));
    assert!(matches!(send("400").await, Err(PushError::Refused(400))));
    assert!(matches!(send("403").await, Err(PushError::Refused(403))));
    let Err(PushError::Away { retry_after_seconds: Some(120), .. }) = send("busy").await else { panic!("busy") };
    for away in ["500", "503", "elsewhere", "endless"] {
        assert!(send(away).await.unwrap_err().is_transient(), "{away}");
    }
    let asked = seen.lock().unwrap().len();
    assert_eq!(asked, 13, "nobody was followed elsewhere");
    let began = Instant::now();
    assert_eq!(send("hang").await.unwrap_err().to_string(), "push service unavailable: took too long");
    assert!(began.elapsed() < runtime::push::TIMEOUT + Duration::from_secs(1));
    let nobody = Subscription::new("http://127.0.0.1:9/p", KEY, SECRET, true).unwrap();
    assert_eq!(
        push.send(&nobody, message(b"x"), now).await.unwrap_err().to_string(),
        "push service unavailable: connection failed"
    );
}

#[tokio::test]
async fn a_stranger_s_address_leads_to_no_machine_of_ours() {
    let (base, seen) = push_service().await;
    let push = push("production");
    let port = base.rsplit(':').next().unwrap();
    for inside in [
        base.as_str(),
        &format!("http://localhost:{port}"),
        &format!("https://127.0.0.1:{port}"),
        "https://169.254.169.254",
    ] {
        let to = Subscription::new(&format!("{inside}/201"), KEY, SECRET, true).unwrap();
        let now = "2026-03-02T08:00:00Z".parse().unwrap();
        assert!(matches!(push.send(&to, message(b"x"), now).await, Err(PushError::Gone)), "{inside}");
    }
    assert!(seen.lock().unwrap().is_empty());
}
