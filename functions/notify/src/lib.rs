//! Tell people by e-mail what happened to their appointment, and that a document is there.

mod calendar;
mod documents;
mod letter;

use axum::Router;
use axum::extract::State;
use axum::routing::post;
use domain::SignedDuration;
use domain::ids::{AccountId, AppointmentId, NoticeId};
use domain::notice::{self, Decision, NoticeKind, Standing, Told};
use futures_util::future::join_all;
use runtime::events::{Event, Outcome};
use runtime::keys::KeyError;
use runtime::mail::{Mail, MailError};
use runtime::people::Contact;
use runtime::view::AppointmentRow;
use runtime::{Ctx, Function, Input, Kind, Lang, Problem};
use serde::Deserialize;
use serde_json::Value;
use store::{Query as _, Statement, params, statement};
use utoipa_axum::router::OpenApiRouter;
use uuid::Uuid;

/// The function.
pub const FUNCTION: Function = Function {
    name: "notify",
    manifest: include_str!("../function.yaml"),
    routes: OpenApiRouter::new,
    events: Some(|| Router::new().route("/", post(notify))),
};

const PLAN: Statement<Value> = statement!("plan");
const CLAIM: Statement<Notice> = statement!("claim");
const SETTLE: Statement<Value> = statement!("settle");
const WAITING: Statement<Waiting> = statement!("waiting");

/// Twice [`runtime::mail::CONVERSATION`]; a sender killed in the middle delays a notice by no more.
const LEASE: SignedDuration = SignedDuration::from_secs(60);

/// What an event says: nothing personal.
#[derive(Debug, Deserialize)]
struct Data {
    appointment: AppointmentId,
    version: i64,
    /// Of a move to another practitioner: whom it left, and which time of theirs is free again.
    former: Option<Value>,
}

/// A planned message with all that is needed to write it.
#[derive(Debug, Deserialize)]
pub(crate) struct Notice {
    id: NoticeId,
    kind: NoticeKind,
    told: Told,
    recipient_kind: Recipient,
    /// Whether the recipient takes part in the appointment as it stands.
    still_theirs: bool,
    recipient: Uuid,
    /// Null when the recipient has withdrawn the address meanwhile; of an account only once it was opened.
    address: Option<String>,
    contact: Option<String>,
    wrapped_key: Option<String>,
    language: Lang,
    appointment: AppointmentRow,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Recipient {
    Account,
    Practitioner,
}

#[derive(Debug, Deserialize, thiserror::Error)]
#[error("{waiting} notices are still to be sent")]
struct Waiting {
    waiting: i64,
}

impl Notice {
    /// With the address of an account, opened.
    async fn addressed(mut self, ctx: &Ctx) -> Result<Self, KeyError> {
        if let (Some(contact), Some(key)) = (&self.contact, &self.wrapped_key) {
            let account = AccountId::from_uuid(self.recipient);
            self.address = Some(Contact::open(&ctx.keys, account, key, contact).await?.email);
        }
        Ok(self)
    }

    /// The appointment as the recipient knows it: whom it left is told of the time that was theirs.
    fn with_told_time(mut self) -> Self {
        if let Some(ends_at) = self.told.ends_at {
            (self.appointment.starts_at, self.appointment.ends_at) = (self.told.starts_at, ends_at);
        }
        self
    }
}

async fn notify(State(ctx): State<Ctx>, Input(event): Input<Event>) -> Result<Outcome, Problem> {
    if event.r#type == documents::EVENT {
        return documents::notify(&ctx, event).await;
    }
    let kind = NoticeKind::of_event(&event.r#type);
    let data: Option<Data> = serde_json::from_value(event.data).ok();
    let (Some(kind), Some(data)) = (kind, data) else {
        return Ok(Outcome::Reject(Problem::new(Kind::EventRejected)));
    };
    let now = ctx.now();
    let plan = params![event.id, kind.name(), data.appointment.as_uuid(), data.version, now, data.former];
    ctx.db.one(&PLAN, plan).await?;
    let lease = Uuid::now_v7();
    let claimed = ctx.db.many(&CLAIM, params![event.id, lease, now, now + LEASE]).await?;
    // At once: one slow conversation delays nobody else.
    let told = join_all(claimed.into_iter().map(async |notice| {
        let id = notice.id.as_uuid();
        let notice = notice.with_told_time();
        let (state, why) = match notice.addressed(&ctx).await {
            Ok(notice) => tell(&ctx, &notice).await,
            Err(error) => ("planned", Some(error.to_string())),
        };
        ctx.db.one(&SETTLE, params![id, lease, state, why, ctx.now()]).await
    }));
    told.await.into_iter().collect::<Result<Vec<_>, _>>()?;
    outcome(&ctx, event.id).await
}

/// Whether all of an event is told.
async fn outcome(ctx: &Ctx, event: Uuid) -> Result<Outcome, Problem> {
    // Somebody else's lease counts too: if they are killed, the event must come again.
    let waiting = ctx.db.one(&WAITING, params![event]).await?.waiting;
    Ok(if waiting == 0 {
        Outcome::Done
    } else {
        Outcome::Retry(Problem::new(Kind::Unavailable).because(Waiting { waiting }))
    })
}

/// Sends if it is still worth sending, and says how that ended: state and why.
async fn tell(ctx: &Ctx, notice: &Notice) -> (&'static str, Option<String>) {
    let appointment = &notice.appointment;
    let now = ctx.now();
    let standing =
        Standing { status: appointment.status, version: appointment.version, still_theirs: notice.still_theirs };
    if let Decision::Skip(why) = notice::decide(notice.kind, &notice.told, standing, now) {
        return ("skipped", Some(why.into()));
    }
    let mail = match letter::write(notice, &ctx.config, now) {
        Ok(Some(mail)) => mail,
        Ok(None) => return ("skipped", Some("no address".into())),
        Err(error) => return ("failed", Some(error.to_string())),
    };
    send(ctx, &mail).await
}

/// State and why.
async fn send(ctx: &Ctx, mail: &Mail) -> (&'static str, Option<String>) {
    match ctx.mail.send(mail).await {
        Ok(()) => ("sent", None),
        Err(error) => (if error.is_transient() { "planned" } else { "failed" }, Some(MailError::to_string(&error))),
    }
}
