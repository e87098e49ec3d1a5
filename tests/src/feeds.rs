//! Calendar feeds: who has the address reads when visits are, of those that its owner may see at that instant, and nothing else.

mod programs;

use axum::body::Body;
use axum::http::Method;
use domain::SignedDuration;
use futures_util::future::join_all;
use gateway::fixtures::id;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::guardians::{book_for, bring_in, child, own, prove_identity, young};
use crate::second_factors::with_app;
use crate::support::app::book;
use crate::support::client::Answer;
use crate::support::{App, Client, logs};

/// A new feed: its id, and where it is.
async fn feed(client: &Client, wish: &Value) -> (String, String) {
    let made = client.post("/v1/calendar-feeds", wish).await.expect(201);
    let url = made["url"].as_str().unwrap();
    let path = url[url.find("/v1/").unwrap()..].to_owned();
    let token = path.rsplit('/').next().unwrap().strip_suffix(".ics").unwrap();
    assert!(token.len() >= 43 && token.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)));
    logs::keep_secret(token);
    (made["id"].as_str().unwrap().to_owned(), path)
}

async fn read(app: &App, path: &str, headers: &[(&str, &str)]) -> Answer {
    let mut request = app.nobody().request(Method::GET, path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    app.nobody().send(request.body(Body::empty()).unwrap()).await
}

/// The calendar, unfolded.
async fn calendar(app: &App, path: &str) -> String {
    let answer = read(app, path, &[]).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    String::from_utf8(answer.bytes.to_vec()).unwrap().replace("\r\n ", "")
}

/// Visit, version and status of each event.
fn visits(calendar: &str) -> Vec<(String, i64, String)> {
    let events = calendar.split("BEGIN:VEVENT\r\n").skip(1);
    let value = |event: &str, name: &str| {
        let line = event.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap_or_else(|| panic!("no {name} in {event}")).to_owned()
    };
    let visit = |event: &str| {
        let uid = value(event, "UID:").strip_suffix("@carnet.example").unwrap().to_owned();
        (uid, value(event, "SEQUENCE:").parse().unwrap(), value(event, "STATUS:"))
    };
    events.map(visit).collect()
}

async fn seen(app: &App, path: &str) -> Vec<(String, i64, String)> {
    visits(&calendar(app, path).await)
}

fn tag(answer: &Answer) -> String {
    answer.headers["etag"].to_str().unwrap().to_owned()
}

fn named(visit: &Value) -> String {
    visit["id"].as_str().unwrap().to_owned()
}

async fn cancel(client: &Client, visit: &Value) {
    let path = format!("/v1/appointments/{}/cancellation", named(visit));
    client.post(&path, &json!({"reason": "malade"})).await.expect(200);
}

#[tokio::test]
async fn a_feed_tells_when_visits_are_and_nothing_else() {
    let app = App::start().await;
    let ada = app.patient().await;
    let child = child(&ada, "2019-09-01").await;
    let slots = app.lyon_slots().await;
    let hers = book(&ada, &slots[0]).await.expect(201);
    let theirs = book_for(&ada, &child, &slots[8]).await.expect(201);
    let held = ada.post_with_key("/v1/holds", &json!({"slot": slots[16]["slot"]}), "k").await.expect(201);
    let (_, all) = feed(&ada, &json!({"label": "Téléphone"})).await;
    let (_, of_child) = feed(&ada, &json!({"patient": child})).await;
    let text = calendar(&app, &all).await;
    let booked = |visit: &Value| (named(visit), 1, "CONFIRMED".to_owned());
    assert_eq!(visits(&text), [booked(&hers), booked(&theirs)]);
    assert_eq!(seen(&app, &of_child).await, [booked(&theirs)]);
    for visit in [&hers, &theirs, &held] {
        for field in [
            "practitioner",
            "practitioner_name",
            "site",
            "site_name",
            "site_address",
            "reason",
            "reason_label",
            "patient",
        ] {
            let words = visit[field].as_str().unwrap();
            assert!(!text.contains(words), "{field}: {text}");
        }
    }
    for absent in ["Ada", "Exemple", "Noé", "famille.example", "ATTENDEE", "DESCRIPTION", "LOCATION", "Téléphone"] {
        assert!(!text.contains(absent), "{absent}: {text}");
    }
    assert_eq!(text.matches("SUMMARY:Rendez-vous\r\n").count(), 2);
    assert_eq!(text.matches("CLASS:PRIVATE\r\n").count(), 2);
    assert!(text.contains("X-WR-CALNAME:Rendez-vous\r\n") && text.contains("REFRESH-INTERVAL;VALUE=DURATION:PT1H\r\n"));
    // In the language of the account, whatever the program speaks.
    let eve = app.patient_named("eve@family.example", "en-GB").await;
    let (_, path) = feed(&eve, &json!({})).await;
    assert!(calendar(&app, &path).await.contains("X-WR-CALNAME:Appointments\r\n"));
}

#[tokio::test]
async fn equal_visits_have_one_tag_and_a_program_that_has_them_is_told_so() {
    let app = App::start().await;
    let ada = app.patient().await;
    let slots = app.lyon_slots().await;
    let visit = book(&ada, &slots[0]).await.expect(201);
    let (_, path) = feed(&ada, &json!({})).await;
    let first = read(&app, &path, &[("accept-language", "en")]).await;
    let known = tag(&first);
    let header = |name: &str| first.headers[name].to_str().unwrap().to_owned();
    assert!(known.starts_with('"') && known.ends_with('"') && known.len() > 40, "strong: {known}");
    assert_eq!(header("content-type"), "text/calendar; charset=utf-8");
    assert_eq!(header("cache-control"), "private, no-cache");
    assert_eq!(header("content-disposition"), "inline; filename=\"rendez-vous.ics\"");
    assert_eq!(header("referrer-policy"), "no-referrer");
    // Hours later, and of another program: the same bytes.
    app.later(SignedDuration::from_hours(7));
    let again = read(&app, &path, &[]).await;
    assert_eq!((tag(&again), again.bytes), (known.clone(), first.bytes.clone()));
    let lists = [format!("\"x\", W/{known}"), format!("W/{known}"), format!("\"a,b\",{known}, \"c\"")];
    for has in lists.iter().map(String::as_str).chain([known.as_str(), "*"]) {
        let answer = read(&app, &path, &[("if-none-match", has)]).await;
        assert_eq!((answer.status.as_u16(), answer.bytes.len(), tag(&answer)), (304, 0, known.clone()), "{has}");
        assert_eq!(answer.headers["cache-control"], "private, no-cache");
    }
    let lines = read(&app, &path, &[("if-none-match", "\"x\""), ("if-none-match", &known)]).await;
    assert_eq!(lines.status, 304, "two lines are one list");
    for other in ["\"x\"", "", &known.replace('"', "")] {
        assert_eq!(read(&app, &path, &[("if-none-match", other)]).await.status, 200, "{other}");
    }
    let request = app.nobody().request(Method::HEAD, &path).body(Body::empty()).unwrap();
    let head = app.nobody().send(request).await;
    assert_eq!((head.status.as_u16(), tag(&head), head.bytes.len()), (200, known.clone(), 0));
    assert_eq!(head.headers["content-length"], first.bytes.len().to_string().as_str());

    // What happens to a visit makes another calendar, under the same name with the next number.
    let ada = ada.clone().bearing(&app.fresh_token(&ada).await);
    let to = json!({"slot": slots[40]["slot"]});
    ada.post(&format!("/v1/appointments/{}/move", named(&visit)), &to).await.expect(200);
    let moved = read(&app, &path, &[("if-none-match", &known)]).await;
    assert_eq!(moved.status, 200);
    assert_ne!(tag(&moved), known);
    assert_eq!(seen(&app, &path).await, [(named(&visit), 2, "CONFIRMED".into())]);
    cancel(&ada, &visit).await;
    assert_eq!(seen(&app, &path).await, [(named(&visit), 3, "CANCELLED".into())]);
    assert!(calendar(&app, &path).await.contains("TRANSP:TRANSPARENT\r\n"));
    app.later(SignedDuration::from_hours(29 * 24));
    assert_eq!(seen(&app, &path).await.len(), 1, "for a program that looks once a month");
    app.later(SignedDuration::from_hours(2 * 24));
    assert_eq!(seen(&app, &path).await, []);
}

#[tokio::test]
async fn past_visits_stay_for_a_while_and_then_go() {
    let app = App::start().await;
    let ada = app.patient().await;
    book(&ada, &app.lyon_slots().await[0]).await.expect(201);
    let (_, path) = feed(&ada, &json!({})).await;
    app.at("2026-05-31T00:00:00Z");
    assert_eq!(seen(&app, &path).await.len(), 1);
    app.at("2026-06-10T00:00:00Z");
    assert_eq!(seen(&app, &path).await, []);
}

#[tokio::test]
async fn an_address_is_told_once_and_one_that_was_revoked_never_was() {
    let app = App::start().await;
    let (ada, ben) = (app.patient().await, app.patient().await);
    let (id, path) = feed(&ada, &json!({"label": "  Tablette de la cuisine "})).await;
    calendar(&app, &path).await;
    let list = ada.get("/v1/calendar-feeds").await.expect(200);
    let expected = json!([{"id": id, "label": "Tablette de la cuisine", "patient": null,
                           "created_at": list["items"][0]["created_at"], "last_read_on": "2026-03-02"}]);
    assert_eq!(list["items"], expected);
    let row = app.sql("select to_jsonb(f) from calendar_feed f").await[0].to_string();
    let token = path.rsplit('/').next().unwrap().strip_suffix(".ics").unwrap();
    assert!(!row.contains(token) && !row.contains("cuisine"), "{row}");
    assert!(row.contains(&runtime::keys::digest(token.as_bytes())), "{row}");
    // It is somebody's own.
    assert_eq!(ben.get("/v1/calendar-feeds").await.expect(200)["items"], json!([]));
    let revocation = format!("/v1/calendar-feeds/{id}/revocation");
    assert_eq!(ben.post(&revocation, &json!({})).await.problem(404), "not-found");
    calendar(&app, &path).await;

    for _ in 0..2 {
        assert_eq!(ada.post(&revocation, &json!({})).await.status, 204);
    }
    let gone = read(&app, &path, &[]).await;
    assert_eq!(gone.problem(404), "not-found");
    let last = if token.ends_with('A') { 'E' } else { 'A' };
    let other = format!("/v1/calendar-feeds/content/{}{last}", &token[..token.len() - 1]);
    for unknown in [
        format!("{other}.ics"),
        other,
        format!("/v1/calendar-feeds/content/{token}"),
        "/v1/calendar-feeds/content/.ics".into(),
    ] {
        let answer = read(&app, &unknown, &[]).await;
        assert_eq!((answer.status, &answer.body), (gone.status, &gone.body), "{unknown}");
        assert_eq!(answer.headers["cache-control"], gone.headers["cache-control"]);
    }
    assert_eq!(ada.get("/v1/calendar-feeds").await.expect(200)["items"], json!([]));
    // Its row goes later, and what it was called at once.
    assert_eq!(app.count("select count(*) from calendar_feed where label is null").await, 1);
    app.later(SignedDuration::from_hours(91 * 24));
    app.settle().await;
    assert_eq!(app.count("select count(*) from calendar_feed").await, 0);
}

#[tokio::test]
async fn a_right_that_ended_empties_the_feed() {
    let app = App::start().await;
    let (ada, ben) = (app.patient().await, app.patient().await);
    let child = child(&ada, "2019-09-01").await;
    let refused = ben.post("/v1/calendar-feeds", &json!({"patient": child})).await;
    assert_eq!((refused.problem(404), &refused.body["field"]), ("not-found", &json!("patient")));
    let guardianship = bring_in(&ada, &ben, &child, &["book"]).await;
    let slots = app.lyon_slots().await;
    book_for(&ada, &child, &slots[0]).await.expect(201);
    let (_, all) = feed(&ben, &json!({})).await;
    let (_, one) = feed(&ben, &json!({"patient": child})).await;
    assert_eq!((seen(&app, &all).await.len(), seen(&app, &one).await.len()), (1, 1));
    let rights = format!("/v1/guardianships/{guardianship}/rights");
    ada.post(&rights, &json!({"rights": ["documents"]})).await.expect(200);
    assert_eq!((seen(&app, &all).await.len(), seen(&app, &one).await.len()), (0, 0));
    assert!(calendar(&app, &one).await.contains("BEGIN:VTIMEZONE"), "a calendar still");
    ada.post(&rights, &json!({"rights": ["book"]})).await.expect(200);
    assert_eq!(seen(&app, &one).await.len(), 1);
    ada.post(&format!("/v1/guardianships/{guardianship}/end"), &json!({})).await.expect(200);
    assert_eq!((seen(&app, &all).await.len(), seen(&app, &one).await.len()), (0, 0));

    // An account that is suspended sees nothing, and one that is closed has no address.
    let (_, hers) = feed(&ada, &json!({})).await;
    assert_eq!(seen(&app, &hers).await.len(), 1);
    let state = |state: &'static str| {
        sqlx::query("update account set state = $1 where email_lookup = $2")
            .bind(state)
            .bind(app.email_lookup(&ada.email))
    };
    state("suspended").execute(app.pool()).await.unwrap();
    assert_eq!(seen(&app, &hers).await, []);
    state("active").execute(app.pool()).await.unwrap();
    assert_eq!(seen(&app, &hers).await.len(), 1);
    ben.post("/v1/accounts/closure", &json!({"password": "une phrase assez longue"})).await.expect(204);
    assert_eq!(read(&app, &all, &[]).await.problem(404), "not-found");
}

#[tokio::test]
async fn what_a_minor_keeps_secret_stands_in_no_parents_feed() {
    let app = App::start().await;
    let ada = app.patient().await;
    let child = child(&ada, "2010-05-01").await;
    let zoe = young(&app, &ada, &child, "2010-05-01").await;
    prove_identity(&app, &zoe, &child).await;
    let slots = app.slots_with("nolwenn-le-bihannic").await;
    let wish = json!({"slot": slots[0]["slot"], "patient": child, "secret": true});
    let secret = zoe.post_with_key("/v1/appointments", &wish, "s").await.expect(201);
    let open = book_for(&zoe, &child, &slots[8]).await.expect(201);
    let (_, hers) = feed(&zoe, &json!({})).await;
    let names = |visits: Vec<(String, i64, String)>| visits.into_iter().map(|visit| visit.0).collect::<Vec<_>>();
    assert_eq!(names(seen(&app, &hers).await), [named(&secret), named(&open)]);
    for wish in [json!({}), json!({"patient": child})] {
        let (_, parents) = feed(&ada, &wish).await;
        assert_eq!(names(seen(&app, &parents).await), [named(&open)]);
    }
    let (_, parents) = feed(&ada, &json!({})).await;
    let before = read(&app, &parents, &[]).await;
    cancel(&zoe, &secret).await;
    assert_eq!(tag(&read(&app, &parents, &[]).await), tag(&before), "nor does anything tell that it was called off");
}

#[tokio::test]
async fn a_feed_is_worth_no_more_than_the_session_that_made_it() {
    let app = App::start().await;
    let ada = app.patient().await;
    book(&ada, &app.lyon_slots().await[0]).await.expect(201);
    let (_, before) = feed(&ada, &json!({})).await;
    assert_eq!(seen(&app, &before).await.len(), 1);
    with_app(&app, &ada).await;
    assert_eq!(seen(&app, &before).await, [], "made with one factor, of an account that has two");
    let (_, after) = feed(&ada, &json!({})).await;
    assert_eq!(seen(&app, &after).await.len(), 1);
    // What ends every session, since the account may have been in other hands, ends feeds too.
    let account = ada.get("/v1/accounts/me").await.expect(200)["id"].clone();
    let lost = json!({"account": account, "evidence": "identity-document"});
    app.staff("operator").await.post("/v1/second-factors/reset", &lost).await.expect(200);
    for path in [before, after] {
        assert_eq!(read(&app, &path, &[]).await.problem(404), "not-found");
    }
}

#[tokio::test]
async fn a_feed_that_an_intruder_made_ends_with_the_password_that_let_them_in() {
    let app = App::start().await;
    let (ada, ben) = (app.patient().await, app.patient().await);
    book(&ada, &app.lyon_slots().await[0]).await.expect(201);
    let session = json!({"email": ada.email, "password": "une phrase assez longue"});
    let pair = app.nobody().post("/v1/sessions", &session).await.expect(201);
    let intruder = app.nobody().bearing(pair["access_token"].as_str().unwrap());
    let (_, theirs) = feed(&intruder, &json!({})).await;
    let (_, of_ben) = feed(&ben, &json!({})).await;
    assert_eq!(seen(&app, &theirs).await.len(), 1);
    let change = json!({"current_password": "une phrase assez longue", "password": "une autre phrase bien longue"});
    ada.post("/v1/accounts/password", &change).await.expect(204);
    assert_eq!(read(&app, &theirs, &[]).await.problem(404), "not-found");
    assert_eq!(ada.get("/v1/calendar-feeds").await.expect(200)["items"], json!([]));
    // Hers, which she makes anew, and anybody else's go on.
    let (_, mine) = feed(&ada, &json!({})).await;
    assert_eq!(seen(&app, &mine).await.len(), 1);
    seen(&app, &of_ben).await;
}

#[tokio::test]
async fn a_practitioner_reads_their_agenda_here_and_nothing_of_any_patient() {
    let app = App::start().await;
    let ada = app.patient().await;
    let visit = book(&ada, &app.slots_with("nolwenn-le-bihannic").await[0]).await.expect(201);
    let nolwenn = app.practitioner_of_pentes("nolwenn-le-bihannic").await;
    let etienne = app.practitioner_of_pentes("etienne-bouvarel").await;
    let (_, path) = feed(&nolwenn, &json!({"label": "Cabinet"})).await;
    let (_, next_door) = feed(&etienne, &json!({})).await;
    let text = calendar(&app, &path).await;
    assert_eq!(visits(&text), [(named(&visit), 1, "CONFIRMED".into())]);
    for absent in [ada.patient.as_str(), "Ada", "Exemple", visit["reason_label"].as_str().unwrap()] {
        assert!(!text.contains(absent), "{text}");
    }
    assert_eq!(seen(&app, &next_door).await, []);
    assert_eq!(nolwenn.get("/v1/calendar-feeds").await.expect(200)["items"][0]["label"], "Cabinet");
    let of_patient = nolwenn.post("/v1/calendar-feeds", &json!({"patient": ada.patient})).await;
    assert_eq!((of_patient.problem(422), &of_patient.body["field"]), ("field-invalid", &json!("patient")));
    let secretary = app.staff("secretary-pentes").await;
    assert_eq!(secretary.post("/v1/calendar-feeds", &json!({})).await.problem(403), "forbidden");

    // Elsewhere she has another agenda; as a patient, none.
    let elsewhere = "insert into membership (id, account_id, establishment_id, role, practitioner_id, since)
        select $1, account_id, $2, role, practitioner_id, since from membership
        where practitioner_id = $3 and account_id in (select account_id from calendar_feed) returning account_id";
    let (membership, practitioner) = (Uuid::now_v7(), id("practitioner", "nolwenn-le-bihannic"));
    let account: Uuid = sqlx::query_scalar(elsewhere)
        .bind(membership)
        .bind(id("establishment", "confluent"))
        .bind(practitioner)
        .fetch_one(app.pool())
        .await
        .unwrap();
    let there = app.acting(account, "practitioner", Some(membership), 2).await;
    let (_, path_there) = feed(&there, &json!({})).await;
    assert_eq!(seen(&app, &path_there).await, []);
    assert_eq!(there.get("/v1/calendar-feeds").await.expect(200)["items"].as_array().unwrap().len(), 1);
    let at_home = app.acting(account, "patient", None, 2).await;
    assert_eq!(at_home.get("/v1/calendar-feeds").await.expect(200)["items"], json!([]));

    // Shut out, and let in again.
    let shut_out = "insert into block (patient_id, practitioner_id, since) values ($1::text::uuid, $2, '2026-03-01')";
    sqlx::query(shut_out).bind(&ada.patient).bind(practitioner).execute(app.pool()).await.unwrap();
    assert_eq!(seen(&app, &path).await, []);
    sqlx::query("delete from block").execute(app.pool()).await.unwrap();
    assert_eq!(seen(&app, &path).await.len(), 1);
    // Until she works here no more.
    let ended = "update membership set until = '2026-03-02T08:00:00Z' where account_id = $1";
    sqlx::query(ended).bind(account).execute(app.pool()).await.unwrap();
    assert_eq!(seen(&app, &path).await, []);
}

#[tokio::test]
async fn of_twenty_feeds_asked_for_at_once_ten_are_made() {
    let app = App::start().await;
    let (ada, nothing) = (app.patient().await, json!({}));
    let answers = join_all((0..20).map(|_| ada.post("/v1/calendar-feeds", &nothing))).await;
    let (made, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.status == 201);
    assert_eq!((made.len(), refused.len()), (10, 10));
    for answer in &refused {
        assert_eq!((answer.problem(409), &answer.body["most"]), ("too-many-feeds", &json!(10)));
    }
    let tokens: std::collections::BTreeSet<&str> =
        made.iter().map(|answer| answer.body["url"].as_str().unwrap()).collect();
    assert_eq!(tokens.len(), 10);
    // One that goes makes room for one, however often it is said.
    let revocation = format!("/v1/calendar-feeds/{}/revocation", named(&made[3].body));
    join_all((0..5).map(|_| ada.post(&revocation, &nothing))).await;
    let answers = join_all((0..5).map(|_| ada.post("/v1/calendar-feeds", &nothing))).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 1);
    assert_eq!(ada.get("/v1/calendar-feeds").await.expect(200)["items"].as_array().unwrap().len(), 10);
}

#[tokio::test]
async fn a_feed_that_is_revoked_while_it_is_read_is_read_by_nobody_after_that() {
    let app = App::start().await;
    let ada = app.patient().await;
    book(&ada, &app.lyon_slots().await[0]).await.expect(201);
    let (id, path) = feed(&ada, &json!({})).await;
    let reading = join_all((0..40).map(async |_| read(&app, &path, &[]).await.status.as_u16()));
    let revoking = async {
        assert_eq!(ada.post(&format!("/v1/calendar-feeds/{id}/revocation"), &json!({})).await.status, 204);
        join_all((0..10).map(async |_| read(&app, &path, &[]).await.status.as_u16())).await
    };
    let (during, after) = tokio::join!(reading, revoking);
    assert!(during.iter().all(|status| [200, 404].contains(status)), "{during:?}");
    assert!(after.iter().all(|status| *status == 404), "{after:?}");
}

#[tokio::test]
async fn the_first_reading_of_a_day_is_on_record_for_each_patient_of_a_family() {
    let app = App::start().await;
    let ada = app.patient().await;
    let child = child(&ada, "2019-09-01").await;
    let slots = app.slots_with("nolwenn-le-bihannic").await;
    book(&ada, &slots[0]).await.expect(201);
    book_for(&ada, &child, &slots[8]).await.expect(201);
    let (_, hers) = feed(&ada, &json!({})).await;
    let nolwenn = app.practitioner_of_pentes("nolwenn-le-bihannic").await;
    let (_, agenda) = feed(&nolwenn, &json!({})).await;
    let lines = "select count(*) from audit where event = 'calendar-feed.read'";
    for _ in 0..3 {
        join_all((0..5).map(async |_| (read(&app, &hers, &[]).await.status, read(&app, &agenda, &[]).await.status)))
            .await;
    }
    assert_eq!(app.count(lines).await, 3, "two patients, one agenda");
    let log = ada.get(&format!("/v1/me/access-log?patient={child}")).await.expect(200);
    let line = log["items"].as_array().unwrap().iter().find(|line| line["event"] == "calendar-feed.read").unwrap();
    assert_eq!((&line["what"], &line["who"]["kind"]), (&json!("Lecture des horaires par un agenda"), &json!("you")));
    app.later(SignedDuration::from_hours(24));
    read(&app, &hers, &[]).await;
    assert_eq!(app.count(lines).await, 5);
    // What nobody has leaves none: a program asks for a revoked address for years.
    read(&app, "/v1/calendar-feeds/content/x.ics", &[]).await.problem(404);
    assert_eq!(
        app.count("select count(*) from audit where event like 'calendar-feed%' and outcome <> 'success'").await,
        0
    );
}

#[tokio::test]
async fn a_parent_who_left_finds_their_own_way_of_reading_ended() {
    let app = App::start().await;
    let (ada, ben) = (app.patient().await, app.patient().await);
    let child = child(&ada, "2019-09-01").await;
    bring_in(&ada, &ben, &child, &["book", "documents"]).await;
    book_for(&ada, &child, &app.lyon_slots().await[0]).await.expect(201);
    let (_, path) = feed(&ben, &json!({"patient": child})).await;
    assert_eq!(seen(&app, &path).await.len(), 1);
    let own = own(&ben, &child).await;
    ben.post(&format!("/v1/guardianships/{own}/end"), &json!({})).await.expect(200);
    assert_eq!(seen(&app, &path).await, []);
}

/// Every statement of the function.
pub async fn walk(app: &App) {
    let ada = app.patient().await;
    let (id, path) = feed(&ada, &json!({"label": "x"})).await;
    ada.get("/v1/calendar-feeds").await.expect(200);
    calendar(app, &path).await;
    ada.post(&format!("/v1/calendar-feeds/{id}/revocation"), &json!({})).await.expect(204);
}
