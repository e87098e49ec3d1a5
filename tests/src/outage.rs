//! The database goes away and comes back.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::{App, database};

#[tokio::test(flavor = "multi_thread")]
async fn while_the_database_is_away_it_is_503_and_it_recovers_without_a_restart() {
    let directory = database::scratch().join(format!("outage-{}", std::process::id()));
    let server = database::start(&directory);
    let template = database::prepare_template(&server).await;
    let app = App::on(server.url(&template), &[]).await;
    let ada = app.patient().await;
    let slots = app.lyon_slots().await;
    drop(server);

    let began = Instant::now();
    for path in ["/readyz", "/v1/specialties", "/v1/slots?place=Lyon", "/v1/practitioners"] {
        let answer = app.nobody().get(path).await;
        assert_eq!(answer.problem(503), "unavailable", "{path}");
        assert!(answer.headers["retry-after"].to_str().unwrap().parse::<u32>().is_ok());
    }
    let wish = json!({"slot": slots[0]["slot"]});
    assert_eq!(ada.post_with_key("/v1/appointments", &wish, "k").await.problem(503), "unavailable");
    assert!(began.elapsed() < Duration::from_secs(25), "answers come in time: {:?}", began.elapsed());
    app.nobody().get("/healthz").await.expect(200);
    let (status, _) = app.event("send-reminders", "").await;
    assert_eq!(status, 503);

    let server = database::start(&directory);
    let mut answers = Vec::new();
    for _ in 0..20 {
        answers.push(app.nobody().get("/readyz").await.status.as_u16());
        if answers.last() == Some(&200) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    assert_eq!(answers.last(), Some(&200), "{answers:?}");
    // What was asked before is asked again with its key, and is done once.
    // The tests' own connections were cut too.
    while sqlx::query("select 1").execute(app.pool()).await.is_err() {}
    let ada = ada.clone().bearing(&app.fresh_token(&ada).await);
    ada.post_with_key("/v1/appointments", &wish, "k").await.expect(201);
    drop(server);
    std::fs::remove_dir_all(&directory).unwrap();
}
