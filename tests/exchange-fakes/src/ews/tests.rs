//! The fake and our adapter face to face, and both before Microsoft's schemas.

mod life;
mod schemas;
mod streaming;
mod trouble;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use bytes::Bytes;
use domain::Timestamp;
use domain::ids::AppointmentId;
use domain::interval::Interval;
use domain::sync::{Mirror, Tag};
use exchange::ews::session::{Basic, Hears, Session};
use exchange::ews::{Account, Ews, Reach, ServerVersion};
use exchange::{Fault, Response};
use futures_util::future::BoxFuture;
use http::{HeaderMap, Uri};

use super::{Manner, Settings, router};
use crate::in_process::InProcess;
use crate::mailbox::Server;

const DOCTOR: &str = "dr.a@clinic.example";

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn during(start: &str, end: &str) -> Interval {
    Interval::new(at(start), at(end)).unwrap()
}

/// Half a year, as it is read.
fn window() -> Interval {
    during("2026-11-27T00:00:00Z", "2027-05-27T00:00:00Z")
}

fn mirror(start: &str, end: &str) -> Mirror {
    Mirror {
        tag: Tag { appointment: AppointmentId::from_uuid(uuid::Uuid::from_u128(7)), generation: 1 },
        starts_at: at(start),
        ends_at: at(end),
        time_zone: "Europe/Paris".into(),
        subject: "Consultation".into(),
        location: "Cabinet de Lyon".into(),
    }
}

/// A session that keeps what goes through it.
struct Recorded {
    inner: Basic,
    documents: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Session for Recorded {
    fn endpoint(&self) -> &Uri {
        self.inner.endpoint()
    }

    fn post(
        &self, headers: HeaderMap, body: Bytes, longest: Duration, most: usize,
    ) -> BoxFuture<'_, Result<Response, Fault>> {
        self.documents.lock().unwrap().push(body.to_vec());
        Box::pin(async move {
            let response = self.inner.post(headers, body, longest, most).await?;
            if response.headers().get("content-type").is_some_and(|kind| kind.as_bytes().starts_with(b"text/xml")) {
                self.documents.lock().unwrap().push(response.body().to_vec());
            }
            Ok(response)
        })
    }

    fn listen<'a>(
        &'a self, headers: HeaderMap, body: Bytes, longest: Duration, between: Duration, hears: Hears<'a>,
    ) -> BoxFuture<'a, Result<http::Response<()>, Fault>> {
        self.documents.lock().unwrap().push(body.to_vec());
        Box::pin(async move {
            let mut said = Vec::new();
            let mut both = |piece: Bytes| {
                said.extend_from_slice(&piece);
                hears(piece)
            };
            let answer = self.inner.listen(headers, body, longest, between, &mut both).await;
            let text = String::from_utf8(said).unwrap();
            // Every envelope ends so, and nothing else does; the last may not have come whole.
            let whole = text.split_inclusive("</s:Envelope>").filter(|part| part.ends_with("</s:Envelope>"));
            let whole: Vec<_> = whole.map(|part| part.as_bytes().to_vec()).collect();
            self.documents.lock().unwrap().extend(whole);
            answer
        })
    }
}

/// A server with one doctor, and our way to her calendar.
struct World {
    server: Server,
    settings: Settings,
    documents: Arc<Mutex<Vec<Vec<u8>>>>,
    router: Router,
}

impl World {
    fn new(settings: Settings) -> Self {
        let server = Server::new(at("2026-11-28T08:00:00Z"));
        server.add_mailbox(DOCTOR);
        server.add_mailbox(&settings.user);
        let router = router(server.clone(), settings.clone());
        Self { server, settings, documents: Arc::default(), router }
    }

    fn exchange() -> Self {
        Self::new(Settings::default())
    }

    fn loose() -> Self {
        Self::new(Settings { manner: Manner::Loose, ..Settings::default() })
    }

    fn reached(&self, reach: Reach, version: ServerVersion, password: &str) -> Ews {
        let endpoint = format!("{}{}", self.settings.address, super::PATH).parse().unwrap();
        let inner =
            Basic::new(Arc::new(InProcess(self.router.clone())), endpoint, &self.settings.user, password).unwrap();
        let session = Recorded { inner, documents: self.documents.clone() };
        let mailbox = if reach == Reach::Own { self.settings.user.clone() } else { DOCTOR.to_owned() };
        Ews::new(Arc::new(session), Account { mailbox, reach, version }).unwrap()
    }

    /// The calendar of somebody else.
    fn of(&self, mailbox: &str) -> Ews {
        let endpoint = format!("{}{}", self.settings.address, super::PATH).parse().unwrap();
        let transport = Arc::new(InProcess(self.router.clone()));
        let inner = Basic::new(transport, endpoint, &self.settings.user, &self.settings.password).unwrap();
        let account =
            Account { mailbox: mailbox.into(), reach: Reach::Impersonation, version: ServerVersion::default() };
        Ews::new(Arc::new(Recorded { inner, documents: self.documents.clone() }), account).unwrap()
    }

    fn calendar(&self) -> Ews {
        self.reached(Reach::Impersonation, ServerVersion::default(), &self.settings.password)
    }
}
