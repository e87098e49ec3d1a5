//! Changes told of as they happen.

use std::ops::ControlFlow;

use exchange::ews::{Event as Told, Route};
use exchange::{Watch, Why};

use super::life::lunch;
use super::*;
use crate::mailbox::Parting;

#[tokio::test]
async fn changes_are_told_as_they_happen() {
    let world = World::new(Settings { heartbeat: Duration::from_millis(20), ..Settings::default() });
    let calendar = world.calendar();
    let watch = calendar.subscribe().await.unwrap();
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let mut heard =
        |event: Told| if tell.send(event).is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) };
    let listening = calendar.listen(std::slice::from_ref(&watch), 30, &mut heard);
    let acting = async {
        assert_eq!(told.recv().await, Some(Told::Heartbeat));
        let item = world.server.add(DOCTOR, lunch()).unwrap();
        while told.recv().await.unwrap() != Told::Changed(vec![watch.id.clone()]) {}
        world.server.remove(DOCTOR, &item).unwrap();
        while told.recv().await.unwrap() != Told::Changed(vec![watch.id.clone()]) {}
        drop(told);
        world.server.add(DOCTOR, lunch()).unwrap();
    };
    let (ended, ()) =
        tokio::time::timeout(Duration::from_secs(10), async { tokio::join!(listening, acting) }).await.unwrap();
    ended.unwrap();
    calendar.unsubscribe(&watch).await.unwrap();
    calendar.unsubscribe(&watch).await.unwrap();
    let mut lost = Vec::new();
    calendar
        .listen(std::slice::from_ref(&watch), 30, &mut |event| {
            lost.push(event);
            ControlFlow::Continue(())
        })
        .await
        .unwrap();
    let gone = |of: &[String]| of == [watch.id.clone()];
    assert!(matches!(lost.as_slice(), [Told::Lost(fault, of)] if fault.why == Why::NoWatch && gone(of)), "{lost:?}");
}

/// What is heard of these until it ends.
async fn heard(calendar: &Ews, watches: &[Watch]) -> Vec<Told> {
    let mut heard = Vec::new();
    let mut hear = |event: Told| {
        heard.push(event);
        ControlFlow::Continue(())
    };
    // One that is cut has told what it told.
    drop(calendar.listen(watches, 1, &mut hear).await);
    heard
}

#[tokio::test]
async fn of_many_mailboxes_is_heard_over_one_connection_to_the_one_server_that_all_subscriptions_are_on() {
    let world = World::new(Settings { back_ends: 5, heartbeat: Duration::from_millis(20), ..Settings::default() });
    let doctors: Vec<String> = (0..9).map(|number| format!("dr.{number}@clinic.example")).collect();
    for doctor in &doctors {
        world.server.add_mailbox(doctor);
    }
    let route = Route::new(&doctors[0]);
    let together: Vec<Ews> = doctors.iter().map(|doctor| world.of(doctor).by(&route)).collect();
    let mut watches = Vec::new();
    for calendar in &together {
        watches.push(calendar.subscribe().await.unwrap());
    }
    let changing = async {
        while world.server.hanging() == 0 {
            tokio::task::yield_now().await;
        }
        for doctor in [&doctors[4], &doctors[7]] {
            world.server.add(doctor, lunch()).unwrap();
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
        world.server.part(Parting::Closed);
    };
    let (heard_of, ()) = tokio::join!(heard(&together[0], &watches), changing);
    let mut told: Vec<&String> = Vec::new();
    for event in &heard_of {
        if let Told::Changed(of) = event {
            told.extend(of);
        }
    }
    told.dedup();
    assert_eq!(told, [&watches[4].id, &watches[7].id], "{heard_of:?}");
    assert_eq!((heard_of.last(), world.server.hanging()), (Some(&Told::Closed), 0));
    // What happens between two connections is told over the next.
    world.server.add(&doctors[8], lunch()).unwrap();
    let cutting = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        world.server.part(Parting::Cut);
    };
    let (heard_of, ()) = tokio::join!(heard(&together[0], &watches), cutting);
    assert!(heard_of.contains(&Told::Changed(vec![watches[8].id.clone()])), "{heard_of:?}");
    // Each by its own way, they are on several servers, and none of these knows all of them.
    let mut apart = Vec::new();
    for doctor in &doctors {
        apart.push(world.of(doctor).subscribe().await.unwrap());
    }
    let heard_of = heard(&world.of(&doctors[0]), &apart).await;
    assert!(
        matches!(&heard_of[..], [Told::Lost(fault, of)] if fault.why == Why::NoWatch && (1..9).contains(&of.len())),
        "{heard_of:?}"
    );
    assert_eq!(world.server.hanging(), 0);
}
