//! Every document that goes out or comes back is valid.

use std::ops::ControlFlow;

use domain::sync::{RemoteId, Version};
use exchange::{Calendar as _, Cursor, Watch};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;

use super::*;
use crate::ews::schema;
use crate::mailbox::{Event, Fault as Wrong, Range, Recurrence, What};

/// Asks everything there is to ask.
async fn everything(calendar: &Ews, event: &Mirror, id: &str, key: &str) {
    let (id, version) = (RemoteId(id.to_owned()), Version(key.to_owned()));
    let _ = calendar.changes(None, window()).await;
    let cursor = Cursor(format!("{} {} {key}", window().start(), window().end()));
    let _ = calendar.changes(Some(&cursor), window()).await;
    let _ = calendar.read(&id).await;
    let _ = calendar.find(event.tag).await;
    let made = calendar.create(event).await;
    if let Ok(made) = made {
        let _ = calendar.read(&made.id).await;
        let _ = calendar.changes(None, window()).await;
        let _ = calendar.find(event.tag).await;
        let _ = calendar.update(&made.id, &version, event).await;
        if let Ok(made) = calendar.update(&made.id, &made.version, event).await {
            let _ = calendar.delete(&made.id, &made.version).await;
        }
    }
    let _ = calendar.update(&id, &version, event).await;
    let _ = calendar.delete(&id, &version).await;
    let _ = calendar.busy(window(), Duration::from_secs(1)).await;
    let watch = calendar.subscribe().await.unwrap_or(Watch { id: "none".into(), until: None });
    let _ = calendar.create(event).await;
    let mut heard = 0;
    let mut four = |_| {
        heard += 1;
        if heard < 4 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    };
    let _ = calendar.listen(std::slice::from_ref(&watch), 0, &mut four).await;
    let _ = calendar.unsubscribe(&watch).await;
    let _ = calendar.unsubscribe(&watch).await;
}

/// Texts that a document could stumble over.
fn strange() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[\u{0}-\u{20}<>&\"'\\]!-]{0,40}",
        Just("]]>".to_owned()),
        Just("<!DOCTYPE x [<!ENTITY y \"z\">]>&y;".to_owned()),
        Just("\u{feff}\u{fffe}\u{ffff}\u{202e}é\u{301}🩺\u{0}\u{1f}\r\n\t".to_owned()),
        Just("long ".repeat(4_000)),
    ]
}

fn events() -> impl Strategy<Value = (Mirror, String, String)> {
    let zones = prop::sample::select(vec![
        "Europe/Paris",
        "Indian/Reunion",
        "America/Cayenne",
        "Pacific/Marquesas",
        "Pacific/Noumea",
        "Nowhere",
    ]);
    let times = (-2_000_000_000_i64..5_000_000_000, 0_i64..1_000_000, 0_i32..1_000_000_000);
    (strange(), strange(), strange(), strange(), zones, times, any::<u32>(), any::<u128>()).prop_map(
        |(subject, location, id, key, zone, (start, length, nanos), generation, number)| {
            let at = |second| Timestamp::new(second, nanos).unwrap();
            let tag = Tag { appointment: AppointmentId::from_uuid(uuid::Uuid::from_u128(number)), generation };
            let (starts_at, ends_at) = (at(start), at(start + length));
            (Mirror { tag, starts_at, ends_at, time_zone: zone.to_owned(), subject, location }, id, key)
        },
    )
}

fn ways() -> Vec<(Reach, ServerVersion)> {
    let reaches = [Reach::Own, Reach::Impersonation, Reach::Delegate];
    reaches
        .into_iter()
        .flat_map(|reach| [(reach, ServerVersion::Exchange2013Sp1), (reach, ServerVersion::Exchange2016)])
        .collect()
}

/// Judges what went through; says how many.
fn judge(what: &str, documents: &[Vec<u8>]) {
    match schema::faults(documents) {
        None => println!("{what}: the schemas are not beside the checkout"),
        Some(faults) => {
            println!("{what}: {} documents against Messages.xsd and types.xsd", documents.len());
            assert!(faults.is_empty(), "{}", faults.join("\n"));
        }
    }
}

fn asks(document: &[u8]) -> bool {
    document.windows(22).any(|text| text == b"t:RequestServerVersion")
}

#[tokio::test]
async fn whatever_we_ask_is_valid() {
    let mut runner = TestRunner::deterministic();
    let mut documents = Vec::new();
    for case in 0..60 {
        let (event, id, key) = events().new_tree(&mut runner).unwrap().current();
        let world = World::new(Settings { heartbeat: Duration::from_millis(1), ..Settings::default() });
        let (reach, version) = ways()[case % ways().len()];
        everything(&world.reached(reach, version, &world.settings.password), &event, &id, &key).await;
        documents.extend(world.documents.lock().unwrap().drain(..).filter(|document| asks(document)));
    }
    assert!(documents.len() > 60 * 15, "{}", documents.len());
    judge("requests", &documents);
}

#[tokio::test]
async fn whatever_the_fake_answers_is_valid() {
    let mut documents = Vec::new();
    let mut runner = TestRunner::deterministic();
    let faults = [
        None,
        Some(What::Throttled(Some(3))),
        Some(What::Throttled(None)),
        Some(What::Status(200, "ErrorServerBusy")),
        Some(What::Status(500, "ErrorInternalServerError")),
        Some(What::LoseCursor),
        Some(What::Shrunk),
        Some(What::Raced),
    ];
    for what in faults {
        let world = World::new(Settings { heartbeat: Duration::from_millis(1), ..Settings::default() });
        for days in [vec![], vec![jiff::civil::Weekday::Monday, jiff::civil::Weekday::Sunday]] {
            for range in [Range::Forever, Range::Count(4), Range::Until(jiff::civil::date(2027, 1, 1))] {
                let (event, ..) = events().new_tree(&mut runner).unwrap().current();
                let plain = Event::between(&event.subject, during("2026-12-01T09:00:00Z", "2026-12-01T09:30:00Z"));
                world.server.add_series(
                    DOCTOR,
                    Event { location: event.location, ..plain },
                    Recurrence { days: days.clone(), interval: 1, range },
                );
            }
        }
        if let Some(what) = what {
            world.server.state().faults.push(Wrong { operation: None, mailbox: None, skip: 0, times: 1_000, what });
        }
        for (reach, version) in ways() {
            let event = mirror("2026-12-01T09:00:00Z", "2026-12-01T09:30:00Z");
            everything(&world.reached(reach, version, &world.settings.password), &event, "unknown", "unknown").await;
        }
        documents.extend(world.documents.lock().unwrap().drain(..).filter(|document| !asks(document)));
    }
    assert!(documents.len() > 500, "{}", documents.len());
    let told = documents.iter().filter(|document| String::from_utf8_lossy(document).contains("CreatedEvent")).count();
    assert!(told > 15, "{told}");
    judge("answers", &documents);
}

#[test]
fn the_schemas_can_say_no() {
    let envelope = |body: &str| {
        format!(
            "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\" xmlns:m=\"http://schemas.microsoft.com/exchange/services/2006/messages\" \
             xmlns:t=\"http://schemas.microsoft.com/exchange/services/2006/types\"><s:Body>{body}</s:Body></s:Envelope>"
        )
        .into_bytes()
    };
    let good =
        envelope("<m:DeleteItem DeleteType=\"HardDelete\"><m:ItemIds><t:ItemId Id=\"x\"/></m:ItemIds></m:DeleteItem>");
    let bad = envelope("<m:DeleteItem><m:ItemIds><t:ItemId/></m:ItemIds></m:DeleteItem>");
    let Some(none) = schema::faults(&[good]) else { return };
    assert_eq!(none, Vec::<String>::new());
    assert!(!schema::faults(&[bad]).unwrap().is_empty());
}
