//! Calendars that hold more than anybody has, and some that nobody can read.

use std::time::Instant;

use domain::SignedDuration;
use domain::sync::window;
use exchange_fakes::mailbox::{Fault, Range, Recurrence, Told, What};
use serde_json::{Value, json};

use super::{ADDRESS, BOTH, Beside, Event, Of, WHOSE, during};
use crate::support::app::book;

/// Every day for good.
fn daily() -> Recurrence {
    Recurrence { days: vec![], interval: 1, range: Range::Forever }
}

async fn holds_ten_thousand(of: Of) {
    let beside = Beside::of(of).await;
    let mailbox = beside.connected().await;
    // Sixty series, each ten minutes of every night.
    for number in 0..60 {
        let start = jiff::civil::date(2026, 3, 2).at(20, 0, 0, 0) + SignedDuration::from_mins(10 * number);
        let end = start + SignedDuration::from_mins(10);
        beside.server.add_series(ADDRESS, Event::new("Garde", start, end, "Europe/Paris"), daily()).unwrap();
    }
    let began = Instant::now();
    beside.look().await;
    println!("{of:?}: more than ten thousand occurrences were read in {:?}", began.elapsed());
    let shown = beside.server.state().view(ADDRESS, None, window(beside.app.now())).len();
    assert!(shown > 10_000, "{shown}");
    assert_eq!(beside.desk(&mailbox).await["fault"], Value::Null);
    let kept = "select count(*) from exchange_block";
    assert_eq!(usize::try_from(beside.app.count(kept).await).unwrap(), shown);
    // In the night in which clocks go forward some stand in each other's time.
    let reserved = "select count(*) from exchange_block b where exists (select from reservation r where r.block_id = b.id and r.active)";
    assert!(beside.app.count(reserved).await > 10_000, "each of them takes its time");
    // One of a series is taken out of it, and a visit goes there.
    let night = jiff::civil::date(2026, 3, 10).at(20, 0, 0, 0).in_tz("Europe/Paris").unwrap().timestamp();
    let night = domain::interval::Interval::new(night, night + SignedDuration::from_mins(10)).unwrap();
    let one = beside.server.state().view(ADDRESS, None, night)[0].id.clone();
    beside.server.remove(ADDRESS, &one).unwrap();
    beside.look().await;
    assert_eq!(usize::try_from(beside.app.count(kept).await).unwrap(), shown - 1);
    book(&beside.app.patient().await, &beside.app.slots_with(WHOSE).await[0]).await.expect(201);
    beside.app.settle().await;
    assert_eq!(beside.events().iter().filter(|event| event.tag().is_some()).count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn more_than_ten_thousand_occurrences_are_read_from_exchange_online() {
    holds_ten_thousand(Of::Online).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn more_than_ten_thousand_occurrences_are_read_from_a_server_on_premises() {
    holds_ten_thousand(Of::Premises).await;
}

#[tokio::test]
async fn one_item_that_nobody_can_read_keeps_no_other_from_being_read() {
    for of in BOTH {
        let beside = Beside::of(of).await;
        let mailbox = beside.connected().await;
        let slots = beside.app.slots_with(WHOSE).await;
        let at = |place: usize| Event::between("Réunion", during(&slots[place]));
        let [_, spoiled, moved] = [2, 4, 6].map(|place| beside.server.add(ADDRESS, at(place)).unwrap());
        beside.look().await;
        beside.server.edit(ADDRESS, &spoiled, |event| event.told = Told::Garbled).unwrap();
        beside.server.move_to(ADDRESS, &moved, during(&slots[8])).unwrap();
        beside.server.add(ADDRESS, at(10)).unwrap();
        beside.look().await;
        let free = async |places: [usize; 5]| {
            let offered = beside.app.slots_with(WHOSE).await;
            places.map(|place| offered.iter().any(|slot| slot["slot"] == slots[place]["slot"]))
        };
        // What was known of it still counts: nothing follows from what is not understood.
        assert_eq!(free([2, 4, 6, 8, 10]).await, [false, false, true, false, false], "{of:?}");
        assert_eq!(beside.desk(&mailbox).await["fault"], Value::Null);
        beside.server.edit(ADDRESS, &spoiled, |event| event.told = Told::Clearly).unwrap();
        beside.server.move_to(ADDRESS, &spoiled, during(&slots[12])).unwrap();
        beside.look().await;
        assert_eq!(free([2, 4, 8, 10, 12]).await, [false, true, false, false, false], "{of:?}");
    }
}

#[tokio::test]
async fn one_of_ours_that_nobody_can_read_is_asked_about_and_written_to_by_nobody() {
    for of in BOTH {
        let beside = Beside::of(of).await;
        let mailbox = beside.connected().await;
        let slots = beside.app.slots_with(WHOSE).await;
        let ada = beside.app.patient().await;
        let (visit, item) = beside.shown(&ada, &slots[0]).await;
        beside.server.edit(ADDRESS, &item, |event| event.told = Told::Garbled).unwrap();
        beside.look().await;
        let asked = beside.questions(&mailbox).await;
        assert_eq!((asked.len(), &asked[0]["kind"]), (1, &json!("unreadable")), "{of:?}");
        assert_eq!(beside.visit(&ada, &visit).await["status"], "booked");
        assert_eq!(beside.calls_of(of.update()) + beside.calls_of(of.delete()), 0);
        // It can be read again, and is what it was: nobody has to say anything.
        beside.server.edit(ADDRESS, &item, |event| event.told = Told::Clearly).unwrap();
        beside.look().await;
        assert_eq!(beside.questions(&mailbox).await, Vec::<Value>::new(), "{of:?}");
    }
}

#[tokio::test]
async fn one_item_that_is_refused_keeps_no_other_from_being_written() {
    for of in BOTH {
        let beside = Beside::of(of).await;
        let mailbox = beside.connected().await;
        let slots = beside.app.slots_with(WHOSE).await;
        let refusal = match of {
            Of::Online => What::Status(400, "ErrorInvalidRequest"),
            Of::Premises => What::Status(200, "ErrorInvalidRequest"),
        };
        beside.server.state().faults.push(Fault::once(of.create(), refusal));
        let ada = beside.app.patient().await;
        let poisonous = book(&ada, &slots[0]).await.expect(201);
        beside.app.settle().await;
        for at in [3, 6] {
            book(&ada, &slots[at]).await.expect(201);
            beside.app.settle().await;
        }
        assert_eq!(beside.events().len(), 2, "{of:?}");
        let asked = beside.questions(&mailbox).await;
        assert_eq!(
            (asked.len(), &asked[0]["kind"], &asked[0]["appointment"]),
            (1, &json!("refused"), &poisonous["id"])
        );
        assert!(asked[0]["fault"].as_str().unwrap().contains("ErrorInvalidRequest"), "{asked:?}");
        assert_eq!(beside.desk(&mailbox).await["fault"], Value::Null, "the mailbox does well");
        beside.later(SignedDuration::from_mins(6)).await;
        assert_eq!(beside.events().len(), 3, "its rest is over");
        assert_eq!(beside.questions(&mailbox).await, Vec::<Value>::new());
    }
}

#[tokio::test]
async fn a_series_that_its_server_fails_to_list_is_listed_later() {
    let beside = Beside::start().await;
    let mailbox = beside.connected().await;
    let slots = beside.app.slots_with(WHOSE).await;
    let five = Recurrence { range: Range::Count(5), ..daily() };
    let series = beside.server.add_series(ADDRESS, Event::between("Bloc", during(&slots[1])), five).unwrap();
    beside.look().await;
    assert_eq!(beside.desk(&mailbox).await["blocks"], 5);
    let fails = What::Status(500, "ErrorInternalServerError");
    beside.server.state().faults.push(Fault { times: 2, ..Fault::once("instances", fails) });
    let first = beside.server.state().view(ADDRESS, None, during(&slots[1]))[0].id.clone();
    beside.server.remove(ADDRESS, &first).unwrap();
    beside.server.add(ADDRESS, Event::between("Réunion", during(&slots[20]))).unwrap();
    beside.look().await;
    assert_eq!(beside.desk(&mailbox).await["blocks"], 6, "the series is as it was, and what is beside it is known");
    beside.look().await;
    assert_eq!(beside.desk(&mailbox).await["blocks"], 5);
    beside.server.remove(ADDRESS, &series).unwrap();
    beside.look().await;
    assert_eq!(beside.desk(&mailbox).await["blocks"], 1);
}
