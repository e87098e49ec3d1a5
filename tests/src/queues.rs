//! PostgreSQL's queue and SQS bear the same tests, word for word.

use std::sync::Mutex;
use std::time::Duration;

use domain::SignedDuration;
use futures_util::future::BoxFuture;
use runtime::deliver::Deliver;
use runtime::events::{Event, Verdict};
use runtime::queue::{MOST_ATTEMPTS, Message, Outbox, Queue, Settlement, Sqs, carry};
use serde_json::json;
use store::pg::Pg;
use uuid::Uuid;

use crate::killing::Running;
use crate::support::app::book;
use crate::support::moto::Moto;
use crate::support::{App, database};

const CONSUMER: &str = "notify";
/// The shortest that SQS knows is a second.
const SHORT: SignedDuration = SignedDuration::from_secs(1);
const LONG: SignedDuration = SignedDuration::from_secs(60);

fn event() -> Event {
    serde_json::from_value(json!({
        "specversion": "1.0", "id": Uuid::now_v7(), "source": "/carnet", "type": "appointment.booked.v1",
        "subject": Uuid::now_v7(), "time": "2026-03-02T08:00:00Z", "datacontenttype": "application/json",
        "data": {"appointment": Uuid::now_v7(), "version": 1},
    }))
    .unwrap()
}

/// A message that somebody took once, and whose lease is nobody's any more.
pub fn taken() -> Message {
    Message {
        id: "0".into(),
        receipt: Uuid::now_v7().to_string(),
        consumer: CONSUMER.into(),
        attempts: 1,
        first_attempt_at: "2026-03-02T08:00:00Z".parse().unwrap(),
        event: Some(event()),
        unreadable: None,
    }
}

/// A consumer that answers what it is told to, takes its time, and remembers.
struct Consumer {
    verdict: Verdict,
    takes: Duration,
    seen: Mutex<Vec<Uuid>>,
}

impl Consumer {
    fn new(verdict: Verdict, takes: Duration) -> Self {
        Self { verdict, takes, seen: Mutex::default() }
    }

    fn seen(&self) -> usize {
        self.seen.lock().unwrap().len()
    }
}

impl Deliver for Consumer {
    fn deliver<'a>(&'a self, consumer: &'a str, event: &'a Event) -> BoxFuture<'a, Verdict> {
        Box::pin(async move {
            assert_eq!(consumer, CONSUMER);
            tokio::time::sleep(self.takes).await;
            self.seen.lock().unwrap().push(event.id);
            self.verdict
        })
    }
}

async fn pause(ms: u64) {
    tokio::time::sleep(Duration::from_millis(ms)).await;
}

async fn one(queue: &dyn Queue, lease: SignedDuration) -> Message {
    let mut messages = queue.receive(10, lease).await.unwrap();
    assert_eq!(messages.len(), 1, "{messages:?}");
    messages.remove(0)
}

async fn empty(queue: &dyn Queue) {
    assert_eq!(queue.receive(10, LONG).await.unwrap().len(), 0);
}

/// What every queue promises.
async fn contract(queue: &dyn Queue, put: impl AsyncFn(Event)) {
    empty(queue).await;
    let first = event();
    put(first.clone()).await;
    // Taken, it is nobody else's; renewed, for longer; then it is anybody's again.
    let taken = one(queue, SHORT).await;
    assert_eq!((taken.consumer.as_str(), taken.attempts, taken.event.as_ref()), (CONSUMER, 1, Some(&first)));
    empty(queue).await;
    queue.renew(std::slice::from_ref(&taken), SignedDuration::from_secs(2)).await.unwrap();
    pause(1300).await;
    empty(queue).await;
    pause(1200).await;
    let again = one(queue, LONG).await;
    assert_eq!((again.attempts, again.event.as_ref()), (2, Some(&first)));
    // Put off, it comes then and not before.
    queue.settle(vec![(again, Settlement::Later(queue.now() + SHORT))]).await.unwrap();
    pause(1500).await;
    let last = one(queue, SHORT).await;
    assert_eq!(last.attempts, 3);
    queue.settle(vec![(last, Settlement::Done)]).await.unwrap();
    pause(1300).await;
    empty(queue).await;

    // Told to stop, who carries brings to its end what is under way: it does not come again.
    put(event()).await;
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let slow = Consumer::new(Verdict::Done, Duration::from_millis(600));
    let told = async {
        pause(300).await;
        stop.send(true).unwrap();
    };
    let drain = Duration::from_secs(5);
    futures_util::future::join(runtime::queue::work(queue, &slow, SHORT, drain, stopped), told).await;
    assert_eq!(slow.seen(), 1);
    pause(1300).await;
    empty(queue).await;
    // A dead letter is seen as often as one looks, and comes back when an operator says so, as if for the first time.
    assert_eq!(queue.dead(10).await.unwrap().len(), 0);
    let second = event();
    put(second.clone()).await;
    let taken = one(queue, LONG).await;
    queue.settle(vec![(taken, Settlement::Dead("rejected"))]).await.unwrap();
    empty(queue).await;
    for _ in 0..2 {
        let dead = queue.dead(10).await.unwrap();
        assert_eq!((dead.len(), &dead[0]["event"]), (1, &json!(second.id)), "{dead:?}");
        assert_eq!(dead[0]["type"], "appointment.booked.v1");
    }
    assert!(!queue.redrive("4711").await.unwrap());
    let dead = queue.dead(10).await.unwrap();
    let id = dead[0]["id"].as_str().map_or_else(|| dead[0]["id"].to_string(), str::to_owned);
    assert!(queue.redrive(&id).await.unwrap());
    assert_eq!(queue.dead(10).await.unwrap().len(), 0);
    let back = one(queue, LONG).await;
    assert_eq!((back.attempts, back.event.as_ref()), (1, Some(&second)));
    queue.settle(vec![(back, Settlement::Done)]).await.unwrap();

    // Two workers at once are given different ones, and each once.
    for _ in 0..8 {
        put(event()).await;
    }
    let (some, others) = futures_util::future::join(queue.receive(4, LONG), queue.receive(4, LONG)).await;
    let mut all = some.unwrap();
    all.extend(others.unwrap());
    let mut ids: Vec<&str> = all.iter().map(|message| message.id.as_str()).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!((all.len(), ids.len()), (8, 8));
    queue.settle(all.into_iter().map(|message| (message, Settlement::Done)).collect()).await.unwrap();

    // Work that takes longer than its lease keeps it.
    put(event()).await;
    let slow = Consumer::new(Verdict::Done, Duration::from_millis(2600));
    let meanwhile = async {
        for _ in 0..4 {
            pause(500).await;
            empty(queue).await;
        }
    };
    let (carried, ()) = futures_util::future::join(carry(queue, &slow, SHORT), meanwhile).await;
    assert_eq!((carried.unwrap(), slow.seen()), (1, 1));
    pause(1300).await;
    empty(queue).await;

    // What a consumer refuses is dead at once, what it cannot do now waits.
    put(event()).await;
    let refuses = Consumer::new(Verdict::Reject, Duration::ZERO);
    assert_eq!(carry(queue, &refuses, LONG).await.unwrap(), 1);
    assert_eq!((refuses.seen(), queue.dead(10).await.unwrap().len()), (1, 1));
    put(event()).await;
    let away = Consumer::new(Verdict::Retry, Duration::ZERO);
    assert_eq!(carry(queue, &away, LONG).await.unwrap(), 1);
    assert_eq!(carry(queue, &away, LONG).await.unwrap(), 0, "not before its pause is over");
    assert_eq!((away.seen(), queue.dead(10).await.unwrap().len()), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_queue_of_postgresql_keeps_its_promises() {
    let app = App::start().await;
    let pg = std::sync::Arc::new(Pg::lazy(&app.url, 4).unwrap());
    let queue = Outbox::new(pg, app.gateway.ctx.clock.clone());
    let put = async |event: Event| {
        let sql = "with it as (
                insert into outbox (id, kind, subject, occurred_at, data, fanned_out_at) values ($1, $2, $3, now(), $4, now())
            )
            insert into delivery (event_id, consumer, next_attempt_at) select $1, $5, $6::timestamptz";
        // The foreign key is looked at when the statement ends.
        sqlx::query(sql)
            .bind(event.id)
            .bind(event.r#type)
            .bind(event.subject)
            .bind(event.data)
            .bind(CONSUMER)
            .bind(app.now().to_string())
            .execute(app.pool())
            .await
            .unwrap();
        // The time an event is given back with is the database's.
        sqlx::query("update outbox set occurred_at = '2026-03-02T08:00:00Z'").execute(app.pool()).await.unwrap();
    };
    contract(&queue, put).await;

    // An event whose consumer ends the process each time, before anything is settled, is given up in the end.
    let dead = queue.dead(10).await.unwrap().len();
    sqlx::query(
        "update delivery set attempts = $1, next_attempt_at = now() - interval '1 year' where state = 'waiting'",
    )
    .bind(i32::try_from(MOST_ATTEMPTS).unwrap())
    .execute(app.pool())
    .await
    .unwrap();
    let never = Consumer::new(Verdict::Done, Duration::ZERO);
    assert_eq!(carry(&queue, &never, LONG).await.unwrap(), 1);
    assert_eq!((never.seen(), queue.dead(10).await.unwrap().len()), (0, dead + 1));
}

/// A queue of that name with one for its dead letters, as a variable says it.
fn sqs_variable(moto: &Moto, name: &str) -> String {
    let (queue, dead) = (moto.sqs_queue(name), moto.sqs_queue(&format!("{name}-dead")));
    format!("aws-sqs:{queue}?region=us-east-1&dead={dead}&endpoint=http://{}/", moto.address)
}

fn aws() -> runtime::config::Config {
    database::config(&[("AWS_ACCESS_KEY_ID", "id"), ("AWS_SECRET_ACCESS_KEY", "secret")])
}

#[tokio::test(flavor = "multi_thread")]
async fn sqs_keeps_its_promises() {
    let moto = Moto::start();
    let variable = format!("{}&wait=0", sqs_variable(&moto, "carnet-notify"));
    let queue = Sqs::new("QUEUE_URL", &variable, CONSUMER, &aws()).unwrap();
    contract(&queue, async |event: Event| assert_eq!(queue.deliver(CONSUMER, &event).await, Verdict::Done)).await;

    // What is no event goes where an operator sees it; what is too large does not get in.
    let dead = queue.dead(10).await.unwrap().len();
    moto.sqs_send("carnet-notify", "{ this is no event");
    let never = Consumer::new(Verdict::Done, Duration::ZERO);
    assert_eq!(carry(&queue, &never, LONG).await.unwrap(), 1);
    let letters = queue.dead(10).await.unwrap();
    assert_eq!((never.seen(), letters.len()), (0, dead + 1));
    // As it came: a later release may be able to read it.
    let unread = letters.iter().find(|letter| letter["event"].is_null()).unwrap();
    assert!(queue.redrive(unread["id"].as_str().unwrap()).await.unwrap());
    assert_eq!(one(&queue, LONG).await.unreadable.as_deref(), Some("{ this is no event"));
    let mut large = event();
    large.data = json!({"x": "y".repeat(300 * 1024)});
    assert_eq!(queue.deliver(CONSUMER, &large).await, Verdict::Reject);

    // Down, it takes nothing and loses nothing: whoever sends tries again, whoever receives is told.
    drop(moto);
    assert_eq!(queue.deliver(CONSUMER, &event()).await, Verdict::Retry);
    assert!(carry(&queue, &never, LONG).await.is_err());
}

#[test]
fn what_a_queue_is_named_by_is_understood_or_refused() {
    for wrong in
        ["aws-sqs:https://sqs.example/1/q", "https://sqs.example/1/q?region=x", "aws-sqs:q?region=x", "aws-sqs:?"]
    {
        let error = Sqs::new("QUEUE_URL", wrong, CONSUMER, &aws()).map(drop).unwrap_err();
        assert!(error.to_string().starts_with("QUEUE_URL: "), "{wrong}: {error}");
    }
    let without_key =
        Sqs::new("QUEUE_URL", "aws-sqs:https://sqs.example/1/q?region=x", CONSUMER, &database::config(&[]));
    assert!(without_key.map(drop).unwrap_err().to_string().starts_with("AWS_SECRET_ACCESS_KEY: "));
}

/// From the booking to the mail: one function puts events into SQS, another one takes them out, and while SQS is away they
/// wait in the outbox.
#[tokio::test(flavor = "multi_thread")]
async fn a_booking_is_told_of_through_sqs() {
    let app = App::start().await;
    let ada = app.patient().await;
    let slots = app.lyon_slots().await;
    let moto = Moto::start();
    let own = sqs_variable(&moto, "carnet-notify");
    let family = own.replace("carnet-notify", "carnet-{consumer}");
    let aws = [("AWS_ACCESS_KEY_ID", "id"), ("AWS_SECRET_ACCESS_KEY", "secret")];
    let subscriptions = ("SUBSCRIPTIONS", "appointment.booked.v1=notify");
    let clock = ("CARNET_CLOCK", crate::support::app::MONDAY);
    let smtp = app.gateway.ctx.config.smtp_url.clone().unwrap();
    let common = [aws[0], aws[1], clock, ("CARNET_ENV", "development"), ("EVENTS_SECRET", "secret")];
    let with = |extra: &[(&'static str, String)]| -> Vec<(&'static str, String)> {
        let common = common.iter().map(|(name, value)| (*name, (*value).to_owned()));
        common.chain(extra.iter().cloned()).collect()
    };
    let start = async |variables: Vec<(&'static str, String)>| {
        let variables: Vec<(&str, &str)> = variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
        Running::start(&app.url, &variables).await
    };
    let deliverer = start(with(&[
        ("FUNCTION", "deliver-outbox".into()),
        ("CONSUMER_URL", family),
        (subscriptions.0, subscriptions.1.into()),
    ]))
    .await;
    let notifier = start(with(&[("FUNCTION", "notify".into()), ("QUEUE_URL", own), ("SMTP_URL", smtp)])).await;
    book(&ada, &slots[0]).await.expect(201);
    let http = gateway::tools::client::Client::new(&deliverer.address).bearing("secret");
    let (status, answer) = http.send(axum::http::Method::POST, "/_events/deliver-outbox", None, None).await.unwrap();
    assert_eq!((status.as_u16(), &answer["delivered"]), (200, &json!(1)), "{answer}");
    for _ in 0..200 {
        if !app.mails(&ada.email).is_empty() {
            break;
        }
        pause(50).await;
    }
    assert_eq!(app.mails(&ada.email).len(), 1);

    drop(moto);
    book(&ada, &slots[4]).await.expect(201);
    http.send(axum::http::Method::POST, "/_events/deliver-outbox", None, None).await.unwrap();
    let waiting = "select count(*) from delivery where state = 'waiting' and last_error = 'to be tried again'";
    assert_eq!(app.count(waiting).await, 1);
    drop(notifier);
}
