//! Documents of visits that a minor keeps from those who act for them.

use serde_json::{Value, json};

use super::{deposit, list, read, report, with};
use crate::guardians::{child, prove_identity, young};
use crate::support::App;
use crate::support::app::book;

#[tokio::test]
async fn a_document_of_a_secret_visit_tells_nothing_of_it_to_those_who_act() {
    let app = App::start().await;
    let ada = app.patient().await;
    let child = child(&ada, "2010-05-01").await;
    let zoe = young(&app, &ada, &child, "2010-05-01").await;
    prove_identity(&app, &zoe, &child).await;
    let slots = app.slots_with("nolwenn-le-bihannic").await;
    let visit = book(&zoe, &slots[0]).await.expect(201)["id"].as_str().unwrap().to_owned();
    app.settle().await;
    let practitioner = app.staff("practitioner-pentes").await;
    let of_visit = json!({"appointment": visit});
    let before = with(report(&child, "text/plain", b"avant"), of_visit.clone());
    let before = deposit(&app, &practitioner, &before, b"avant").await;
    read(&ada, &before).await.expect(200);
    let told = app.mails(&ada.email).len();

    // Made secret later, the visit takes along what belongs to it.
    zoe.post(&format!("/v1/appointments/{visit}/secrecy"), &json!({"secret": true})).await.expect(200);
    let after = deposit(&app, &practitioner, &with(report(&child, "text/plain", b"a"), of_visit), b"a").await;
    // The practitioner is known to those who act by nothing else.
    let beside = deposit(&app, &practitioner, &report(&child, "text/plain", b"b"), b"b").await;
    for id in [&before, &after, &beside] {
        assert_eq!(read(&ada, id).await.problem(404), "not-found");
        let seen = read(&zoe, id).await.expect(200);
        assert_eq!(seen["visibility"]["hidden_from_representatives"], true);
        read(&practitioner, id).await.expect(200);
    }
    assert_eq!(list(&ada, &child).await, Vec::<String>::new());
    assert_eq!(list(&zoe, &child).await.len(), 3);
    assert_eq!(app.mails(&ada.email).len(), told, "nor is anything told");
    let log = ada.get(&format!("/v1/me/access-log?patient={child}&limit=200")).await.expect(200);
    let names = |line: &&Value| {
        line["event"].as_str().unwrap().starts_with("document.") && line["who"]["kind"] == "professional"
    };
    assert_eq!(log["items"].as_array().unwrap().iter().filter(names).count(), 0, "{log}");
}
