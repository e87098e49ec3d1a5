//! The product as a test sees it.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use domain::ids::{AccountId, SessionId};
use domain::{SignedDuration, Timestamp};
use futures_util::future::BoxFuture;
use gateway::dev::mailbox::{Mailbox, Received};
use gateway::dev::phones::Phones;
use gateway::serve::Gateway;
use http_body_util::BodyExt as _;
use runtime::clock::Clock;
use serde_json::{Value, json};
use store::pg::Pg;
use store::{Db, DbError, Param, Row};
use tokio::net::TcpListener;
use tower::ServiceExt as _;
use uuid::Uuid;

use super::client::{Answer, Client};
use super::database;
use super::objects::Store;

/// When every test begins: Monday 2 March 2026, 9:00 in Paris.
pub const MONDAY: &str = "2026-03-02T08:00:00Z";

/// A database that counts what it is asked.
pub struct Counting {
    /// Given up with the [`App`]: the deliverer and the functions it calls hold each other, and would hold connections for
    /// as long as the run lasts.
    inner: RwLock<Option<Pg>>,
    /// Statements so far.
    pub count: AtomicUsize,
    /// Their texts.
    pub seen: Mutex<BTreeSet<&'static str>>,
}

impl Db for Counting {
    fn rows<'a>(&'a self, sql: &'static str, params: Vec<Param>) -> BoxFuture<'a, Result<Vec<Row>, DbError>> {
        self.count.fetch_add(1, Ordering::Relaxed);
        self.seen.lock().unwrap().insert(sql);
        let inner = self.inner();
        Box::pin(async move { inner.rows(sql, params).await })
    }
}

impl Counting {
    fn inner(&self) -> Pg {
        self.inner.read().unwrap().clone().expect("the test goes on")
    }
}

/// A gateway in process, with its database, clock and mail server.
pub struct App {
    pub gateway: Gateway,
    pub db: Arc<Counting>,
    pub mailbox: Arc<Mailbox>,
    pub phones: Arc<Phones>,
    pub url: String,
    /// Where the bytes of documents are.
    pub store: Store,
    /// As the owner of the database, who may more than the product.
    owner: Pg,
    people: AtomicU32,
}

impl App {
    /// On a fresh database, on [`MONDAY`].
    pub async fn start() -> Self {
        let url = database::fresh().await;
        Self::on(url, &[]).await
    }

    /// On a given database, with variables.
    pub async fn on(url: String, variables: &[(&str, &str)]) -> Self {
        super::logs::read();
        let clock = Arc::new(Clock::default());
        clock.set(MONDAY.parse().unwrap());
        let stamps = clock.clone();
        let mailbox = Mailbox::new(move || stamps.now());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let smtp = format!("smtp://{}", listener.local_addr().unwrap());
        tokio::spawn(mailbox.clone().serve(listener));
        let phones = Phones::new(mailbox.clone());
        let sms = phones.clone().serve().await.unwrap();
        let mut config = database::config(variables);
        config.smtp_url.get_or_insert(smtp);
        config.sms_url.get_or_insert(sms);
        let store = Store::new();
        if config.documents.is_none() && config.aws.is_none() {
            (config.documents, config.aws) = (Some(store.url()), Some(Store::key()));
        }
        let inner = Pg::with_role(&url, 16, config.database_role.as_deref()).unwrap();
        let owner = Pg::lazy(&url, 4).unwrap();
        let db =
            Arc::new(Counting { inner: RwLock::new(Some(inner)), count: AtomicUsize::new(0), seen: Mutex::default() });
        let gateway = gateway::serve::gateway(&config, db.clone(), clock, Some(mailbox.clone())).unwrap();
        // Once a process, so that a test counts its own statements only.
        gateway.ctx.bound.prove().await.unwrap();
        db.count.store(0, Ordering::Relaxed);
        Self { gateway, db, mailbox, phones, url, store, owner, people: AtomicU32::new(0) }
    }

    /// Nobody.
    pub fn nobody(&self) -> Client {
        Client::new(self.gateway.public.clone())
    }

    /// A new account, signed up and in by HTTP.
    pub async fn patient(&self) -> Client {
        let number = self.people.fetch_add(1, Ordering::Relaxed);
        self.patient_named(&format!("patient-{number}@famille.example"), "fr").await
    }

    /// A new account with that address, opened in that language.
    pub async fn patient_named(&self, email: &str, language: &str) -> Client {
        let account = json!({"email": email, "password": "une phrase assez longue", "given_name": "Ada",
                             "family_name": "Exemple", "birth_date": "1988-05-12"});
        let opened = self.nobody().speaking(language).post("/v1/accounts", &account).await.expect(201);
        self.without_letters().await;
        let session = json!({"email": email, "password": "une phrase assez longue"});
        let session = self.nobody().post("/v1/sessions", &session).await.expect(201);
        self.nobody().speaking(language).bearing(session["access_token"].as_str().unwrap()).who(email, &opened)
    }

    /// The letters that sign-ups ask for are another test's affair.
    pub async fn without_letters(&self) {
        let quiet = "delete from outbox where kind = 'account.opened.v1' and fanned_out_at is null";
        sqlx::query(quiet).execute(self.pool()).await.unwrap();
    }

    /// Many accounts at once, without the work of hashing passwords: for races.
    pub async fn crowd(&self, size: usize) -> Vec<Client> {
        let people: Vec<[Uuid; 3]> = (0..size).map(|_| [(); 3].map(|()| Uuid::now_v7())).collect();
        let mut rows = Vec::new();
        for [account, patient, session] in &people {
            let (key, _) = self.gateway.ctx.keys.new_owner(*patient).await.unwrap();
            rows.push(json!({"account": account, "patient": patient, "session": session, "key": key}));
        }
        let sql = "with people as (select * from jsonb_to_recordset($1) as p (account uuid, patient uuid, session uuid, key text)),
            a as (insert into account (id, password_hash, created_at) select account, '-', now() from people),
            r as (insert into resource (id, kind) select patient, 'patient' from people),
            p as (insert into patient (id, wrapped_key, created_at) select patient, key, now() from people),
            s as (insert into session (id, account_id, created_at, expires_at)
                  select session, account, now() - interval '10 years', 'infinity' from people)
            insert into guardianship (account_id, patient_id, relation, since)
            select account, patient, 'self', now() from people";
        sqlx::query(sql).bind(Value::Array(rows)).execute(self.pool()).await.unwrap();
        let token = |account, session| {
            let (account, session) = (AccountId::from_uuid(account), SessionId::from_uuid(session));
            self.gateway.ctx.keys.issue(account, session, self.now()).unwrap()
        };
        people.iter().map(|[account, _, session]| self.nobody().bearing(&token(*account, *session))).collect()
    }

    /// By what the database finds an address.
    pub fn email_lookup(&self, email: &str) -> String {
        self.gateway.ctx.keys.lookup("email", email).unwrap()
    }

    pub fn now(&self) -> Timestamp {
        self.gateway.ctx.now()
    }

    /// Moves the clock.
    pub fn at(&self, instant: &str) {
        self.gateway.ctx.clock.set(instant.parse().unwrap());
    }

    /// Moves the clock forward.
    pub fn later(&self, by: SignedDuration) {
        self.gateway.ctx.clock.set(self.now() + by);
    }

    /// Lets every tick run once and carries all events that are due.
    pub async fn settle(&self) {
        gateway::loops::settle(&self.gateway.app.events, &self.gateway.app.manifests).await;
    }

    /// What arrived at an address.
    pub fn mails(&self, to: &str) -> Vec<Received> {
        self.mailbox.received(Some(to))
    }

    pub fn pool(&self) -> &sqlx::PgPool {
        self.owner.pool()
    }

    /// The product loses its database.
    pub async fn close_database(&self) {
        self.db.inner().close().await;
    }

    /// Rows of a query, each its first column as JSON.
    pub async fn sql(&self, sql: &'static str) -> Vec<Value> {
        sqlx::query_scalar(sql).fetch_all(self.pool()).await.unwrap()
    }

    /// One number.
    pub async fn count(&self, sql: &'static str) -> i64 {
        sqlx::query_scalar(sql).fetch_one(self.pool()).await.unwrap()
    }

    /// Posts to a function's trigger.
    pub async fn event(&self, function: &str, body: impl Into<Body>) -> (StatusCode, Value) {
        let request = Request::builder()
            .method(Method::POST)
            .uri(format!("/_events/{function}"))
            .header("content-type", "application/cloudevents+json")
            .body(body.into())
            .unwrap();
        let response = self.gateway.app.events.clone().oneshot(request).await.unwrap();
        let status = response.status();
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        (status, serde_json::from_slice(&bytes).unwrap_or_default())
    }

    /// Serves on a real port; the address.
    pub async fn listen(&self) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let router: Router = self.gateway.public.clone();
        tokio::spawn(async move { axum::serve(listener, router).await });
        address
    }

    /// Somebody who can be booked, by specialty and town of the fixtures, with a fortnight of slots of one reason.
    pub async fn slots(&self, query: &str) -> Vec<Value> {
        let page = self.nobody().get(&format!("/v1/slots?{query}")).await.expect(200);
        let items = page["items"].as_array().unwrap().clone();
        assert!(!items.is_empty(), "no slot for {query}");
        items
    }

    /// Slots of one reason of one speech therapist in Lyon, from Thursday 5 March 2026 on.
    pub async fn lyon_slots(&self) -> Vec<Value> {
        // Always the same: the first by name, whoever is free first.
        let page = self.nobody().get("/v1/practitioners?specialty=orthophoniste&place=Lyon&limit=1").await.expect(200);
        let practitioner = page["items"][0]["id"].as_str().unwrap().to_owned();
        let page = self.nobody().get(&format!("/v1/practitioners/{practitioner}")).await.expect(200);
        let id = |list: &str| page[list][0]["id"].as_str().unwrap().to_owned();
        let query = format!("practitioner={practitioner}&reason={}&site={}", id("reasons"), id("sites"));
        self.slots(&format!("{query}&from=2026-03-05&to=2026-04-05&limit=500")).await
    }
}

/// Whatever a test is about, nothing it did may have put a secret into a log. Its connections are given back.
impl Drop for App {
    fn drop(&mut self) {
        self.db.inner.write().unwrap_or_else(PoisonError::into_inner).take();
        if !std::thread::panicking() {
            assert_eq!(super::logs::leaked(), Vec::<String>::new());
        }
    }
}

/// Books a slot for the caller.
pub async fn book(client: &Client, slot: &Value) -> Answer {
    let key = Uuid::now_v7().to_string();
    client.post_with_key("/v1/appointments", &json!({"slot": slot["slot"]}), &key).await
}

impl App {
    /// A token for the same account at the present time: the clock was moved, and the old one has expired.
    pub async fn fresh_token(&self, client: &Client) -> String {
        let session = "insert into session (id, account_id, created_at, expires_at)
                       select gen_random_uuid(), id, $2::timestamptz, 'infinity' from account where email_lookup = $1
                       returning account_id, id";
        let (account, session): (Uuid, Uuid) = sqlx::query_as(session)
            .bind(self.email_lookup(&client.email))
            .bind(self.now().to_string())
            .fetch_one(self.pool())
            .await
            .unwrap();
        self.gateway.ctx.keys.issue(AccountId::from_uuid(account), SessionId::from_uuid(session), self.now()).unwrap()
    }
}
