//! What goes wrong, and what it comes to.

use exchange::{Calendar as _, Why};

use super::*;
use crate::mailbox::{Access, Fault as Wrong, What};

/// What a call that goes wrong comes to: of a reading, and of a making. And whether something was made.
async fn comes_to(world: &World, what: What) -> (Fault, Fault, bool) {
    let calendar = world.calendar();
    world.server.state().faults.push(Wrong::next(what));
    let read = calendar.find(mirror("2026-12-01T09:00:00Z", "2026-12-01T09:30:00Z").tag).await.unwrap_err();
    let before = world.server.events(DOCTOR).len();
    world.server.state().faults.push(Wrong::next(what));
    let made = calendar.create(&mirror("2026-12-01T09:00:00Z", "2026-12-01T09:30:00Z")).await.unwrap_err();
    assert!(world.server.state().faults.is_empty());
    (read, made, world.server.events(DOCTOR).len() > before)
}

#[tokio::test]
async fn each_fault_is_what_it_is_and_a_write_that_may_be_done_says_so() {
    let world = World::exchange();
    let expected = [
        (What::Status(401, ""), Why::Unauthenticated, false),
        (What::Status(403, ""), Why::Forbidden, false),
        (What::Status(404, ""), Why::NoMailbox, false),
        (What::Status(302, ""), Why::Refused, false),
        (What::Status(429, ""), Why::Throttled, false),
        (What::Status(500, "Runtime error"), Why::Unavailable, true),
        (What::Status(503, "Service unavailable"), Why::Unavailable, true),
        (What::Status(500, "ErrorImpersonateUserDenied"), Why::Forbidden, false),
        (What::Status(500, "ErrorSchemaValidation"), Why::Refused, false),
        (What::Status(500, "ErrorInternalServerError"), Why::Unavailable, true),
        (What::Status(200, "ErrorServerBusy"), Why::Throttled, false),
        (What::Status(200, "ErrorAccessDenied"), Why::Forbidden, false),
        (What::Status(200, "ErrorMailboxMoveInProgress"), Why::Throttled, false),
        (What::Status(200, "ErrorTimeoutExpired"), Why::Unavailable, true),
        (What::Status(200, "ErrorQuotaExceeded"), Why::Refused, false),
        (What::Throttled(Some(7)), Why::Throttled, false),
        (What::Throttled(None), Why::Throttled, false),
        (What::Unreached, Why::Unavailable, false),
        (What::Broken, Why::Unavailable, true),
        (What::LostAnswer, Why::Unavailable, true),
        (What::Truncated, Why::Malformed, true),
        (What::Empty, Why::Malformed, true),
        (What::Page, Why::Malformed, true),
    ];
    for (what, why, perhaps) in expected {
        let (read, made, done) = comes_to(&world, what).await;
        assert_eq!((read.why, read.perhaps_done), (why, false), "{what:?}: {read:?}");
        assert_eq!((made.why, made.perhaps_done), (why, perhaps), "{what:?}: {made:?}");
        assert!(perhaps || !done, "{what:?} made something and does not say so");
        let rest = (what == What::Throttled(Some(7))).then(|| Duration::from_secs(7));
        assert_eq!((read.retry_after, made.retry_after), (rest, rest), "{what:?}");
    }
}

#[tokio::test]
async fn servers_that_only_speak_like_it_are_understood_too() {
    let world = World::loose();
    for (what, why) in [
        (What::Throttled(Some(7)), Why::Throttled),
        (What::Status(500, "ErrorNonExistentMailbox"), Why::NoMailbox),
        (What::Status(500, "ErrorServerBusy"), Why::Throttled),
    ] {
        assert_eq!(comes_to(&world, what).await.0.why, why);
    }
}

#[tokio::test]
async fn who_may_not_is_told_so() {
    let world = World::exchange();
    let stranger = world.reached(Reach::Impersonation, ServerVersion::default(), "wrong");
    assert_eq!(stranger.changes(None, window()).await.unwrap_err().why, Why::Unauthenticated);
    let read = async |reach| {
        let calendar = world.reached(reach, ServerVersion::default(), &world.settings.password);
        calendar.changes(None, window()).await.unwrap_err().why
    };
    let allow = |access| world.server.state().mailbox_mut(DOCTOR).unwrap().access = access;
    allow(Access::Forbidden);
    assert_eq!((read(Reach::Impersonation).await, read(Reach::Delegate).await), (Why::Forbidden, Why::Forbidden));
    allow(Access::Elsewhere);
    assert_eq!((read(Reach::Impersonation).await, read(Reach::Delegate).await), (Why::NoMailbox, Why::NoMailbox));
    world.server.remove_mailbox(DOCTOR);
    assert_eq!((read(Reach::Impersonation).await, read(Reach::Delegate).await), (Why::NoMailbox, Why::NoMailbox));
}

#[tokio::test]
async fn an_update_that_races_another_is_a_conflict() {
    let world = World::exchange();
    let calendar = world.calendar();
    let event = mirror("2026-12-01T09:00:00Z", "2026-12-01T09:30:00Z");
    let made = calendar.create(&event).await.unwrap();
    world.server.state().faults.push(Wrong::once("UpdateItem", What::Raced));
    assert_eq!(calendar.update(&made.id, &made.version, &event).await.unwrap_err().why, Why::Conflict);
    world.server.state().faults.push(Wrong::once("SyncFolderItems", What::LoseCursor));
    assert!(calendar.changes(None, window()).await.unwrap().whole);
}

#[tokio::test]
async fn an_item_in_another_folder_is_not_in_the_calendar() {
    for world in [World::exchange(), World::loose()] {
        let other = world.server.add_calendar(DOCTOR, "Privé");
        let calendar = world.calendar();
        let event = crate::mailbox::Event::between("", during("2026-12-01T09:00:00Z", "2026-12-01T09:30:00Z"));
        let elsewhere = world.server.state().create(DOCTOR, Some(&other), event.clone()).unwrap();
        let here = world.server.add(DOCTOR, event).unwrap();
        assert_eq!(calendar.read(&domain::sync::RemoteId(elsewhere.id)).await.unwrap(), None);
        assert!(calendar.read(&domain::sync::RemoteId(here)).await.unwrap().is_some());
    }
}
