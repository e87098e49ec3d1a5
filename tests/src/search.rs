//! Finding care.

use std::sync::atomic::Ordering;

use domain::SignedDuration;
use serde_json::{Value, json};

use crate::support::App;

fn names(page: &Value) -> Vec<&str> {
    page["items"].as_array().unwrap().iter().map(|item| item["name"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn people_are_found_by_everyday_words_with_or_without_accents() {
    let app = App::start().await;
    let nobody = app.nobody();
    let by_code = nobody.get("/v1/practitioners?specialty=91&place=Lyon").await.expect(200);
    assert!(names(&by_code).len() >= 3);
    for words in ["orthophoniste", "ORTHOPHONISTE", "speech%20therapist"] {
        let found = nobody.get(&format!("/v1/practitioners?specialty={words}&place=lyon")).await.expect(200);
        assert_eq!(names(&found), names(&by_code), "{words}");
    }
    let pediatre = nobody.get("/v1/practitioners?specialty=pediatre").await.expect(200);
    let accents = nobody.get("/v1/practitioners?specialty=p%C3%A9diatre").await.expect(200);
    assert_eq!(pediatre, accents);
    assert!(!names(&pediatre).is_empty());
    let one = by_code["items"][0].clone();
    let family = one["name"].as_str().unwrap().split(' ').next_back().unwrap().to_uppercase();
    let found = nobody.get(&format!("/v1/practitioners?q={family}")).await.expect(200);
    assert!(names(&found).contains(&one["name"].as_str().unwrap()), "{family}");
    let none = nobody.get("/v1/practitioners?q=zzzzqqq").await.expect(200);
    assert_eq!(none, json!({"items": [], "next_cursor": null}));
}

#[tokio::test]
async fn distance_postcode_channel_language_and_access_narrow() {
    let app = App::start().await;
    let nobody = app.nobody();
    let near = nobody.get("/v1/practitioners?near=45.764,4.835&radius_km=10&limit=50").await.expect(200);
    let distances: Vec<f64> =
        near["items"].as_array().unwrap().iter().map(|item| item["distance_km"].as_f64().unwrap()).collect();
    assert!(!distances.is_empty() && distances.iter().all(|km| *km <= 10.0));
    let all = async |query: &str| {
        nobody.get(&format!("/v1/practitioners?limit=50&{query}")).await.expect(200)["items"]
            .as_array()
            .unwrap()
            .clone()
    };
    assert!(all("place=69").await.iter().all(|item| item["sites"].to_string().contains("\"postal_code\":\"69")));
    assert!(all("channel=video").await.iter().all(|item| item["channels"] == json!(["video"])));
    assert!(all("language=en").await.iter().all(|item| item["languages"].as_array().unwrap().contains(&json!("en"))));
    let accessible = all("accessibility=step_free").await;
    assert!(!accessible.is_empty() && accessible.iter().all(|item| item["sites"].to_string().contains("step_free")));
    assert_eq!(nobody.get("/v1/practitioners?radius_km=5").await.problem(422), "field-invalid");
    assert_eq!(nobody.get("/v1/practitioners?near=91,0").await.body["field"], "near");
}

#[tokio::test]
async fn pages_follow_each_other_without_gap_or_repetition() {
    let app = App::start().await;
    for query in ["limit=7", "limit=7&near=46,4&radius_km=200", "limit=3&free_on=2026-03-10"] {
        let mut seen: Vec<Value> = Vec::new();
        let mut cursor = String::new();
        loop {
            let page = app.nobody().get(&format!("/v1/practitioners?{query}{cursor}")).await.expect(200);
            seen.extend(page["items"].as_array().unwrap().iter().map(|item| item["id"].clone()));
            let Some(next) = page["next_cursor"].as_str() else { break };
            cursor = format!("&cursor={next}");
        }
        let mut unique = seen.clone();
        unique.sort_by_key(Value::to_string);
        unique.dedup();
        assert_eq!(unique.len(), seen.len(), "{query}");
        assert!(seen.len() > 10, "{query}: {}", seen.len());
    }
    assert_eq!(app.nobody().get("/v1/practitioners?cursor=AAAA").await.problem(422), "field-invalid");
}

#[tokio::test]
async fn the_first_free_time_in_a_list_is_the_first_slot_of_the_practitioner() {
    let app = App::start().await;
    let page = app.nobody().get("/v1/practitioners?specialty=orthophoniste&place=Lyon").await.expect(200);
    for item in page["items"].as_array().unwrap().iter().filter(|item| !item["next_free"].is_null()) {
        let slots = app.slots(&format!("practitioner={}&limit=1", item["id"].as_str().unwrap())).await;
        assert_eq!(slots[0]["starts_at"], item["next_free"], "{}", item["name"]);
    }
    let offline = app.count("select count(*) from practitioner where not online").await;
    assert!(offline > 0);
    let all = app.nobody().get("/v1/practitioners?limit=50").await.expect(200);
    let cursor = all["next_cursor"].as_str().unwrap();
    let rest = app.nobody().get(&format!("/v1/practitioners?limit=50&cursor={cursor}")).await.expect(200);
    let last = rest["items"].as_array().unwrap().last().unwrap();
    assert!(last["next_free"].is_null(), "those without online booking come last");
}

#[tokio::test]
async fn those_free_on_a_day_are_those_with_a_slot_that_day_in_the_time_of_the_place() {
    let app = App::start().await;
    for (place, day) in
        [("Lyon", "2026-03-10"), ("Saint-Denis", "2026-03-10"), ("Strasbourg", "2026-04-03"), ("Lyon", "2026-05-01")]
    {
        let free =
            app.nobody().get(&format!("/v1/practitioners?place={place}&free_on={day}&limit=50")).await.expect(200);
        let mut free: Vec<&Value> = free["items"].as_array().unwrap().iter().collect();
        assert!(free.iter().all(|item| item["next_free"].as_str().unwrap().starts_with(day)), "{place} {day}");
        let (mut with_slots, mut cursor) = (Vec::new(), String::new());
        loop {
            let query = format!("/v1/slots?place={place}&from={day}&to={day}&limit=500{cursor}");
            let slots = app.nobody().get(&query).await.expect(200);
            with_slots.extend(slots["items"].as_array().unwrap().iter().map(|slot| slot["practitioner"].clone()));
            let Some(next) = slots["next_cursor"].as_str() else { break };
            cursor = format!("&cursor={next}");
        }
        with_slots.sort_by_key(Value::to_string);
        with_slots.dedup();
        free.sort_by_key(|item| item["id"].to_string());
        assert_eq!(free.iter().map(|item| item["id"].clone()).collect::<Vec<_>>(), with_slots, "{place} {day}");
    }
    // Good Friday is a holiday in Alsace-Moselle alone, Labour Day everywhere.
    let open = async |query: &str| !app.nobody().get(query).await.expect(200)["items"].as_array().unwrap().is_empty();
    assert!(!open("/v1/slots?place=Strasbourg&from=2026-04-03&to=2026-04-03").await);
    assert!(open("/v1/slots?place=Lyon&from=2026-04-03&to=2026-04-03").await);
    assert!(!open("/v1/slots?place=Lyon&from=2026-05-01&to=2026-05-01").await);
}

#[tokio::test]
async fn slots_keep_the_local_hours_across_the_change_of_clocks() {
    let app = App::start().await;
    let first = app.lyon_slots().await[0].clone();
    let query = format!(
        "practitioner={}&reason={}",
        first["practitioner"].as_str().unwrap(),
        first["reason"].as_str().unwrap()
    );
    let hours = async |day: &str| -> Vec<String> {
        let page = app.nobody().get(&format!("/v1/slots?{query}&from={day}&to={day}")).await.expect(200);
        page["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|slot| slot["starts_at"].as_str().unwrap()[11..].to_owned())
            .collect()
    };
    // The same weekday around Sunday 29 March 2026.
    let mut day: domain::Date = first["starts_at"].as_str().unwrap()[..10].parse().unwrap();
    let week = jiff::Span::new().days(7);
    while day + week < "2026-03-29".parse().unwrap() {
        day += week;
    }
    let (before, after) = (hours(&day.to_string()).await, hours(&(day + week).to_string()).await);
    assert!(!before.is_empty() && before.iter().all(|hour| hour.ends_with("+01:00")));
    let shifted: Vec<String> = before.iter().map(|hour| hour.replace("+01:00", "+02:00")).collect();
    assert_eq!(after, shifted);
}

#[tokio::test]
async fn a_search_is_a_constant_number_of_statements() {
    let app = App::start().await;
    for path in [
        "/v1/practitioners?limit=1",
        "/v1/practitioners?limit=50",
        "/v1/practitioners?free_on=2026-03-10&limit=50",
        "/v1/slots?place=Lyon&limit=1",
        "/v1/slots?place=Lyon&limit=500&from=2026-03-02&to=2026-06-01",
        "/v1/specialties",
    ] {
        let before = app.db.count.load(Ordering::Relaxed);
        app.nobody().get(path).await.expect(200);
        assert_eq!(app.db.count.load(Ordering::Relaxed) - before, 1, "{path}");
    }
}

#[tokio::test]
async fn pages_of_slots_follow_each_other() {
    let app = App::start().await;
    let whole = app.slots("specialty=orthophoniste&place=Lyon&from=2026-03-09&to=2026-03-10&limit=500").await;
    let (mut pieces, mut cursor) = (Vec::new(), String::new());
    loop {
        let query =
            format!("/v1/slots?specialty=orthophoniste&place=Lyon&from=2026-03-09&to=2026-03-10&limit=9{cursor}");
        let page = app.nobody().get(&query).await.expect(200);
        pieces.extend(page["items"].as_array().unwrap().clone());
        let Some(next) = page["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(pieces, whole);
}

#[tokio::test]
async fn windows_that_make_no_sense_are_told_so() {
    let app = App::start().await;
    let refused = async |query: &str| {
        let answer = app.nobody().get(&format!("/v1/slots?place=Lyon&{query}")).await;
        let kind = answer.problem(422).to_owned();
        (kind, answer.body["field"].as_str().unwrap_or_default().to_owned())
    };
    assert_eq!(refused("from=2026-03-10&to=2026-03-09").await, ("range-reversed".into(), "from".into()));
    assert_eq!(refused("from=2099-01-01").await, ("beyond-horizon".into(), "from".into()));
    assert_eq!(refused("to=2099-01-01").await, ("beyond-horizon".into(), "to".into()));
    assert_eq!(refused("from=2026-03-10&to=2026-12-10").await, ("range-too-long".into(), "to".into()));
    assert_eq!(refused("from=demain").await, ("field-invalid".into(), "from".into()));
    assert_eq!(refused("limit=0").await, ("field-invalid".into(), "limit".into()));
    assert_eq!(refused("limit=501").await, ("field-invalid".into(), "limit".into()));
    assert_eq!(refused("limit=").await, ("field-invalid".into(), "limit".into()));
    assert_eq!(refused("colour=blue").await, ("field-unknown".into(), "colour".into()));
    assert_eq!(refused("channel=pigeon").await, ("field-invalid".into(), "channel".into()));
    assert_eq!(app.nobody().get("/v1/slots").await.problem(422), "field-missing");
    let unknown = format!("/v1/slots?practitioner={}", uuid::Uuid::now_v7());
    assert_eq!(app.nobody().get(&unknown).await.problem(404), "not-found");
}

#[tokio::test]
async fn a_page_tells_fees_places_access_and_the_national_number() {
    let app = App::start().await;
    let slot = &app.lyon_slots().await[0];
    let page =
        app.nobody().get(&format!("/v1/practitioners/{}", slot["practitioner"].as_str().unwrap())).await.expect(200);
    assert_eq!(page["rpps"].as_str().unwrap().len(), 11);
    for list in ["specialties", "sites", "reasons", "fees"] {
        assert!(!page[list].as_array().unwrap().is_empty(), "{list}");
    }
    assert_eq!(
        app.nobody().get(&format!("/v1/practitioners/{}", uuid::Uuid::now_v7())).await.problem(404),
        "not-found"
    );
    assert_eq!(app.nobody().get("/v1/practitioners/moi").await.problem(404), "not-found");
}

#[tokio::test]
async fn every_slot_that_is_offered_can_be_booked() {
    let app = App::start().await;
    let ada = app.patient().await;
    let mut last = app.now();
    for slot in app.slots("place=Lyon&limit=500&to=2026-03-06").await.iter().step_by(9) {
        let starts: domain::Timestamp = slot["starts_at"].as_str().unwrap().parse().unwrap();
        if starts < last + SignedDuration::from_mins(90) {
            continue;
        }
        last = starts;
        crate::support::app::book(&ada, slot).await.expect(201);
    }
    assert!(app.count("select count(*) from appointment").await >= 3);
}
