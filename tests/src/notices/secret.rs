//! A visit that becomes secret is the same visit: what was told of it stays told, what waits is told to whom it is still for.

use domain::SignedDuration;
use gateway::dev::mailbox::Mood;
use serde_json::{Value, json};

use super::choices::{now, remind_at};
use super::{start, subjects};
use crate::guardians::{child, prove_identity, young};
use crate::support::app::book;
use crate::support::{App, Client};

const BORN: &str = "2010-05-01";

async fn family(app: &App) -> (Client, Client, Vec<Value>) {
    let ada = app.patient().await;
    let child = child(&ada, BORN).await;
    let zoe = young(app, &ada, &child, BORN).await;
    prove_identity(app, &zoe, &child).await;
    (ada, zoe, app.slots_with("nolwenn-le-bihannic").await)
}

fn path(appointment: &Value) -> String {
    format!("/v1/appointments/{}", appointment["id"].as_str().unwrap())
}

async fn keep(app: &App, zoe: &Client, visit: &Value, secret: bool) {
    let kept = now(app, zoe).await.post(&format!("{}/secrecy", path(visit)), &json!({"secret": secret})).await;
    assert_eq!(kept.expect(200)["secret"], secret);
}

#[tokio::test]
async fn nobody_is_reminded_twice_because_a_visit_became_secret() {
    let app = App::start().await;
    let (ada, zoe, slots) = family(&app).await;
    let visit = book(&zoe, &slots[0]).await.expect(201);
    app.settle().await;
    remind_at(&app, start(&visit) - SignedDuration::from_hours(24)).await;
    let told = ["Votre rendez-vous est confirmé", "Rappel de votre rendez-vous"];
    for secret in [true, false, true] {
        keep(&app, &zoe, &visit, secret).await;
        app.later(SignedDuration::from_hours(1));
        app.settle().await;
        app.settle().await;
    }
    assert_eq!(subjects(&app.mails(&zoe.email)), told);
    assert_eq!(subjects(&app.mails(&ada.email)), told);
}

#[tokio::test]
async fn what_waits_or_is_not_even_planned_is_told_to_the_minor_all_the_same_and_to_nobody_else() {
    let app = App::start().await;
    let (ada, zoe, slots) = family(&app).await;
    app.settle().await;
    app.mailbox.set_mood(Mood::Refuses(451));
    let waits = book(&zoe, &slots[0]).await.expect(201);
    app.settle().await;
    let in_the_outbox = book(&zoe, &slots[4]).await.expect(201);
    for visit in [&waits, &in_the_outbox] {
        keep(&app, &zoe, visit, true).await;
    }
    app.mailbox.set_mood(Mood::Well);
    app.later(SignedDuration::from_mins(5));
    app.settle().await;
    assert_eq!(subjects(&app.mails(&zoe.email)), ["Votre rendez-vous est confirmé"; 2]);
    assert!(app.mails(&ada.email).is_empty());
    // An answer to a message of before is about the visit as it is.
    assert_eq!(
        app.count(
            "select count(*) from notice n join appointment a on a.id = n.appointment_id where n.version <> a.version"
        )
        .await,
        0
    );
    // Calling it off is told, and to the minor alone.
    now(&app, &zoe).await.post(&format!("{}/cancellation", path(&waits)), &json!({"reason": "x"})).await.expect(200);
    app.settle().await;
    assert_eq!(subjects(&app.mails(&zoe.email))[2], "Votre rendez-vous est annulé");
    assert!(app.mails(&ada.email).is_empty());
}

/// The version does not change with the secret: whoever moves asks anew, behind whoever marks.
#[tokio::test(flavor = "multi_thread")]
async fn who_moves_a_visit_while_it_becomes_secret_moves_it_no_more() {
    let app = App::start().await;
    let (ada, zoe, slots) = family(&app).await;
    let visit = book(&zoe, &slots[0]).await.expect(201);
    let mut marking = app.pool().begin().await.unwrap();
    let mark = "update appointment set secret_since = '2026-03-02T08:00:00Z' where status = 'booked'";
    sqlx::query(mark).execute(&mut *marking).await.unwrap();
    let wish = json!({"slot": slots[4]["slot"]});
    for (route, wish) in [("move", &wish), ("cancellation", &json!({"reason": "x"}))] {
        let route = format!("{}/{route}", path(&visit));
        let released = async {
            let waits =
                "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
            for _ in 0..200 {
                if app.count(waits).await > 0 {
                    break;
                }
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
            std::mem::replace(&mut marking, app.pool().begin().await.unwrap()).commit().await.unwrap();
        };
        let (refused, ()) = tokio::join!(ada.post(&route, wish), released);
        assert!(matches!(refused.status.as_u16(), 404 | 409), "{route}: {}", refused.body);
        // Open again, for the other way of changing it.
        let open = "update appointment set secret_since = null where status = 'booked'";
        sqlx::query(open).execute(&mut *marking).await.unwrap();
        std::mem::replace(&mut marking, app.pool().begin().await.unwrap()).commit().await.unwrap();
        sqlx::query(mark).execute(&mut *marking).await.unwrap();
    }
    marking.rollback().await.unwrap();
    let stands = "select count(*) from appointment where status = 'booked' and version = 1";
    assert_eq!(app.count(stands).await, 1);
}
