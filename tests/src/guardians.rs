//! Several adults for one child, each with rights of their own; what changes with age; what a minor keeps secret.

use domain::SignedDuration;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::app::book;
use crate::support::{App, Client};

/// A parent's child.
pub async fn child(parent: &Client, birth_date: &str) -> String {
    let child = json!({"given_name": "Noé", "family_name": "Exemple", "birth_date": birth_date});
    parent.post("/v1/patients", &child).await.expect(201)["id"].as_str().unwrap().to_owned()
}

/// A code for another adult, with these rights.
pub async fn invite(parent: &Client, child: &str, rights: &[&str]) -> String {
    let wish = json!({"relation": "parent", "rights": rights});
    let invitation = parent.post(&format!("/v1/patients/{child}/guardians"), &wish).await.expect(201);
    invitation["code"].as_str().unwrap().to_owned()
}

/// Brings another adult in; their guardianship.
pub async fn bring_in(parent: &Client, other: &Client, child: &str, rights: &[&str]) -> String {
    let code = invite(parent, child, rights).await;
    let accepted = other.post("/v1/guardianships", &json!({"code": code})).await.expect(201);
    assert_eq!(accepted["patient"], child);
    accepted["id"].as_str().unwrap().to_owned()
}

/// The caller's own guardianship of a child.
pub async fn own(parent: &Client, child: &str) -> String {
    let list = parent.get(&format!("/v1/patients/{child}/guardians")).await.expect(200);
    let mine = list["items"].as_array().unwrap().iter().find(|it| it["mine"] == true).unwrap();
    mine["id"].as_str().unwrap().to_owned()
}

/// An operator finds the young person to be who they say.
pub async fn prove_identity(app: &App, young: &Client, child: &str) {
    prove_by(app, young, &own(young, child).await, "identity_document").await;
}

async fn prove(app: &App, parent: &Client, guardianship: &str) {
    prove_by(app, parent, guardianship, "livret_de_famille").await;
}

async fn prove_by(app: &App, parent: &Client, guardianship: &str, document: &str) {
    let proof = json!({"proof": document});
    parent.post(&format!("/v1/guardianships/{guardianship}/proof"), &proof).await.expect(200);
    let operator = app.staff("operator").await;
    let decision = json!({"state": "proven"});
    let decided = operator.post(&format!("/v1/guardianships/{guardianship}/decision"), &decision).await.expect(200);
    assert_eq!(decided["state"], "proven");
}

pub async fn book_for(client: &Client, child: &str, slot: &Value) -> crate::support::client::Answer {
    let key = Uuid::now_v7().to_string();
    client.post_with_key("/v1/appointments", &json!({"slot": slot["slot"], "patient": child}), &key).await
}

#[tokio::test]
async fn another_parent_comes_in_by_a_code_and_does_what_their_rights_say() {
    let app = App::start().await;
    let (ada, ben) = (app.patient().await, app.patient().await);
    let child = child(&ada, "2019-09-01").await;
    let slots = app.lyon_slots().await;
    assert_eq!(book_for(&ben, &child, &slots[0]).await.problem(404), "not-found");
    let guardianship = bring_in(&ada, &ben, &child, &["book"]).await;
    let booked = book_for(&ben, &child, &slots[0]).await.expect(201);
    // Who may book does not see who else acts, and does not change it.
    ben.get(&format!("/v1/patients/{child}/guardians")).await.problem(404);
    ben.post(&format!("/v1/guardianships/{guardianship}/rights"), &json!({"rights": []})).await.problem(404);
    // Withdrawn: at the next request.
    let changed = json!({"rights": ["documents"]});
    let after = ada.post(&format!("/v1/guardianships/{guardianship}/rights"), &changed).await.expect(200);
    assert_eq!(after["rights"], json!(["documents"]));
    ben.get(&format!("/v1/appointments/{}", booked["id"].as_str().unwrap())).await.problem(404);
    assert_eq!(book_for(&ben, &child, &slots[1]).await.problem(404), "not-found");
    let me = ben.get("/v1/me").await.expect(200);
    assert_eq!(me["guardianships"][1]["rights"], json!(["documents"]), "by which they find what they may leave");
    // Nobody raises their own rights.
    let more = json!({"rights": ["book", "documents"]});
    let refused = ben.post(&format!("/v1/guardianships/{guardianship}/rights"), &more).await;
    assert_eq!((refused.problem(422), &refused.body["field"]), ("field-invalid", &json!("rights")));
    // Nor gives what they have not got.
    let wish = json!({"relation": "guardian", "rights": ["book"]});
    assert_eq!(ben.post(&format!("/v1/patients/{child}/guardians"), &wish).await.problem(422), "field-invalid");
    ada.post(&format!("/v1/guardianships/{guardianship}/end"), &json!({})).await.expect(200);
    ben.get(&format!("/v1/patients/{child}/guardians")).await.problem(404);
}

#[tokio::test]
async fn separated_parents_see_each_others_name_and_nothing_else() {
    let app = App::start().await;
    let (ada, ben) = (app.patient().await, app.patient().await);
    let child = child(&ada, "2019-09-01").await;
    bring_in(&ada, &ben, &child, &["book", "documents"]).await;
    for (one, other) in [(&ada, &ben), (&ben, &ada)] {
        let list = one.get(&format!("/v1/patients/{child}/guardians")).await.expect(200);
        assert_eq!(list["items"].as_array().unwrap().len(), 2);
        for guardian in list["items"].as_array().unwrap() {
            let mut fields: Vec<&String> = guardian.as_object().unwrap().keys().collect();
            fields.sort();
            let known = [
                "court_ordered",
                "id",
                "invited_by_me",
                "mine",
                "name",
                "patient",
                "proof",
                "relation",
                "rights",
                "since",
                "state",
                "until",
            ];
            assert_eq!(fields, known);
        }
        assert!(!list.to_string().contains(&other.email));
        // A booking of one shows the other neither who booked nor from where.
    }
}

#[tokio::test]
async fn a_proven_holder_is_touched_by_an_operator_only() {
    let app = App::start().await;
    let (ada, ben) = (app.patient().await, app.patient().await);
    let child = child(&ada, "2019-09-01").await;
    let his = bring_in(&ada, &ben, &child, &["book", "documents"]).await;
    let hers = own(&ada, &child).await;
    prove(&app, &ben, &his).await;
    for (path, body) in [("rights", json!({"rights": []})), ("end", json!({}))] {
        let refused = ada.post(&format!("/v1/guardianships/{his}/{path}"), &body).await;
        assert_eq!(refused.problem(409), "guardian-not-yours", "although she brought him in");
    }
    // What is proven goes before what is only said, until that is proven too.
    let less = json!({"rights": ["documents", "messages", "notices"]});
    ben.post(&format!("/v1/guardianships/{hers}/rights"), &less).await.expect(200);
    prove(&app, &ada, &hers).await;
    let refused = ben.post(&format!("/v1/guardianships/{hers}/rights"), &json!({"rights": []})).await;
    assert_eq!(refused.problem(409), "guardian-not-yours");
    // A judgment changes it, by an operator: at the next request.
    let operator = app.staff("operator").await;
    let judgment = json!({"state": "proven", "rights": ["notices"]});
    operator.post(&format!("/v1/guardianships/{his}/decision"), &judgment).await.expect(200);
    ben.get(&format!("/v1/patients/{child}/guardians")).await.problem(404);
    let proofs = operator.get("/v1/guardianship-proofs").await.expect(200);
    assert_eq!(proofs["items"], json!([]), "nothing waits");
    let again = ben.post(&format!("/v1/guardianships/{his}/proof"), &json!({"proof": "judgment"})).await;
    assert_eq!(again.problem(409), "already-decided");
}

#[tokio::test]
async fn a_refused_claim_has_ended_by_the_next_request() {
    let app = App::start().await;
    let ada = app.patient().await;
    let child = child(&ada, "2019-09-01").await;
    let hers = own(&ada, &child).await;
    let operator = app.staff("operator").await;
    let decide = async |decision: Value| operator.post(&format!("/v1/guardianships/{hers}/decision"), &decision).await;
    assert_eq!(decide(json!({"state": "proven"})).await.problem(409), "already-decided", "nothing was shown");
    let proof = json!({"proof": "birth_certificate"});
    ada.post(&format!("/v1/guardianships/{hers}/proof"), &proof).await.expect(200);
    let waiting = operator.get("/v1/guardianship-proofs").await.expect(200);
    assert_eq!((&waiting["items"][0]["id"], &waiting["items"][0]["proof"]), (&json!(hers), &proof["proof"]));
    let beyond = decide(json!({"state": "proven", "court_ordered": true})).await;
    assert_eq!((beyond.problem(422), &beyond.body["field"]), ("field-invalid", &json!("court_ordered")));
    ada.get(&format!("/v1/patients/{child}")).await.expect(200);
    // Another proof, given while the operator looks at the first.
    let looked_at = waiting["items"][0]["given_at"].clone();
    app.later(SignedDuration::from_secs(1));
    ada.post(&format!("/v1/guardianships/{hers}/proof"), &json!({"proof": "judgment"})).await.expect(200);
    let changed = decide(json!({"state": "proven", "given_at": looked_at})).await;
    assert_eq!(changed.problem(409), "guardians-changed");
    let waiting = operator.get("/v1/guardianship-proofs").await.expect(200);
    decide(json!({"state": "refused", "given_at": waiting["items"][0]["given_at"]})).await.expect(200);
    ada.get(&format!("/v1/patients/{child}")).await.problem(404);
    let slots = app.lyon_slots().await;
    assert_eq!(book_for(&ada, &child, &slots[0]).await.problem(404), "not-found");
}

#[tokio::test]
async fn the_last_guardian_of_a_minor_stays() {
    let app = App::start().await;
    let (ada, ben) = (app.patient().await, app.patient().await);
    let child = child(&ada, "2019-09-01").await;
    let hers = own(&ada, &child).await;
    let leave = async |who: &Client, which: &str| who.post(&format!("/v1/guardianships/{which}/end"), &json!({})).await;
    assert_eq!(leave(&ada, &hers).await.problem(409), "guardian-last");
    let none = json!({"rights": ["book"]});
    let alone = ada.post(&format!("/v1/guardianships/{hers}/rights"), &none).await;
    assert_eq!(alone.problem(409), "guardian-last");
    // Somebody who may only book is not enough; but they may leave.
    let his = bring_in(&ada, &ben, &child, &["book"]).await;
    assert_eq!(leave(&ada, &hers).await.problem(409), "guardian-last");
    leave(&ben, &his).await.expect(200);
    let his = bring_in(&ada, &ben, &child, &["documents"]).await;
    // Both at once: one of them stays.
    let (one, two) = tokio::join!(leave(&ada, &hers), leave(&ben, &his));
    let left = [&one, &two].iter().filter(|answer| answer.status == 200).count();
    assert_eq!(left, 1, "{one:?} {two:?}");
    let remaining = "select count(*) from guardianship where relation <> 'self' and until > '2026-03-03'";
    assert_eq!(app.count(remaining).await, 1 + 6, "beside the six children of the fixtures");
}

#[tokio::test]
async fn a_code_is_good_once_for_seven_days_and_not_for_who_guesses() {
    let app = App::start().await;
    let (ada, ben, eve) = (app.patient().await, app.patient().await, app.patient().await);
    let child = child(&ada, "2019-09-01").await;
    let code = invite(&ada, &child, &["book"]).await;
    assert_eq!(app.count("select count(*) from invitation where code_hash like '____-____-____'").await, 0);
    let accept = async |who: &Client, code: &str| who.post("/v1/guardianships", &json!({"code": code})).await;
    assert_eq!(accept(&ada, &code).await.problem(409), "guardian-exists", "she acts already");
    accept(&ben, &code.to_lowercase().replace('-', " ")).await.expect(201);
    assert_eq!(accept(&eve, &code).await.problem(422), "invitation-invalid");
    for _ in 0..9 {
        assert_eq!(accept(&eve, "AAAA-BBBB-CCCC").await.problem(422), "invitation-invalid");
    }
    let good = invite(&ada, &child, &["book"]).await;
    let limited = accept(&eve, &good).await;
    let wait: i64 = limited.headers["retry-after"].to_str().unwrap().parse().unwrap();
    assert_eq!(limited.problem(429), "invitation-attempts", "the right one neither");
    assert_eq!(app.count("select count(*) from audit where event = 'patient.create' and outcome = 'refused'").await, 1);
    assert_eq!(
        app.count("select count(*) from audit where event = 'invitation.miss' and outcome = 'refused'").await,
        10
    );
    // The clock goes on beside the test, which may take its time.
    app.later(SignedDuration::from_secs(wait - 5));
    let eve = eve.clone().bearing(&app.fresh_token(&eve).await);
    assert_eq!(accept(&eve, &good).await.problem(429), "invitation-attempts", "not before it was said");
    app.later(SignedDuration::from_secs(5));
    accept(&eve, &good).await.expect(201);
    let ada = ada.clone().bearing(&app.fresh_token(&ada).await);
    let late = invite(&ada, &child, &["book"]).await;
    app.later(SignedDuration::from_hours(7 * 24));
    let fay = app.patient().await;
    assert_eq!(accept(&fay, &late).await.problem(422), "invitation-invalid");
}

#[tokio::test]
async fn guardianship_ends_at_18_without_any_job() {
    let app = App::start().await;
    let ada = app.patient().await;
    // Of age on 5 March 2026, Paris time.
    let child = child(&ada, "2008-03-05").await;
    let path = format!("/v1/patients/{child}");
    ada.get(&path).await.expect(200);
    app.at("2026-03-04T22:59:59Z");
    let ada = ada.clone().bearing(&app.fresh_token(&ada).await);
    ada.get(&path).await.expect(200);
    app.at("2026-03-04T23:00:00Z");
    let slots = app.lyon_slots().await;
    ada.get(&path).await.problem(404);
    assert_eq!(book_for(&ada, &child, &slots[0]).await.problem(404), "not-found");
    // A judgment extends it.
    let extended = "update guardianship set proof = 'judgment', court_ordered = true, until = null, state = 'proven'
                    where relation = 'parent' and until = '2026-03-04T23:00:00Z'";
    assert_eq!(sqlx::query(extended).execute(app.pool()).await.unwrap().rows_affected(), 1);
    ada.get(&path).await.expect(200);
}

#[tokio::test]
async fn the_database_and_the_domain_count_birthdays_alike() {
    let app = App::start().await;
    let sql = "select jsonb_build_object('born', born::date, 'years', years, 'at', birthday(born::date, years))
               from generate_series('1999-12-25'::timestamp, '2012-03-05', '1 day') born, unnest('{15,16,18}'::int[]) years";
    let rows = app.sql(sql).await;
    assert!(rows.len() > 12_000);
    for row in rows {
        let years = i16::try_from(row["years"].as_i64().unwrap()).unwrap();
        let expected = domain::age::birthday(row["born"].as_str().unwrap().parse().unwrap(), years).unwrap();
        assert_eq!(row["at"].as_str().unwrap().parse::<domain::Timestamp>().unwrap(), expected, "{row}");
    }
}

/// A young person's own account, linked to the child that a parent declared.
pub async fn young(app: &App, parent: &Client, child: &str, birth_date: &str) -> Client {
    let email = format!("{child}@famille.example");
    let account = json!({"email": email, "password": "une phrase assez longue", "given_name": "noe", "family_name": "EXEMPLE",
                         "birth_date": birth_date});
    let opened = app.nobody().post("/v1/accounts", &account).await.expect(201);
    app.without_letters().await;
    let session = json!({"email": email, "password": "une phrase assez longue"});
    let session = app.nobody().post("/v1/sessions", &session).await.expect(201);
    let young = app.nobody().bearing(session["access_token"].as_str().unwrap()).who(&email, &opened);
    let invitation =
        parent.post(&format!("/v1/patients/{child}/guardians"), &json!({"relation": "self"})).await.expect(201);
    let linked = young.post("/v1/guardianships", &json!({"code": invitation["code"]})).await.expect(201);
    assert_eq!((&linked["relation"], &linked["patient"]), (&json!("self"), &json!(child)));
    young
}

#[tokio::test]
async fn a_young_person_of_15_has_an_account_beside_the_guardians_and_keeps_a_visit_secret() {
    let app = App::start().await;
    let ada = app.patient().await;
    let too_young = child(&ada, "2011-03-03").await;
    let wish = json!({"relation": "self"});
    let refused = ada.post(&format!("/v1/patients/{too_young}/guardians"), &wish).await;
    assert_eq!((refused.problem(422), &refused.body["field"]), ("field-invalid", &json!("relation")));
    let child = child(&ada, "2010-05-01").await;
    let zoe = young(&app, &ada, &child, "2010-05-01").await;
    let patients = zoe.get("/v1/patients").await.expect(200);
    assert_eq!(patients["items"].as_array().unwrap().len(), 1, "one file, the one that was there");
    assert_eq!(patients["items"][0]["id"], child);
    assert_eq!(
        app.count(
            "select count(*) from patient p where not exists (select from guardianship g where g.patient_id = p.id)"
        )
        .await,
        0
    );

    let slots = app.slots_with("nolwenn-le-bihannic").await;
    let hers = book(&zoe, &slots[0]).await.expect(201);
    let path = format!("/v1/appointments/{}", hers["id"].as_str().unwrap());
    assert_eq!(ada.get(&path).await.expect(200)["secret"], false);
    app.settle().await;
    assert_eq!(app.mails(&ada.email).len(), 1);
    let secret = json!({"secret": true});
    assert_eq!(ada.post(&format!("{path}/secrecy"), &secret).await.problem(404), "not-found", "not hers to decide");
    // Nor for whoever had a code and said the child's names: a parent could.
    assert_eq!(zoe.post(&format!("{path}/secrecy"), &secret).await.problem(404), "not-found");
    prove_identity(&app, &zoe, &child).await;
    assert_eq!(zoe.post(&format!("{path}/secrecy"), &secret).await.expect(200)["secret"], true);
    // From now on, on every path.
    ada.get(&path).await.problem(404);
    assert_eq!(ada.get(&format!("/v1/appointments?patient={child}")).await.expect(200)["items"], json!([]));
    ada.post(&format!("{path}/cancellation"), &json!({"reason": "x"})).await.problem(404);
    ada.post(&format!("{path}/move"), &json!({"slot": slots[1]["slot"]})).await.problem(404);
    let doctor = app.staff("practitioner-pentes").await;
    assert_eq!(doctor.get(&path).await.expect(200)["secret"], true);
    zoe.post(&format!("{path}/move"), &json!({"slot": slots[1]["slot"]})).await.expect(200);
    app.settle().await;
    assert_eq!(app.mails(&ada.email).len(), 1, "nothing more");
    assert_eq!(app.mails(&zoe.email).len(), 2);
    // Staff mark another one at the minor's request; the practitioner lifts it again.
    let other = book(&zoe, &slots[4]).await.expect(201);
    let other = format!("/v1/appointments/{}", other["id"].as_str().unwrap());
    app.staff("secretary-pentes").await.post(&format!("{other}/secrecy"), &secret).await.expect(200);
    ada.get(&other).await.problem(404);
    doctor.post(&format!("{other}/secrecy"), &json!({"secret": false})).await.expect(200);
    ada.get(&other).await.expect(200);
    // An adult has nobody to keep it from.
    let visit = book(&ada, &slots[8]).await.expect(201);
    let visit = format!("/v1/appointments/{}/secrecy", visit["id"].as_str().unwrap());
    assert_eq!(ada.post(&visit, &secret).await.problem(409), "patient-of-age");
}

#[tokio::test]
async fn an_invitation_for_oneself_is_for_nobody_else() {
    let app = App::start().await;
    let (ada, ben) = (app.patient().await, app.patient().await);
    let child = child(&ada, "2010-05-01").await;
    let wish = json!({"relation": "self"});
    // Who has not all rights would raise their own by passing for the child.
    bring_in(&ada, &ben, &child, &["documents"]).await;
    assert_eq!(ben.post(&format!("/v1/patients/{child}/guardians"), &wish).await.problem(422), "field-invalid");
    let ben = app.patient().await;
    let invitation = ada.post(&format!("/v1/patients/{child}/guardians"), &wish).await.expect(201);
    let refused = ben.post("/v1/guardianships", &json!({"code": invitation["code"]})).await;
    assert_eq!(refused.problem(409), "invitation-not-yours");
}

#[tokio::test]
async fn only_guardians_with_notices_are_told() {
    let app = App::start().await;
    let (ada, ben) = (app.patient().await, app.patient().await);
    let child = child(&ada, "2019-09-01").await;
    bring_in(&ada, &ben, &child, &["book"]).await;
    let slots = app.lyon_slots().await;
    book_for(&ada, &child, &slots[0]).await.expect(201);
    app.settle().await;
    assert_eq!((app.mails(&ada.email).len(), app.mails(&ben.email).len()), (1, 0));
}

#[tokio::test]
async fn the_choice_of_the_child_persists_from_search_to_cancellation() {
    let app = App::start().await;
    let ada = app.patient().await;
    let child = child(&ada, "2019-09-01").await;
    let slots = app.lyon_slots().await;
    let held =
        ada.post_with_key("/v1/holds", &json!({"slot": slots[0]["slot"], "patient": child}), "h").await.expect(201);
    assert_eq!(held["patient"], child);
    let booked = book_for(&ada, &child, &slots[0]).await.expect(201);
    assert_eq!(booked["patient"], child);
    let path = format!("/v1/appointments/{}", booked["id"].as_str().unwrap());
    let moved = ada.post(&format!("{path}/move"), &json!({"slot": slots[1]["slot"]})).await.expect(200);
    assert_eq!(moved["patient"], child);
    assert_eq!(ada.get(&path).await.expect(200)["patient"], child);
    let list = ada.get(&format!("/v1/appointments?patient={child}&status=booked")).await.expect(200);
    assert_eq!(list["items"].as_array().unwrap().len(), 1);
    let cancelled = ada.post(&format!("{path}/cancellation"), &json!({"reason": "malade"})).await.expect(200);
    assert_eq!(cancelled["patient"], child);
    let own = format!("select count(*) from appointment where patient_id <> '{child}'");
    assert_eq!(app.count(Box::leak(own.into_boxed_str())).await, 0);
}

/// Calls every statement of these functions.
pub async fn walk(app: &App) {
    let (ada, ben) = (app.patient().await, app.patient().await);
    let child = child(&ada, "2010-05-01").await;
    let his = bring_in(&ada, &ben, &child, &["book", "documents"]).await;
    ada.post(&format!("/v1/guardianships/{his}/rights"), &json!({"rights": ["documents"]})).await.expect(200);
    let hers = own(&ada, &child).await;
    prove(app, &ada, &hers).await;
    app.staff("operator").await.get("/v1/guardianship-proofs").await.expect(200);
    ben.post(&format!("/v1/guardianships/{his}/end"), &json!({})).await.expect(200);
    ada.get(&format!("/v1/patients/{child}")).await.expect(200);
    let zoe = young(app, &ada, &child, "2010-05-01").await;
    prove_identity(app, &zoe, &child).await;
    let slots = app.slots_with("nolwenn-le-bihannic").await;
    let wish = json!({"slot": slots[4]["slot"], "secret": true});
    zoe.post_with_key("/v1/appointments", &wish, "secret").await.expect(201);
    let visit = book(&zoe, &slots[0]).await.expect(201);
    let path = format!("/v1/appointments/{}/secrecy", visit["id"].as_str().unwrap());
    zoe.post(&path, &json!({"secret": true})).await.expect(200);
}

#[tokio::test]
async fn an_operator_decides_on_no_claim_of_their_own() {
    let app = App::start().await;
    let ada = app.patient().await;
    let child = child(&ada, "2019-09-01").await;
    let hers = own(&ada, &child).await;
    let proof = json!({"proof": "birth_certificate"});
    ada.post(&format!("/v1/guardianships/{hers}/proof"), &proof).await.expect(200);
    let sql = "update account set platform_role = 'operator' where email_lookup = $1 returning id";
    let account: Uuid = sqlx::query_scalar(sql).bind(app.email_lookup(&ada.email)).fetch_one(app.pool()).await.unwrap();
    let at_work = app.acting(account, "operator", None, 2).await;
    let decision = json!({"state": "proven"});
    let path = format!("/v1/guardianships/{hers}/decision");
    assert_eq!(at_work.post(&path, &decision).await.problem(404), "not-found");
    app.staff("operator").await.post(&path, &decision).await.expect(200);
}

#[tokio::test]
async fn a_list_of_patients_promises_what_may_be_done_now_and_a_child_one_left_is_another() {
    let app = App::start().await;
    let (ada, ben) = (app.patient().await, app.patient().await);
    let grown = child(&ada, "2009-12-31").await;
    let rights = async || {
        let list = ada.get("/v1/patients").await.expect(200);
        let of = list["items"].as_array().unwrap().iter().find(|it| it["id"] == json!(grown)).unwrap();
        of["rights"].clone()
    };
    assert_eq!(rights().await, json!(["book", "documents", "messages", "notices"]));
    young(&app, &ada, &grown, "2009-12-31").await;
    assert_eq!(rights().await, json!(["book", "documents", "notices"]), "messages are private at 16");

    let first = child(&ada, "2019-09-01").await;
    assert_eq!(child(&ada, "2019-09-01").await, first, "sent again");
    bring_in(&ada, &ben, &first, &["book", "documents"]).await;
    let hers = own(&ada, &first).await;
    ada.post(&format!("/v1/guardianships/{hers}/end"), &json!({})).await.expect(200);
    let second = child(&ada, "2019-09-01").await;
    assert_ne!(second, first);
    ada.get(&format!("/v1/patients/{second}")).await.expect(200);
    ada.get(&format!("/v1/patients/{first}")).await.problem(404);
    // The same after a refusal.
    let hers = own(&ada, &second).await;
    let refused = json!({"state": "refused"});
    app.staff("operator").await.post(&format!("/v1/guardianships/{hers}/decision"), &refused).await.expect(200);
    let third = child(&ada, "2019-09-01").await;
    ada.get(&format!("/v1/patients/{third}")).await.expect(200);
}

#[tokio::test]
async fn an_ended_link_does_not_bar_the_next() {
    let app = App::start().await;
    let ada = app.patient().await;
    let child = child(&ada, "2010-05-01").await;
    let zoe = young(&app, &ada, &child, "2010-05-01").await;
    let closure = json!({"password": "une phrase assez longue"});
    zoe.post("/v1/accounts/closure", &closure).await.expect(204);
    young(&app, &ada, &child, "2010-05-01").await;
}
