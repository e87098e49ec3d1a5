//! Who has lost every second factor and every recovery code comes back through an operator who has seen who they are.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::account_life::{PHRASE, opened, signed_in, verified};
use crate::second_factors::{sign_in, with_app};
use crate::support::{Answer, App, Client};

const ADA: &str = "ada@famille.example";

async fn reset(who: &Client, wish: &Value) -> Answer {
    who.post("/v1/second-factors/reset", wish).await
}

fn of(email: &str) -> Value {
    json!({"email": email, "evidence": "identity-document"})
}

/// The statement of a reset.
pub async fn walk(app: &App) {
    reset(&app.staff("operator").await, &of("personne@famille.example")).await.problem(404);
}

#[tokio::test]
async fn lost_factors_are_taken_away_by_an_operator_who_saw_who_it_is_and_the_password_stays() {
    let app = App::start().await;
    let ada = verified(&app, ADA).await;
    let (_, _, codes) = with_app(&app, &ada).await;
    let elsewhere = sign_in(&app, &ada, Some(&codes[0])).await.expect(201);
    let elsewhere = app.nobody().bearing(elsewhere["access_token"].as_str().unwrap());
    assert_eq!(sign_in(&app, &ada, None).await.problem(401), "second-factor-needed-at-sign-in");

    let operator = app.staff("operator").await;
    // For operators, with two factors, in a fresh session.
    let ben = app.patient().await;
    for (who, why) in [
        (&ben, "forbidden"),
        (&app.staff("administrator-pentes").await, "forbidden"),
        (&app.staff_at_level("operator", 1).await, "second-factor-needed"),
    ] {
        assert_eq!(reset(who, &of(ADA)).await.problem(403), why);
    }
    for (wish, field) in [
        (json!({"evidence": "identity-document"}), "account"),
        (json!({"email": ADA, "account": uuid::Uuid::nil(), "evidence": "identity-document"}), "account"),
        (json!({"email": ADA}), "evidence"),
        (json!({"email": ADA, "evidence": "a-good-story"}), "evidence"),
    ] {
        let refused = reset(&operator, &wish).await;
        assert_eq!((refused.status.as_u16(), &refused.body["field"]), (422, &json!(field)), "{wish}");
    }
    elsewhere.get("/v1/patients").await.expect(200);

    // Of an address, only the account that has shown it.
    opened(&app, "ben@famille.example").await;
    for nobody in ["ben@famille.example", "cleo@famille.example"] {
        assert_eq!(reset(&operator, &of(nobody)).await.problem(404), "not-found");
    }
    assert_eq!(reset(&operator, &of(&ADA.to_uppercase())).await.expect(200), json!({"removed": 1}));
    for gone in [&ada, &elsewhere] {
        assert_eq!(gone.get("/v1/patients").await.problem(401), "unauthenticated");
    }
    // The password alone opens it now, no recovery code is left, and the holder is told.
    app.nobody().post("/v1/sessions", &json!({"email": ADA, "password": "une autre phrase"})).await.problem(401);
    let back = signed_in(&app, ADA, PHRASE).await;
    back.get("/v1/patients").await.expect(200);
    assert_eq!(back.get("/v1/second-factors").await.expect(200)["recovery_codes"], 0);
    app.settle().await;
    assert!(app.mails(ADA).iter().any(|mail| mail.text.contains("retiré les seconds facteurs de votre compte")));
    // Again, there is nothing to take, and nobody is signed out for it.
    assert_eq!(reset(&operator, &of(ADA)).await.expect(200), json!({"removed": 0}));
    back.get("/v1/patients").await.expect(200);

    let trail = "select jsonb_build_array(event, outcome) from audit
                 where role = 'operator' and event like 'second-factor.reset%' order by seq";
    let (done, refused) = (
        json!(["second-factor.reset.identity-document", "success"]),
        json!(["second-factor.reset.identity-document", "refused"]),
    );
    assert_eq!(app.sql(trail).await, [refused.clone(), refused, done.clone(), done]);
    // Not for themself, and not in an old session.
    let me = operator.get("/v1/me").await.expect(200)["account"].clone();
    let own = json!({"account": me, "evidence": "identity-document"});
    assert_eq!(reset(&operator, &own).await.problem(404), "not-found");
    let older = "update session set created_at = created_at - interval '16 minutes' where role = 'operator'";
    sqlx::query(older).execute(app.pool()).await.unwrap();
    assert_eq!(reset(&operator, &of(ADA)).await.problem(403), "sign-in-too-old");
}

#[tokio::test]
async fn of_resets_and_sign_ins_at_once_no_session_of_the_lost_factor_is_left() {
    let app = App::start().await;
    let ada = verified(&app, ADA).await;
    let (_, _, codes) = with_app(&app, &ada).await;
    let operator = app.staff("operator").await;
    let wish = of(ADA);
    let sign_ins = join_all(codes.iter().take(6).map(|code| sign_in(&app, &ada, Some(code))));
    let (answers, resets) = tokio::join!(sign_ins, join_all((0..3).map(|_| reset(&operator, &wish))));
    let removed: i64 = resets.into_iter().map(|answer| answer.expect(200)["removed"].as_i64().unwrap()).sum();
    assert_eq!(removed, 1);
    // Either it came too late for its code, and the password opened it, or what it opened has ended.
    assert!(answers.iter().all(|answer| [201, 401].contains(&answer.status.as_u16())));
    let left = "select count(*) from session where revoked_at is null and role = 'patient' and level = 2";
    assert_eq!(app.count(left).await, 0);
}
