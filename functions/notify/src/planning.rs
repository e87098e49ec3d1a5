//! Who is to be told what, and when: written down before anything is sent.

use std::time::Instant;

use domain::ids::{AppointmentId, DocumentId};
use domain::notice::{self, Due, LETTER_TAKES, LOOK_BACK, Night, NoticeKind, Preferences, Step, UNREAD, Visit};
use domain::zone::Zone;
use domain::{SignedDuration, Timestamp};
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
/// How many reminders one look finds at most: a look takes long, however many it finds.
const LOOK: i64 = 20_000;
/// How many reminders are planned by one statement, and how many notices are passed on: also a database that is busy with other things
/// is done with them well within its 8 s.
const BATCH: i64 = 1000;
/// A text message of which the provider says nothing for so long is told by the next channel, where it says what arrives.
const UNCONFIRMED: SignedDuration = SignedDuration::from_hours(6);
/// One that was sent longer ago is left alone: whoever begins to have receipts is not flooded.
const LONG_UNCONFIRMED: SignedDuration = SignedDuration::from_hours(48);

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
    /// When they said how they want to be told, if they did.
    wished_at: Option<Timestamp>,
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

/// Plans the reminders that will be due within the length of a night and some, so that those that a night would swallow can go
/// out the evening before.
pub(crate) async fn reminders(ctx: &Ctx, until: Instant) -> Result<(), Problem> {
    while Instant::now() < until {
        let now = ctx.now();
        let ahead = Night::AHEAD.as_mins();
        let near = params![now, Step::DAY.minutes(), ahead, Step::LONGEST, LOOK, LOOK_BACK.as_mins()];
        let near = ctx.db.many(&NEAR, near).await?;
        if near.is_empty() {
            break;
        }
        for near in near.chunks(usize::try_from(BATCH).unwrap_or(1)) {
            if Instant::now() >= until {
                return Ok(());
            }
            let near = near.iter().map(|near| near.planned(now)).collect();
            ctx.db.one(&PLAN_REMINDERS, params![now, Value::Array(near), LETTER_TAKES.as_mins()]).await?;
        }
        if near.len() < usize::try_from(LOOK).unwrap_or_default() {
            break;
        }
    }
    Ok(())
}

impl Near {
    fn planned(&self, now: Timestamp) -> Value {
        let visit = Visit { starts_at: self.starts_at, agreed_at: self.agreed_at };
        let (send_at, why) = match notice::reminder(self.step, visit, &self.preferences, &self.time_zone, now) {
            // Who asks for a week's notice today is not told today of all that is in less than a week.
            Due::At(at) if self.wished_at.is_some_and(|wished| at < wished.min(now)) => (None, Some("missed")),
            Due::At(at) => (Some(at), None),
            Due::Never(why) => (None, Some(why)),
        };
        json!({"appointment": self.appointment, "version": self.version, "account": self.account, "step": self.step,
               "send_at": send_at, "why": why})
    }
}

/// Plans the next channel for messages that nobody looked at or that did not arrive, and forgets letters that are true no more.
pub(crate) async fn passed_on(ctx: &Ctx, until: Instant) -> Result<(), Problem> {
    loop {
        let now = ctx.now();
        let late = params![now, now - UNREAD, BATCH, now - UNCONFIRMED, now - LONG_UNCONFIRMED];
        if ctx.db.one(&PASS_ON, late).await?.seen < BATCH || Instant::now() >= until {
            break;
        }
    }
    Ok(())
}
