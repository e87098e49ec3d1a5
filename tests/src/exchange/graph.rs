//! What is booked here shows there, and what is there takes its time here.

use domain::SignedDuration;
use exchange_fakes::mailbox::{Fault, Sensitivity, What};
use serde_json::json;

use super::{ADDRESS, Beside, Event, WHOSE, during, path};
use crate::support::app::book;

#[tokio::test]
async fn a_visit_shows_in_the_calendar_and_says_nothing_of_who_comes() {
    let beside = Beside::start().await;
    beside.connected().await;
    let slots = beside.app.slots_with(WHOSE).await;
    let ada = beside.app.patient().await;
    let wish = json!({"slot": slots[0]["slot"], "note": "douleurs au genou"});
    let visit = ada.post_with_key("/v1/appointments", &wish, "one").await.expect(201);
    beside.app.settle().await;
    let events = beside.events();
    let [event] = &events[..] else { panic!("{events:?}") };
    assert_eq!(event.during(), Some(during(&visit)));
    assert_eq!((&*event.subject, event.sensitivity, event.reminder), ("Rendez-vous", Sensitivity::Private, false));
    assert!(event.attendees.is_empty() && event.body.trim().is_empty());
    let whole = format!("{event:?}");
    for word in ["genou", &ada.email, "Exemple", "Ada"] {
        assert!(!whole.contains(word), "{word}: {whole}");
    }
    // Moved here, it moves there; it is the same item.
    let move_to = format!("/v1/appointments/{}/move", visit["id"].as_str().unwrap());
    let moved = ada.post(&move_to, &json!({"slot": slots[6]["slot"]})).await.expect(200);
    beside.app.settle().await;
    let events = beside.events();
    assert_eq!((events.len(), &events[0].id), (1, &event.id));
    assert_eq!(events[0].during(), Some(during(&moved)));
    // Called off here, it goes there.
    let cancellation = format!("/v1/appointments/{}/cancellation", visit["id"].as_str().unwrap());
    ada.post(&cancellation, &json!({"reason": "malade"})).await.expect(200);
    beside.app.settle().await;
    assert!(beside.events().is_empty());
}

#[tokio::test]
async fn what_is_in_the_calendar_is_not_offered_and_is_offered_again_when_it_goes() {
    let beside = Beside::start().await;
    let mailbox = beside.connected().await;
    let slots = beside.app.slots_with(WHOSE).await;
    let theirs = beside.server.add(ADDRESS, Event::between("Réunion à propos d’Ada", during(&slots[2]))).unwrap();
    beside.look().await;
    let left = beside.app.slots_with(WHOSE).await;
    assert!(left.iter().all(|slot| slot["slot"] != slots[2]["slot"]), "the time is taken there");
    assert_eq!(beside.desk(&mailbox).await["blocks"], 1);
    // Whoever still has it on their screen is refused.
    assert_eq!(book(&beside.app.patient().await, &slots[2]).await.problem(409), "slot-taken");
    // Its title is nowhere.
    let kept = "select count(*) from exchange_block b where to_jsonb(b)::text like '%union%'";
    assert_eq!(beside.app.count(kept).await, 0);
    beside.server.remove(ADDRESS, &theirs).unwrap();
    beside.look().await;
    let again = beside.app.slots_with(WHOSE).await;
    assert!(again.iter().any(|slot| slot["slot"] == slots[2]["slot"]), "it is free again");
}

#[tokio::test]
async fn a_visit_that_is_taken_away_there_is_not_called_off_here() {
    let beside = Beside::start().await;
    let mailbox = beside.connected().await;
    let slots = beside.app.slots_with(WHOSE).await;
    let ada = beside.app.patient().await;
    let visit = book(&ada, &slots[0]).await.expect(201);
    beside.app.settle().await;
    let item = beside.events()[0].id.clone();
    beside.server.remove(ADDRESS, &item).unwrap();
    beside.look().await;
    let read = ada.get(&format!("/v1/appointments/{}", visit["id"].as_str().unwrap())).await.expect(200);
    assert_eq!(read["status"], "booked");
    let asked = beside.questions(&mailbox).await;
    assert_eq!((asked.len(), &asked[0]["kind"], &asked[0]["appointment"]), (1, &json!("removed"), &visit["id"]));
    assert!(beside.events().is_empty(), "nothing is written before somebody has said so");
    // The secretary decides; so it is written again, once.
    let secretary = beside.app.staff("secretary-pentes").await;
    let keep = json!({"appointment": visit["id"], "answer": "keep"});
    secretary.post(&format!("{}/answers", path(&mailbox)), &keep).await.expect(202);
    beside.app.settle().await;
    assert_eq!(beside.events().len(), 1);
    assert_eq!(beside.questions(&mailbox).await.len(), 0);
    beside.tick().await;
    assert_eq!(beside.events().len(), 1);
}

#[tokio::test]
async fn a_visit_that_is_moved_there_stays_here_and_its_new_time_is_kept_free() {
    let beside = Beside::start().await;
    let mailbox = beside.connected().await;
    let slots = beside.app.slots_with(WHOSE).await;
    let visit = book(&beside.app.patient().await, &slots[0]).await.expect(201);
    beside.app.settle().await;
    let item = beside.events()[0].id.clone();
    beside.server.move_to(ADDRESS, &item, during(&slots[8])).unwrap();
    beside.look().await;
    let asked = beside.questions(&mailbox).await;
    assert_eq!((asked.len(), &asked[0]["kind"]), (1, &json!("moved")));
    let moved: domain::Timestamp = asked[0]["moved_to"].as_str().unwrap().parse().unwrap();
    assert_eq!(moved, during(&slots[8]).start());
    let offered = beside.app.slots_with(WHOSE).await;
    assert!(offered.iter().all(|slot| slot["slot"] != slots[8]["slot"] && slot["slot"] != slots[0]["slot"]));
    // Ours stands.
    let keep = json!({"appointment": visit["id"], "answer": "keep"});
    beside.administrator.post(&format!("{}/answers", path(&mailbox)), &keep).await.expect(202);
    beside.tick().await;
    beside.look().await;
    assert_eq!(beside.events()[0].during(), Some(during(&visit)));
    let offered = beside.app.slots_with(WHOSE).await;
    assert!(offered.iter().any(|slot| slot["slot"] == slots[8]["slot"]), "its time is free again");
}

#[tokio::test]
async fn an_answer_that_does_not_come_after_an_item_was_made_makes_no_second_one() {
    let beside = Beside::start().await;
    beside.connected().await;
    let slots = beside.app.slots_with(WHOSE).await;
    beside.server.state().faults.push(Fault::once("create", What::LostAnswer));
    book(&beside.app.patient().await, &slots[0]).await.expect(201);
    beside.app.settle().await;
    assert_eq!(beside.events().len(), 1, "it was made, and nobody here knows");
    beside.app.later(SignedDuration::from_mins(10));
    beside.tick().await;
    assert_eq!(beside.events().len(), 1);
    assert_eq!(beside.app.count("select count(*) from exchange_link where remote_id is not null").await, 1);
}

#[tokio::test]
async fn what_was_put_into_the_calendar_a_moment_ago_is_not_booked_over() {
    let beside = Beside::start().await;
    let mailbox = beside.connected().await;
    let slots = beside.app.slots_with(WHOSE).await;
    beside.server.add(ADDRESS, Event::between("Réunion", during(&slots[2]))).unwrap();
    assert_eq!(beside.desk(&mailbox).await["blocks"], 0, "nobody has looked yet");
    let ada = beside.app.patient().await;
    assert_eq!(book(&ada, &slots[2]).await.problem(409), "slot-taken");
    // By that it is known to everybody.
    beside.app.settle().await;
    assert_eq!(beside.desk(&mailbox).await["blocks"], 1);
    // What stands there for a visit of ours is in nobody's way, also after it was called off.
    let visit = book(&ada, &slots[5]).await.expect(201);
    beside.app.settle().await;
    beside.server.state().faults.push(Fault { times: 100, ..Fault::once("delete", What::Unreached) });
    let cancellation = format!("/v1/appointments/{}/cancellation", visit["id"].as_str().unwrap());
    ada.post(&cancellation, &json!({"reason": "malade"})).await.expect(200);
    book(&beside.app.patient_named("b@famille.example", "fr").await, &slots[5]).await.expect(201);
}

#[tokio::test]
async fn a_silent_calendar_lets_book_counts_or_refuses_as_the_establishment_wants() {
    let beside = Beside::start().await;
    let mailbox = beside.connected().await;
    let slots = beside.app.slots_with(WHOSE).await;
    let ada = beside.app.patient().await;
    let silence = || beside.server.state().faults.push(Fault { times: 100, ..Fault::next(What::Unreached) });
    silence();
    book(&ada, &slots[0]).await.expect(201);
    for (wanted, slot) in [("warn", &slots[4]), ("refuse", &slots[8])] {
        let request = beside.administrator.request(axum::http::Method::PATCH, &path(&mailbox));
        let request = request.header("content-type", "application/json");
        let wish = json!({"when_silent": wanted}).to_string();
        let changed = beside.administrator.send(request.body(axum::body::Body::from(wish)).unwrap()).await.expect(200);
        assert_eq!(changed["when_silent"], wanted);
        let answer = book(&ada, slot).await;
        if wanted == "warn" {
            answer.expect(201);
            assert_eq!(beside.desk(&mailbox).await["unasked"], 1);
        } else {
            assert_eq!(answer.problem(503), "calendar-silent");
        }
    }
    beside.server.state().faults.clear();
    book(&ada, &slots[8]).await.expect(201);
}
