//! Two releases at once on one database, in the middle of a load, in both directions: nothing is lost.
//!
//! The other release is this one with another label and a schema that is a step ahead; with `CARNET_OTHER_GATEWAY` it is the
//! program of that path, which `just versions REVISION` builds.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use axum::http::Method;
use gateway::tools::client::Client as Http;
use serde_json::{Value, json};
use sqlx::Executor as _;
use uuid::Uuid;

use crate::killing::Running;
use crate::support::App;

/// A migration of a release to come, and a function whose text is that release's.
const AHEAD: &str = "
    alter table appointment add column later_note text;
    create table later_thing (id bigint generated always as identity primary key);
    insert into _sqlx_migrations (version, description, success, checksum, execution_time)
        values (29991231000001, 'later', true, '\\x00', 0);
    update routine set digest = 'of a release to come' where name = 'booking';";

/// Sends one request to whichever gateway answers; a broken connection is tried again with the same key.
async fn somewhere(
    addresses: &Mutex<Vec<Http>>, turn: usize, token: &str, path: &str, body: &Value, key: &str,
) -> (u16, Value) {
    for again in 0..400 {
        let http = {
            let all = addresses.lock().unwrap();
            all[(turn + again) % all.len()].bearing(token)
        };
        match http.send(Method::POST, path, Some(body), Some(key)).await {
            Ok((status, answer)) if status.as_u16() != 503 => return (status.as_u16(), answer),
            _ => tokio::time::sleep(Duration::from_millis(25)).await,
        }
    }
    panic!("nobody answers");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_releases_at_once_lose_nothing_in_either_direction() {
    let app = App::start().await;
    let crowd = app.crowd(12).await;
    let slots = app.slots("place=Lyon&from=2026-03-09&to=2026-03-27&limit=500").await;
    let monday = ("CARNET_CLOCK", crate::support::app::MONDAY);
    let other = std::env::var("CARNET_OTHER_GATEWAY").ok();
    let start = async |other: Option<&String>| {
        let variables = [("CARNET_ENV", "development"), monday];
        match other {
            Some(program) => Running::start_program(program, &app.url, &variables).await,
            None => Running::start(&app.url, &variables).await,
        }
    };
    let mut old = start(other.as_ref()).await;
    let addresses = Mutex::new(vec![Http::new(&old.address)]);
    let (over, booked) = (AtomicBool::new(false), Mutex::new(Vec::<String>::new()));
    let (next, answered) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let load = crowd.iter().map(|client| {
        let (addresses, over, booked, slots) = (&addresses, &over, &booked, &slots);
        let (next, answered) = (&next, &answered);
        async move {
            while !over.load(Ordering::Relaxed) {
                let turn = next.fetch_add(1, Ordering::Relaxed);
                let key = Uuid::now_v7().to_string();
                let wish = json!({"slot": slots[turn * 7 % slots.len()]["slot"]});
                let (status, answer) =
                    somewhere(addresses, turn, client.token(), "/v1/appointments", &wish, &key).await;
                match status {
                    201 => booked.lock().unwrap().push(answer["id"].as_str().unwrap().to_owned()),
                    409 => {}
                    other => panic!("{other}: {answer}"),
                }
                answered.fetch_add(1, Ordering::Relaxed);
                // Most are given back, or there would soon be nothing to book.
                if status == 201 && turn % 3 > 0 {
                    let path = format!("/v1/appointments/{}/cancellation", answer["id"].as_str().unwrap());
                    let reason = json!({"reason": "x"});
                    let (status, answer) = somewhere(addresses, turn, client.token(), &path, &reason, &key).await;
                    assert_eq!(status, 200, "{answer}");
                }
                tokio::time::sleep(Duration::from_millis(15)).await;
            }
        }
    });
    let progress = async |more: usize| {
        let wanted = answered.load(Ordering::Relaxed) + more;
        while answered.load(Ordering::Relaxed) < wanted {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let roll = async {
        progress(40).await;
        // Forward: the schema first, then the later release beside the earlier one, which then goes.
        app.pool().execute(AHEAD).await.unwrap();
        progress(40).await;
        let mut later = start(None).await;
        addresses.lock().unwrap().push(Http::new(&later.address));
        progress(80).await;
        addresses.lock().unwrap().remove(0);
        old.signal("TERM");
        assert!(old.process.wait().await.unwrap().success());
        progress(40).await;
        // Back: the earlier release starts on the schema of the later one.
        let old = start(other.as_ref()).await;
        addresses.lock().unwrap().push(Http::new(&old.address));
        progress(80).await;
        addresses.lock().unwrap().remove(0);
        later.signal("TERM");
        assert!(later.process.wait().await.unwrap().success());
        progress(40).await;
        over.store(true, Ordering::Relaxed);
        // Its queue is emptied before it goes.
        tokio::time::sleep(Duration::from_secs(1)).await;
        old
    };
    let (_, old) = futures_util::future::join(futures_util::future::join_all(load), roll).await;

    let acknowledged = booked.into_inner().unwrap();
    assert!(acknowledged.len() > 50, "the load booked {}", acknowledged.len());
    let kept: i64 = sqlx::query_scalar("select count(*) from appointment where id = any($1::text[]::uuid[])")
        .bind(&acknowledged)
        .fetch_one(app.pool())
        .await
        .unwrap();
    assert_eq!(usize::try_from(kept).unwrap(), acknowledged.len(), "what was acknowledged is there");
    crate::races::consistent(&app).await;
    let twice =
        "select count(*) from (select event_id, consumer from delivery group by 1, 2 having count(*) > 1) as twice";
    assert_eq!(app.count(twice).await, 0);
    assert_eq!(
        app.count("select count(*) from outbox where fanned_out_at is null and kind like 'appointment.%'").await,
        0
    );
    // The earlier release left alone what is the later one's.
    let digest = "select count(*) from routine where name = 'booking' and digest = 'of a release to come'";
    assert_eq!(app.count(digest).await, 1, "the earlier release put its own functions in the place of the later one's");
    drop(old);
    println!("{} bookings over two changes of release", acknowledged.len());
}
