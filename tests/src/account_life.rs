//! An account after it was opened: its address shown to be its own, its password, another address.

use domain::SignedDuration;
use gateway::dev::mailbox::Received;
use runtime::second_factors::shown;
use serde_json::{Value, json};

use crate::second_factors::with_app;
use crate::support::{App, Client, logs};

pub const PHRASE: &str = "une phrase assez longue";
pub const OTHER: &str = "trois mots au hasard";

/// Signs up, with the letter that it asks for, and in.
pub async fn opened(app: &App, email: &str) -> Client {
    let account = json!({"email": email, "password": PHRASE, "given_name": "Ada", "family_name": "Exemple",
                         "birth_date": "1988-05-12"});
    let opened = app.nobody().post("/v1/accounts", &account).await.expect(201);
    signed_in(app, email, PHRASE).await.who(email, &opened)
}

pub async fn signed_in(app: &App, email: &str, password: &str) -> Client {
    let session = json!({"email": email, "password": password});
    let session = app.nobody().post("/v1/sessions", &session).await.expect(201);
    app.nobody().bearing(session["access_token"].as_str().unwrap()).who(email, &Value::Null)
}

/// The token that a mail holds.
pub fn token(mail: &Received) -> String {
    let token = token_in(mail).expect("a token").to_owned();
    logs::keep_secret(&token);
    assert!(mail.html.contains(&token));
    token
}

fn token_in(mail: &Received) -> Option<&str> {
    mail.text.split_whitespace().find(|word| word.len() == 64)
}

pub fn subjects(app: &App, to: &str) -> Vec<String> {
    app.mails(to).into_iter().map(|mail| mail.subject).collect()
}

/// The newest token mailed to an address, once all mails are out.
pub async fn mailed(app: &App, to: &str) -> String {
    app.settle().await;
    let mails = app.mails(to);
    token(mails.iter().rfind(|mail| token_in(mail).is_some()).expect("a mail with a token"))
}

/// An account that has shown its address.
pub async fn verified(app: &App, email: &str) -> Client {
    let client = opened(app, email).await;
    let token = mailed(app, email).await;
    client.post("/v1/accounts/email-verification", &json!({"token": token})).await.expect(204);
    client
}

/// Every statement of the life of an account, and every event.
pub async fn walk(app: &App) {
    let (email, next) = ("marche@famille.example", "marche.autre@famille.example");
    let ada = verified(app, email).await;
    ada.post("/v1/accounts/email-verification/request", &json!({})).await.expect(202);
    app.nobody().post("/v1/accounts/password-reset/request", &json!({"email": email})).await.expect(202);
    let reset = json!({"token": mailed(app, email).await, "password": OTHER});
    app.nobody().post("/v1/accounts/password-reset", &reset).await.expect(204);
    let ada = signed_in(app, email, OTHER).await;
    let change = json!({"current_password": OTHER, "password": PHRASE});
    ada.post("/v1/accounts/password", &change).await.expect(204);
    ada.post("/v1/accounts/password", &change).await.problem(422);
    ada.post("/v1/accounts/email-change", &json!({"email": next, "password": PHRASE})).await.expect(202);
    let confirm = json!({"token": mailed(app, next).await});
    let asked = ada.post("/v1/accounts/email-change/confirmation", &confirm).await.expect(200);
    assert_eq!(asked["done"], false);
    let old = app.mails(email).into_iter().rfind(|mail| mail.subject.contains("change d’adresse")).unwrap();
    app.nobody().post("/v1/accounts/email-change/refusal", &json!({"token": token(&old)})).await.expect(204);
    app.settle().await;
    app.nobody().post("/v1/accounts/password-reset/request", &json!({"email": email})).await.expect(202);
    let reset = json!({"token": mailed(app, email).await, "password": PHRASE});
    app.nobody().post("/v1/accounts/password-reset", &reset).await.expect(204);
    let ada = signed_in(app, email, PHRASE).await;
    for path in ["/v1/accounts/me", "/v1/sessions"] {
        ada.get(path).await.expect(200);
    }
    ada.post("/v1/sessions/end-all", &json!({"keep_current": true})).await.expect(200);
    let nobody = json!({"account": "00000000-0000-7000-8000-000000000000", "reason": "requested"});
    app.staff("operator").await.post("/v1/sessions/revocation", &nobody).await.expect(200);
    emergency(app, "00000000-0000-7000-8000-000000000000").await;
    app.settle().await;
    ada.post("/v1/accounts/closure", &json!({"password": PHRASE})).await.expect(204);
}

/// What the function for emergencies says when somebody looks.
pub async fn emergency(app: &App, patient: &str) {
    let sql = "insert into outbox (kind, subject, data, occurred_at)
        select 'emergency-access.opened.v1', id, jsonb_build_object('emergency_access', id, 'patient', $1), $2::timestamptz
        from gen_random_uuid() id";
    sqlx::query(sql).bind(patient).bind(app.now().to_string()).execute(app.pool()).await.unwrap();
}

#[tokio::test]
async fn an_address_is_shown_by_the_link_that_was_mailed_to_it_and_by_who_claims_it() {
    let app = App::start().await;
    let (ada, ben) = (opened(&app, "ada@famille.example").await, opened(&app, "ben@famille.example").await);
    let theirs = mailed(&app, "ada@famille.example").await;
    assert_eq!(subjects(&app, "ada@famille.example"), ["Confirmez votre adresse"]);
    let verify = "/v1/accounts/email-verification";
    for (client, wrong) in [(&ben, theirs.as_str()), (&ada, "x"), (&ada, &theirs[..63]), (&ada, &theirs.to_lowercase())]
    {
        assert_eq!(client.post(verify, &json!({"token": wrong})).await.problem(422), "link-invalid");
    }
    assert_eq!(ada.get("/v1/accounts/me").await.expect(200)["email_verified"], false);
    for _ in 0..2 {
        ada.post(verify, &json!({"token": theirs})).await.expect(204);
    }
    let me = ada.get("/v1/accounts/me").await.expect(200);
    assert_eq!((&me["email_verified"], &me["email"]), (&json!(true), &json!("ada@famille.example")));
    assert_eq!((&me["phone_verified"], &me["email_change"]), (&json!(false), &json!(null)));
    // There is nothing left to ask for.
    ada.post("/v1/accounts/email-verification/request", &json!({})).await.expect(202);
    app.settle().await;
    assert_eq!(app.mails("ada@famille.example").len(), 1);
    // Another one is good for three days.
    let expired = mailed(&app, "ben@famille.example").await;
    app.later(SignedDuration::from_hours(73));
    let ben = ben.clone().bearing(&app.fresh_token(&ben).await);
    assert_eq!(ben.post(verify, &json!({"token": expired})).await.problem(422), "link-invalid");
    ben.post("/v1/accounts/email-verification/request", &json!({})).await.expect(202);
    let again = mailed(&app, "ben@famille.example").await;
    ben.post(verify, &json!({"token": again})).await.expect(204);
    assert_eq!(app.count("select count(*) from audit where event = 'account.email.verify'").await, 2);
}

#[tokio::test]
async fn of_two_who_claim_an_address_one_gets_it_and_the_holder_of_the_mailbox_learns_so() {
    let app = App::start().await;
    let email = "double@famille.example";
    let first = opened(&app, email).await;
    let of_first = mailed(&app, email).await;
    let account = json!({"email": email.to_uppercase(), "password": OTHER, "given_name": "Bea", "family_name": "Autre",
                         "birth_date": "1990-01-01"});
    app.nobody().post("/v1/accounts", &account).await.expect(201);
    let second = signed_in(&app, email, OTHER).await;
    app.settle().await;
    let of_second = token(&app.mails(email)[1]);
    second.post("/v1/accounts/email-verification", &json!({"token": of_second})).await.expect(204);
    let late = first.post("/v1/accounts/email-verification", &json!({"token": of_first})).await;
    assert_eq!(late.problem(409), "address-taken");
    // Whoever claims it from now on gets no link; who has it is told.
    app.nobody().post("/v1/accounts", &account).await.expect(201);
    first.post("/v1/accounts/email-verification/request", &json!({})).await.expect(202);
    app.settle().await;
    let told = app.mails(email);
    assert_eq!(told[2..].iter().map(|mail| mail.subject.as_str()).collect::<Vec<_>>(), ["Vous avez déjà un compte"; 2]);
    assert!(told[2..].iter().all(|mail| mail.text.split_whitespace().all(|word| word.len() < 60)), "no link");
}

#[tokio::test]
async fn a_mailbox_is_not_filled_through_us() {
    let app = App::start().await;
    let ada = opened(&app, "ada@famille.example").await;
    for _ in 0..8 {
        ada.post("/v1/accounts/email-verification/request", &json!({})).await.expect(202);
        let forgotten = json!({"email": "ada@famille.example"});
        app.nobody().post("/v1/accounts/password-reset/request", &forgotten).await.expect(202);
    }
    app.settle().await;
    let of = |subject| subjects(&app, "ada@famille.example").into_iter().filter(|each| each == subject).count();
    assert_eq!((of("Confirmez votre adresse"), of("Choisir un nouveau mot de passe")), (5, 5));
    // Nor by opening account after account.
    for _ in 0..7 {
        opened(&app, "ben@famille.example").await;
    }
    app.settle().await;
    assert_eq!(app.mails("ben@famille.example").len(), 5);
    app.later(SignedDuration::from_hours(25));
    app.nobody().post("/v1/accounts/password-reset/request", &json!({"email": ada.email})).await.expect(202);
    app.settle().await;
    assert_eq!(of("Choisir un nouveau mot de passe"), 6);
}

#[tokio::test]
async fn a_forgotten_password_is_replaced_by_a_link_that_is_good_once() {
    let app = App::start().await;
    let email = "ada@famille.example";
    let ada = opened(&app, email).await;
    app.settle().await;
    app.nobody()
        .post("/v1/accounts/password-reset/request", &json!({"email": " ADA@famille.example"}))
        .await
        .expect(202);
    let token = mailed(&app, email).await;
    let reset = async |password: &str| {
        app.nobody().post("/v1/accounts/password-reset", &json!({"token": token, "password": password})).await
    };
    for (easy, why) in [("azertyuiop", "les premiers"), ("Ada.Exemple1", "votre nom"), ("court", "8 caractères")] {
        let refused = reset(easy).await;
        assert_eq!((refused.problem(422), &refused.body["field"]), ("field-invalid", &json!("password")));
        assert!(refused.body["detail"].as_str().unwrap().contains(why), "{}", refused.body);
    }
    reset(OTHER).await.expect(204);
    assert_eq!(reset("encore trois autres mots").await.problem(422), "link-invalid");
    assert_eq!(ada.get("/v1/accounts/me").await.problem(401), "unauthenticated", "signed out everywhere");
    let old = app.nobody().post("/v1/sessions", &json!({"email": email, "password": PHRASE})).await;
    assert_eq!(old.problem(401), "sign-in-failed");
    let ada = signed_in(&app, email, OTHER).await;
    assert_eq!(ada.get("/v1/accounts/me").await.expect(200)["email_verified"], true, "the mailbox is shown");
    app.settle().await;
    assert_eq!(subjects(&app, email).last().unwrap(), "Sécurité de votre compte");
    // The next one waits for half an hour and no longer.
    app.nobody().post("/v1/accounts/password-reset/request", &json!({"email": email})).await.expect(202);
    let late = mailed(&app, email).await;
    app.later(SignedDuration::from_mins(30));
    let late = app.nobody().post("/v1/accounts/password-reset", &json!({"token": late, "password": PHRASE})).await;
    assert_eq!(late.problem(422), "link-invalid");
}

#[tokio::test]
async fn a_new_password_is_for_who_has_the_address_or_else_for_who_claimed_it_first() {
    let app = App::start().await;
    let email = "commun@famille.example";
    let sign_up = async |password: &str| {
        let account = json!({"email": email, "password": password, "given_name": "Ada", "family_name": "Exemple", "birth_date": "1988-05-12"});
        let opened = app.nobody().post("/v1/accounts", &account).await.expect(201);
        app.settle().await;
        opened["id"].clone()
    };
    let first = sign_up("les premiers mots").await;
    // Who merely claims an address leaves nothing behind that would open its account.
    with_app(&app, &signed_in(&app, email, "les premiers mots").await).await;
    sign_up("les seconds mots").await;
    // Nor does a later claim keep out who came first, nor the other way round.
    sign_up("les mots d’un quatrième").await;
    signed_in(&app, email, "les mots d’un quatrième").await;
    let session = json!({"email": email, "password": "les premiers mots"});
    assert_eq!(app.nobody().post("/v1/sessions", &session).await.problem(401), "second-factor-needed-at-sign-in");
    let reset = async |password: &str| {
        app.nobody().post("/v1/accounts/password-reset/request", &json!({"email": email})).await.expect(202);
        let reset = json!({"token": mailed(&app, email).await, "password": password});
        app.nobody().post("/v1/accounts/password-reset", &reset).await.expect(204);
        signed_in(&app, email, password).await.get("/v1/accounts/me").await.expect(200)
    };
    assert_eq!(app.count("select count(*) from recovery_code").await, 10);
    assert_eq!(reset("des mots tout neufs").await["id"], first);
    assert_eq!(app.count("select count(*) from recovery_code").await, 0);
    // It has shown the address by now; who claims it later changes nothing.
    sign_up("les troisièmes mots").await;
    assert_eq!(reset("des mots plus neufs encore").await["id"], first);
}

#[tokio::test]
async fn a_new_password_ends_what_was_asked_for_under_the_old_one() {
    let app = App::start().await;
    let (email, thief) = ("volee@famille.example", "voleur@ailleurs.example");
    verified(&app, email).await;
    for by_reset in [true, false] {
        let pass = if by_reset { PHRASE } else { OTHER };
        let stolen = signed_in(&app, email, pass).await;
        let wish = json!({"email": thief, "password": pass});
        stolen.post("/v1/accounts/email-change", &wish).await.expect(202);
        let by_new = mailed(&app, thief).await;
        stolen.post("/v1/accounts/email-change/confirmation", &json!({"token": by_new})).await.expect(200);
        if by_reset {
            app.nobody().post("/v1/accounts/password-reset/request", &json!({"email": email})).await.expect(202);
            let reset = json!({"token": mailed(&app, email).await, "password": OTHER});
            app.nobody().post("/v1/accounts/password-reset", &reset).await.expect(204);
        } else {
            let mine = signed_in(&app, email, OTHER).await;
            let change = json!({"current_password": OTHER, "password": "encore une autre phrase"});
            mine.post("/v1/accounts/password", &change).await.expect(204);
        }
        let states = app.sql("select to_jsonb(state) from email_change order by asked_at").await;
        assert!(states.iter().all(|state| *state == "cancelled"), "{states:?}");
    }
    app.later(SignedDuration::from_hours(8 * 24));
    app.settle().await;
    let now = signed_in(&app, email, "encore une autre phrase").await;
    assert_eq!(now.get("/v1/accounts/me").await.expect(200)["email"], email);
}

#[tokio::test]
async fn a_new_password_does_not_go_round_the_second_factor() {
    let app = App::start().await;
    let email = "deux@famille.example";
    let (_, secret, _) = with_app(&app, &verified(&app, email).await).await;
    app.nobody().post("/v1/accounts/password-reset/request", &json!({"email": email})).await.expect(202);
    let reset = json!({"token": mailed(&app, email).await, "password": OTHER});
    app.nobody().post("/v1/accounts/password-reset", &reset).await.expect(204);
    let mut session = json!({"email": email, "password": OTHER});
    assert_eq!(app.nobody().post("/v1/sessions", &session).await.problem(401), "second-factor-needed-at-sign-in");
    app.later(SignedDuration::from_secs(30));
    session["otp"] = json!(shown(&secret, app.now()));
    app.nobody().post("/v1/sessions", &session).await.expect(201);
}

/// A sign-in that was under way when the password changed: whoever comes first, no session is left.
#[tokio::test(flavor = "multi_thread")]
async fn of_sign_ins_under_way_none_outlives_a_new_password() {
    let app = App::start().await;
    let email = "course@famille.example";
    verified(&app, email).await;
    let (mut pass, mut refused) = (PHRASE.to_owned(), 0);
    for round in 0..4 {
        app.nobody().post("/v1/accounts/password-reset/request", &json!({"email": email})).await.expect(202);
        let next = format!("quatre mots au hasard {round}");
        let reset = json!({"token": mailed(&app, email).await, "password": next});
        let sign_ins: Vec<_> = (0..8)
            .map(|n| {
                let (app, session) =
                    (app.nobody().at(&format!("192.0.2.{n}")), json!({"email": email, "password": pass}));
                tokio::spawn(async move { app.post("/v1/sessions", &session).await.status.as_u16() })
            })
            .collect();
        app.nobody().post("/v1/accounts/password-reset", &reset).await.expect(204);
        for answer in futures_util::future::join_all(sign_ins).await {
            refused += usize::from(answer.unwrap() != 201);
        }
        assert_eq!(app.count("select count(*) from session where revoked_at is null").await, 0, "round {round}");
        pass = next;
        app.later(SignedDuration::from_hours(25));
        app.settle().await;
    }
    assert!(refused > 0, "no sign-in came after a reset");
}

#[tokio::test]
async fn who_floods_a_mailbox_keeps_nobody_from_a_new_password() {
    let app = App::start().await;
    let email = "inondee@famille.example";
    verified(&app, email).await;
    let ask = async || {
        app.nobody().post("/v1/accounts/password-reset/request", &json!({"email": email})).await.expect(202);
        app.settle().await;
    };
    let had = app.mails(email).len();
    for _ in 0..8 {
        ask().await;
    }
    assert_eq!(app.mails(email).len() - had, 5);
    app.later(SignedDuration::from_mins(29));
    ask().await;
    assert_eq!(app.mails(email).len() - had, 5, "the last link is good");
    app.later(SignedDuration::from_mins(1));
    ask().await;
    ask().await;
    assert_eq!(app.mails(email).len() - had, 6);
    let reset = json!({"token": mailed(&app, email).await, "password": OTHER});
    app.nobody().post("/v1/accounts/password-reset", &reset).await.expect(204);
}

#[tokio::test]
async fn of_many_uses_of_a_link_at_once_one_counts() {
    let app = App::start().await;
    let email = "ada@famille.example";
    verified(&app, email).await;
    app.nobody().post("/v1/accounts/password-reset/request", &json!({"email": email})).await.expect(202);
    let token = mailed(&app, email).await;
    let uses = (0..6).map(async |number: usize| {
        let reset = json!({"token": token, "password": format!("trois mots au hasard {number}")});
        app.nobody().post("/v1/accounts/password-reset", &reset).await.status.as_u16()
    });
    let mut answers = futures_util::future::join_all(uses).await;
    answers.sort_unstable();
    assert_eq!(answers, [204, 422, 422, 422, 422, 422]);
}

#[tokio::test]
async fn a_new_password_shows_no_address_that_another_account_has_shown_meanwhile() {
    let app = App::start().await;
    let email = "double@famille.example";
    opened(&app, email).await;
    app.settle().await;
    app.nobody().post("/v1/accounts/password-reset/request", &json!({"email": email})).await.expect(202);
    let token = mailed(&app, email).await;
    let account = json!({"email": email, "password": OTHER, "given_name": "Bea", "family_name": "Autre",
                         "birth_date": "1990-01-01"});
    app.nobody().post("/v1/accounts", &account).await.expect(201);
    let bea = signed_in(&app, email, OTHER).await;
    let hers = json!({"token": mailed(&app, email).await});
    bea.post("/v1/accounts/email-verification", &hers).await.expect(204);
    let reset = json!({"token": token, "password": "les mots d’une autre"});
    app.nobody().post("/v1/accounts/password-reset", &reset).await.expect(204);
    let ada = signed_in(&app, email, "les mots d’une autre").await;
    assert_eq!(ada.get("/v1/accounts/me").await.expect(200)["email_verified"], false);
    assert_eq!(bea.get("/v1/accounts/me").await.expect(200)["email_verified"], true);
}

#[tokio::test]
async fn answers_do_not_tell_by_their_work_whether_somebody_has_an_address() {
    let app = App::start().await;
    verified(&app, "ada@famille.example").await;
    opened(&app, "claim@famille.example").await;
    let work = || (app.db.count.load(std::sync::atomic::Ordering::Relaxed), app.gateway.ctx.keys.hashes_done());
    let mut done = Vec::new();
    for email in ["ada@famille.example", "claim@famille.example", "personne@famille.example"] {
        let before = work();
        let asked = app.nobody().post("/v1/accounts/password-reset/request", &json!({"email": email})).await;
        let between = work();
        let session = json!({"email": email, "password": "pas celle-là"});
        let refused = app.nobody().post("/v1/sessions", &session).await;
        let after = work();
        assert_eq!((asked.status.as_u16(), refused.status.as_u16()), (202, 401));
        let took = |from: (usize, usize), to: (usize, usize)| (to.0 - from.0, to.1 - from.1);
        done.push((took(before, between), took(between, after), asked.body, refused.body));
    }
    assert_eq!(done[0].0, (1, 0), "one statement, no hash");
    assert_eq!(done[0].1.1, 4, "four hashes");
    assert!(done.iter().all(|each| *each == done[0]), "{done:?}");
}

#[tokio::test]
async fn a_password_is_changed_by_who_knows_it_and_other_sessions_end() {
    let app = App::start().await;
    let ada = app.patient().await;
    let elsewhere = signed_in(&app, &ada.email, PHRASE).await;
    let change = async |current: &str, new: &str| {
        ada.post("/v1/accounts/password", &json!({"current_password": current, "password": new})).await
    };
    assert_eq!(change("pas celle-là", OTHER).await.problem(422), "password-wrong");
    assert_eq!(
        app.count("select count(*) from audit where event = 'account.password.confirm' and outcome = 'failed'").await,
        1
    );
    assert_eq!(change(PHRASE, "motdepasse1").await.problem(422), "field-invalid");
    assert_eq!(change(PHRASE, "mon carnet bleu").await.problem(422), "field-invalid");
    elsewhere.get("/v1/accounts/me").await.expect(200);
    change(PHRASE, OTHER).await.expect(204);
    assert_eq!(elsewhere.get("/v1/accounts/me").await.problem(401), "unauthenticated");
    ada.get("/v1/accounts/me").await.expect(200);
    signed_in(&app, &ada.email, OTHER).await;
    app.settle().await;
    let mails = app.mails(&ada.email);
    assert_eq!(mails[0].subject, "Sécurité de votre compte");
    assert!(mails[0].text.contains("a été changé"));
}

#[tokio::test]
async fn a_password_that_everybody_tries_first_is_refused_at_sign_up() {
    let app = App::start().await;
    for (password, why) in [
        ("12345678", "common"),
        ("Password1", "common"),
        ("azertyuiop", "common"),
        ("exemple-2026", "personal"),
        ("prenom.nom42", "personal"),
        ("le carnet bleu", "personal"),
        ("12051988!", "personal"),
    ] {
        let account = json!({"email": "prenom.nom@famille.example", "password": password, "given_name": "Ada",
                             "family_name": "Exemple", "birth_date": "1988-05-12"});
        let refused = app.nobody().speaking("en").post("/v1/accounts", &account).await;
        assert_eq!((refused.problem(422), &refused.body["field"]), ("field-invalid", &json!("password")), "{password}");
        let words = if why == "common" { "among the first" } else { "holds your address" };
        assert!(refused.body["detail"].as_str().unwrap().contains(words), "{password}: {}", refused.body);
    }
    assert_eq!(app.count("select count(*) from outbox").await, 0);
}

#[tokio::test]
async fn who_claimed_an_address_first_leaves_nobody_in_what_the_mailbox_gets() {
    let app = App::start().await;
    let email = "visee@famille.example";
    let attacker = opened(&app, email).await;
    let child = crate::guardians::child(&attacker, "2019-09-01").await;
    let accomplice = app.patient().await;
    crate::guardians::bring_in(&attacker, &accomplice, &child, &["book", "documents"]).await;
    let waiting = crate::guardians::invite(&attacker, &child, &["book"]).await;
    app.settle().await;
    app.nobody().post("/v1/accounts/password-reset/request", &json!({"email": email})).await.expect(202);
    let reset = json!({"token": mailed(&app, email).await, "password": OTHER});
    app.nobody().post("/v1/accounts/password-reset", &reset).await.expect(204);
    let owner = signed_in(&app, email, OTHER).await;
    owner.get(&format!("/v1/patients/{child}")).await.expect(200);
    assert_eq!(accomplice.get(&format!("/v1/patients/{child}")).await.problem(404), "not-found");
    let late = app.patient().await.post("/v1/guardianships", &json!({"code": waiting})).await;
    assert_eq!(late.problem(422), "invitation-invalid");
}

#[tokio::test]
async fn claims_all_around_keep_nobody_out_where_they_are_known() {
    let app = App::start().await;
    let email = "entouree@famille.example";
    let sign_up = async |password: &str| {
        let account = json!({"email": email, "password": password, "given_name": "Ada", "family_name": "Exemple", "birth_date": "1988-05-12"});
        app.nobody().post("/v1/accounts", &account).await.expect(201);
    };
    let home = app.nobody().at("192.0.2.44");
    let session = json!({"email": email, "password": PHRASE});
    sign_up("les mots d’avant").await;
    sign_up(PHRASE).await;
    home.post("/v1/sessions", &session).await.expect(201);
    sign_up("les mots d’après").await;
    home.post("/v1/sessions", &session).await.expect(201);
}

#[tokio::test]
async fn whoever_reads_the_mailbox_signs_in_where_strangers_guessed() {
    let app = App::start().await;
    let email = "devinee@famille.example";
    verified(&app, email).await;
    let wrong = json!({"email": email, "password": "pas celle-là"});
    for n in 0..10 {
        app.nobody().at(&format!("198.51.100.{n}")).post("/v1/sessions", &wrong).await.problem(401);
    }
    let elsewhere = app.nobody().at("203.0.113.77");
    let right = |password: &str| json!({"email": email, "password": password});
    assert_eq!(elsewhere.post("/v1/sessions", &right(PHRASE)).await.problem(429), "too-many-attempts");
    elsewhere.post("/v1/accounts/password-reset/request", &json!({"email": email})).await.expect(202);
    let reset = json!({"token": mailed(&app, email).await, "password": OTHER});
    elsewhere.post("/v1/accounts/password-reset", &reset).await.expect(204);
    elsewhere.post("/v1/sessions", &right(OTHER)).await.expect(201);
}

#[tokio::test]
async fn no_notice_goes_to_an_address_that_another_account_has_shown() {
    let app = App::start().await;
    let email = "montree@famille.example";
    verified(&app, email).await;
    app.settle().await;
    let had = app.mails(email).len();
    let claim = json!({"email": email, "password": OTHER, "given_name": "Bea", "family_name": "Autre", "birth_date": "1990-01-01"});
    app.nobody().post("/v1/accounts", &claim).await.expect(201);
    let other = signed_in(&app, email, OTHER).await;
    let slots = app.lyon_slots().await;
    crate::support::app::book(&other, &slots[0]).await.expect(201);
    app.settle().await;
    let told: Vec<_> = app.mails(email).into_iter().skip(had).map(|mail| mail.subject).collect();
    assert!(told.iter().all(|subject| !subject.contains("rendez-vous")), "{told:?}");
}
