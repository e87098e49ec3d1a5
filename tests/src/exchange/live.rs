//! The adapters against servers that are really there, where the environment names one: `just test-exchange-live`. What is made there is taken
//! away again, also what an earlier run left.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use axum::http::Uri;
use domain::ids::AppointmentId;
use domain::sync::{Mirror, Tag, window};
use domain::{SignedDuration, Timestamp};
use exchange::auth::scheme::{Wanted, session};
use exchange::auth::tokens::{Authority, ClientCredentials, Credential, GRAPH};
use exchange::ews::session::{Basic, Session};
use exchange::ews::{Account, Event, Ews, Reach, ServerVersion};
use exchange::graph::{GLOBAL, Graph, Place};
use exchange::{Calendar, Transport, Why};
use runtime::clock::Clock;
use runtime::exchange::{Settings, Way};
use uuid::Uuid;

/// How long a server may take to tell of a change.
const PATIENCE: Duration = Duration::from_mins(2);

fn given(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// A variable that goes with one that is given.
fn wanted(name: &str) -> String {
    given(name).unwrap_or_else(|| panic!("{name} is wanted too"))
}

/// Without one the suite has nothing to say, which the recipe does not take for an answer.
fn absent(name: &str) {
    assert!(given("EXCHANGE_LIVE").is_none(), "{name} is not set");
    println!("{name} is not set: no live server was asked");
}

fn now() -> Timestamp {
    Clock::default().now()
}

fn way(authorities: Option<&str>) -> Arc<dyn Transport> {
    let authorities = authorities.map(|file| std::fs::read_to_string(file).expect("the authorities can be read"));
    Arc::new(Way::new(&Settings { networks: "0.0.0.0/0,::/0".parse().unwrap(), authorities }).unwrap())
}

/// The calendar over a session of its own, as another program would have one.
async fn ews(url: &str) -> Ews {
    let (user, password) = (wanted("EWS_TEST_USER"), wanted("EWS_TEST_PASSWORD"));
    let mailbox = given("EWS_TEST_MAILBOX").unwrap_or_else(|| user.clone());
    let (way, endpoint) = (way(given("EWS_TEST_CA").as_deref()), url.parse::<Uri>().unwrap());
    let in_clear = endpoint.scheme_str() == Some("http");
    let session: Arc<dyn Session> = match given("EWS_TEST_SIGN_IN").as_deref() {
        Some("basic") => Arc::new(Basic::new(way, endpoint, &user, &password).unwrap()),
        None if in_clear => Arc::new(Basic::new(way, endpoint, &user, &password).unwrap()),
        other => {
            let wanted = if other == Some("ntlm") { Wanted::Ntlm } else { Wanted::Auto };
            session(way, endpoint, wanted, (&user, &password), Arc::new(now), PATIENCE).await.unwrap().into()
        }
    };
    let reach = if mailbox.eq_ignore_ascii_case(&user) { Reach::Own } else { Reach::Impersonation };
    Ews::new(session, Account { mailbox, reach, version: ServerVersion::default() }).unwrap()
}

fn graph() -> Graph {
    let authority = Authority::entra(exchange::auth::tokens::ENTRA, &wanted("GRAPH_TEST_TENANT"), GRAPH).unwrap();
    let credential = Credential::Secret(wanted("GRAPH_TEST_SECRET"));
    let tokens = ClientCredentials::new(way(None), authority, wanted("GRAPH_TEST_CLIENT"), credential, Arc::new(now));
    let user = wanted("GRAPH_TEST_USER");
    let place = Place {
        base: GLOBAL.into(),
        user: user.clone(),
        address: user,
        calendar: None,
        time_zone: "Europe/Paris".into(),
    };
    Graph::new(way(None), Arc::new(tokens), place).unwrap()
}

/// The one appointment of these tests, in three days at a full hour.
fn mirror(hours: i64) -> Mirror {
    let hour = Timestamp::from_second(now().as_second() / 3600 * 3600).unwrap();
    let starts_at = hour + SignedDuration::from_hours(72 + hours);
    let appointment = AppointmentId::from_uuid(Uuid::from_u128(0x0195_0000_0000_7000_8000_0000_cafe_0001));
    Mirror {
        tag: Tag { appointment, generation: 1 },
        starts_at,
        ends_at: starts_at + SignedDuration::from_mins(30),
        time_zone: "Europe/Paris".into(),
        subject: "Rendez-vous".into(),
        location: "Cabinet d’essai « é »".into(),
    }
}

async fn clean(calendar: &dyn Calendar) {
    for item in calendar.find(mirror(0).tag).await.unwrap() {
        calendar.delete(&item.id, &item.version).await.unwrap();
    }
}

/// Made, heard of, edited by another program, called off.
async fn life(ours: &dyn Calendar, theirs: &dyn Calendar) {
    clean(ours).await;
    let window = window(now());
    let before = ours.changes(None, window).await.unwrap();
    assert!(before.whole || before.items.is_empty() || !before.cursor.0.is_empty());
    let made = ours.create(&mirror(0)).await.unwrap();
    // What we made comes back as we made it, once, and is known to be ours.
    let echo = ours.changes(Some(&before.cursor), window).await.unwrap();
    let seen: Vec<_> = echo.items.iter().filter(|item| item.id == made.id).collect();
    assert_eq!(seen.len(), 1, "the echo: {:?}", echo.unread);
    assert_eq!(seen[0].face, mirror(0).face());
    let found = ours.find(mirror(0).tag).await.unwrap();
    assert_eq!(found.iter().map(|item| &item.id).collect::<Vec<_>>(), [&made.id]);
    let read = ours.read(&made.id).await.unwrap().expect("it is there");
    assert_eq!((read.tag, read.face), (Some(mirror(0).tag), mirror(0).face()));
    let during = mirror(0).face().during().unwrap();
    let busy = ours.busy(during, Duration::from_secs(20)).await.unwrap();
    assert!(busy.iter().any(|taken| taken.overlaps(&during)), "it takes its time");
    // Another program moves it.
    let version = theirs.read(&made.id).await.unwrap().unwrap().version;
    theirs.update(&made.id, &version, &mirror(2)).await.unwrap();
    let edited = ours.changes(Some(&echo.cursor), window).await.unwrap();
    let seen = edited.items.iter().find(|item| item.id == made.id).expect("the edit is seen");
    assert!(seen.face.same_time(&mirror(2).face()));
    assert_ne!(seen.version, made.version);
    // What was decided on a state that is gone is refused; some servers that are not Exchange let it pass.
    match ours.update(&made.id, &made.version, &mirror(4)).await {
        Err(fault) => assert_eq!(fault.why, Why::Conflict),
        Ok(_) => println!("this server does not mind an old version"),
    }
    let last = ours.read(&made.id).await.unwrap().unwrap();
    ours.delete(&made.id, &last.version).await.unwrap();
    assert_eq!(ours.read(&made.id).await.unwrap(), None);
    assert_eq!(ours.find(mirror(0).tag).await.unwrap(), []);
    let gone = ours.changes(Some(&edited.cursor), window).await.unwrap();
    assert!(gone.items.iter().all(|item| item.id != made.id));
    assert!(gone.whole || gone.gone.contains(&made.id), "the deletion is told");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_item_lives_on_an_exchange_server() {
    let Some(url) = given("EWS_TEST_URL") else { return absent("EWS_TEST_URL") };
    life(&ews(&url).await, &ews(&url).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exchange_server_tells_of_changes_as_they_happen() {
    let Some(url) = given("EWS_TEST_URL") else { return absent("EWS_TEST_URL") };
    let (ours, theirs) = (ews(&url).await, ews(&url).await);
    let watch = ours.subscribe().await.unwrap();
    let mut heard = Vec::new();
    let mut hears = |event: Event| {
        let changed = matches!(event, Event::Changed(_));
        heard.push(event);
        if changed { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let change = async {
        tokio::time::sleep(Duration::from_secs(2)).await;
        let other = Mirror { tag: Tag { generation: 2, ..mirror(0).tag }, ..mirror(6) };
        let made = theirs.create(&other).await.unwrap();
        tokio::time::sleep(Duration::from_secs(1)).await;
        let last = theirs.read(&made.id).await.unwrap().unwrap();
        theirs.delete(&made.id, &last.version).await.unwrap();
    };
    let listening = tokio::time::timeout(PATIENCE, ours.listen(std::slice::from_ref(&watch), 3, &mut hears));
    let (listened, ()) = tokio::join!(listening, change);
    listened.expect("nothing was heard in time").unwrap();
    assert!(heard.iter().any(|event| matches!(event, Event::Changed(_))), "{heard:?}");
    ours.unsubscribe(&watch).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_item_lives_in_exchange_online() {
    if given("GRAPH_TEST_TENANT").is_none() {
        println!("GRAPH_TEST_TENANT is not set: Exchange Online was not asked");
        return;
    }
    life(&graph(), &graph()).await;
}
