//! Exchange Online tells of changes: at once, twice, too late or never.

use std::sync::{Arc, OnceLock};

use axum::body::Body;
use axum::http::Request;
use domain::SignedDuration;
use exchange_fakes::graph::{Graph, Manner};
use serde_json::json;

use super::{ADDRESS, Beside, Event, WHOSE, during, server};
use crate::support::Client;

/// The product at an address of its own, which Exchange Online calls.
async fn watched() -> (Beside, Graph) {
    let product: Arc<OnceLock<Client>> = Arc::default();
    let (server, called) = (server(), product.clone());
    let online = Graph::new(server.clone()).calling(Arc::new(move |request| {
        let product = called.get().unwrap().clone();
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            let path = parts.uri.path_and_query().unwrap().as_str().to_owned();
            assert_eq!(parts.uri.authority().unwrap(), "carnet.example");
            let mut request = Request::post(path);
            if let Some(kind) = parts.headers.get("content-type") {
                request = request.header("content-type", kind);
            }
            let answer = product.send(request.body(Body::from(body)).unwrap()).await;
            let mut response = axum::http::Response::builder().status(answer.status);
            response.headers_mut().unwrap().extend(answer.headers);
            Ok(response.body(answer.bytes).unwrap())
        })
    }));
    let access = json!({"kind": "graph", "tenant": "clinique.example", "client": "7c1d", "secret": "un secret"});
    let url = [("PUBLIC_URL", "https://carnet.example")];
    let beside = Beside::with(server, online.router(), access, &url).await;
    assert!(product.set(beside.app.nobody()).is_ok());
    (beside, online)
}

#[tokio::test]
async fn a_change_that_is_told_of_is_seen_at_once_however_often_it_is_told() {
    let (beside, online) = watched().await;
    let mailbox = beside.connected().await;
    assert_eq!(beside.desk(&mailbox).await["told_of_changes"], true);
    let slots = beside.app.slots_with(WHOSE).await;
    for (at, manner) in [(2, Manner::Once), (4, Manner::Thrice)] {
        beside.server.add(ADDRESS, Event::between("Réunion", during(&slots[at]))).unwrap();
        let taken = online.deliver(manner).await;
        assert!(!taken.is_empty() && taken.iter().all(|status| *status == 202), "{taken:?}");
        beside.app.settle().await;
        let offered = beside.app.slots_with(WHOSE).await;
        assert!(offered.iter().all(|slot| slot["slot"] != slots[at]["slot"]));
    }
    // What is told of and lost is seen all the same, with the next look.
    beside.server.add(ADDRESS, Event::between("Réunion", during(&slots[6]))).unwrap();
    online.deliver(Manner::Lost).await;
    beside.app.later(SignedDuration::from_mins(16));
    beside.tick().await;
    assert_eq!(beside.desk(&mailbox).await["blocks"], 3);
}

#[tokio::test]
async fn a_watch_is_renewed_and_made_anew_when_it_is_gone() {
    let (beside, online) = watched().await;
    let mailbox = beside.connected().await;
    let watches = || {
        online
            .subscribed()
            .into_iter()
            .map(|(id, one)| (id, one.until, one.row["clientState"].clone()))
            .collect::<Vec<_>>()
    };
    let first = watches();
    assert_eq!(first.len(), 1);
    // Half of its life later it is the same one, with more before it.
    beside.app.later(SignedDuration::from_hours(40));
    beside.server.state().now = beside.app.now();
    beside.tick().await;
    let renewed = watches();
    assert_eq!(renewed[0].0, first[0].0);
    assert!(renewed[0].1 > first[0].1);
    // The service ends it and says so: another one is there after the next look.
    assert_eq!(online.tell_life(&first[0].0, "subscriptionRemoved").await, Some(202));
    beside.app.settle().await;
    let anew = watches();
    assert!(anew.len() == 1 && anew[0].2 != first[0].2, "one that nobody else knows the secret of: {anew:?}");
    // Who leaves is not told any more.
    let administrator = beside.app.staff("administrator-pentes").await;
    administrator.post(&format!("{}/disconnection", super::path(&mailbox)), &json!({})).await.expect(200);
    beside.tick().await;
    assert!(online.subscribed().is_empty());
}

#[tokio::test]
async fn of_several_notices_at_once_those_count_that_show_the_secret_of_their_own_watch() {
    let (beside, online) = watched().await;
    beside.connected().await;
    let servers = beside.administrator.get("/v1/exchange-servers").await.expect(200);
    beside.beside(&servers["items"][0], "nolwenn-le-bihannic").await;
    let watches: Vec<(String, String)> = online
        .subscribed()
        .into_iter()
        .map(|(id, one)| (id, one.row["clientState"].as_str().unwrap().to_owned()))
        .collect();
    let [(first, its), (second, others)] = &watches[..] else { panic!("{watches:?}") };
    let notice = |watch: &str, secret: &str, tenant: &str| {
        let mut row = super::told(watch, secret)["value"][0].take();
        row["tenantId"] = json!(tenant);
        row
    };
    let wishes = async || beside.app.sql("select to_jsonb(wishes) from exchange_mailbox order by watch").await;
    let nobody = beside.app.nobody();
    let before = wishes().await;
    let strangers = [
        notice(first, others, "t"),
        notice(second, its, "t"),
        notice("5522bd62-7c96-4530-85b0-000000000000", its, "another-tenant"),
        notice("", "", "another-tenant"),
    ];
    nobody.post("/v1/exchange/notifications", &json!({"value": strangers})).await.expect(202);
    assert_eq!(wishes().await, before);
    // One of them is ours, twice, among those of others.
    let ours = [notice(first, its, "t"), notice(first, its, "t")];
    let rows = [&strangers[..2], &ours, &strangers[2..]].concat();
    nobody.post("/v1/exchange/notifications", &json!({"value": rows})).await.expect(202);
    let woken: Vec<i64> = wishes()
        .await
        .iter()
        .zip(&before)
        .map(|(after, before)| after.as_i64().unwrap() - before.as_i64().unwrap())
        .collect();
    let expected = if first < second { [1, 0] } else { [0, 1] };
    assert_eq!(woken, expected);
}

#[tokio::test]
async fn a_server_whose_clock_is_wrong_is_read_and_written_all_the_same() {
    for (off, told) in [
        (SignedDuration::from_hours(-24), false),
        (SignedDuration::from_mins(-20), true),
        (SignedDuration::from_hours(3), true),
        (SignedDuration::from_hours(24 * 4), false),
    ] {
        let (beside, _) = watched().await;
        beside.server.state().now = beside.app.now() + off;
        let mailbox = beside.connected().await;
        let desk = beside.desk(&mailbox).await;
        // A watch that would have ended by then, or lives longer than one may by then, is refused: it is read from time to time.
        assert_eq!((&desk["told_of_changes"], &desk["fault"]), (&json!(told), &serde_json::Value::Null), "{off}");
        let slots = beside.app.slots_with(WHOSE).await;
        beside.server.add(ADDRESS, Event::between("Réunion", during(&slots[2]))).unwrap();
        let visit = crate::support::app::book(&beside.app.patient().await, &slots[6]).await.expect(201);
        beside.app.settle().await;
        beside.app.later(SignedDuration::from_mins(16));
        beside.tick().await;
        let desk = beside.desk(&mailbox).await;
        assert_eq!((&desk["blocks"], &desk["visits"], &desk["questions"]), (&json!(1), &json!(1), &json!(0)), "{off}");
        // What is written there now is newer, whatever either clock says.
        let ours = beside.events().into_iter().find(|event| event.tag().is_some()).unwrap();
        assert_eq!(ours.during(), Some(during(&visit)));
        beside.server.move_to(ADDRESS, &ours.id, during(&slots[9])).unwrap();
        beside.look().await;
        assert_eq!(beside.questions(&mailbox).await.len(), 1, "{off}");
    }
}
