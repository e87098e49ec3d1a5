//! Tell people by e-mail what happened to their appointment.

mod calendar;
mod letter;

use axum::Router;
use axum::extract::State;
use axum::routing::post;
use domain::ids::{AppointmentId, NoticeId};
use domain::notice::{self, Decision, NoticeKind};
use domain::{SignedDuration, Timestamp};
use runtime::events::{Event, Outcome};
use runtime::mail::MailError;
use runtime::view::AppointmentRow;
use runtime::{Ctx, Function, Input, Kind, Lang, Problem};
use serde::Deserialize;
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

const PLAN: Statement<serde_json::Value> = statement!("plan");
const CLAIM: Statement<Notice> = statement!("claim");
const SETTLE: Statement<serde_json::Value> = statement!("settle");
const WAITING: Statement<Waiting> = statement!("waiting");

/// Longer than the longest SMTP conversation; a sender killed in the middle delays a notice by no more.
const LEASE: SignedDuration = SignedDuration::from_secs(60);

/// What an event says: ids only.
#[derive(Debug, Deserialize)]
struct Data {
    appointment: AppointmentId,
    version: i64,
}

/// A planned message with all that is needed to write it.
#[derive(Debug, Deserialize)]
pub(crate) struct Notice {
    id: NoticeId,
    kind: NoticeKind,
    /// The start it tells of.
    told: Timestamp,
    recipient_kind: Recipient,
    /// Null when the recipient has withdrawn the address meanwhile.
    address: Option<String>,
    language: Lang,
    appointment: AppointmentRow,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Recipient {
    Account,
    Practitioner,
}

#[derive(Debug, Deserialize)]
struct Waiting {
    waiting: i64,
}

async fn notify(State(ctx): State<Ctx>, Input(event): Input<Event>) -> Result<Outcome, Problem> {
    let kind = NoticeKind::of_event(&event.r#type);
    let data: Option<Data> = serde_json::from_value(event.data).ok();
    let (Some(kind), Some(data)) = (kind, data) else {
        return Ok(Outcome::Reject(Problem::new(Kind::EventRejected)));
    };
    let now = ctx.now();
    ctx.db.one(&PLAN, params![event.id, kind.name(), data.appointment.as_uuid(), data.version, now]).await?;
    let lease = Uuid::now_v7();
    for notice in ctx.db.many(&CLAIM, params![event.id, lease, now, now + LEASE]).await? {
        let (state, why) = tell(&ctx, &notice).await;
        ctx.db.one(&SETTLE, params![notice.id.as_uuid(), lease, state, why, ctx.now()]).await?;
    }
    // Somebody else's lease counts too: if they are killed, the event must come again.
    let waiting = ctx.db.one(&WAITING, params![event.id]).await?.waiting;
    Ok(if waiting == 0 { Outcome::Done } else { Outcome::Retry(Problem::new(Kind::Unavailable)) })
}

/// Sends if it is still worth sending, and says how that ended: state and why.
async fn tell(ctx: &Ctx, notice: &Notice) -> (&'static str, Option<String>) {
    let appointment = &notice.appointment;
    let now = ctx.now();
    if let Decision::Skip(why) =
        notice::decide(notice.kind, notice.told, appointment.status, appointment.starts_at, now)
    {
        return ("skipped", Some(why.into()));
    }
    let mail = match letter::write(notice, &ctx.config, now) {
        Ok(Some(mail)) => mail,
        Ok(None) => return ("skipped", Some("no address".into())),
        Err(error) => return ("failed", Some(error.to_string())),
    };
    match ctx.mail.send(&mail).await {
        Ok(()) => ("sent", None),
        Err(error) => {
            tracing::warn!(notice = %notice.id, cause = %error, "mail not accepted");
            (if error.is_transient() { "planned" } else { "failed" }, Some(MailError::to_string(&error)))
        }
    }
}
