use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use domain::Timestamp;
use domain::ids::AppointmentId;
use domain::interval::Interval;
use domain::sync::{Mirror, Tag};
use exchange::graph::{Graph, Place};
use exchange_fakes::csdl::Checked;
use exchange_fakes::graph::{Graph as Fake, Straight};
use exchange_fakes::in_process::InProcess;
use exchange_fakes::mailbox::{Event, Fault, Server, What};
use uuid::Uuid;

pub const DOCTOR: &str = "dr.martin@clinique.example";

/// Bodies that were held against the schema by this process.
static CHECKED: AtomicUsize = AtomicUsize::new(0);

/// One mailbox, the fake it is on, and our side of it.
pub struct World {
    pub server: Server,
    pub fake: Fake,
    pub graph: Graph,
    pub transport: Arc<Checked<InProcess>>,
}

impl World {
    pub fn new() -> Self {
        let server = Server::new(at("2026-11-30T08:00:00Z"));
        server.add_mailbox(DOCTOR);
        let fake = Fake::new(server.clone());
        let transport = Arc::new(Checked::new(InProcess(fake.router())));
        let graph = our_side(&fake, transport.clone(), None);
        Self { server, fake, graph, transport }
    }

    pub fn goes_wrong(&self, operation: &'static str, what: What) {
        self.server.state().faults.push(Fault::once(operation, what));
    }

    pub fn add(&self, subject: &str, from: &str, to: &str) -> String {
        self.server.add(DOCTOR, Event::between(subject, during(from, to))).unwrap()
    }

    pub fn calls(&self, operation: &str) -> usize {
        self.server.state().calls.iter().filter(|call| call.operation == operation).count()
    }
}

impl Deref for World {
    type Target = Graph;
    fn deref(&self) -> &Graph {
        &self.graph
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let (checked, wrong) = self.transport.result();
        let all = CHECKED.fetch_add(checked, Ordering::Relaxed) + checked;
        match exchange_fakes::csdl::beside() {
            Some(_) => println!("{checked} bodies were held against Graph's schema, {all} by now"),
            None => println!("no schema of Graph beside the checkout: no body was checked"),
        }
        if !std::thread::panicking() {
            assert_eq!(wrong, [] as [String; 0]);
            // One thing after the other, but what is asked for at once on purpose: four of a mailbox at most.
            let calls = &self.server.state().calls;
            let most = if calls.iter().any(|call| call.operation == "batch") { 4 } else { 1 };
            assert!(calls.iter().all(|call| call.in_flight <= most));
        }
    }
}

pub fn our_side(fake: &Fake, transport: Arc<Checked<InProcess>>, calendar: Option<String>) -> Graph {
    let place = Place {
        base: "https://graph.fake.example/v1.0".into(),
        user: DOCTOR.into(),
        address: DOCTOR.into(),
        calendar,
        time_zone: "Europe/Paris".into(),
    };
    Graph::new(transport, Arc::new(Straight::new(fake.clone())), place).unwrap()
}

pub fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub fn during(from: &str, to: &str) -> Interval {
    Interval::new(at(from), at(to)).unwrap()
}

/// December.
pub fn window() -> Interval {
    during("2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z")
}

pub fn mirror(number: u128, from: &str, to: &str) -> Mirror {
    Mirror {
        tag: Tag { appointment: AppointmentId::from_uuid(Uuid::from_u128(number)), generation: 1 },
        starts_at: at(from),
        ends_at: at(to),
        time_zone: "Europe/Paris".into(),
        subject: "Carnet".into(),
        location: "Cabinet de Lyon".into(),
    }
}
