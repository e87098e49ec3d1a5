use std::sync::{Arc, Mutex};
use std::time::Duration;

use domain::sync::Shown::{Away, Busy, Elsewhere, Free, Tentative};
use domain::sync::{RemoteId, Version, text_digest};
use exchange::{CATEGORY, Calendar as _, Line, Request, Response, Transport, TransportError, Why};
use exchange_fakes::in_process::InProcess;
use exchange_fakes::mailbox::{Access, Event, Sensitivity, What};
use futures_util::future::BoxFuture;
use http::{HeaderMap, Method};

use crate::world::{DOCTOR, World, at, during, mirror, our_side, window};

#[tokio::test]
async fn what_is_made_is_found_read_changed_and_taken_away_and_tells_nobody() {
    let world = World::new();
    let mut event = mirror(1, "2026-12-01T09:00:00Z", "2026-12-01T09:30:00Z");
    let made = world.create(&event).await.unwrap();
    let kept = &world.server.events(DOCTOR)[0];
    assert_eq!(
        (kept.subject.as_str(), kept.location.as_str(), kept.zone.as_str()),
        ("Carnet", "Cabinet de Lyon", "Romance Standard Time")
    );
    assert_eq!((kept.sensitivity, kept.reminder, kept.all_day), (Sensitivity::Private, false, false));
    assert_eq!(
        (kept.categories.as_slice(), kept.attendees.len(), kept.body.as_str()),
        ([CATEGORY.to_owned()].as_slice(), 0, "")
    );
    assert_eq!(kept.start.to_string(), "2026-12-01T10:00:00");

    let read = world.read(&made.id).await.unwrap().unwrap();
    assert_eq!((read.tag, read.face, &read.version), (Some(event.tag), event.face(), &made.version));
    assert_eq!(world.find(event.tag).await.unwrap(), [read]);
    assert_eq!(world.find(mirror(2, "2026-12-01T09:00:00Z", "2026-12-01T09:30:00Z").tag).await.unwrap(), []);

    (event.starts_at, event.ends_at) = (at("2026-12-02T09:00:00Z"), at("2026-12-02T10:00:00Z"));
    let changed = world.update(&made.id, &made.version, &event).await.unwrap();
    assert_eq!((&changed.id, world.read(&made.id).await.unwrap().unwrap().face), (&made.id, event.face()));
    assert_eq!(world.update(&made.id, &made.version, &event).await.unwrap_err().why, Why::Conflict);
    assert_eq!(world.delete(&made.id, &made.version).await.unwrap_err().why, Why::Conflict);
    world.delete(&made.id, &changed.version).await.unwrap();
    assert_eq!(world.server.events(DOCTOR), []);
    assert_eq!(world.read(&made.id).await.unwrap(), None);
    assert_eq!(world.delete(&made.id, &changed.version).await.unwrap_err().why, Why::Gone);
    assert_eq!(world.update(&made.id, &changed.version, &event).await.unwrap_err().why, Why::Gone);
}

#[tokio::test]
async fn an_answer_that_is_lost_makes_no_second_event() {
    let world = World::new();
    let event = mirror(1, "2026-12-01T09:00:00Z", "2026-12-01T09:30:00Z");
    for what in [What::LostAnswer, What::Truncated, What::Empty, What::Page] {
        world.goes_wrong("create", what);
        let fault = world.create(&event).await.unwrap_err();
        assert!(fault.perhaps_done, "{what:?}: {fault}");
        assert_eq!(world.server.events(DOCTOR).len(), 1);
    }
    let again = world.create(&event).await.unwrap();
    assert_eq!(again.id.0, world.server.events(DOCTOR)[0].id);
    assert_eq!(world.server.events(DOCTOR).len(), 1);
    for what in [What::Broken, What::Status(502, "UnknownError")] {
        world.goes_wrong("update", what);
        assert!(world.update(&again.id, &again.version, &event).await.unwrap_err().perhaps_done, "{what:?}");
    }
    for what in [What::Unreached, What::Throttled(Some(7)), What::Status(403, "ErrorAccessDenied")] {
        world.goes_wrong("update", what);
        assert!(!world.update(&again.id, &again.version, &event).await.unwrap_err().perhaps_done, "{what:?}");
    }
}

#[tokio::test]
async fn a_transaction_that_made_something_else_meanwhile_is_for_the_next_look() {
    let world = World::new();
    let mut event = mirror(1, "2026-12-01T09:00:00Z", "2026-12-01T09:30:00Z");
    let made = world.create(&event).await.unwrap();
    // The same is asked for again after its owner moved it: what comes back is not what was asked for.
    world.server.shift(DOCTOR, &made.id.0, domain::SignedDuration::from_hours(1)).unwrap();
    let fault = world.create(&event).await.unwrap_err();
    assert_eq!((fault.why, fault.perhaps_done), (Why::Conflict, true));
    // Another is asked for under the same tag.
    event.location = "Cabinet de Bron".into();
    assert_eq!(world.create(&event).await.unwrap_err().why, Why::Conflict);
    // And after it is gone, that transaction makes nothing any more.
    world.server.remove(DOCTOR, &made.id.0).unwrap();
    let fault = world.create(&event).await.unwrap_err();
    assert_eq!(
        (fault.why, fault.code.as_str(), fault.perhaps_done),
        (Why::Refused, "ErrorDuplicateTransactionId", false)
    );
    event.tag.generation = 2;
    world.create(&event).await.unwrap();
    assert_eq!(world.server.events(DOCTOR).len(), 1);
}

#[tokio::test]
async fn the_hour_that_comes_twice_is_written_as_it_is() {
    let world = World::new();
    for (n, hour) in [(1, 0), (2, 1)] {
        let (from, to) = (format!("2026-10-25T0{hour}:15:00Z"), format!("2026-10-25T0{hour}:45:00Z"));
        let event = mirror(n, &from, &to);
        let made = world.create(&event).await.unwrap();
        assert_eq!(world.read(&made.id).await.unwrap().unwrap().face, event.face());
    }
}

#[tokio::test]
async fn a_calendar_of_several_is_meant_alone_and_numbers_are_immutable() {
    let world = World::new();
    let second = world.server.add_calendar(DOCTOR, "Remplacements");
    let other = our_side(&world.fake, world.transport.clone(), Some(second));
    let event = mirror(1, "2026-12-01T09:00:00Z", "2026-12-01T09:30:00Z");
    let made = other.create(&event).await.unwrap();
    assert!(made.id.0.starts_with("AAkA"), "{}", made.id.0);
    assert_eq!((world.server.events(DOCTOR).len(), world.read(&made.id).await.unwrap()), (0, None));
    assert_eq!(other.changes(None, window()).await.unwrap().items.len(), 1);
    assert_eq!(world.changes(None, window()).await.unwrap().items.len(), 0);
    let gone = our_side(&world.fake, world.transport.clone(), Some("AQMkAGInowhere=".into()));
    assert_eq!(gone.changes(None, window()).await.unwrap_err().why, Why::NoMailbox);
    // An item of a calendar that is gone is not gone for all we know.
    assert_eq!(gone.read(&made.id).await.unwrap_err().why, Why::NoMailbox);
}

#[tokio::test]
async fn a_mailbox_that_is_elsewhere_or_kept_from_us_is_told_from_an_item_that_is_gone() {
    let world = World::new();
    let made = world.create(&mirror(1, "2026-12-01T09:00:00Z", "2026-12-01T09:30:00Z")).await.unwrap();
    for (access, why) in [(Access::Elsewhere, Why::NoMailbox), (Access::Forbidden, Why::Forbidden)] {
        world.server.state().mailbox_mut(DOCTOR).unwrap().access = access;
        assert_eq!(world.read(&made.id).await.unwrap_err().why, why);
        assert_eq!(world.delete(&made.id, &made.version).await.unwrap_err().why, why);
        assert_eq!(world.changes(None, window()).await.unwrap_err().why, why);
        assert_eq!(world.busy(window(), Duration::from_secs(1)).await.unwrap_err().why, why);
    }
    world.server.remove_mailbox(DOCTOR);
    assert_eq!(world.read(&made.id).await.unwrap_err().why, Why::NoMailbox);
    assert_eq!(
        world
            .update(&made.id, &Version("x".into()), &mirror(1, "2026-12-01T09:00:00Z", "2026-12-01T09:30:00Z"))
            .await
            .unwrap_err()
            .why,
        Why::NoMailbox
    );
}

#[tokio::test]
async fn whole_days_are_days_where_they_were_entered() {
    let world = World::new();
    let whole = |zone: &str| Event {
        all_day: true,
        shown: domain::sync::Shown::Away,
        ..Event::new("Congés", "2026-12-10T00:00:00".parse().unwrap(), "2026-12-11T00:00:00".parse().unwrap(), zone)
    };
    for (zone, from, to) in [
        ("Romance Standard Time", "2026-12-09T23:00:00Z", "2026-12-10T23:00:00Z"),
        ("Mauritius Standard Time", "2026-12-09T20:00:00Z", "2026-12-10T20:00:00Z"),
        // A program entered it in no zone: it is a day of its owner's.
        ("UTC", "2026-12-09T23:00:00Z", "2026-12-10T23:00:00Z"),
    ] {
        let id = RemoteId(world.server.add(DOCTOR, whole(zone)).unwrap());
        let face = world.read(&id).await.unwrap().unwrap().face;
        assert_eq!((face.starts_at, face.ends_at), (at(from), at(to)), "{zone}");
        assert_eq!(face.text, text_digest("Congés", ""));
    }
}

#[tokio::test]
async fn who_is_busy_is_told_and_being_free_or_elsewhere_is_not() {
    let world = World::new();
    for (hour, shown) in [(8, Free), (9, Tentative), (10, Busy), (11, Away), (12, Elsewhere)] {
        let id = world.add("x", &format!("2026-12-01T{hour:02}:00:00Z"), &format!("2026-12-01T{hour:02}:30:00Z"));
        world.server.edit(DOCTOR, &id, |event| event.shown = shown).unwrap();
    }
    let busy = |from, to| world.busy(during(from, to), Duration::from_millis(800));
    let all = busy("2026-12-01T00:00:00Z", "2026-12-02T00:00:00Z").await.unwrap();
    let expected = [9, 10, 11]
        .map(|hour| during(&format!("2026-12-01T{hour:02}:00:00Z"), &format!("2026-12-01T{hour:02}:30:00Z")));
    assert_eq!(all, expected);
    assert_eq!(
        busy("2026-12-01T10:10:00Z", "2026-12-01T10:20:00Z").await.unwrap(),
        [during("2026-12-01T10:10:00Z", "2026-12-01T10:20:00Z")]
    );
    assert_eq!(busy("2026-12-01T10:30:00Z", "2026-12-01T11:00:00Z").await.unwrap(), []);
    for what in [What::Broken, What::Empty, What::Page, What::Truncated, What::Status(503, "ErrorServerBusy")] {
        world.goes_wrong("busy", what);
        let fault = busy("2026-12-01T10:30:00Z", "2026-12-01T11:00:00Z").await.unwrap_err();
        assert!(!fault.perhaps_done, "{what:?}");
    }
}

/// The heads of requests, as they went out.
type Heads = Arc<Mutex<Vec<(Method, HeaderMap)>>>;

struct Seeing(InProcess, Heads);

impl Transport for Seeing {
    fn send(
        &self, request: Request, longest: Duration, most: usize,
    ) -> BoxFuture<'_, Result<Response, TransportError>> {
        self.1.lock().unwrap().push((request.method().clone(), request.headers().clone()));
        self.0.send(request, longest, most)
    }
    fn open<'a>(
        &'a self, uri: &'a http::Uri, longest: Duration,
    ) -> BoxFuture<'a, Result<Box<dyn Line>, TransportError>> {
        self.0.open(uri, longest)
    }
}

#[tokio::test]
async fn every_call_says_what_it_must() {
    let world = World::new();
    let seen: Heads = Arc::default();
    let place = exchange::graph::Place {
        base: "https://graph.fake.example/v1.0/".into(),
        user: DOCTOR.into(),
        address: DOCTOR.into(),
        calendar: None,
        time_zone: "Europe/Paris".into(),
    };
    let tokens = Arc::new(exchange_fakes::graph::Straight::new(world.fake.clone()));
    let graph =
        exchange::graph::Graph::new(Arc::new(Seeing(InProcess(world.fake.router()), seen.clone())), tokens, place)
            .unwrap();
    let event = mirror(1, "2026-12-01T09:00:00Z", "2026-12-01T09:30:00Z");
    let made = graph.create(&event).await.unwrap();
    graph.read(&made.id).await.unwrap();
    graph.changes(None, window()).await.unwrap();
    graph.busy(window(), Duration::from_secs(1)).await.unwrap();
    let made = graph.update(&made.id, &made.version, &event).await.unwrap();
    graph.delete(&made.id, &made.version).await.unwrap();
    let seen = seen.lock().unwrap();
    // What changed is asked for twice: with its tags.
    assert_eq!(seen.len(), 7);
    let mut ids = std::collections::BTreeSet::new();
    for (method, headers) in seen.iter() {
        let prefer = headers["prefer"].to_str().unwrap();
        assert!(prefer.contains(r#"IdType="ImmutableId""#) && prefer.contains(r#"outlook.timezone="UTC""#));
        assert!(headers["authorization"].is_sensitive());
        assert_eq!(headers.contains_key("if-match"), matches!(*method, Method::PATCH | Method::DELETE));
        assert!(ids.insert(headers["client-request-id"].clone()));
    }
}
