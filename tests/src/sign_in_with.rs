//! Signing in with Pro Santé Connect and FranceConnect, and linking such an identity, with real providers.

use std::collections::BTreeSet;

use domain::SignedDuration;
use runtime::second_factors::shown;
use serde_json::{Value, json};

use crate::account_life::verified;
use crate::second_factors::with_app;
use crate::support::openid::{Browser, Issuer, app_with, go};
use crate::support::{App, Client};

pub const ANGELA: &str = "angela";

/// A family's person, one of FranceConnect's own test citizens.
pub fn citizens() -> Value {
    json!({
        ANGELA: {"password": "secret", "claims": {
            "given_name": "Angela Claire Louise", "family_name": "DUBOIS", "birthdate": "1962-08-24", "gender": "female",
            "birthplace": "75107", "birthcountry": "99100", "email": "angela.dubois@famille.example"}},
        "jean": {"password": "secret", "acr": "eidas2", "claims": {
            "given_name": "Jean", "family_name": "MARTIN", "birthdate": "1980-01-02", "email": "jean.martin@famille.example"}},
        "nameless": {"password": "secret", "claims": {"email": "nameless@famille.example"}},
    })
}

/// Professionals: of this RPPS, and of an identity that is none.
pub fn professionals(rpps: &str) -> Value {
    let activity = |name: &str, finess: &str| {
        json!({"codeModeExercice": "L", "codeSecteurDactivite": "SA07", "raisonSocialeSite": name,
               "numeroFinessSite": finess, "numeroSiretSite": ""})
    };
    json!({
        "paul": {"password": "secret", "claims": {
            "SubjectNameID": format!("8{rpps}"), "given_name": "Paul", "family_name": "NOM",
            "SubjectRefPro": {"codeCivilite": "M", "exercices": [{
                "codeProfession": "10", "codeSavoirFaire": "SM54",
                "activities": [activity("CABINET MEDICAL", "690000001"), activity("HOPITAL GENERIQUE", "690000002")]}]}}},
        "jane": {"password": "secret", "claims": {"SubjectNameID": "899999999999", "given_name": "Jane", "family_name": "NOM"}},
        "eve": {"password": "secret", "claims": {"SubjectNameID": "0999999999", "given_name": "Ève", "family_name": "NOM"}},
    })
}

/// Somebody of the imported directory.
async fn of_directory(app: &App) -> (String, String) {
    let sql = "select jsonb_build_object('id', id, 'rpps', rpps) from practitioner p where rpps ~ '^[0-9]{11}$'
               and not exists (select from membership m where m.practitioner_id = p.id) order by rpps limit 1";
    let row = &app.sql(sql).await[0];
    (row["id"].as_str().unwrap().to_owned(), row["rpps"].as_str().unwrap().to_owned())
}

/// How many accounts claim an address.
async fn claims(app: &App, email: &str) -> i64 {
    let sql = "select count(*) from account where email_lookup = $1";
    sqlx::query_scalar(sql).bind(app.email_lookup(email)).fetch_one(app.pool()).await.unwrap()
}

/// Makes the owner of an account, found by their e-mail, a practitioner of a new establishment.
async fn member(app: &App, email: &str, practitioner: &str, finess: &str) -> String {
    let sql = "with e as (insert into establishment (id, name, finess, created_at)
                          values (gen_random_uuid(), 'Établissement ' || $3, $3, now()) returning id),
                    m as (insert into membership (id, account_id, establishment_id, role, practitioner_id, since)
                          select gen_random_uuid(), account.id, e.id, 'practitioner', $2::uuid, now() - interval '1 day'
                          from account, e where account.email_lookup = $1 returning id)
               select id::text from m";
    sqlx::query_scalar(sql)
        .bind(app.email_lookup(email))
        .bind(practitioner)
        .bind(finess)
        .fetch_one(app.pool())
        .await
        .unwrap()
}

pub async fn answer(app: &App, provider: &str, sent: &Value) -> crate::support::client::Answer {
    app.nobody().post(&format!("/v1/sign-in-with/{provider}/answer"), sent).await
}

pub async fn signed_in(app: &App, provider: &str, login: &str) -> Value {
    let sent = go(&app.nobody(), &format!("/v1/sign-in-with/{provider}"), login).await;
    answer(app, provider, &sent).await.expect(201)
}

fn bearing(app: &App, session: &Value) -> Client {
    app.nobody().bearing(session["access_token"].as_str().unwrap())
}

pub const SESSIONS: &str = "select count(*) from session where provider is not null";

#[tokio::test]
async fn a_family_signs_in_with_franceconnect_and_finds_its_account_again() {
    let issuer = Issuer::franceconnect(citizens()).await;
    let app = app_with(&[&issuer]).await;
    let list = app.nobody().get("/v1/sign-in-with").await.expect(200);
    assert_eq!(list["items"], json!([{"name": "franceconnect", "label": "FranceConnect", "kind": "franceconnect"}]));

    let first = signed_in(&app, "franceconnect", ANGELA).await;
    assert_eq!(
        (&first["role"], &first["account_opened"], &first["missing"]),
        (&json!("patient"), &json!(true), &Value::Null)
    );
    let me = &bearing(&app, &first).get("/v1/patients").await.expect(200)["items"][0];
    assert_eq!((&me["given_name"], &me["family_name"]), (&json!("Angela Claire Louise"), &json!("DUBOIS")));
    assert_eq!((&me["birth_date"], &me["relation"]), (&json!("1962-08-24"), &json!("self")));

    let again = signed_in(&app, "franceconnect", ANGELA).await;
    assert_eq!((&again["account_opened"], &again["identity_linked"]), (&json!(false), &json!(false)));
    assert_eq!(claims(&app, "angela.dubois@famille.example").await, 1);
    let session = app
        .sql("select jsonb_build_array(role, level, method, provider) from session where provider is not null limit 1")
        .await;
    assert_eq!(session[0], json!(["patient", 1, "franceconnect", "franceconnect"]));
    assert_eq!(
        app.count("select count(*) from audit where event = 'session.open.franceconnect' and outcome = 'success'")
            .await,
        2
    );
    assert_eq!(app.count("select count(*) from audit where event = 'identity.link'").await, 1);
    // The tokens are those of any session.
    let next =
        app.nobody().post("/v1/sessions/refresh", &json!({"refresh_token": again["refresh_token"]})).await.expect(200);
    bearing(&app, &next).post("/v1/sessions/end", &json!({})).await.expect(204);

    // eidas2 is two factors.
    signed_in(&app, "franceconnect", "jean").await;
    assert_eq!(app.count("select count(*) from session where level = 2").await, 1);

    // Who signs out here can sign out there.
    let logout = again["logout_url"].as_str().unwrap();
    assert!(logout.starts_with(&format!("{}/session/end?", issuer.address)), "{logout}");
    for wanted in ["id_token_hint=", "post_logout_redirect_uri=https%3A%2F%2Fcarnet.example", "state="] {
        assert!(logout.contains(wanted), "{wanted} in {logout}");
    }
    let (status, page) = Browser::new().see(logout).await;
    assert_eq!(status, 200, "{page}");
}

#[tokio::test]
async fn the_request_is_what_each_provider_asks_for() {
    let (psc, fc) = (Issuer::psc(json!({})).await, Issuer::franceconnect(json!({})).await);
    let app = app_with(&[&psc, &fc]).await;
    let ask = async |provider: &str| {
        let begun = app.nobody().post(&format!("/v1/sign-in-with/{provider}"), &json!({})).await.expect(201);
        let url = begun["authorize_url"].as_str().unwrap().to_owned();
        let (address, query) = url.split_once('?').unwrap();
        let pairs: std::collections::BTreeMap<String, String> =
            form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        (address.to_owned(), pairs, begun)
    };
    let (address, asked, _) = ask("psc").await;
    assert_eq!(address, psc.address.replace("localhost", "127.0.0.1") + "/auth", "another host than the issuer's");
    assert_eq!((asked["scope"].as_str(), asked["acr_values"].as_str()), ("openid scope_all", "eidas1"));
    let (_, asked, begun) = ask("franceconnect").await;
    assert_eq!((asked["response_type"].as_str(), asked["code_challenge_method"].as_str()), ("code", "S256"));
    assert_eq!(asked["scope"], "openid identite_pivot email");
    assert!(
        asked["nonce"].len() >= 22 && asked["state"].len() >= 22 && asked["code_challenge"].len() == 43,
        "{asked:?}"
    );
    // Neither the ticket nor what is derived from it is anywhere but with who began.
    let kept = app.sql("select to_jsonb(openid_attempt) from openid_attempt").await;
    for secret in [begun["ticket"].as_str().unwrap(), &asked["state"], &asked["nonce"]] {
        assert!(!json!(kept).to_string().contains(secret));
    }
    assert!(!begun["authorize_url"].as_str().unwrap().contains(begun["ticket"].as_str().unwrap()));
    assert_eq!(app.nobody().post("/v1/sign-in-with/nobody", &json!({})).await.problem(404), "not-found");
}

#[tokio::test]
async fn an_identity_is_linked_by_who_is_signed_in_and_never_by_its_address() {
    let issuer = Issuer::franceconnect(citizens()).await;
    let app = app_with(&[&issuer]).await;
    let ada = verified(&app, "angela.dubois@famille.example").await;
    // Not linked: the same address proves nothing, and opens another account that claims it.
    let same = app.patient_named("jean.martin@famille.example", "fr").await;
    let jean = signed_in(&app, "franceconnect", "jean").await;
    assert_eq!((&jean["account_opened"], &jean["identity_linked"]), (&json!(true), &json!(true)));
    assert_ne!(bearing(&app, &jean).get("/v1/patients").await.expect(200), same.get("/v1/patients").await.expect(200));
    // Linked from within.
    let sent = go(&ada, "/v1/sign-in-with/franceconnect/link", ANGELA).await;
    let linked = answer(&app, "franceconnect", &sent).await.expect(201);
    assert_eq!((&linked["identity_linked"], &linked["account_opened"]), (&json!(true), &json!(false)));
    let mine = ada.get("/v1/patients").await.expect(200);
    assert_eq!(bearing(&app, &linked).get("/v1/patients").await.expect(200), mine);
    let later = signed_in(&app, "franceconnect", ANGELA).await;
    assert_eq!(bearing(&app, &later).get("/v1/patients").await.expect(200), mine);
    // Another account may not take it, nor this one a second.
    let ben = app.patient().await;
    let sent = go(&ben, "/v1/sign-in-with/franceconnect/link", ANGELA).await;
    assert_eq!(answer(&app, "franceconnect", &sent).await.problem(409), "identity-linked");
    let sent = go(&ada, "/v1/sign-in-with/franceconnect/link", "jean").await;
    assert_eq!(answer(&app, "franceconnect", &sent).await.problem(409), "identity-linked");
    // Who signs out before the provider's answer links nothing.
    let sent = go(&ben, "/v1/sign-in-with/franceconnect/link", "jean").await;
    ben.post("/v1/sessions/end", &json!({})).await.expect(204);
    assert_eq!(answer(&app, "franceconnect", &sent).await.problem(401), "sign-in-refused");
    assert_eq!(app.count("select count(*) from external_identity").await, 2);
    // Unlinked, it opens nothing any more, and what it had opened has ended.
    ben.get("/v1/sign-in-with/franceconnect/link").await.problem(401);
    let link = "/v1/sign-in-with/franceconnect/link";
    assert!(ada.get(link).await.expect(200)["used_at"].is_string());
    let delete = || ada.request(axum::http::Method::DELETE, link).body(axum::body::Body::empty()).unwrap();
    ada.send(delete()).await.expect(204);
    assert_eq!(ada.send(delete()).await.problem(404), "not-found");
    assert_eq!(app.count("select count(*) from outbox where data ->> 'what' = 'identity-unlinked'").await, 1);
    assert_eq!(ada.get(link).await.problem(404), "not-found");
    assert_eq!(bearing(&app, &later).get("/v1/patients").await.problem(401), "unauthenticated");
    // Whoever comes with it now has an account of their own.
    let anew = signed_in(&app, "franceconnect", ANGELA).await;
    assert_eq!(anew["account_opened"], true);
    assert_ne!(bearing(&app, &anew).get("/v1/patients").await.expect(200), mine);
}

#[tokio::test]
async fn an_identity_of_one_factor_does_not_stand_for_two() {
    let issuer = Issuer::franceconnect(citizens()).await;
    let app = app_with(&[&issuer]).await;
    let ada = app.patient().await;
    let link = "/v1/sign-in-with/franceconnect/link";
    let sent = go(&ada, link, ANGELA).await;
    answer(&app, "franceconnect", &sent).await.expect(201);
    let (_, secret, _) = with_app(&app, &ada).await;
    let one = bearing(&app, &signed_in(&app, "franceconnect", ANGELA).await);
    assert_eq!(one.get("/v1/patients").await.problem(403), "second-factor-needed");
    let delete = |who: &Client| who.request(axum::http::Method::DELETE, link).body(axum::body::Body::empty()).unwrap();
    assert_eq!(one.send(delete(&one)).await.problem(403), "second-factor-needed");
    assert_eq!(one.post(link, &json!({})).await.problem(403), "second-factor-needed");
    app.later(SignedDuration::from_secs(30));
    let otp = json!({"otp": shown(&secret, app.now())});
    let two = one.post("/v1/sessions/second-factor", &otp).await.expect(200);
    bearing(&app, &two).get("/v1/patients").await.expect(200);
    // Nor does one that lay about change what opens the account.
    app.later(SignedDuration::from_mins(16));
    let refresh = json!({"refresh_token": two["refresh_token"]});
    let old = bearing(&app, &app.nobody().post("/v1/sessions/refresh", &refresh).await.expect(200));
    assert_eq!(old.post(link, &json!({})).await.problem(403), "sign-in-too-old");
    assert_eq!(old.send(delete(&old)).await.problem(403), "sign-in-too-old");
    app.settle().await;
    let told = "select count(*) from letter where what = 'identity-linked' and state = 'sent'";
    assert_eq!(app.count(told).await, 1);
}

#[tokio::test]
async fn an_identity_without_names_opens_no_account() {
    let issuer = Issuer::franceconnect(citizens()).await;
    let app = app_with(&[&issuer]).await;
    let accounts = app.count("select count(*) from account").await;
    let sent = go(&app.nobody(), "/v1/sign-in-with/franceconnect", "nameless").await;
    assert_eq!(answer(&app, "franceconnect", &sent).await.problem(422), "identity-incomplete");
    assert_eq!(app.count("select count(*) from account").await, accounts);
}

#[tokio::test]
async fn a_suspended_account_is_not_opened() {
    let issuer = Issuer::franceconnect(citizens()).await;
    let app = app_with(&[&issuer]).await;
    signed_in(&app, "franceconnect", ANGELA).await;
    let suspend = "update account set state = 'suspended' where email_lookup = $1";
    let lookup = app.email_lookup("angela.dubois@famille.example");
    sqlx::query(suspend).bind(lookup).execute(app.pool()).await.unwrap();
    let sent = go(&app.nobody(), "/v1/sign-in-with/franceconnect", ANGELA).await;
    assert_eq!(answer(&app, "franceconnect", &sent).await.problem(401), "sign-in-refused");
    assert_eq!(app.count(SESSIONS).await, 1);
    assert_eq!(app.count("select count(*) from audit where outcome = 'refused' and actor_id is not null and event like 'session.open%'").await, 1);
}

#[tokio::test]
async fn a_professional_acts_where_an_establishment_knows_their_rpps_and_else_as_a_patient() {
    let scout = App::start().await;
    let (practitioner, rpps) = of_directory(&scout).await;
    let issuer = Issuer::psc(professionals(&rpps)).await;
    let app = app_with(&[&issuer]).await;

    // An identity that is no RPPS, and an RPPS that nobody here knows as a member: signed in, with no rights.
    let eve = signed_in(&app, "psc", "eve").await;
    assert_eq!((&eve["role"], &eve["missing"]["code"]), (&json!("patient"), &json!("rpps")));
    assert!(eve["missing"]["explanation"].as_str().unwrap().contains("RPPS"));
    let other = App::on(app.url.clone(), &[]).await;
    let dr = other.patient_named("docteur@cabinet.example", "fr").await;
    let lyon = member(&app, "docteur@cabinet.example", &practitioner, "690000001").await;

    // One membership: the session acts in it. The account is the one that is this professional already.
    let one = signed_in(&app, "psc", "paul").await;
    assert_eq!(
        (&one["role"], &one["missing"], &one["account_opened"]),
        (&json!("practitioner"), &Value::Null, &json!(false))
    );
    assert_eq!(
        (&one["activities"][0]["membership"], &one["activities"][1]["membership"]),
        (&json!(lyon), &Value::Null)
    );
    assert_eq!(one["activities"][0]["name"], "CABINET MEDICAL");
    let session =
        app.sql("select jsonb_build_array(role, level, method) from session where role = 'practitioner'").await;
    assert_eq!(session[0], json!(["practitioner", 2, "psc"]));
    bearing(&app, &one).get("/v1/appointments").await.expect(200);

    // Two: a patient until one is chosen, then there and at no other place.
    let hospital = member(&app, "docteur@cabinet.example", &practitioner, "690000002").await;
    let two = signed_in(&app, "psc", "paul").await;
    assert_eq!((&two["role"], &two["missing"]["code"]), (&json!("patient"), &json!("choice")));
    assert_eq!(two["capacities"].as_array().unwrap().len(), 2);
    assert_eq!(two["activities"][1]["membership"], json!(hospital));
    let paul = bearing(&app, &two);
    let chosen = paul.post("/v1/sign-in-with/psc/choice", &json!({"membership": hospital})).await.expect(200);
    assert_eq!((&chosen["role"], &chosen["finess"]), (&json!("practitioner"), &json!("690000002")));
    let acts = app
        .sql("select to_jsonb(membership_id) from session where method = 'psc' order by created_at desc limit 1")
        .await;
    assert_eq!(acts[0], json!(hospital));
    assert_eq!(app.count("select count(*) from audit where event = 'session.choose'").await, 1);

    // Nobody chooses what is another's, and no other session than one of Pro Santé Connect chooses at all.
    let strange = json!({"membership": "00000000-0000-7000-8000-000000000000"});
    assert_eq!(paul.post("/v1/sign-in-with/psc/choice", &strange).await.problem(404), "not-found");
    let mine = json!({"membership": lyon});
    assert_eq!(bearing(&app, &eve).post("/v1/sign-in-with/psc/choice", &mine).await.problem(404), "not-found");
    assert_eq!(
        app.nobody().bearing(dr.token()).post("/v1/sign-in-with/psc/choice", &mine).await.status,
        401,
        "of another time"
    );

    // With the password alone, who works here links the identity of that very professional and no other.
    let session = json!({"email": "docteur@cabinet.example", "password": "une phrase assez longue", "role": "patient"});
    let one_factor = bearing(&app, &app.nobody().post("/v1/sessions", &session).await.expect(201));
    let sent = go(&one_factor, "/v1/sign-in-with/psc/link", "jane").await;
    assert_eq!(answer(&app, "psc", &sent).await.problem(403), "second-factor-needed");
    let sent = go(&one_factor, "/v1/sign-in-with/psc/link", "paul").await;
    assert_eq!(answer(&app, "psc", &sent).await.expect(201)["missing"]["code"], "choice");

    // A membership that ended gives nothing at the next request, nor at the next sign-in.
    sqlx::query("update membership set until = now()").execute(app.pool()).await.unwrap();
    assert_eq!(paul.get("/v1/appointments").await.problem(401), "unauthenticated");
    let none = signed_in(&app, "psc", "paul").await;
    assert_eq!((&none["role"], &none["missing"]["code"]), (&json!("patient"), &json!("membership")));
}

#[tokio::test]
async fn an_rpps_outside_the_directory_is_told_and_gives_an_account_without_a_patient() {
    let issuer = Issuer::psc(professionals("99700218896")).await;
    let app = app_with(&[&issuer]).await;
    let paul = signed_in(&app, "psc", "paul").await;
    assert_eq!(
        (&paul["role"], &paul["missing"]["code"], &paul["account_opened"]),
        (&json!("patient"), &json!("directory"), &json!(true))
    );
    assert_eq!(bearing(&app, &paul).get("/v1/patients").await.expect(200)["items"], json!([]));
    assert_eq!(signed_in(&app, "psc", "paul").await["account_opened"], false);
    // The only way in stays.
    let me = bearing(&app, &paul);
    let request = me.request(axum::http::Method::DELETE, "/v1/sign-in-with/psc/link").body(axum::body::Body::empty());
    assert_eq!(me.send(request.unwrap()).await.problem(404), "not-found");
}

#[tokio::test]
async fn the_published_userinfo_of_pro_sante_connect_is_understood() {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/oracles/psc/userinfo.json");
    let path = std::env::var_os("CARNET_PSC_ORACLE").unwrap_or_else(|| beside.into());
    let Ok(text) = std::fs::read_to_string(path) else {
        eprintln!("0 published answers were checked: there is none beside this checkout");
        return;
    };
    let claims: Value = serde_json::from_str(&text).unwrap();
    let activities = claims["SubjectRefPro"]["exercices"][0]["activities"].as_array().unwrap().len();
    let issuer = Issuer::psc(json!({"oracle": {"password": "secret", "claims": claims}})).await;
    let app = app_with(&[&issuer]).await;
    let session = signed_in(&app, "psc", "oracle").await;
    assert_eq!(session["missing"]["code"], "rpps", "{} is no RPPS", claims["SubjectNameID"]);
    assert_eq!(session["activities"].as_array().unwrap().len(), activities);
    assert_eq!(session["activities"][0]["specialty"], "SM54");
    eprintln!("1 published answer with {activities} activities was checked");
}

/// Every statement of the function once: what it asked of the database.
pub async fn walk() -> BTreeSet<&'static str> {
    let scout = App::start().await;
    let (practitioner, rpps) = of_directory(&scout).await;
    let issuer = Issuer::psc(professionals(&rpps)).await;
    let app = app_with(&[&issuer]).await;
    let other = App::on(app.url.clone(), &[]).await;
    other.patient_named("docteur@cabinet.example", "fr").await;
    let membership = member(&app, "docteur@cabinet.example", &practitioner, "690000001").await;
    let paul = signed_in(&app, "psc", "paul").await;
    bearing(&app, &paul).post("/v1/sign-in-with/psc/choice", &json!({"membership": membership})).await.expect(200);
    let begun = app.nobody().post("/v1/sign-in-with/psc", &json!({})).await.expect(201);
    let back = Browser::new().sign_in(begun["authorize_url"].as_str().unwrap(), "paul").await;
    let sent = json!({"code": back["code"], "state": "not this", "ticket": begun["ticket"]});
    answer(&app, "psc", &sent).await.problem(401);
    let me = bearing(&app, &paul);
    me.get("/v1/sign-in-with/psc/link").await.expect(200);
    let link = || me.request(axum::http::Method::DELETE, "/v1/sign-in-with/psc/link").body(axum::body::Body::empty());
    me.send(link().unwrap()).await.problem(404);
    let shown = "update account set email_verified_at = now() where email_lookup = $1";
    let lookup = app.email_lookup("docteur@cabinet.example");
    sqlx::query(shown).bind(lookup).execute(app.pool()).await.unwrap();
    me.send(link().unwrap()).await.expect(204);
    app.db.seen.lock().unwrap().clone()
}
