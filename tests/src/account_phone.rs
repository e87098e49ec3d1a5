//! The telephone of an account: given, shown to be the holder's by a code that is sent to it, changed.

use axum::http::StatusCode;
use domain::SignedDuration;
use futures_util::future::join_all;
use gateway::dev::phones::Mood;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::account_life::{OTHER, PHRASE, mailed, opened, signed_in, verified};
use crate::secrets::dump;
use crate::support::{Answer, App, Client, logs};

const EMAIL: &str = "ada@famille.example";
const PHONE: &str = "+33639980102";
/// Of La Réunion.
const OTHER_PHONE: &str = "+262692000102";
const ASK: &str = "/v1/accounts/phone-verification/request";
const VERIFY: &str = "/v1/accounts/phone-verification";

/// An account that gave a number when it was opened.
async fn with_phone(app: &App, email: &str, phone: &str) -> Client {
    let account = json!({"email": email, "password": PHRASE, "given_name": "Ada", "family_name": "Exemple",
                         "birth_date": "1988-05-12", "phone": phone});
    let opened = app.nobody().post("/v1/accounts", &account).await.expect(201);
    app.without_letters().await;
    prove(app, email).await;
    signed_in(app, email, PHRASE).await.who(email, &opened)
}

/// The accounts of an address have shown it.
async fn prove(app: &App, email: &str) {
    let prove = "update account set email_verified_at = $2::text::timestamptz where email_lookup = $1";
    let prove = sqlx::query(prove).bind(app.email_lookup(email)).bind(app.now().to_string());
    prove.execute(app.pool()).await.unwrap();
}

/// Gives or removes a number.
pub async fn give(client: &Client, phone: Option<&str>) -> Answer {
    client.post("/v1/accounts/phone", &json!({"phone": phone, "password": PHRASE})).await
}

pub async fn ask(app: &App, client: &Client) {
    client.post(ASK, &json!({})).await.expect(202);
    app.settle().await;
}

pub async fn verify(client: &Client, code: &str) -> Answer {
    client.post(VERIFY, &json!({"code": code})).await
}

/// The code that was sent last to a number.
pub fn sent(app: &App, phone: &str) -> String {
    let text = app.mails(phone).pop().expect("an SMS").text;
    logs::keep_secret(&text);
    let code = text
        .strip_prefix("Carnet : votre code est ")
        .and_then(|rest| rest.strip_suffix(". Il est valable 10 minutes."));
    let code = code.unwrap_or_else(|| panic!("{text}"));
    assert!(code.len() == 7 && code.as_bytes()[3] == b' ', "{code}");
    code.to_owned()
}

/// Another code than the right one.
fn another(code: &str) -> String {
    let number: u32 = code.replace(' ', "").parse().unwrap();
    format!("{:06}", (number + 1) % 1_000_000)
}

async fn shown(client: &Client) -> bool {
    client.get("/v1/accounts/me").await.expect(200)["phone_verified"] == true
}

/// An account that has shown a number to be its holder's.
pub async fn reachable_at(app: &App, email: &str, phone: &str) -> Client {
    let client = with_phone(app, email, phone).await;
    ask(app, &client).await;
    verify(&client, &sent(app, phone)).await.expect(204);
    app.settle().await;
    client
}

/// Every statement of a telephone, and its events.
pub async fn walk(app: &App) {
    let ada = with_phone(app, "telephone@famille.example", PHONE).await;
    ask(app, &ada).await;
    verify(&ada, &another(&sent(app, PHONE))).await.problem(422);
    verify(&ada, &sent(app, PHONE)).await.expect(204);
    give(&ada, None).await.expect(204);
    app.settle().await;
}

#[tokio::test]
async fn a_number_is_shown_by_the_code_that_was_sent_to_it() {
    let app = App::start().await;
    let ada = with_phone(&app, EMAIL, "06 39 98 01 02").await;
    let me = ada.get("/v1/accounts/me").await.expect(200);
    assert_eq!((&me["phone"], &me["phone_verified"]), (&json!("0639980102"), &json!(false)));
    assert_eq!(verify(&ada, "123456").await.problem(422), "code-wrong", "none was asked for");
    ask(&app, &ada).await;
    let code = sent(&app, PHONE);
    let posted = app.phones.posted();
    assert_eq!(posted.len(), 1);
    assert_eq!(posted[0].key, "development");
    let text = format!("Carnet : votre code est {code}. Il est valable 10 minutes.");
    let message = json!({"sender": "Carnet", "recipient": "33639980102", "content": text, "type": "transactional",
                         "unicodeEnabled": false});
    assert_eq!(posted[0].message, message);
    let refused = verify(&ada, &another(&code)).await;
    assert_eq!((refused.problem(422), &refused.body["field"]), ("code-wrong", &json!("code")));
    for nonsense in ["", "12345", "1234567", "é", "123 456 789"] {
        assert_eq!(verify(&ada, nonsense).await.problem(422), "code-wrong", "{nonsense}");
    }
    assert!(!shown(&ada).await);
    // The last that may be wrong was the fifth.
    ask(&app, &ada).await;
    let code = sent(&app, PHONE);
    verify(&ada, &format!(" {code} ")).await.expect(204);
    assert!(shown(&ada).await);
    assert_eq!(verify(&ada, &code).await.problem(422), "code-wrong", "good once");
    // There is nothing left to ask for.
    ask(&app, &ada).await;
    assert_eq!(app.phones.posted().len(), 2);
    assert_eq!(
        app.count("select count(*) from audit where event = 'account.phone.ask' and outcome = 'success'").await,
        2
    );
    let traces = "select count(*) from audit where event = 'account.phone.verify' and outcome = ";
    let of = async |outcome: &str| -> i64 {
        let sql = format!("{traces} '{outcome}'");
        sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).fetch_one(app.pool()).await.unwrap()
    };
    assert_eq!((of("success").await, of("failed").await), (1, 7));
    let english = json!({"email": "eve@family.example", "password": PHRASE, "given_name": "Eve", "family_name": "Example",
                         "birth_date": "1988-05-12", "phone": OTHER_PHONE});
    app.nobody().speaking("en").post("/v1/accounts", &english).await.expect(201);
    prove(&app, "eve@family.example").await;
    ask(&app, &signed_in(&app, "eve@family.example", PHRASE).await).await;
    assert!(app.mails(OTHER_PHONE)[0].text.starts_with("Carnet: your code is "));
}

#[tokio::test]
async fn who_has_no_number_or_one_of_no_country_is_told_so() {
    let app = App::start().await;
    let (ada, ben) = (opened(&app, EMAIL).await, with_phone(&app, "ben@famille.example", "639980102").await);
    let refused = ada.post(ASK, &json!({})).await;
    assert_eq!((refused.problem(422), &refused.body["field"]), ("field-missing", &json!("phone")));
    let refused = ben.post(ASK, &json!({})).await;
    assert_eq!((refused.problem(422), &refused.body["field"]), ("field-invalid", &json!("phone")));
    assert!(refused.body["detail"].as_str().unwrap().contains("+262"), "{}", refused.body);
    assert_eq!(give(&ada, Some("639980102")).await.problem(422), "field-invalid");
    let silent = ada.post("/v1/accounts/phone", &json!({"password": PHRASE})).await;
    assert_eq!((silent.problem(422), &silent.body["field"]), ("field-missing", &json!("phone")), "null has to be said");
    assert_eq!(app.count("select count(*) from phone_code").await, 0);
    let described = app.nobody().get("/openapi.json").await.expect(200);
    let schema = &described["components"]["schemas"]["NewPhone"];
    assert_eq!(schema["required"], json!(["phone", "password"]), "{schema}");
    let nullable = jsonschema::validator_for(
        &json!({"components": described["components"], "$ref": "#/components/schemas/NewPhone"}),
    );
    assert!(nullable.unwrap().is_valid(&json!({"phone": null, "password": "x"})), "{schema}");
}

#[tokio::test]
async fn nobody_has_codes_sent_at_our_cost_from_accounts_that_cost_nothing() {
    let app = App::start().await;
    let claims = json!({"email": "carla@famille.example", "password": PHRASE, "given_name": "Carla", "family_name": "Exemple",
                        "birth_date": "1988-05-12", "phone": PHONE});
    app.nobody().post("/v1/accounts", &claims).await.expect(201);
    app.without_letters().await;
    let carla = signed_in(&app, "carla@famille.example", PHRASE).await;
    assert_eq!(carla.post(ASK, &json!({})).await.problem(409), "email-unproven");
    // Satellites, premium numbers, countries far away.
    let ada = with_phone(&app, EMAIL, PHONE).await;
    for costly in ["+8835100012345", "+88213000001", "+25261000001", "0899700001", "+37190000001"] {
        give(&ada, Some(costly)).await.expect(204);
        let refused = ada.post(ASK, &json!({})).await;
        assert_eq!((refused.problem(422), &refused.body["field"]), ("field-invalid", &json!("phone")), "{costly}");
    }
    app.settle().await;
    assert_eq!(app.phones.posted().len(), 0);
}

#[tokio::test]
async fn a_number_that_was_shown_while_the_address_was_only_claimed_is_not_the_holder_s() {
    let app = App::start().await;
    let stranger = with_phone(&app, EMAIL, PHONE).await;
    ask(&app, &stranger).await;
    verify(&stranger, &sent(&app, PHONE)).await.expect(204);
    // As a release that sent codes to accounts of claimed addresses left it.
    let claimed = "update account set email_verified_at = null where email_lookup = $1";
    sqlx::query(claimed).bind(app.email_lookup(EMAIL)).execute(app.pool()).await.unwrap();
    let reset = async |password: &str| {
        app.nobody().post("/v1/accounts/password-reset/request", &json!({"email": EMAIL})).await.expect(202);
        let reset = json!({"token": mailed(&app, EMAIL).await, "password": password});
        app.nobody().post("/v1/accounts/password-reset", &reset).await.expect(204);
        signed_in(&app, EMAIL, password).await
    };
    let ada = reset(OTHER).await;
    assert!(!shown(&ada).await);
    ask(&app, &ada).await;
    verify(&ada, &sent(&app, PHONE)).await.expect(204);
    // Of who had shown the address it stays.
    assert!(shown(&reset("encore trois autres mots").await).await);
}

#[tokio::test]
async fn a_number_is_changed_by_who_knows_the_password_and_told_by_mail() {
    let app = App::start().await;
    let ada = with_phone(&app, EMAIL, PHONE).await;
    ask(&app, &ada).await;
    verify(&ada, &sent(&app, PHONE)).await.expect(204);
    let wrong = ada.post("/v1/accounts/phone", &json!({"phone": OTHER_PHONE, "password": "pas celle-là"})).await;
    assert_eq!(wrong.problem(422), "password-wrong");
    // The same one, written otherwise, is the same one.
    give(&ada, Some("06.39.98.01.02")).await.expect(204);
    assert!(shown(&ada).await);
    give(&ada, Some(OTHER_PHONE)).await.expect(204);
    let me = ada.get("/v1/accounts/me").await.expect(200);
    assert_eq!((&me["phone"], &me["phone_verified"]), (&json!(OTHER_PHONE), &json!(false)));
    ask(&app, &ada).await;
    verify(&ada, &sent(&app, OTHER_PHONE)).await.expect(204);
    give(&ada, None).await.expect(204);
    let me = ada.get("/v1/accounts/me").await.expect(200);
    assert_eq!((&me["phone"], &me["phone_verified"]), (&json!(null), &json!(false)));
    app.settle().await;
    let mails = app.mails(EMAIL);
    assert_eq!(mails.len(), 2);
    assert!(mails.iter().all(|mail| mail.text.contains("Le numéro de téléphone de votre compte")), "{}", mails[0].text);
    assert!(mails.iter().all(|mail| !mail.text.contains("692") && !mail.text.contains("3998")));
}

#[tokio::test]
async fn a_change_of_address_under_way_brings_no_former_number_back() {
    let app = App::start().await;
    let ada = verified(&app, EMAIL).await;
    give(&ada, Some(PHONE)).await.expect(204);
    let next = "ada.autre@famille.example";
    ada.post("/v1/accounts/email-change", &json!({"email": next, "password": PHRASE})).await.expect(202);
    let by_new = mailed(&app, next).await;
    let by_old = mailed(&app, EMAIL).await;
    give(&ada, Some(OTHER_PHONE)).await.expect(204);
    ask(&app, &ada).await;
    verify(&ada, &sent(&app, OTHER_PHONE)).await.expect(204);
    for token in [by_new, by_old] {
        ada.post("/v1/accounts/email-change/confirmation", &json!({"token": token})).await.expect(200);
    }
    let me = ada.get("/v1/accounts/me").await.expect(200);
    assert_eq!((&me["email"], &me["phone"], &me["phone_verified"]), (&json!(next), &json!(OTHER_PHONE), &json!(true)));
}

#[tokio::test]
async fn after_five_wrong_ones_a_code_is_dead_and_another_must_be_asked() {
    let app = App::start().await;
    let ada = with_phone(&app, EMAIL, PHONE).await;
    ask(&app, &ada).await;
    let code = sent(&app, PHONE);
    for _ in 0..5 {
        assert_eq!(verify(&ada, &another(&code)).await.problem(422), "code-wrong");
    }
    assert_eq!(verify(&ada, &code).await.problem(422), "code-wrong");
    assert_eq!(app.count("select max(tries)::int8 from phone_code").await, 5);
    ask(&app, &ada).await;
    assert_eq!(verify(&ada, &code).await.problem(422), "code-wrong", "the one of before");
    verify(&ada, &sent(&app, PHONE)).await.expect(204);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_guesses_at_once_five_are_looked_at_and_of_many_right_ones_one_counts() {
    let app = App::start().await;
    let ada = with_phone(&app, EMAIL, PHONE).await;
    ask(&app, &ada).await;
    let code = sent(&app, PHONE);
    let wrong = another(&code);
    let guesses = join_all((0..30).map(|_| verify(&ada, &wrong))).await;
    assert!(guesses.iter().all(|answer| answer.problem(422) == "code-wrong"));
    assert_eq!(app.count("select max(tries)::int8 from phone_code").await, 5);
    assert_eq!(verify(&ada, &code).await.problem(422), "code-wrong");
    ask(&app, &ada).await;
    let code = sent(&app, PHONE);
    let mut answers: Vec<u16> =
        join_all((0..20).map(|_| verify(&ada, &code))).await.iter().map(|it| it.status.as_u16()).collect();
    answers.sort_unstable();
    assert_eq!((answers[0], answers[1..].iter().all(|status| *status == 422)), (204, true), "{answers:?}");
    let shown = "select count(*) from audit where event = 'account.phone.verify' and outcome = 'success'";
    assert_eq!(app.count(shown).await, 1);
}

#[tokio::test]
async fn a_code_lives_ten_minutes_and_dies_with_the_number_it_went_to() {
    let app = App::start().await;
    let (ada, ben) = (with_phone(&app, EMAIL, PHONE).await, with_phone(&app, "ben@famille.example", PHONE).await);
    ask(&app, &ada).await;
    let code = sent(&app, PHONE);
    assert_eq!(verify(&ben, &code).await.problem(422), "code-wrong", "another account's");
    give(&ada, Some(OTHER_PHONE)).await.expect(204);
    assert_eq!(verify(&ada, &code).await.problem(422), "code-wrong");
    assert!(!shown(&ada).await);
    ask(&app, &ada).await;
    let code = sent(&app, OTHER_PHONE);
    app.later(SignedDuration::from_secs(599));
    let ada = ada.clone().bearing(&app.fresh_token(&ada).await);
    app.later(SignedDuration::from_secs(1));
    assert_eq!(verify(&ada, &code).await.problem(422), "code-wrong");
    ask(&app, &ada).await;
    let code = sent(&app, OTHER_PHONE);
    app.later(SignedDuration::from_secs(599));
    let ada = ada.clone().bearing(&app.fresh_token(&ada).await);
    verify(&ada, &code).await.expect(204);
}

#[tokio::test]
async fn a_telephone_is_not_filled_through_us() {
    let app = App::start().await;
    let ada = with_phone(&app, EMAIL, PHONE).await;
    let empty = json!({});
    for answer in join_all((0..12).map(|_| ada.post(ASK, &empty))).await {
        answer.expect(202);
    }
    assert_eq!(app.count("select count(*) from phone_code").await, 5);
    app.settle().await;
    // Of those asked at once, the newest is the one that is good, and the only one that is sent.
    assert_eq!(app.mails(PHONE).len(), 1);
    verify(&ada, &sent(&app, PHONE)).await.expect(204);
    // Nor by account after account: whose number it is already is not told.
    for number in 0..3 {
        let other = with_phone(&app, &format!("autre-{number}@famille.example"), "06 39 98 01 02").await;
        ask(&app, &other).await;
    }
    assert_eq!(app.mails(PHONE).len(), 1);
    // Another number of an account that asked for enough waits for the next day, too.
    give(&ada, Some(OTHER_PHONE)).await.expect(204);
    ask(&app, &ada).await;
    assert!(app.mails(OTHER_PHONE).is_empty());
    app.later(SignedDuration::from_hours(25));
    let ada = ada.clone().bearing(&app.fresh_token(&ada).await);
    ask(&app, &ada).await;
    verify(&ada, &sent(&app, OTHER_PHONE)).await.expect(204);
    // What it counted by is forgotten.
    app.later(SignedDuration::from_hours(24 * 40));
    app.settle().await;
    assert_eq!(
        app.count("select (select count(*) from phone_code) + (select count(*) from phone_code_allowance)").await,
        0
    );
}

#[tokio::test]
async fn an_sms_waits_for_the_provider_and_one_that_is_refused_for_good_is_given_up() {
    let app = App::start().await;
    let ada = with_phone(&app, EMAIL, PHONE).await;
    ada.post(ASK, &json!({})).await.expect(202);
    let why = async || {
        app.sql("select to_jsonb(state || ': ' || coalesce(why, '')) from phone_code order by asked_at, id").await
    };
    // Longer than each pause of the queue.
    for (mood, because, pause) in [
        (Mood::Answers(StatusCode::TOO_MANY_REQUESTS), "answered 429", 20),
        (Mood::Answers(StatusCode::UNAUTHORIZED), "answered 401", 40),
        (Mood::Answers(StatusCode::FOUND), "answered 302", 80),
        (Mood::Hangs, "took too long", 160),
    ] {
        app.phones.set_mood(mood);
        app.settle().await;
        assert_eq!(why().await, [json!(format!("planned: provider unavailable: {because}"))]);
        app.later(SignedDuration::from_secs(pause));
    }
    app.phones.set_mood(Mood::Well);
    app.settle().await;
    let ada = ada.clone().bearing(&app.fresh_token(&ada).await);
    verify(&ada, &sent(&app, PHONE)).await.expect(204);
    assert_eq!(why().await, [json!("sent: ")]);
    // Refused for good.
    give(&ada, Some(OTHER_PHONE)).await.expect(204);
    app.phones.set_mood(Mood::Answers(StatusCode::BAD_REQUEST));
    ask(&app, &ada).await;
    assert_eq!(why().await[1], "failed: refused (400)");
    // Away for longer than the code lives.
    app.phones.set_mood(Mood::Answers(StatusCode::SERVICE_UNAVAILABLE));
    ask(&app, &ada).await;
    app.later(SignedDuration::from_mins(11));
    app.phones.set_mood(Mood::Well);
    app.settle().await;
    assert_eq!(why().await[2], "skipped: expired");
    // Another number by the time it is written.
    let ada = ada.clone().bearing(&app.fresh_token(&ada).await);
    ada.post(ASK, &json!({})).await.expect(202);
    give(&ada, Some(PHONE)).await.expect(204);
    app.settle().await;
    assert_eq!(why().await[3], "skipped: another number");
    assert_eq!(app.mails(PHONE).len() + app.mails(OTHER_PHONE).len(), 1);
    assert_eq!(app.count("select count(*) from delivery where state <> 'done'").await, 0);
}

#[tokio::test]
async fn a_provider_that_cannot_be_reached_is_waited_for() {
    let home = App::start().await;
    let app = App::on(home.url.clone(), &[("SMS_URL", "brevo:Carnet?key=k&url=http://127.0.0.1:9/")]).await;
    let ada = with_phone(&app, EMAIL, PHONE).await;
    ask(&app, &ada).await;
    let states = app.sql("select to_jsonb(state || ': ' || why) from phone_code").await;
    assert_eq!(states, [json!("planned: provider unavailable: connection failed")]);
    assert!(app.phones.posted().is_empty() && home.phones.posted().is_empty());
}

#[tokio::test]
async fn an_event_sent_many_times_at_once_is_one_sms_and_one_of_nothing_is_none() {
    let app = App::start().await;
    let ada = with_phone(&app, EMAIL, PHONE).await;
    ada.post(ASK, &json!({})).await.expect(202);
    let event = app
        .sql("select jsonb_build_object('specversion', '1.0', 'id', id, 'source', '/carnet', 'type', kind, 'subject', subject,
                     'time', occurred_at, 'datacontenttype', 'application/json', 'data', data) from outbox
              where kind = 'account.phone-code-asked.v1'")
        .await;
    let mut event = event[0].clone();
    let text = event.to_string();
    join_all((0..20).map(|_| app.event("account-mail", text.clone()))).await;
    app.settle().await;
    assert_eq!(app.phones.posted().len(), 1);
    // One whose row is gone asks for nothing any more.
    event["data"]["code"] = json!(Uuid::nil());
    assert_eq!(app.event("account-mail", event.to_string()).await.0, 204);
    event["data"] = json!({"account": Uuid::nil()});
    assert_eq!(app.event("account-mail", event.to_string()).await.0, 422);
    assert_eq!(app.phones.posted().len(), 1);
}

#[tokio::test]
async fn neither_number_nor_code_is_kept_or_logged() {
    let app = App::start().await;
    logs::keep_secret(&OTHER_PHONE[1..]);
    let ada = with_phone(&app, EMAIL, PHONE).await;
    give(&ada, Some(OTHER_PHONE)).await.expect(204);
    for mood in [Mood::Answers(StatusCode::BAD_GATEWAY), Mood::Well] {
        app.phones.set_mood(mood);
        ask(&app, &ada).await;
    }
    let code = sent(&app, OTHER_PHONE);
    verify(&ada, &another(&code)).await.problem(422);
    let dump = dump(app.pool()).await;
    let digits = code.replace(' ', "");
    assert!(!dump.contains(&code), "the code as it is written");
    // As a word of its own: six digits stand in many an identifier.
    let words = dump.split(|char: char| !char.is_ascii_alphanumeric());
    assert!(words.into_iter().all(|word| word != digits), "the code");
    for secret in ["262692000102", "692000102", "639980102"] {
        assert!(!dump.contains(secret), "{secret}");
    }
}

#[tokio::test]
async fn a_closed_account_has_no_number_and_no_code() {
    let app = App::start().await;
    let ada = with_phone(&app, EMAIL, PHONE).await;
    give(&ada, Some(OTHER_PHONE)).await.expect(204);
    ada.post(ASK, &json!({})).await.expect(202);
    ada.post("/v1/accounts/closure", &json!({"password": PHRASE})).await.expect(204);
    app.settle().await;
    assert!(app.phones.posted().is_empty());
    let left = "select (select count(*) from phone_code) + (select count(*) from account where telephone is not null)";
    assert_eq!(app.count(left).await, 0);
    assert_eq!(app.count("select count(*) from delivery where state <> 'done'").await, 0);
}

#[tokio::test]
async fn who_has_two_factors_changes_the_number_in_a_fresh_session_only() {
    let app = App::start().await;
    let ada = with_phone(&app, EMAIL, PHONE).await;
    let (_, _, codes) = crate::second_factors::with_app(&app, &ada).await;
    let me = crate::second_factors::renewed(&app, &ada, Some(&codes[0])).await;
    app.later(SignedDuration::from_mins(16));
    let session: Value = json!({"email": EMAIL, "password": OTHER});
    app.nobody().post("/v1/sessions", &session).await.problem(401);
    let old = give(&me, None).await;
    assert!([401, 403].contains(&old.status.as_u16()), "{}", old.body);
}
