//! Who is a professional: as the directory says and an operator has seen, until they are suspended.

use serde_json::{Value, json};

use crate::support::app::book;
use crate::support::{App, Client};

/// Somebody of that name with an account.
async fn account(app: &App, given_name: &str, family_name: &str) -> Client {
    let email = format!("{}@cabinet.example", uuid::Uuid::now_v7());
    let password = "une phrase assez longue";
    let account = json!({"email": email, "password": password, "given_name": given_name, "family_name": family_name,
                         "birth_date": "1975-04-01"});
    let opened = app.nobody().post("/v1/accounts", &account).await.expect(201);
    let session = app.nobody().post("/v1/sessions", &json!({"email": email, "password": password})).await.expect(201);
    app.nobody().bearing(session["access_token"].as_str().unwrap()).who(&email, &opened)
}

async fn apply(client: &Client, rpps: &str, profession: &str) -> crate::support::client::Answer {
    client.post("/v1/professionals", &json!({"rpps": rpps, "profession": profession})).await
}

async fn decide(app: &App, claim: &Value, decision: &str) -> crate::support::client::Answer {
    let path = format!("/v1/professionals/{}/decision", claim["id"].as_str().unwrap());
    app.staff("operator").await.post(&path, &json!({"decision": decision, "reason": "Vu au tableau de l’Ordre."})).await
}

/// An account that an operator has validated as that professional.
pub async fn validated(app: &App, given_name: &str, family_name: &str, rpps: &str, profession: &str) -> Client {
    let client = account(app, given_name, family_name).await;
    let claim = apply(&client, rpps, profession).await.expect(201);
    assert_eq!(claim["state"], "pending");
    decide(app, &claim, "validate").await.expect(200);
    client
}

#[tokio::test]
async fn the_directory_must_know_number_name_and_profession() {
    let app = App::start().await;
    let ada = app.patient().await;
    let field = async |client: &Client, rpps: &str, profession: &str| {
        let refused = apply(client, rpps, profession).await;
        assert_eq!(refused.problem(422), "field-invalid");
        (refused.body["field"].as_str().unwrap().to_owned(), refused.body["detail"].as_str().unwrap().to_owned())
    };
    let (name, why) = field(&ada, "99900000086", "SM54").await;
    assert!(name == "rpps" && why.contains("nom"), "{why}");
    assert_eq!(field(&ada, "00000000000", "SM54").await.0, "rpps");
    // Accents and case do not count.
    let etienne = account(&app, "ETIENNE", "bouvarel").await;
    assert_eq!(field(&etienne, "99900000086", "SM40").await.0, "profession");
    let claim = apply(&etienne, "99900000086", "SM54").await.expect(201);
    assert_eq!(apply(&etienne, "99900000086", "SM54").await.problem(409), "professional-exists");
    assert_eq!(etienne.get("/v1/me").await.expect(200)["professional"]["state"], "pending");
    sqlx::query("update practitioner set active = false where rpps = '99900000110'").execute(app.pool()).await.unwrap();
    let helene = account(&app, "Hélène", "Jacquemond").await;
    assert_eq!(field(&helene, "99900000110", "SM54").await.0, "rpps", "no longer practising");
    // Only an operator decides, once.
    let path = format!("/v1/professionals/{}/decision", claim["id"].as_str().unwrap());
    let yes = json!({"decision": "validate", "reason": "moi"});
    assert_eq!(etienne.post(&path, &yes).await.problem(403), "forbidden");
    decide(&app, &claim, "refuse").await.expect(200);
    assert_eq!(decide(&app, &claim, "validate").await.problem(409), "already-decided");
    let again = apply(&etienne, "99900000086", "SM54").await.expect(201);
    decide(&app, &again, "validate").await.expect(200);
    let other = account(&app, "Étienne", "Bouvarel").await;
    assert_eq!(apply(&other, "99900000086", "SM54").await.problem(409), "professional-exists", "somebody else is");
}

#[tokio::test]
async fn a_suspension_is_felt_at_the_next_request_and_closes_the_agenda() {
    let app = App::start().await;
    let ada = app.patient().await;
    let slots = app.slots_with("nolwenn-le-bihannic").await;
    let visit = book(&ada, &slots[0]).await.expect(201);
    let path = format!("/v1/appointments/{}", visit["id"].as_str().unwrap());
    let doctor = app.staff("practitioner-pentes").await;
    doctor.get(&path).await.expect(200);
    let claims = app.staff("operator").await.get("/v1/professionals?state=validated").await.expect(200);
    let claim = claims["items"].as_array().unwrap()[0].clone();
    assert_eq!(claim["name"], "Dr Nolwenn Le Bihannic");
    decide(&app, &claim, "suspend").await.expect(200);
    assert_eq!(doctor.get(&path).await.problem(401), "unauthenticated");
    // As a patient they stay who they are.
    let account = gateway::fixtures::id("account", "staff/practitioner-pentes");
    let at_home = app.acting(account, "patient", None, 1).await;
    let me = at_home.get("/v1/me").await.expect(200);
    assert_eq!((me["capacities"].as_array().unwrap().len(), &me["professional"]["state"]), (1, &json!("suspended")));
    // Families can book nothing more, not even what they had already found; what is booked stays.
    let refused = book(&ada, &slots[4]).await;
    assert!([404, 409].contains(&refused.status.as_u16()), "{}", refused.body);
    let practitioner = App::practitioner("nolwenn-le-bihannic");
    let page = app.nobody().get(&format!("/v1/practitioners/{practitioner}")).await.expect(200);
    assert_eq!(page["online"], false);
    assert_eq!(ada.get(&path).await.expect(200)["status"], "booked");
    // Starting again does not bring them back; an operator does.
    let pg = store::pg::Pg::lazy(&app.url, 2).unwrap();
    gateway::fixtures::load_with(&pg, &app.gateway.ctx).await.unwrap();
    assert_eq!(app.count("select count(*) from practitioner where suspended_at is not null and online").await, 0);
    decide(&app, &claim, "reinstate").await.expect(200);
    doctor.get(&path).await.expect(200);
    book(&ada, &slots[4]).await.expect(201);
}

/// Calls every statement of these functions, and makes each of their events.
pub async fn walk(app: &App) {
    let etienne = account(app, "Étienne", "Bouvarel").await;
    let claim = apply(&etienne, "99900000086", "SM54").await.expect(201);
    app.staff("operator").await.get("/v1/professionals").await.expect(200);
    for decision in ["validate", "suspend", "reinstate"] {
        decide(app, &claim, decision).await.expect(200);
    }
    let helene = account(app, "Hélène", "Jacquemond").await;
    let claim = apply(&helene, "99900000110", "SM54").await.expect(201);
    decide(app, &claim, "refuse").await.expect(200);
}

#[tokio::test]
async fn an_operator_decides_on_no_claim_of_their_own_and_a_closed_account_holds_none() {
    let app = App::start().await;
    let etienne = account(&app, "Étienne", "Bouvarel").await;
    let claim = apply(&etienne, "99900000086", "SM54").await.expect(201);
    let sql = "update account set platform_role = 'operator' where email_lookup = $1 returning id";
    let id: uuid::Uuid =
        sqlx::query_scalar(sql).bind(app.email_lookup(&etienne.email)).fetch_one(app.pool()).await.unwrap();
    let path = format!("/v1/professionals/{}/decision", claim["id"].as_str().unwrap());
    let yes = json!({"decision": "validate", "reason": "moi"});
    assert_eq!(app.acting(id, "operator", None, 2).await.post(&path, &yes).await.problem(404), "not-found");
    decide(&app, &claim, "validate").await.expect(200);
    sqlx::query("update account set platform_role = null where id = $1").bind(id).execute(app.pool()).await.unwrap();
    let closure = json!({"password": "une phrase assez longue"});
    etienne.post("/v1/accounts/closure", &closure).await.expect(204);
    let withdrawn = app.staff("operator").await.get("/v1/professionals?state=withdrawn").await.expect(200);
    assert_eq!(withdrawn["items"][0]["id"], claim["id"]);
    assert_eq!(decide(&app, &claim, "validate").await.problem(409), "already-decided");
    validated(&app, "Étienne", "Bouvarel", "99900000086", "SM54").await;
}
