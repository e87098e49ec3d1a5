//! The same by either kind of server, with what only calendars have: series, whole days, times that are not taken.

use domain::sync::Shown;
use exchange_fakes::mailbox::{Range, Recurrence};
use serde_json::{Value, json};

use super::{ADDRESS, Beside, Event, WHOSE, during, path};
use crate::support::app::book;

async fn keeps_both_together(beside: Beside) {
    let mailbox = beside.connected().await;
    let slots = beside.app.slots_with(WHOSE).await;
    let offered = async || {
        let slots = beside.app.slots_with(WHOSE).await;
        slots.into_iter().map(|slot| slot["slot"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let token = |at: usize| slots[at]["slot"].as_str().unwrap().to_owned();
    // A series takes each of its times, but those that were taken out of it.
    let daily = Recurrence { days: vec![], interval: 1, range: Range::Count(5) };
    let series = beside.server.add_series(ADDRESS, Event::between("Bloc", during(&slots[1])), daily).unwrap();
    for shown in [Shown::Free, Shown::Elsewhere] {
        let harmless = Event { shown, ..Event::between("Trajet", during(&slots[3])) };
        beside.server.add(ADDRESS, harmless).unwrap();
    }
    beside.look().await;
    let left = offered().await;
    assert!(!left.contains(&token(1)) && left.contains(&token(3)));
    assert_eq!(beside.desk(&mailbox).await["blocks"], 5);
    let first = beside.server.state().view(ADDRESS, None, during(&slots[1]));
    beside.server.remove(ADDRESS, &first[0].id).unwrap();
    beside.look().await;
    assert!(offered().await.contains(&token(1)), "one of the series was taken out");
    assert_eq!(beside.desk(&mailbox).await["blocks"], 4);
    beside.server.remove(ADDRESS, &series).unwrap();
    // Ours: made, moved here, taken away there.
    let ada = beside.app.patient().await;
    let visit = book(&ada, &slots[5]).await.expect(201);
    beside.look().await;
    assert_eq!(beside.desk(&mailbox).await["blocks"], 0, "neither the series is left, nor is ours taken for theirs");
    let tagged = |events: Vec<Event>| events.into_iter().filter(|event| event.tag().is_some()).collect::<Vec<_>>();
    let ours = tagged(beside.events());
    assert_eq!((ours.len(), ours[0].during()), (1, Some(during(&visit))));
    let move_to = format!("/v1/appointments/{}/move", visit["id"].as_str().unwrap());
    let moved = ada.post(&move_to, &json!({"slot": slots[7]["slot"]})).await.expect(200);
    beside.app.settle().await;
    assert_eq!(tagged(beside.events())[0].during(), Some(during(&moved)));
    beside.look().await;
    assert_eq!(beside.questions(&mailbox).await, Vec::<Value>::new(), "what we wrote is no news");
    beside.server.move_to(ADDRESS, &ours[0].id, during(&slots[9])).unwrap();
    beside.look().await;
    assert_eq!(beside.questions(&mailbox).await[0]["kind"], "moved");
    assert!(!offered().await.contains(&token(9)));
    let administrator = beside.app.staff("administrator-pentes").await;
    let keep = json!({"appointment": visit["id"], "answer": "keep"});
    administrator.post(&format!("{}/answers", path(&mailbox)), &keep).await.expect(202);
    beside.tick().await;
    beside.look().await;
    assert_eq!(tagged(beside.events())[0].during(), Some(during(&moved)));
    assert!(offered().await.contains(&token(9)));
    administrator.post(&format!("{}/disconnection", path(&mailbox)), &json!({})).await.expect(200);
    beside.tick().await;
    assert_eq!(tagged(beside.events()).len(), 0);
    assert_eq!(beside.events().len(), 2, "theirs are left");
}

#[tokio::test]
async fn exchange_online_and_the_agenda_are_kept_together() {
    keeps_both_together(Beside::start().await).await;
}

#[tokio::test]
async fn a_server_on_premises_and_the_agenda_are_kept_together() {
    keeps_both_together(Beside::on_premises().await).await;
}

#[tokio::test]
async fn what_is_no_address_of_a_server_is_refused_when_it_is_connected() {
    let beside = Beside::start().await;
    for (url, hint) in [
        ("https://outlook.office365.com/EWS/Exchange.asmx", "Microsoft Graph"),
        ("ftp://mail.clinique.example/", "EWS/Exchange.asmx"),
        ("https://a:b@mail.clinique.example/", "EWS/Exchange.asmx"),
        ("mail", "EWS/Exchange.asmx"),
    ] {
        let access = json!({"kind": "ews", "url": url, "user": "u", "password": "p"});
        let wish = json!({"name": "Messagerie", "access": access});
        let refused = beside.administrator.post("/v1/exchange-servers", &wish).await;
        assert_eq!(refused.problem(422), "field-invalid", "{url}");
        assert!(refused.body["detail"].as_str().unwrap().contains(hint), "{}", refused.body);
    }
    for access in [
        json!({"kind": "graph", "tenant": "t", "client": "c"}),
        json!({"kind": "graph", "tenant": "t", "client": "c", "certificate": "x", "key": "y"}),
    ] {
        let wish = json!({"name": "Messagerie", "access": access});
        assert_eq!(beside.administrator.post("/v1/exchange-servers", &wish).await.problem(422), "field-invalid");
    }
}
