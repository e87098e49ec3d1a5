//! Letters about accounts: once, to whom they are for, and never marked sent when they were not.

use domain::SignedDuration;
use gateway::dev::mailbox::Mood;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::account_life::{OTHER, PHRASE, emergency, mailed, opened, signed_in, subjects, verified};
use crate::second_factors::{renewed, with_app};
use crate::secrets::dump;
use crate::support::App;

const EMAIL: &str = "ada@famille.example";

#[tokio::test]
async fn a_letter_says_what_to_do_and_nothing_of_anybody() {
    let app = App::start().await;
    let ada = opened(&app, EMAIL).await;
    app.settle().await;
    app.nobody().post("/v1/accounts/password-reset/request", &json!({"email": EMAIL})).await.expect(202);
    app.settle().await;
    let change = json!({"current_password": PHRASE, "password": OTHER});
    ada.post("/v1/accounts/password", &change).await.expect(204);
    app.settle().await;
    let mut all = String::new();
    for mail in app.mails(EMAIL) {
        let text = mail.text.replace("\r\n", "\n");
        let text: Vec<&str> = text.lines().map(|line| if line.len() == 64 { "[token]" } else { line }).collect();
        all.push_str(&format!("{}\n\n{}\n", mail.subject, text.join("\n")));
        assert!(mail.html.contains("<html lang=\"fr\">") && mail.attachments.is_empty());
        assert!(!mail.text.contains("Exemple") && !mail.text.contains(EMAIL));
    }
    insta::assert_snapshot!(all);
    let english = json!({"email": "eve@family.example", "password": PHRASE, "given_name": "Eve", "family_name": "Example",
                         "birth_date": "1988-05-12"});
    app.nobody().speaking("en").post("/v1/accounts", &english).await.expect(201);
    app.settle().await;
    assert_eq!(subjects(&app, "eve@family.example"), ["Confirm your address"]);
}

#[tokio::test]
async fn a_token_is_nowhere_but_in_its_mail() {
    let app = App::start().await;
    opened(&app, EMAIL).await;
    app.nobody().post("/v1/accounts/password-reset/request", &json!({"email": EMAIL})).await.expect(202);
    mailed(&app, EMAIL).await;
    let dump = dump(app.pool()).await;
    let tokens: Vec<String> = app.mails(EMAIL).iter().map(crate::account_life::token).collect();
    assert_eq!(tokens.len(), 2);
    for token in tokens {
        // Neither whole nor the half that proves it.
        for part in [&token[..], &token[24..]] {
            assert!(!dump.contains(&part.to_lowercase()), "{part}");
        }
    }
}

#[tokio::test]
async fn with_a_site_the_token_is_in_the_fragment_of_a_link() {
    let home = App::start().await;
    let site = [("CARNET_ENV", "production"), ("PUBLIC_URL", "https://carnet.example")];
    let app = App::on(home.url.clone(), &site).await;
    opened(&app, EMAIL).await;
    app.settle().await;
    let mail = app.mails(EMAIL).remove(0);
    let link = mail.text.split_whitespace().find(|word| word.starts_with("https://")).unwrap();
    let token = link.strip_prefix("https://carnet.example/verify-email#token=").expect("a fragment");
    assert_eq!(token.len(), 64);
    assert_eq!(mail.text.matches(token).count(), 1, "the link is enough");
}

#[tokio::test]
async fn a_letter_waits_for_the_mail_server_and_one_whose_link_has_expired_is_not_sent() {
    let app = App::start().await;
    let ada = opened(&app, EMAIL).await;
    app.nobody().post("/v1/accounts/password-reset/request", &json!({"email": EMAIL})).await.expect(202);
    for mood in [Mood::Refuses(451), Mood::HangsUp] {
        app.mailbox.set_mood(mood);
        app.settle().await;
        assert_eq!(app.count("select count(*) from letter where state = 'sent'").await, 0);
        assert_eq!(app.count("select count(*) from letter where state = 'planned'").await, 2);
        app.later(SignedDuration::from_mins(15));
    }
    app.mailbox.set_mood(Mood::Well);
    app.settle().await;
    assert_eq!(subjects(&app, EMAIL), ["Confirmez votre adresse"]);
    assert_eq!(app.sql("select to_jsonb(why) from letter where state = 'skipped'").await, [json!("expired")]);
    // One that is refused for good stops nothing else.
    app.mailbox.set_mood(Mood::Refuses(550));
    let ada = ada.clone().bearing(&app.fresh_token(&ada).await);
    ada.post("/v1/accounts/email-verification/request", &json!({})).await.expect(202);
    app.settle().await;
    assert_eq!(
        app.sql("select to_jsonb(why) from letter where state = 'failed'").await,
        [json!("recipient refused (550)")]
    );
    assert_eq!(app.count("select count(*) from delivery where state <> 'done'").await, 0);
}

#[tokio::test]
async fn an_event_sent_many_times_at_once_is_one_letter_and_one_of_nobody_is_rejected() {
    let app = App::start().await;
    opened(&app, EMAIL).await;
    let event = app
        .sql("select jsonb_build_object('specversion', '1.0', 'id', id, 'source', '/carnet', 'type', kind, 'subject', subject,
                     'time', occurred_at, 'datacontenttype', 'application/json', 'data', data) from outbox")
        .await;
    let event = event[0].to_string();
    futures_util::future::join_all((0..20).map(|_| app.event("account-mail", event.clone()))).await;
    app.settle().await;
    assert_eq!(app.mails(EMAIL).len(), 1);
    let mut other: Value = serde_json::from_str(&event).unwrap();
    for (kind, data) in [
        ("account.secured.v1", json!({"account": Uuid::nil(), "what": "nonsense"})),
        ("account.opened.v1", json!({})),
        ("appointment.booked.v1", json!({"link": Uuid::nil()})),
    ] {
        (other["type"], other["data"]) = (json!(kind), data);
        assert_eq!(app.event("account-mail", other.to_string()).await.0, 422, "{kind}");
    }
}

#[tokio::test]
async fn who_follows_a_patient_hears_of_an_emergency_access() {
    let app = App::start().await;
    let (ada, ben, eve) = (app.patient().await, app.patient().await, app.patient().await);
    let child = json!({"given_name": "Noé", "family_name": "Exemple", "birth_date": "2019-09-01"});
    let child = ada.post("/v1/patients", &child).await.expect(201);
    let child = child["id"].as_str().unwrap();
    for (client, rights) in [(&ben, "{notices}"), (&eve, "{book}")] {
        let sql = "insert into guardianship (account_id, patient_id, relation, rights, since)
            select id, $2, 'parent', $3::text[], '2026-01-01' from account where email_lookup = $1";
        let insert =
            sqlx::query(sql).bind(app.email_lookup(&client.email)).bind(Uuid::parse_str(child).unwrap()).bind(rights);
        insert.execute(app.pool()).await.unwrap();
    }
    emergency(&app, child).await;
    emergency(&app, &eve.patient).await;
    app.settle().await;
    for client in [&ada, &ben, &eve] {
        assert_eq!(subjects(&app, &client.email), ["Un accès en urgence a eu lieu"]);
    }
    let mail = app.mails(&ada.email).remove(0);
    assert!(mail.text.contains("journal des accès"));
    assert!(["Noé", "Exemple", "docteur"].iter().all(|secret| !mail.text.contains(secret)));
}

#[tokio::test]
async fn whatever_changes_what_protects_an_account_is_told() {
    let app = App::start().await;
    let ada = verified(&app, EMAIL).await;
    let (id, _, codes) = with_app(&app, &ada).await;
    let me = renewed(&app, &ada, Some(&codes[0])).await;
    let proof = json!({"password": PHRASE, "otp": codes[1]});
    me.post(&format!("/v1/second-factors/{id}/removal"), &proof).await.expect(204);
    app.settle().await;
    let told: Vec<String> = app.mails(EMAIL).into_iter().skip(1).map(|mail| mail.text).collect();
    for words in ["a été ajouté", "a été retiré", "code de secours"] {
        assert_eq!(told.iter().filter(|text| text.contains(words)).count(), 1, "{words}");
    }
    signed_in(&app, EMAIL, PHRASE).await;
}
