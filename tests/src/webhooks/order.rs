//! Of one thing one event after the other, of all things each at least once, whoever hangs, fails or is killed.

use std::time::{Duration, Instant};

use axum::body::Body;
use domain::SignedDuration;
use serde_json::{Value, json};

use super::receiver::{Manner, Receiver};
use super::{administrator, app, deliveries, open, send, tell};
use crate::support::app::book;

fn id(visit: &Value) -> String {
    visit["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn of_one_visit_nothing_overtakes_what_was_not_taken_and_other_visits_go_on() {
    let (app, receiver) = (app().await, Receiver::start().await);
    let webhook = open(&administrator(&app).await, &receiver, "/hook").await;
    let (ada, slots) = (app.patient().await, app.slots_with("etienne-bouvarel").await);
    let [one, other] = [id(&book(&ada, &slots[0]).await.expect(201)), id(&book(&ada, &slots[8]).await.expect(201))];
    receiver.behaves("/hook", Manner::Minds(one.clone()));
    let cancel = async |visit: &str| {
        ada.post(&format!("/v1/appointments/{visit}/cancellation"), &json!({"reason": "x"})).await.expect(200);
    };
    cancel(&one).await;
    cancel(&other).await;
    tell(&app).await;
    let of_other: Vec<_> =
        ["appointment.booked.v1", "appointment.cancelled.v1"].map(|kind| (kind.to_owned(), other.clone())).into();
    assert_eq!(receiver.taken("/hook"), of_other);
    let tried = || receiver.received("/hook").into_iter().filter(|it| it.subject() == one).collect::<Vec<_>>();
    assert!(tried().iter().all(|it| it.kind() == "appointment.booked.v1"), "{:?}", tried());
    // Tried again after a pause, and not before.
    let before = tried().len();
    send(&app).await;
    assert_eq!(tried().len(), before);
    app.later(SignedDuration::from_secs(6));
    send(&app).await;
    assert_eq!(tried().len(), before + 1);
    receiver.behaves("/hook", Manner::Takes);
    app.later(SignedDuration::from_secs(60));
    tell(&app).await;
    let of_one: Vec<_> = tried().into_iter().filter(|it| it.taken).map(|it| it.kind().to_owned()).collect();
    assert_eq!(of_one, ["appointment.booked.v1", "appointment.cancelled.v1"]);
    // At each try it is the same message.
    let booked: Vec<_> = tried().into_iter().filter(|it| it.kind() == "appointment.booked.v1").collect();
    assert!(booked.iter().all(|it| it.id == booked[0].id && it.body == booked[0].body));
    let known = deliveries(&administrator(&app).await, &webhook).await;
    assert_eq!(known.len(), 4);
    let log = known.iter().find(|it| it["id"] == json!(booked[0].id)).unwrap();
    assert_eq!(log["attempts"], json!(booked.len()));
    assert_eq!((&log["tries"][0]["status"], &log["tries"][0]["error"]), (&json!(500), &json!("status")));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_hangs_keeps_nobody_else_waiting() {
    let (app, receiver) = (app().await, Receiver::start().await);
    let administrator = administrator(&app).await;
    for path in ["/hangs", "/one", "/two"] {
        open(&administrator, &receiver, path).await;
    }
    receiver.behaves("/hangs", Manner::Hangs);
    let (ada, slots) = (app.patient().await, app.slots_with("etienne-bouvarel").await);
    for slot in slots.iter().step_by(4).take(6) {
        book(&ada, slot).await.expect(201);
    }
    // Planned, and not sent yet: no booking waits for any of it.
    app.event("deliver-outbox", Body::empty()).await;
    let began = Instant::now();
    let others = async {
        while receiver.taken("/one").len() < 6 || receiver.taken("/two").len() < 6 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let first = began.elapsed();
        // What happens while the run waits for the one that hangs is told at once too.
        book(&ada, &slots[40]).await.expect(201);
        app.event("deliver-outbox", Body::empty()).await;
        while receiver.taken("/one").len() < 7 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        (first, began.elapsed())
    };
    let (_, (first, late)) = futures_util::join!(send(&app), others);
    assert!(first < Duration::from_secs(3) && late < Duration::from_secs(6), "{first:?}, {late:?}");
    // No more than four at once to one address; once it fails, one.
    let hung = receiver.received("/hangs");
    assert!((4..=6).contains(&hung.len()), "{}", hung.len());
    let whole = began.elapsed();
    assert!(whole > Duration::from_secs(9) && whole < Duration::from_secs(35), "{whole:?}");
}

#[tokio::test]
async fn killed_between_sending_and_writing_down_it_sends_the_same_again() {
    let (app, receiver) = (app().await, Receiver::start().await);
    let webhook = open(&administrator(&app).await, &receiver, "/hook").await;
    book(&app.patient().await, &app.slots_with("etienne-bouvarel").await[0]).await.expect(201);
    app.event("deliver-outbox", Body::empty()).await;
    receiver.behaves("/hook", Manner::Hangs);
    let cut = tokio::time::timeout(Duration::from_millis(700), app.event("send-webhooks", Body::empty())).await;
    assert!(cut.is_err());
    receiver.behaves("/hook", Manner::Takes);
    // Somebody may still be at it.
    assert_eq!(send(&app).await, 0);
    app.later(SignedDuration::from_secs(31));
    assert_eq!(send(&app).await, 1);
    let received = receiver.received("/hook");
    assert_eq!(received.len(), 2);
    assert_eq!((&received[0].id, &received[0].body), (&received[1].id, &received[1].body));
    let known = deliveries(&administrator(&app).await, &webhook).await;
    assert_eq!((&known[0]["state"], &known[0]["attempts"]), (&json!("delivered"), &json!(2)));
    // An event that comes twice is planned once.
    let sql = "update delivery set state = 'waiting', settled_at = null, next_attempt_at = '2026-01-01' where consumer = 'plan-webhooks'";
    sqlx::query(sql).execute(app.pool()).await.unwrap();
    tell(&app).await;
    assert_eq!(receiver.received("/hook").len(), 2);
}

#[tokio::test]
async fn an_event_that_is_late_is_planned_before_those_that_came_after_it() {
    let (app, receiver) = (app().await, Receiver::start().await);
    open(&administrator(&app).await, &receiver, "/hook").await;
    let ada = app.patient().await;
    let visit = id(&book(&ada, &app.slots_with("etienne-bouvarel").await[0]).await.expect(201));
    ada.post(&format!("/v1/appointments/{visit}/cancellation"), &json!({"reason": "x"})).await.expect(200);
    // The queue has lost the first for a while.
    let late = "update outbox set fanned_out_at = now() where kind = 'appointment.booked.v1'";
    sqlx::query(late).execute(app.pool()).await.unwrap();
    tell(&app).await;
    let expected: Vec<_> =
        ["appointment.booked.v1", "appointment.cancelled.v1"].map(|kind| (kind.to_owned(), visit.clone())).into();
    assert_eq!(receiver.taken("/hook"), expected);
}
