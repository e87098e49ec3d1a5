//! A relay nobody here wrote: what it refuses, puts off and takes without saying so.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::http::Method;
use domain::SignedDuration;
use gateway::tools::client::Client as Http;
use rand::RngExt as _;
use serde_json::{Value, json};

use crate::killing::Running;
use crate::support::app::book;
use crate::support::{App, database, python};

/// aiosmtpd, which ends with the test.
pub struct Relay {
    child: Child,
    pub url: String,
    ports: Vec<String>,
    kept: Arc<Mutex<Vec<Value>>>,
}

impl Relay {
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    fn start_with(arguments: &[&Path]) -> Self {
        let folder = env!("CARGO_MANIFEST_DIR");
        // An SMTP server nobody here wrote (<https://aiosmtpd.aio-libs.org>).
        let mut command = python(&["aiosmtpd==1.4.6"]);
        command.arg(format!("{folder}/smtp/server.py")).args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let ports: Vec<String> = lines.next().unwrap().unwrap().split(' ').map(str::to_owned).collect();
        let kept = Arc::new(Mutex::new(Vec::new()));
        let into = kept.clone();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                into.lock().unwrap().push(serde_json::from_str(&line).unwrap());
            }
        });
        Self { child, url: format!("smtp://127.0.0.1:{}", ports[0]), ports, kept }
    }

    /// What arrived at each address, in order.
    pub fn kept(&self) -> BTreeMap<String, Vec<Value>> {
        let mut all: BTreeMap<String, Vec<Value>> = BTreeMap::new();
        for mail in self.kept.lock().unwrap().iter() {
            all.entry(mail["to"].as_str().unwrap().to_owned()).or_default().push(mail.clone());
        }
        all
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_relay_puts_off_comes_later_and_what_one_recipient_costs_stops_no_other() {
    let relay = Relay::start();
    let app = App::on(database::fresh().await, &[("SMTP_URL", &relay.url)]).await;
    let slots = app.lyon_slots().await;
    let names = ["plain-a", "grey-b", "refused-c", "full-d", "drop-e", "slow-f", "plain-g"];
    let address = |name: &str| format!("{name}@famille.example");
    for (at, name) in names.iter().enumerate() {
        let client = app.patient_named(&address(name), "fr").await;
        book(&client, &slots[at * 3]).await.expect(201);
    }
    for _ in 0..4 {
        app.settle().await;
        app.later(SignedDuration::from_mins(2));
    }
    let kept = relay.kept();
    let arrived = |name: &str| kept.get(&address(name)).map_or(0, Vec::len);
    for name in ["plain-a", "grey-b", "full-d", "slow-f", "plain-g"] {
        assert_eq!(arrived(name), 1, "{name}: {kept:?}");
    }
    assert_eq!(arrived("refused-c"), 0);
    // Taken, and nobody said so: it is sent again under the same name, and never after it was answered.
    let twice = &kept[&address("drop-e")];
    assert_eq!(twice.len(), 2, "{twice:?}");
    assert_eq!(twice[0]["message_id"], twice[1]["message_id"]);
    assert_eq!(twice[0]["parts"], json!(["text/plain", "text/html", "text/calendar", "text/calendar"]));
    let states = app
        .sql(
            "select jsonb_build_object('state', state, 'count', count(*)) from notice
              where recipient_kind = 'account' and channel = 'email' group by state order by state",
        )
        .await;
    assert_eq!(states, [json!({"state": "failed", "count": 1}), json!({"state": "sent", "count": 6})]);
}

/// A batch that is cut anywhere: whoever was not told is told, whoever was told twice can tell by the name of the mail, and nothing is
/// said to be sent that was not.
#[tokio::test(flavor = "multi_thread")]
async fn killed_in_the_middle_of_a_batch_it_tells_everybody_in_the_end() {
    let relay = Relay::start();
    let app = App::start().await;
    let slots = app.lyon_slots().await;
    let people = 14;
    for number in 0..people {
        let client = app.patient_named(&format!("slow-{number}@famille.example"), "fr").await;
        book(&client, &slots[number * 2]).await.expect(201);
    }
    let mut rng = rand::rng();
    for round in 0..8 {
        let variables = [("CARNET_ENV", "development"), ("SMTP_URL", &*relay.url)];
        let running = Running::start(&app.url, &variables).await;
        // Leases of the one before have ended.
        let now = app.now() + SignedDuration::from_mins(3 * (round + 1));
        let clock = json!({"now": now.to_string()});
        Http::new(&running.address).send(Method::PUT, "/dev/clock", Some(&clock), None).await.unwrap();
        let pause = if round < 7 { rng.random_range(300..2600) } else { 20_000 };
        for _ in 0..pause / 100 {
            tokio::time::sleep(Duration::from_millis(100)).await;
            if round == 7
                && app.count("select count(*) from notice where state = 'planned' and channel = 'email'").await == 0
            {
                break;
            }
        }
        running.signal("KILL");
    }
    let kept = relay.kept();
    for number in 0..people {
        let mails = &kept[&format!("slow-{number}@famille.example")];
        assert!(mails.iter().all(|mail| mail["message_id"] == mails[0]["message_id"]), "{mails:?}");
    }
    let twice: usize = kept.values().map(|mails| mails.len() - 1).sum();
    let states = app.count("select count(*) from notice where recipient_kind = 'account' and state <> 'sent'").await;
    assert_eq!(states, 0);
    println!("{twice} mails came twice over 7 kills");
}

/// With a certificate that is believed, and with one that is not; with the right password and a wrong one.
#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_wants_encryption_and_a_password_gets_both_and_nothing_without() {
    let mut authority = rcgen::CertificateParams::default();
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let authority = rcgen::CertifiedIssuer::self_signed(authority, rcgen::KeyPair::generate().unwrap()).unwrap();
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = rcgen::CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
    let certificate = certificate.signed_by(&key, &authority).unwrap();
    let folder = database::scratch().join("relay");
    std::fs::create_dir_all(&folder).unwrap();
    let [trusted, its_certificate, its_key] =
        ["authority.pem", "certificate.pem", "key.pem"].map(|name| folder.join(name));
    std::fs::write(&trusted, authority.pem()).unwrap();
    std::fs::write(&its_certificate, certificate.pem()).unwrap();
    std::fs::write(&its_key, key.serialize_pem()).unwrap();
    let relay = Relay::start_with(&[&its_certificate, &its_key]);

    let (right, wrong) = ("carnet:p%40ss%3A%20word", "carnet:p%40ss");
    let (starts, wrapped) = (&relay.ports[0], &relay.ports[1]);
    let trusted = trusted.to_str().unwrap();
    let cases = [
        (format!("smtp://{right}@127.0.0.1:{starts}?tls=required"), trusted, true),
        (format!("smtp://{right}@127.0.0.1:{starts}?tls=opportunistic"), trusted, true),
        (format!("smtps://{right}@127.0.0.1:{wrapped}"), trusted, true),
        (format!("smtp://{wrong}@127.0.0.1:{starts}?tls=required"), trusted, false),
        (format!("smtp://{right}@127.0.0.1:{starts}?tls=required"), "/dev/null", false),
        (format!("smtp://{right}@127.0.0.1:{starts}"), trusted, false),
    ];
    for (number, (url, trusted, arrives)) in cases.into_iter().enumerate() {
        let app = App::start().await;
        let address = format!("encrypted-{number}@famille.example");
        let client = app.patient_named(&address, "fr").await;
        let slots = app.lyon_slots().await;
        book(&client, &slots[0]).await.expect(201);
        let variables = [("CARNET_ENV", "development"), ("SMTP_URL", &*url), ("SSL_CERT_FILE", trusted)];
        let running = Running::start(&app.url, &variables).await;
        let clock = json!({"now": app.now().to_string()});
        Http::new(&running.address).send(Method::PUT, "/dev/clock", Some(&clock), None).await.unwrap();
        let tried = "select count(*) from notice where recipient_kind = 'account' and attempts > 0 and lease is null";
        for _ in 0..200 {
            if app.count(tried).await > 0 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        assert!(app.count(tried).await > 0, "{url}");
        assert_eq!(relay.kept().contains_key(&address), arrives, "{url}");
        running.signal("KILL");
    }
}
