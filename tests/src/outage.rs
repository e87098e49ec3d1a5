//! The database goes away and comes back.

use std::path::PathBuf;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use domain::SignedDuration;
use gateway::postgres::{Options, Postgres};
use runtime::config::Config;
use serde_json::json;
use tower::ServiceExt as _;
use uuid::Uuid;

use crate::support::app::book;
use crate::support::{App, database};

#[tokio::test(flavor = "multi_thread")]
async fn while_the_database_is_away_it_is_503_and_it_recovers_without_a_restart() {
    let directory = database::scratch().join(format!("outage-{}", std::process::id()));
    let server = database::start(&directory);
    let template = database::prepare_template(&server).await;
    let app = App::on(server.url(&template), &[]).await;
    let ada = app.patient().await;
    let slots = app.lyon_slots().await;
    drop(server);

    let began = Instant::now();
    for path in ["/readyz", "/v1/specialties", "/v1/slots?place=Lyon", "/v1/practitioners"] {
        let answer = app.nobody().get(path).await;
        assert_eq!(answer.problem(503), "unavailable", "{path}");
        assert!(answer.headers["retry-after"].to_str().unwrap().parse::<u32>().is_ok());
    }
    let wish = json!({"slot": slots[0]["slot"]});
    assert_eq!(ada.post_with_key("/v1/appointments", &wish, "k").await.problem(503), "unavailable");
    assert!(began.elapsed() < Duration::from_secs(25), "answers come in time: {:?}", began.elapsed());
    app.nobody().get("/healthz").await.expect(200);
    let (status, _) = app.event("notify", "{}").await;
    assert_eq!(status, 503);

    let server = database::start(&directory);
    connected(&app).await;
    // What was asked before is asked again with its key, and is done once.
    let ada = ada.clone().bearing(&app.fresh_token(&ada).await);
    ada.post_with_key("/v1/appointments", &wish, "k").await.expect(201);
    drop(server);
    std::fs::remove_dir_all(&directory).unwrap();
}

/// Until it has found its database again, within five seconds; and the tests' own connections have.
async fn connected(app: &App) {
    let mut answers = Vec::new();
    for _ in 0..20 {
        answers.push(app.nobody().get("/readyz").await.status.as_u16());
        if answers.last() == Some(&200) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    assert_eq!(answers.last(), Some(&200), "{answers:?}");
    while sqlx::query("select 1").execute(app.pool()).await.is_err() {}
}

/// Requests in a second, one in ten of them a booking.
const RATE: u64 = 500;

#[tokio::test(flavor = "multi_thread")]
async fn restarted_in_the_middle_of_500_requests_a_second_it_loses_nothing_and_is_back_in_five_seconds() {
    let directory = database::scratch().join(format!("restart-{}", std::process::id()));
    // What is acknowledged must be on the disk.
    let options = Options { directory: directory.clone(), durable: true, max_connections: 100 };
    let start = move || Postgres::start(&options).expect("PostgreSQL starts");
    let mut server = Some(start());
    let template = database::prepare_template(server.as_ref().unwrap()).await;
    let app = App::on(server.as_ref().unwrap().url(&template), &[]).await;
    let crowd = app.crowd(16).await;
    let slots = app.slots("place=Lyon&from=2026-03-09&to=2026-03-27&limit=500").await;
    let nobody = app.nobody();
    // When, and what was answered; which bookings were acknowledged.
    let (answers, booked) = (Mutex::new(Vec::new()), Mutex::new(Vec::new()));
    let began = Instant::now();
    let one = |number: u64| {
        let (crowd, slots, nobody, answers, booked) = (&crowd, &slots, &nobody, &answers, &booked);
        async move {
            let place = usize::try_from(number).unwrap();
            let answer = if number.is_multiple_of(10) {
                book(&crowd[place / 10 % crowd.len()], &slots[place * 7 % slots.len()]).await
            } else {
                nobody.get("/v1/specialties").await
            };
            let status = answer.status.as_u16();
            if status == 201 {
                booked.lock().unwrap().push(answer.body["id"].as_str().unwrap().to_owned());
            }
            answers.lock().unwrap().push((began.elapsed(), status));
        }
    };
    let load = async {
        // Open: the next request does not wait for the one before it.
        let ticks = 9 * RATE;
        let sends = (0..ticks).map(async |number| {
            let due = Duration::from_micros(1_000_000 / RATE * number);
            tokio::time::sleep_until((began + due).into()).await;
            one(number).await;
        });
        futures_util::future::join_all(sends).await;
    };
    let mut back = Duration::ZERO;
    let restart = async {
        tokio::time::sleep(Duration::from_secs(2)).await;
        let stopping = server.take();
        tokio::task::spawn_blocking(move || drop(stopping)).await.unwrap();
        server = Some(tokio::task::spawn_blocking(start.clone()).await.unwrap());
        back = began.elapsed();
    };
    futures_util::future::join(load, restart).await;

    let answers = answers.into_inner().unwrap();
    let count = |wanted: &dyn Fn(u16) -> bool| answers.iter().filter(|(_, status)| wanted(*status)).count();
    let strange: Vec<_> = answers.iter().filter(|(_, status)| ![200, 201, 409, 503].contains(status)).collect();
    assert!(strange.is_empty(), "{strange:?}");
    assert!(count(&|status| status == 503) > 0, "the restart was not felt: {}", answers.len());
    let well = answers.iter().filter(|(at, status)| *at > back && *status < 300).map(|(at, _)| *at).min();
    let recovery = well.expect("it recovers").saturating_sub(back);
    let last_error = answers.iter().filter(|(_, status)| *status == 503).map(|(at, _)| *at).max().unwrap();
    println!(
        "{} answers, {} of them 503, back after {recovery:?}, last error {:?} after it",
        answers.len(),
        count(&|status| status == 503),
        last_error.saturating_sub(back)
    );
    assert!(recovery < Duration::from_secs(5), "{recovery:?}");
    assert!(last_error.saturating_sub(back) < Duration::from_secs(5), "{last_error:?} {back:?}");
    let acknowledged = booked.into_inner().unwrap();
    assert!(acknowledged.len() > 20, "{}", acknowledged.len());
    while sqlx::query("select 1").execute(app.pool()).await.is_err() {}
    let kept: i64 = sqlx::query_scalar("select count(*) from appointment where id = any($1::text[]::uuid[])")
        .bind(&acknowledged)
        .fetch_one(app.pool())
        .await
        .unwrap();
    assert_eq!(usize::try_from(kept).unwrap(), acknowledged.len(), "what was acknowledged is there");
    crate::races::consistent(&app).await;
    drop(app);
    drop(server);
    std::fs::remove_dir_all(&directory).unwrap();
}

/// A table whose file is on a full disk: what writes to it fails as a write does there (`full(4)`), with 53100.
#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_503_and_what_was_asked_is_done_once_when_there_is_room_again() {
    let directory = database::scratch().join(format!("full-{}", std::process::id()));
    let server = database::start(&directory);
    let template = database::prepare_template(&server).await;
    let app = App::on(server.url(&template), &[]).await;
    let ada = app.patient().await;
    let slots = app.lyon_slots().await;
    book(&ada, &slots[0]).await.expect(201);
    let file: String =
        sqlx::query_scalar("select current_setting('data_directory') || '/' || pg_relation_filepath('outbox')")
            .fetch_one(app.pool())
            .await
            .unwrap();
    let (file, kept) = (PathBuf::from(&file), PathBuf::from(format!("{file}.kept")));
    drop(server);
    // Without its map of free space a table grows at its end.
    for map in ["_fsm", "_vm"] {
        drop(std::fs::remove_file(format!("{}{map}", file.display())));
    }
    std::fs::rename(&file, &kept).unwrap();
    std::os::unix::fs::symlink("/dev/full", &file).unwrap();

    let server = database::start(&directory);
    connected(&app).await;
    let ada = ada.clone().bearing(&app.fresh_token(&ada).await);
    let wish = json!({"slot": slots[4]["slot"]});
    let answer = ada.post_with_key("/v1/appointments", &wish, "k").await;
    assert_eq!(answer.problem(503), "unavailable");
    assert!(answer.headers.contains_key("retry-after"));
    let log = std::fs::read_to_string(server.log_file()).unwrap();
    assert!(log.contains("53100"), "the disk was not full");
    app.nobody().get("/readyz").await.expect(200);
    assert_eq!(app.lyon_slots().await.len(), slots.len() - 1, "what can be read is read");
    drop(server);

    std::fs::remove_file(&file).unwrap();
    std::fs::rename(&kept, &file).unwrap();
    let server = database::start(&directory);
    connected(&app).await;
    ada.post_with_key("/v1/appointments", &wish, "k").await.expect(201);
    ada.post_with_key("/v1/appointments", &wish, "k").await.expect(201);
    assert_eq!(app.count("select count(*) from appointment").await, 2, "nothing was half done");
    crate::races::consistent(&app).await;
    drop(server);
    std::fs::remove_dir_all(&directory).unwrap();
}

#[tokio::test]
async fn a_name_that_does_not_resolve_is_an_outage_and_no_crash() {
    let (_, master) = database::keys();
    let nowhere = "postgres://carnet@database.invalid/carnet";
    let config = Config::read(|name| match name {
        "DATABASE_URL" => Some(nowhere.into()),
        "CARNET_LOOKUP_KEY" => Some(master.clone()),
        _ => None,
    });
    let function = gateway::registry::find("search").unwrap();
    let ctx = runtime::host::context(&config.unwrap(), &function.manifest().unwrap()).unwrap();
    let app = runtime::host::assemble(&[function], &ctx).unwrap();
    let began = Instant::now();
    for (path, wanted) in [("/healthz", 200), ("/readyz", 503), ("/v1/specialties", 503)] {
        let request = axum::http::Request::get(path).body(axum::body::Body::empty()).unwrap();
        let answer = app.public.clone().oneshot(request).await.unwrap();
        assert_eq!(answer.status().as_u16(), wanted, "{path}");
    }
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());

    // Mail waits, too.
    let app = App::start().await;
    let lost = App::on(app.url.clone(), &[("SMTP_URL", "smtp://mail.invalid:25")]).await;
    let ada = lost.patient().await;
    let slots = lost.lyon_slots().await;
    book(&ada, &slots[0]).await.expect(201);
    lost.settle().await;
    assert_eq!(
        lost.count("select count(*) from notice where state = 'planned' and recipient_kind = 'account'").await,
        1
    );
    app.later(SignedDuration::from_hours(1));
    app.settle().await;
    assert_eq!(app.mails(&ada.email).len(), 1);
}

#[tokio::test]
async fn a_database_that_is_not_there_is_an_outage() {
    let nowhere = store::pg::Pg::lazy(&database::server().url("no_such_database"), 1).unwrap();
    let answer = store::Db::rows(&nowhere, "select to_jsonb(1)", store::params![]).await;
    assert!(matches!(answer, Err(store::DbError::Unavailable(_))), "{answer:?}");
}

#[tokio::test]
async fn a_clock_that_jumps_ahead_and_back_loses_no_event() {
    let app = App::start().await;
    let ada = app.patient().await;
    let slots = app.lyon_slots().await;
    book(&ada, &slots[0]).await.expect(201);
    app.later(SignedDuration::from_hours(10 * 24));
    app.settle().await;
    let told = app.mails(&ada.email).len();
    app.at(crate::support::app::MONDAY);
    book(&ada, &slots[4]).await.expect(201);
    app.settle().await;
    assert_eq!(app.mails(&ada.email).len(), told + 1, "what happened after the jump back is told");
    let key = Uuid::now_v7().to_string();
    ada.post_with_key("/v1/holds", &json!({"slot": slots[8]["slot"]}), &key).await.expect(201);
    crate::races::consistent(&app).await;
}
