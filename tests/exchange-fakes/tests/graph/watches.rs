use std::sync::{Arc, Mutex};

use bytes::Bytes;
use domain::SignedDuration;
use exchange::graph::{LIFETIME, Notice, Told, Wanted, notified};
use exchange::{Calendar as _, Why};
use exchange_fakes::graph::{CallOut, Manner, TENANT};
use exchange_fakes::mailbox::What;

use crate::world::{DOCTOR, World, at, mirror};

fn wanted() -> Wanted {
    Wanted {
        notices: "https://carnet.example/graph?x=1".into(),
        lifecycle: "https://carnet.example/graph-life".into(),
        client_state: "known to us".into(),
        lifetime: SignedDuration::from_hours(24 * 30),
    }
}

/// Who is called: says the token again, decoded, and keeps the rest.
fn receiver(kept: Arc<Mutex<Vec<Notice>>>) -> CallOut {
    Arc::new(move |request: http::Request<Bytes>| {
        let query = request.uri().query().unwrap_or_default();
        let token = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "validationToken");
        let answer = if let Some((_, token)) = token {
            http::Response::builder().header("content-type", "text/plain").body(Bytes::from(token.into_owned()))
        } else {
            kept.lock().unwrap().extend(notified(request.body()));
            http::Response::builder().status(202).body(Bytes::new())
        };
        Box::pin(async move { answer.map_err(|error| error.to_string()) })
    })
}

#[tokio::test]
async fn a_watch_lives_is_told_of_changes_and_ends() {
    let world = World::new();
    let kept: Arc<Mutex<Vec<Notice>>> = Arc::default();
    let now = at("2026-11-30T08:00:00Z");
    // Nobody answers who is called.
    assert_eq!(world.subscribe(&wanted(), now).await.unwrap_err().why, Why::Refused);
    let fake = world.fake.clone().calling(receiver(kept.clone()));
    let watch = world.subscribe(&wanted(), now).await.unwrap();
    assert_eq!(watch.until, Some(now + LIFETIME));

    let made = world.create(&mirror(1, "2026-12-01T09:00:00Z", "2026-12-01T09:30:00Z")).await.unwrap();
    assert_eq!(fake.deliver(Manner::Thrice).await, [202, 202, 202]);
    let notice = kept.lock().unwrap().pop().unwrap();
    assert_eq!(
        (notice.subscription.as_str(), notice.client_state.as_deref(), notice.told),
        (watch.id.as_str(), Some("known to us"), Told::Changed)
    );
    assert_eq!(notice.tenant.as_deref(), Some(TENANT));
    assert_eq!(fake.deliver(Manner::Once).await, [] as [u16; 0]);
    world.server.remove(DOCTOR, &made.id.0).unwrap();
    assert_eq!(fake.deliver(Manner::Lost).await, [] as [u16; 0]);

    let later = now + SignedDuration::from_hours(40);
    world.server.state().now = later;
    let renewed = world.renew(&watch, SignedDuration::from_hours(1), later).await.unwrap();
    assert_eq!((&renewed.id, renewed.until), (&watch.id, Some(later + SignedDuration::from_hours(1))));
    world.reauthorize(&watch).await.unwrap();
    kept.lock().unwrap().clear();
    for (event, told) in [
        ("missed", Told::Missed),
        ("reauthorizationRequired", Told::Reauthorize),
        ("subscriptionRemoved", Told::Removed),
    ] {
        assert_eq!(fake.tell_life(&watch.id, event).await, Some(202));
        assert_eq!(kept.lock().unwrap().pop().unwrap().told, told);
    }
    assert_eq!(world.renew(&watch, LIFETIME, later).await.unwrap_err().why, Why::NoWatch);
    assert_eq!(world.reauthorize(&watch).await.unwrap_err().why, Why::NoWatch);
    world.unsubscribe(&watch).await.unwrap();
    let another = world.subscribe(&wanted(), later).await.unwrap();
    world.unsubscribe(&another).await.unwrap();
    assert_eq!(fake.subscribed().len(), 0);
}

#[tokio::test]
async fn a_mailbox_that_cannot_be_watched_is_said_to_be() {
    let world = World::new();
    let now = at("2026-11-30T08:00:00Z");
    for (status, code, why) in [
        (403, "ExtensionError", Why::NoWatch),
        (400, "ExtensionError", Why::NoWatch),
        (403, "ErrorAccessDenied", Why::Forbidden),
        (404, "ResourceNotFound", Why::NoWatch),
        (410, "x", Why::NoWatch),
        (429, "TooManyRequests", Why::Throttled),
    ] {
        world.goes_wrong("subscribe", What::Status(status, code));
        assert_eq!(world.subscribe(&wanted(), now).await.unwrap_err().why, why, "{status} {code}");
    }
    world.goes_wrong("subscribe", What::LostAnswer);
    assert!(world.subscribe(&wanted(), now).await.unwrap_err().perhaps_done);
}
