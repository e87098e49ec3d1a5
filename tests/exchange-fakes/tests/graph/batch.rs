//! Several items made by one request, each answered for by itself.

use std::collections::BTreeSet;
use std::time::Duration;

use domain::sync::Mirror;
use exchange::{Calendar as _, Fault, Why, Written};
use exchange_fakes::mailbox::{Fault as Wrong, What};

use crate::world::{DOCTOR, World, mirror};

fn events(count: u8) -> Vec<Mirror> {
    let event = |day: u8| {
        let hour = |minute: u8| format!("2026-12-{day:02}T09:{minute:02}:00Z");
        mirror(day.into(), &hour(0), &hour(30))
    };
    (1..=count).map(event).collect()
}

fn words(made: &[Result<Written, Fault>]) -> Vec<Option<(Why, bool)>> {
    made.iter().map(|made| made.as_ref().err().map(|fault| (fault.why, fault.perhaps_done))).collect()
}

#[tokio::test]
async fn four_at_a_time_are_made_by_one_request_each_and_each_is_what_it_shall_be() {
    let world = World::new();
    let events = events(10);
    let made = world.create_all(&events).await;
    assert_eq!((world.calls("batch"), world.calls("create")), (3, 10));
    for (event, made) in events.iter().zip(&made) {
        let made = made.as_ref().unwrap();
        assert!(made.id.0.starts_with("AAkA"), "its number is one that stays: {}", made.id.0);
        let read = world.read(&made.id).await.unwrap().unwrap();
        assert_eq!((read.tag, read.face, &read.version), (Some(event.tag), event.face(), &made.version));
    }
    // The same is asked for again: it is the same.
    let again = world.create_all(&events).await;
    assert_eq!(again, made);
    assert_eq!(world.server.events(DOCTOR).len(), 10);
    assert!(world.create_all(&[]).await.is_empty());
    // One alone needs no other around it.
    world.create_all(&events[..1]).await;
    assert_eq!(world.calls("batch"), 6);
}

#[tokio::test]
async fn what_becomes_of_one_says_nothing_of_the_others() {
    let goes_wrong = |world: &World, skip: u32, what: What| {
        world.server.state().faults.push(Wrong { skip, ..Wrong::once("create", what) });
    };
    for (what, why, perhaps_done) in [
        (What::Status(400, "ErrorInvalidRequest"), Why::Refused, false),
        (What::Status(500, "ErrorInternalServerError"), Why::Unavailable, true),
        (What::Status(403, "ErrorAccessDenied"), Why::Forbidden, false),
        (What::Throttled(Some(17)), Why::Throttled, false),
        (What::LostAnswer, Why::Unavailable, true),
        (What::Truncated, Why::Malformed, true),
        (What::Empty, Why::Malformed, true),
        (What::Page, Why::Malformed, true),
    ] {
        let world = World::new();
        goes_wrong(&world, 2, what);
        let made = world.create_all(&events(4)).await;
        assert_eq!(words(&made), [None, None, Some((why, perhaps_done)), None], "{what:?}");
        if what == What::Throttled(Some(17)) {
            assert_eq!(made[2].as_ref().unwrap_err().retry_after, Some(Duration::from_secs(17)));
        }
        // Asked for again, all four are there, once.
        assert!(world.create_all(&events(4)).await.iter().all(Result::is_ok), "{what:?}");
        let tags: BTreeSet<_> =
            world.server.events(DOCTOR).iter().map(|event| event.tag().map(str::to_owned)).collect();
        assert_eq!((world.server.events(DOCTOR).len(), tags.len()), (4, 4), "{what:?}");
    }
}

#[tokio::test]
async fn of_an_answer_that_does_not_come_each_may_have_been_made_and_of_a_refusal_none() {
    for (what, why, perhaps_done, there) in [
        (What::LostAnswer, Why::Unavailable, true, 4),
        (What::Truncated, Why::Malformed, true, 4),
        (What::Empty, Why::Malformed, true, 4),
        (What::Broken, Why::Unavailable, true, 0),
        (What::Status(503, "ServiceUnavailable"), Why::Unavailable, true, 0),
        (What::Throttled(Some(3)), Why::Throttled, false, 0),
        (What::Unreached, Why::Unavailable, false, 0),
    ] {
        let world = World::new();
        world.goes_wrong("batch", what);
        let made = world.create_all(&events(4)).await;
        assert_eq!(words(&made), [Some((why, perhaps_done)); 4], "{what:?}");
        assert_eq!(world.server.events(DOCTOR).len(), there, "{what:?}");
        assert!(world.create_all(&events(4)).await.iter().all(Result::is_ok), "{what:?}");
        assert_eq!(world.server.events(DOCTOR).len(), 4, "{what:?}");
    }
    // An answer that leaves some of them out.
    let world = World::new();
    world.goes_wrong("batch", What::Shrunk);
    let made = words(&world.create_all(&events(4)).await);
    assert_eq!(made.iter().filter(|made| **made == Some((Why::Malformed, true))).count(), 2, "{made:?}");
}

#[tokio::test]
async fn a_transaction_that_is_spent_is_told_among_the_others() {
    let world = World::new();
    let mut events = events(4);
    let made = world.create(&events[1]).await.unwrap();
    world.server.remove(DOCTOR, &made.id.0).unwrap();
    let made = world.create_all(&events).await;
    assert_eq!(words(&made), [None, Some((Why::Refused, false)), None, None]);
    assert_eq!(made[1].as_ref().unwrap_err().code, "ErrorDuplicateTransactionId");
    events[1].tag.generation = 2;
    assert!(world.create_all(&events).await.iter().all(Result::is_ok));
    assert_eq!(world.server.events(DOCTOR).len(), 4);
}
