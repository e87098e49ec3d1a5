//! Who acts for a patient, at the edges: clocks of two instances that differ, and the day a young person comes of age.

use domain::SignedDuration;
use serde_json::json;

use crate::account_life::{PHRASE, signed_in};
use crate::guardians::{bring_in, own};
use crate::support::{App, Client};

async fn child(parent: &Client, born: &str) -> String {
    let child = json!({"given_name": "Zoé", "family_name": "Exemple", "birth_date": born});
    parent.post("/v1/patients", &child).await.expect(201)["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn the_last_guardian_sees_that_the_other_left_whichever_clock_was_ahead() {
    let app = App::start().await;
    let (ada, ben) = (app.patient().await, app.patient().await);
    let child = child(&ada, "2019-09-01").await;
    let hers = own(&ada, &child).await;
    let his = bring_in(&ada, &ben, &child, &["book", "documents"]).await;
    let leave = async |who: &Client, which: &str| who.post(&format!("/v1/guardianships/{which}/end"), &json!({})).await;
    app.later(SignedDuration::from_secs(1));
    leave(&ada, &hers).await.expect(200);
    app.later(SignedDuration::from_secs(-1));
    assert_eq!(leave(&ben, &his).await.problem(409), "guardian-last");
    assert_eq!(ada.get(&format!("/v1/patients/{child}")).await.problem(404), "not-found");
    // Brought in again, she acts again.
    bring_in(&ben, &ada, &child, &["book", "documents"]).await;
    leave(&ben, &his).await.expect(200);
}

#[tokio::test]
async fn a_young_person_takes_up_their_file_by_a_code_from_before_they_came_of_age() {
    let app = App::start().await;
    let ada = app.patient().await;
    app.at("2026-03-01T09:00:00Z");
    let ada = signed_in(&app, &ada.email, "une phrase assez longue").await;
    let file = child(&ada, "2008-03-04").await;
    let wish = json!({"relation": "self"});
    let code = ada.post(&format!("/v1/patients/{file}/guardians"), &wish).await.expect(201)["code"].clone();
    app.at("2026-03-05T09:00:00Z");
    let account = json!({"email": "zoe@famille.example", "password": PHRASE, "given_name": "Zoé",
                         "family_name": "Exemple", "birth_date": "2008-03-04"});
    app.nobody().post("/v1/accounts", &account).await.expect(201);
    app.without_letters().await;
    let zoe = signed_in(&app, "zoe@famille.example", PHRASE).await;
    zoe.post("/v1/guardianships", &json!({"code": code})).await.expect(201);
    // Sent again after a lost answer, it is no guess: however often.
    for _ in 0..12 {
        zoe.post("/v1/guardianships", &json!({"code": code})).await.problem(422);
    }
    assert_eq!(app.count("select count(*) from invitation_miss").await, 0);
    zoe.get(&format!("/v1/patients/{file}")).await.expect(200);
    app.at("2026-03-09T09:00:00Z");
    let again = signed_in(&app, &ada.email, "une phrase assez longue").await;
    again.get(&format!("/v1/patients/{file}")).await.problem(404);
}
