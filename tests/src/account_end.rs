//! Another address for an account, where it is signed in, and its end.

use axum::body::Body;
use axum::http::Method;
use domain::SignedDuration;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::account_life::{OTHER, PHRASE, mailed, opened, signed_in, subjects, token, verified};
use crate::secrets::dump;
use crate::support::app::book;
use crate::support::{Answer, App, Client};

const OLD: &str = "ancienne@famille.example";
const NEW: &str = "nouvelle@famille.example";

async fn ask(client: &Client, email: &str) -> Answer {
    client.post("/v1/accounts/email-change", &json!({"email": email, "password": PHRASE})).await
}

async fn confirm(client: &Client, token: &str) -> Answer {
    client.post("/v1/accounts/email-change/confirmation", &json!({"token": token})).await
}

async fn email_of(client: &Client) -> Value {
    client.get("/v1/accounts/me").await.expect(200)["email"].clone()
}

#[tokio::test]
async fn another_address_takes_effect_once_both_have_confirmed_it() {
    let app = App::start().await;
    let (ada, ben) = (verified(&app, OLD).await, app.patient().await);
    let wrong = json!({"email": NEW, "password": "pas celui-là"});
    assert_eq!(ada.post("/v1/accounts/email-change", &wrong).await.problem(422), "password-wrong");
    let same = ask(&ada, &OLD.to_uppercase()).await;
    assert_eq!((same.problem(422), &same.body["field"]), ("field-invalid", &json!("email")));
    ask(&ada, NEW).await.expect(202);
    let (by_new, by_old) = (mailed(&app, NEW).await, mailed(&app, OLD).await);
    assert_eq!(subjects(&app, OLD)[1], "Votre compte change d’adresse");
    for other in [confirm(&ben, &by_new).await, confirm(&ben, &by_old).await, confirm(&ada, "x").await] {
        assert_eq!(other.problem(422), "link-invalid");
    }
    let half = confirm(&ada, &by_new).await.expect(200);
    assert_eq!([&half["done"], &half["confirmed_by_new"], &half["confirmed_by_old"]], [false, true, false]);
    assert!(half["unopposed_from"].as_str().unwrap().starts_with("2026-03-09T08:0"), "{half}");
    let me = ada.get("/v1/accounts/me").await.expect(200);
    assert_eq!((&me["email"], &me["email_change"]["email"]), (&json!(OLD), &json!(NEW)));
    assert_eq!(confirm(&ada, &by_old).await.expect(200)["done"], true);
    let me = ada.get("/v1/accounts/me").await.expect(200);
    assert_eq!((&me["email"], &me["email_verified"], &me["email_change"]), (&json!(NEW), &json!(true), &json!(null)));
    app.settle().await;
    for address in [OLD, NEW] {
        assert_eq!(subjects(&app, address).last().unwrap(), "Sécurité de votre compte");
    }
    signed_in(&app, NEW, PHRASE).await;
    let old = app.nobody().post("/v1/sessions", &json!({"email": OLD, "password": PHRASE})).await;
    assert_eq!(old.problem(401), "sign-in-failed");
    // What the change knew is erased in time.
    app.later(SignedDuration::from_hours(8 * 24));
    app.settle().await;
    assert_eq!(
        app.count("select count(*) from email_change where num_nonnulls(contact, former, email_lookup) > 0").await,
        0
    );
    app.later(SignedDuration::from_hours(60 * 24));
    app.settle().await;
    assert_eq!(app.count("select count(*) from account_link").await, 0);
}

#[tokio::test]
async fn both_may_confirm_at_once() {
    let app = App::start().await;
    let ada = verified(&app, OLD).await;
    ask(&ada, NEW).await.expect(202);
    let (by_new, by_old) = (mailed(&app, NEW).await, mailed(&app, OLD).await);
    let both = futures_util::future::join(confirm(&ada, &by_new), confirm(&ada, &by_old)).await;
    assert_eq!((both.0.status.as_u16(), both.1.status.as_u16()), (200, 200));
    assert_eq!(email_of(&ada).await, NEW);
}

#[tokio::test]
async fn an_old_address_that_says_nothing_for_a_week_lets_go() {
    let app = App::start().await;
    let ada = verified(&app, OLD).await;
    ask(&ada, NEW).await.expect(202);
    confirm(&ada, &mailed(&app, NEW).await).await.expect(200);
    app.later(SignedDuration::from_hours(7 * 24 - 1));
    app.settle().await;
    let ada = ada.clone().bearing(&app.fresh_token(&ada).await);
    assert_eq!(email_of(&ada).await, OLD);
    app.later(SignedDuration::from_hours(1));
    app.settle().await;
    signed_in(&app, NEW, PHRASE).await;
    assert_eq!(subjects(&app, OLD).last().unwrap(), "Sécurité de votre compte");
    // One that is not confirmed from the new address never takes effect.
    let ada = signed_in(&app, NEW, PHRASE).await;
    ask(&ada, "jamais@famille.example").await.expect(202);
    let late = mailed(&app, "jamais@famille.example").await;
    app.later(SignedDuration::from_hours(14 * 24));
    app.settle().await;
    let ada = signed_in(&app, NEW, PHRASE).await;
    assert_eq!(confirm(&ada, &late).await.problem(422), "link-invalid");
    assert_eq!(email_of(&ada).await, NEW);
}

#[tokio::test]
async fn a_flood_of_wishes_does_not_silence_the_old_address() {
    let app = App::start().await;
    let ada = verified(&app, OLD).await;
    for _ in 0..7 {
        ask(&ada, NEW).await.expect(202);
        app.settle().await;
    }
    assert_eq!(app.mails(NEW).len(), 5);
    assert_eq!(subjects(&app, OLD).iter().filter(|subject| *subject == "Votre compte change d’adresse").count(), 7);
}

#[tokio::test]
async fn the_old_mailbox_can_refuse_a_change_and_everybody_is_signed_out() {
    let app = App::start().await;
    let ada = verified(&app, OLD).await;
    ask(&ada, NEW).await.expect(202);
    let (by_new, by_old) = (mailed(&app, NEW).await, mailed(&app, OLD).await);
    let refuse =
        async |token: &str| app.nobody().post("/v1/accounts/email-change/refusal", &json!({"token": token})).await;
    assert_eq!(refuse(&by_new).await.problem(422), "link-invalid");
    refuse(&by_old).await.expect(204);
    assert_eq!(refuse(&by_old).await.problem(422), "link-invalid");
    assert_eq!(ada.get("/v1/accounts/me").await.problem(401), "unauthenticated");
    // Whoever asked knew the password.
    let known = app.nobody().post("/v1/sessions", &json!({"email": OLD, "password": PHRASE})).await;
    assert_eq!(known.problem(401), "sign-in-failed");
    app.settle().await;
    assert!(app.mails(OLD).last().unwrap().text.contains("a été refusé"));
    app.nobody().post("/v1/accounts/password-reset/request", &json!({"email": OLD})).await.expect(202);
    let reset = json!({"token": mailed(&app, OLD).await, "password": OTHER});
    app.nobody().post("/v1/accounts/password-reset", &reset).await.expect(204);
    let ada = signed_in(&app, OLD, OTHER).await;
    assert_eq!(confirm(&ada, &by_new).await.problem(422), "link-invalid");
}

#[tokio::test]
async fn an_address_that_nobody_has_shown_needs_no_farewell_and_a_later_wish_replaces_an_earlier_one() {
    let app = App::start().await;
    let ada = opened(&app, OLD).await;
    ask(&ada, "faute@famille.example").await.expect(202);
    let earlier = mailed(&app, "faute@famille.example").await;
    ask(&ada, NEW).await.expect(202);
    let later = mailed(&app, NEW).await;
    assert_eq!(subjects(&app, OLD), ["Confirmez votre adresse"], "who knows whose that is");
    assert_eq!(confirm(&ada, &earlier).await.problem(422), "link-invalid");
    assert_eq!(confirm(&ada, &later).await.expect(200)["done"], true);
    assert_eq!(email_of(&ada).await, NEW);
}

#[tokio::test]
async fn an_address_of_another_account_is_neither_told_nor_taken() {
    let app = App::start().await;
    let (ada, taken) = (verified(&app, OLD).await, "camille.martin@famille.example");
    ask(&ada, taken).await.expect(202);
    app.settle().await;
    assert_eq!(subjects(&app, taken), ["Vous avez déjà un compte"]);
    assert!(app.mails(taken)[0].text.split_whitespace().all(|word| word.len() < 60), "no link");
    // Somebody is faster: shown by another account after the link was mailed.
    ask(&ada, NEW).await.expect(202);
    let by_new = mailed(&app, NEW).await;
    let by_old = token(app.mails(OLD).last().unwrap());
    verified(&app, NEW).await;
    confirm(&ada, &by_old).await.expect(200);
    assert_eq!(confirm(&ada, &by_new).await.problem(409), "address-taken");
    // And when only time is left to agree, it is dropped.
    let sql = "update email_change set new_confirmed_at = asked_at where state = 'asked'";
    sqlx::query(sql).execute(app.pool()).await.unwrap();
    app.later(SignedDuration::from_hours(8 * 24));
    app.settle().await;
    assert_eq!(app.count("select count(*) from email_change where state = 'done'").await, 0);
    assert_eq!(app.count("select count(*) from audit where event = 'account.email-change.drop'").await, 1);
}

async fn delete(client: &Client, session: &Value) -> Answer {
    let path = format!("/v1/sessions/{}", session["id"].as_str().unwrap());
    client.send(client.request(Method::DELETE, &path).body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn sessions_are_listed_and_ended_one_by_one_or_all_at_once() {
    let app = App::start().await;
    let (ada, ben) = (app.patient().await, app.patient().await);
    let session = json!({"email": ada.email, "password": PHRASE}).to_string();
    let phone = app
        .nobody()
        .request(Method::POST, "/v1/sessions")
        .header("content-type", "application/json")
        .header("user-agent", "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) Version/18.5 Safari/604.1")
        .body(Body::from(session))
        .unwrap();
    app.later(SignedDuration::from_mins(1));
    let phone = app.nobody().send(phone).await.expect(201);
    let on_phone = app.nobody().bearing(phone["access_token"].as_str().unwrap());
    let list =
        async |client: &Client| client.get("/v1/sessions").await.expect(200)["items"].as_array().unwrap().clone();
    let sessions = list(&ada).await;
    let shown: Vec<_> =
        sessions.iter().map(|s| (s["device"].as_str().unwrap(), s["current"].as_bool().unwrap())).collect();
    assert_eq!(shown, [("Safari, iPhone", false), ("", true)]);
    assert_eq!((&sessions[0]["method"], &sessions[0]["role"]), (&json!("password"), &json!("patient")));
    assert!(sessions[0]["created_at"].as_str().unwrap().starts_with("2026-03-02T08:0"));
    let mut keys: Vec<&String> = sessions[0].as_object().unwrap().keys().collect();
    keys.sort();
    assert_eq!(keys, ["created_at", "current", "device", "id", "last_seen_at", "method", "role"], "and no address");
    // Another's is none.
    assert_eq!(delete(&ben, &sessions[0]).await.problem(404), "not-found");
    on_phone.get("/v1/sessions").await.expect(200);
    delete(&ada, &sessions[0]).await.expect(204);
    assert_eq!(on_phone.get("/v1/sessions").await.problem(401), "unauthenticated", "at the next request");
    let refresh = json!({"refresh_token": phone["refresh_token"]});
    assert_eq!(app.nobody().post("/v1/sessions/refresh", &refresh).await.problem(401), "session-ended");
    assert_eq!(delete(&ada, &sessions[0]).await.problem(404), "not-found");
    let (second, third) = (signed_in(&app, &ada.email, PHRASE).await, signed_in(&app, &ada.email, PHRASE).await);
    assert_eq!(second.post("/v1/sessions/end-all", &json!({"keep_current": true})).await.expect(200)["ended"], 2);
    for ended in [&ada, &third] {
        assert_eq!(ended.get("/v1/sessions").await.problem(401), "unauthenticated");
    }
    assert_eq!(list(&second).await.len(), 1);
    assert_eq!(second.post("/v1/sessions/end-all", &json!({})).await.expect(200)["ended"], 1);
    assert_eq!(second.get("/v1/sessions").await.problem(401), "unauthenticated");
    ben.get("/v1/sessions").await.expect(200);
}

#[tokio::test]
async fn a_session_that_nobody_uses_ends_after_a_day_at_work_and_a_fortnight_at_home() {
    let app = App::start().await;
    let (ada, sam) = (app.patient().await, app.patient().await);
    employ(&app, &sam).await;
    let open = async |client: &Client| {
        let session = json!({"email": client.email, "password": PHRASE});
        app.nobody().post("/v1/sessions", &session).await.expect(201)
    };
    let refreshed = async |pair: &Value| {
        app.nobody().post("/v1/sessions/refresh", &json!({"refresh_token": pair["refresh_token"]})).await
    };
    let (home, work) = (open(&ada).await, open(&sam).await);
    app.later(SignedDuration::from_hours(11));
    let work = refreshed(&work).await.expect(200);
    app.later(SignedDuration::from_hours(12));
    assert_eq!(refreshed(&work).await.problem(401), "session-ended");
    app.later(SignedDuration::from_hours(12 * 24));
    let home = refreshed(&home).await.expect(200);
    app.later(SignedDuration::from_hours(14 * 24));
    assert_eq!(refreshed(&home).await.problem(401), "session-ended");
    let me = ada.clone().bearing(&app.fresh_token(&ada).await);
    assert_eq!(
        me.get("/v1/sessions").await.expect(200)["items"].as_array().unwrap().len(),
        1,
        "the dead are not listed"
    );
}

/// Makes somebody a secretary somewhere.
async fn employ(app: &App, client: &Client) {
    let sql = "with place as (insert into establishment (id, name, created_at) values (gen_random_uuid(), 'Maison', now()) returning id)
        insert into membership (id, account_id, establishment_id, role, since)
        select gen_random_uuid(), account.id, place.id, 'secretary', '2026-01-01' from account, place where email_lookup = $1";
    sqlx::query(sql).bind(app.email_lookup(&client.email)).execute(app.pool()).await.unwrap();
}

const CLOSURE: &str = "/v1/accounts/closure";

#[tokio::test]
async fn a_closed_account_leaves_nothing_that_tells_whose_it_was() {
    let app = App::start().await;
    let email = "quitte@famille.example";
    let account = json!({"email": email, "password": PHRASE, "given_name": "Ada", "family_name": "Exemple",
                         "birth_date": "1988-05-12", "phone": "+33639987654"});
    let opened = app.nobody().post("/v1/accounts", &account).await.expect(201);
    let ada = signed_in(&app, email, PHRASE).await;
    ada.post("/v1/accounts/email-verification", &json!({"token": mailed(&app, email).await})).await.expect(204);
    ask(&ada, NEW).await.expect(202);
    let (elsewhere, lookup) = (signed_in(&app, email, PHRASE).await, app.email_lookup(email));
    assert_eq!(ada.post(CLOSURE, &json!({"password": "pas celui-là"})).await.problem(422), "password-wrong");
    ada.post(CLOSURE, &json!({"password": PHRASE})).await.expect(204);
    for ended in [&ada, &elsewhere] {
        assert_eq!(ended.get("/v1/accounts/me").await.problem(401), "unauthenticated");
    }
    let gone = app.nobody().post("/v1/sessions", &json!({"email": email, "password": PHRASE})).await;
    assert_eq!(gone.problem(401), "sign-in-failed");
    // Not even what was on its way is sent: there is no address.
    app.settle().await;
    assert_eq!((app.mails(email).len(), app.mails(NEW).len()), (1, 0));
    let dump = dump(app.pool()).await;
    for secret in [email, NEW, "639987654", &lookup, &app.email_lookup(NEW)] {
        assert!(!dump.contains(&secret.to_lowercase()), "{secret}");
    }
    let account = app.sql("select to_jsonb(account) from account where state = 'closed'").await.remove(0);
    for field in ["wrapped_key", "contact", "email_lookup", "email", "phone", "email_verified_at"] {
        assert_eq!(account[field], Value::Null, "{field}");
    }
    // The record stays, under its own key, and nobody acts for it.
    assert_eq!(account["id"], opened["id"]);
    let patient = "select count(*) from patient p join guardianship g on g.patient_id = p.id join account a on a.id = g.account_id
                   where a.state = 'closed' and g.until is not null and p.identity is not null and p.wrapped_key is not null";
    assert_eq!(app.count(patient).await, 1);
    assert_eq!(app.count("select count(*) from audit where event = 'account.close'").await, 1);
    // The address can be used anew.
    let again = verified(&app, email).await;
    assert_eq!(again.get("/v1/patients").await.expect(200)["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn an_account_that_others_depend_on_is_not_closed() {
    let app = App::start().await;
    let (ada, sam) = (app.patient().await, app.patient().await);
    let child = json!({"given_name": "Noé", "family_name": "Exemple", "birth_date": "2019-09-01"});
    let child = ada.post("/v1/patients", &child).await.expect(201);
    let slots = app.lyon_slots().await;
    let wish = json!({"slot": slots[0]["slot"], "patient": child["id"]});
    ada.post_with_key("/v1/appointments", &wish, "child").await.expect(201);
    let close = async |client: &Client| client.post(CLOSURE, &json!({"password": PHRASE})).await;
    assert_eq!(close(&ada).await.problem(409), "visits-ahead");
    // With another adult who may act for the child, one can go.
    let sql = "insert into guardianship (account_id, patient_id, relation, rights, since)
        select id, $2, 'parent', '{notices}', '2026-01-01' from account where email_lookup = $1";
    let child = Uuid::parse_str(child["id"].as_str().unwrap()).unwrap();
    sqlx::query(sql).bind(app.email_lookup(&sam.email)).bind(child).execute(app.pool()).await.unwrap();
    assert_eq!(close(&ada).await.problem(409), "visits-ahead", "who is only told of visits cannot call them off");
    sqlx::query("update guardianship set rights = '{book}' where rights = '{notices}'")
        .execute(app.pool())
        .await
        .unwrap();
    let own = book(&ada, &slots[1]).await.expect(201);
    assert_eq!(close(&ada).await.problem(409), "visits-ahead", "one's own");
    let path = format!("/v1/appointments/{}/cancellation", own["id"].as_str().unwrap());
    ada.post(&path, &json!({"reason": "x"})).await.expect(200);
    close(&ada).await.expect(204);
    assert_eq!(sam.get("/v1/appointments").await.expect(200)["items"].as_array().unwrap().len(), 1);
    let ben = app.patient().await;
    employ(&app, &ben).await;
    assert_eq!(close(&ben).await.problem(409), "member-still");
    assert_eq!(ben.post(CLOSURE, &json!({"password": OTHER})).await.problem(422), "password-wrong");
}

#[tokio::test]
async fn in_an_incident_an_operator_ends_the_sessions_of_one_or_of_everybody() {
    let app = App::start().await;
    let (ada, ben) = (opened(&app, OLD).await, opened(&app, NEW).await);
    let claims = opened(&app, OLD).await;
    let operator = app.staff("operator").await;
    let revoke = async |who: &Client, wish: Value| who.post("/v1/sessions/revocation", &wish).await;
    assert_eq!(revoke(&ada, json!({"everybody": true, "reason": "incident"})).await.problem(403), "forbidden");
    let one = app.staff_at_level("operator", 1).await;
    assert_eq!(
        revoke(&one, json!({"everybody": true, "reason": "incident"})).await.problem(403),
        "second-factor-needed"
    );
    for (wish, field) in [
        (json!({"reason": "incident"}), "account"),
        (json!({"email": OLD, "everybody": true, "reason": "incident"}), "account"),
        (json!({"email": OLD, "reason": "because"}), "reason"),
        (json!({"email": OLD}), "reason"),
    ] {
        let refused = revoke(&operator, wish.clone()).await;
        assert_eq!((refused.status.as_u16(), &refused.body["field"]), (422, &json!(field)), "{wish}");
    }
    // Of an address: all who have or claim it.
    let ended = revoke(&operator, json!({"email": OLD.to_uppercase(), "reason": "compromised"})).await.expect(200);
    assert_eq!(ended["ended"], 2);
    for gone in [&ada, &claims] {
        assert_eq!(gone.get("/v1/patients").await.problem(401), "unauthenticated");
    }
    ben.get("/v1/patients").await.expect(200);
    let again = revoke(&operator, json!({"email": OLD, "reason": "compromised"})).await.expect(200);
    assert_eq!(again["ended"], 0);
    app.settle().await;
    assert!(app.mails(OLD).iter().any(|mail| mail.text.contains("nous avons fermé toutes les connexions")));
    // Everybody, the operator too; who has a refresh token has nothing.
    let pair = app.nobody().post("/v1/sessions", &json!({"email": NEW, "password": PHRASE})).await.expect(201);
    let ended = revoke(&operator, json!({"everybody": true, "reason": "incident"})).await.expect(200);
    assert!(ended["ended"].as_i64().unwrap() >= 3, "{ended}");
    for gone in [&ben, &operator] {
        assert_eq!(gone.get("/v1/accounts/me").await.problem(401), "unauthenticated");
    }
    let refresh = json!({"refresh_token": pair["refresh_token"]});
    assert_eq!(app.nobody().post("/v1/sessions/refresh", &refresh).await.problem(401), "session-ended");
    let trail = "select to_jsonb(event) from audit where role = 'operator' and outcome = 'success' and event like 'session.revoke%' order by seq";
    let one = json!("session.revoke.compromised");
    // Of two accounts, then of nobody.
    assert_eq!(app.sql(trail).await, [one.clone(), one.clone(), one, json!("session.revoke-all.incident")]);
    let refused = "select count(*) from audit where event = 'session.refresh' and outcome = 'refused'";
    assert_eq!(app.count(refused).await, 1);
}
