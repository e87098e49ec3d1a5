//! Servers of a house's own tell of changes over connections that are held open: at once, and nothing is lost between two of them.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::http::Request;
use domain::SignedDuration;
use exchange_fakes::ews;
use exchange_fakes::mailbox::{Access, Fault, Parting, What};
use http_body_util::BodyExt as _;
use runtime::host::native::with_stop;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tower::ServiceExt as _;

use super::{ADDRESS, Beside, Event, WHOSE, during, path, server};
use crate::support::App;
use crate::support::app::book;

/// How long anything here may take: what is told is seen within seconds.
const SOON: Duration = Duration::from_secs(5);
/// How often it is looked.
const GLANCE: Duration = Duration::from_millis(20);
/// What another agenda's calendar is called there.
const OTHER: (&str, &str) = ("nolwenn-le-bihannic", "n.lebihannic@pentes.example");

/// A run of the function, as the clock begins one each minute.
struct Run {
    stop: watch::Sender<bool>,
    task: JoinHandle<(u16, Value)>,
}

impl Run {
    fn begin(app: &App) -> Self {
        let (stop, told) = watch::channel(false);
        let events = with_stop(app.gateway.app.events.clone(), &told);
        let task = tokio::spawn(async move {
            let request = Request::post("/_events/listen-exchange").body(Body::empty()).unwrap();
            let answer = events.oneshot(request).await.unwrap();
            let status = answer.status().as_u16();
            let body = answer.into_body().collect().await.unwrap().to_bytes();
            (status, serde_json::from_slice(&body).unwrap_or_default())
        });
        Self { stop, task }
    }

    /// Its process is told to stop, and it ends.
    async fn stops(self) -> Value {
        self.stop.send_replace(true);
        self.ends().await
    }

    async fn ends(self) -> Value {
        let (status, answer) = tokio::time::timeout(SOON, self.task).await.expect("it ends soon").unwrap();
        assert_eq!(status, 200, "{answer}");
        answer
    }
}

impl Beside {
    /// A server of the house's own, told more.
    async fn hearing(settings: ews::Settings, more: &[(&str, &str)]) -> Self {
        let server = server();
        server.add_mailbox(&settings.user);
        let access = json!({"kind": "ews", "user": settings.user, "password": settings.password, "sign_in": "basic",
                            "impersonation": true});
        let router = ews::router(server.clone(), settings);
        Self::with(server, router, access, more).await
    }

    /// Waits until a connection is held, the `count`th since the beginning.
    async fn heard_again(&self, count: usize) {
        let again = async || self.calls_of("GetStreamingEvents") == count && self.server.hanging() == 1;
        self.until(&format!("connection {count}"), again).await;
    }

    /// Waits until that many connections are held.
    async fn heard_over(&self, connections: usize) {
        self.until(&format!("{connections} connections"), async || self.server.hanging() == connections).await;
    }

    async fn until(&self, what: &str, is: impl AsyncFn() -> bool) {
        let began = Instant::now();
        while !is().await {
            assert!(began.elapsed() < SOON, "not in time: {what}");
            tokio::time::sleep(GLANCE).await;
        }
    }

    /// Carries events and nothing else: no clock reads anything.
    async fn carry(&self) {
        while self.app.event("deliver-outbox", Body::empty()).await.1["delivered"].as_u64().is_some_and(|some| some > 0)
        {
        }
    }

    /// Waits until so many times are taken by what is in calendars, events being carried and nothing polled.
    async fn sees(&self, blocks: i64) {
        self.until(&format!("{blocks} blocks"), async || {
            self.carry().await;
            self.app.count("select count(*) from exchange_block").await == blocks
        })
        .await;
    }

    /// The mailbox of somebody else beside their agenda.
    async fn another(&self, server: &Value) {
        self.server.add_mailbox(OTHER.1);
        let wish = json!({"server": server, "practitioner": gateway::fixtures::id("practitioner", OTHER.0), "address": OTHER.1});
        self.administrator.post("/v1/exchange-mailboxes", &wish).await.expect(201);
        self.app.settle().await;
    }

    fn asked_by(&self, mailbox: &str) -> usize {
        let state = self.server.state();
        state.calls.iter().filter(|call| call.operation == "Subscribe" && call.mailbox == mailbox).count()
    }

    async fn unheld(&self) -> bool {
        self.app.count("select count(*) from exchange_mailbox where listener is not null").await == 0
    }
}

const WISHES: &str = "select sum(wishes)::int8 from exchange_mailbox";

#[tokio::test]
async fn what_changes_in_a_calendar_is_seen_within_seconds_without_a_look() {
    let beside = Beside::on_premises().await;
    let mailbox = beside.connected().await;
    beside.another(&mailbox["server"]).await;
    let run = Run::begin(&beside.app);
    beside.heard_over(1).await;
    beside.carry().await;
    assert_eq!(beside.calls_of("Subscribe"), 2, "both over one connection");
    let desk = beside.desk(&mailbox).await;
    assert_eq!(desk["told_of_changes"], true);
    let slots = beside.app.slots_with(WHOSE).await;
    let least = "select min(wishes)::int8 from exchange_mailbox";
    let before = beside.app.count(least).await;
    let began = Instant::now();
    let theirs = beside.server.add(ADDRESS, Event::between("Réunion", during(&slots[2]))).unwrap();
    beside.sees(1).await;
    println!("a change was seen after {:?}", began.elapsed());
    let offered = beside.app.slots_with(WHOSE).await;
    assert!(offered.iter().all(|slot| slot["slot"] != slots[2]["slot"]));
    beside.server.remove(ADDRESS, &theirs).unwrap();
    beside.sees(0).await;
    assert_eq!(beside.app.count(least).await, before, "who is not concerned is not woken");
    // What we write ourselves is told as well, and changes nothing.
    book(&beside.app.patient().await, &slots[4]).await.expect(201);
    beside.carry().await;
    beside
        .until("it is at rest", async || {
            let before = beside.calls_of("SyncFolderItems");
            tokio::time::sleep(Duration::from_millis(600)).await;
            beside.carry().await;
            beside.calls_of("SyncFolderItems") == before
        })
        .await;
    assert_eq!((beside.events().len(), beside.app.count("select count(*) from exchange_block").await), (1, 0));
    let done = run.stops().await;
    assert_eq!((&done["connections"], &done["mailboxes"]), (&json!(1), &json!(2)));
    assert!(beside.unheld().await);
}

#[tokio::test]
async fn a_connection_that_the_server_closes_is_followed_by_another_and_nothing_between_them_is_lost() {
    let beside = Beside::on_premises().await;
    beside.connected().await;
    let run = Run::begin(&beside.app);
    beside.heard_over(1).await;
    beside.carry().await;
    let slots = beside.app.slots_with(WHOSE).await;
    let wishes = beside.app.count(WISHES).await;
    for count in 2..5 {
        beside.server.part(Parting::Closed);
        beside.heard_again(count).await;
    }
    assert_eq!(beside.calls_of("Subscribe"), 1, "the subscription goes on");
    assert_eq!(beside.app.count(WISHES).await, wishes, "nobody looks for nothing");
    // The end is told before what happens now.
    beside.server.part(Parting::Closed);
    beside.server.add(ADDRESS, Event::between("Réunion", during(&slots[2]))).unwrap();
    beside.sees(1).await;
    assert_eq!(beside.calls_of("Subscribe"), 1);
    run.stops().await;
}

#[tokio::test]
async fn a_connection_that_is_cut_rests_and_what_may_have_been_told_over_it_is_looked_for() {
    let beside = Beside::on_premises().await;
    beside.connected().await;
    let run = Run::begin(&beside.app);
    beside.heard_over(1).await;
    beside.carry().await;
    let slots = beside.app.slots_with(WHOSE).await;
    for (at, rest) in [5, 10, 20, 900].into_iter().enumerate() {
        if rest == 900 {
            // After many more.
            let failures = "update exchange_mailbox set listen_failures = 12";
            sqlx::query(failures).execute(beside.app.pool()).await.unwrap();
        }
        beside.server.part(Parting::Cut);
        beside.until("it is given back", async || beside.unheld().await).await;
        // Of what happens now nobody is told.
        beside.server.add(ADDRESS, Event::between("Réunion", during(&slots[4 * at]))).unwrap();
        // The clock goes on.
        beside.app.later(SignedDuration::from_secs(rest - 4));
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        assert_eq!(beside.server.hanging(), 0, "not before {rest} s");
        beside.app.later(SignedDuration::from_secs(4));
        beside.heard_over(1).await;
        beside.sees(i64::try_from(at).unwrap() + 1).await;
        assert_eq!(beside.calls_of("Subscribe"), at + 2);
    }
    // One that ends well begins anew.
    beside.server.part(Parting::Closed);
    beside.heard_again(6).await;
    let failures = "select listen_failures::int8 from exchange_mailbox";
    assert_eq!(beside.app.count(failures).await, 0);
    run.stops().await;
}

#[tokio::test]
async fn a_subscription_that_is_not_known_any_more_is_made_anew_and_everything_is_looked_at() {
    let beside = Beside::on_premises().await;
    let mailbox = beside.connected().await;
    beside.another(&mailbox["server"]).await;
    let run = Run::begin(&beside.app);
    beside.heard_over(1).await;
    beside.carry().await;
    let slots = beside.app.slots_with(WHOSE).await;
    beside.server.state().faults.push(Fault::once("GetStreamingEvents", What::LoseCursor));
    beside.server.part(Parting::Closed);
    beside.until("it is refused", async || beside.server.state().faults.is_empty() && beside.unheld().await).await;
    beside.server.add(ADDRESS, Event::between("Réunion", during(&slots[2]))).unwrap();
    beside.app.later(SignedDuration::from_secs(5));
    beside.heard_over(1).await;
    assert_eq!(beside.calls_of("Subscribe"), 4);
    beside.sees(1).await;
    run.stops().await;
}

#[tokio::test]
async fn of_two_processes_one_listens_and_the_other_takes_over_when_it_stops_or_is_gone() {
    let settings = ews::Settings::default();
    let server = server();
    server.add_mailbox(&settings.user);
    let access = json!({"kind": "ews", "user": settings.user, "password": settings.password, "sign_in": "basic", "impersonation": true});
    let beside = Beside::with(server.clone(), ews::router(server, settings), access, &[]).await;
    beside.connected().await;
    let other = App::on(beside.app.url.clone(), &[("EXCHANGE_NETWORKS", "127.0.0.0/8")]).await;
    let (first, second) = (Run::begin(&beside.app), Run::begin(&other));
    beside.heard_over(1).await;
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    assert_eq!((beside.server.hanging(), beside.calls_of("Subscribe")), (1, 1), "nobody listens twice");
    beside.carry().await;
    let slots = beside.app.slots_with(WHOSE).await;
    // One of them is told to stop, whichever has it; the other has it within a second or two.
    let listener = "select count(*) from exchange_mailbox where listener is not null";
    assert_eq!(beside.app.count(listener).await, 1);
    first.stops().await;
    beside.heard_over(1).await;
    beside.server.add(ADDRESS, Event::between("Réunion", during(&slots[2]))).unwrap();
    beside.sees(1).await;
    // The other is killed: its lease keeps everybody away until it is over, and then everything is looked at.
    second.task.abort();
    beside.heard_over(0).await;
    beside.server.add(ADDRESS, Event::between("Réunion", during(&slots[6]))).unwrap();
    let third = Run::begin(&beside.app);
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    assert_eq!(beside.server.hanging(), 0, "who was killed is not known to be gone");
    beside.app.later(SignedDuration::from_secs(181));
    beside.heard_over(1).await;
    beside.sees(2).await;
    third.stops().await;
    assert!(beside.unheld().await);
}

#[tokio::test]
async fn who_is_told_to_stop_hangs_up_at_once() {
    let beside = Beside::on_premises().await;
    beside.connected().await;
    let run = Run::begin(&beside.app);
    beside.heard_over(1).await;
    let began = Instant::now();
    run.stops().await;
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    beside.heard_over(0).await;
    assert!(beside.unheld().await);
    assert_eq!(beside.app.count("select count(*) from exchange_mailbox where watch is null").await, 1);
}

#[tokio::test]
async fn nothing_is_listened_to_where_that_is_switched_off_or_where_nobody_could_tell_anything() {
    let off = Beside::hearing(ews::Settings::default(), &[("EXCHANGE_LISTENING", "off")]).await;
    off.connected().await;
    let online = Beside::start().await;
    online.connected().await;
    for beside in [off, online] {
        let done = Run::begin(&beside.app).ends().await;
        assert_eq!((&done["connections"], beside.calls_of("Subscribe")), (&json!(0), 0));
    }
}

#[tokio::test]
async fn a_calendar_that_gives_no_subscription_is_asked_again_in_an_hour_and_read_meanwhile() {
    let beside = Beside::on_premises().await;
    let mailbox = beside.connected().await;
    beside.another(&mailbox["server"]).await;
    let refusal = What::Status(200, "ErrorSubscriptionDelegateAccessNotSupported");
    let fault = Fault { mailbox: Some(ADDRESS.into()), times: 100, ..Fault::once("Subscribe", refusal) };
    beside.server.state().faults.push(fault);
    let run = Run::begin(&beside.app);
    beside.heard_over(1).await;
    assert_eq!(beside.calls_of("Subscribe"), 2);
    assert_eq!(beside.desk(&mailbox).await["told_of_changes"], false);
    // The other is listened to all the same.
    let slots = beside.app.slots_with(OTHER.0).await;
    beside.server.add(OTHER.1, Event::between("Réunion", during(&slots[2]))).unwrap();
    beside.sees(1).await;
    beside.server.part(Parting::Closed);
    beside.heard_again(2).await;
    run.stops().await;
    beside.app.later(SignedDuration::from_mins(59));
    let run = Run::begin(&beside.app);
    beside.heard_again(3).await;
    run.stops().await;
    assert_eq!(beside.asked_by(ADDRESS), 1);
    beside.server.state().faults.clear();
    beside.app.later(SignedDuration::from_mins(2));
    let run = Run::begin(&beside.app);
    beside.heard_again(4).await;
    assert_eq!(beside.asked_by(ADDRESS), 2);
    assert_eq!(beside.desk(&mailbox).await["told_of_changes"], true);
    run.stops().await;
    // What is not listened to is due every five minutes.
    let slots = beside.app.slots_with(WHOSE).await;
    beside.carry().await;
    beside.tick().await;
    beside.server.add(ADDRESS, Event::between("Réunion", during(&slots[2]))).unwrap();
    beside.app.later(SignedDuration::from_mins(6));
    beside.tick().await;
    assert_eq!(beside.app.count("select count(*) from exchange_block").await, 2);
}

#[tokio::test]
async fn a_password_that_is_refused_is_tried_once_for_all_and_a_busy_server_is_left_alone_as_long_as_it_wants() {
    for (what, rest) in [(What::Status(401, "Unauthorized"), 900), (What::Throttled(Some(40)), 40)] {
        let beside = Beside::on_premises().await;
        let mailbox = beside.connected().await;
        beside.another(&mailbox["server"]).await;
        beside.server.state().faults.push(Fault { times: 100, ..Fault::once("Subscribe", what) });
        let run = Run::begin(&beside.app);
        beside.until("it is refused", async || beside.calls_of("Subscribe") == 1 && beside.unheld().await).await;
        beside.app.later(SignedDuration::from_secs(rest - 5));
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        assert_eq!(beside.calls_of("Subscribe"), 1, "{what:?}");
        beside.server.state().faults.clear();
        beside.app.later(SignedDuration::from_secs(5));
        beside.heard_over(1).await;
        assert_eq!(beside.calls_of("Subscribe"), 3, "{what:?}");
        run.stops().await;
    }
}

#[tokio::test]
async fn no_more_than_three_connections_are_held_to_a_server_and_who_is_left_over_waits_for_the_next() {
    let beside = Beside::on_premises().await;
    let mailbox = beside.connected().await;
    let run = Run::begin(&beside.app);
    beside.heard_over(1).await;
    // Others are held by other processes.
    let held = "insert into exchange_mailbox (id, server_id, establishment_id, practitioner_id, address, address_lookup, state, read_at,
                created_by, created_at, listener, listener_until)
                select gen_random_uuid(), server_id, establishment_id, p.id, '', '', 'paused', 'infinity', created_by, created_at,
                gen_random_uuid(), 'infinity'
                from exchange_mailbox m, (select id from practitioner order by id) p where p.id not in (m.practitioner_id, $1) limit 2";
    let other: uuid::Uuid = gateway::fixtures::id("practitioner", OTHER.0);
    sqlx::query(held).bind(other).execute(beside.app.pool()).await.unwrap();
    beside.another(&mailbox["server"]).await;
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    assert_eq!(beside.server.hanging(), 1, "three there are");
    // With the next connection both are heard of.
    beside.server.part(Parting::Closed);
    beside.heard_again(2).await;
    assert_eq!(beside.calls_of("Subscribe"), 2);
    let slots = beside.app.slots_with(OTHER.0).await;
    beside.server.add(OTHER.1, Event::between("Réunion", during(&slots[2]))).unwrap();
    beside.sees(1).await;
    run.stops().await;
}

#[tokio::test]
async fn two_hundred_mailboxes_are_heard_of_over_one_connection_and_those_beyond_over_another() {
    let beside = Beside::on_premises().await;
    let mailbox = beside.connected().await;
    // Their addresses do not open, so that nobody is asked about them.
    let many = "insert into exchange_mailbox (id, server_id, establishment_id, practitioner_id, address, address_lookup, state, read_at,
                created_by, created_at)
                select gen_random_uuid(), m.server_id, e.id, p.id, '', '', 'active', 'infinity', m.created_by, m.created_at
                from exchange_mailbox m, practitioner p, establishment e
                where (p.id, e.id) <> (m.practitioner_id, m.establishment_id) limit 200";
    sqlx::query(many).execute(beside.app.pool()).await.unwrap();
    let count = "select count(*) from exchange_mailbox";
    assert_eq!(beside.app.count(count).await, 201);
    let run = Run::begin(&beside.app);
    beside
        .until("all are taken up", async || beside.unheld().await && beside.desk(&mailbox).await["state"] == "active")
        .await;
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    let done = run.stops().await;
    assert_eq!(
        (&done["connections"], &done["mailboxes"]),
        (&json!(2), &json!(201)),
        "and none of them again before its time"
    );
}

#[tokio::test]
async fn a_mailbox_that_is_away_or_left_is_not_listened_to_any_more() {
    let beside = Beside::on_premises().await;
    let mailbox = beside.connected().await;
    beside.server.state().mailbox_mut(ADDRESS).unwrap().access = Access::Forbidden;
    beside.another(&mailbox["server"]).await;
    let run = Run::begin(&beside.app);
    // Whoever may asks for the connection.
    beside.heard_over(1).await;
    let slots = beside.app.slots_with(OTHER.0).await;
    beside.server.add(OTHER.1, Event::between("Réunion", during(&slots[2]))).unwrap();
    beside.sees(1).await;
    beside.administrator.post(&format!("{}/pause", path(&mailbox)), &json!({})).await.expect(200);
    run.stops().await;
    beside.app.later(SignedDuration::from_mins(16));
    let run = Run::begin(&beside.app);
    beside.heard_again(2).await;
    assert_eq!((beside.asked_by(ADDRESS), beside.asked_by(OTHER.1)), (1, 2), "who is paused is not asked for");
    run.stops().await;
}

/// Every statement of the function once: what it asked of the database.
pub async fn walk() -> BTreeSet<&'static str> {
    let beside = Beside::on_premises().await;
    beside.connected().await;
    let run = Run::begin(&beside.app);
    beside.heard_over(1).await;
    let slots = beside.app.slots_with(WHOSE).await;
    beside.server.add(ADDRESS, Event::between("Réunion", during(&slots[2]))).unwrap();
    beside.sees(1).await;
    beside.server.part(Parting::Closed);
    beside.heard_again(2).await;
    run.stops().await;
    beside.app.db.seen.lock().unwrap().clone()
}
