//! Programs that others wrote read a feed from a real port: icalendar, khal, and vdirsyncer, which copies it to a server of calendars.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{cancel, feed, named, tag};
use crate::support::app::book;
use crate::support::calendars::Programs;
use crate::support::{App, Client, database};

const SITE: &str = "https://carnet.example";

/// Somebody with visits in Lyon, on both sides of the change to summer, and on La Réunion.
async fn with_visits(app: &App) -> (Client, Vec<Value>, String) {
    let ada = app.patient().await;
    let mut visits = vec![];
    for query in ["place=Lyon&from=2026-03-26", "place=Lyon&from=2026-03-31", "place=Saint-Denis&from=2026-04-02"] {
        let slots = app.slots(&format!("{query}&channel=in_person&limit=40")).await;
        // The patient may be busy at one.
        for slot in &slots {
            let booked = book(&ada, slot).await;
            if booked.status == 201 {
                visits.push(booked.body);
                break;
            }
        }
    }
    assert_eq!(visits.len(), 3);
    let (_, path) = feed(&ada, &json!({})).await;
    (ada, visits, path)
}

fn utc(visit: &Value, field: &str) -> Value {
    let instant: domain::Timestamp = visit[field].as_str().unwrap().parse().unwrap();
    json!(instant.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
}

fn sorted(mut starts: Vec<String>) -> Vec<String> {
    starts.sort();
    starts
}

#[tokio::test(flavor = "multi_thread")]
async fn icalendar_reads_every_instant_by_the_name_of_the_zone_and_by_the_rules_of_the_feed() {
    let app = App::on(database::fresh().await, &[("PUBLIC_URL", SITE)]).await;
    let (ada, visits, path) = with_visits(&app).await;
    let bytes = super::read(&app, &path, &[]).await.bytes;
    let read = tokio::task::spawn_blocking(move || Programs::new("icalendar").read(&bytes)).await.unwrap();
    assert_ne!(read[0]["version"], read[1]["version"]);
    for calendar in &read {
        assert_eq!((&calendar["name"], &calendar["method"]), (&json!("Rendez-vous"), &json!("PUBLISH")));
        assert_eq!(calendar["zones"], json!(["Europe/Paris", "Indian/Reunion"]));
        let events = calendar["events"].as_array().unwrap();
        assert_eq!(events.len(), 3);
        for visit in &visits {
            let uid = json!(format!("{}@carnet.example", named(visit)));
            let event = events.iter().find(|event| event["uid"] == uid).unwrap();
            for (name, field) in [("starts", "starts_at"), ("ends", "ends_at")] {
                assert_eq!(event[name], json!({"named": utc(visit, field), "ruled": utc(visit, field)}));
            }
            let said = json!([event["sequence"], event["status"], event["summary"], event["class"]]);
            assert_eq!(said, json!([1, "CONFIRMED", "Rendez-vous", "PRIVATE"]));
        }
    }
    // One without visits is a calendar too.
    for visit in &visits {
        cancel(&ada, visit).await;
    }
    app.at("2026-04-20T08:00:00Z");
    let bytes = super::read(&app, &path, &[]).await.bytes;
    let read = tokio::task::spawn_blocking(move || Programs::new("icalendar").read(&bytes)).await.unwrap();
    for calendar in read {
        assert_eq!((&calendar["events"], &calendar["zones"]), (&json!([]), &json!(["Europe/Paris"])));
    }
}

const KHAL: &str = "[calendars]\n[[visits]]\npath = {}/visits\n[locale]\nlocal_timezone = Europe/Paris\n\
    default_timezone = Europe/Paris\ntimeformat = %H:%M\ndateformat = %Y-%m-%d\nlongdateformat = %Y-%m-%d\n\
    datetimeformat = %Y-%m-%d %H:%M\nlongdatetimeformat = %Y-%m-%d %H:%M\n[sqlite]\npath = {}/khal.db\n\
    [default]\ndefault_calendar = visits\n";

#[tokio::test(flavor = "multi_thread")]
async fn khal_lists_visits_at_their_local_time_and_takes_what_was_cancelled_under_the_same_name() {
    let app = App::on(database::fresh().await, &[("PUBLIC_URL", SITE)]).await;
    let (ada, visits, path) = with_visits(&app).await;
    let programs = Arc::new(tokio::task::spawn_blocking(|| Programs::new("khal")).await.unwrap());
    let list = async || {
        let (bytes, programs) = (super::read(&app, &path, &[]).await.bytes, programs.clone());
        tokio::task::spawn_blocking(move || {
            let here = programs.directory.to_string_lossy().into_owned();
            std::fs::create_dir_all(programs.directory.join("visits")).unwrap();
            let settings = programs.write("khal.conf", &KHAL.replace("{}", &here));
            let calendar = programs.write("feed.ics", std::str::from_utf8(&bytes).unwrap());
            programs.run("khal", &["-c", &settings, "import", "--batch", "-a", "visits", &calendar]);
            let format = "{start-long-full} {uid} {title}{status}";
            let list = ["-c", &settings, "list", "--format", format, "--day-format", "", "2026-03-01", "60d"];
            let said = programs.run("khal", &list);
            said.lines().map(|line| line.trim().to_owned()).filter(|line| !line.is_empty()).collect::<Vec<_>>()
        })
        .await
        .unwrap()
    };
    let line = |visit: &Value, status: &str| {
        let starts: domain::Timestamp = visit["starts_at"].as_str().unwrap().parse().unwrap();
        let paris: domain::zone::Zone = "Europe/Paris".parse().unwrap();
        let local = paris.local(starts).strftime("%Y-%m-%d %H:%M").to_string();
        format!("{local} {}@carnet.example Rendez-vous{status}", named(visit))
    };
    let expected = |status: &str| {
        sorted(
            visits
                .iter()
                .enumerate()
                .map(|(n, visit)| line(visit, if n == 1 { status } else { "CONFIRMED" }))
                .collect(),
        )
    };
    assert_eq!(sorted(list().await), expected("CONFIRMED"));
    cancel(&ada, &visits[1]).await;
    assert_eq!(sorted(list().await), expected("CANCELLED"));
}

/// Of a pair of one feed and one collection.
fn pair(directory: &str, feed: &str, server: &str) -> String {
    format!(
        "[general]\nstatus_path = \"{directory}/status/\"\n[pair visits]\na = \"feed\"\nb = \"server\"\ncollections = null\n\
         conflict_resolution = \"a wins\"\n[storage feed]\ntype = \"http\"\nurl = \"{feed}\"\n[storage server]\ntype = \"caldav\"\n\
         url = \"http://{server}/ada/visits/\"\nusername = \"ada\"\npassword = \"x\"\n"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn vdirsyncer_copies_a_feed_to_a_caldav_server_and_brings_it_what_changed() {
    let app = App::on(database::fresh().await, &[("PUBLIC_URL", SITE)]).await;
    let (ada, visits, path) = with_visits(&app).await;
    let url = format!("{}{path}", app.listen().await);
    let (programs, server, settings) = tokio::task::spawn_blocking(move || {
        let programs = Programs::new("vdirsyncer");
        let server = programs.server();
        let made = server.ask("MKCALENDAR", "/ada/visits/");
        assert!(made.contains(" 201 "), "{made}");
        let here = programs.directory.to_string_lossy().into_owned();
        let settings = programs.write("vdirsyncer.conf", &pair(&here, &url, &server.address));
        programs.run("vdirsyncer", &["-c", &settings, "discover"]);
        (programs, server, settings)
    })
    .await
    .unwrap();
    let programs = Arc::new((programs, server, settings));
    // Start, as the library reads it by name and by the rules that came through, with the status.
    let synchronised = async || {
        let programs = programs.clone();
        let read = tokio::task::spawn_blocking(move || {
            let (programs, server, settings) = &*programs;
            programs.run("vdirsyncer", &["-c", settings, "sync"]);
            programs.read(server.calendar("/ada/visits/").as_bytes())
        });
        let [calendar, _] = read.await.unwrap();
        let events = calendar["events"].as_array().unwrap().clone();
        sorted(events.iter().map(|event| format!("{} {}", event["starts"], event["status"])).collect())
    };
    let expected = |visit: &Value, status: &str| {
        let start = utc(visit, "starts_at");
        format!("{} {}", json!({"named": start, "ruled": start}), json!(status))
    };
    let all = sorted(visits.iter().map(|visit| expected(visit, "CONFIRMED")).collect());
    assert_eq!(synchronised().await, all);
    let before = tag(&super::read(&app, &path, &[]).await);

    cancel(&ada, &visits[0]).await;
    let field = |name: &str| visits[1][name].as_str().unwrap();
    let agenda = format!("practitioner={}&reason={}&site={}", field("practitioner"), field("reason"), field("site"));
    let slots = app.slots(&format!("{agenda}&from=2026-04-07&limit=1")).await;
    let to = json!({"slot": slots[0]["slot"]});
    let moved = ada.post(&format!("/v1/appointments/{}/move", named(&visits[1])), &to).await.expect(200);
    assert_ne!(tag(&super::read(&app, &path, &[]).await), before);
    let changed = [expected(&visits[0], "CANCELLED"), expected(&moved, "CONFIRMED"), expected(&visits[2], "CONFIRMED")];
    assert_eq!(synchronised().await, sorted(changed.to_vec()));
    // When all is as it was, nothing is written.
    assert_eq!(synchronised().await, sorted(changed.to_vec()));
}
