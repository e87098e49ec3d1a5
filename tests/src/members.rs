//! Who works in an establishment: only there, only while they do, only for whom they do.

use domain::SignedDuration;
use serde_json::{Value, json};

use crate::support::app::book;
use crate::support::{App, Client};

/// The member of that role, as the administrator sees them.
async fn member(administrator: &Client, role: &str) -> Value {
    let list = administrator.get("/v1/members").await.expect(200);
    list["items"].as_array().unwrap().iter().find(|it| it["role"] == role).unwrap().clone()
}

#[tokio::test]
async fn a_secretary_sees_the_agendas_she_is_attached_to_and_is_told_why_not_the_others() {
    let app = App::start().await;
    let ada = app.patient().await;
    let mine = book(&ada, &app.slots_with("etienne-bouvarel").await[0]).await.expect(201);
    let other = book(&ada, &app.slots_with("sandrine-ferlatte").await[4]).await.expect(201);
    let secretary = app.staff("secretary-pentes").await;
    let path = |appointment: &Value| format!("/v1/appointments/{}", appointment["id"].as_str().unwrap());
    secretary.get(&path(&mine)).await.expect(200);
    // Of the same establishment, in the same house.
    secretary.get(&path(&other)).await.problem(404);
    let agenda = |key: &str| format!("/v1/appointments?practitioner={}", App::practitioner(key));
    assert_eq!(secretary.get(&agenda("etienne-bouvarel")).await.expect(200)["items"].as_array().unwrap().len(), 1);
    for (language, words) in [("fr", "refusé : vous êtes rattaché(e) à "), ("en", "refused: you are attached to ")]
    {
        let refused = secretary.clone().speaking(language).get(&agenda("sandrine-ferlatte")).await;
        assert_eq!(refused.problem(403), "forbidden");
        let detail = refused.body["detail"].as_str().unwrap();
        assert!(detail.starts_with(words) && detail.contains("Dr Étienne Bouvarel"), "{detail}");
        assert!(detail.ends_with("Mme Sandrine Ferlatte"), "{detail}");
    }
    secretary.get("/v1/appointments?practitioner=00000000-0000-7000-8000-000000000000").await.problem(404);
    // Nor does anybody of another establishment.
    let elsewhere = app.staff("secretary-confluent").await;
    elsewhere.get(&path(&mine)).await.problem(404);
    assert_eq!(elsewhere.get("/v1/appointments").await.expect(200)["items"], json!([]));
    // The administrative part of those they care for, no other.
    let patient = format!("/v1/patients/{}", ada.patient);
    secretary.get(&patient).await.expect(200);
    elsewhere.get(&patient).await.problem(404);
    // Without two factors nothing but one's own account.
    let one = app.staff_at_level("secretary-pentes", 1).await;
    assert_eq!(one.get(&path(&mine)).await.problem(403), "second-factor-needed");
    one.get("/v1/me").await.expect(200);
}

#[tokio::test]
async fn an_administrator_attaches_and_detaches_within_the_establishment() {
    let app = App::start().await;
    let ada = app.patient().await;
    let visit = book(&ada, &app.slots_with("sandrine-ferlatte").await[0]).await.expect(201);
    let path = format!("/v1/appointments/{}", visit["id"].as_str().unwrap());
    let (administrator, nurse) = (app.staff("administrator-pentes").await, app.staff("nurse-pentes").await);
    let who = member(&administrator, "nurse").await;
    assert_eq!(who["name"], "Moussa Keïtaro");
    let member = format!("/v1/members/{}", who["id"].as_str().unwrap());
    let whom = json!({"practitioner": App::practitioner("sandrine-ferlatte")});
    nurse.get(&path).await.problem(404);
    administrator.post(&format!("{member}/attachments"), &whom).await.expect(204);
    administrator.post(&format!("{member}/attachments"), &whom).await.expect(204);
    nurse.get(&path).await.expect(200);
    administrator.post(&format!("{member}/attachments/end"), &whom).await.expect(204);
    nurse.get(&path).await.problem(404);
    administrator.post(&format!("{member}/attachments/end"), &whom).await.problem(404);
    administrator.post(&format!("{member}/attachments"), &whom).await.expect(204);
    nurse.get(&path).await.expect(200);
    // A practitioner of another establishment is none here.
    let foreign = json!({"practitioner": App::practitioner("samira-ait-oumeziane")});
    administrator.post(&format!("{member}/attachments"), &foreign).await.problem(404);
    // Nor is a member of another establishment.
    let theirs = format!("/v1/members/{}", gateway::fixtures::id("membership", "secretary-confluent"));
    for answer in [
        administrator.post(&format!("{theirs}/end"), &json!({})).await,
        administrator.post(&format!("{theirs}/attachments"), &foreign).await,
        administrator.post(&format!("{theirs}/attachments/end"), &foreign).await,
    ] {
        answer.problem(404);
    }
    // An administrator never sees a patient.
    administrator.get(&path).await.problem(403);
    administrator.get(&format!("/v1/patients/{}", ada.patient)).await.problem(403);
}

#[tokio::test]
async fn an_ended_membership_is_felt_at_the_next_request_and_the_last_administrator_stays() {
    let app = App::start().await;
    let (administrator, secretary) = (app.staff("administrator-pentes").await, app.staff("secretary-pentes").await);
    secretary.get("/v1/appointments").await.expect(200);
    let who = member(&administrator, "secretary").await;
    let end = format!("/v1/members/{}/end", who["id"].as_str().unwrap());
    administrator.post(&end, &json!({})).await.expect(200);
    assert_eq!(secretary.get("/v1/appointments").await.problem(401), "unauthenticated");
    administrator.post(&end, &json!({})).await.problem(404);
    let me = member(&administrator, "administrator").await;
    let leave = format!("/v1/members/{}/end", me["id"].as_str().unwrap());
    assert_eq!(administrator.post(&leave, &json!({})).await.problem(409), "administrator-last");
    // Once somebody else runs it, they may.
    let second = app.patient().await;
    let wish = json!({"role": "administrator", "name": "Jean Second"});
    let invitation = administrator.post("/v1/members/invitations", &wish).await.expect(201);
    let joined = second.post("/v1/memberships", &json!({"code": invitation["code"]})).await.expect(201);
    assert_eq!((&joined["name"], &joined["role"]), (&json!("Jean Second"), &json!("administrator")));
    administrator.post(&leave, &json!({})).await.expect(200);
    assert_eq!(administrator.get("/v1/members").await.problem(401), "unauthenticated");
}

#[tokio::test]
async fn an_operator_opens_an_establishment_once() {
    let app = App::start().await;
    let operator = app.staff("operator").await;
    let path = |key: &str| format!("/v1/establishments/{}/administrators", gateway::fixtures::id("establishment", key));
    let name = json!({"name": "Anne Première"});
    let taken = operator.post(&path("pentes-plateau"), &name).await;
    assert_eq!(taken.problem(409), "administrator-exists");
    let invitation = operator.post(&path("confluent"), &name).await.expect(201);
    operator.post("/v1/establishments/00000000-0000-7000-8000-000000000000/administrators", &name).await.problem(404);
    let anne = app.patient().await;
    anne.post("/v1/memberships", &json!({"code": invitation["code"]})).await.expect(201);
    let again = anne.post("/v1/memberships", &json!({"code": invitation["code"]})).await;
    assert_eq!(again.problem(422), "invitation-invalid");
    assert_eq!(operator.post(&path("confluent"), &name).await.problem(409), "administrator-exists");
    // Of one's own establishment only.
    let administrator = app.staff("administrator-pentes").await;
    administrator.post(&path("confluent"), &name).await.problem(404);
    administrator.post(&path("pentes-plateau"), &name).await.expect(201);
}

#[tokio::test]
async fn a_session_changes_its_capacity_and_acts_in_no_other() {
    let app = App::start().await;
    let anne = app.patient().await;
    let administrator = app.staff("administrator-pentes").await;
    let invitation =
        administrator.post("/v1/members/invitations", &json!({"role": "secretary", "name": "Anne"})).await.expect(201);
    let me = anne.get("/v1/me").await.expect(200);
    assert_eq!((&me["role"], &me["level"], &me["name"]), (&json!("patient"), &json!(1), &json!("Ada Exemple")));
    let refused = anne.post("/v1/sessions/capacity", &json!({"role": "secretary"})).await;
    assert_eq!((refused.problem(403), &refused.body["field"]), ("forbidden", &json!("role")));
    anne.post("/v1/memberships", &json!({"code": invitation["code"]})).await.expect(201);
    anne.post("/v1/sessions/capacity", &json!({"role": "secretary"})).await.expect(204);
    let me = anne.get("/v1/me").await.expect(200);
    assert_eq!(me["role"], "secretary");
    assert_eq!(me["capacities"][1]["establishment_name"], "Pôle de santé des Pentes et du Plateau");
    assert_eq!(anne.get("/v1/patients").await.problem(403), "second-factor-needed", "one factor is not enough at work");
    // In two establishments: which one must be said.
    let elsewhere = "insert into membership (id, account_id, establishment_id, role, since)
        select gen_random_uuid(), m.account_id, e.id, 'secretary', m.since
        from membership m, establishment e where m.since = (select max(since) from membership) and e.name = 'Centre de santé du Confluent'";
    sqlx::query(elsewhere).execute(app.pool()).await.unwrap();
    let unclear = anne.post("/v1/sessions/capacity", &json!({"role": "secretary"})).await;
    assert_eq!((unclear.problem(422), &unclear.body["field"]), ("field-missing", &json!("establishment")));
    let there = gateway::fixtures::id("establishment", "confluent");
    let choice = json!({"role": "secretary", "establishment": there});
    anne.post("/v1/sessions/capacity", &choice).await.expect(204);
    assert_eq!(anne.get("/v1/me").await.expect(200)["establishment"], json!(there));
    anne.post("/v1/sessions/capacity", &json!({"role": "patient"})).await.expect(204);
    anne.get("/v1/patients").await.expect(200);
    let changes = "select count(*) from audit where event like 'session.capacity.%'";
    assert_eq!(app.count(changes).await, 3);
}

#[tokio::test]
async fn a_practitioner_becomes_a_member_by_their_validated_account() {
    let app = App::start().await;
    let administrator = app.staff("administrator-pentes").await;
    let add =
        async |key: &str| administrator.post("/v1/members", &json!({"practitioner": App::practitioner(key)})).await;
    assert_eq!(add("nolwenn-le-bihannic").await.problem(409), "member-exists");
    assert_eq!(add("etienne-bouvarel").await.problem(409), "not-a-professional", "nobody's account yet");
    let etienne = crate::professionals::validated(&app, "Étienne", "Bouvarel", "99900000086", "SM54").await;
    assert_eq!(add("etienne-bouvarel").await.expect(201)["name"], "Dr Étienne Bouvarel");
    etienne.post("/v1/sessions/capacity", &json!({"role": "practitioner"})).await.expect(204);
    assert_eq!(etienne.get("/v1/me").await.expect(200)["practitioner"], App::practitioner("etienne-bouvarel"));
    // By invitation it takes the same.
    let wish = json!({"role": "practitioner", "name": "Hélène"});
    let invitation = administrator.post("/v1/members/invitations", &wish).await.expect(201);
    let somebody = app.patient().await;
    let refused = somebody.post("/v1/memberships", &json!({"code": invitation["code"]})).await;
    assert_eq!(refused.problem(409), "not-a-professional");
}

#[tokio::test]
async fn loading_the_fixtures_again_changes_nothing() {
    let app = App::start().await;
    let pg = store::pg::Pg::lazy(&app.url, 2).unwrap();
    let again = gateway::fixtures::load_with(&pg, &app.gateway.ctx).await.unwrap();
    assert_eq!((again.changed, again.staff), (0, 7));
    assert_eq!(app.count("select count(*) from site where establishment_id is null").await, 0);
    let several = "select count(*) from (select from site group by establishment_id having count(*) > 1) e";
    assert_eq!(app.count(several).await, 3);
    let sign_ins = gateway::fixtures::demo_accounts().unwrap();
    assert_eq!(sign_ins.iter().filter(|it| it.role.is_some()).count(), 7);
}

/// Calls every statement of these functions.
pub async fn walk(app: &App) {
    let administrator = app.staff("administrator-pentes").await;
    let who = member(&administrator, "secretary").await;
    let path = format!("/v1/members/{}", who["id"].as_str().unwrap());
    let whom = json!({"practitioner": App::practitioner("sandrine-ferlatte")});
    administrator.post(&format!("{path}/attachments"), &whom).await.expect(204);
    administrator.post(&format!("{path}/attachments/end"), &whom).await.expect(204);
    administrator.post("/v1/members", &whom).await.problem(409);
    let wish = json!({"role": "nurse", "name": "Anne"});
    let invitation = administrator.post("/v1/members/invitations", &wish).await.expect(201);
    let anne = app.patient().await;
    anne.post("/v1/memberships", &json!({"code": invitation["code"]})).await.expect(201);
    anne.post("/v1/sessions/capacity", &json!({"role": "nurse"})).await.expect(204);
    let other = format!("/v1/appointments?practitioner={}", App::practitioner("samira-ait-oumeziane"));
    app.staff("secretary-pentes").await.get(&other).await.problem(403);
    administrator.post(&format!("{path}/end"), &json!({})).await.expect(200);
}

#[tokio::test]
async fn the_last_administrator_sees_that_the_other_left_whichever_clock_was_ahead() {
    let app = App::start().await;
    let (first, second) = (app.staff("administrator-pentes").await, app.patient().await);
    let hers = member(&first, "administrator").await["id"].as_str().unwrap().to_owned();
    let wish = json!({"role": "administrator", "name": "Jean Second"});
    let invitation = first.post("/v1/members/invitations", &wish).await.expect(201);
    let his = second.post("/v1/memberships", &json!({"code": invitation["code"]})).await.expect(201);
    second.post("/v1/sessions/capacity", &json!({"role": "administrator"})).await.expect(204);
    let two_factors = "update session set level = 2 where role = 'administrator'";
    sqlx::query(two_factors).execute(app.pool()).await.unwrap();
    let end = async |who: &Client, which: &str| who.post(&format!("/v1/members/{which}/end"), &json!({})).await;
    // Another instance, whose clock is a second ahead.
    app.later(SignedDuration::from_secs(1));
    end(&first, &hers).await.expect(200);
    app.later(SignedDuration::from_secs(-1));
    assert_eq!(end(&second, his["id"].as_str().unwrap()).await.problem(409), "administrator-last");
    end(&second, &hers).await.problem(404);
}
