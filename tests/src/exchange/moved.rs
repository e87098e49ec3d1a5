//! Mailboxes that are moved, connected anew, shared, or kept by a server with ways of its own.

use exchange_fakes::ews;
use exchange_fakes::graph::Graph;
use exchange_fakes::mailbox::{Access, Event, Server};
use serde_json::{Value, json};

use super::{ADDRESS, BOTH, Beside, WHOSE, during, path, server};
use crate::support::app::book;

/// Every tag in a calendar, sorted.
fn tags(server: &Server) -> Vec<String> {
    let mut tags: Vec<String> =
        server.events(ADDRESS).iter().filter_map(|event| event.tag().map(str::to_owned)).collect();
    tags.sort();
    tags
}

impl Beside {
    async fn leave(&self, mailbox: &Value, abandon: bool) {
        let administrator = self.app.staff("administrator-pentes").await;
        administrator.post(&format!("{}/disconnection", path(mailbox)), &json!({"abandon": abandon})).await.expect(200);
        self.tick().await;
    }
}

#[tokio::test]
async fn a_mailbox_that_is_moved_to_exchange_online_is_taken_up_there_with_what_is_in_it() {
    let (old, new, settings) = (server(), server(), ews::Settings::default());
    old.add_mailbox(&settings.user);
    let access = json!({"kind": "ews", "user": settings.user, "password": settings.password, "sign_in": "basic",
                        "impersonation": true});
    let router = ews::router(old.clone(), settings).merge(Graph::new(new.clone()).router());
    let mut beside = Beside::before(old.clone(), router, access).await;
    let mailbox = beside.connected().await;
    let slots = beside.app.slots_with(WHOSE).await;
    let ada = beside.app.patient().await;
    let mut visits = Vec::new();
    for at in [0, 2, 4] {
        visits.push(book(&ada, &slots[at]).await.expect(201));
    }
    beside.server.add(ADDRESS, Event::between("Réunion", during(&slots[9]))).unwrap();
    beside.look().await;
    assert_eq!(tags(&old).len(), 3);
    // Everything in it goes along, and has other numbers there.
    new.add_mailbox(ADDRESS);
    for event in old.events(ADDRESS) {
        new.add(ADDRESS, Event { transaction: None, ..event }).unwrap();
    }
    old.state().mailbox_mut(ADDRESS).unwrap().access = Access::Elsewhere;
    beside.look().await;
    assert_eq!(beside.desk(&mailbox).await["fault"], "no_mailbox");
    assert_eq!(beside.questions(&mailbox).await, Vec::<Value>::new());
    // The administrator connects the other one in its place.
    beside.leave(&mailbox, true).await;
    beside.server = new.clone();
    let access = json!({"kind": "graph", "tenant": "clinique.example", "client": "7c1d", "secret": "un secret"});
    let wish = json!({"name": "Exchange Online", "access": access});
    let online = beside.app.staff("administrator-pentes").await.post("/v1/exchange-servers", &wish).await.expect(201);
    let mailbox = beside.beside(&online, WHOSE).await;
    for _ in 0..2 {
        beside.look().await;
    }
    let desk = beside.desk(&mailbox).await;
    assert_eq!((&desk["visits"], &desk["blocks"], &desk["questions"]), (&json!(3), &json!(1), &json!(0)));
    assert_eq!(tags(&new), tags(&old), "nothing is there twice");
    assert_eq!(new.events(ADDRESS).len(), 4);
    let cancellation = format!("/v1/appointments/{}/cancellation", visits[1]["id"].as_str().unwrap());
    ada.post(&cancellation, &json!({"reason": "malade"})).await.expect(200);
    beside.app.settle().await;
    assert_eq!(tags(&new).len(), 2, "and it is known which is which");
}

#[tokio::test]
async fn a_mailbox_that_is_connected_anew_has_each_visit_once() {
    for of in BOTH {
        for abandon in [false, true] {
            let beside = Beside::of(of).await;
            let first = beside.connected().await;
            let slots = beside.app.slots_with(WHOSE).await;
            let ada = beside.app.patient().await;
            let mut visits = Vec::new();
            for at in [0, 2, 4] {
                visits.push(book(&ada, &slots[at]).await.expect(201));
            }
            beside.server.add(ADDRESS, Event::between("Réunion", during(&slots[9]))).unwrap();
            beside.look().await;
            let before = tags(&beside.server);
            beside.leave(&first, abandon).await;
            assert_eq!(tags(&beside.server).len(), if abandon { 3 } else { 0 });
            // Meanwhile one is called off, and another moved.
            let path = |visit: &Value, what: &str| format!("/v1/appointments/{}/{what}", visit["id"].as_str().unwrap());
            ada.post(&path(&visits[0], "cancellation"), &json!({"reason": "malade"})).await.expect(200);
            ada.post(&path(&visits[1], "move"), &json!({"slot": slots[6]["slot"]})).await.expect(200);
            beside.app.settle().await;
            let servers = beside.administrator.get("/v1/exchange-servers").await.expect(200);
            let again = beside.beside(&servers["items"][0], WHOSE).await;
            for _ in 0..3 {
                beside.look().await;
            }
            let desk = beside.desk(&again).await;
            assert_eq!(
                (&desk["fault"], &desk["visits"], &desk["questions"]),
                (&Value::Null, &json!(2), &json!(0)),
                "{of:?} {abandon}"
            );
            let events = beside.server.events(ADDRESS);
            for (visit, slot) in [(&visits[1], &slots[6]), (&visits[2], &slots[4])] {
                let id = visit["id"].as_str().unwrap();
                let its: Vec<_> =
                    events.iter().filter(|event| event.tag().is_some_and(|tag| tag.starts_with(id))).collect();
                assert_eq!(its.len(), 1, "{of:?} {abandon}: {before:?}");
                assert_eq!(its[0].during(), Some(during(slot)), "{of:?} {abandon}");
            }
            // What was left there of a visit that is no more is somebody else's by now: it takes its time, and is theirs to remove.
            assert_eq!(events.len(), if abandon { 4 } else { 3 }, "{of:?}");
            assert_eq!(desk["blocks"], if abandon { 2 } else { 1 }, "{of:?}");
        }
    }
}

#[tokio::test]
async fn two_practitioners_who_share_a_calendar_on_premises_are_not_in_each_others_way() {
    let beside = Beside::on_premises().await;
    let mailbox = beside.connected().await;
    let servers = beside.administrator.get("/v1/exchange-servers").await.expect(200);
    let other = "nolwenn-le-bihannic";
    let second = beside.beside(&servers["items"][0], other).await;
    let ada = beside.app.patient().await;
    let (ours, theirs) = (beside.app.slots_with(WHOSE).await, beside.app.slots_with(other).await);
    let visit = book(&ada, &ours[0]).await.expect(201);
    book(&ada, &theirs[20]).await.expect(201);
    beside.app.settle().await;
    for _ in 0..2 {
        beside.look().await;
    }
    assert_eq!(beside.events().len(), 2);
    for one in [&mailbox, &second] {
        assert_eq!(beside.desk(one).await["blocks"], 0, "a colleague's visit takes nobody else's time");
    }
    // One of them goes, and takes no item of the other's along.
    beside.leave(&mailbox, false).await;
    assert_eq!(beside.events().len(), 1);
    assert!(!beside.events()[0].tag().unwrap().starts_with(visit["id"].as_str().unwrap()));
    beside.look().await;
    assert_eq!(beside.desk(&second).await["questions"], 0);
}

#[tokio::test]
async fn a_server_that_keeps_items_in_ways_of_its_own_is_written_to_once() {
    for of in BOTH {
        let beside = Beside::of(of).await;
        beside.server.state().rewrites = true;
        let mailbox = beside.connected().await;
        let slots = beside.app.slots_with(WHOSE).await;
        let ada = beside.app.patient().await;
        let (visit, item) = beside.shown(&ada, &slots[0]).await;
        for at in [2, 4] {
            book(&ada, &slots[at]).await.expect(201);
        }
        for _ in 0..2 {
            beside.look().await;
            beside.again(&mailbox).await;
        }
        let made = beside.calls_of(of.create());
        assert_eq!((tags(&beside.server).len(), beside.calls_of(of.update())), (3, 0), "{of:?}");
        assert_eq!(beside.questions(&mailbox).await, Vec::<Value>::new());
        // A move here is one write…
        let move_to = format!("/v1/appointments/{}/move", visit["id"].as_str().unwrap());
        ada.post(&move_to, &json!({"slot": slots[6]["slot"]})).await.expect(200);
        beside.app.settle().await;
        for _ in 0..2 {
            beside.look().await;
            beside.again(&mailbox).await;
        }
        assert_eq!((beside.calls_of(of.create()), beside.calls_of(of.update())), (made, 1), "{of:?}");
        // … and one there is seen, and undone by one.
        beside.server.move_to(ADDRESS, &item, during(&slots[8])).unwrap();
        beside.look().await;
        assert_eq!(beside.questions(&mailbox).await[0]["kind"], "moved");
        let keep = json!({"appointment": visit["id"], "answer": "keep"});
        beside.administrator.post(&format!("{}/answers", path(&mailbox)), &keep).await.expect(202);
        for _ in 0..3 {
            beside.look().await;
        }
        assert_eq!((beside.calls_of(of.create()), beside.calls_of(of.update())), (made, 2), "{of:?}");
        let item = beside.events().into_iter().find(|event| event.id == item).unwrap();
        assert_eq!(item.starts_at().as_second(), during(&slots[6]).start().as_second(), "{of:?}");
        assert_eq!(beside.questions(&mailbox).await, Vec::<Value>::new());
    }
}
