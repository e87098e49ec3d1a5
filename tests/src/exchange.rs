//! Calendars of Exchange beside agendas: nothing is lost on either side, and nobody is booked over what is in a calendar.

mod clients_ews;
mod clients_graph;
mod desk;
mod faults;
mod following;
mod graph;
mod kinds;
mod listening;
mod live;
mod many;
mod moved;
mod ntlm;
mod troubles;
mod watched;

use std::collections::BTreeSet;

use axum::Router;
use axum::body::Body;
use domain::interval::Interval;
use exchange_fakes::ews;
use exchange_fakes::graph::Graph;
use exchange_fakes::mailbox::{Event, Server};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::support::app::book;
use crate::support::{App, Client, database};

/// Whose agenda it is.
const WHOSE: &str = "etienne-bouvarel";
const ADDRESS: &str = "e.bouvarel@pentes.example";

/// The product beside an Exchange of its own.
struct Beside {
    app: App,
    /// What is in the calendars.
    server: Server,
    administrator: Client,
    /// Who we are to it.
    access: Value,
}

impl Beside {
    /// Exchange Online.
    async fn start() -> Self {
        let server = server();
        let router = Graph::new(server.clone()).router();
        let access = json!({"kind": "graph", "tenant": "clinique.example", "client": "7c1d", "secret": "un secret"});
        Self::before(server, router, access).await
    }

    /// A server of the house's own.
    async fn on_premises() -> Self {
        let (server, settings) = (server(), ews::Settings::default());
        server.add_mailbox(&settings.user);
        let access = json!({"kind": "ews", "user": settings.user, "password": settings.password, "sign_in": "basic",
                            "impersonation": true});
        let router = ews::router(server.clone(), settings);
        Self::before(server, router, access).await
    }

    /// Of either kind.
    async fn of(kind: Of) -> Self {
        match kind {
            Of::Online => Self::start().await,
            Of::Premises => Self::on_premises().await,
        }
    }

    async fn before(server: Server, router: Router, access: Value) -> Self {
        Self::with(server, router, access, &[]).await
    }

    async fn with(server: Server, router: Router, mut access: Value, more: &[(&str, &str)]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        if access["kind"] == "ews" {
            access["url"] = json!(format!("{base}{}", ews::PATH));
        }
        let graph = format!("{base}/v1.0");
        let mut variables =
            vec![("EXCHANGE_NETWORKS", "127.0.0.0/8"), ("EXCHANGE_GRAPH_URL", &*graph), ("EXCHANGE_LOGIN_URL", &*base)];
        variables.extend(more);
        let app = App::on(database::fresh().await, &variables).await;
        let administrator = app.staff("administrator-pentes").await;
        Self { app, server, administrator, access }
    }

    /// A mailbox beside the agenda, as it is answered.
    async fn connected(&self) -> Value {
        self.server.add_mailbox(ADDRESS);
        let wish = json!({"name": "Messagerie", "access": self.access});
        let server = self.administrator.post("/v1/exchange-servers", &wish).await.expect(201);
        self.beside(&server, WHOSE).await
    }

    /// The mailbox beside somebody's agenda.
    async fn beside(&self, server: &Value, whose: &str) -> Value {
        let whose = gateway::fixtures::id("practitioner", whose);
        let wish = json!({"server": server["id"], "practitioner": whose, "address": ADDRESS});
        let mailbox = self.administrator.post("/v1/exchange-mailboxes", &wish).await.expect(201);
        self.app.settle().await;
        mailbox
    }

    /// Carries events, then lets the clock's tick read and write what is due.
    async fn tick(&self) -> Value {
        self.app.settle().await;
        let (status, answer) = self.app.event("sync-exchange", Body::from("{}")).await;
        assert_eq!(status, 200, "{answer}");
        self.app.settle().await;
        answer
    }

    /// As after a notice from the calendar's server: it is read now.
    async fn look(&self) {
        let due = "update exchange_mailbox set read_at = '2026-01-01'";
        sqlx::query(due).execute(self.app.pool()).await.unwrap();
        self.tick().await;
    }

    async fn desk(&self, mailbox: &Value) -> Value {
        // A token lives ten minutes.
        self.app.staff("administrator-pentes").await.get(&path(mailbox)).await.expect(200)
    }

    async fn questions(&self, mailbox: &Value) -> Vec<Value> {
        // A token lives ten minutes.
        let administrator = self.app.staff("administrator-pentes").await;
        let page = administrator.get(&format!("{}/questions", path(mailbox))).await.expect(200);
        page["items"].as_array().unwrap().clone()
    }

    fn events(&self) -> Vec<Event> {
        self.server.events(ADDRESS)
    }
}

/// Where a calendar is, and how what is asked of it is called there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Of {
    Online,
    Premises,
}

const BOTH: [Of; 2] = [Of::Online, Of::Premises];

impl Of {
    const fn word(self, online: &'static str, premises: &'static str) -> &'static str {
        match self {
            Self::Online => online,
            Self::Premises => premises,
        }
    }

    const fn changes(self) -> &'static str {
        self.word("changes", "SyncFolderItems")
    }

    const fn create(self) -> &'static str {
        self.word("create", "CreateItem")
    }

    const fn update(self) -> &'static str {
        self.word("update", "UpdateItem")
    }

    const fn delete(self) -> &'static str {
        self.word("delete", "DeleteItem")
    }

    const fn busy(self) -> &'static str {
        self.word("busy", "GetUserAvailability")
    }
}

/// Its clock stands, as that of the tests does.
fn server() -> Server {
    Server::new("2026-03-02T08:00:00Z".parse().unwrap())
}

fn path(mailbox: &Value) -> String {
    format!("/v1/exchange-mailboxes/{}", mailbox["id"].as_str().unwrap())
}

fn during(of: &Value) -> Interval {
    let at = |name: &str| of[name].as_str().unwrap().parse().unwrap();
    Interval::new(at("starts_at"), at("ends_at")).unwrap()
}

/// Every statement of these functions once: what they asked of the database.
pub async fn walk() -> BTreeSet<&'static str> {
    let beside = Beside::start().await;
    let mailbox = beside.connected().await;
    let path = path(&mailbox);
    beside.administrator.get("/v1/exchange-servers").await.expect(200);
    beside.administrator.get("/v1/exchange-mailboxes").await.expect(200);
    beside.administrator.get(&path).await.expect(200);
    let slots = beside.app.slots_with(WHOSE).await;
    let ada = beside.app.patient().await;
    let theirs = beside.server.add(ADDRESS, Event::between("Réunion", during(&slots[0]))).unwrap();
    book(&ada, &slots[0]).await.problem(409);
    beside.server.remove(ADDRESS, &theirs).unwrap();
    beside.look().await;
    let visit = book(&ada, &slots[0]).await.expect(201);
    beside.app.settle().await;
    let refused = exchange_fakes::mailbox::What::Status(400, "ErrorInvalidRequest");
    beside.server.state().faults.push(exchange_fakes::mailbox::Fault::once("create", refused));
    book(&ada, &slots[4]).await.expect(201);
    beside.app.settle().await;
    beside.server.remove(ADDRESS, &beside.events()[0].id).unwrap();
    beside.look().await;
    assert_eq!(beside.questions(&mailbox).await.len(), 2);
    let keep = json!({"appointment": visit["id"], "answer": "keep"});
    beside.administrator.post(&format!("{path}/answers"), &keep).await.expect(202);
    beside.tick().await;
    // One that may go where its item goes.
    beside.rules(&mailbox, json!({"follow_moves": true})).await;
    let (_, item) = beside.shown(&ada, &slots[8]).await;
    beside.server.move_to(ADDRESS, &item, during(&slots[10])).unwrap();
    beside.look().await;
    let cancellation = format!("/v1/appointments/{}/cancellation", visit["id"].as_str().unwrap());
    ada.post(&cancellation, &json!({"reason": "malade"})).await.expect(200);
    beside.tick().await;
    beside.app.nobody().post("/v1/exchange/notifications", &told("x", "y")).await.expect(202);
    beside.administrator.post(&format!("{path}/disconnection"), &json!({})).await.expect(200);
    beside.tick().await;
    let server = mailbox["server"].as_str().unwrap();
    beside.administrator.post(&format!("/v1/exchange-servers/{server}/removal"), &json!({})).await.expect(204);
    let mut seen = beside.app.db.seen.lock().unwrap().clone();
    seen.extend(listening::walk().await);
    seen
}

/// A notice as Graph posts it.
fn told(watch: &str, secret: &str) -> Value {
    json!({"value": [{"id": "1", "subscriptionId": watch, "clientState": secret, "changeType": "updated",
        "subscriptionExpirationDateTime": "2026-03-04T00:00:00Z", "tenantId": "t", "resource": "Users/u/Events/e",
        "resourceData": {"@odata.type": "#Microsoft.Graph.Event", "id": "e"}}]})
}

/// The event that says that it is time to look at a calendar.
pub async fn told_of(app: &App) {
    let administrator = app.staff("administrator-pentes").await;
    let access = json!({"kind": "graph", "tenant": "t", "client": "c", "secret": "s"});
    let wish = json!({"name": "Messagerie", "access": access});
    let server = administrator.post("/v1/exchange-servers", &wish).await.expect(201);
    let wish = json!({"server": server["id"], "practitioner": gateway::fixtures::id("practitioner", WHOSE), "address": ADDRESS});
    administrator.post("/v1/exchange-mailboxes", &wish).await.expect(201);
}
