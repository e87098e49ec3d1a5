//! Who sees what of whom: each kind of document, to each role, however it is hidden.

use axum::body::Body;
use axum::http::Method;
use serde_json::{Value, json};

use super::{deposit, family, link, list, open, read, report, with};
use crate::guardians::{child, prove_identity, young};
use crate::support::{App, Client};

#[tokio::test]
async fn staff_deposit_and_see_administrative_documents_only() {
    let app = App::start().await;
    let (mother, child, practitioner) = family(&app, "2019-09-01").await;
    let secretary = app.staff("secretary-pentes").await;
    let medical = report(&child, "text/plain", b"m");
    assert_eq!(open(&secretary, &medical).await.problem(404), "not-found");
    let form = with(report(&child, "text/plain", b"f"), json!({"type": "51851-4", "title": "Attestation"}));
    let form = deposit(&app, &secretary, &form, b"f").await;
    let medical = deposit(&app, &practitioner, &medical, b"m").await;
    assert_eq!(list(&secretary, &child).await, [form.as_str()]);
    for (client, sees) in [(&mother, 2), (&practitioner, 2), (&secretary, 1), (&app.staff("nurse-pentes").await, 2)] {
        assert_eq!(list(client, &child).await.len(), sees);
    }
    assert_eq!(read(&mother, &form).await.expect(200)["author"]["name"], "Dr Nolwenn Le Bihannic");
    // Others of the house, and of other houses, see neither.
    for stranger in ["administrator-pentes", "dim-pentes", "operator"] {
        assert_eq!(read(&app.staff(stranger).await, &form).await.problem(403), "forbidden");
    }
    let elsewhere = app.staff("secretary-confluent").await;
    for id in [&form, &medical] {
        assert_eq!(read(&elsewhere, id).await.problem(404), "not-found");
    }
    assert_eq!(
        open(&elsewhere, &with(report(&child, "text/plain", b"f"), json!({"type": "51851-4"}))).await.problem(404),
        "not-found"
    );
}

#[tokio::test]
async fn what_is_not_announced_yet_is_kept_from_the_patients_side() {
    let app = App::start().await;
    let (mother, child, practitioner) = family(&app, "2019-09-01").await;
    let wish = with(report(&child, "text/plain", b"grave"), json!({"hidden_from_patient": true}));
    let refused = open(&mother, &wish).await;
    assert_eq!((refused.problem(422), &refused.body["field"]), ("field-invalid", &json!("hidden_from_patient")));
    let told = app.mails(&mother.email).len();
    let id = deposit(&app, &practitioner, &wish, b"grave").await;
    assert_eq!(app.mails(&mother.email).len(), told, "nor is anybody told");
    assert_eq!(read(&mother, &id).await.problem(404), "not-found");
    let log = mother.get(&format!("/v1/me/access-log?patient={child}&limit=200")).await.expect(200);
    assert!(!log["items"].to_string().contains("document."), "{log}");
    let path = format!("/v1/documents/{id}/visibility");
    assert_eq!(mother.post(&path, &json!({"hidden_from_patient": false})).await.problem(404), "not-found");
    app.settle().await;
    let documents =
        |app: &App| app.mails(&mother.email).iter().filter(|mail| mail.subject.contains("document")).count();
    assert_eq!(documents(&app), 0);
    practitioner.post(&path, &json!({"hidden_from_patient": false})).await.expect(200);
    read(&mother, &id).await.expect(200);
    app.settle().await;
    assert_eq!(documents(&app), 1, "it is there from now on");
    let again = practitioner.post(&path, &json!({"hidden_from_patient": true})).await;
    assert_eq!((again.problem(422), &again.body["field"]), ("field-invalid", &json!("hidden_from_patient")));
    // Masked and shown again: she knows of it.
    for masked in [true, false] {
        mother.post(&path, &json!({"hidden_from_professionals": masked})).await.expect(200);
        app.settle().await;
    }
    assert_eq!(documents(&app), 1);
}

#[tokio::test]
async fn what_the_patient_masks_is_seen_by_its_author_and_the_attending_physician() {
    let app = App::start().await;
    let (mother, child, practitioner) = family(&app, "2019-09-01").await;
    let slots = app.slots_with("etienne-bouvarel").await;
    crate::guardians::book_for(&mother, &child, &slots[0]).await.expect(201);
    let other = app.practitioner_of_pentes("etienne-bouvarel").await;
    let nurse = app.staff("nurse-pentes").await;
    let id = deposit(&app, &practitioner, &report(&child, "text/plain", b"m"), b"m").await;
    for client in [&other, &nurse] {
        read(client, &id).await.expect(200);
    }
    let path = format!("/v1/documents/{id}/visibility");
    assert_eq!(
        practitioner.post(&path, &json!({"hidden_from_professionals": true})).await.problem(422),
        "field-invalid"
    );
    mother.post(&path, &json!({"hidden_from_professionals": true})).await.expect(200);
    for client in [&other, &nurse] {
        assert_eq!(read(client, &id).await.problem(404), "not-found");
        assert_eq!(link(client, &id).await.problem(404), "not-found");
        assert_eq!(list(client, &child).await, Vec::<String>::new());
    }
    read(&practitioner, &id).await.expect(200);
    read(&mother, &id).await.expect(200);
    let attending = format!("/v1/patients/{child}/attending-physician");
    let choose = async |client: &Client, whom: Value| client.post(&attending, &json!({"practitioner": whom})).await;
    let chosen = choose(&mother, json!(App::practitioner("etienne-bouvarel"))).await.expect(200);
    let file = other.get(&format!("/v1/patients/{child}")).await.expect(200);
    assert_eq!(file["attending_physician"], chosen["attending_physician"]);
    assert_eq!(file["attending_physician"]["practitioner"], json!(App::practitioner("etienne-bouvarel")));
    read(&other, &id).await.expect(200);
    assert_eq!(choose(&other, Value::Null).await.problem(403), "forbidden", "the choice is the patient's side's");
    assert_eq!(choose(&mother, json!(child)).await.problem(404), "not-found", "nobody of the directory");
    assert_eq!(
        mother.post(&attending, &json!({})).await.problem(422),
        "field-missing",
        "nothing said is nothing changed"
    );
    read(&other, &id).await.expect(200);
    choose(&mother, Value::Null).await.expect(200);
    read(&other, &id).await.problem(404);
    choose(&mother, json!(App::practitioner("etienne-bouvarel"))).await.expect(200);
    let log = mother.get(&format!("/v1/me/access-log?patient={child}&limit=200")).await.expect(200);
    let lines = log["items"].as_array().unwrap();
    let choices =
        lines.iter().filter(|line| line["event"] == "patient.attending-physician" && line["outcome"] == "success");
    assert_eq!(choices.count(), 3, "{log}");
    // A block goes before everything, also for who wrote it.
    mother
        .post(&format!("/v1/patients/{child}/blocks"), &json!({"practitioner": App::practitioner("etienne-bouvarel")}))
        .await;
    mother.post(&path, &json!({"hidden_from_professionals": false})).await.expect(200);
    read(&nurse, &id).await.expect(200);
}

#[tokio::test]
async fn only_who_deposited_a_document_changes_it_or_takes_it_back() {
    let app = App::start().await;
    let (mother, child, practitioner) = family(&app, "2019-09-01").await;
    let id = deposit(&app, &practitioner, &report(&child, "text/plain", b"m"), b"m").await;
    let patch = async |client: &crate::support::Client, change: &serde_json::Value| {
        let request =
            client.request(Method::PATCH, &format!("/v1/documents/{id}")).header("content-type", "application/json");
        client.send(request.body(Body::from(change.to_string())).unwrap()).await
    };
    let change = json!({"title": "Autre titre", "type": "89601-9"});
    assert_eq!(patch(&mother, &change).await.problem(409), "document-not-yours");
    let changed = patch(&practitioner, &change).await.expect(200);
    assert_eq!(
        (&changed["title"], &changed["type"]["code"], &changed["act_date"]),
        (&json!("Autre titre"), &json!("89601-9"), &json!("2026-03-01"))
    );
    let withdrawal = format!("/v1/documents/{id}/withdrawal");
    assert_eq!(mother.post(&withdrawal, &json!({})).await.problem(409), "document-not-yours");
    let open_link = link(&mother, &id).await.expect(200);
    for _ in 0..2 {
        assert_eq!(practitioner.post(&withdrawal, &json!({})).await.expect(200)["state"], "withdrawn");
    }
    assert_eq!(read(&mother, &id).await.problem(404), "not-found");
    assert_eq!(super::follow(&app.nobody(), &open_link, None).await.problem(422), "link-invalid");
    assert_eq!(link(&practitioner, &id).await.problem(409), "document-not-available");
    // Families deposit for themselves.
    let own = deposit(&app, &mother, &report(&child, "text/plain", b"o"), b"o").await;
    assert_eq!(read(&mother, &own).await.expect(200)["author"]["kind"], "you");
    assert_eq!(read(&practitioner, &own).await.expect(200)["author"]["kind"], "family");
}

#[tokio::test]
async fn a_list_comes_in_pages_and_narrows() {
    let app = App::start().await;
    let (mother, child, practitioner) = family(&app, "2019-09-01").await;
    let mut all = vec![];
    for day in 1..=5 {
        let wish = with(
            report(&child, "text/plain", b"x"),
            json!({"act_date": format!("2026-02-0{day}"), "type": if day == 3 { "89601-9" } else { "11488-4" }}),
        );
        all.insert(0, deposit(&app, &practitioner, &wish, b"x").await);
    }
    let (mut seen, mut cursor) = (vec![], String::new());
    loop {
        let page = mother.get(&format!("/v1/documents?patient={child}&limit=2{cursor}")).await.expect(200);
        seen.extend(page["items"].as_array().unwrap().iter().map(|it| it["id"].as_str().unwrap().to_owned()));
        let Some(next) = page["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(seen, all);
    let certificates = mother.get("/v1/documents?type=89601-9").await.expect(200);
    assert_eq!(certificates["items"].as_array().unwrap().len(), 1);
    assert_eq!(mother.get("/v1/documents?type=0").await.problem(422), "field-invalid");
    assert_eq!(mother.get("/v1/documents?cursor=x").await.problem(422), "field-invalid");
}

#[tokio::test]
async fn a_minor_deposits_what_those_who_act_for_them_never_see() {
    let app = App::start().await;
    let mother = app.patient().await;
    let minor = child(&mother, "2010-05-01").await;
    let zoe = young(&app, &mother, &minor, "2010-05-01").await;
    prove_identity(&app, &zoe, &minor).await;
    let wish = with(report(&minor, "text/plain", b"secret"), json!({"hidden_from_representatives": true}));
    let refused = open(&mother, &wish).await;
    assert_eq!(
        (refused.problem(422), &refused.body["field"]),
        ("field-invalid", &json!("hidden_from_representatives"))
    );
    let told = app.mails(&mother.email).len();
    let id = deposit(&app, &zoe, &wish, b"secret").await;
    assert_eq!(app.mails(&mother.email).len(), told);
    assert_eq!(read(&mother, &id).await.problem(404), "not-found");
    read(&zoe, &id).await.expect(200);
}
