use std::collections::BTreeSet;

use domain::SignedDuration;
use domain::sync::{RemoteId, Shown};
use exchange::{Calendar as _, Changes, Cursor, Why};
use exchange_fakes::mailbox::{Event, Fault, Range, Recurrence, What};
use jiff::civil::Weekday;

use crate::world::{DOCTOR, World, at, during, mirror, window};

fn ids(changes: &Changes) -> BTreeSet<String> {
    changes.items.iter().map(|item| item.id.0.clone()).collect()
}

fn weekly(count: u32) -> Recurrence {
    Recurrence { days: vec![Weekday::Tuesday], interval: 1, range: Range::Count(count) }
}

/// A series of Tuesdays from December 1, at nine in Paris.
fn series(world: &World, count: u32) -> String {
    let event = Event::between("Staff", during("2026-12-01T08:00:00Z", "2026-12-01T09:00:00Z"));
    world.server.add_series(DOCTOR, event, weekly(count)).unwrap()
}

#[tokio::test]
async fn everything_comes_page_by_page_and_then_what_changed() {
    let world = World::new();
    world.server.state().page = 3;
    let inside: Vec<String> = (1..=10)
        .map(|day| world.add("x", &format!("2026-12-{day:02}T10:00:00Z"), &format!("2026-12-{day:02}T11:00:00Z")))
        .collect();
    let outside = world.add("x", "2027-02-01T10:00:00Z", "2027-02-01T11:00:00Z");
    let first = world.changes(None, window()).await.unwrap();
    assert!(first.whole && first.gone.is_empty() && first.unread.is_empty());
    assert_eq!(ids(&first), inside.iter().cloned().collect());
    assert_eq!(world.calls("changes"), 4);

    let none = world.changes(Some(&first.cursor), window()).await.unwrap();
    assert_eq!((none.whole, none.items.len(), none.gone.len()), (false, 0, 0));

    world.server.shift(DOCTOR, &inside[0], SignedDuration::from_hours(1)).unwrap();
    world.server.remove(DOCTOR, &inside[1]).unwrap();
    world.server.shift(DOCTOR, &inside[2], SignedDuration::from_hours(24 * 90)).unwrap();
    world.server.edit(DOCTOR, &outside, |event| event.subject = "y".into()).unwrap();
    let new = world.server.copy(DOCTOR, &inside[3]).unwrap();
    let then = world.changes(Some(&none.cursor), window()).await.unwrap();
    assert_eq!(ids(&then), BTreeSet::from([inside[0].clone(), new]));
    // What was changed outside of the window is told to be gone, too.
    let gone: BTreeSet<String> = then.gone.iter().map(|id| id.0.clone()).collect();
    assert_eq!(gone, BTreeSet::from([inside[1].clone(), inside[2].clone(), outside]));
    let moved = then.items.iter().find(|item| item.id.0 == inside[0]).unwrap();
    assert_eq!(moved.face.starts_at, at("2026-12-01T11:00:00Z"));

    // The same is told again until the cursor is kept.
    assert_eq!(ids(&world.changes(Some(&none.cursor), window()).await.unwrap()), ids(&then));
    // Another window begins anew.
    let later = during("2026-12-02T00:00:00Z", "2027-01-02T00:00:00Z");
    assert!(world.changes(Some(&then.cursor), later).await.unwrap().whole);
    assert!(world.changes(Some(&Cursor("of another kind".into())), window()).await.unwrap().whole);
}

#[tokio::test]
async fn series_are_listed_whole_with_what_differs_and_without_what_was_taken_out() {
    let world = World::new();
    let master = series(&world, 20);
    let first = world.changes(None, window()).await.unwrap();
    assert_eq!((first.series.as_slice(), first.items.len()), ([RemoteId(master.clone())].as_slice(), 5));
    assert!(
        first.items.iter().all(|item| item.series == Some(RemoteId(master.clone())) && item.face.shown == Shown::Busy)
    );
    assert!(first.items.iter().all(|item| item.id.0 != master));

    // One is moved, one is deleted: of the latter no row tells.
    world.server.shift(DOCTOR, &format!("OID.{master}.2026-12-08"), SignedDuration::from_hours(2)).unwrap();
    world.server.remove(DOCTOR, &format!("OID.{master}.2026-12-15")).unwrap();
    let then = world.changes(Some(&first.cursor), window()).await.unwrap();
    let starts: Vec<String> = then.items.iter().map(|item| item.face.starts_at.to_string()).collect();
    let expected = ["2026-12-01T08:00:00Z", "2026-12-08T10:00:00Z", "2026-12-22T08:00:00Z", "2026-12-29T08:00:00Z"];
    assert_eq!(
        (then.series.as_slice(), starts),
        ([RemoteId(master.clone())].as_slice(), expected.map(str::to_owned).to_vec())
    );

    world.server.remove(DOCTOR, &master).unwrap();
    let last = world.changes(Some(&then.cursor), window()).await.unwrap();
    assert_eq!((last.items.len(), last.gone), (0, vec![RemoteId(master)]));
}

#[tokio::test]
async fn a_series_keeps_the_clock_of_its_place() {
    let world = World::new();
    let event = Event::between("Staff", during("2026-10-20T07:00:00Z", "2026-10-20T08:00:00Z"));
    world.server.add_series(DOCTOR, event, weekly(2)).unwrap();
    let autumn = during("2026-10-01T00:00:00Z", "2026-11-15T00:00:00Z");
    let changes = world.changes(None, autumn).await.unwrap();
    let starts: BTreeSet<String> = changes.items.iter().map(|item| item.face.starts_at.to_string()).collect();
    assert_eq!(starts, ["2026-10-20T07:00:00Z", "2026-10-27T08:00:00Z"].map(str::to_owned).into());
}

#[tokio::test]
async fn ten_thousand_occurrences_come() {
    let world = World::new();
    let event = Event::between("Daily", during("2026-12-01T08:00:00Z", "2026-12-01T08:10:00Z"));
    let daily = Recurrence { days: Vec::new(), interval: 1, range: Range::Forever };
    for n in 0..12 {
        let event = Event {
            start: event.start.saturating_add(SignedDuration::from_mins(n * 15)),
            end: event.end.saturating_add(SignedDuration::from_mins(n * 15)),
            ..event.clone()
        };
        world.server.add_series(DOCTOR, event, daily.clone()).unwrap();
    }
    world.server.state().page = 1_000;
    let years = during("2026-12-01T00:00:00Z", "2029-04-01T00:00:00Z");
    let changes = world.changes(None, years).await.unwrap();
    assert_eq!((changes.series.len(), changes.items.len()), (12, 12 * 852));
}

#[tokio::test]
async fn a_cursor_that_is_lost_is_said_to_be() {
    let world = World::new();
    world.add("x", "2026-12-01T10:00:00Z", "2026-12-01T11:00:00Z");
    let first = world.changes(None, window()).await.unwrap();
    for what in [
        What::LoseCursor,
        What::Status(410, "resyncRequired"),
        What::Status(400, "ErrorInvalidIdMalformed"),
        What::Status(410, "SyncStateNotFound"),
    ] {
        world.goes_wrong("changes", what);
        assert_eq!(world.changes(Some(&first.cursor), window()).await.unwrap_err().why, Why::CursorLost, "{what:?}");
    }
    assert_eq!(world.changes(None, window()).await.unwrap().items.len(), 1);
    // Without a cursor nothing is lost.
    world.goes_wrong("changes", What::Status(400, "ErrorInvalidRequest"));
    assert_eq!(world.changes(None, window()).await.unwrap_err().why, Why::Refused);
}

#[tokio::test]
async fn an_answer_that_is_none_is_no_sign_that_anything_is_gone() {
    let world = World::new();
    world.server.state().page = 2;
    for day in 1..=5 {
        world.add("x", &format!("2026-12-{day:02}T10:00:00Z"), &format!("2026-12-{day:02}T11:00:00Z"));
    }
    for what in [What::Truncated, What::Empty, What::Page] {
        for skip in 0..3 {
            world.server.state().faults.push(Fault { skip, ..Fault::once("changes", what) });
            assert_eq!(world.changes(None, window()).await.unwrap_err().why, Why::Malformed, "{what:?}");
            world.server.state().faults.clear();
        }
    }
}

#[tokio::test]
async fn one_item_that_the_server_fails_at_stops_no_other_and_is_asked_for_again() {
    let world = World::new();
    let master = series(&world, 4);
    let other = world.add("x", "2026-12-02T10:00:00Z", "2026-12-02T11:00:00Z");
    let fault = Fault { times: 2, ..Fault::once("instances", What::Status(500, "ErrorInternalServerError")) };
    world.server.state().faults.push(fault);
    let first = world.changes(None, window()).await.unwrap();
    assert_eq!((ids(&first), first.series.len()), (BTreeSet::from([other]), 0));
    assert_eq!(first.unread, [(RemoteId(master.clone()), "ErrorInternalServerError".to_owned())]);
    // Nothing changed since, and yet it comes.
    let then = world.changes(Some(&first.cursor), window()).await.unwrap();
    assert_eq!((then.series, then.items.len(), then.unread.len()), (vec![RemoteId(master)], 4, 0));
    let last = world.changes(Some(&then.cursor), window()).await.unwrap();
    assert_eq!((last.series.len(), last.items.len()), (0, 0));
    // A server that is busy is not the fault of an item.
    series(&world, 4);
    world.goes_wrong("instances", What::Throttled(Some(3)));
    assert_eq!(world.changes(Some(&last.cursor), window()).await.unwrap_err().why, Why::Throttled);
}

#[tokio::test]
async fn our_own_events_come_back_as_they_were_written() {
    let world = World::new();
    let event = mirror(1, "2026-12-01T09:00:00Z", "2026-12-01T09:30:00Z");
    let made = world.create(&event).await.unwrap();
    let changes = world.changes(None, window()).await.unwrap();
    let [item] = changes.items.as_slice() else { panic!("{} items", changes.items.len()) };
    let tag = Some(event.tag);
    assert_eq!((&item.id, &item.version, item.face, item.tag), (&made.id, &made.version, event.face(), tag));
    // Once more without tags, as changes are told since: a server that shows them to nobody is read all the same.
    world.server.edit(DOCTOR, &made.id.0, |event| event.body.push('!')).unwrap();
    let then = world.changes(Some(&changes.cursor), window()).await.unwrap();
    assert_eq!(then.items.iter().map(|item| item.tag).collect::<Vec<_>>(), [None]);
    world.goes_wrong("view", What::Status(400, "ErrorInvalidUrlQuery"));
    let whole = world.changes(None, window()).await.unwrap();
    assert_eq!(whole.items.iter().map(|item| item.tag).collect::<Vec<_>>(), [None]);
    world.goes_wrong("view", What::Throttled(None));
    assert_eq!(world.changes(None, window()).await.unwrap_err().why, Why::Throttled);
}
