//! Something beside the password: codes of an app, recovery codes, and who must have one.

use domain::SignedDuration;
use runtime::second_factors::shown;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{App, Client, logs};

pub const PASSWORD: &str = "une phrase assez longue";

/// Signs in with a password and perhaps a code.
pub async fn sign_in(app: &App, client: &Client, otp: Option<&str>) -> crate::support::client::Answer {
    let mut session = json!({"email": client.email, "password": PASSWORD});
    if let Some(otp) = otp {
        session["otp"] = json!(otp);
    }
    app.nobody().post("/v1/sessions", &session).await
}

/// The same person in a session that was just opened.
pub async fn renewed(app: &App, client: &Client, otp: Option<&str>) -> Client {
    let session = sign_in(app, client, otp).await.expect(201);
    logs::keep_secret(session["refresh_token"].as_str().unwrap());
    client.clone().bearing(session["access_token"].as_str().unwrap())
}

/// An app, enrolled and confirmed: its id, its secret, the recovery codes.
pub async fn with_app(app: &App, client: &Client) -> (String, String, Vec<String>) {
    let enrolled =
        client.post("/v1/second-factors/totp", &json!({"label": "Téléphone de Zéphyrine"})).await.expect(201);
    let secret = enrolled["secret"].as_str().unwrap().to_owned();
    logs::keep_secret(&secret);
    let code = json!({"code": shown(&secret, app.now())});
    let added = client.post("/v1/second-factors/totp/confirmation", &code).await.expect(201);
    assert_eq!(added["id"], enrolled["id"]);
    let codes = added["recovery_codes"].as_array().into_iter().flatten().map(|code| code.as_str().unwrap().to_owned());
    (added["id"].as_str().unwrap().to_owned(), secret, codes.collect())
}

/// What the last sign-in is worth.
async fn level(app: &App) -> Value {
    let last = "select jsonb_build_object('level', level, 'method', method, 'role', role) from session order by created_at desc limit 1";
    app.sql(last).await.remove(0)
}

#[tokio::test]
async fn an_app_is_enrolled_confirmed_and_asked_for_at_the_next_sign_in() {
    let app = App::start().await;
    let ada = app.patient().await;
    let enrolled = ada.post("/v1/second-factors/totp", &json!({})).await.expect(201);
    let secret = enrolled["secret"].as_str().unwrap().to_owned();
    let uri = enrolled["uri"].as_str().unwrap();
    assert!(uri.starts_with("otpauth://totp/Carnet:patient-0%40famille.example?secret="), "{uri}");
    assert!(uri.contains(&secret));
    // It counts for nothing until it has shown a code.
    sign_in(&app, &ada, None).await.expect(201);
    assert_eq!(ada.get("/v1/second-factors").await.expect(200)["items"], json!([]));
    let wrong = ada.post("/v1/second-factors/totp/confirmation", &json!({"code": "000000"})).await;
    assert_eq!((wrong.problem(422), &wrong.body["field"]), ("field-invalid", &json!("code")));
    let code = shown(&secret, app.now()).unwrap();
    let added = ada.post("/v1/second-factors/totp/confirmation", &json!({"code": code})).await.expect(201);
    assert_eq!(added["recovery_codes"].as_array().unwrap().len(), 10);

    let asked = sign_in(&app, &ada, None).await;
    assert_eq!(asked.problem(401), "second-factor-needed-at-sign-in");
    assert_eq!(asked.body["factors"], json!(["recovery-code", "totp"]));
    let unknowing = json!({"email": ada.email, "password": "pas celle-là"});
    let unknowing = app.nobody().post("/v1/sessions", &unknowing).await;
    assert_eq!(unknowing.problem(401), "sign-in-failed", "who does not know the password is not told of factors");
    assert_eq!(sign_in(&app, &ada, Some("000000")).await.problem(401), "sign-in-failed");
    // The code that confirmed it is used up.
    assert_eq!(sign_in(&app, &ada, Some(&code)).await.problem(401), "sign-in-failed");

    app.later(SignedDuration::from_secs(30));
    let code = shown(&secret, app.now()).unwrap();
    let spaced = format!("{} {}", &code[..3], &code[3..]);
    let me = renewed(&app, &ada, Some(&spaced)).await;
    assert_eq!(level(&app).await, json!({"level": 2, "method": "password+totp", "role": "patient"}));
    let list = me.get("/v1/second-factors").await.expect(200);
    assert_eq!((&list["items"][0]["kind"], &list["recovery_codes"]), (&json!("totp"), &json!(10)));
    assert!(list["items"][0].get("secret").is_none());
    assert_eq!(sign_in(&app, &ada, Some(&code)).await.problem(401), "sign-in-failed", "a code is good once");
}

#[tokio::test]
async fn of_many_sign_ins_with_one_code_at_once_one_succeeds() {
    let app = App::start().await;
    let ada = app.patient().await;
    let (_, secret, codes) = with_app(&app, &ada).await;
    app.later(SignedDuration::from_secs(60));
    for code in [shown(&secret, app.now()).unwrap(), codes[0].clone()] {
        let all = (0..8).map(|_| sign_in(&app, &ada, Some(&code)));
        let answers = futures_util::future::join_all(all).await;
        let opened = answers.iter().filter(|answer| answer.status == 201).count();
        assert_eq!(opened, 1, "{code}");
        // Enough failures for a while.
        app.later(SignedDuration::from_mins(16));
    }
}

#[tokio::test]
async fn a_recovery_code_is_good_once_is_recorded_and_can_be_replaced() {
    let app = App::start().await;
    let ada = app.patient().await;
    let (_, _, codes) = with_app(&app, &ada).await;
    let typed = codes[3].to_uppercase().replace('-', " ");
    let me = renewed(&app, &ada, Some(&typed)).await;
    assert_eq!(level(&app).await, json!({"level": 2, "method": "password+recovery", "role": "patient"}));
    assert_eq!(sign_in(&app, &ada, Some(&codes[3])).await.problem(401), "sign-in-failed");
    let used =
        "select count(*) from audit where event = 'recovery-code.use' and outcome = 'success' and actor_id is not null";
    assert_eq!(app.count(used).await, 1);
    assert_eq!(me.get("/v1/second-factors").await.expect(200)["recovery_codes"], 9);
    let fresh = me.post("/v1/second-factors/recovery-codes", &json!({})).await.expect(201);
    assert_eq!(fresh["recovery_codes"].as_array().unwrap().len(), 10);
    assert_eq!(sign_in(&app, &ada, Some(&codes[4])).await.problem(401), "sign-in-failed", "earlier ones are void");
    sign_in(&app, &ada, fresh["recovery_codes"][0].as_str()).await.expect(201);
    let kept = app.sql("select to_jsonb(hash) from recovery_code").await;
    assert!(codes.iter().all(|code| !kept.contains(&json!(code))), "kept as keyed hashes");
}

#[tokio::test]
async fn whoever_has_a_factor_changes_none_without_it_nor_in_an_old_session() {
    let app = App::start().await;
    let ada = app.patient().await;
    let before = renewed(&app, &ada, None).await;
    let (id, secret, codes) = with_app(&app, &ada).await;
    let removal = format!("/v1/second-factors/{id}/removal");
    // The session that enrolled it has shown it; another is still of one factor.
    ada.post("/v1/second-factors/passkeys/options", &json!({})).await.expect(201);
    for path in ["/v1/second-factors/totp", "/v1/second-factors/recovery-codes", "/v1/second-factors/passkeys/options"]
    {
        assert_eq!(before.post(path, &json!({})).await.problem(403), "second-factor-needed", "{path}");
    }
    let proof = json!({"password": PASSWORD, "otp": codes[0]});
    assert_eq!(before.post(&removal, &proof).await.problem(403), "second-factor-needed");
    app.later(SignedDuration::from_secs(30));
    let me = renewed(&app, &ada, shown(&secret, app.now()).as_deref()).await;
    assert_eq!(me.post("/v1/second-factors/totp", &json!({})).await.problem(409), "second-factor-exists");
    let ben = app.patient().await;
    assert_eq!(ben.post(&removal, &proof).await.problem(404), "not-found");

    let tried = |password: &str, otp: Value| json!({"password": password, "otp": otp});
    let wrong = me.post(&removal, &tried("pas celle-là", json!(codes[0]))).await;
    assert_eq!((wrong.problem(422), &wrong.body["field"]), ("field-invalid", &json!("password")));
    let wrong = me.post(&removal, &tried(PASSWORD, json!("000000"))).await;
    assert_eq!((wrong.problem(422), &wrong.body["field"]), ("field-invalid", &json!("otp")));
    let used = me.post(&removal, &tried(PASSWORD, json!(shown(&secret, app.now())))).await;
    assert_eq!(used.problem(422), "field-invalid", "the code of the sign-in is used up");
    let missing = me.post(&removal, &json!({"password": PASSWORD})).await;
    assert_eq!((missing.problem(422), &missing.body["field"]), ("field-missing", &json!("otp")));
    app.later(SignedDuration::from_secs(30));
    me.post(&removal, &tried(PASSWORD, json!(shown(&secret, app.now())))).await.expect(204);
    let left = me.get("/v1/second-factors").await.expect(200);
    assert_eq!((&left["items"], &left["recovery_codes"]), (&json!([]), &json!(0)));
    sign_in(&app, &ada, None).await.expect(201);

    app.later(SignedDuration::from_mins(9));
    me.post("/v1/second-factors/totp", &json!({})).await.expect(201);
    let pair = sign_in(&app, &ada, None).await.expect(201);
    app.later(SignedDuration::from_mins(16));
    let pair =
        app.nobody().post("/v1/sessions/refresh", &json!({"refresh_token": pair["refresh_token"]})).await.expect(200);
    let old = ada.bearing(pair["access_token"].as_str().unwrap());
    assert_eq!(old.post("/v1/second-factors/totp", &json!({})).await.problem(403), "sign-in-too-old");
}

#[tokio::test]
async fn a_session_from_before_the_second_factor_needs_it_for_all_but_the_account() {
    let app = App::start().await;
    let ada = app.patient().await;
    let up = "/v1/sessions/second-factor";
    assert_eq!(ada.post(up, &json!({"otp": "123456"})).await.problem(404), "not-found", "there is no factor");
    let pair = sign_in(&app, &ada, None).await.expect(201);
    let before = ada.clone().bearing(pair["access_token"].as_str().unwrap());
    let another = renewed(&app, &ada, None).await;
    let (_, secret, codes) = with_app(&app, &ada).await;
    assert_eq!(ada.post(up, &json!({"otp": codes[0]})).await.problem(404), "not-found", "it is of two already");
    assert_eq!(level(&app).await["level"], 1);
    for path in ["/v1/patients", "/v1/appointments", "/v1/me/access-log"] {
        assert_eq!(before.get(path).await.problem(403), "second-factor-needed", "{path}");
        ada.get(path).await.expect(200);
    }
    before.get("/v1/accounts/me").await.expect(200);
    assert_eq!(
        before.post("/v1/accounts/closure", &json!({"password": PASSWORD})).await.problem(403),
        "second-factor-needed"
    );

    let wrong = before.post(up, &json!({"otp": "000000"})).await;
    assert_eq!((wrong.problem(422), &wrong.body["field"]), ("field-invalid", &json!("otp")));
    assert_eq!(
        before.post("/v1/memberships", &json!({"code": "AAAA-BBBB-CCCC"})).await.problem(403),
        "second-factor-needed"
    );
    app.later(SignedDuration::from_secs(30));
    let code = json!({"otp": shown(&secret, app.now())});
    let both = tokio::join!(before.post(up, &code), another.post(up, &code));
    let (gone, third) = if both.0.status == 200 { (&before, &another) } else { (&another, &before) };
    let (raised, refused) = if both.0.status == 200 { both } else { (both.1, both.0) };
    assert_eq!(refused.problem(422), "field-invalid", "one code, one session");
    let next = raised.expect(200);
    ada.clone().bearing(next["access_token"].as_str().unwrap()).get("/v1/patients").await.expect(200);
    // Whoever has a token of the session from before has nothing of the next.
    assert_eq!(gone.get("/v1/accounts/me").await.problem(401), "unauthenticated");
    // With a recovery code, told by mail as ever.
    third.post(up, &json!({"otp": codes[1]})).await.expect(200);
    assert_eq!(app.count("select count(*) from outbox where data ->> 'what' = 'recovery-code-used'").await, 1);
    let raised = "select count(*) from audit where event = 'session.step-up' and outcome = 'success' and level = 2";
    assert_eq!(app.count(raised).await, 2);
    assert_eq!(app.count("select count(*) from audit where event = 'session.step-up' and outcome = 'failed'").await, 2);
    // The refresh token from before is worth nothing.
    let refresh = async |pair: &Value| {
        app.nobody().post("/v1/sessions/refresh", &json!({"refresh_token": pair["refresh_token"]})).await
    };
    assert_eq!(refresh(&pair).await.problem(401), "session-ended");
}

#[tokio::test]
async fn proofs_once_more_are_bounded() {
    let app = App::start().await;
    let ada = app.patient().await;
    let (id, secret, codes) = with_app(&app, &ada).await;
    app.later(SignedDuration::from_secs(30));
    let me = renewed(&app, &ada, shown(&secret, app.now()).as_deref()).await;
    let removal = format!("/v1/second-factors/{id}/removal");
    let wrong = json!({"password": "pas celle-là", "otp": codes[0]});
    for _ in 0..10 {
        assert_eq!(me.post(&removal, &wrong).await.problem(422), "field-invalid");
    }
    let refused = me.post(&removal, &json!({"password": PASSWORD, "otp": codes[0]})).await;
    assert_eq!(refused.problem(429), "too-many-attempts");
    assert_eq!(
        app.count("select count(*) from audit where event = 'second-factor.remove' and outcome = 'failed'").await,
        10
    );
}

/// Work in an establishment, as an administrator would give it.
pub async fn employ(app: &App, client: &Client, role: &str, establishment: Uuid) {
    let sql = "with place as (
            insert into establishment (id, name, created_at) values ($1, 'Cabinet', $4::timestamptz) on conflict do nothing)
        insert into membership (id, account_id, establishment_id, role, practitioner_id, since)
        select gen_random_uuid(), a.id, $1, $2, case when $2 = 'practitioner' then (select id from practitioner limit 1) end, $4::timestamptz
        from account a where a.email_lookup = $3";
    let now = app.now().to_string();
    let insert = sqlx::query(sql).bind(establishment).bind(role).bind(app.email_lookup(&client.email)).bind(now);
    insert.execute(app.pool()).await.unwrap();
}

#[tokio::test]
async fn a_secretary_comes_to_work_from_the_first_sign_in_to_two_factors() {
    let app = App::start().await;
    let sam = app.patient_named("sam@cabinet.example", "fr").await;
    employ(&app, &sam, "secretary", Uuid::from_u128(7)).await;
    let one = renewed(&app, &sam, None).await;
    assert_eq!(level(&app).await, json!({"level": 1, "method": "password", "role": "secretary"}));
    let refused = one.get("/v1/appointments").await;
    assert_eq!(refused.problem(403), "second-factor-needed");
    assert_eq!(
        app.count("select count(*) from audit where outcome = 'refused' and role = 'secretary' and level = 1").await,
        1
    );
    // Only what leads to a second factor is open.
    one.get("/v1/second-factors").await.expect(200);
    let (_, secret, _) = with_app(&app, &one).await;
    one.get("/v1/appointments").await.expect(200);
    app.later(SignedDuration::from_secs(30));
    let two = renewed(&app, &sam, shown(&secret, app.now()).as_deref()).await;
    two.get("/v1/appointments").await.expect(200);
    // A change of the refresh token keeps the level.
    app.later(SignedDuration::from_secs(30));
    let pair = sign_in(&app, &sam, shown(&secret, app.now()).as_deref()).await.expect(201);
    let pair =
        app.nobody().post("/v1/sessions/refresh", &json!({"refresh_token": pair["refresh_token"]})).await.expect(200);
    sam.bearing(pair["access_token"].as_str().unwrap()).get("/v1/appointments").await.expect(200);
}

#[tokio::test]
async fn one_acts_in_the_capacity_one_asked_for_at_sign_in() {
    let app = App::start().await;
    let kim = app.patient_named("kim@cabinet.example", "fr").await;
    let (here, there) = (Uuid::from_u128(7), Uuid::from_u128(8));
    let opened = async |more: Value| {
        let mut session = json!({"email": kim.email, "password": PASSWORD});
        session.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        app.nobody().post("/v1/sessions", &session).await
    };
    let last = "select jsonb_build_object('role', s.role, 'place', m.establishment_id)
                from session s left join membership m on m.id = s.membership_id order by s.created_at desc limit 1";
    assert_eq!(opened(json!({"role": "nurse"})).await.problem(403), "forbidden");
    employ(&app, &kim, "nurse", here).await;
    opened(json!({})).await.expect(201);
    assert_eq!(app.sql(last).await[0], json!({"role": "nurse", "place": here}));
    employ(&app, &kim, "practitioner", there).await;
    opened(json!({})).await.expect(201);
    assert_eq!(app.sql(last).await[0], json!({"role": "patient", "place": null}), "of several, none is guessed");
    opened(json!({"role": "practitioner"})).await.expect(201);
    assert_eq!(app.sql(last).await[0], json!({"role": "practitioner", "place": there}));
    opened(json!({"establishment": here})).await.expect(201);
    assert_eq!(app.sql(last).await[0], json!({"role": "nurse", "place": here}));
    employ(&app, &kim, "nurse", there).await;
    let which = opened(json!({"role": "nurse"})).await;
    assert_eq!((which.problem(422), &which.body["field"]), ("field-missing", &json!("establishment")));
    assert_eq!(opened(json!({"role": "nurse", "establishment": Uuid::from_u128(9)})).await.problem(403), "forbidden");
    // What has ended is no capacity.
    sqlx::query("update membership set until = now() - interval '1 year', since = now() - interval '2 years'")
        .execute(app.pool())
        .await
        .unwrap();
    assert_eq!(opened(json!({"role": "nurse", "establishment": here})).await.problem(403), "forbidden");
    sqlx::query("update account set platform_role = 'operator' where email_lookup = $1")
        .bind(app.email_lookup(&kim.email))
        .execute(app.pool())
        .await
        .unwrap();
    opened(json!({"role": "operator"})).await.expect(201);
    assert_eq!(app.sql(last).await[0], json!({"role": "operator", "place": null}));
    assert_eq!(app.count("select sum(failures) from sign_in_attempt").await, 0, "who asks too much is no stranger");
}

/// Calls every statement of second factors.
pub async fn walk(app: &App) {
    let ada = app.patient_named("facteurs@famille.example", "fr").await;
    let before = renewed(app, &ada, None).await;
    let (id, secret, codes) = with_app(app, &ada).await;
    before.post("/v1/sessions/second-factor", &json!({"otp": codes[9]})).await.expect(200);
    sign_in(app, &ada, Some("000000")).await.problem(401);
    app.later(SignedDuration::from_secs(30));
    let me = renewed(app, &ada, shown(&secret, app.now()).as_deref()).await;
    me.get("/v1/second-factors").await.expect(200);
    let fresh = me.post("/v1/second-factors/recovery-codes", &json!({})).await.expect(201);
    assert_ne!(fresh["recovery_codes"][0], json!(codes[0]));
    let proof = json!({"password": PASSWORD, "otp": fresh["recovery_codes"][0]});
    me.post(&format!("/v1/second-factors/{id}/removal"), &proof).await.expect(204);
    app.event("sign-in", "").await;
}
