//! A checker that is killed, a store that ends, keys that cannot be had: at every step of a judgement.

use domain::SignedDuration;
use runtime::config::AwsKey;
use tokio::time::{Duration, sleep, timeout};

use super::{bytes_of, complete, family, list, open, read, report, uploaded};
use crate::support::moto::Moto;
use crate::support::objects::{Ends, Store};
use crate::support::{App, Client, database};

/// More steps than a judgement has.
const STEPS: usize = 12;

/// The state of a document, and that nobody else sees it before it is available.
async fn state(client: &Client, id: &str) -> String {
    read(client, id).await.expect(200)["state"].as_str().unwrap().to_owned()
}

/// The same people, signed in at the present time.
async fn present(app: &App, (mother, child, _): &(Client, String, Client)) -> (Client, String, Client) {
    let mother = mother.clone().bearing(&app.fresh_token(mother).await);
    (mother, child.clone(), app.staff("practitioner-pentes").await)
}

/// After whatever happened: it is there, once, whole; and nothing of what was begun is left.
async fn whole(
    app: &App, (mother, child, practitioner): &(Client, String, Client), id: &str, bytes: &[u8], step: usize,
) {
    assert_eq!(state(practitioner, id).await, "available", "step {step}");
    assert_eq!(bytes_of(app, mother, id).await, bytes, "step {step}");
    assert_eq!(list(mother, child).await.iter().filter(|it| *it == id).count(), 1);
    assert_eq!(app.store.names("staging"), Vec::<String>::new(), "step {step}");
    let known = app.count("select count(*) from document_object where state = 'written' and part <> 'staging'").await;
    assert_eq!(i64::try_from(app.store.names("documents").len()), Ok(known), "step {step}");
    let told = "select count(*) from (select subject from outbox where kind = 'document.available.v1' group by subject having count(*) > 1) t";
    assert_eq!(app.count(told).await, 0, "told twice, step {step}");
    assert_eq!(
        app.count("select count(*) from document_object where state = 'planned' and part <> 'staging'").await,
        0
    );
}

/// The same product on the same database and store, in a process that comes to its end when the store says nothing any more:
/// whatever it was at is dropped where it is.
fn doomed(url: String, store: &Store, now: String) {
    let store = store.clone();
    let AwsKey { id, secret, .. } = Store::key();
    let life = move || {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let address = store.url();
        runtime.block_on(async {
            let variables =
                [("CARNET_DOCUMENTS", &*address), ("AWS_ACCESS_KEY_ID", &*id), ("AWS_SECRET_ACCESS_KEY", &*secret)];
            let app = App::on(url, &variables).await;
            app.at(&now);
            let dies = async {
                while !store.has_ended() {
                    sleep(Duration::from_millis(5)).await;
                }
                // The request that it does not answer is on its way.
                sleep(Duration::from_millis(50)).await;
            };
            tokio::select! { () = app.settle() => {}, () = dies => {} }
        });
        runtime.shutdown_background();
    };
    std::thread::spawn(life).join().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checker_that_is_killed_at_any_step_is_followed_by_one_that_finishes() {
    let app = App::start().await;
    let mut people = family(&app, "2019-09-01").await;
    let bytes = super::bytes::large(9 << 20);
    let mut killed = 0;
    for step in 0..STEPS {
        people = present(&app, &people).await;
        let id = uploaded(&people.2, &report(&people.1, "text/plain", &bytes), &bytes).await;
        app.store.end_after(Some((step, Ends::Silent)));
        let (url, store, now) = (app.url.clone(), app.store.clone(), app.now().to_string());
        tokio::task::spawn_blocking(move || doomed(url, &store, now)).await.unwrap();
        killed += usize::from(app.store.has_ended());
        app.store.end_after(None);
        // Its lease runs out; the hour's run removes what was half written.
        app.later(SignedDuration::from_mins(3));
        super::bytes::judged(&app, &people.2, &id).await;
        app.later(SignedDuration::from_mins(2));
        app.settle().await;
        whole(&app, &people, &id, &bytes, step).await;
    }
    assert!(killed >= 8, "{killed} of {STEPS}: a judgement has more steps");
}

#[tokio::test]
async fn a_store_that_ends_at_any_step_is_waited_for() {
    let app = App::start().await;
    let mut people = family(&app, "2019-09-01").await;
    let mut ended = 0;
    for step in 0..STEPS {
        people = present(&app, &people).await;
        let bytes = format!("Lettre {step}").into_bytes();
        let id = uploaded(&people.2, &report(&people.1, "text/plain", &bytes), &bytes).await;
        app.store.end_after(Some((step, Ends::Away)));
        app.settle().await;
        ended += usize::from(app.store.has_ended());
        let seen = list(&people.0, &people.1).await.contains(&id);
        assert_eq!(seen, state(&people.2, &id).await == "available", "step {step}");
        app.store.end_after(None);
        app.later(SignedDuration::from_mins(2));
        super::bytes::judged(&app, &people.2, &id).await;
        app.settle().await;
        whole(&app, &people, &id, &bytes, step).await;
    }
    assert!(ended >= 5, "{ended} of {STEPS}");
}

#[tokio::test]
async fn while_a_scanner_hangs_nothing_is_shown_and_nobody_waits_for_it() {
    let hangs = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("tcp:{}", hangs.local_addr().unwrap());
    let app = App::on(database::fresh().await, &[("CLAMD", &address)]).await;
    let (mother, child, practitioner) = family(&app, "2019-09-01").await;
    let id = uploaded(&practitioner, &report(&child, "text/plain", b"bonjour"), b"bonjour").await;
    // It takes connections, and says nothing.
    let held = tokio::spawn(async move {
        let mut all = Vec::new();
        loop {
            all.push(hangs.accept().await);
        }
    });
    timeout(Duration::from_secs(30), app.settle())
        .await
        .expect("an event waits a few seconds for the judgement, no more");
    assert_eq!(state(&practitioner, &id).await, "checking");
    read(&mother, &id).await.problem(404);
    held.abort();
}

#[tokio::test]
async fn while_keys_cannot_be_had_nothing_is_lost_and_it_is_said() {
    let (moto, key) = tokio::task::spawn_blocking(|| {
        let moto = Moto::start();
        let key = moto.kms_key();
        (moto, key)
    })
    .await
    .unwrap();
    let AwsKey { id: aws_id, secret, .. } = Store::key();
    let store = Store::new();
    let documents = store.url();
    let former = database::keys().1.clone();
    let seal = runtime::seals::SealKey::generate().unwrap();
    let on = async |address: &str, url: String| {
        let master = format!("aws-kms:{key}?region=us-east-1&endpoint=http://{address}/");
        let pairs = [
            ("CARNET_MASTER_KEY", &*master),
            ("CARNET_LOOKUP_KEY", &*former),
            ("CARNET_MASTER_KEYS_BEFORE", &*former),
            ("CARNET_SEAL_KEY", &*seal),
            ("CARNET_DOCUMENTS", &*documents),
            ("AWS_ACCESS_KEY_ID", &*aws_id),
            ("AWS_SECRET_ACCESS_KEY", &*secret),
        ];
        App::on(url, &pairs).await
    };
    let app = on(&moto.address, database::fresh().await).await;
    let (mother, child, practitioner) = family(&app, "2019-09-01").await;
    let id = uploaded(&practitioner, &report(&child, "text/plain", b"bonjour"), b"bonjour").await;
    // Another process, which has no key of anybody in memory, and cannot get one.
    let without = on("127.0.0.1:9", app.url.clone()).await;
    without.at(&app.now().to_string());
    let there = |client: &Client| without.nobody().bearing(client.token());
    without.settle().await;
    assert_eq!(open(&there(&practitioner), &report(&child, "text/plain", b"x")).await.problem(503), "unavailable");
    assert_eq!(read(&there(&practitioner), &id).await.problem(503), "unavailable");
    complete(&there(&practitioner), &id).await.problem(503);
    assert_eq!(state(&practitioner, &id).await, "checking");
    read(&mother, &id).await.problem(404);
    // They are there again.
    app.later(SignedDuration::from_mins(3));
    super::bytes::judged(&app, &practitioner, &id).await;
    assert_eq!(bytes_of(&app, &mother, &id).await, b"bonjour");
}
