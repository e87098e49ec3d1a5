//! Who is to be told what, and when: written down before anything is sent.

use domain::Timestamp;
use domain::ids::{AppointmentId, DocumentId};
use domain::notice::{self, Due, LETTER_TAKES, LOOK_BACK, Night, NoticeKind, Preferences, Step, UNREAD, Visit};
use domain::zone::Zone;
use runtime::events::Event;
use runtime::{Ctx, Problem};
use serde::Deserialize;
use serde_json::{Value, json};
use store::{Query as _, Statement, params, statement};
use uuid::Uuid;

const PLAN: Statement<Value> = statement!("plan");
const PLAN_DOCUMENT: Statement<Value> = statement!("plan_document");
const NEAR: Statement<Near> = statement!("near");
const PLAN_REMINDERS: Statement<Value> = statement!("plan_reminders");
const PASS_ON: Statement<PassedOn> = statement!("pass_on");
/// How many reminders are planned by one statement.
const BATCH: i64 = 5000;
/// How many statements of a kind one tick runs at most; the next tick goes on.
const BATCHES: usize = 40;

/// What an event of a visit says: nothing personal.
#[derive(Debug, Deserialize)]
struct Change {
    appointment: AppointmentId,
    version: i64,
    /// Of a move to another practitioner: whom it left, and which time of theirs is free again.
    former: Option<Value>,
}

/// What an event of a document says.
#[derive(Debug, Deserialize)]
struct Available {
    document: DocumentId,
    version: i64,
}

/// A visit of which somebody is to be reminded.
#[derive(Debug, Deserialize)]
struct Near {
    appointment: AppointmentId,
    version: i64,
    starts_at: Timestamp,
    agreed_at: Timestamp,
    time_zone: Zone,
    account: Uuid,
    step: Step,
    preferences: Preferences,
}

#[derive(Debug, Deserialize)]
struct PassedOn {
    seen: i64,
}

/// Plans one notice for each person concerned by an event, once. False when it is no event of ours.
pub(crate) async fn event(ctx: &Ctx, event: Event) -> Result<bool, Problem> {
    let (now, letter) = (ctx.now(), LETTER_TAKES.as_mins());
    // Of an earlier release, whose deliverer may have one under way: what is near is planned by the tick.
    if event.r#type == "reminder.due.v1" {
        return Ok(true);
    }
    match NoticeKind::of_event(&event.r#type) {
        None => return Ok(false),
        Some(NoticeKind::Document) => {
            let Ok(data) = serde_json::from_value::<Available>(event.data) else { return Ok(false) };
            ctx.db.one(&PLAN_DOCUMENT, params![event.id, data.document.as_uuid(), data.version, now]).await?;
        }
        Some(kind) => {
            let Ok(data) = serde_json::from_value::<Change>(event.data) else { return Ok(false) };
            let appointment = data.appointment.as_uuid();
            let plan = params![event.id, kind.name(), appointment, data.version, now, data.former, letter];
            ctx.db.one(&PLAN, plan).await?;
        }
    }
    Ok(true)
}

/// Plans the reminders that will be due within the length of a night, so that those that a night would swallow can go out the
/// evening before.
pub(crate) async fn reminders(ctx: &Ctx) -> Result<(), Problem> {
    for _ in 0..BATCHES {
        let now = ctx.now();
        let ahead = Night::LONGEST.as_mins();
        let near = params![now, Step::DAY.minutes(), ahead, Step::LONGEST, BATCH, LOOK_BACK.as_mins()];
        let near = ctx.db.many(&NEAR, near).await?;
        if near.is_empty() {
            break;
        }
        let all: Vec<Value> = near.iter().map(|near| near.planned(now)).collect();
        let fewer = near.len() < usize::try_from(BATCH).unwrap_or_default();
        ctx.db.one(&PLAN_REMINDERS, params![now, Value::Array(all), LETTER_TAKES.as_mins()]).await?;
        if fewer {
            break;
        }
    }
    Ok(())
}

impl Near {
    fn planned(&self, now: Timestamp) -> Value {
        let visit = Visit { starts_at: self.starts_at, agreed_at: self.agreed_at };
        let (send_at, why) = match notice::reminder(self.step, visit, &self.preferences, &self.time_zone, now) {
            Due::At(at) => (Some(at), None),
            Due::Never(why) => (None, Some(why)),
        };
        json!({"appointment": self.appointment, "version": self.version, "account": self.account, "step": self.step,
               "send_at": send_at, "why": why})
    }
}

/// Plans the next channel for messages that nobody looked at, and forgets letters that nobody printed in time.
pub(crate) async fn passed_on(ctx: &Ctx) -> Result<(), Problem> {
    for _ in 0..BATCHES {
        let now = ctx.now();
        if ctx.db.one(&PASS_ON, params![now, now - UNREAD, BATCH]).await?.seen < BATCH {
            break;
        }
    }
    Ok(())
}
