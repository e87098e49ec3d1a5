//! What happens to items, ours and others'.

use std::collections::BTreeSet;

use domain::SignedDuration;
use domain::sync::{Shown, Tag};
use exchange::{Calendar as _, Cursor, Why};
use jiff::civil::{Weekday, date};

use super::*;
use crate::mailbox::{Event, Range, Recurrence, Sensitivity, What};

fn daily(range: Range) -> Recurrence {
    Recurrence { days: vec![], interval: 1, range }
}

pub fn lunch() -> Event {
    Event::new(
        "Déjeuner & <sieste>",
        date(2026, 12, 1).at(12, 0, 0, 0),
        date(2026, 12, 1).at(13, 0, 0, 0),
        "Romance Standard Time",
    )
}

#[tokio::test]
async fn an_item_of_ours_lives_and_dies() {
    for (world, reach) in [
        (World::exchange(), Reach::Impersonation),
        (World::exchange(), Reach::Delegate),
        (World::exchange(), Reach::Own),
        (World::loose(), Reach::Delegate),
    ] {
        let calendar = world.reached(reach, ServerVersion::default(), &world.settings.password);
        let whose = if reach == Reach::Own { world.settings.user.as_str() } else { DOCTOR };
        let event = mirror("2026-12-01T09:00:00Z", "2026-12-01T09:30:00Z");
        let made = calendar.create(&event).await.unwrap();
        let kept = &world.server.events(whose)[0];
        assert_eq!(
            (kept.zone.as_str(), kept.start.hour(), kept.reminder, kept.sensitivity),
            ("Romance Standard Time", 10, false, Sensitivity::Private)
        );
        assert_eq!((kept.attendees.len(), kept.categories.as_slice()), (0, ["Carnet".to_owned()].as_slice()));

        let item = calendar.read(&made.id).await.unwrap().unwrap();
        assert_eq!(
            (item.face, item.tag, &item.version, item.series.as_ref()),
            (event.face(), Some(event.tag), &made.version, None)
        );
        assert_eq!(calendar.find(event.tag).await.unwrap(), vec![item.clone()]);
        assert_eq!(calendar.find(Tag { generation: 2, ..event.tag }).await.unwrap(), vec![]);
        let all = calendar.changes(None, window()).await.unwrap();
        assert!(all.whole && all.items == vec![item.clone()] && all.unread.is_empty(), "{all:?}");

        let later = mirror("2027-07-01T09:00:00Z", "2027-07-01T09:30:00Z");
        let moved = calendar.update(&made.id, &made.version, &later).await.unwrap();
        assert_eq!(calendar.read(&moved.id).await.unwrap().unwrap().face, later.face());
        assert_eq!(world.server.events(whose)[0].start.hour(), 11);
        calendar.delete(&moved.id, &moved.version).await.unwrap();
        assert!(world.server.events(whose).is_empty());
        assert_eq!(calendar.read(&moved.id).await.unwrap(), None);
        assert_eq!(calendar.delete(&moved.id, &moved.version).await.unwrap_err().why, Why::Gone);
        assert_eq!(calendar.update(&moved.id, &moved.version, &later).await.unwrap_err().why, Why::Gone);
    }
}

#[tokio::test]
async fn nothing_is_overwritten_nor_deleted_in_a_state_that_we_do_not_know() {
    let world = World::exchange();
    let calendar = world.calendar();
    let event = mirror("2026-12-01T09:00:00Z", "2026-12-01T09:30:00Z");
    let made = calendar.create(&event).await.unwrap();
    let moved = world.server.shift(DOCTOR, &made.id.0, SignedDuration::from_mins(30)).unwrap();
    assert_eq!(calendar.update(&made.id, &made.version, &event).await.unwrap_err().why, Why::Conflict);
    assert_eq!(calendar.delete(&made.id, &made.version).await.unwrap_err().why, Why::Conflict);
    assert_eq!(world.server.events(DOCTOR)[0].start, moved.start);
    let now = calendar.read(&made.id).await.unwrap().unwrap();
    assert_eq!(now.face.starts_at, at("2026-12-01T09:30:00Z"));
    assert!(calendar.update(&now.id, &now.version, &event).await.is_ok());
}

#[tokio::test]
async fn a_copy_carries_our_tag_and_another_number() {
    let world = World::exchange();
    let calendar = world.calendar();
    let event = mirror("2026-12-01T09:00:00Z", "2026-12-01T09:30:00Z");
    let made = calendar.create(&event).await.unwrap();
    let copy = world.server.copy(DOCTOR, &made.id.0).unwrap();
    let found: BTreeSet<String> = calendar.find(event.tag).await.unwrap().into_iter().map(|item| item.id.0).collect();
    assert_eq!(found, BTreeSet::from([made.id.0, copy]));
}

#[tokio::test]
async fn what_did_not_change_is_not_read_again() {
    let world = World::exchange();
    let calendar = world.calendar();
    world.server.add(DOCTOR, lunch()).unwrap();
    let first = calendar.changes(None, window()).await.unwrap();
    assert_eq!((first.whole, first.items.len()), (true, 1));
    let asked = world.server.state().calls.len();
    let second = calendar.changes(Some(&first.cursor), window()).await.unwrap();
    assert_eq!((second.whole, second.items.len(), world.server.state().calls.len() - asked), (false, 0, 1));
    // Another window is another reading, and one thing that changed makes it whole.
    let other = during("2026-11-28T00:00:00Z", "2027-05-28T00:00:00Z");
    assert!(calendar.changes(Some(&second.cursor), other).await.unwrap().whole);
    world.server.add(DOCTOR, lunch()).unwrap();
    let third = calendar.changes(Some(&second.cursor), window()).await.unwrap();
    assert_eq!((third.whole, third.items.len()), (true, 2));
    assert_eq!(calendar.changes(Some(&third.cursor), window()).await.unwrap().items, vec![]);
    // What is no cursor of ours begins anew; one that the server does not know is said to be lost.
    assert!(calendar.changes(Some(&Cursor("x".into())), window()).await.unwrap().whole);
    world.server.state().mailbox_mut(DOCTOR).unwrap().generation += 1;
    assert_eq!(calendar.changes(Some(&third.cursor), window()).await.unwrap_err().why, Why::CursorLost);
}

#[tokio::test]
async fn every_occurrence_is_an_item_and_nothing_of_others_is_kept() {
    let world = World::exchange();
    let calendar = world.calendar();
    let weekly = Recurrence { days: vec![Weekday::Tuesday, Weekday::Friday], interval: 1, range: Range::Count(6) };
    let series = world.server.add_series(DOCTOR, lunch(), weekly).unwrap();
    let day = |day: i8| format!("OID.{series}.2026-12-{day:02}");
    world.server.remove(DOCTOR, &day(4)).unwrap();
    world.server.shift(DOCTOR, &day(8), SignedDuration::from_hours(2)).unwrap();
    world.server.edit(DOCTOR, &day(11), |event| (event.shown, event.cancelled) = (Shown::Away, true)).unwrap();
    let read = calendar.changes(None, window()).await.unwrap();
    let starts: Vec<String> = {
        let mut all: Vec<_> = read.items.iter().map(|item| item.face.starts_at.to_string()).collect();
        all.sort();
        all
    };
    assert_eq!(
        starts,
        [
            "2026-12-01T11:00:00Z",
            "2026-12-08T13:00:00Z",
            "2026-12-11T11:00:00Z",
            "2026-12-15T11:00:00Z",
            "2026-12-18T11:00:00Z",
        ]
    );
    assert!(read.items.iter().all(|item| item.face.text.is_nil() && item.tag.is_none()));
    let named: BTreeSet<_> = read.items.iter().map(|item| item.series.clone()).collect();
    assert!(named.len() == 1 && named.first().unwrap().is_some());
    let called_off: Vec<_> = read.items.iter().filter(|item| item.cancelled).map(|item| item.face.shown).collect();
    assert_eq!(called_off, [Shown::Away]);
}

#[tokio::test]
async fn more_than_ten_thousand_occurrences_are_read_whatever_the_server_gives_at_once() {
    for (cut, series) in [(1_000, 60_i8), (250, 12)] {
        let world = World::new(Settings { cut, ..Settings::default() });
        // Series of a quarter of an hour each day for half a year.
        for number in 0..series {
            let start = date(2026, 11, 20).at(number / 4 + 4, 15 * (number % 4), 0, 0);
            let event = Event::new("", start, start.saturating_add(jiff::Span::new().minutes(15)), "Europe/Paris");
            world.server.add_series(DOCTOR, event, daily(Range::Forever)).unwrap();
        }
        let read = world.calendar().changes(None, window()).await.unwrap();
        let numbers: BTreeSet<_> = read.items.iter().map(|item| &item.id).collect();
        let count = usize::try_from(series).unwrap();
        assert_eq!((read.items.len(), numbers.len(), read.whole), (181 * count, 181 * count, true));
        let pages = world.server.state().calls.iter().filter(|call| call.operation == "FindItem").count();
        assert!(pages < 12 * 181 * count / cut, "{pages} pages of {cut}");
    }
}

#[tokio::test]
async fn a_server_that_lists_a_series_as_one_item_loses_no_single_one() {
    let world = World::loose();
    let calendar = world.calendar();
    for _ in 0..3 {
        world.server.add(DOCTOR, lunch()).unwrap();
    }
    let series = world.server.add_series(DOCTOR, lunch(), daily(Range::Forever)).unwrap();
    let read = calendar.changes(None, window()).await.unwrap();
    assert_eq!((read.items.len(), read.whole), (3, true));
    assert_eq!(read.unread.iter().map(|(id, _)| id.0.as_str()).collect::<Vec<_>>(), [series]);
    assert_eq!(read.items[0].face.starts_at, at("2026-12-01T11:00:00Z"));
}

#[tokio::test]
async fn who_is_busy_when() {
    let world = World::exchange();
    let calendar = world.calendar();
    let put = |start: i8, shown| {
        let event = Event::new(
            "",
            date(2026, 12, 1).at(start, 0, 0, 0),
            date(2026, 12, 1).at(start + 1, 0, 0, 0),
            "Europe/Paris",
        );
        world.server.add(DOCTOR, Event { shown, ..event }).unwrap();
    };
    let shown = [Shown::Busy, Shown::Tentative, Shown::Away, Shown::Free, Shown::Elsewhere, Shown::Busy];
    (8..).step_by(2).zip(shown).for_each(|(hour, shown)| put(hour, shown));
    world.server.add_series(DOCTOR, lunch(), daily(Range::Forever)).unwrap();
    let longest = Duration::from_millis(800);
    let busy = calendar.busy(during("2026-12-01T07:30:00Z", "2026-12-01T17:15:00Z"), longest).await.unwrap();
    assert_eq!(
        busy,
        [
            during("2026-12-01T07:30:00Z", "2026-12-01T08:00:00Z"),
            during("2026-12-01T09:00:00Z", "2026-12-01T10:00:00Z"),
            during("2026-12-01T11:00:00Z", "2026-12-01T12:00:00Z"),
            during("2026-12-01T17:00:00Z", "2026-12-01T17:15:00Z"),
        ]
    );
    assert_eq!(calendar.busy(during("2026-12-02T11:10:00Z", "2026-12-02T11:20:00Z"), longest).await.unwrap().len(), 1);
    assert_eq!(calendar.busy(window(), longest).await.unwrap().len(), 4 + 177 - 1);
}

#[tokio::test]
async fn items_are_made_several_at_once_and_each_is_answered_for() {
    for world in [World::exchange(), World::loose()] {
        let calendar = world.calendar();
        let events: Vec<Mirror> = (0..7_u8)
            .map(|number| {
                let hour = |minute: u8| format!("2026-12-0{}T09:{minute:02}:00Z", number + 1);
                let tag =
                    Tag { appointment: AppointmentId::from_uuid(uuid::Uuid::from_u128(number.into())), generation: 1 };
                Mirror { tag, ..mirror(&hour(0), &hour(30)) }
            })
            .collect();
        let calls = || world.server.state().calls.iter().filter(|call| call.operation == "CreateItem").count();
        let made = calendar.create_all(&events).await;
        assert_eq!((made.len(), calls()), (7, 1));
        for (event, made) in events.iter().zip(made) {
            let read = calendar.read(&made.unwrap().id).await.unwrap().unwrap();
            assert_eq!((read.tag, read.face), (Some(event.tag), event.face()));
        }
        // Of those that the server does not answer for, each may have been made.
        world.server.state().faults.push(crate::mailbox::Fault::once("CreateItem", What::LostAnswer));
        assert!(
            calendar.create_all(&events).await.iter().all(|made| made.as_ref().is_err_and(|fault| fault.perhaps_done))
        );
        // Items of several zones are asked for by several requests.
        let mut elsewhere = events.clone();
        elsewhere[3].time_zone = "Indian/Reunion".into();
        let before = calls();
        assert!(calendar.create_all(&elsewhere).await.iter().all(Result::is_ok));
        assert_eq!(calls() - before, 3);
    }
}
