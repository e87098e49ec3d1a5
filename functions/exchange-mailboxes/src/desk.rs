//! The sync desk: what is turned by hand, and what the staff are asked.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use domain::Timestamp;
use domain::ids::{AppointmentId, MailboxId};
use domain::sync::{Doubt, Proposal, State as LinkState};
use runtime::page::Page;
use runtime::{Actor, Ctx, Input, Kind, Lang, Problem, Segment};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use store::{Query as _, Statement, params, statement};
use utoipa::ToSchema;

use crate::mailboxes::{Mailbox, MailboxChange, Sealed, shown};

const TURN: Statement<Sealed> = statement!("turn");
const QUESTIONS: Statement<Asked> = statement!("questions");
const ANSWER: Statement<Value> = statement!("answer");

/// What is done to a mailbox by hand.
pub(crate) enum Turn {
    Change(MailboxChange),
    Pause,
    Resume,
    Resync,
    Leave,
    Abandon,
}

pub(crate) async fn turn(
    ctx: &Ctx, actor: &Actor, lang: Lang, id: MailboxId, turn: Turn,
) -> Result<Json<Mailbox>, Problem> {
    let (action, turn, rules) = match turn {
        Turn::Change(rules) => ("update", None, json!(rules)),
        Turn::Pause => ("update", Some("pause"), json!({})),
        Turn::Resume => ("update", Some("resume"), json!({})),
        Turn::Resync => ("update", Some("resync"), json!({})),
        Turn::Leave => ("delete", Some("leave"), json!({})),
        Turn::Abandon => ("delete", Some("abandon"), json!({})),
    };
    let turned = ctx.db.optional(&TURN, params![actor.who(ctx.now()), id.as_uuid(), action, turn, rules]).await?;
    let turned = turned.ok_or_else(|| Problem::new(Kind::NotFound))?;
    Ok(Json(shown(ctx, lang, turned).await?))
}

/// Leaves a mailbox alone until it is resumed. Times that it took stay taken.
#[utoipa::path(post, path = "/v1/exchange-mailboxes/{id}/pause", operation_id = "pause_mailbox", tag = "exchange",
    params(("id" = MailboxId, Path)), responses((status = 200, body = Mailbox)))]
pub(crate) async fn pause(
    State(ctx): State<Ctx>, actor: Actor, lang: Lang, Segment(id): Segment<MailboxId>,
) -> Result<Json<Mailbox>, Problem> {
    turn(&ctx, &actor, lang, id, Turn::Pause).await
}

/// Takes a mailbox up again, at once.
#[utoipa::path(post, path = "/v1/exchange-mailboxes/{id}/resume", operation_id = "resume_mailbox", tag = "exchange",
    params(("id" = MailboxId, Path)), responses((status = 200, body = Mailbox)))]
pub(crate) async fn resume(
    State(ctx): State<Ctx>, actor: Actor, lang: Lang, Segment(id): Segment<MailboxId>,
) -> Result<Json<Mailbox>, Problem> {
    turn(&ctx, &actor, lang, id, Turn::Resume).await
}

/// Reads everything in a mailbox again and compares it; nothing is forgotten meanwhile. Also ends a rest.
#[utoipa::path(post, path = "/v1/exchange-mailboxes/{id}/resync", operation_id = "resync_mailbox", tag = "exchange",
    params(("id" = MailboxId, Path)), responses((status = 200, body = Mailbox)))]
pub(crate) async fn resync(
    State(ctx): State<Ctx>, actor: Actor, lang: Lang, Segment(id): Segment<MailboxId>,
) -> Result<Json<Mailbox>, Problem> {
    turn(&ctx, &actor, lang, id, Turn::Resync).await
}

/// How a mailbox is left.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Disconnection {
    /// Whether it is left at once, with what was written into it: for one whose server does not answer any more.
    #[serde(default)]
    abandon: bool,
}

/// Takes a mailbox from its agenda: what was written into it is taken away, and that only; then times that it took are free.
#[utoipa::path(post, path = "/v1/exchange-mailboxes/{id}/disconnection", operation_id = "disconnect_mailbox", tag = "exchange",
    request_body = Disconnection, params(("id" = MailboxId, Path)), responses((status = 200, body = Mailbox)))]
pub(crate) async fn disconnect(
    State(ctx): State<Ctx>, actor: Actor, lang: Lang, Segment(id): Segment<MailboxId>, Input(how): Input<Disconnection>,
) -> Result<Json<Mailbox>, Problem> {
    turn(&ctx, &actor, lang, id, if how.abandon { Turn::Abandon } else { Turn::Leave }).await
}

#[derive(Debug, Deserialize)]
struct Asked {
    items: Vec<AskedRow>,
}

#[derive(Debug, Deserialize)]
struct AskedRow {
    appointment: AppointmentId,
    starts_at: Timestamp,
    ends_at: Timestamp,
    state: LinkState,
    since: Option<Timestamp>,
    fault: Option<String>,
    rests_until: Option<Timestamp>,
    answered: bool,
}

/// What is asked of the staff: a visit and its item differ, and nothing is done before somebody says what.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SyncQuestion {
    appointment: AppointmentId,
    /// When the visit is.
    #[schema(value_type = String, format = DateTime)]
    starts_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    ends_at: Timestamp,
    kind: SyncQuestionKind,
    /// Of one that was moved: where to.
    #[schema(value_type = Option<String>, format = DateTime)]
    moved_to: Option<Timestamp>,
    #[schema(value_type = Option<String>, format = DateTime)]
    moved_until: Option<Timestamp>,
    /// Since when it is asked.
    #[schema(value_type = Option<String>, format = DateTime)]
    since: Option<Timestamp>,
    /// Of one that was refused: the server's word for it, and until when it rests.
    fault: Option<String>,
    #[schema(value_type = Option<String>, format = DateTime)]
    rests_until: Option<Timestamp>,
    /// Whether it was answered and is being done.
    answered: bool,
}

/// What a question is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum SyncQuestionKind {
    /// The item was moved there.
    Moved,
    /// The item was taken away there.
    Removed,
    /// So much was missing from an answer that it is not believed.
    Shrunk,
    /// The item cannot be read.
    Unreadable,
    /// Something there keeps changing the item back.
    Contended,
    /// The calendar refuses the item.
    Refused,
}

impl From<AskedRow> for SyncQuestion {
    fn from(row: AskedRow) -> Self {
        let (kind, moved) = match row.state {
            LinkState::Proposed(Proposal::Moved { starts_at, ends_at }) => {
                (SyncQuestionKind::Moved, Some((starts_at, ends_at)))
            }
            LinkState::Proposed(Proposal::Removed) => (SyncQuestionKind::Removed, None),
            LinkState::Doubtful(Doubt::Shrunk) => (SyncQuestionKind::Shrunk, None),
            LinkState::Doubtful(Doubt::Unreadable) => (SyncQuestionKind::Unreadable, None),
            LinkState::Doubtful(Doubt::Contended) => (SyncQuestionKind::Contended, None),
            LinkState::Making | LinkState::Linked => (SyncQuestionKind::Refused, None),
        };
        Self {
            appointment: row.appointment,
            starts_at: row.starts_at,
            ends_at: row.ends_at,
            kind,
            moved_to: moved.map(|(from, _)| from),
            moved_until: moved.map(|(_, until)| until),
            since: row.since,
            fault: row.fault,
            rests_until: row.rests_until,
            answered: row.answered,
        }
    }
}

/// Lists what is asked for a mailbox. A visit that is called off or moved here answers its question by itself.
#[utoipa::path(get, path = "/v1/exchange-mailboxes/{id}/questions", operation_id = "list_sync_questions", tag = "exchange",
    params(("id" = MailboxId, Path)), responses((status = 200, body = Page<SyncQuestion>)))]
pub(crate) async fn questions(
    State(ctx): State<Ctx>, actor: Actor, Segment(id): Segment<MailboxId>,
) -> Result<Json<Page<SyncQuestion>>, Problem> {
    let asked = ctx.db.optional(&QUESTIONS, params![actor.who(ctx.now()), id.as_uuid()]).await?;
    let asked = asked.ok_or_else(|| Problem::new(Kind::NotFound))?;
    Ok(Json(Page { items: asked.items.into_iter().map(SyncQuestion::from).collect(), next_cursor: None }))
}

/// What the staff say.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SyncAnswer {
    appointment: AppointmentId,
    #[allow(dead_code, reason = "there is one answer; the others are to call the visit off or to move it")]
    answer: SyncAnswerKind,
}

/// What may be said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum SyncAnswerKind {
    /// Ours stands: the item is written again, made anew, or looked at again.
    Keep,
}

/// Says that ours stands. To follow what was done in the calendar, call the visit off or move it.
#[utoipa::path(post, path = "/v1/exchange-mailboxes/{id}/answers", operation_id = "answer_sync_question",
    tag = "exchange", request_body = SyncAnswer, params(("id" = MailboxId, Path)),
    responses((status = 202, description = "It is being done."), (status = 404, description = "Nothing is asked.")))]
pub(crate) async fn answer(
    State(ctx): State<Ctx>, actor: Actor, Segment(id): Segment<MailboxId>, Input(said): Input<SyncAnswer>,
) -> Result<StatusCode, Problem> {
    let parameters = params![actor.who(ctx.now()), id.as_uuid(), said.appointment.as_uuid()];
    let answered = ctx.db.optional(&ANSWER, parameters).await?;
    answered.map(|_| StatusCode::ACCEPTED).ok_or_else(|| Problem::new(Kind::NotFound))
}
