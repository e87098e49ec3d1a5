//! Guessing is bounded, and nobody is locked out by a stranger.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use domain::SignedDuration;
use futures_util::future::join_all;
use serde_json::json;

use crate::second_factors::{PASSWORD, with_app};
use crate::support::client::Answer;
use crate::support::{App, Client, logs};

/// Those that keep all cores busy run one after another.
static BUSY: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

async fn tries(client: &Client, email: &str, password: &str) -> Answer {
    client.post("/v1/sessions", &json!({"email": email, "password": password})).await
}

fn statuses(answers: &[Answer]) -> BTreeMap<u16, usize> {
    let mut all = BTreeMap::new();
    for answer in answers {
        *all.entry(answer.status.as_u16()).or_default() += 1;
    }
    all
}

/// Somewhere in the world.
fn anywhere(n: usize) -> String {
    format!("198.51.{}.{}", n / 250, n % 250 + 1)
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_hundred_guesses_at_once_ten_are_looked_at_and_the_family_signs_in_meanwhile() {
    let _turn = BUSY.lock().await;
    let app = App::start().await;
    let ada = app.patient().await;
    let home = app.nobody().at("192.0.2.1");
    tries(&home, &ada.email, PASSWORD).await.expect(201);
    for (attack, place) in [("from everywhere", "198.51.100.200"), ("from one place", "198.51.100.201")] {
        let guesses = (0..200).map(|n| {
            let place = if attack == "from one place" { "203.0.113.9".to_owned() } else { anywhere(n) };
            let (stranger, email) = (app.nobody().at(&place), ada.email.clone());
            tokio::spawn(async move { tries(&stranger, &email, &format!("123456{n}")).await })
        });
        let guesses: Vec<_> = guesses.collect();
        for _ in 0..5 {
            tries(&home, &ada.email, PASSWORD).await.expect(201);
        }
        let answers: Vec<Answer> = join_all(guesses).await.into_iter().map(Result::unwrap).collect();
        let all = statuses(&answers);
        assert_eq!((all.get(&401), all.get(&429)), (Some(&10), Some(&190)), "{attack}: {all:?}");
        let limited = answers.iter().find(|answer| answer.status == 429).unwrap();
        assert_eq!(limited.problem(429), "too-many-attempts");
        let seconds: u64 = limited.headers["retry-after"].to_str().unwrap().parse().unwrap();
        assert!((1..=900).contains(&seconds), "{seconds}");
        // Not even the right password, from elsewhere; from home, a slip of the finger does no harm.
        let elsewhere = app.nobody().at(place);
        assert_eq!(tries(&elsewhere, &ada.email, PASSWORD).await.problem(429), "too-many-attempts");
        assert_eq!(tries(&home, &ada.email, "une faute").await.problem(401), "sign-in-failed");
        tries(&home, &ada.email, PASSWORD).await.expect(201);
        app.later(SignedDuration::from_mins(15));
        tries(&elsewhere, &ada.email, PASSWORD).await.expect(201);
    }
    let traces =
        "select count(*) from audit where event = 'session.open' and outcome = 'failed' and object_id is not null";
    assert_eq!(app.count(traces).await, 22);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_place_that_guesses_at_many_accounts_is_stopped() {
    let _turn = BUSY.lock().await;
    let app = App::start().await;
    let guesses = (0..60).map(|n| {
        let stranger = app.nobody().at("203.0.113.9");
        tokio::spawn(async move {
            loop {
                // Where hashing is slow, who waited in vain for their turn is told so, and asks again.
                let answer = tries(&stranger, &format!("personne-{n}@famille.example"), "123456").await;
                if answer.status != 503 {
                    return answer;
                }
            }
        })
    });
    let answers: Vec<Answer> = join_all(guesses).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(statuses(&answers), BTreeMap::from([(401, 20), (429, 40)]));
    let ada = app.patient().await;
    assert_eq!(tries(&app.nobody().at("203.0.113.9"), &ada.email, PASSWORD).await.problem(429), "too-many-attempts");
    tries(&app.nobody().at("203.0.113.10"), &ada.email, PASSWORD).await.expect(201);
}

#[tokio::test]
async fn an_account_that_is_not_there_is_bounded_alike() {
    let app = App::start().await;
    let ada = app.patient().await;
    let verified = "camille.martin@famille.example";
    let mut seen = Vec::new();
    for email in [ada.email.as_str(), verified, "personne@famille.example"] {
        let mut one = Vec::new();
        for n in 0..12 {
            let before = app.db.count.load(Ordering::Relaxed);
            let answer = tries(&app.nobody().at(&anywhere(n)), email, "pas celle-là").await;
            let statements = app.db.count.load(Ordering::Relaxed) - before;
            let headers: Vec<String> = answer.headers.keys().map(ToString::to_string).collect();
            one.push((answer.status.as_u16(), answer.body, headers, statements));
        }
        assert_eq!((one[9].0, one[10].0), (401, 429));
        seen.push(one);
    }
    assert_eq!(seen[0], seen[2]);
    assert_eq!(seen[1], seen[2]);
}

#[tokio::test]
async fn what_was_right_does_not_count_and_a_missing_code_neither() {
    let app = App::start().await;
    let ada = app.patient().await;
    let place = app.nobody().at("192.0.2.77");
    for _ in 0..15 {
        tries(&place, &ada.email, PASSWORD).await.expect(201);
    }
    let (_, secret, _) = with_app(&app, &ada).await;
    logs::keep_secret(&secret);
    for n in 0..25 {
        assert_eq!(tries(&app.nobody().at(&anywhere(n)), &ada.email, PASSWORD).await.status, 401);
    }
    assert_eq!(app.count("select sum(failures) + sum(pending) from sign_in_attempt").await, 0);
    // Codes are guessed no more than passwords.
    for n in 0..12 {
        let guess = json!({"email": ada.email, "password": PASSWORD, "otp": "000000"});
        let answer = app.nobody().at(&anywhere(n)).post("/v1/sessions", &guess).await;
        assert_eq!(answer.status, if n < 10 { 401 } else { 429 });
    }
    app.later(SignedDuration::from_mins(16));
    app.event("sign-in", "").await;
    assert_eq!(app.count("select count(*) from sign_in_attempt").await, 0, "swept");
    assert_eq!(app.count("select count(*) from known_address").await, 2, "from nowhere, and from that place");
    app.later(SignedDuration::from_hours(24 * 181));
    app.event("sign-in", "").await;
    assert_eq!(app.count("select count(*) from known_address").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_sign_ins_at_once_from_one_place_do_not_stall_a_search() {
    let _turn = BUSY.lock().await;
    let app = App::start().await;
    let people: Vec<Client> = join_all((0..25).map(|_| app.patient())).await;
    let waiting: Vec<_> = people
        .iter()
        .chain(&people)
        .map(|person| {
            let (place, email) = (app.nobody().at("192.0.2.50"), person.email.clone());
            tokio::spawn(async move { tries(&place, &email, PASSWORD).await })
        })
        .collect();
    let mut slowest = Duration::ZERO;
    let mut searches = 0;
    while !waiting.iter().all(tokio::task::JoinHandle::is_finished) {
        let began = Instant::now();
        app.nobody().get("/v1/practitioners?place=Lyon&limit=5").await.expect(200);
        slowest = slowest.max(began.elapsed());
        searches += 1;
    }
    let answers: Vec<Answer> = join_all(waiting).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(statuses(&answers), BTreeMap::from([(201, 50)]));
    assert!(searches >= 5 && slowest < Duration::from_secs(2), "{searches} searches, the slowest {slowest:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn beyond_two_hundred_passwords_that_wait_one_is_told_to_come_back() {
    let _turn = BUSY.lock().await;
    let app = App::start().await;
    let many = (0..260).map(|n| {
        let client = app.nobody();
        tokio::spawn(async move {
            let account = json!({"email": format!("foule-{n}@famille.example"), "password": PASSWORD, "given_name": "Ada",
                                 "family_name": "Exemple", "birth_date": "1988-05-12"});
            client.post("/v1/accounts", &account).await
        })
    });
    let answers: Vec<Answer> = join_all(many.collect::<Vec<_>>()).await.into_iter().map(Result::unwrap).collect();
    let all = statuses(&answers);
    assert!(all.get(&201).is_some_and(|opened| *opened >= 20), "{all:?}");
    assert!(all.get(&503).is_some_and(|refused| *refused >= 20) && all.len() == 2, "{all:?}");
    let refused = answers.iter().find(|answer| answer.status == 503).unwrap();
    assert_eq!((refused.problem(503), &refused.headers["retry-after"]), ("unavailable", &"2".parse().unwrap()));
}
